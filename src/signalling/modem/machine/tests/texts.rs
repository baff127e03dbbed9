use std::time::Duration;

use super::super::super::*;
use super::world::{CALLER, World, number};
use crate::terms::Private;

/// A text of a recording: "hellohello" from +3.. as 3GPP TS 23.040 writes it.
pub(super) const RECEIVED: &str = "07912143658709F1040B918100551512F20000111010214365000AE8329BFD4697D9EC37";

pub(super) fn sent(world: &World) -> Vec<(u64, Result<(), TextFailure>)> {
    let of = |output: ModemOutput| match output {
        ModemOutput::TextSent { id, result } => Some((id, result)),
        _ => None,
    };
    world.wanted().into_iter().filter_map(of).collect()
}

pub(super) fn parts(world: &World) -> Vec<(u64, PartFate)> {
    let of = |output: ModemOutput| match output {
        ModemOutput::TextPart { id, fate, .. } => Some((id, fate)),
        _ => None,
    };
    world.wanted().into_iter().filter_map(of).collect()
}

pub(super) fn arrived(world: &World) -> Vec<(IncomingText, Vec<StorageSlot>)> {
    let of = |output: ModemOutput| match output {
        ModemOutput::TextArrived { text, slots } => Some((text, slots)),
        _ => None,
    };
    world.wanted().into_iter().filter_map(of).collect()
}

#[test]
fn a_text_is_sent_when_no_call_is_on() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.text(7, "We are at 12 Allen Avenue.");
    world.sound(5, 16_000, 16_000);
    assert_eq!(world.modem.count("AT+CMGS"), 0);
    world.far_side_hangs_up();
    world.run_s(2);
    assert_eq!(sent(&world), [(7, Ok(()))]);
    assert_eq!((world.modem.bodies.len(), world.line.health().parts_today), (1, 1));
    assert_eq!(world.modem.broken_rules, [""; 0]);
}

#[test]
fn a_long_text_goes_in_parts_and_counts_them() {
    let mut world = World::ready("generic");
    world.text(1, &"address ".repeat(40));
    world.run_s(5);
    assert_eq!(sent(&world), [(1, Ok(()))]);
    assert_eq!((world.modem.bodies.len(), world.line.health().parts_today), (3, 3));
    assert_eq!(parts(&world), [(1, PartFate::Taken); 3], "each is told, and before the text's own end");
    assert_eq!(parts_of_text(&number(CALLER), &Private::new("address ".repeat(40))), Some(3));
    assert_eq!(parts_of_text(&number(CALLER), &Private::new(String::new())), None);
}

#[test]
fn a_text_whose_parts_have_no_room_today_is_not_begun_and_a_shorter_one_is_sent() {
    // Two parts were sent before the box was started anew.
    let settings = LineSettings { texts_per_day: 4, parts_today: 2, ..LineSettings::default() };
    let mut world = World::new("generic", settings);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.text(1, &"address ".repeat(40));
    world.text(2, "short");
    world.run_s(10);
    assert_eq!(sent(&world), [(1, Err(TextFailure::DailyCeiling)), (2, Ok(()))]);
    assert_eq!((world.modem.bodies.len(), world.line.health().parts_today), (1, 3));
    // What was let in while there was room is not begun when the room is gone.
    world.talks();
    world.text(3, "short");
    world.text(4, "short");
    assert_eq!(sent(&world)[2..], [(4, Err(TextFailure::DailyCeiling))]);
}

#[test]
fn a_text_that_has_begun_keeps_its_room_and_is_finished() {
    let settings = LineSettings { texts_per_day: 3, ..LineSettings::default() };
    let mut world = World::new("generic", settings);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.text(1, &"address ".repeat(40));
    while world.modem.bodies.is_empty() {
        world.run(Duration::from_millis(1));
    }
    world.modem.says_instead("body", "\r\n+CMS ERROR: 42\r\n");
    world.run_s(1);
    assert_eq!((sent(&world), world.line.health().parts_today), (vec![], 1), "what was refused is not billed");
    assert!(world.line.is_texting(), "half of it is on its way");
    world.text(2, "short");
    assert_eq!(sent(&world), [(2, Err(TextFailure::DailyCeiling))], "the room is the first text's");
    world.modem.instead.clear();
    world.run_s(30);
    assert_eq!(sent(&world)[1..], [(1, Ok(()))]);
    assert_eq!(world.line.health().parts_today, 3);
}

#[test]
fn the_waits_between_tries_grow_and_end() {
    let mut world = World::ready("generic");
    world.modem.says_instead("body", "\r\n+CMS ERROR: 42\r\n");
    world.text(1, "one");
    world.run_s(3600);
    let is_try = |output: &ModemOutput| match output {
        ModemOutput::Write(bytes) => bytes.expose().starts_with(b"AT+CMGS"),
        _ => false,
    };
    let tries: Vec<_> = world.seen.iter().filter(|(_, output)| is_try(output)).map(|(at, _)| *at).collect();
    let waits: Vec<u64> = tries.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert!(waits.len() >= 3 && waits.windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert_eq!(sent(&world), [(1, Err(TextFailure::TriedInVain))]);
    assert_eq!(world.line.health().parts_today, 0);
}

#[test]
fn a_part_whose_result_is_lost_is_counted_and_not_sent_again_by_the_line() {
    let mut world = World::ready("generic");
    // The network has it, and says so; only the OK is missing.
    world.modem.says_instead("body", "\r\n+CMGS: 7\r\n");
    world.text(1, "one");
    world.run_s(60);
    assert_eq!((sent(&world), world.modem.bodies.len()), (vec![(1, Ok(()))], 1));
    // The modem says nothing at all.
    world.modem.says_instead("body", "");
    world.text(2, "two");
    world.run_s(3600);
    assert_eq!(sent(&world)[1..], [(2, Err(TextFailure::Unknown))]);
    assert_eq!((world.modem.bodies.len(), world.line.health().parts_today), (2, 2));
    assert_eq!(parts(&world), [(1, PartFate::Taken), (2, PartFate::Unknown)]);
    // Without a prompt nothing was given to it.
    world.modem.instead.clear();
    world.modem.says_instead("AT+CMGS", "");
    world.text(3, "three");
    world.run_s(10);
    world.modem.instead.clear();
    world.run_s(120);
    assert_eq!(sent(&world)[2..], [(3, Ok(()))]);
    assert_eq!((world.modem.bodies.len(), world.line.health().parts_today), (3, 3));
}

#[test]
fn a_part_that_the_network_did_not_acknowledge_in_time_is_counted_and_not_sent_again_by_the_line() {
    let timed_out = "\r\n+CMS ERROR: 332\r\n";
    let mut world = World::ready("generic");
    world.modem.says_instead("body", timed_out);
    world.text(1, "one");
    world.run_s(3600);
    assert_eq!((sent(&world), world.modem.bodies.len()), (vec![(1, Err(TextFailure::Unknown))], 1));
    assert_eq!((parts(&world), world.line.health().parts_today), (vec![(1, PartFate::Unknown)], 1));
    // Before the modem had it nothing can have gone out.
    world.modem.instead.clear();
    world.modem.says_instead("AT+CMGS", timed_out);
    world.text(2, "two");
    world.run_s(5);
    world.modem.instead.clear();
    world.run_s(60);
    assert_eq!((sent(&world)[1..].to_vec(), world.modem.bodies.len()), (vec![(2, Ok(()))], 2));
}

#[test]
fn a_sim_that_needs_somebody_is_no_refusal_for_good() {
    let mut world = World::ready("generic");
    world.modem.says_instead("body", "\r\n+CMS ERROR: 330\r\n");
    world.text(1, "one");
    world.run_s(5);
    assert_eq!(sent(&world), [(1, Err(TextFailure::NeedsOwner(330)))]);
}

#[test]
fn a_modem_that_goes_gives_back_what_it_has_not_begun_and_what_it_has_is_not_known() {
    let mut world = World::ready("generic");
    world.modem.says_instead("body", "");
    world.text(1, "one");
    world.text(2, "two");
    world.run_s(1);
    assert!(world.line.is_texting());
    // The line stops: what waits is told at once, and what is under way has its time.
    world.give(ModemInput::Leave);
    assert_eq!(sent(&world), [(2, Err(TextFailure::ModemGone))]);
    world.give(ModemInput::PortGone);
    assert_eq!(sent(&world)[1..], [(1, Err(TextFailure::Unknown))]);
    assert!(!world.line.is_texting());
    // One that waits when the port goes is given back as well.
    world.modem.instead.clear();
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.talks();
    world.text(3, "three");
    world.give(ModemInput::PortGone);
    assert_eq!(sent(&world)[2..], [(3, Err(TextFailure::ModemGone))]);
}

#[test]
fn what_may_pass_is_tried_again_and_what_does_not_is_given_up() {
    let mut world = World::ready("generic");
    world.modem.says_instead("body", "\r\n+CMS ERROR: 38\r\n");
    world.text(1, "one");
    world.run_s(10);
    assert_eq!((sent(&world), world.modem.bodies.len()), (vec![], 1));
    world.modem.instead.clear();
    world.run_s(20);
    assert_eq!(sent(&world), [(1, Ok(()))]);
    world.modem.says_instead("body", "\r\n+CMS ERROR: 21\r\n");
    world.text(2, "two");
    world.run_s(5);
    assert_eq!(sent(&world)[1], (2, Err(TextFailure::Refused(21))));
    world.modem.says_instead("body", "\r\n+CMS ERROR: 500\r\n");
    world.text(3, "three");
    world.run_s(3600);
    assert_eq!(sent(&world)[2], (3, Err(TextFailure::TriedInVain)));
}

#[test]
fn a_modem_that_sits_at_its_prompt_is_freed_by_an_escape() {
    let mut world = World::ready("generic");
    world.modem.says_instead("body", "");
    world.text(1, "one");
    world.run_s(45);
    world.modem.instead.clear();
    world.run_s(60);
    // Whether the network has the first one only the modem knows, and it does not say.
    world.text(2, "two");
    world.run_s(5);
    assert_eq!(sent(&world), [(1, Err(TextFailure::Unknown)), (2, Ok(()))]);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_day_has_a_ceiling_and_the_next_day_a_new_one() {
    let settings = LineSettings { texts_per_day: 2, ..LineSettings::default() };
    let mut world = World::new("generic", settings);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    for id in 1..=3 {
        world.text(id, "short");
    }
    world.run_s(10);
    let mut results = sent(&world);
    results.sort_by_key(|(id, _)| *id);
    assert_eq!(results, [(1, Ok(())), (2, Ok(())), (3, Err(TextFailure::DailyCeiling))]);
    world.give(ModemInput::Day(1));
    world.text(4, "short");
    world.run_s(10);
    assert_eq!(sent(&world).last(), Some(&(4, Ok(()))));
}

#[test]
fn a_report_tells_of_the_part_that_the_network_had_in_this_run_or_in_one_before() {
    let mut world = World::ready("generic");
    // A report for reference 1 to +2348031234567, status 0 (3GPP TS 23.040 section 9.2.2.3).
    let report = "0006010D91328430214365F7112032214365001120322143650000";
    world.text(9, "short");
    world.run_s(5);
    world.modem.storage.push((4, report.to_owned()));
    world.says("+CDSI: \"SM\",4");
    world.run_s(2);
    let taken = Some(TakenPart { reference: 1, to: number(CALLER), parts: 1 });
    assert!(world.has(&ModemOutput::TextPart { id: 9, fate: PartFate::Taken, taken }), "{:?}", world.wanted());
    let told = TextReport { reference: 1, to: Some(number(CALLER)), delivery: Delivery::Delivered };
    assert!(world.has(&ModemOutput::TextReported(told.clone())), "{:?}", world.wanted());
    assert_eq!(world.modem.storage, []);
    let mut world = World::ready("generic");
    world.modem.storage.push((4, report.to_owned()));
    world.says("+CDSI: \"SM\",4");
    world.run_s(2);
    assert!(world.has(&ModemOutput::TextReported(told)), "{:?}", world.wanted());
}

#[test]
fn a_text_that_came_is_deleted_only_after_it_is_kept() {
    let mut world = World::ready("generic");
    world.modem.storage.push((3, RECEIVED.to_owned()));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    let texts = arrived(&world);
    assert_eq!(texts.len(), 1);
    assert_eq!(texts[0].0.text, Private::new("hellohello".to_owned()));
    assert_eq!(texts[0].1, [StorageSlot::chosen(3)]);
    world.run_s(300);
    assert_eq!((arrived(&world).len(), world.modem.count("AT+CMGD")), (1, 0));
    world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
    world.run_s(2);
    assert_eq!(world.modem.storage, []);
}

#[test]
fn a_text_that_could_not_be_kept_is_told_again_by_the_next_sweep() {
    let mut world = World::ready("generic");
    world.modem.storage.push((3, RECEIVED.to_owned()));
    world.says("+CMTI: \"SM\",3");
    world.run_s(2);
    let first = arrived(&world);
    world.give(ModemInput::TextNotKept { slots: first[0].1.clone() });
    world.run_s(61);
    assert_eq!(arrived(&world), [first[0].clone(), first[0].clone()]);
    world.give(ModemInput::TextKept { slots: first[0].1.clone() });
    world.run_s(120);
    assert_eq!((arrived(&world).len(), world.modem.storage.len()), (2, 0));
}

/// A text of eight-bit characters, with these octets.
fn of_octets(octets: &[u8]) -> String {
    let figures: String = octets.iter().map(|octet| format!("{octet:02X}")).collect();
    format!("07912143658709F1040B918100551512F200041110102143650 0{:02X}{figures}", octets.len()).replace(' ', "")
}

#[test]
fn eight_bit_characters_are_text_and_other_octets_are_shown_as_figures() {
    let mut world = World::ready("generic");
    world.modem.storage.push((1, of_octets(b"Oui, \xE0 10 h")));
    world.modem.storage.push((2, of_octets(&[0, 1, 0xFF])));
    world.run_s(61);
    let texts: Vec<String> = arrived(&world).into_iter().map(|(text, _)| text.text.into_exposed()).collect();
    assert_eq!(texts.len(), 2);
    assert_eq!(texts[0], "Oui, à 10 h");
    assert!(texts[1].ends_with("0001FF"), "{}", texts[1]);
}

#[test]
fn what_cannot_be_read_is_kept_as_it_came_when_it_comes_so_twice_and_then_deleted() {
    let mut world = World::ready("generic");
    let cut = RECEIVED[..34].to_owned();
    world.modem.storage.push((5, cut.clone()));
    world.says("+CMTI: \"SM\",5");
    world.run_s(2);
    assert_eq!(arrived(&world), [], "it may have been garbled on its way");
    world.run_s(180);
    let texts = arrived(&world);
    assert_eq!(texts.len(), 1);
    assert!(texts[0].0.text.expose().contains(&cut) && texts[0].0.from == TextSender::Unknown);
    assert_eq!((world.line.health().counters.unreadable_texts, world.modem.count("AT+CMGD")), (1, 0));
    world.give(ModemInput::TextKept { slots: texts[0].1.clone() });
    world.run_s(2);
    assert_eq!(world.modem.storage, []);
}

#[test]
fn a_text_that_no_row_told_of_is_found_by_a_sweep() {
    let mut world = World::ready("generic");
    world.modem.storage.push((11, RECEIVED.to_owned()));
    world.run_s(61);
    assert_eq!(arrived(&world).len(), 1);
    // Rows without a place, as some modems say them.
    world.modem.storage.push((12, RECEIVED.replace("E8329BFD4697D9EC37", "C8329BFD4697D9EC37")));
    world.says("+CMTI: ,-1");
    world.run_s(2);
    assert_eq!(arrived(&world).len(), 2);
}

#[test]
fn a_code_is_answered_and_a_menu_is_gone_through() {
    let mut world = World::ready("generic");
    let code = |text: &str| Private::new(text.to_owned());
    world.give(ModemInput::Ussd { id: 5, code: code("*310#") });
    world.run_s(3);
    assert_eq!(world.modem.count("AT+CUSD=1,\"*310#\",15"), 1);
    world.says("+CUSD: 1,\"1. Airtime\n2. Data\",15");
    let menu = UssdReply { text: code("1. Airtime\n2. Data"), then: UssdThen::AwaitsAnswer };
    assert!(world.has(&ModemOutput::UssdSaid { id: 5, result: Ok(menu) }), "{:?}", world.wanted());
    world.give(ModemInput::UssdAnswer { id: 5, text: code("1") });
    world.run_s(3);
    world.says("+CUSD: 0,\"Balance: N250.00\",15");
    world.run_s(1);
    let over = UssdReply { text: code("Balance: N250.00"), then: UssdThen::Over };
    assert!(world.has(&ModemOutput::UssdSaid { id: 5, result: Ok(over) }), "{:?}", world.wanted());
    assert!(world.line.support_rows().iter().all(|row| !row.text.contains("250")));
    world.give(ModemInput::UssdAnswer { id: 5, text: code("1") });
    assert!(world.has(&ModemOutput::UssdSaid { id: 5, result: Err(UssdFailure::NotOpen) }));
}

#[test]
fn a_code_that_nobody_answers_ends_in_its_time_and_one_that_waits_is_never_sent_in_a_call() {
    let mut world = World::ready("generic");
    world.give(ModemInput::Ussd { id: 1, code: Private::new("*310#".to_owned()) });
    world.run_s(47);
    assert!(world.has(&ModemOutput::UssdSaid { id: 1, result: Err(UssdFailure::TimedOut) }));
    world.rings();
    world.give(ModemInput::Ussd { id: 2, code: Private::new("*310#".to_owned()) });
    world.run_s(5);
    assert_eq!(world.modem.count("AT+CUSD=1"), 1);
    world.give(ModemInput::UssdCancel { id: 2 });
    assert!(world.has(&ModemOutput::UssdSaid { id: 2, result: Err(UssdFailure::Cancelled) }));
}

/// A code whose character set is set when a call comes in between.
fn code_behind_a_call(world: &mut World, id: u64) {
    world.give(ModemInput::Ussd { id, code: Private::new("*321*4711#".to_owned()) });
    world.rings();
    assert_eq!(world.modem.count("AT+CUSD=1"), 0, "{:?}", world.modem.heard);
}

fn code_results(world: &World, of: u64) -> Vec<Result<UssdReply, UssdFailure>> {
    let is_its = |output: ModemOutput| match output {
        ModemOutput::UssdSaid { id, result } if id == of => Some(result),
        _ => None,
    };
    world.wanted().into_iter().filter_map(is_its).collect()
}

#[test]
fn a_code_that_was_cancelled_before_the_modem_had_it_is_never_sent() {
    let mut world = World::ready("generic");
    code_behind_a_call(&mut world, 1);
    world.give(ModemInput::UssdCancel { id: 1 });
    assert_eq!(code_results(&world, 1), [Err(UssdFailure::Cancelled)]);
    world.far_side_hangs_up();
    world.run_s(120);
    assert_eq!(world.modem.count("AT+CUSD=1"), 0, "{:?}", world.modem.heard);
}

#[test]
fn the_networks_time_for_a_code_begins_when_the_modem_has_it_and_what_came_before_is_no_answer() {
    let mut world = World::ready("generic");
    code_behind_a_call(&mut world, 1);
    world.give(ModemInput::Answer);
    world.sound(60, 16_000, 16_000);
    assert_eq!(code_results(&world, 1), [], "nobody was asked yet");
    world.says("+CUSD: 0,\"A call costs N11.00\",15");
    world.far_side_hangs_up();
    while world.modem.count("AT+CUSD=1") == 0 {
        world.run(Duration::from_millis(10));
    }
    assert_eq!(code_results(&world, 1), []);
    world.run_s(44);
    assert_eq!(code_results(&world, 1), []);
    world.run_s(2);
    assert_eq!(code_results(&world, 1), [Err(UssdFailure::TimedOut)]);
    world.run_s(120);
    assert_eq!(world.modem.count("AT+CUSD=1"), 1);
}

#[test]
fn a_menu_is_not_answered_during_a_call_nor_after_it() {
    let mut world = World::ready("generic");
    world.give(ModemInput::Ussd { id: 1, code: Private::new("*310#".to_owned()) });
    world.run_s(1);
    world.says("+CUSD: 1,\"1. Airtime\n2. Data\",15");
    world.talks();
    world.give(ModemInput::UssdAnswer { id: 1, text: Private::new("1".to_owned()) });
    assert_eq!(code_results(&world, 1)[1..], [Err(UssdFailure::Cancelled), Err(UssdFailure::NotOpen)]);
    world.far_side_hangs_up();
    world.run_s(200);
    assert_eq!(world.modem.count("AT+CUSD=1"), 1, "{:?}", world.modem.heard);
}

pub(super) fn watching_airtime() -> World {
    let operators = std::sync::Arc::new(airtime::Operators::delivered().expect("the delivered file"));
    let plan = airtime::AirtimePlan::default();
    let settings = LineSettings {
        airtime: Some(AirtimeSettings { plan, operators, readings: Vec::new() }),
        clock: "2026-11-26T09:00:00Z".parse().expect("a time"),
        day: 20_783,
        ..LineSettings::default()
    };
    let mut world = World::new("generic", settings);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.modem.count("AT+CUSD=1,\"*310#\",15"), 1, "{:?}", world.modem.heard);
    world
}

#[test]
fn a_balance_above_a_menu_is_read_and_the_menu_is_left() {
    let mut world = watching_airtime();
    world.modem.heard.clear();
    world.says("+CUSD: 1,\"Main balance: N3000.00\n1. Data\n2. Talk\",15");
    world.run_s(1);
    assert_eq!(world.line.health().airtime.map(|forecast| forecast.airtime), Some(airtime::Kobo(300_000)));
    assert_eq!((world.modem.count("AT+CUSD=1"), world.modem.count("AT+CUSD=2")), (0, 1));
}

#[test]
fn airtime_is_asked_by_schedule_and_told_when_it_runs_out() {
    let mut world = watching_airtime();
    world.says("+CUSD: 0,\"Your main balance is N12.50\",15");
    world.run_s(1);
    let read = world.wanted().into_iter().find_map(|output| match output {
        ModemOutput::AirtimeRead { airtime, .. } => airtime,
        _ => None,
    });
    assert_eq!(read, Some(airtime::Kobo(1250)));
    assert!(world.wanted().iter().any(|o| matches!(o, ModemOutput::AirtimeWarned(_))));
    assert_eq!(world.line.health().airtime.map(|forecast| forecast.airtime), Some(airtime::Kobo(1250)));
}

#[test]
fn an_amount_in_an_answer_about_data_is_no_airtime() {
    let mut world = watching_airtime();
    world.says("+CUSD: 0,\"Your main balance is N120.50\",15");
    while world.modem.count("AT+CUSD=1,\"*323#\",15") == 0 {
        world.run_s(1);
    }
    world.says("+CUSD: 0,\"Data balance: 1.5GB. Balance: N9.00\",15");
    world.run_s(1);
    let of = |output: ModemOutput| match output {
        ModemOutput::AirtimeRead { airtime, .. } => airtime,
        _ => None,
    };
    let read: Vec<airtime::Kobo> = world.wanted().into_iter().filter_map(of).collect();
    assert_eq!(read, [airtime::Kobo(12_050)]);
}

fn airtime_settings() -> LineSettings {
    let operators = std::sync::Arc::new(airtime::Operators::delivered().expect("the delivered file"));
    let plan = airtime::AirtimePlan::default();
    LineSettings {
        airtime: Some(AirtimeSettings { plan, operators, readings: Vec::new() }),
        clock: "2026-11-26T09:00:00Z".parse().expect("a time"),
        day: 20_783,
        ..LineSettings::default()
    }
}

#[test]
fn a_sim_is_not_credited_with_the_airtime_of_the_one_before() {
    let known = "89234010000012345678";
    let before = |known_iccid: &str| {
        let settings = airtime_settings();
        let at = "2026-11-26T08:00:00Z".parse().expect("a time");
        let airtime = settings.airtime.map(|a| AirtimeSettings { readings: vec![(at, airtime::Kobo(77_000))], ..a });
        LineSettings { airtime, known_iccid: Some(Private::new(known_iccid.to_owned())), ..settings }
    };
    let shown = |settings, iccid: &str| {
        let mut world = World::new("generic", settings);
        world.modem.says_instead("AT+CCID", iccid);
        // The network knows no code, so that nothing new is read.
        world.modem.says_instead("AT+CUSD", "\r\nERROR\r\n");
        world.give(ModemInput::PortOpened);
        world.run_s(900);
        world.line.health().airtime.map(|forecast| forecast.airtime)
    };
    let told = format!("\r\n{known}\r\n\r\nOK\r\n");
    assert_eq!(shown(before(known), &told), Some(airtime::Kobo(77_000)));
    assert_eq!(shown(before("89234010000099999999"), &told), None);
    // Which SIM this one is nobody can say.
    assert_eq!(shown(before(known), "\r\nERROR\r\n"), None);
}

fn warned(world: &World) -> Vec<airtime::Reason> {
    let of = |output: ModemOutput| match output {
        ModemOutput::AirtimeWarned(warning) => Some(warning.reason),
        _ => None,
    };
    world.wanted().into_iter().filter_map(of).collect()
}

#[test]
fn airtime_is_asked_by_a_line_with_something_wrong_as_well() {
    let mut world = World::new("generic", airtime_settings());
    world.modem.says_instead("AT+CLIP=1", "\r\nERROR\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::SetUp));
    assert_eq!(world.modem.count("AT+CUSD=1,\"*310#\",15"), 1, "{:?}", world.modem.heard);
}

#[test]
fn airtime_that_could_never_be_asked_for_a_week_is_told() {
    let mut world = World::new("generic", airtime_settings());
    // Of whose network the SIM is it does not say, so no code is known.
    world.modem.says_instead("AT+CIMI", "\r\nERROR\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(3600);
    assert_eq!((world.line.state(), warned(&world)), (ModemState::Ready, vec![]));
    for _ in 0..7 {
        world.run_s(24 * 3600);
    }
    assert_eq!(warned(&world), [airtime::Reason::Unknown]);
    assert_eq!(world.modem.count("AT+CUSD=1"), 0);
}

#[test]
fn half_a_text_is_given_back_when_its_modem_stays_away() {
    let mut world = World::ready("generic");
    world.text(1, &"address ".repeat(40));
    while world.line.health().parts_today == 0 {
        world.run(Duration::from_millis(1));
    }
    world.give(ModemInput::PortGone);
    let sent_before = sent(&world);
    // What of it the modem had not answered is unknown at once.
    if sent_before.is_empty() {
        world.run_s(9 * 60);
        assert!(sent(&world).is_empty() && world.line.is_texting());
        world.run_s(61);
    }
    assert_eq!(sent(&world), [(1, Err(TextFailure::Unknown))]);
    assert!(!world.line.is_texting());
    // A modem that is back in time finishes it.
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.modem.says_instead("body", "\r\n+CMS ERROR: 42\r\n");
    world.text(2, "short");
    world.run_s(1);
    world.modem.instead.clear();
    world.run_s(1200);
    assert_eq!(sent(&world)[1..], [(2, Ok(()))]);
}

#[test]
fn nothing_of_one_sim_is_deleted_on_another_or_read_as_its_own() {
    let half = sms_part(1);
    // Texts of these are on the SIM.
    let mut world = World::new("simcom_sim800", airtime_settings());
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.says("+CUSD: 0,\"Your main balance is N12.50\",15");
    world.modem.storage = vec![(3, RECEIVED.to_owned()), (4, half)];
    world.says("+CMTI: \"SM\",3");
    world.says("+CMTI: \"SM\",4");
    world.run_s(5);
    assert_eq!(arrived(&world).len(), 1, "half a text waits");
    assert!(world.line.health().airtime.is_some());
    // Another SIM comes in while what is kept waits to be deleted.
    world.modem.sim = "+CME ERROR: 10";
    world.says("+CPIN: NOT INSERTED");
    world.give(ModemInput::TextKept { slots: vec![StorageSlot::chosen(3)] });
    world.modem.heard.clear();
    world.modem.storage.clear();
    world.modem.sim = "READY";
    world.modem.says_instead("AT+CCID", "\r\n89234010000099999999\r\n\r\nOK\r\n");
    world.run_s(60);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.modem.count("AT+CMGD"), 0, "{:?}", world.modem.heard);
    let arrived = arrived(&world);
    assert_eq!(arrived.len(), 2);
    assert_eq!((arrived[1].0.missing_parts, arrived[1].1.len()), (1, 0));
    assert_eq!(world.line.health().airtime, None);
    assert_eq!(world.modem.count("AT+CUSD=1,\"*310#\",15"), 1, "the new one's is asked at once");
}

#[test]
fn the_same_sim_that_comes_back_has_its_places_emptied() {
    let mut world = World::ready("simcom_sim800");
    world.modem.storage = vec![(3, RECEIVED.to_owned())];
    world.says("+CMTI: \"SM\",3");
    world.run_s(5);
    world.modem.sim = "+CME ERROR: 10";
    world.says("+CPIN: NOT INSERTED");
    world.give(ModemInput::TextKept { slots: vec![StorageSlot::chosen(3)] });
    world.modem.sim = "READY";
    world.run_s(60);
    assert_eq!((world.modem.count("AT+CMGD=3"), world.modem.storage.len()), (1, 0));
}

/// The `n`th of two parts of a text, "hi" in UCS-2.
pub(super) fn sms_part(n: u8) -> String {
    format!("07912143658709F1440B918100551512F20008111010214365000A05000307020{n}00680069")
}

#[test]
fn a_row_by_hand_is_answered_and_a_dangerous_one_refused() {
    let mut world = World::ready("generic");
    let hand = |world: &mut World, id: u64, row: &str, force: Force| {
        world.give(ModemInput::Command { id, row: row.to_owned(), force });
        world.run_s(1);
        world.wanted().into_iter().find_map(|output| match output {
            ModemOutput::CommandAnswered { id: answered, result } if answered == id => {
                Some(result.map(Private::into_exposed))
            }
            _ => None,
        })
    };
    assert_eq!(hand(&mut world, 1, "AT+CSQ", Force::No), Some(Ok("+CSQ: 24,99\nOK".to_owned())));
    assert!(matches!(hand(&mut world, 2, "ATD112;", Force::No), Some(Err(CommandFailure::Dangerous(_)))));
    assert_eq!(world.modem.count("ATD"), 0);
    assert!(matches!(hand(&mut world, 3, "AT+CFUN=1,1", Force::Yes), Some(Ok(_))));
    for row in ["CSQ", "AT\rATD112;", ""] {
        assert_eq!(hand(&mut world, 4, row, Force::Yes), Some(Err(CommandFailure::NotACommand)));
        world.seen.clear();
    }
    world.talks();
    assert_eq!(hand(&mut world, 5, "AT+CSQ", Force::No), Some(Err(CommandFailure::CallRunning)));
}
