use std::time::Duration;

use super::super::super::*;
use super::world::{CALLER, FakeCall, World, number};
use crate::terms::EndCause;

/// What is remembered of ways of sound has tests of its own.
fn is_in_order(world: &World, wanted: &[ModemOutput]) {
    let mut seen = world.wanted();
    seen.retain(|output| !matches!(output, ModemOutput::SoundProven(_)));
    assert_eq!(seen, wanted, "{:#?}", world.line.support_rows());
}

fn offered() -> ModemOutput {
    ModemOutput::Offered { from: Some(number(CALLER)) }
}

#[test]
fn a_call_is_offered_answered_heard_and_ended_once() {
    for (name, path) in [
        ("huawei", SoundPath::Serial),
        ("quectel_ec2x", SoundPath::UsbCard),
        ("simcom_sim7600", SoundPath::Serial),
        ("simcom_sim800", SoundPath::Analog),
        ("generic", SoundPath::Analog),
    ] {
        let mut world = World::ready(name);
        world.talks();
        world.sound(3, 16_000, 16_000);
        world.far_side_hangs_up();
        is_in_order(
            &world,
            &[
                offered(),
                ModemOutput::OpenSound(path),
                ModemOutput::FlushSound,
                ModemOutput::Connected,
                ModemOutput::CloseSound,
                ModemOutput::Ended(EndCause::NormalClearing),
            ],
        );
        assert_eq!(world.line.state(), ModemState::Ready);
        assert_eq!(world.modem.broken_rules, [""; 0]);
    }
}

#[test]
fn the_sound_is_turned_on_when_the_family_wants_it() {
    for (name, before, after) in [
        ("huawei", "ATA", "AT^DDSETEX=2"),
        ("quectel_ec2x", "AT+QPCMV=1,2", "ATA"),
        ("simcom_sim7600", "ATA", "AT+CPCMREG=1"),
    ] {
        let mut world = World::ready(name);
        world.talks();
        let place = |row: &str| world.modem.heard.iter().position(|heard| heard == row);
        assert!(place(before) < place(after) && place(before).is_some(), "{name}: {:?}", world.modem.heard);
    }
}

#[test]
fn the_greeting_waits_until_the_list_says_that_the_call_is_on() {
    let mut world = World::ready("generic");
    world.rings();
    world.modem.says_instead("ATA", "\r\nOK\r\n");
    world.give(ModemInput::Answer);
    world.run_s(3);
    assert!(!world.has(&ModemOutput::Connected));
    world.modem.calls[0].state = 0;
    world.run_s(1);
    assert!(world.has(&ModemOutput::Connected));
}

#[test]
fn a_caller_without_a_number_is_offered_after_three_seconds() {
    let mut world = World::ready("generic");
    world.modem.calls.push(FakeCall { id: 1, state: 4, number: String::new() });
    world.says("RING");
    world.run(Duration::from_millis(2900));
    assert_eq!(world.wanted(), []);
    world.run(Duration::from_millis(200));
    assert_eq!(world.wanted(), [ModemOutput::Offered { from: None }]);
    // A number that is withheld is no reason to wait.
    let mut world = World::ready("generic");
    world.says("RING\n+CLIP: \"\",128,,,,1");
    assert_eq!(world.wanted(), [ModemOutput::Offered { from: None }]);
}

#[test]
fn a_number_that_comes_after_a_list_without_one_is_offered() {
    let listed = |world: &mut World| {
        world.modem.says_instead("AT+CLCC", "\r\n+CLCC: 1,1,4,0,0,\"\",128\r\n\r\nOK\r\n");
        world.says("RING");
        world.run_s(1);
        assert_eq!((world.modem.count("AT+CLCC") > 0, world.wanted()), (true, vec![]));
    };
    let mut world = World::ready("generic");
    listed(&mut world);
    world.says(&format!("+CLIP: \"{CALLER}\",145,,,,0"));
    assert_eq!(world.wanted(), [offered()]);
    // Where no number comes, nobody waits for it longer than for any.
    let mut world = World::ready("generic");
    listed(&mut world);
    world.run_s(2);
    assert_eq!(world.wanted(), [ModemOutput::Offered { from: None }]);
}

#[test]
fn the_list_tells_the_number_where_the_modem_does_not() {
    let mut world = World::ready("generic");
    world.modem.calls.push(FakeCall { id: 1, state: 4, number: CALLER.to_owned() });
    world.says("RING");
    world.run(Duration::from_millis(100));
    assert_eq!(world.wanted(), [offered()]);
}

#[test]
fn a_caller_who_gives_up_ends_the_call_and_one_nobody_knew_of_ends_nothing() {
    let mut world = World::ready("generic");
    world.rings();
    world.modem.calls.clear();
    world.run_s(5);
    assert_eq!(world.wanted(), [offered(), ModemOutput::Ended(EndCause::NormalClearing)]);
    let mut world = World::ready("generic");
    world.says("RING");
    world.run_s(2);
    world.says("NO CARRIER");
    world.run_s(10);
    assert_eq!(world.wanted(), []);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_call_is_rejected_and_hung_up_with_the_cause_that_was_given() {
    let mut world = World::ready("quectel_ec2x");
    world.rings();
    world.give(ModemInput::Reject(EndCause::UserBusy));
    world.run_s(1);
    assert_eq!(world.ends(), [EndCause::UserBusy]);
    world.talks();
    world.give(ModemInput::HangUp(EndCause::NoAnswer));
    world.run_s(2);
    assert_eq!(world.ends(), [EndCause::UserBusy, EndCause::NoAnswer]);
    assert_eq!(world.modem.count("AT+CHUP"), 2);
}

#[test]
fn a_call_that_stays_in_the_list_is_hung_up_otherwise_and_then_the_modem_is_healed() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.modem.says_instead("AT+CHUP", "\r\nOK\r\n");
    world.modem.says_instead("ATH", "\r\nOK\r\n");
    world.give(ModemInput::HangUp(EndCause::NormalClearing));
    world.run_s(50);
    assert_eq!(world.ends(), [EndCause::NormalClearing]);
    assert!(world.modem.count("ATH") >= 1 && world.modem.count("AT+CHLD=11") >= 1, "{:?}", world.modem.heard);
    assert_eq!(world.resets(), [ResetStep::SoftReset]);
}

#[test]
fn a_call_that_stays_in_the_list_is_not_hung_up_by_a_row_that_the_family_must_never_be_given() {
    let mut world = World::ready("huawei");
    world.talks();
    world.modem.says_instead("AT+CHUP", "\r\nOK\r\n");
    world.give(ModemInput::HangUp(EndCause::NormalClearing));
    world.run_s(50);
    assert_eq!(world.ends(), [EndCause::NormalClearing]);
    let given = (world.modem.count("AT+CHLD=1"), world.modem.count("AT+CHUP") >= 2, world.resets().is_empty());
    assert_eq!(given, (0, true, false), "{:?}", world.modem.heard);
}

#[test]
fn a_network_that_takes_its_time_to_end_a_call_costs_the_modem_nothing() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.modem.says_instead("AT+CHUP", "");
    world.give(ModemInput::HangUp(EndCause::NormalClearing));
    world.run_s(13);
    assert_eq!(world.ends(), []);
    world.modem.calls.clear();
    world.says("OK");
    world.run_s(2);
    assert_eq!((world.ends(), world.line.state()), (vec![EndCause::NormalClearing], ModemState::Ready));
    assert_eq!((world.resets(), world.line.health().counters.timeouts), (vec![], 0));
    assert_eq!(world.modem.count("AT+CHUP"), 1);
}

#[test]
fn a_call_that_is_refused_and_rings_on_has_the_networks_time_as_well() {
    let mut world = World::ready("quectel_ec2x");
    world.rings();
    world.modem.says_instead("AT+CHUP", "");
    world.give(ModemInput::HangUp(EndCause::UserBusy));
    for _ in 0..4 {
        world.run_s(3);
        world.says("RING");
    }
    world.modem.calls.clear();
    world.says("OK");
    world.run_s(3);
    assert_eq!((world.resets(), world.line.health().counters.timeouts), (vec![], 0));
    assert_eq!((world.modem.count("AT+CHUP"), world.line.state()), (1, ModemState::Ready));
}

#[test]
fn who_calls_next_is_offered_although_the_row_that_hung_up_was_never_answered() {
    // He calls while its answer is still waited for, and after the call was told to be over.
    for (over, wait) in [("^CEND:1,5,104,16", 3), ("^CEND:1,5,104,16", 9), ("NO CARRIER", 9)] {
        let mut world = World::ready("huawei");
        world.talks();
        world.modem.says_instead("AT+CHUP", "");
        world.give(ModemInput::HangUp(EndCause::NormalClearing));
        world.run_s(1);
        world.modem.calls.clear();
        world.says(over);
        world.run_s(wait);
        world.rings();
        world.run_s(10);
        let offers = world.wanted().iter().filter(|output| **output == offered()).count();
        assert_eq!((offers, world.ends()), (2, vec![EndCause::NormalClearing]), "{over} {wait}");
        assert_eq!((world.line.state(), world.resets()), (ModemState::Ringing, vec![]), "{over} {wait}");
        assert_eq!(world.modem.count("AT+CHUP"), 1, "nobody hung up on him");
    }
}

#[test]
fn a_second_call_is_sent_away_while_one_is_on() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.modem.calls.push(FakeCall { id: 2, state: 5, number: "+2348090000000".to_owned() });
    world.says("+CCWA: \"+2348090000000\",145,1");
    world.run_s(5);
    assert_eq!(world.modem.count("AT+CHLD=0"), 1);
    assert_eq!(world.line.health().counters.second_calls_refused, 1);
    assert_eq!((world.line.state(), world.ends()), (ModemState::Active, vec![]));
    assert_eq!(world.wanted().iter().filter(|o| matches!(o, ModemOutput::Offered { .. })).count(), 1);
}

#[test]
fn a_call_without_any_hint_of_its_end_is_found_by_the_list() {
    let mut world = World::ready("generic");
    world.talks();
    world.modem.calls.clear();
    world.run_s(4);
    assert_eq!(world.ends(), [EndCause::NormalClearing]);
}

#[test]
fn a_caller_who_has_the_number_in_the_list_of_the_one_before_is_another_call() {
    let mut world = World::ready("generic");
    world.talks();
    // Not in time with the looks at the list that come by themselves.
    world.run_s(1);
    let other = "+2348090000000";
    world.modem.calls = vec![FakeCall { id: 1, state: 4, number: other.to_owned() }];
    world.says("RING");
    world.run(Duration::from_millis(200));
    let mut told = world.wanted();
    told.retain(|output| matches!(output, ModemOutput::Offered { .. } | ModemOutput::Ended(_)));
    let others = ModemOutput::Offered { from: Some(number(other)) };
    assert_eq!(told, [offered(), ModemOutput::Ended(EndCause::NormalClearing), others]);
    world.give(ModemInput::Answer);
    world.run_s(4);
    assert_eq!((world.line.state(), world.ends().len()), (ModemState::Active, 1));
    assert_eq!(world.modem.count("ATA"), 2);
}

#[test]
fn one_list_without_the_call_does_not_end_it() {
    let mut world = World::ready("generic");
    world.talks();
    world.modem.says_instead("AT+CLCC", "\r\nOK\r\n");
    while world.modem.count("AT+CLCC") < 1_000 && !world.wanted().is_empty() {
        let before = world.modem.count("AT+CLCC");
        world.run(Duration::from_millis(100));
        if world.modem.count("AT+CLCC") > before {
            break;
        }
    }
    world.modem.instead.clear();
    world.run_s(10);
    assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active));
}

#[test]
fn a_call_that_is_in_a_list_whose_end_is_lost_goes_on_whatever_was_said_of_its_end() {
    for over in ["NO CARRIER", "^CEND:1,0,67,17"] {
        let mut world = World::ready("huawei");
        world.talks();
        world.modem.says_instead("AT+CLCC", &format!("\r\n+CLCC: 1,1,0,0,0,\"{CALLER}\",145\r\n"));
        world.says(over);
        world.run_s(6);
        assert!(world.line.health().counters.timeouts >= 1, "{over}");
        world.modem.instead.clear();
        world.run_s(10);
        assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active), "{over}");
        assert_eq!(world.modem.count("AT+CHUP"), 0, "{over}");
    }
}

#[test]
fn the_end_of_a_call_with_another_number_is_not_that_of_ours() {
    // The list does not come, and the modem's word is all that there is.
    for (over, ends) in [("^CEND:2,0,67,17", vec![]), ("^CEND:1,5,104,17", vec![EndCause::UserBusy])] {
        let mut world = World::ready("huawei");
        world.talks();
        world.modem.says_instead("AT+CLCC", "");
        world.says(over);
        world.run_s(6);
        if !ends.is_empty() {
            world.modem.calls.clear();
        }
        world.modem.instead.clear();
        world.run_s(5);
        assert_eq!((world.ends(), world.modem.count("AT+CHUP")), (ends, 0), "{over}");
    }
}

#[test]
fn a_modem_without_a_list_is_believed() {
    let mut world = World::ready("huawei");
    world.modem.says_instead("AT+CLCC", "\r\nERROR\r\n");
    world.says(&format!("RING\n+CLIP: \"{CALLER}\",145"));
    world.run_s(2);
    world.give(ModemInput::Answer);
    world.run_s(2);
    assert_eq!(world.line.state(), ModemState::Active);
    world.says("^CEND:1,5,104,17");
    world.run_s(2);
    assert_eq!(world.ends(), [EndCause::UserBusy]);
    // A ring that stops is a caller who gave up.
    world.says(&format!("RING\n+CLIP: \"{CALLER}\",145"));
    world.run_s(10);
    assert_eq!(world.ends().len(), 2);
}

#[test]
fn a_list_that_is_refused_for_a_moment_stays_the_truth() {
    let mut world = World::ready("generic");
    world.talks();
    let asked = world.modem.count("AT+CLCC");
    world.modem.says_instead("AT+CLCC", "\r\n+CME ERROR: 515\r\n");
    // It says that the call is over, and the list cannot be had.
    world.says("NO CARRIER");
    world.run_s(10);
    assert!(world.modem.count("AT+CLCC") >= asked + 3, "{:?}", world.modem.heard);
    assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active));
    world.modem.instead.clear();
    world.run_s(10);
    assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active), "the list has the call");
    // Coverage goes in the call: nothing but the modem's word tells its end, for a minute.
    world.modem.calls.clear();
    world.modem.says_instead("AT+CLCC", "\r\n+CME ERROR: 30\r\n");
    world.says("NO CARRIER");
    world.run_s(15);
    assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active));
    world.run_s(45);
    assert_eq!((world.ends(), world.line.state()), (vec![EndCause::NormalClearing], ModemState::Ready));
}

#[test]
fn a_list_that_is_refused_for_the_sims_sake_is_none() {
    let mut world = World::ready("generic");
    world.talks();
    world.modem.says_instead("AT+CLCC", "\r\n+CME ERROR: 11\r\n");
    world.far_side_hangs_up();
    world.run_s(10);
    assert_eq!((world.ends(), world.line.state()), (vec![EndCause::NormalClearing], ModemState::Ready));
}

#[test]
fn a_list_that_was_given_up_is_asked_for_again_at_the_next_ring() {
    let mut world = World::ready("generic");
    world.modem.says_instead("AT+CLCC", "\r\nERROR\r\n");
    world.rings();
    world.run_s(3);
    let asked = world.modem.count("AT+CLCC");
    world.run_s(2);
    assert_eq!((asked, world.modem.count("AT+CLCC")), (2, 2), "given up");
    world.far_side_hangs_up();
    assert_eq!(world.ends(), [EndCause::NormalClearing]);
    world.modem.instead.clear();
    world.talks();
    // Nothing but the list tells the end of this one.
    world.modem.calls.clear();
    world.run_s(5);
    assert_eq!(world.ends(), [EndCause::NormalClearing; 2]);
}

#[test]
fn a_modem_without_a_list_is_believed_also_where_it_is_asked_for_it_after_the_answer() {
    let mut world = World::ready("generic");
    world.modem.says_instead("AT+CLCC", "\r\nERROR\r\n");
    world.rings();
    world.run_s(3);
    world.far_side_hangs_up();
    // The next call comes while another command runs.
    world.modem.says_instead("AT+CSQ", "");
    let before = world.modem.count("AT+CSQ");
    for _ in 0..100 {
        if world.modem.count("AT+CSQ") == before {
            world.run_s(1);
        }
    }
    assert_eq!(world.modem.count("AT+CSQ"), before + 1);
    world.says(&format!("RING\n+CLIP: \"{CALLER}\",145,,,,0"));
    world.give(ModemInput::Answer);
    world.says("+CSQ: 24,99\nOK");
    world.run_s(3);
    assert_eq!(world.line.state(), ModemState::Active, "{:#?}", world.line.support_rows());
}

#[test]
fn a_caller_who_is_quicker_than_the_answer_ends_the_call() {
    let mut world = World::ready("generic");
    world.rings();
    world.modem.says_instead("ATA", "\r\nNO CARRIER\r\n");
    world.modem.calls.clear();
    world.give(ModemInput::Answer);
    world.run_s(2);
    assert_eq!(world.ends(), [EndCause::NormalClearing]);
    assert!(!world.has(&ModemOutput::Connected) && world.has(&ModemOutput::CloseSound));
}

#[test]
fn another_calls_end_before_the_answer_is_taken_does_not_end_the_call_that_was_answered() {
    let mut world = World::ready("generic");
    world.rings();
    world.modem.says_instead("ATA", "");
    world.modem.says_instead("AT+CLCC", "");
    world.give(ModemInput::Answer);
    for _ in 0..1_000 {
        if world.modem.count("ATA") == 0 {
            world.run(Duration::from_millis(1));
        }
    }
    let asked = world.modem.count("AT+CLCC");
    world.says("NO CARRIER");
    world.run(Duration::from_millis(40));
    // The modem has taken the call, and answers what it was asked one after the other.
    world.modem.calls[0].state = 0;
    world.says("OK");
    if world.modem.count("AT+CLCC") > asked {
        world.says(&format!("+CLCC: 1,1,0,0,0,\"{CALLER}\",145\nOK"));
    }
    world.modem.instead.clear();
    world.run_s(4);
    assert_eq!((world.ends(), world.line.state()), (vec![], ModemState::Active), "{:#?}", world.line.support_rows());
    assert_eq!((world.modem.count("ATA"), world.modem.count("AT+CHUP")), (1, 0));
}

#[test]
fn keys_go_out_one_after_the_other_and_come_in_as_each_maker_writes_them() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    for digit in ['1', '#', 'x'] {
        world.give(ModemInput::SendDigit(digit));
    }
    world.run_s(1);
    let sent: Vec<&String> = world.modem.heard.iter().filter(|row| row.starts_with("AT+VTS")).collect();
    assert_eq!(sent, ["AT+VTS=\"1\"", "AT+VTS=\"#\""]);
    world.says("+QTONEDET: 53");
    assert!(world.has(&ModemOutput::Digit('5')));
    let mut world = World::ready("huawei");
    world.talks();
    world.give(ModemInput::SendDigit('7'));
    world.run_s(1);
    assert_eq!(world.modem.count("AT^DTMF=1,7"), 1);
}

#[test]
fn the_modems_stop_and_go_of_the_sound_is_passed_on() {
    let settings = LineSettings { sound: Some(SoundPath::Serial), ..LineSettings::default() };
    let mut world = World::new("quectel_ec2x", settings);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.talks();
    world.says("+QPCMV: 0,0");
    world.says("+QPCMV: 1,0");
    let flow: Vec<ModemOutput> = world
        .wanted()
        .into_iter()
        .filter(|o| matches!(o, ModemOutput::PauseUplink | ModemOutput::ResumeUplink))
        .collect();
    assert_eq!(flow, [ModemOutput::PauseUplink, ModemOutput::ResumeUplink]);
}

#[test]
fn a_call_that_came_during_the_set_up_is_found_when_it_is_done() {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.calls.push(FakeCall { id: 1, state: 4, number: CALLER.to_owned() });
    world.give(ModemInput::PortOpened);
    world.says("RING");
    world.run_s(3);
    assert!(world.has(&offered()), "{:#?}", world.line.support_rows());
}

#[test]
fn firmware_that_carries_no_calls_refuses_them_and_says_so() {
    let mut world = World::new("huawei", LineSettings::default());
    world.modem.says_instead("AT^CVOICE?", "\r\nCOMMAND NOT SUPPORT\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(10);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::NoVoice));
    world.rings();
    world.run_s(2);
    assert_eq!(world.modem.count("AT+CHUP"), 1);
    assert!(!world.has(&offered()));
    assert!(world.line.health().troubles[0].contains("made for data alone"));
}

#[test]
fn a_modem_that_is_busy_when_it_is_asked_for_its_voice_is_asked_again() {
    for busy in ["\r\n+CME ERROR: 515\r\n", "\r\n+CME ERROR: 14\r\n"] {
        let mut world = World::new("quectel_ec2x", LineSettings::default());
        world.modem.says_instead("AT+QPCMV?", busy);
        world.give(ModemInput::PortOpened);
        for _ in 0..1_000 {
            if world.modem.count("AT+QPCMV?") == 0 {
                world.run(Duration::from_millis(10));
            }
        }
        world.modem.instead.clear();
        world.run_s(10);
        assert_eq!(world.line.state(), ModemState::Ready, "{busy:?}");
        assert_eq!(world.modem.count("AT+QPCMV?"), 2);
    }
}

#[test]
fn a_row_that_proves_voice_needs_no_end_of_its_answer() {
    let mut world = World::new("huawei", LineSettings::default());
    world.modem.says_instead("AT^CVOICE?", "\r\n^CVOICE:0,8000,16,20\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(90);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.modem.count("AT^CVOICE?"), 1);
    // Without the row an OK proves nothing.
    let mut world = World::new("huawei", LineSettings::default());
    world.modem.says_instead("AT^CVOICE?", "\r\nOK\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::NoVoice));
}

#[test]
fn one_answer_without_the_row_that_proves_voice_is_asked_for_again_and_one_that_comes_later_counts_too() {
    for answer in ["\r\nERROR\r\n", "\r\n+CME ERROR: 3\r\n", "\r\n+CME ERROR: 100\r\n", "\r\nOK\r\n"] {
        let mut world = World::new("huawei", LineSettings::default());
        world.modem.says_instead("AT^CVOICE?", answer);
        world.give(ModemInput::PortOpened);
        for _ in 0..1_000 {
            if world.modem.count("AT^CVOICE?") == 0 {
                world.run(Duration::from_millis(10));
            }
        }
        world.modem.instead.clear();
        world.run_s(5);
        assert_eq!((world.line.state(), world.modem.count("AT^CVOICE?")), (ModemState::Ready, 2), "{answer:?}");
        // One that has no voice for longer has its calls back once it says that it has.
        let mut world = World::new("huawei", LineSettings::default());
        world.modem.says_instead("AT^CVOICE?", answer);
        world.give(ModemInput::PortOpened);
        world.run_s(150);
        assert_eq!(world.line.state(), ModemState::Degraded(Degradation::NoVoice), "{answer:?}");
        world.modem.instead.clear();
        world.run_s(61);
        assert_eq!(world.line.state(), ModemState::Ready, "{answer:?}");
        let asked = world.modem.count("AT^CVOICE?");
        world.talks();
        world.far_side_hangs_up();
        world.run_s(180);
        assert_eq!(world.modem.count("AT^CVOICE?"), asked, "{answer:?}: it has said it");
    }
}

/// How the calls of a world end whose modem says this of the last of them.
fn ends_with_report(report: &str, call: impl FnOnce(&mut World)) -> (Vec<EndCause>, usize) {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CEER", report);
    call(&mut world);
    world.run_s(5);
    assert_eq!(world.modem.broken_rules, [""; 0]);
    (world.ends(), world.modem.count("AT+CEER"))
}

#[test]
fn a_call_that_ended_and_nobody_said_why_ends_with_the_cause_that_the_modem_knows() {
    let gives_up = |world: &mut World| {
        world.rings();
        world.far_side_hangs_up();
    };
    let vanishes = |world: &mut World| {
        world.talks();
        world.modem.calls.clear();
    };
    let out_of_order = "\r\n+CEER: 38\r\n\r\nOK\r\n";
    assert_eq!(ends_with_report(out_of_order, vanishes), (vec![EndCause::NetworkOutOfOrder], 1));
    let expired = "\r\n+CEER: Recovery on timer expiry\r\n\r\nOK\r\n";
    assert_eq!(ends_with_report(expired, gives_up), (vec![EndCause::RecoveryOnTimerExpiry], 1));
    // What says nothing leaves what was believed before, and what does not answer too.
    for report in ["\r\n+CEER: 0,0\r\n\r\nOK\r\n", "\r\nOK\r\n", "\r\nERROR\r\n", ""] {
        assert_eq!(ends_with_report(report, gives_up), (vec![EndCause::NormalClearing], 1), "{report:?}");
    }
    // A modem that does not know the question has it once.
    let twice = |world: &mut World| {
        gives_up(world);
        world.run_s(2);
        gives_up(world);
    };
    assert_eq!(ends_with_report("\r\nERROR\r\n", twice).1, 1);
    assert_eq!(ends_with_report(out_of_order, twice), (vec![EndCause::NetworkOutOfOrder; 2], 2));
}

#[test]
fn a_call_whose_cause_is_known_is_not_asked_about() {
    let out_of_order = "\r\n+CEER: 38\r\n\r\nOK\r\n";
    let hung_up = |world: &mut World| {
        world.talks();
        world.far_side_hangs_up();
    };
    assert_eq!(ends_with_report(out_of_order, hung_up), (vec![EndCause::NormalClearing], 0));
    let rejected = |world: &mut World| {
        world.rings();
        world.give(ModemInput::Reject(EndCause::UserBusy));
    };
    assert_eq!(ends_with_report(out_of_order, rejected), (vec![EndCause::UserBusy], 0));
}

#[test]
fn a_modem_that_does_not_say_why_keeps_nobody_waiting_and_the_next_call_comes_after_the_end() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+CEER", "");
    world.rings();
    world.modem.calls.clear();
    world.says("NO CARRIER");
    world.run(Duration::from_millis(900));
    assert_eq!(world.ends(), []);
    world.run(Duration::from_millis(200));
    assert_eq!(world.ends(), [EndCause::NormalClearing]);
    // Another ring, and the port's end, come before the modem's word.
    for event in ["ring", "gone"] {
        let mut world = World::ready("quectel_ec2x");
        world.modem.says_instead("AT+CEER", "");
        world.rings();
        world.modem.calls.clear();
        world.says("NO CARRIER");
        world.run(Duration::from_millis(100));
        assert_eq!(world.ends(), []);
        if event == "ring" {
            world.rings();
            let after = [offered(), ModemOutput::Ended(EndCause::NormalClearing), offered()];
            assert_eq!(world.wanted(), after);
        } else {
            world.give(ModemInput::PortGone);
            assert_eq!(world.ends(), [EndCause::NormalClearing]);
        }
    }
}
