use std::time::Duration;

use super::super::super::*;
use super::world::World;
use crate::terms::Private;

fn charsets(world: &World) -> Vec<&String> {
    world.modem.heard.iter().filter(|row| row.starts_with("AT+CSCS=") || row.starts_with("AT+CUSD=1")).collect()
}

fn ask(world: &mut World, id: u64) {
    world.give(ModemInput::Ussd { id, code: Private::new("*310#".to_owned()) });
    world.run_s(1);
}

/// What was told to whoever asked a code.
fn results(world: &World, of: u64) -> Vec<Result<UssdReply, UssdFailure>> {
    let is_its = |output: ModemOutput| match output {
        ModemOutput::UssdSaid { id, result } if id == of => Some(result),
        _ => None,
    };
    world.wanted().into_iter().filter_map(is_its).collect()
}

const CODE: &str = "AT+CUSD=1,\"002A0033003100300023\",15";
const BALANCE: &str = "+CUSD: 0,\"00420061006C003A0020004E00350030002E00300030\",72";

#[test]
fn the_modem_writes_as_before_once_a_code_is_answered() {
    let mut world = World::ready("quectel_ec2x");
    // It writes names in figures as long as its characters are UCS-2.
    let operator = |world: &World| world.line.health().operator;
    ask(&mut world, 1);
    assert_eq!(charsets(&world), ["AT+CSCS=\"UCS2\"", CODE]);
    world.modem.says_instead("AT+COPS?", "\r\n+COPS: 0,0,\"004D0054004E0020004E0047\",7\r\n\r\nOK\r\n");
    world.run_s(40);
    assert_eq!(operator(&world).as_deref(), Some("MTN NG"), "nothing with a name is asked meanwhile");
    world.says(BALANCE);
    world.run_s(1);
    assert_eq!(charsets(&world), ["AT+CSCS=\"UCS2\"", CODE, "AT+CSCS=\"GSM\""]);
    world.modem.instead.clear();
    world.run_s(70);
    assert_eq!(operator(&world).as_deref(), Some("MTN NG"));
    // Each code anew, and one that nobody answers too.
    ask(&mut world, 2);
    world.run_s(50);
    assert_eq!(charsets(&world)[3..], ["AT+CSCS=\"UCS2\"", CODE, "AT+CSCS=\"GSM\""]);
}

#[test]
fn a_menu_that_waits_for_its_reader_leaves_the_modem_as_it_was() {
    let mut world = World::ready("quectel_ec2x");
    ask(&mut world, 1);
    world.says(&BALANCE.replace("+CUSD: 0", "+CUSD: 1"));
    world.run_s(1);
    assert_eq!(charsets(&world), ["AT+CSCS=\"UCS2\"", CODE, "AT+CSCS=\"GSM\""]);
    world.give(ModemInput::UssdAnswer { id: 1, text: Private::new("1".to_owned()) });
    world.run_s(1);
    assert_eq!(charsets(&world)[3..], ["AT+CSCS=\"UCS2\"", "AT+CUSD=1,\"0031\",15"]);
    world.give(ModemInput::UssdCancel { id: 1 });
    world.run_s(1);
    assert_eq!(charsets(&world)[5..], ["AT+CSCS=\"GSM\""]);
}

#[test]
fn a_modem_that_refuses_the_characters_is_asked_in_others() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CSCS=\"UCS2\"", "\r\n+CME ERROR: 4\r\n");
    ask(&mut world, 1);
    // Never the figures without the characters that they are of.
    assert_eq!(charsets(&world), ["AT+CSCS=\"UCS2\"", "AT+CSCS=\"GSM\"", "AT+CUSD=1,\"*310#\",15"]);
}

#[test]
fn a_code_that_may_have_gone_out_is_not_sent_again_in_another_writing() {
    for (error, sent) in [
        ("+CME ERROR: 31", 1),
        ("+CME ERROR: network timeout", 1),
        ("+CME ERROR: 30", 1),
        ("+CME ERROR: 14", 1),
        ("+CME ERROR: 100", 1),
        ("ERROR", 5),
        ("+CME ERROR: 50", 5),
        ("+CME ERROR: Incorrect parameters", 5),
    ] {
        let mut world = World::ready("quectel_ec2x");
        world.modem.says_instead("AT+CUSD=1", &format!("\r\n{error}\r\n"));
        ask(&mut world, 1);
        assert_eq!(world.modem.count("AT+CUSD=1"), sent, "{error}: {:?}", world.modem.heard);
        assert_eq!(results(&world, 1), [Err(UssdFailure::Refused)], "{error}");
    }
}

#[test]
fn a_code_whose_writing_the_network_does_not_support_is_written_in_the_next_way() {
    // The result comes before that is said, or behind it.
    for behind in [None, Some("\r\n+CUSD: 4\r\n\r\nERROR\r\n")] {
        let mut world = World::ready("quectel_ec2x");
        match behind {
            Some(answer) => {
                world.modem.says_instead(CODE, answer);
                ask(&mut world, 1);
            }
            None => {
                ask(&mut world, 1);
                world.says("+CUSD: 4");
                world.run_s(1);
            }
        }
        let asked = ["AT+CSCS=\"UCS2\"", CODE, "AT+CSCS=\"GSM\"", "AT+CUSD=1,\"*310#\",15"];
        assert_eq!(charsets(&world), asked, "{behind:?}");
        world.says("+CUSD: 0,\"Bal: N50.00\",15");
        world.run_s(1);
        let reply = UssdReply { text: Private::new("Bal: N50.00".to_owned()), then: UssdThen::Over };
        assert_eq!(results(&world, 1), [Ok(reply)], "{behind:?}");
        assert_eq!(world.line.health().ussd_way.map(|way| way.name()).as_deref(), Some("plain-15"));
    }
}

#[test]
fn a_code_that_the_network_supports_in_no_writing_ends_when_all_were_tried() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CUSD=1", "\r\nOK\r\n\r\n+CUSD: 4\r\n");
    ask(&mut world, 1);
    world.run_s(5);
    assert_eq!(world.modem.count("AT+CUSD=1"), 5, "{:?}", world.modem.heard);
    assert_eq!(results(&world, 1), [Err(UssdFailure::NotSupported)]);
}

#[test]
fn a_way_that_has_worked_in_this_modem_is_not_left_for_an_error() {
    let mut world = World::ready("quectel_ec2x");
    ask(&mut world, 1);
    world.says(BALANCE);
    world.run_s(1);
    let known = world.line.health().ussd_way;
    assert!(known.is_some());
    world.modem.says_instead("AT+CUSD=1", "\r\nERROR\r\n");
    ask(&mut world, 2);
    assert_eq!(world.modem.count("AT+CUSD=1"), 2, "{:?}", world.modem.heard);
    assert_eq!(results(&world, 2), [Err(UssdFailure::Refused)]);
    assert_eq!(world.line.health().ussd_way, known);
}

#[test]
fn a_modem_that_gives_the_result_behind_the_networks_answer_has_the_networks_time() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CUSD=1", "");
    ask(&mut world, 1);
    world.run_s(20);
    assert_eq!(results(&world, 1), [], "{:#?}", world.line.support_rows());
    world.says(&format!("{BALANCE}\nOK"));
    world.run_s(10);
    let reply = UssdReply { text: Private::new("Bal: N50.00".to_owned()), then: UssdThen::Over };
    assert_eq!(results(&world, 1), [Ok(reply)]);
    assert_eq!((world.line.health().counters.timeouts, world.resets()), (0, vec![]));
}

#[test]
fn a_result_that_does_not_follow_the_networks_answer_is_not_waited_for_as_long() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CUSD=1", "");
    ask(&mut world, 1);
    world.says(BALANCE);
    world.run_s(4);
    assert_eq!(world.line.health().counters.timeouts, 0);
    world.run_s(4);
    let counters = world.line.health().counters;
    assert_eq!((counters.timeouts, counters.resynchronised), (1, 1));
    assert!(results(&world, 1)[0].is_ok());
    assert_eq!((world.line.state(), world.resets()), (ModemState::Ready, vec![]));
}

fn code_rows(world: &World) -> Vec<&String> {
    world.modem.heard.iter().filter(|row| row.starts_with("AT+CUSD")).collect()
}

#[test]
fn a_menu_that_was_open_when_the_port_went_is_ended_before_the_next_code() {
    let mut world = World::ready("quectel_ec2x");
    ask(&mut world, 1);
    world.says(&BALANCE.replace("+CUSD: 0", "+CUSD: 1"));
    world.run_s(1);
    world.give(ModemInput::PortGone);
    world.modem.heard.clear();
    world.modem.says_instead("AT+CUSD=2", "\r\n+CME ERROR: 4\r\n");
    world.give(ModemInput::PortOpened);
    ask(&mut world, 2);
    world.run_s(30);
    // That there was nothing to end is no trouble.
    assert_eq!(code_rows(&world), ["AT+CUSD=2", CODE], "{:#?}", world.modem.heard);
    world.says(BALANCE);
    world.run_s(10);
    assert!(results(&world, 2)[0].is_ok());
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_line_that_stops_ends_the_menu_that_is_open_and_begins_no_other_code() {
    let mut world = World::ready("quectel_ec2x");
    ask(&mut world, 1);
    world.says(&BALANCE.replace("+CUSD: 0", "+CUSD: 1"));
    world.run_s(1);
    ask(&mut world, 2);
    assert_eq!(results(&world, 2), [], "it waits for the menu's end");
    world.modem.heard.clear();
    world.give(ModemInput::Leave);
    assert_eq!(results(&world, 1).last(), Some(&Err(UssdFailure::ModemGone)));
    assert_eq!(results(&world, 2), [Err(UssdFailure::ModemGone)]);
    assert!(world.line.is_ending_code());
    world.run_s(1);
    assert!(!world.line.is_ending_code());
    assert_eq!(code_rows(&world), ["AT+CUSD=2"], "{:#?}", world.modem.heard);
}

#[test]
fn a_network_that_asks_on_and_on_before_a_code_goes_out_is_answered_once() {
    let mut world = World::ready("quectel_ec2x");
    world.give(ModemInput::Ussd { id: 1, code: Private::new("*310#".to_owned()) });
    // A call comes between the characters and the code.
    world.rings();
    assert_eq!(charsets(&world), ["AT+CSCS=\"UCS2\""]);
    for _ in 0..5_000 {
        world.says("+CUSD: 1,\"0041\",72");
    }
    world.modem.heard.clear();
    world.far_side_hangs_up();
    world.run_s(5);
    assert_eq!(code_rows(&world), ["AT+CUSD=2", CODE], "{:#?}", world.modem.heard);
}

#[test]
fn septets_that_a_modem_left_as_they_are_reach_whoever_asked_as_characters() {
    for piece in [usize::MAX, 1] {
        let mut world = World::ready("quectel_ec2x");
        world.piece = piece;
        ask(&mut world, 1);
        world.bytes(b"\r\n+CUSD: 0,\"Mail help\x00mtn.ng, bit.ly/my\x11mtn, \x1be5\",15\r\n");
        world.run_s(1);
        let said = world.wanted().into_iter().find_map(|output| match output {
            ModemOutput::UssdSaid { id: 1, result: Ok(reply) } => Some(reply.text.into_exposed()),
            _ => None,
        });
        assert_eq!(said.as_deref(), Some("Mail help@mtn.ng, bit.ly/my_mtn, €5"));
        assert_eq!(world.line.health().counters.garbage_bytes, 0);
    }
}

#[test]
fn a_caller_does_not_wait_for_the_result_of_a_code() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CUSD=1", "");
    ask(&mut world, 1);
    world.run_s(2);
    world.rings();
    world.give(ModemInput::Answer);
    world.run_s(12);
    assert_eq!((world.modem.count("ATA"), world.line.state()), (1, ModemState::Active), "{:?}", world.modem.heard);
}

/// A line whose operator answers the question about data by menus, before the first of them.
fn asking_for_data(steps: &str) -> World {
    let file = format!(
        "[country.ng]\nmcc = [\"621\"]\ncurrency = \"NGN\"\n[country.ng.codes]\nbalance = \"*310#\"\ndata = \"*323#\"\n\
         [[operator]]\nid = \"mtn-ng\"\nplmn = [\"62130\"]\nnames = []\n\
         [operator.codes]\ndata = {{ code = \"*131#\", steps = [{steps}] }}\n"
    );
    let operators = std::sync::Arc::new(airtime::Operators::parse(&file).expect("the file is sound"));
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
    world.says("+CUSD: 0,\"Your main balance is N120.50\",15");
    for _ in 0..300 {
        if world.modem.count("AT+CUSD=1,\"*131#\",15") > 0 {
            world.modem.heard.clear();
            return world;
        }
        world.run_s(1);
    }
    panic!("the data is not asked for: {:?}", world.modem.heard);
}

const MENU_OF_DATA: &str = "+CUSD: 1,\"1. Data balance\n2. Buy data\",15";

fn at_the_menu_of_data(steps: &str) -> World {
    let mut world = asking_for_data(steps);
    world.says(MENU_OF_DATA);
    world
}

/// Gives the modem a row that it does not answer: what comes next waits.
fn keep_busy(world: &mut World) {
    world.modem.says_instead("AT+CGMR", "");
    world.give(ModemInput::Command { id: 90, row: "AT+CGMR".to_owned(), force: Force::No });
    world.run(Duration::from_millis(100));
    assert_eq!(world.modem.heard.last().map(String::as_str), Some("AT+CGMR"));
}

/// Somebody rings for ten seconds, and nothing is said for ten more.
fn a_call_comes_and_goes(world: &mut World) {
    world.rings();
    world.modem.instead.clear();
    world.run_s(10);
    assert_eq!(world.line.state(), ModemState::Ringing);
    world.far_side_hangs_up();
    world.run_s(10);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_schedule_goes_through_the_menus_that_it_was_told_and_no_further() {
    let mut world = at_the_menu_of_data("\"1\", \"3\"");
    world.run_s(1);
    assert_eq!(code_rows(&world), ["AT+CUSD=1,\"1\",15"]);
    world.says("+CUSD: 1,\"1. Bonus\n3. All\",15");
    world.run_s(1);
    assert_eq!(code_rows(&world)[1..], ["AT+CUSD=1,\"3\",15"]);
    // It says what was asked for, and would go on.
    world.says("+CUSD: 1,\"Data balance: 1.5GB.\n1. Buy data\",15");
    world.run_s(1);
    assert_eq!(code_rows(&world)[2..], ["AT+CUSD=2"]);
    assert_eq!(world.line.health().data, Some(airtime::Volume(3 << 29)));
    world.run_s(600);
    assert_eq!(code_rows(&world).len(), 3, "it is left at that: {:?}", world.modem.heard);
}

#[test]
fn a_network_that_answers_before_the_last_step_of_a_schedule_has_answered() {
    let mut world = at_the_menu_of_data("\"1\", \"3\"");
    world.run_s(1);
    world.says("+CUSD: 0,\"Data balance: 1.5GB.\",15");
    world.run_s(1);
    assert_eq!(code_rows(&world), ["AT+CUSD=1,\"1\",15", "AT+CUSD=2"]);
    assert_eq!(world.line.health().data, Some(airtime::Volume(3 << 29)));
}

#[test]
fn a_schedule_chooses_nothing_in_a_menu_that_opens_while_a_call_is_on() {
    let mut world = at_the_menu_of_data("\"1\", \"3\"");
    world.run_s(1);
    world.talks();
    world.says("+CUSD: 1,\"1. Bonus\n3. All\",15");
    world.far_side_hangs_up();
    world.run_s(10);
    assert_eq!(code_rows(&world), ["AT+CUSD=1,\"1\",15", "AT+CUSD=2"]);
    assert_eq!(world.line.health().data, None);
}

#[test]
fn what_a_schedule_chooses_and_a_call_comes_before_is_never_written() {
    let mut world = asking_for_data("\"1\"");
    keep_busy(&mut world);
    world.says(MENU_OF_DATA);
    a_call_comes_and_goes(&mut world);
    assert_eq!(code_rows(&world), ["AT+CUSD=2"], "{:?}", world.modem.heard);
}

#[test]
fn an_answer_that_waits_when_somebody_rings_is_never_written_and_its_menu_is_over() {
    let mut world = World::ready("generic");
    ask(&mut world, 1);
    world.says(MENU_OF_DATA);
    keep_busy(&mut world);
    world.give(ModemInput::UssdAnswer { id: 1, text: Private::new("1".to_owned()) });
    a_call_comes_and_goes(&mut world);
    assert_eq!(results(&world, 1)[1..], [Err(UssdFailure::Cancelled)]);
    assert_eq!(code_rows(&world)[1..], ["AT+CUSD=2"], "{:?}", world.modem.heard);
}

#[test]
fn a_menu_that_waits_for_its_reader_while_a_call_comes_and_goes_is_not_answered_after_it() {
    let mut world = World::ready("generic");
    ask(&mut world, 1);
    world.says(MENU_OF_DATA);
    a_call_comes_and_goes(&mut world);
    world.give(ModemInput::UssdAnswer { id: 1, text: Private::new("1".to_owned()) });
    world.run_s(1);
    assert_eq!(results(&world, 1)[1..], [Err(UssdFailure::Cancelled), Err(UssdFailure::NotOpen)]);
    assert_eq!(code_rows(&world)[1..], ["AT+CUSD=2"], "{:?}", world.modem.heard);
}

#[test]
fn a_menu_that_opens_while_a_call_is_on_is_shown_to_whoever_asked_and_left() {
    let mut world = World::ready("generic");
    ask(&mut world, 1);
    world.talks();
    world.says(MENU_OF_DATA);
    let reply = UssdReply { text: Private::new("1. Data balance\n2. Buy data".to_owned()), then: UssdThen::Over };
    assert_eq!(results(&world, 1), [Ok(reply)]);
    world.far_side_hangs_up();
    world.run_s(10);
    assert_eq!(code_rows(&world)[1..], ["AT+CUSD=2"], "{:?}", world.modem.heard);
}
