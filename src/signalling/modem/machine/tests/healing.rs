//! A modem whose power is not the box's to take, and one that needs a network and no power.

use super::super::super::*;
use super::world::World;

/// A modem that answered nothing until its power was to be taken, and has it still.
fn keeps_its_power(attachment: Attachment, name: &str) -> World {
    let mut world = World::ready_on(attachment, name);
    world.has_switch = false;
    world.modem.dead = true;
    for _ in 0..1_200 {
        if world.resets().last() == Some(&ResetStep::PowerCycle) {
            break;
        }
        world.run_s(1);
    }
    assert_eq!(world.resets().last(), Some(&ResetStep::PowerCycle), "{name}: {:?}", world.resets());
    world
}

#[test]
fn a_modem_whose_power_cannot_be_taken_is_opened_anew_and_takes_calls_once_it_answers_again() {
    for (attachment, name) in
        [(Attachment::Usb, "generic"), (Attachment::Usb, "simcom_sim7600"), (Attachment::SerialPort, "simcom_sim800")]
    {
        let mut world = keeps_its_power(attachment, name);
        world.modem.dead = false;
        world.run_s(120);
        assert_eq!(world.resets().last(), Some(&ResetStep::Reopen), "{name}");
        assert_eq!(world.line.state(), ModemState::Ready, "{name}: {:#?}", world.line.support_rows());
        world.talks();
    }
}

#[test]
fn a_modem_that_keeps_its_power_and_stays_silent_is_left_to_a_person_and_not_said_to_be_away() {
    let mut world = keeps_its_power(Attachment::SerialPort, "simcom_sim800");
    world.run_s(900);
    assert_eq!(world.line.state(), ModemState::Quarantined, "{:?}", world.resets());
    world.modem.dead = false;
    world.give(ModemInput::Release);
    world.run_s(60);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_port_that_cannot_be_opened_after_its_power_was_left_to_it_is_away_until_it_can() {
    let mut world = keeps_its_power(Attachment::Usb, "generic");
    let before = world.resets().len();
    world.reopens = false;
    world.run_s(300);
    assert_eq!((world.line.state(), &world.resets()[before..]), (ModemState::Absent, &[ResetStep::Reopen][..]));
    world.modem.dead = false;
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    assert_eq!(world.line.state(), ModemState::Ready);
}

#[test]
fn a_line_without_a_network_for_hours_is_restarted_and_nothing_harder_and_takes_the_first_call_after_it() {
    for name in ["generic", "simcom_sim7600"] {
        let mut world = World::ready(name);
        world.has_switch = false;
        world.modem.says_instead("AT+CREG?", "\r\n+CREG: 2,2\r\n\r\nOK\r\n");
        world.says("+CREG: 2");
        assert_eq!(world.line.state(), ModemState::Searching, "{name}");
        world.run_s(2 * 3600);
        let steps = world.resets();
        assert!(steps.len() >= 5 && steps.iter().all(|step| *step == ResetStep::SoftReset), "{name}: {steps:?}");
        world.modem.instead.clear();
        world.says("+CREG: 1");
        world.run_s(120);
        assert_eq!(world.line.state(), ModemState::Ready, "{name}");
        world.talks();
    }
}
