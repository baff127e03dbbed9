use super::super::super::*;
use super::world::{CALLER, PROFILES, World, number};

/// A text: "hellohello".
const TEXT: &str = "07912143658709F1040B918100551512F20000111010214365000AE8329BFD4697D9EC37";

/// A report for reference 1 to the caller, status 0 (3GPP TS 23.040 section 9.2.2.3).
const REPORT: &str = "0006010D91328430214365F7112032214365001120322143650000";

fn is_delivered(world: &World) -> bool {
    let told = TextReport { reference: 1, to: Some(number(CALLER)), delivery: Delivery::Delivered };
    world.wanted().iter().filter(|output| **output == ModemOutput::TextReported(told.clone())).count() == 1
}

fn arrived(world: &World) -> usize {
    world.wanted().iter().filter(|output| matches!(output, ModemOutput::TextArrived { .. })).count()
}

/// What was asked of the modem's memories.
fn asked(world: &World) -> Vec<String> {
    let is_of_memory = |row: &&String| ["AT+CPMS", "AT+CMG"].iter().any(|name| row.starts_with(name));
    world.modem.heard.iter().filter(is_of_memory).cloned().collect()
}

#[test]
fn a_report_in_its_own_memory_is_read_there_and_no_text_in_its_stead() {
    for (name, _) in PROFILES {
        let mut world = World::ready(name);
        let home = world.modem.memory.clone();
        world.modem.storage.push((4, TEXT.to_owned()));
        world.modem.reports.push((4, REPORT.to_owned()));
        world.says("+CDSI: \"SR\",4");
        world.run_s(2);
        assert!(is_delivered(&world), "{name}: {:?}", world.wanted());
        let back = format!("AT+CPMS=\"{home}\"");
        let rows = ["AT+CPMS?", "AT+CPMS=\"SR\"", "AT+CMGR=4", "AT+CMGD=4", back.as_str()];
        assert_eq!(asked(&world), rows, "{name}");
        assert_eq!((world.modem.reports.len(), world.modem.storage.len(), arrived(&world)), (0, 1, 0), "{name}");
        // Texts are read as before.
        world.run_s(61);
        assert_eq!((world.modem.memory.as_str(), arrived(&world)), (home.as_str(), 1), "{name}");
        assert_eq!(world.modem.broken_rules, [""; 0]);
    }
}

#[test]
fn reports_that_were_stored_while_nobody_listened_are_read_at_a_start_where_the_modem_stores_them() {
    for (name, _) in PROFILES {
        let mut world = World::new(name, LineSettings::default());
        world.modem.says_instead("AT+CNMI=2,1,0,1,0", "\r\n+CMS ERROR: 303\r\n");
        world.modem.reports.push((4, REPORT.to_owned()));
        // No report: whatever it is, it stays.
        world.modem.reports.push((5, TEXT.to_owned()));
        world.modem.storage.push((4, TEXT.to_owned()));
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        assert!(is_delivered(&world), "{name}: {:?}", world.wanted());
        assert_eq!((world.modem.reports.len(), world.modem.count("AT+CPMS=\"SR\"")), (1, 1), "{name}");
        assert_eq!((world.modem.memory != "SR", arrived(&world)), (true, 1), "{name}");
        assert_eq!(world.modem.broken_rules, [""; 0]);
    }
}

#[test]
fn a_modem_that_tells_its_reports_at_once_is_never_turned_away_from_its_texts() {
    for (name, _) in PROFILES {
        let mut world = World::new(name, LineSettings::default());
        world.give(ModemInput::PortOpened);
        world.run_s(40);
        assert_eq!((world.line.state(), world.modem.count("AT+CPMS=\"SR\"")), (ModemState::Ready, 0), "{name}");
    }
}

#[test]
fn a_report_that_is_told_at_once_is_read_and_nothing_is_read_or_deleted_for_it() {
    for (name, _) in PROFILES {
        let mut world = World::ready(name);
        world.modem.storage.push((0, TEXT.to_owned()));
        world.says(&format!("+CDS: {}\n{REPORT}", REPORT.len() / 2 - 1));
        world.run_s(2);
        assert!(is_delivered(&world), "{name}: {:?}", world.wanted());
        assert_eq!((asked(&world), world.modem.storage.len()), (vec![], 1), "{name}");
    }
}

#[test]
fn a_modem_without_a_memory_of_reports_goes_on_with_its_texts() {
    let mut world = World::ready("generic");
    world.modem.storage.push((4, TEXT.to_owned()));
    world.modem.says_instead("AT+CPMS=\"SR\"", "\r\n+CMS ERROR: 302\r\n");
    world.says("+CDSI: \"SR\",4");
    world.run_s(62);
    assert_eq!((world.modem.count("AT+CMGR"), world.modem.count("AT+CMGD"), arrived(&world)), (0, 0, 1));
}

#[test]
fn no_text_is_looked_for_before_the_modem_is_turned_back_to_them() {
    let mut world = World::ready("generic");
    world.modem.storage.push((4, TEXT.to_owned()));
    world.modem.reports.push((1, REPORT.to_owned()));
    world.modem.says_instead("AT+CPMS=\"SM\"", "\r\n+CMS ERROR: 314\r\n");
    world.says("+CDSI: \"SR\",1\n+CMTI: \"SM\",4");
    world.run_s(3);
    assert!(is_delivered(&world), "{:?}", world.wanted());
    assert_eq!((world.modem.memory.as_str(), world.modem.count("AT+CMGR=4"), arrived(&world)), ("SR", 0, 0));
    // However long it refuses.
    world.run_s(120);
    assert_eq!((world.modem.memory.as_str(), world.modem.count("AT+CMGR=4"), arrived(&world)), ("SR", 0, 0));
    world.modem.instead.clear();
    world.run_s(61);
    assert_eq!((world.modem.memory.as_str(), world.modem.count("AT+CMGR=4"), arrived(&world)), ("SM", 1, 1));
}
