use std::time::Duration;

use super::texts::{parts, sent};
use super::world::World;

/// The network has no room for the text that is sent, three times; the next try is in
/// fifteen minutes.
fn rests(world: &mut World) {
    world.modem.says_instead("body", "\r\n+CMS ERROR: 500\r\n");
    let before = world.modem.bodies.len();
    world.run_s(140);
    assert_eq!((sent(world), world.modem.bodies.len() - before), (vec![], 3));
    world.modem.instead.clear();
}

#[test]
fn a_text_that_rests_before_its_next_try_holds_back_none_that_comes_after_it() {
    let mut world = World::ready("generic");
    world.text(1, "one");
    rests(&mut world);
    world.text(2, "two");
    world.run_s(5);
    assert_eq!(sent(&world), [(2, Ok(()))]);
    world.run_s(900);
    assert_eq!(sent(&world), [(2, Ok(())), (1, Ok(()))]);
}

#[test]
fn half_a_text_that_rests_holds_back_no_other_and_is_finished_later() {
    let mut world = World::ready("generic");
    world.text(1, &"address ".repeat(40));
    while parts(&world).is_empty() {
        world.run(Duration::from_millis(1));
    }
    // Its second part may be on its way already.
    rests(&mut world);
    world.text(2, "two");
    world.run_s(5);
    assert_eq!(sent(&world), [(2, Ok(()))]);
    world.run_s(900);
    assert_eq!(sent(&world), [(2, Ok(())), (1, Ok(()))]);
    assert_eq!(world.modem.broken_rules, [""; 0]);
}

#[test]
fn an_ok_before_the_prompt_of_a_text_is_no_word_that_it_was_sent() {
    for late in ["\r\nOK\r\n", "\r\n+CMGS: 9\r\n\r\nOK\r\n"] {
        let mut world = World::ready("generic");
        world.modem.says_instead("AT+CMGS=", late);
        world.text(1, "hi");
        world.run_s(5);
        assert_eq!((sent(&world), parts(&world)), (vec![], vec![]), "{:?}", world.modem.heard);
        assert_eq!(world.line.health().counters.stray_results, 1);
        world.modem.instead.clear();
        world.run_s(60);
        assert_eq!((sent(&world), world.modem.bodies.len()), (vec![(1, Ok(()))], 1), "{:?}", world.modem.heard);
        assert_eq!(world.line.health().parts_today, 1);
    }
}
