use std::time::Duration;

use super::super::super::*;
use super::world::World;
use crate::terms::Private;

fn with_pin(pin: &str) -> LineSettings {
    LineSettings { pin: Some(Private::new(pin.to_owned())), ..LineSettings::default() }
}

fn started(settings: LineSettings, sim: &'static str) -> World {
    let mut world = World::new("quectel_ec2x", settings);
    world.modem.sim = sim;
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    world
}

#[test]
fn the_pin_that_is_set_opens_the_sim_and_stands_in_no_support_row() {
    let world = started(with_pin("4711"), "SIM PIN");
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.modem.count("AT+CPIN=\"4711\""), 1);
    assert!(world.line.support_rows().iter().all(|row| !row.text.contains("4711")));
}

#[test]
fn a_wrong_pin_is_never_tried_again_whatever_the_modem_does() {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+CPIN=", "\r\n+CME ERROR: 16\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(300);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
    world.says("RDY");
    world.run_s(100);
    world.give(ModemInput::PortGone);
    world.give(ModemInput::PortOpened);
    world.run_s(300);
    assert_eq!(world.modem.count("AT+CPIN="), 1);
    assert!(world.line.health().troubles[0].contains("refused the PIN"));
}

#[test]
fn a_pin_is_entered_only_after_its_try_is_written_down_and_forgotten_when_it_was_right() {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    (world.modem.sim, world.notes) = ("SIM PIN", false);
    world.give(ModemInput::PortOpened);
    world.run_s(60);
    let iccid = Some(Private::new("89234010000012345678".to_owned()));
    let imei = world.line.health().imei;
    assert!(imei.is_some());
    let trying =
        ModemOutput::PinTrying { iccid: iccid.clone(), imei: imei.clone(), had_wrong: false, leave: PinLeave::Setting };
    assert!(world.wanted().iter().filter(|output| **output == trying).count() > 1, "it is told until it is noted");
    assert_eq!(world.modem.count("AT+CPIN="), 0);
    world.give(ModemInput::PinNoted);
    world.run_s(20);
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (1, ModemState::Ready));
    let accepted = ModemOutput::PinAccepted { iccid, imei };
    assert_eq!(world.wanted().iter().filter(|output| **output == accepted).count(), 1);
    world.give(ModemInput::PinNoted);
    world.run_s(20);
    assert_eq!(world.modem.count("AT+CPIN="), 1);
}

#[test]
fn a_pin_is_not_entered_into_a_sim_that_does_not_belong_here() {
    let iccid = Some(Private::new("89234010000099999999".to_owned()));
    let settings = LineSettings { expected_sim: ExpectedSim { iccid, operator: None }, ..with_pin("4711") };
    let mut world = started(settings, "SIM PIN");
    world.run_s(300);
    assert_eq!(world.modem.count("AT+CPIN="), 0);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::Foreign));
    // The right one is put in its place.
    world.modem.says_instead("AT+QCCID", "\r\n+QCCID: 89234010000099999999\r\n\r\nOK\r\n");
    world.run_s(60);
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (1, ModemState::Ready));
}

#[test]
fn a_pin_that_was_right_in_one_sim_and_wrong_in_the_next_has_one_try_in_each() {
    let mut world = started(with_pin("4711"), "SIM PIN");
    assert_eq!(world.line.state(), ModemState::Ready);
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+QCCID", "\r\n+QCCID: 89234010000099999999\r\n\r\nOK\r\n");
    world.modem.says_instead("AT+CPIN=", "\r\n+CME ERROR: 16\r\n");
    for _ in 0..3 {
        world.says("RDY");
        world.run_s(100);
    }
    assert_eq!(world.modem.count("AT+CPIN="), 2);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
}

#[test]
fn a_pin_that_this_sim_has_had_in_vain_is_tried_again_by_a_persons_leave_alone() {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    (world.modem.sim, world.notes) = ("SIM PIN", false);
    world.give(ModemInput::PortOpened);
    world.run_s(20);
    world.give(ModemInput::PinWasTried);
    world.run_s(300);
    assert_eq!(world.modem.count("AT+CPIN="), 0);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
    world.seen.clear();
    world.give(ModemInput::Release);
    world.run_s(20);
    let by_person = |output: &ModemOutput| matches!(output, ModemOutput::PinTrying { leave: PinLeave::Person, .. });
    assert!(world.wanted().iter().any(by_person), "{:?}", world.wanted());
    world.give(ModemInput::PinNoted);
    world.run_s(20);
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (1, ModemState::Ready));
}

/// A modem that tells no number of a SIM that is locked.
fn hiding(attempts: &str) -> World {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+QCCID", "\r\nERROR\r\n");
    world.modem.says_instead("AT+QPINC", attempts);
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    world
}

#[test]
fn a_sim_without_a_number_that_was_away_is_another_one_until_a_person_says_not() {
    let mut world = hiding("\r\nOK\r\n");
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (1, ModemState::Ready));
    // After a power cut it is the same SIM in the same modem.
    world.modem.sim = "SIM PIN";
    world.says("RDY");
    world.run_s(60);
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (2, ModemState::Ready));
    world.modem.sim = "SIM PIN";
    world.says("+CPIN: NOT INSERTED");
    world.run_s(120);
    world.says("RDY");
    world.run_s(120);
    assert_eq!(world.modem.count("AT+CPIN="), 2);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::UnknownSim));
    world.give(ModemInput::Release);
    world.run_s(60);
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (3, ModemState::Ready));
}

#[test]
fn that_a_sim_has_had_a_wrong_pin_is_told_before_it_gets_one() {
    for (attempts, wanted) in
        [("\r\n+QPINC: \"SC\",2,10\r\n\r\nOK\r\n", true), ("\r\n+QPINC: \"SC\",3,10\r\n\r\nOK\r\n", false)]
    {
        let told = hiding(attempts).wanted().into_iter().find_map(|output| match output {
            ModemOutput::PinTrying { iccid: None, had_wrong, .. } => Some(had_wrong),
            _ => None,
        });
        assert_eq!(told, Some(wanted));
    }
}

#[test]
fn a_pin_whose_answer_never_came_is_not_tried_again() {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+CPIN=", "");
    world.give(ModemInput::PortOpened);
    world.run_s(300);
    assert_eq!(world.modem.count("AT+CPIN="), 1);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
}

#[test]
fn a_pin_that_was_right_opens_the_sim_again_after_a_restart() {
    let mut world = started(with_pin("4711"), "SIM PIN");
    world.modem.sim = "SIM PIN";
    world.says("RDY");
    world.run_s(60);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.modem.count("AT+CPIN="), 2);
}

#[test]
fn the_last_attempt_is_left_to_a_person() {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+QPINC", "\r\n+QPINC: \"SC\",1,10\r\n\r\nOK\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(100);
    assert_eq!(world.modem.count("AT+CPIN="), 0);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::FewAttempts));
}

#[test]
fn a_pin_that_is_none_is_not_sent() {
    for pin in ["", "12", "1234\"\rATD112;", "123456789", "12a4"] {
        let world = started(with_pin(pin), "SIM PIN");
        assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::NeedsPin), "{pin:?}");
        assert_eq!(world.modem.count("AT+CPIN="), 0);
        assert_eq!(world.modem.count("ATD"), 0);
    }
}

#[test]
fn each_trouble_of_a_sim_is_told_plainly_and_left_when_it_is_over() {
    for (sim, trouble) in [
        ("SIM PUK", SimTrouble::NeedsPuk),
        ("SIM PIN", SimTrouble::NeedsPin),
        ("PH-NET PIN", SimTrouble::NetworkLocked),
        ("PH_SIM PIN", SimTrouble::NetworkLocked),
        ("+CME ERROR: 5", SimTrouble::NetworkLocked),
        ("+CME ERROR: 40", SimTrouble::NetworkLocked),
        ("+CME ERROR: 47", SimTrouble::NetworkLocked),
        ("+CME ERROR: 48", SimTrouble::Busy),
        ("+CME ERROR: PH-NET PIN required", SimTrouble::NetworkLocked),
        ("+CME ERROR: network personalisation PIN required", SimTrouble::NetworkLocked),
        ("+CME ERROR: Service provider personalization PUK required", SimTrouble::NetworkLocked),
        ("+CME ERROR: 10", SimTrouble::Absent),
        ("+CME ERROR: 13", SimTrouble::Broken),
        ("+CME ERROR: SIM failure", SimTrouble::Broken),
        ("+CME ERROR: 14", SimTrouble::Busy),
    ] {
        let mut world = started(LineSettings::default(), sim);
        assert_eq!(world.line.state(), ModemState::SimWait(trouble), "{sim}");
        assert_eq!(world.line.health().troubles[0], trouble.to_string());
        world.modem.sim = "READY";
        world.run_s(60);
        assert_eq!(world.line.state(), ModemState::Ready, "{sim}");
    }
}

#[test]
fn a_sim_that_does_not_belong_here_is_not_used_and_another_one_than_last_time_is_told() {
    let foreign = |expected_sim| LineSettings { expected_sim, ..LineSettings::default() };
    let iccid = Some(Private::new("89234010000099999999".to_owned()));
    let other_card = started(foreign(ExpectedSim { iccid, operator: None }), "READY");
    assert_eq!(other_card.line.state(), ModemState::SimWait(SimTrouble::Foreign));
    let other_network = started(foreign(ExpectedSim { iccid: None, operator: Some("62120".to_owned()) }), "READY");
    assert_eq!(other_network.line.state(), ModemState::SimWait(SimTrouble::Foreign));
    let own =
        ExpectedSim { iccid: Some(Private::new("8923401000001234567".to_owned())), operator: Some("62130".to_owned()) };
    assert_eq!(started(foreign(own), "READY").line.state(), ModemState::Ready);
    let known_iccid = Some(Private::new("89234010000011111111".to_owned()));
    let changed = started(LineSettings { known_iccid, ..LineSettings::default() }, "READY");
    assert_eq!(changed.line.state(), ModemState::Ready);
    assert!(changed.line.health().troubles.iter().any(|t| t.contains("another SIM")));
}

#[test]
fn a_sim_whose_number_has_letters_is_known_by_all_of_it() {
    let state_with = |wanted: &str| {
        let iccid = Some(Private::new(wanted.to_owned()));
        let expected_sim = ExpectedSim { iccid, operator: None };
        let mut world = World::new("simcom_sim7600", LineSettings { expected_sim, ..LineSettings::default() });
        // The example of SIMCom's manual.
        world.modem.says_instead("AT+CICCID", "\r\n+ICCID: 898600700907A6019125\r\n\r\nOK\r\n");
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        world.line.state()
    };
    for own in ["898600700907A6019125", "898600700907a6019125", "898600700907A601912"] {
        assert_eq!(state_with(own), ModemState::Ready, "{own}");
    }
    for other in ["898600700907B6019125", "8986007009076019125"] {
        assert_eq!(state_with(other), ModemState::SimWait(SimTrouble::Foreign), "{other}");
    }
}

#[test]
fn a_sim_that_is_taken_out_stops_the_line_until_it_is_back() {
    for (name, said, answered) in [
        ("quectel_ec2x", "+CPIN: NOT INSERTED", "+CME ERROR: 10"),
        ("quectel_ec2x", "+CPIN: NOT READY", "+CME ERROR: 10"),
        ("quectel_ec2x", "+CPIN: NOT READY", "NOT READY"),
        ("simcom_sim7600", "+CPIN: SIM REMOVED", "SIM REMOVED"),
        ("huawei", "^SIMST: 255", "+CME ERROR: 10"),
        ("huawei", "^SIMST:255,0", "+CME ERROR: 10"),
    ] {
        let mut world = World::ready(name);
        world.modem.sim = answered;
        world.says(said);
        world.run_s(30);
        assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::Absent), "{said}");
        world.modem.sim = "READY";
        world.says("+CPIN: READY");
        world.run_s(30);
        assert_eq!(world.line.state(), ModemState::Ready, "{said}");
    }
}

#[test]
fn another_sim_that_is_put_in_place_of_one_that_was_taken_out_is_looked_at_before_it_serves() {
    let iccid = Some(Private::new("89234010000012345678".to_owned()));
    let expected_sim = ExpectedSim { iccid, operator: None };
    for said in ["+CPIN: NOT READY", "+CPIN: SIM REMOVED", "^SIMST: 255,0"] {
        let expected_sim = expected_sim.clone();
        let mut world = started(LineSettings { expected_sim, ..LineSettings::default() }, "READY");
        assert_eq!(world.line.state(), ModemState::Ready);
        world.says(said);
        world.modem.says_instead("AT+QCCID", "\r\n+QCCID: 89234010000099999999\r\n\r\nOK\r\n");
        world.says("+CPIN: READY");
        world.run_s(20);
        assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::Foreign), "{said}");
    }
}

#[test]
fn a_sim_that_is_not_ready_at_a_start_was_not_taken_out_and_one_that_is_for_a_moment_comes_back_by_itself() {
    let mut world = World::new("quectel_ec2x", LineSettings::default());
    world.give(ModemInput::PortOpened);
    world.says("+CPIN: NOT READY");
    assert_eq!(world.line.state(), ModemState::Init);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
    world.says("+CPIN: NOT READY");
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::Absent));
    // Nothing more is said of it.
    world.run_s(15);
    assert_eq!(world.line.state(), ModemState::Ready);
}

/// A modem whose set-up has just said a row with this beginning.
fn at_row(settings: LineSettings, sim: &'static str, beginning: &str) -> World {
    let mut world = World::new("quectel_ec2x", settings);
    world.modem.sim = sim;
    world.give(ModemInput::PortOpened);
    for _ in 0..10_000 {
        if world.modem.count(beginning) > 0 {
            return world;
        }
        world.run(Duration::from_millis(1));
    }
    panic!("{beginning} is not said");
}

#[test]
fn a_sim_that_is_changed_in_the_middle_of_the_set_up_is_looked_at_before_it_serves() {
    let iccid = Some(Private::new("89234010000012345678".to_owned()));
    for beginning in ["AT+QCCID", "AT+CIMI", "AT+CNMI", "AT+QPCMV?"] {
        let expected_sim = ExpectedSim { iccid: iccid.clone(), operator: None };
        let mut world = at_row(LineSettings { expected_sim, ..LineSettings::default() }, "READY", beginning);
        world.says("+CPIN: NOT INSERTED");
        assert!(matches!(world.line.state(), ModemState::SimWait(_)), "{beginning}");
        world.modem.says_instead("AT+QCCID", "\r\n+QCCID: 89234010000099999999\r\n\r\nOK\r\n");
        world.says("+CPIN: READY");
        world.run_s(40);
        assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::Foreign), "{beginning}");
    }
}

#[test]
fn a_sim_that_is_back_in_the_middle_of_the_set_up_serves() {
    for beginning in ["AT+QCCID", "AT+CIMI", "AT+CNMI", "AT+QPCMV?"] {
        let mut world = at_row(LineSettings::default(), "READY", beginning);
        world.says("+CPIN: NOT READY");
        world.run_s(40);
        assert_eq!(world.line.state(), ModemState::Ready, "{beginning}");
    }
}

#[test]
fn a_pin_that_was_to_be_entered_is_not_entered_into_the_sim_that_takes_the_place() {
    let iccid = Some(Private::new("89234010000012345678".to_owned()));
    let settings = LineSettings { expected_sim: ExpectedSim { iccid, operator: None }, ..with_pin("4711") };
    let mut world = World::new("quectel_ec2x", settings);
    (world.modem.sim, world.notes) = ("SIM PIN", false);
    world.give(ModemInput::PortOpened);
    world.run_s(20);
    assert!(world.wanted().iter().any(|output| matches!(output, ModemOutput::PinTrying { .. })));
    world.says("+CPIN: NOT INSERTED");
    world.modem.says_instead("AT+QCCID", "\r\n+QCCID: 89234010000099999999\r\n\r\nOK\r\n");
    // The owner has written it down meanwhile.
    world.give(ModemInput::PinNoted);
    world.run_s(40);
    assert_eq!(world.modem.count("AT+CPIN="), 0);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::Foreign));
}

/// The SIM with this number is put in, and says that it is ready or asks for its PIN.
fn puts_in(world: &mut World, iccid: &str, sim: &'static str) {
    world.modem.instead.clear();
    world.modem.says_instead("AT+QCCID", &format!("\r\n+QCCID: {iccid}\r\n\r\nOK\r\n"));
    world.modem.sim = sim;
    if sim == "READY" {
        world.says("+CPIN: READY");
    }
    world.run_s(60);
}

/// A modem that has just been given the PIN, and does not answer it by itself.
fn with_pin_given() -> World {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+CPIN=", "");
    world.give(ModemInput::PortOpened);
    for _ in 0..60_000 {
        if world.modem.count("AT+CPIN=") > 0 {
            return world;
        }
        world.run(Duration::from_millis(1));
    }
    panic!("the PIN is not given");
}

#[test]
fn a_sim_that_is_taken_out_before_it_has_answered_its_pin_gets_no_second_try_by_itself() {
    let (first, other) = ("89234010000012345678", "89234010000099999999");
    let is_accepted = |output: &ModemOutput| matches!(output, ModemOutput::PinAccepted { .. });
    // The refusal comes late, or the answer never comes: before the SIM is gone, or after it.
    for (answer, is_gone_first) in [(Some("+CME ERROR: 16"), true), (None, true), (None, false)] {
        let mut world = with_pin_given();
        if !is_gone_first {
            world.run(Duration::from_millis(5_500));
        }
        world.modem.sim = "+CME ERROR: 10";
        world.says("+CPIN: NOT INSERTED");
        if let Some(row) = answer {
            world.says(row);
        }
        world.run_s(20);
        puts_in(&mut world, other, "READY");
        assert_eq!(world.line.state(), ModemState::Ready, "{answer:?}");
        world.modem.sim = "+CME ERROR: 10";
        world.says("+CPIN: NOT INSERTED");
        world.run_s(20);
        puts_in(&mut world, first, "SIM PIN");
        assert!(!world.wanted().iter().any(is_accepted), "{answer:?}");
        assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin), "{answer:?}");
        assert_eq!(world.modem.count("AT+CPIN="), 1);
    }
}

#[test]
fn a_pin_that_is_answered_with_ok_is_right_only_if_the_sim_is_ready_then_and_has_no_second_try() {
    let accepted = |world: &World| {
        world.wanted().into_iter().filter(|output| matches!(output, ModemOutput::PinAccepted { .. })).count()
    };
    let taken = || {
        let mut world = with_pin_given();
        world.says("OK");
        world.run_s(10);
        assert_eq!((world.line.state(), accepted(&world)), (ModemState::SimWait(SimTrouble::Busy), 0));
        world
    };
    // It asks for its PIN for ever.
    let mut world = taken();
    world.run_s(300);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
    world.says("RDY");
    world.run_s(100);
    assert_eq!((world.modem.count("AT+CPIN="), accepted(&world)), (1, 0), "{:?}", world.modem.heard);
    // It takes its time, and says so.
    for slow in ["SIM PIN", "NOT READY"] {
        let mut world = taken();
        world.modem.sim = slow;
        world.run_s(5);
        world.modem.sim = "READY";
        world.run_s(60);
        let state = world.line.state();
        assert_eq!((state, world.modem.count("AT+CPIN="), accepted(&world)), (ModemState::Ready, 1, 1), "{slow}");
    }
}

#[test]
fn a_pin_that_was_right_is_known_to_be_although_the_sim_was_taken_out_before_its_answer() {
    for answer in [Some("OK"), None] {
        let mut world = with_pin_given();
        world.says("+CPIN: NOT INSERTED");
        if let Some(row) = answer {
            world.says(row);
        }
        puts_in(&mut world, "89234010000012345678", "READY");
        let accepted = world.wanted().into_iter().filter(|output| matches!(output, ModemOutput::PinAccepted { .. }));
        assert_eq!((accepted.count(), world.line.state()), (1, ModemState::Ready), "{answer:?}");
        puts_in(&mut world, "89234010000012345678", "SIM PIN");
        world.says("RDY");
        world.run_s(60);
        assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (2, ModemState::Ready), "{answer:?}");
    }
}

#[test]
fn a_sim_that_asks_again_for_a_pin_that_was_right_gets_it_again_after_a_while() {
    let mut world = started(with_pin("4711"), "SIM PIN");
    world.modem.sim = "SIM PIN";
    world.says("+CPIN: NOT INSERTED");
    world.run_s(60);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.modem.count("AT+CPIN="), 2);
}

/// SIMs in which the owner was told that the PIN is going to be tried.
fn told_of(world: &World) -> Vec<Option<String>> {
    let sim = |output: ModemOutput| match output {
        ModemOutput::PinTrying { iccid, .. } => Some(iccid.map(Private::into_exposed)),
        _ => None,
    };
    world.wanted().into_iter().filter_map(sim).collect()
}

/// A modem whose line has just told its owner that the PIN is going to be tried.
fn noting_after(wait: Duration) -> World {
    let mut world = World::new("quectel_ec2x", with_pin("4711"));
    (world.modem.sim, world.notes_after) = ("SIM PIN", wait);
    world.modem.says_instead("AT+QPINC", "\r\n+QPINC: \"SC\",3,10\r\n\r\nOK\r\n");
    world.give(ModemInput::PortOpened);
    for _ in 0..60_000 {
        if !told_of(&world).is_empty() {
            return world;
        }
        world.run(Duration::from_millis(1));
    }
    panic!("the owner is not told");
}

#[test]
fn a_pin_that_is_noted_while_the_set_up_begins_anew_is_entered_once_into_the_same_sim() {
    // The owner answers before it is told again, or while it is.
    for (wait, times) in [(Duration::from_millis(100), Some(1)), (Duration::from_secs(15), None)] {
        for way in ["RDY", "+CPIN: NOT READY", "port"] {
            let mut world = noting_after(wait);
            if way == "port" {
                world.give(ModemInput::PortGone);
                world.give(ModemInput::PortOpened);
            } else {
                world.says(way);
            }
            world.run_s(90);
            assert_eq!(world.line.state(), ModemState::Ready, "{way} {wait:?}: {:?}", world.modem.heard);
            assert_eq!(world.modem.count("AT+CPIN="), 1, "{way} {wait:?}");
            assert!(times.is_none_or(|times| told_of(&world).len() == times), "{way}: {:?}", told_of(&world));
        }
    }
}

#[test]
fn what_was_noted_for_a_pin_is_no_leave_for_one_that_was_sent() {
    let mut world = with_pin_given();
    for _ in 0..3 {
        world.give(ModemInput::PinNoted);
        world.says("RDY");
        world.run_s(100);
    }
    assert_eq!(world.modem.count("AT+CPIN="), 1);
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
}

#[test]
fn a_note_is_used_up_by_its_pin_and_the_next_start_has_one_of_its_own() {
    let mut world = noting_after(Duration::from_millis(100));
    world.says("RDY");
    world.run_s(60);
    assert_eq!((world.modem.count("AT+CPIN="), told_of(&world).len()), (1, 1));
    // The power was cut: the SIM refuses it this time.
    world.modem.sim = "SIM PIN";
    world.modem.says_instead("AT+CPIN=", "\r\n+CME ERROR: 16\r\n");
    for _ in 0..3 {
        world.says("RDY");
        world.run_s(60);
    }
    assert_eq!((world.modem.count("AT+CPIN="), told_of(&world).len()), (2, 2));
    assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin));
}

#[test]
fn a_note_does_not_hold_for_a_sim_that_has_had_a_wrong_pin_or_long_enough_to_have_one_meanwhile() {
    for (attempts, away) in [(2, 1), (3, 200)] {
        let mut world = noting_after(Duration::from_millis(100));
        world.reopens = false;
        world.give(ModemInput::PortGone);
        world.run_s(away);
        let left = format!("\r\n+QPINC: \"SC\",{attempts},10\r\n\r\nOK\r\n");
        world.modem.says_instead("AT+QPINC", &left);
        world.give(ModemInput::PortOpened);
        world.run_s(60);
        assert_eq!(world.modem.count("AT+CPIN="), 0, "{attempts} {away}");
        assert_eq!(world.line.state(), ModemState::SimWait(SimTrouble::WrongPin), "{attempts} {away}");
    }
}

#[test]
fn what_is_noted_for_a_sim_that_was_taken_out_lets_no_pin_into_the_next_one() {
    let mut world = noting_after(Duration::from_secs(12));
    world.notes = false;
    let other = "89234010000099999999";
    world.modem.sim = "+CME ERROR: 10";
    world.says("+CPIN: NOT INSERTED");
    puts_in(&mut world, other, "SIM PIN");
    // The answer came when the owner had been told of the other one too.
    assert_eq!(told_of(&world).last(), Some(&Some(other.to_owned())));
    assert_eq!(world.modem.count("AT+CPIN="), 0);
    world.give(ModemInput::PinNoted);
    world.run_s(20);
    assert_eq!((world.modem.count("AT+CPIN="), world.line.state()), (1, ModemState::Ready));
}
