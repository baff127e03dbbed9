use std::time::Duration;

use super::super::super::*;
use super::texts::watching_airtime;
use super::world::{PROFILES, World};
use crate::terms::EndCause;

#[test]
fn a_modem_of_each_family_comes_up_and_tells_what_it_is() {
    for (name, _) in PROFILES {
        let mut world = World::new(name, LineSettings::default());
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        assert_eq!(world.line.state(), ModemState::Ready, "{name}: {:#?}", world.line.support_rows());
        let health = world.line.health();
        assert_eq!((health.model.as_deref(), health.operator.as_deref()), (Some("MODEL"), Some("MTN NG")));
        assert_eq!((health.registration, health.signal_dbm), (Registration::Home, Some(-65)));
        assert_eq!(health.sim_operator.as_deref(), Some("62130"));
        assert!(health.troubles.is_empty(), "{:?}", health.troubles);
        assert_eq!(world.modem.broken_rules, [""; 0]);
    }
}

#[test]
fn the_data_of_a_sim_and_the_day_on_which_it_expires_stand_beside_its_airtime() {
    let mut world = watching_airtime();
    world.says("+CUSD: 0,\"Your main balance is N120.50\",15");
    while world.modem.count("AT+CUSD=1,\"*323#\",15") == 0 {
        world.run_s(1);
    }
    assert_eq!((world.line.health().data, world.line.health().expires), (None, None));
    world.says("+CUSD: 0,\"Data balance: 1.5GB. Expires 03/12/2026.\",15");
    world.run_s(1);
    let health = world.line.health();
    assert_eq!(health.data, Some(airtime::Volume(3 << 29)));
    assert_eq!(health.expires, Some(jiff::civil::Date::constant(2026, 12, 3)));
}

#[test]
fn a_line_works_with_its_echo_on_and_with_octets_one_by_one() {
    let mut world = World::new("quectel_ec2x", LineSettings::default());
    world.modem.echo = true;
    world.piece = 1;
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
    world.talks();
    assert_eq!(world.line.health().counters.unknown_rows, 0);
}

#[test]
fn refusals_that_pass_are_tried_again_and_others_are_told() {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.says_instead("AT+CLIP=1", "\r\n+CME ERROR: 14\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(5);
    assert_eq!(world.line.state(), ModemState::Init);
    world.modem.instead.clear();
    world.run_s(20);
    assert_eq!(world.line.state(), ModemState::Ready);
    let mut world = World::new("generic", LineSettings::default());
    world.modem.says_instead("AT+CLIP=1", "\r\nERROR\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::SetUp));
}

#[test]
fn a_read_without_a_final_result_is_an_answer_all_the_same() {
    let mut world = World::new("generic", LineSettings::default());
    world.modem.says_instead("AT+CPIN?", "\r\n+CPIN: READY\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(40);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_lost_answer_puts_no_other_answer_in_the_wrong_place() {
    let mut world = World::ready("generic");
    // The answer to the question of the signal comes seven seconds late.
    world.modem.says_instead("AT+CSQ", "");
    world.run_s(70);
    world.says("+CSQ: 11,99\nOK");
    world.modem.instead.clear();
    world.run_s(120);
    let health = world.line.health();
    assert_eq!((health.state, health.signal_dbm), (ModemState::Ready, Some(-65)));
    assert!(health.counters.timeouts >= 1 && health.counters.resynchronised >= 1);
    assert_eq!(world.resets(), []);
}

#[test]
fn a_silent_modem_is_healed_step_by_step_and_then_left_to_a_person() {
    let mut world = World::ready("simcom_sim7600");
    world.modem.dead = true;
    world.run_s(1200);
    let steps = world.resets();
    let expected = [ResetStep::Reopen, ResetStep::SoftReset, ResetStep::SoftReset, ResetStep::PowerCycle];
    assert_eq!(steps[..4], expected, "{steps:?}");
    assert_eq!(world.modem.count("AT+CRESET"), 1);
    assert!(steps.len() <= 6);
}

#[test]
fn no_hour_has_more_resets_than_the_settings_allow_and_a_person_may_let_it_go_on() {
    let settings = LineSettings { resets_per_hour: 2, ..LineSettings::default() };
    let mut world = World::new("generic", settings);
    world.modem.dead = true;
    world.give(ModemInput::PortOpened);
    world.run_s(900);
    assert_eq!(world.line.state(), ModemState::Quarantined, "{:#?}", world.line.support_rows());
    assert_eq!(world.resets().len(), 2);
    assert!(world.line.health().troubles[0].contains("look after the modem"));
    assert!(world.line.health().troubles[0].contains("pull it out"), "who looks after the box does what it may not");
    world.modem.dead = false;
    world.give(ModemInput::Release);
    assert_eq!(world.resets().len(), 3);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_modem_that_says_that_it_has_started_is_set_up_again() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.says("RDY");
    world.modem.calls.clear();
    world.run_s(30);
    assert_eq!(world.ends(), [EndCause::NetworkOutOfOrder]);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.modem.count("ATE0"), 1);
}

#[test]
fn a_modem_on_a_serial_port_that_goes_down_has_no_call_any_more_and_is_set_up_again_whatever_it_says_then() {
    for (name, row) in [
        ("simcom_sim800", "NORMAL POWER DOWN"),
        ("generic", "POWERED DOWN"),
        ("simcom_sim7600", "POWERED DOWN"),
        ("simcom_sim7600", "UNDER-VOLTAGE POWER DOWN"),
    ] {
        for start in [Some("RDY"), Some("Call Ready"), None] {
            let mut world = World::ready_on(Attachment::SerialPort, name);
            world.talks();
            world.says(row);
            world.modem.calls.clear();
            assert_eq!((world.ends(), world.line.state()), (vec![EndCause::NetworkOutOfOrder], ModemState::Opening));
            world.modem.dead = true;
            world.run_s(10);
            world.modem.dead = false;
            world.modem.heard.clear();
            if let Some(start) = start {
                world.says(start);
                world.run_s(10);
            } else {
                world.run_s(80);
            }
            let is_weak = row.starts_with("UNDER-VOLTAGE");
            let state = if is_weak { ModemState::Degraded(Degradation::WeakPower) } else { ModemState::Ready };
            assert_eq!((world.line.state(), world.modem.count("ATE0")), (state, 1), "{name}: {row}, {start:?}");
            // Unless it says so, it did not go for want of power.
            assert_eq!((world.resets(), world.line.health().counters.drops_under_load), (vec![], 0), "{name}");
        }
    }
}

#[test]
fn a_huawei_that_says_that_its_system_has_started_is_set_up_again() {
    let mut world = World::ready_on(Attachment::SerialPort, "huawei");
    // Its heartbeat is no start.
    world.says("^BOOT:12345678,0,0,0,77");
    world.run_s(30);
    assert_eq!(world.modem.count("ATE0"), 0);
    world.says("^SYSSTART");
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!((world.modem.count("ATE0"), world.modem.count("AT^CURC=1")), (1, 1));
}

#[test]
fn a_modem_that_says_in_words_how_it_has_started_is_set_up_again_and_one_that_shows_words_is_not() {
    let mut world = World::ready_on(Attachment::SerialPort, "generic");
    world.says("START saving today");
    world.run_s(60);
    assert_eq!(world.modem.count("ATE0"), 0);
    world.says("^SYSSTART AIRPLANE MODE");
    world.run_s(30);
    assert_eq!((world.line.state(), world.modem.count("ATE0")), (ModemState::Ready, 1), "{:?}", world.modem.heard);
}

#[test]
fn a_modem_on_usb_that_goes_down_is_away_once_its_port_is() {
    let mut world = World::ready("simcom_sim7600");
    world.says("POWERED DOWN");
    assert_eq!(world.line.state(), ModemState::Ready);
    world.give(ModemInput::PortGone);
    assert_eq!(world.line.state(), ModemState::Absent);
}

#[test]
fn a_modem_that_answers_nothing_while_its_caller_hears_sound_is_not_reset() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.modem.dead = true;
    world.sound(120, 16_000, 16_000);
    assert_eq!((world.resets(), world.ends(), world.line.state()), (vec![], vec![], ModemState::Active));
    // Once nothing is heard any more the call is over, and the modem is healed.
    world.run_s(30);
    assert_eq!(world.ends().len(), 1);
    assert_eq!(world.resets().first(), Some(&ResetStep::Reopen));
}

#[test]
fn sound_that_is_missing_is_noticed_within_two_seconds_and_cured_by_the_milder_means_first() {
    let mut world = World::ready("huawei");
    world.talks();
    let before = world.modem.count("AT^DDSETEX=2");
    world.sound(2, 0, 16_000);
    assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::Missing)));
    assert_eq!(world.modem.count("AT^DDSETEX=2"), before + 1);
    let opened = |world: &World| world.wanted().iter().filter(|o| matches!(o, ModemOutput::OpenSound(_))).count();
    assert_eq!(opened(&world), 1);
    world.sound(2, 0, 16_000);
    assert_eq!(opened(&world), 2);
    world.sound(3, 16_000, 16_000);
    world.run_s(1);
    assert_eq!(world.ends(), []);
}

fn opened(world: &World) -> usize {
    world.wanted().iter().filter(|output| matches!(output, ModemOutput::OpenSound(_))).count()
}

#[test]
fn a_caller_who_says_nothing_is_left_alone_and_what_has_no_sound_at_all_is_turned_on_once_more() {
    for name in ["huawei", "quectel_ec2x", "simcom_sim7600"] {
        let mut world = World::ready(name);
        world.talks();
        let on = world.line.profile().sounds[0].on.clone();
        let given = |world: &World| on.as_ref().map_or(0, |row| world.modem.count(row));
        let before = given(&world);
        world.quiet(300, -70.0);
        world.quiet(9, -90.0);
        world.quiet(1, -40.0);
        for _ in 0..30 {
            world.quiet(1, -100.0);
            world.quiet(1, -40.0);
        }
        assert_eq!(given(&world), before, "{name}: a quiet caller is no fault");
        // A modem whose sound is on already may refuse to turn it on: that is no decay.
        if let Some(on) = &on {
            world.modem.says_instead(on, "\r\nERROR\r\n");
        }
        world.quiet(2, -100.0);
        assert!(world.has(&ModemOutput::SoundTrouble(SoundFault::SilentDownlink)), "{name}");
        for _ in 0..3 {
            world.quiet(60, -100.0);
            world.quiet(3, -40.0);
        }
        assert_eq!(given(&world), before + usize::from(on.is_some()), "{name}");
        assert_eq!((opened(&world), world.line.state()), (1, ModemState::Active), "{name}");
        // Sound that is missing afterwards has its own cures, all of them.
        world.modem.instead.clear();
        world.sound(2, 0, 16_000);
        assert_eq!(given(&world), before + 2 * usize::from(on.is_some()), "{name}");
        world.sound(5, 16_000, 16_000);
        world.far_side_hangs_up();
        world.run_s(5);
        assert_eq!((world.resets(), world.line.state()), (vec![], ModemState::Ready), "{name}");
    }
}

#[test]
fn calls_of_which_not_one_sample_was_heard_are_lost_ones_and_none_is_cut_off_for_it() {
    let mut world = World::ready("huawei");
    for call in 1..=2 {
        world.seen.clear();
        world.talks();
        let before = world.modem.count("AT^DDSETEX=2");
        world.quiet(60, -100.0);
        assert_eq!((opened(&world), world.modem.count("AT^DDSETEX=2")), (2, before + 2));
        assert_eq!((world.line.state(), world.ends()), (ModemState::Active, vec![]));
        world.far_side_hangs_up();
        world.run_s(1);
        assert_eq!(world.line.health().counters.calls_without_sound, call);
        assert_eq!(world.resets().is_empty(), call == 1);
    }
    // A caller who was silent for a moment is none of them.
    let mut world = World::ready("huawei");
    for _ in 0..3 {
        world.talks();
        world.quiet(5, -100.0);
        world.far_side_hangs_up();
        world.talks();
        world.quiet(30, -100.0);
        world.quiet(1, -60.0);
        world.far_side_hangs_up();
        world.run_s(1);
    }
    assert_eq!((world.line.health().counters.calls_without_sound, world.resets()), (0, vec![]));
}

#[test]
fn a_way_of_sound_that_does_not_come_up_leaves_the_call_to_the_next() {
    // The card is not there; the modem refuses it; it comes and gives nothing.
    for fails in 0..3 {
        let mut world = World::ready("quectel_ec2x");
        world.rings();
        if fails == 1 {
            world.modem.says_instead("AT+QPCMV=1,2", "\r\nERROR\r\n");
        }
        world.give(ModemInput::Answer);
        assert!(world.has(&ModemOutput::OpenSound(SoundPath::UsbCard)));
        if fails == 0 {
            world.give(ModemInput::SoundFailed);
        }
        world.run_s(4);
        assert_eq!(world.line.state(), ModemState::Active, "{fails}: {:#?}", world.line.support_rows());
        if fails == 2 {
            world.sound(6, 0, 0);
            world.run_s(1);
        }
        assert_eq!(world.line.sound_path(), SoundPath::Serial, "{fails}");
        assert_eq!(world.wanted().iter().filter(|o| **o == ModemOutput::Connected).count(), 1, "{fails}");
        assert_eq!(world.modem.count("AT+QPCMV=1,0"), 1, "{fails}");
        let of = |row: &str| world.modem.heard.iter().rposition(|heard| heard == row);
        if fails != 1 {
            assert!(of("AT+QPCMV=1,2") < of("AT+QPCMV=0") && of("AT+QPCMV=0") < of("AT+QPCMV=1,0"), "{fails}");
        }
        world.sound(5, 16_000, 16_000);
        world.far_side_hangs_up();
        world.run_s(2);
        assert_eq!(world.ends(), [EndCause::NormalClearing], "{fails}");
        // It is what the next call begins with.
        world.seen.clear();
        world.modem.heard.clear();
        world.talks();
        assert_eq!((opened(&world), world.modem.count("AT+QPCMV=1,2")), (1, 0), "{fails}");
        assert!(world.has(&ModemOutput::OpenSound(SoundPath::Serial)), "{fails}");
    }
}

#[test]
fn a_call_that_no_way_of_sound_carries_is_ended_and_not_answered_mutely() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+QPCMV=1", "\r\nERROR\r\n");
    world.rings();
    world.give(ModemInput::Answer);
    world.run_s(10);
    assert_eq!((world.ends(), opened(&world)), (vec![EndCause::TemporaryFailure], 2));
    assert_eq!(world.modem.count("ATA"), 0);
}

#[test]
fn every_ways_rows_are_given_once_at_the_start() {
    let mut world = World::new("quectel_ec2x", LineSettings::default());
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.modem.count("AT+QAUDMOD=3"), 1, "the port's own row, though the card is first");
}

#[test]
fn two_calls_without_sound_change_its_way_and_restart_the_modem() {
    let mut world = World::ready("quectel_ec2x");
    for _ in 0..2 {
        world.talks();
        world.sound(12, 0, 0);
        world.run_s(3);
    }
    assert_eq!(world.ends(), [EndCause::TemporaryFailure; 2]);
    assert_eq!(world.resets(), [ResetStep::SoftReset]);
    assert_eq!(world.line.health().counters.calls_without_sound, 2);
    world.give(ModemInput::PortGone);
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.seen.clear();
    world.talks();
    assert!(world.has(&ModemOutput::OpenSound(SoundPath::Serial)));
    world.sound(3, 16_000, 16_000);
    world.far_side_hangs_up();
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_modem_whose_sound_decays_is_restarted_between_calls() {
    let mut world = World::ready("simcom_sim7600");
    world.modem.says_instead("AT+CPCMREG=1", "\r\nERROR\r\n");
    world.rings();
    world.give(ModemInput::Answer);
    world.run(Duration::from_millis(1500));
    world.modem.instead.clear();
    world.run_s(3);
    assert_eq!(world.line.state(), ModemState::Active);
    world.sound(5, 16_000, 16_000);
    assert_eq!(world.resets(), []);
    world.far_side_hangs_up();
    world.run_s(1);
    assert_eq!((world.resets(), world.modem.count("AT+CRESET")), (vec![ResetStep::SoftReset], 1));
    // A call whose sound is there at once needs none.
    let mut world = World::ready("simcom_sim7600");
    world.talks();
    world.sound(3, 16_000, 16_000);
    world.far_side_hangs_up();
    world.run_s(5);
    assert_eq!(world.resets(), []);
}

#[test]
fn sound_that_cannot_be_turned_on_ends_the_call_instead_of_answering_mutely() {
    let mut world = World::ready("quectel_ec2x");
    world.modem.says_instead("AT+QPCMV=1", "\r\nERROR\r\n");
    world.rings();
    world.give(ModemInput::Answer);
    world.run_s(10);
    assert_eq!(world.ends(), [EndCause::TemporaryFailure]);
    assert_eq!(world.modem.count("ATA"), 0);
}

#[test]
fn a_modem_that_falls_off_three_times_under_load_has_too_little_power() {
    let mut world = World::ready("generic");
    for _ in 0..3 {
        assert!(!world.line.health().troubles.iter().any(|t| t.contains("power")));
        world.rings();
        world.modem.calls.clear();
        world.give(ModemInput::PortGone);
        assert_eq!(world.line.state(), ModemState::Absent);
        world.give(ModemInput::PortOpened);
        world.run_s(30);
    }
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::WeakPower));
    assert!(world.line.health().troubles[0].contains("powered hub"));
    assert_eq!(world.ends(), [EndCause::NetworkOutOfOrder; 3]);
}

#[test]
fn a_modem_on_a_serial_port_that_starts_anew_in_three_calls_has_too_little_power() {
    let mut world = World::ready("simcom_sim800");
    for calls in 1..=3 {
        world.talks();
        world.modem.calls.clear();
        world.says("RDY");
        world.run_s(60);
        assert_eq!(world.ends().len(), calls);
        assert_eq!(world.line.health().counters.drops_under_load, calls as u64);
    }
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::WeakPower));
    // At rest that is no matter of power.
    world.says("RDY");
    world.run_s(60);
    assert_eq!(world.line.health().counters.drops_under_load, 3);
}

#[test]
fn a_modem_that_starts_anew_at_rest_again_and_again_is_told_of_until_it_stays_up_for_an_hour() {
    let is_told = |world: &World| world.line.health().troubles.iter().any(|told| told.contains("its plug"));
    let mut world = World::ready("simcom_sim800");
    for _ in 0..5 {
        world.says("RDY");
        world.run_s(60);
        assert!(!is_told(&world) && world.line.state() == ModemState::Ready);
    }
    // From here on it never stays up for long enough to be set up, and is told of all the same.
    for _ in 0..10 {
        world.says("RDY");
        world.run_s(1);
        assert!(is_told(&world), "{:?}", world.line.health().troubles);
        assert_ne!(world.line.state(), ModemState::Ready);
    }
    world.run_s(120);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::Restless));
    world.rings();
    assert_eq!(world.line.state(), ModemState::Ringing, "calls come all the same");
    world.modem.calls.clear();
    world.run_s(3600);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert!(!is_told(&world));
}

#[test]
fn rows_that_one_start_says_are_one_start_and_one_set_up_and_its_first_row_again_is_another() {
    let set_ups = |world: &World| world.modem.count("AT+CMEE=1");
    let is_told = |world: &World| world.line.health().troubles.iter().any(|told| told.contains("its plug"));
    let mut world = World::ready("simcom_sim800");
    for starts in 1..=4 {
        world.says("RDY");
        world.run_s(5);
        assert_eq!((world.line.state(), set_ups(&world)), (ModemState::Ready, starts));
        world.says("Call Ready");
        assert_eq!(world.line.state(), ModemState::Ready);
        world.run_s(5);
        assert_eq!(set_ups(&world), starts);
    }
    assert!(!is_told(&world), "four starts and not eight");
    // Nor is it another after a reset that the box made.
    world.modem.dead = true;
    for _ in 0..600 {
        if world.resets().last() == Some(&ResetStep::SoftReset) {
            break;
        }
        world.run_s(1);
    }
    assert_eq!(world.line.state(), ModemState::Opening);
    world.modem.dead = false;
    world.modem.heard.clear();
    for row in ["RDY", "Call Ready"] {
        world.says(row);
        world.run_s(5);
        assert_eq!((world.line.state(), set_ups(&world)), (ModemState::Ready, 1), "{row}");
    }
    assert!(!is_told(&world), "{:?}", world.line.health().troubles);
    // Nor where the first row comes into a set-up that has just begun.
    let mut world = World::new("simcom_sim800", LineSettings::default());
    world.give(ModemInput::PortOpened);
    for row in ["RDY", "Call Ready"] {
        world.says(row);
        world.run_s(10);
        assert_eq!((world.line.state(), set_ups(&world)), (ModemState::Ready, 1), "{row}");
    }
    // The same row again is another start, and so is the second one after a start's time.
    for (row, starts) in [("Call Ready", 2), ("RDY", 3), ("RDY", 4)] {
        world.says(row);
        world.run_s(10);
        assert_eq!(set_ups(&world), starts, "{row}");
    }
    world.run_s(20);
    world.says("Call Ready");
    world.run_s(10);
    assert_eq!(set_ups(&world), 5);
}

#[test]
fn a_modem_that_the_box_itself_resets_is_not_restless() {
    let mut world = World::ready("simcom_sim800");
    // As many within the hour as the line may make.
    for _ in 0..3 * 60 {
        let is_reset = world.line.state() == ModemState::Opening;
        world.modem.dead = !is_reset;
        if is_reset {
            world.says("RDY");
        }
        world.run_s(10);
    }
    assert!(world.line.health().counters.resets >= 6, "{:?}", world.line.health().counters);
    assert!(!world.line.health().troubles.iter().any(|told| told.contains("its plug")));
}

#[test]
fn power_that_was_weak_is_well_again_after_a_day_without_a_drop() {
    for said in ["UNDER-VOLTAGE POWER DOWN", "UNDER-VOLTAGE WARNNING"] {
        let mut world = World::ready_on(Attachment::SerialPort, "simcom_sim800");
        // Any other way down is no matter of its supply.
        world.says("NORMAL POWER DOWN");
        world.run_s(60);
        assert_eq!(world.line.state(), ModemState::Ready);
        world.says(said);
        world.run_s(60);
        assert_eq!(world.line.state(), ModemState::Degraded(Degradation::WeakPower), "{said}");
    }
    let mut world = World::ready("generic");
    world.says("UNDER-VOLTAGE WARNING");
    world.run_s(1);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::WeakPower));
    world.run_s(23 * 3600);
    assert_eq!(world.line.state(), ModemState::Degraded(Degradation::WeakPower));
    world.run_s(3600);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert_eq!(world.line.health().troubles, [""; 0]);
    let last = world.seen.iter().rev().find_map(|(_, output)| match output {
        ModemOutput::Changed(change) => Some(change.reason),
        _ => None,
    });
    assert_eq!(last, Some(Reason::Mended));
}

#[test]
fn firmware_that_refuses_one_way_of_telling_texts_is_asked_for_the_other_and_is_well() {
    for (name, _) in PROFILES {
        let mut world = World::new(name, LineSettings::default());
        world.modem.says_instead("AT+CNMI=2", "\r\n+CMS ERROR: 303\r\n");
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        assert_eq!((world.line.state(), world.modem.count("AT+CNMI=1,1,0,1,0")), (ModemState::Ready, 1), "{name}");
        // One that takes the first is not asked again.
        let mut world = World::new(name, LineSettings::default());
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        assert_eq!((world.modem.count("AT+CNMI=2"), world.modem.count("AT+CNMI=1")), (1, 0), "{name}");
    }
}

#[test]
fn what_a_modem_is_must_be_said_by_the_one_at_the_port() {
    let mut world = World::ready("quectel_ec2x");
    assert!(world.line.health().imei.is_some());
    world.give(ModemInput::PortGone);
    world.give(ModemInput::PortOpened);
    // It may be another one until it has answered.
    assert_eq!((world.line.health().imei, world.line.health().model), (None, None));
    world.run_s(30);
    assert!(world.line.health().imei.is_some());
}

#[test]
fn a_network_that_goes_is_told_and_a_line_that_finds_none_is_restarted_once_in_a_while() {
    let mut world = World::ready("generic");
    world.modem.says_instead("AT+CREG?", "\r\n+CREG: 2,2\r\n\r\nOK\r\n");
    world.says("+CREG: 2");
    assert_eq!(world.line.state(), ModemState::Searching);
    world.run_s(16 * 60);
    assert_eq!(world.resets(), [ResetStep::SoftReset]);
    world.modem.instead.clear();
    world.run_s(120);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_sim_on_4g_alone_without_volte_cannot_be_called_and_the_reason_is_told() {
    let mut world = World::new("quectel_ec2x", LineSettings::default());
    world.modem.says_instead("AT+CREG?", "\r\n+CREG: 2,0\r\n\r\nOK\r\n");
    world.modem.says_instead("AT+CEREG?", "\r\n+CEREG: 2,1,\"5E25\",\"0A605F\",7\r\n\r\nOK\r\n");
    world.modem.says_instead("AT+QCFG=\"ims\"", "\r\n+QCFG: \"ims\",0,0\r\n\r\nOK\r\n");
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Searching);
    assert!(world.line.health().troubles[0].contains("VoLTE"));
    world.modem.says_instead("AT+QCFG=\"ims\"", "\r\n+QCFG: \"ims\",1,1\r\n\r\nOK\r\n");
    world.run_s(30);
    assert_eq!((world.line.state(), world.line.health().volte), (ModemState::Ready, Volte::Up));
}

#[test]
fn the_support_ring_shows_what_led_to_a_state_and_nobodys_number() {
    let mut world = World::ready("quectel_ec2x");
    world.talks();
    world.far_side_hangs_up();
    let rows = world.line.support_rows();
    assert!(rows.len() <= SUPPORT_ROWS_MAX);
    assert!(rows.iter().any(|r| r.way == SupportWay::Line && r.text == "ready -> ringing: a call comes in"));
    for hidden in ["8031234567", "621301234567890", "490154203237518", "89234010000012345678"] {
        assert!(rows.iter().all(|row| !row.text.contains(hidden)), "{hidden}");
    }
    // Hours of questions do not push it out.
    world.run_s(4 * 3600);
    let rows = world.line.support_rows();
    assert!(rows.len() <= SUPPORT_ROWS_MAX);
    let change = rows.iter().position(|row| row.text == "ready -> ringing: a call comes in").expect("it is kept");
    assert!(rows[..change].iter().any(|row| row.way == SupportWay::FromModem && row.text == "RING"));
}

#[test]
fn a_modem_that_does_not_come_back_has_its_power_taken_and_is_then_absent() {
    let mut world = World::ready("generic");
    world.reopens = false;
    world.modem.dead = true;
    world.run_s(300);
    assert_eq!(world.resets(), [ResetStep::Reopen, ResetStep::PowerCycle]);
    assert_eq!(world.line.state(), ModemState::Absent);
    world.modem.dead = false;
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
}
