//! Sound that decays from call to call, and the restart that is planned for it.

use std::time::Duration;

use super::super::super::*;
use super::world::World;
use crate::terms::EndCause;

/// A call whose sound does not come at the first try, and is well afterwards.
fn decayed_call(world: &mut World) {
    world.modem.says_instead("AT+CPCMREG=1", "\r\nERROR\r\n");
    world.rings();
    world.give(ModemInput::Answer);
    world.run(Duration::from_millis(1500));
    world.modem.instead.clear();
    world.run_s(3);
    assert_eq!(world.line.state(), ModemState::Active, "{:#?}", world.line.support_rows());
    world.sound(5, 16_000, 16_000);
    world.far_side_hangs_up();
}

fn was_quarantined(world: &World) -> bool {
    let is_it = |output: &ModemOutput| matches!(output, ModemOutput::Changed(c) if c.to == ModemState::Quarantined);
    world.seen.iter().any(|(_, output)| is_it(output))
}

#[test]
fn sound_that_decays_call_after_call_brings_the_makers_restart_alone_and_never_a_line_that_refuses_calls() {
    for by_person in [false, true] {
        let mut world = World::ready("simcom_sim7600");
        for _ in 0..8 {
            decayed_call(&mut world);
            world.run_s(230);
        }
        // The hour has had five of its six, and the last is a fault's; what is due is put off.
        assert_eq!((world.resets(), world.modem.count("AT+CRESET")), (vec![ResetStep::SoftReset; 5], 5));
        assert_eq!(world.line.state(), ModemState::Degraded(Degradation::NoSound));
        assert!(!was_quarantined(&world));
        assert_eq!(world.ends().len(), 8);
        // It is made when the oldest of them is an hour old, or a person says that it may be.
        if by_person {
            world.give(ModemInput::Release);
            world.run_s(120);
        } else {
            world.run_s(40 * 60);
        }
        assert_eq!((world.resets().len(), world.modem.count("AT+CRESET")), (6, 6));
        assert_eq!(world.line.state(), ModemState::Ready);
        assert!(!was_quarantined(&world));
    }
}

#[test]
fn calls_in_which_nothing_but_silence_comes_bring_the_makers_restart_and_nothing_harder() {
    let mut world = World::ready("simcom_sim7600");
    for _ in 0..4 {
        world.talks();
        world.quiet(14, -90.0);
        world.far_side_hangs_up();
        world.run_s(120);
    }
    // The first of them may be a caller's own silence.
    assert_eq!((world.resets(), world.modem.count("AT+CRESET")), (vec![ResetStep::SoftReset; 3], 3));
    assert_eq!(world.line.health().counters.calls_without_sound, 4);
    assert!(!was_quarantined(&world));
}

#[test]
fn the_first_fault_after_restarts_that_were_planned_is_mended_and_costs_no_calls() {
    let mut world = World::ready("simcom_sim7600");
    for _ in 0..7 {
        decayed_call(&mut world);
        world.run_s(230);
    }
    assert_eq!(world.resets(), [ResetStep::SoftReset; 5]);
    world.modem.dead = true;
    for _ in 0..300 {
        if world.resets().len() > 5 {
            break;
        }
        world.run_s(1);
    }
    world.modem.dead = false;
    world.run_s(60);
    assert_eq!(world.resets()[5..], [ResetStep::Reopen]);
    assert_eq!(world.line.state(), ModemState::Ready);
    assert!(!was_quarantined(&world));
}

#[test]
fn a_line_whose_calls_end_well_is_well_and_begins_at_the_mildest_step_again() {
    let mut world = World::ready("huawei");
    for faults in 1..=2 {
        world.modem.dead = true;
        for _ in 0..300 {
            if world.resets().len() == faults {
                break;
            }
            world.run_s(1);
        }
        world.modem.dead = false;
        world.run_s(60);
        assert_eq!(world.line.state(), ModemState::Ready);
        for _ in 0..4 {
            world.talks();
            world.sound(3, 16_000, 16_000);
            world.give(ModemInput::HangUp(EndCause::NormalClearing));
            world.run_s(200);
        }
    }
    assert_eq!(world.resets(), [ResetStep::Reopen; 2]);
}

#[test]
fn one_call_whose_sound_is_not_taken_or_does_not_come_shows_the_decay_as_well() {
    // Nothing is taken, and then again; nothing comes at the end.
    for (bad, then) in [((16_000, 0), (16_000, 16_000)), ((16_000, 16_000), (0, 16_000))] {
        let mut world = World::ready("simcom_sim7600");
        world.talks();
        world.sound(3, bad.0, bad.1);
        world.sound(5, then.0, then.1);
        assert_eq!((world.line.state(), world.resets()), (ModemState::Active, vec![]));
        world.far_side_hangs_up();
        world.run_s(1);
        assert_eq!((world.resets(), world.modem.count("AT+CRESET")), (vec![ResetStep::SoftReset], 1), "{bad:?}");
    }
    // A modem whose sound does not decay is left as it is after one such call.
    let mut world = World::ready("huawei");
    world.talks();
    world.sound(3, 16_000, 0);
    world.sound(5, 16_000, 16_000);
    world.far_side_hangs_up();
    world.run_s(1);
    assert_eq!((world.resets(), world.line.state()), (vec![], ModemState::Ready));
}

/// How often each writing of the row that turns the sound off was given.
fn offs(world: &World) -> [usize; 3] {
    let given = |row: &str| world.modem.heard.iter().filter(|heard| *heard == row).count();
    ["AT+CPCMREG=0", "AT+CPCMREG=0,0", "AT+CPCMREG=0,1"].map(given)
}

fn good_call(world: &mut World) {
    world.talks();
    world.sound(3, 16_000, 16_000);
    world.far_side_hangs_up();
    world.run_s(3);
}

#[test]
fn sound_that_is_not_turned_off_by_one_writing_is_turned_off_by_the_next() {
    let mut world = World::ready("simcom_sim7600");
    good_call(&mut world);
    assert_eq!(offs(&world), [1, 0, 0]);
    world.modem.says_instead("AT+CPCMREG=0", "\r\nERROR\r\n");
    world.modem.says_instead("AT+CPCMREG=0,0", "\r\nOK\r\n");
    good_call(&mut world);
    assert_eq!(offs(&world), [2, 1, 0]);
    world.modem.instead.clear();
    decayed_call(&mut world);
    world.run_s(1);
    assert_eq!(world.resets(), [ResetStep::SoftReset], "it was off, so that the first try says something");
}

#[test]
fn sound_that_stayed_on_and_is_not_turned_on_at_once_is_no_sign_of_decay() {
    let is_note = |row: &SupportRow| row.text.contains("does not turn its sound off");
    let note = |world: &World| world.line.support_rows().iter().filter(|row| is_note(row)).count();
    let mut world = World::ready("simcom_sim7600");
    world.modem.says_instead("AT+CPCMREG=0", "\r\n+CME ERROR: 3\r\n");
    good_call(&mut world);
    assert_eq!((offs(&world), note(&world)), ([1, 1, 1], 1));
    decayed_call(&mut world);
    world.run_s(60);
    assert_eq!((world.resets(), world.line.state(), note(&world)), (vec![], ModemState::Ready, 1));
    // It was turned off after that one: now it is a sign again.
    decayed_call(&mut world);
    world.run_s(1);
    assert_eq!(world.resets(), [ResetStep::SoftReset]);
}
