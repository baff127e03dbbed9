use super::super::super::*;
use super::world::{PROFILES, World};

/// "hellohello", as a modem shows it.
const TEXT: &str = "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37";

/// The report on a text that was delivered.
const REPORT: &str = "07914356060013F106260C91123456789012627021518155806270215181558000";

fn identities(world: &World) -> [Option<String>; 3] {
    let health = world.line.health();
    [health.imei, health.iccid, health.sim_operator.map(crate::terms::Private::new)]
        .map(|one| one.map(crate::terms::Private::into_exposed))
}

fn arrived(world: &World) -> usize {
    world.wanted().iter().filter(|output| matches!(output, ModemOutput::TextArrived { .. })).count()
}

fn reported(world: &World) -> usize {
    world.wanted().iter().filter(|output| matches!(output, ModemOutput::TextReported(_))).count()
}

#[test]
fn a_text_that_comes_while_an_identity_is_asked_for_is_a_text_and_the_identity_stays_one() {
    for (command, identity) in
        [("AT+CGSN", "490154203237518"), ("AT+CIMI", "621301234567890"), ("AT+CCID", "89234010000012345678")]
    {
        let text = format!("+CMT: ,{}\r\n{TEXT}", TEXT.len() / 2 - 8);
        let told = format!("+CDS: {}\r\n{REPORT}", REPORT.len() / 2 - 8);
        for rows in [
            format!("{text}\r\n{identity}\r\n{told}\r\n\r\nOK"),
            format!("{told}\r\n{text}\r\n{identity}\r\n\r\nOK"),
            format!("{identity}\r\n{text}\r\n{told}\r\n\r\nOK"),
            // The head before the answer, and the text behind it or behind its end.
            text.replace("\r\n", &format!("\r\n{identity}\r\n")) + &format!("\r\n{told}\r\n\r\nOK"),
            format!("{told}\r\n") + &text.replace("\r\n", &format!("\r\n{identity}\r\n\r\nOK\r\n")),
        ] {
            let mut world = World::new("simcom_sim800", LineSettings::default());
            world.modem.says_instead(command, &format!("\r\n{rows}\r\n"));
            world.give(ModemInput::PortOpened);
            world.run_s(20);
            let expected = ["490154203237518", "89234010000012345678", "62130"].map(|text| Some(text.to_owned()));
            assert_eq!(identities(&world), expected, "{command}: {rows}");
            assert_eq!((arrived(&world), reported(&world)), (1, 1), "{command}: {rows}");
        }
    }
}

#[test]
fn a_modem_of_each_family_tells_its_own_number_and_its_sims() {
    for (name, _) in PROFILES {
        let mut world = World::new(name, LineSettings::default());
        world.give(ModemInput::PortOpened);
        world.run_s(30);
        let expected = ["490154203237518", "89234010000012345678", "62130"].map(|text| Some(text.to_owned()));
        assert_eq!(identities(&world), expected, "{name}");
    }
}

#[test]
fn a_text_whose_head_was_lost_is_no_identity() {
    let mut world = World::new("simcom_sim800", LineSettings::default());
    world.modem.says_instead("AT+CGSN", &format!("\r\n490154203237518\r\n{TEXT}\r\n\r\nOK\r\n"));
    world.give(ModemInput::PortOpened);
    world.run_s(20);
    assert_eq!(identities(&world)[0].as_deref(), Some("490154203237518"));
}

#[test]
fn a_model_is_the_first_row_of_its_answer_and_what_a_start_says_behind_it_is_news() {
    for behind in ["PNN UPDATING", "CALL READY", "DST: 0", "something that nobody knows"] {
        let mut world = World::ready("simcom_sim7600");
        let unknown = world.line.health().counters.unknown_rows;
        world.modem.between.push_back(behind.to_owned());
        world.give(ModemInput::Command { id: 1, row: "AT+CGMM".to_owned(), force: Force::No });
        world.run_s(1);
        let health = world.line.health();
        assert_eq!(health.model.as_deref(), Some("MODEL"), "{behind}");
        let is_unknown = behind.starts_with("something");
        assert_eq!(health.counters.unknown_rows - unknown, u64::from(is_unknown), "{behind}");
    }
}
