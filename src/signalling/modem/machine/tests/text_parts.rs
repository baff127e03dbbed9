use std::time::Duration;

use super::super::super::*;
use super::texts::{parts, sent};
use super::world::World;

/// A text of three parts, of which the modem has been given the first.
fn begun() -> World {
    let mut world = World::ready("generic");
    world.text(1, &"address ".repeat(40));
    while world.modem.bodies.is_empty() {
        world.run(Duration::from_millis(1));
    }
    world
}

#[test]
fn half_a_text_that_cannot_be_finished_may_have_arrived_and_is_told_as_no_plain_failure() {
    // The network has no room for an hour; the SIM needs somebody.
    for code in [38, 330] {
        let mut world = begun();
        world.modem.says_instead("body", &format!("\r\n+CMS ERROR: {code}\r\n"));
        world.run_s(3600);
        assert_eq!(parts(&world), [(1, PartFate::Taken)], "{code}");
        assert_eq!(sent(&world), [(1, Err(TextFailure::Unknown))], "{code}");
        assert_eq!(world.line.health().parts_today, 1, "{code}");
    }
    // The line stops before the next try of its second part.
    let mut world = begun();
    world.modem.says_instead("body", "\r\n+CMS ERROR: 38\r\n");
    world.run_s(5);
    assert!(sent(&world).is_empty(), "{:?}", sent(&world));
    world.give(ModemInput::Leave);
    assert_eq!(sent(&world), [(1, Err(TextFailure::Unknown))]);
}

#[test]
fn parts_of_two_starts_within_a_day_are_bound_by_different_numbers() {
    let bodies = |clock: &str| {
        let settings = LineSettings { clock: clock.parse().expect("a time"), day: 20_783, ..LineSettings::default() };
        let mut world = World::new("generic", settings);
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        world.text(1, &"address ".repeat(40));
        world.run_s(5);
        world.modem.bodies
    };
    let first = bodies("2026-11-26T09:00:00Z");
    assert_eq!(first.len(), 3);
    let second = bodies("2026-11-26T09:30:00Z");
    assert!(second.iter().all(|part| !first.contains(part)), "{first:?} {second:?}");
}
