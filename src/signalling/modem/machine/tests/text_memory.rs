use std::time::Duration;

use super::super::super::*;
use super::by_hand::answer;
use super::texts::{RECEIVED, arrived, sms_part};
use super::world::{PROFILES, World, profile};

fn is_told(world: &World) -> bool {
    world.line.health().troubles.iter().any(|told| told.contains("memory of texts is full"))
}

#[test]
fn a_memory_full_of_what_is_not_deleted_is_told_of_until_there_is_room() {
    let mut world = World::ready("simcom_sim800");
    world.text(1, "hi");
    world.run_s(5);
    // A telephone keeps what it has sent, as it was sent. This modem has 20 places.
    let kept = world.modem.bodies[0].clone();
    world.modem.storage = (1..20).map(|place| (place, kept.clone())).collect();
    world.run_s(61);
    assert!(!is_told(&world), "one place is left");
    world.modem.storage.push((20, kept));
    world.run_s(61);
    assert!(is_told(&world), "{:?}", world.line.health().troubles);
    assert_eq!((world.modem.count("AT+CMGD"), world.line.state()), (0, ModemState::Ready));
    world.modem.storage.pop();
    world.run_s(61);
    assert!(!is_told(&world));
}

#[test]
fn a_modem_that_says_that_its_memory_is_full_is_believed_until_a_place_is_seen_to_be_empty() {
    let full = "^SMMEMFULL: \"SM\"";
    let mut world = World::ready("generic");
    world.says(full);
    world.run_s(300);
    assert!(is_told(&world));
    // A text has found room.
    world.modem.storage.push((3, RECEIVED.to_owned()));
    world.says("+CMTI: \"SM\",3");
    assert!(!is_told(&world));
    world.run_s(61);
    // Somebody has made room by hand.
    world.says(full);
    world.run_s(1);
    assert!(is_told(&world));
    world.modem.storage.clear();
    world.run_s(61);
    assert!(!is_told(&world));
    // The box has.
    world.modem.storage.push((3, RECEIVED.to_owned()));
    world.says(full);
    world.run_s(1);
    assert!(is_told(&world));
    world.give(ModemInput::TextKept { slots: vec![StorageSlot::chosen(3)] });
    world.run_s(2);
    assert!(!is_told(&world) && world.modem.storage.is_empty(), "{:?}", world.modem.storage);
    // What another SIM holds is to be seen.
    world.says(full);
    assert!(is_told(&world));
    world.give(ModemInput::PortGone);
    assert!(!is_told(&world));
}

#[test]
fn a_text_without_a_time_is_told_once_while_it_lies_there_and_one_like_it_that_comes_later_too() {
    // As of a centre without a clock.
    let timeless = RECEIVED.replace("11101021436500", "00000000000000");
    let mut world = World::ready("generic");
    world.modem.says_instead("AT+CMGD", "\r\n+CMS ERROR: 500\r\n");
    world.modem.storage.push((3, timeless.clone()));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    let texts = arrived(&world);
    assert_eq!((texts.len(), texts[0].0.sent_at), (1, None));
    world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
    world.run_s(130);
    assert!(world.modem.count("AT+CMGD=3") >= 2, "{:?}", world.modem.heard);
    assert_eq!((arrived(&world).len(), world.modem.storage.len()), (1, 1));
    world.modem.instead.clear();
    world.run_s(61);
    assert_eq!((arrived(&world).len(), world.modem.storage.len()), (1, 0));
    // The same words of the same sender, hours later, in the place that is free again.
    world.run_s(3600);
    world.modem.storage.push((3, timeless.clone()));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    assert_eq!(arrived(&world).len(), 2);
    world.give(ModemInput::TextKept { slots: vec![StorageSlot::chosen(3)] });
    world.run_s(2);
    assert_eq!(world.modem.storage, []);
    // Those that the modem does not store are all new as well.
    for told in [3, 4] {
        world.says(&format!("+CMT: ,28\n{timeless}"));
        world.run_s(2);
        assert_eq!(arrived(&world).len(), told);
    }
}

#[test]
fn a_text_without_a_time_is_told_in_a_place_that_was_emptied_and_not_said_to_be() {
    let timeless = RECEIVED.replace("11101021436500", "00000000000000");
    let mut world = World::ready("generic");
    world.modem.storage.push((3, timeless.clone()));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    let (_, slots) = arrived(&world).remove(0);
    // As after a restart in which the place was emptied already.
    world.modem.storage.clear();
    world.modem.says_instead("AT+CMGD", "\r\n+CMS ERROR: 321\r\n");
    world.give(ModemInput::TextKept { slots });
    world.run_s(65);
    world.modem.instead.clear();
    world.modem.storage.push((3, timeless));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    assert_eq!((arrived(&world).len(), world.modem.storage.len()), (2, 1), "{:?}", world.modem.heard);
}

#[test]
fn half_a_text_is_told_a_day_after_it_was_sent_by_a_box_that_is_switched_off_each_night_too() {
    // It was sent on the first of January 2011 at 12:34:56; a box starts with it on the SIM.
    let started = |clock: &str| {
        let settings = LineSettings { clock: clock.parse().expect("a time"), ..LineSettings::default() };
        let mut world = World::new("generic", settings);
        world.modem.storage = vec![(4, sms_part(1))];
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        assert_eq!(arrived(&world).len(), 0, "its other half may be in the next place");
        world
    };
    let mut world = started("2011-01-02T13:34:56Z");
    world.run_s(15 * 60);
    let texts = arrived(&world);
    assert_eq!((texts.len(), texts[0].0.missing_parts, texts[0].1.len()), (1, 1, 1));
    let mut world = started("2011-01-01T13:34:56Z");
    world.run_s(22 * 3600);
    assert_eq!(arrived(&world).len(), 0);
    world.run_s(3700);
    assert_eq!(arrived(&world).len(), 1);
}

/// Profiles of modems that are set to store texts themselves.
fn with_own_memory() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, _)| *name).filter(|name| profile(name).text_memory() == Some("ME"))
}

#[test]
fn a_text_that_the_network_wants_on_the_sim_is_read_there_and_deleted_there() {
    assert!(with_own_memory().count() >= 2);
    for name in with_own_memory() {
        let mut world = World::ready(name);
        // Another text has the same place in the modem, and was told and not kept.
        let other = RECEIVED.replace("E8329BFD4697D9EC37", "C8329BFD4697D9EC37");
        world.modem.storage.push((3, other));
        world.says("+CMTI: \"ME\",3");
        world.run_s(2);
        world.modem.elsewhere.push((3, RECEIVED.to_owned()));
        world.says("+CMTI: \"SM\",3");
        world.run_s(2);
        let texts = arrived(&world);
        assert_eq!(texts.len(), 2, "{name}: {:?}", world.modem.heard);
        assert_eq!(texts[1].1, [StorageSlot::other(NamedMemory::Sim, 3)], "{name}");
        assert_eq!(world.modem.memory, "ME", "{name}");
        world.run_s(300);
        assert_eq!((arrived(&world).len(), world.modem.count("AT+CMGD")), (2, 0), "{name}");
        world.give(ModemInput::TextKept { slots: texts[1].1.clone() });
        world.run_s(2);
        assert_eq!((world.modem.elsewhere.len(), world.modem.storage.len()), (0, 1), "{name}");
        assert_eq!((world.modem.memory.as_str(), world.modem.count("AT+CMGD")), ("ME", 1), "{name}");
        assert_eq!(world.modem.broken_rules, [""; 0]);
    }
}

#[test]
fn what_is_on_the_sim_and_not_kept_is_not_deleted_under_another_name_of_its_memory() {
    for name in with_own_memory() {
        let mut world = World::ready(name);
        // To a modem that calls one memory by two names both are one place.
        world.modem.elsewhere.push((3, RECEIVED.to_owned()));
        world.modem.storage.push((3, RECEIVED.to_owned()));
        world.says("+CMTI: \"SM\",3");
        world.run_s(300);
        assert_eq!((arrived(&world).len(), world.modem.count("AT+CMGD")), (1, 0), "{name}: {:?}", world.modem.heard);
        let (_, slots) = arrived(&world).remove(0);
        world.give(ModemInput::TextKept { slots });
        // To any other there were two, and the second goes as well.
        world.run_s(300);
        let left = (world.modem.elsewhere.len(), world.modem.storage.len(), arrived(&world).len());
        assert_eq!(left, (0, 0, 1), "{name}");
    }
}

#[test]
fn a_text_on_the_sim_that_was_not_listed_kept_or_deleted_is_seen_again_by_the_next_sweep() {
    for name in with_own_memory() {
        let mut world = World::ready(name);
        world.modem.says_instead("AT+CMGL", "\r\n+CMS ERROR: 314\r\n");
        world.modem.elsewhere.push((3, RECEIVED.to_owned()));
        world.says("+CMTI: \"SM\",3");
        world.run_s(2);
        assert_eq!((arrived(&world).len(), world.modem.count("AT+CMGL")), (0, 1), "{name}");
        world.modem.instead.clear();
        world.run_s(65);
        let (_, slots) = arrived(&world).remove(0);
        world.give(ModemInput::TextNotKept { slots: slots.clone() });
        world.run_s(65);
        assert_eq!(arrived(&world).len(), 2, "{name}: {:?}", world.modem.heard);
        world.modem.says_instead("AT+CMGD", "\r\n+CMS ERROR: 500\r\n");
        world.give(ModemInput::TextKept { slots });
        world.run_s(2);
        assert_eq!((world.modem.elsewhere.len(), world.modem.count("AT+CMGD")), (1, 1), "{name}");
        world.modem.instead.clear();
        world.run_s(65);
        assert_eq!((world.modem.elsewhere.len(), arrived(&world).len()), (0, 2), "{name}: {:?}", world.modem.heard);
        // All is done with.
        world.modem.heard.clear();
        world.run_s(300);
        assert_eq!(world.modem.count("AT+CPMS"), 0, "{name}");
    }
}

/// A modem that has just been turned to its SIM.
fn turned_to_sim(name: &str) -> World {
    let mut world = World::ready(name);
    world.says("+CMTI: \"SM\",3");
    for _ in 0..1000 {
        if world.modem.memory == "SM" {
            break;
        }
        world.run(Duration::from_millis(1));
    }
    world
}

/// Rows that choose a memory of texts or empty a place in it.
fn rows_of_memory(world: &World) -> Vec<&str> {
    let is_of_memory = |row: &&str| ["AT+CPMS=", "AT+CMGD="].iter().any(|name| row.starts_with(name));
    world.modem.heard.iter().map(String::as_str).filter(is_of_memory).collect()
}

#[test]
fn a_row_by_hand_waits_while_the_modem_is_turned_to_its_sim() {
    for name in with_own_memory() {
        let mut world = turned_to_sim(name);
        world.give(ModemInput::Command { id: 7, row: "AT+CMGD=3".to_owned(), force: Force::Yes });
        world.run_s(2);
        assert_eq!(rows_of_memory(&world), ["AT+CPMS=\"SM\"", "AT+CPMS=\"ME\"", "AT+CMGD=3"], "{name}");
    }
}

#[test]
fn a_row_by_hand_that_means_a_place_of_a_text_is_not_given_in_a_call_that_keeps_the_modem_at_its_sim() {
    for name in with_own_memory() {
        let mut world = turned_to_sim(name);
        let by_hand = |world: &mut World, id: u64, row: &str| {
            world.give(ModemInput::Command { id, row: row.to_owned(), force: Force::Yes });
        };
        by_hand(&mut world, 7, "AT+CMGD=3");
        world.rings();
        by_hand(&mut world, 8, "AT+CMGD=4");
        by_hand(&mut world, 9, "AT+CSQ");
        world.run_s(1);
        assert_eq!(rows_of_memory(&world), ["AT+CPMS=\"SM\""], "{name}");
        // The first was given before the call; what has no place of a text is none of these.
        for refused in [7, 8] {
            assert_eq!(answer(&world, refused), Some(Err(CommandFailure::CallRunning)), "{name}");
        }
        assert_eq!(answer(&world, 9), Some(Ok("+CSQ: 24,99\nOK".to_owned())), "{name}");
        world.far_side_hangs_up();
        world.run_s(10);
        assert_eq!(rows_of_memory(&world), ["AT+CPMS=\"SM\"", "AT+CPMS=\"ME\""], "{name}: nor later");
    }
}

#[test]
fn what_cannot_be_read_on_the_sim_is_kept_as_it_came_when_it_comes_so_twice() {
    for name in with_own_memory() {
        let mut world = World::ready(name);
        world.modem.elsewhere.push((5, RECEIVED[..34].to_owned()));
        world.says("+CMTI: \"SM\",5");
        world.run_s(2);
        assert_eq!(arrived(&world), [], "{name}: it may have been garbled on its way");
        world.run_s(65);
        let texts = arrived(&world);
        assert_eq!(texts.len(), 1, "{name}: {:?}", world.modem.heard);
        world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
        world.run_s(2);
        assert_eq!(world.modem.elsewhere, [], "{name}");
    }
}

#[test]
fn a_text_that_lost_figures_on_its_way_is_read_once_more_before_it_is_told_and_deleted() {
    let without = |places: std::ops::Range<usize>| {
        let mut garbled = RECEIVED.to_owned();
        garbled.replace_range(places, "");
        garbled
    };
    // One figure, two, and one before what fills the place up.
    for garbled in [without(60..61), without(60..62), format!("{}FFFF", without(60..61))] {
        let mut world = World::ready("generic");
        world.modem.storage.push((3, RECEIVED.to_owned()));
        world.modem.says_instead("AT+CMGR=3", &format!("\r\n+CMGR: 0,,28\r\n{garbled}\r\n\r\nOK\r\n"));
        world.says("+CMTI: \"SM\",3");
        world.run_s(2);
        assert_eq!((world.modem.count("AT+CMGR=3"), arrived(&world)), (1, vec![]), "{garbled}");
        world.run_s(61);
        let texts = arrived(&world);
        assert_eq!(texts.len(), 1, "{garbled}");
        assert_eq!((texts[0].0.text.expose().as_str(), texts[0].0.missing_parts), ("hellohello", 0), "{garbled}");
        world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
        world.run_s(2);
        assert_eq!(world.modem.storage, [], "{garbled}");
    }
    // One that was cut before it came stays so, and half a text is better than none.
    let mut world = World::ready("generic");
    world.modem.storage.push((3, without(70..72)));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    assert_eq!(arrived(&world), []);
    world.run_s(61);
    let texts = arrived(&world);
    assert_eq!((texts.len(), texts[0].0.missing_parts), (1, 1));
}

#[test]
fn what_is_kept_while_the_modem_is_away_is_deleted_on_its_sim_when_it_is_back() {
    for name in with_own_memory() {
        let mut world = World::ready(name);
        world.modem.elsewhere.push((3, RECEIVED.to_owned()));
        world.says("+CMTI: \"SM\",3");
        world.run_s(2);
        let (_, slots) = arrived(&world).remove(0);
        world.give(ModemInput::PortGone);
        world.give(ModemInput::TextKept { slots });
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        assert_eq!((world.modem.elsewhere.len(), arrived(&world).len()), (0, 1), "{name}: {:?}", world.modem.heard);
    }
}

#[test]
fn what_is_kept_and_lies_on_the_sim_is_deleted_there_once_nothing_lies_in_the_modem_any_more() {
    for name in with_own_memory() {
        let mut world = World::ready(name);
        world.modem.storage.push((4, sms_part(1)));
        world.modem.elsewhere.push((3, RECEIVED.to_owned()));
        world.says("+CMTI: \"ME\",4\n+CMTI: \"SM\",3");
        world.run_s(2);
        let (_, slots) = arrived(&world).remove(0);
        world.give(ModemInput::PortGone);
        world.give(ModemInput::TextKept { slots });
        world.give(ModemInput::PortOpened);
        world.run_s(100);
        assert_eq!((world.modem.elsewhere.len(), arrived(&world).len()), (1, 1), "{name}: half a text may lie there");
        world.modem.storage.push((5, sms_part(2)));
        world.says("+CMTI: \"ME\",5");
        world.run_s(2);
        let (_, slots) = arrived(&world).remove(1);
        world.give(ModemInput::TextKept { slots });
        world.run_s(130);
        let left = (world.modem.elsewhere.len(), world.modem.storage.len(), arrived(&world).len());
        assert_eq!(left, (0, 0, 2), "{name}: {:?}", world.modem.heard);
    }
}

#[test]
fn what_lay_on_the_sim_before_is_found_at_a_start_and_a_modem_without_that_memory_goes_on() {
    for name in with_own_memory() {
        let mut world = World::new(name, LineSettings::default());
        world.modem.elsewhere.push((7, RECEIVED.to_owned()));
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        let texts = arrived(&world);
        assert_eq!(texts.len(), 1, "{name}: {:?}", world.modem.heard);
        assert_eq!(texts[0].1, [StorageSlot::other(NamedMemory::Sim, 7)], "{name}");
        assert_eq!((world.line.state(), world.modem.memory.as_str()), (ModemState::Ready, "ME"), "{name}");
        // Once is enough.
        world.run_s(300);
        assert_eq!(world.modem.count("AT+CPMS=\"SM\""), 1, "{name}");
        let mut world = World::new(name, LineSettings::default());
        world.modem.says_instead("AT+CPMS=\"SM\"", "\r\n+CMS ERROR: 302\r\n");
        world.modem.storage.push((7, RECEIVED.to_owned()));
        world.give(ModemInput::PortOpened);
        world.run_s(300);
        assert_eq!((world.line.state(), arrived(&world).len()), (ModemState::Ready, 1), "{name}");
        assert_eq!(world.modem.count("AT+CPMS=\"SM\""), 1, "{name}");
    }
}

#[test]
fn a_sim_that_is_busy_when_the_modem_is_to_turn_to_it_is_looked_through_later() {
    for name in with_own_memory() {
        for busy in ["+CMS ERROR: 314", "+CME ERROR: 14"] {
            let mut world = World::new(name, LineSettings::default());
            world.modem.says_instead("AT+CPMS=\"SM\"", &format!("\r\n{busy}\r\n"));
            world.modem.elsewhere.push((7, RECEIVED.to_owned()));
            world.give(ModemInput::PortOpened);
            world.run_s(40);
            assert_eq!((arrived(&world).len(), world.modem.count("AT+CPMS=\"SM\"")), (0, 1), "{name}, {busy}");
            world.modem.instead.clear();
            world.run_s(65);
            assert_eq!((arrived(&world).len(), world.modem.memory.as_str()), (1, "ME"), "{name}, {busy}");
        }
    }
}

#[test]
fn a_modem_that_has_not_taken_its_own_memory_is_read_where_its_texts_are() {
    for name in with_own_memory() {
        let mut world = World::new(name, LineSettings::default());
        world.modem.says_instead("AT+CPMS=\"ME\"", "\r\n+CMS ERROR: 302\r\n");
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        world.modem.storage.push((3, RECEIVED.to_owned()));
        world.says("+CMTI: \"SM\",3");
        world.run_s(2);
        let texts = arrived(&world);
        assert_eq!(texts.len(), 1, "{name}: {:?}", world.modem.heard);
        assert_eq!(texts[0].1, [StorageSlot::chosen(3)], "{name}");
        assert_eq!(world.modem.count("AT+CPMS=\"SM\""), 0, "{name}");
    }
}

/// Another text than the usual one.
fn other_text() -> String {
    RECEIVED.replace("E8329BFD4697D9EC37", "C8329BFD4697D9EC37")
}

/// The places under their names, whichever memories these have meant before.
fn places(slots: &[StorageSlot]) -> Vec<(TextMemory, u16)> {
    slots.iter().map(|slot| (slot.memory, slot.index)).collect()
}

#[test]
fn what_a_modem_stores_on_its_sim_is_read_there_although_it_reads_itself_by_default() {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.reads_from("ME", "SM");
    // One lies in either from before, in the same place.
    world.modem.storage.push((1, other_text()));
    world.modem.elsewhere.push((1, RECEIVED.to_owned()));
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    assert_eq!(world.modem.memory, "SM");
    let texts = arrived(&world);
    let told: Vec<Vec<(TextMemory, u16)>> = texts.iter().map(|(_, slots)| places(slots)).collect();
    let expected = [[(TextMemory::Chosen, 1)], [(TextMemory::Other(NamedMemory::Modem), 1)]];
    assert_eq!(told, expected, "{:?}", world.modem.heard);
    for (_, slots) in texts {
        world.give(ModemInput::TextKept { slots });
    }
    world.run_s(2);
    assert_eq!((world.modem.storage.len(), world.modem.elsewhere.len()), (0, 0), "{:?}", world.modem.heard);
    // Those that come from now on are read where they are said to lie.
    world.modem.heard.clear();
    world.modem.elsewhere.push((2, RECEIVED.replace("1110102143", "1110102144")));
    world.says("+CMTI: \"SM\",2");
    world.run_s(2);
    assert_eq!(places(&arrived(&world)[2].1), [(TextMemory::Chosen, 2)]);
    world.run_s(300);
    assert_eq!((arrived(&world).len(), world.modem.count("AT+CPMS")), (3, 0), "{:?}", world.modem.heard);
}

#[test]
fn a_modem_that_does_not_read_where_it_stores_goes_on_with_what_it_reads() {
    for (refusal, is_moved) in [("+CMS ERROR: 302", false), ("+CMS ERROR: 314", true)] {
        let mut world = World::new("generic", LineSettings::default());
        world.modem.reads_from("ME", "SM");
        world.modem.says_instead("AT+CPMS=\"SM\"", &format!("\r\n{refusal}\r\n"));
        world.modem.storage.push((1, RECEIVED.to_owned()));
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        assert_eq!((world.line.state(), arrived(&world).len()), (ModemState::Ready, 1), "{refusal}");
        assert_eq!(world.modem.memory, "ME", "{refusal}");
        // A SIM that was busy is tried again.
        world.modem.instead.clear();
        world.run_s(130);
        assert_eq!(world.modem.memory == "SM", is_moved, "{refusal}: {:?}", world.modem.heard);
        assert_eq!(arrived(&world).len(), 1, "{refusal}: {:?}", world.modem.heard);
    }
}

#[test]
fn half_a_text_waits_for_the_other_over_a_start_of_a_modem_that_does_not_read_where_it_stores() {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.reads_from("ME", "SM");
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    world.modem.elsewhere.push((2, sms_part(1)));
    world.says("+CMTI: \"SM\",2");
    world.run_s(2);
    world.give(ModemInput::PortGone);
    world.modem.memory = "ME".to_owned();
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    assert_eq!((world.modem.memory.as_str(), arrived(&world).len()), ("SM", 0), "{:?}", world.modem.heard);
    world.modem.elsewhere.push((3, sms_part(2)));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    let texts = arrived(&world);
    assert_eq!((texts.len(), texts[0].0.missing_parts, texts[0].1.len()), (1, 0, 2), "{:?}", world.modem.heard);
}

#[test]
fn a_text_is_read_and_deleted_in_the_memory_that_the_modem_tells_of_whichever_it_is_set_to() {
    let sim_of_generic = ("generic", "ME", "SM", NamedMemory::Sim);
    for (name, home, told, memory) in [sim_of_generic, ("huawei", "SM", "ME", NamedMemory::Modem)] {
        let mut world = World::new(name, LineSettings::default());
        world.modem.reads_from(home, home);
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        // What has the same place in the memory that the modem is set to is another's.
        world.modem.storage.push((1, other_text()));
        world.modem.elsewhere.push((1, RECEIVED.to_owned()));
        world.says(&format!("+CMTI: \"{told}\",1"));
        world.run_s(300);
        let texts = arrived(&world);
        assert_eq!(texts.len(), 2, "{name}: {:?}", world.modem.heard);
        assert_eq!(texts[0].1, [StorageSlot::other(memory, 1)], "{name}");
        assert_eq!((world.modem.memory.as_str(), world.modem.count("AT+CMGD")), (home, 0), "{name}");
        world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
        world.run_s(2);
        assert_eq!((world.modem.elsewhere.len(), world.modem.storage.len()), (0, 1), "{name}");
        assert_eq!(world.modem.memory, home, "{name}");
        assert_eq!(world.modem.broken_rules, [""; 0]);
    }
}

#[test]
fn a_place_in_one_memory_says_nothing_to_a_modem_that_reads_all_of_them_as_one() {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.reads_from("MT", "MT");
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    world.modem.storage.push((21, RECEIVED.to_owned()));
    world.says("+CMTI: \"SM\",1");
    world.run_s(2);
    assert_eq!(arrived(&world).len(), 1, "{:?}", world.modem.heard);
    assert_eq!((world.modem.memory.as_str(), world.modem.count("AT+CPMS=")), ("MT", 0));
}

#[test]
fn what_is_incomplete_is_given_out_when_the_memory_that_it_lies_in_is_full_and_no_other() {
    for name in with_own_memory() {
        let mut world = World::ready(name);
        world.modem.storage.push((4, sms_part(1)));
        world.says("+CMTI: \"ME\",4");
        world.run_s(2);
        for full in ["^SMMEMFULL: \"SM\"", "+QIND: \"smsfull\",\"SM\""] {
            world.says(full);
            world.run_s(5);
            assert_eq!((arrived(&world).len(), is_told(&world)), (0, false), "{name}: {full}");
        }
        world.says("+QIND: \"smsfull\",\"ME\"");
        assert_eq!((arrived(&world).len(), is_told(&world)), (1, true), "{name}");
        // Of the SIM's, when that is full.
        world.modem.elsewhere.push((7, sms_part(2)));
        world.says("+CMTI: \"SM\",7");
        world.run_s(2);
        assert_eq!(arrived(&world).len(), 1, "{name}: {:?}", world.modem.heard);
        world.says("^SMMEMFULL: \"SM\"");
        assert_eq!(arrived(&world).len(), 2, "{name}: {:?}", world.modem.heard);
        assert_eq!(arrived(&world)[1].1, [StorageSlot::other(NamedMemory::Sim, 7)], "{name}");
    }
}

/// A modem that reads itself and stores on its SIM, with a text in the same place of each,
/// that has told of its own and not moved yet.
fn about_to_move(refused: &str) -> World {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.reads_from("ME", "SM");
    world.modem.says_instead(refused, "\r\n+CMS ERROR: 314\r\n");
    world.modem.storage.push((1, other_text()));
    world.modem.elsewhere.push((1, RECEIVED.to_owned()));
    world.give(ModemInput::PortOpened);
    for _ in 0..60_000 {
        if !arrived(&world).is_empty() {
            break;
        }
        world.run(Duration::from_millis(1));
    }
    assert_eq!((arrived(&world).len(), world.modem.memory.as_str()), (1, "ME"), "{:?}", world.modem.heard);
    world.modem.instead.clear();
    world
}

/// What lies in the two memories is deleted once both texts are kept, and neither before.
fn both_go_once_kept(world: &mut World) {
    world.run_s(130);
    let texts = arrived(world);
    assert_eq!((texts.len(), world.modem.memory.as_str()), (2, "SM"), "{:?}", world.modem.heard);
    assert_eq!(places(&texts[1].1), [(TextMemory::Chosen, 1)]);
    assert_eq!(world.modem.elsewhere.len(), 1, "it is not kept yet: {:?}", world.modem.heard);
    world.give(ModemInput::TextKept { slots: texts[1].1.clone() });
    world.run_s(130);
    let left = (world.modem.elsewhere.len(), world.modem.storage.len(), arrived(world).len());
    assert_eq!(left, (0, 0, 2), "{:?}", world.modem.heard);
    assert_eq!(world.modem.broken_rules, [""; 0]);
}

#[test]
fn a_place_that_waits_to_be_emptied_is_not_emptied_in_the_memory_that_is_read_next() {
    // It is asked again which memory it reads as soon as it has listed its texts.
    let mut world = about_to_move("AT+CPMS?");
    let (_, slots) = arrived(&world).remove(0);
    world.give(ModemInput::TextKept { slots });
    both_go_once_kept(&mut world);
}

#[test]
fn a_text_that_is_kept_after_the_modem_reads_another_memory_is_not_deleted_there() {
    let mut world = about_to_move("AT+CPMS=\"SM\"");
    // The disk is slow: both are told before one is kept.
    world.run_s(130);
    let (_, slots) = arrived(&world).remove(0);
    world.give(ModemInput::TextKept { slots });
    both_go_once_kept(&mut world);
}

#[test]
fn a_text_that_is_not_kept_yet_when_the_modem_reads_another_memory_stays_where_it_is() {
    let mut world = about_to_move("AT+CPMS=\"SM\"");
    world.run_s(300);
    let texts = arrived(&world);
    let left = (world.modem.elsewhere.len(), world.modem.storage.len(), texts.len());
    assert_eq!(left, (1, 1, 2), "{:?}", world.modem.heard);
    // What could not be kept is told again from where it lies now.
    world.give(ModemInput::TextNotKept { slots: texts[0].1.clone() });
    world.run_s(130);
    let told = arrived(&world);
    assert_eq!(told.len(), 3, "{:?}", world.modem.heard);
    assert_eq!(places(&told[2].1), [(TextMemory::Other(NamedMemory::Modem), 1)]);
}

#[test]
fn a_text_of_one_sim_that_is_kept_when_another_one_is_in_is_not_deleted_there() {
    let mut world = World::ready("simcom_sim800");
    world.modem.storage = vec![(3, other_text())];
    world.says("+CMTI: \"SM\",3");
    world.run_s(5);
    world.modem.sim = "+CME ERROR: 10";
    world.says("+CPIN: NOT INSERTED");
    world.modem.storage = vec![(3, RECEIVED.to_owned())];
    world.modem.sim = "READY";
    world.modem.says_instead("AT+CCID", "\r\n89234010000099999999\r\n\r\nOK\r\n");
    world.run_s(60);
    let texts = arrived(&world);
    assert_eq!((texts.len(), world.line.state()), (2, ModemState::Ready), "{:?}", world.modem.heard);
    world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
    world.run_s(130);
    assert_eq!((world.modem.storage.len(), world.modem.count("AT+CMGD")), (1, 0), "{:?}", world.modem.heard);
    world.give(ModemInput::TextKept { slots: texts[1].1.clone() });
    world.run_s(2);
    assert_eq!((world.modem.storage.len(), arrived(&world).len()), (0, 2), "{:?}", world.modem.heard);
}

#[test]
fn a_text_by_which_a_network_looks_for_a_telephone_is_for_nobody_and_deleted_once_it_is_kept() {
    let mut world = World::ready("generic");
    let silent = RECEIVED.replace("551512F20000", "551512F24000");
    assert_ne!(silent, RECEIVED);
    world.modem.storage = vec![(3, silent), (4, other_text())];
    world.says("+CMTI: \"SM\",3\n+CMTI: \"SM\",4");
    world.run_s(2);
    let texts = arrived(&world);
    let for_nobody: Vec<bool> = texts.iter().map(|(text, _)| text.for_program).collect();
    assert_eq!(for_nobody, [true, false], "{:?}", world.modem.heard);
    for (_, slots) in texts {
        world.give(ModemInput::TextKept { slots });
    }
    world.run_s(2);
    assert_eq!(world.modem.storage, []);
}
