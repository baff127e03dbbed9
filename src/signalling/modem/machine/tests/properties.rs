use std::time::Duration;

use proptest::prelude::*;

use super::super::super::*;
use super::world::{PROFILES, World};
use crate::terms::{EndCause, Moment};

/// News that changes nothing: whatever comes between which rows, answers and the
/// history of calls stay the same.
const IDLE_NEWS: &[&str] = &[
    "+CREG: 1,\"5E25\",\"605F\",2",
    "+QIND: \"csq\",27,99",
    "^RSSI: 18",
    "^BOOT:12345678,0,0,0,77",
    "+CGREG: 1",
    "+CTZV: +04",
    "+CSQN: 25,0",
    "^HCSQ:\"WCDMA\",30,30,30",
    "something that nobody knows",
    "OPL UPDATING",
    "PNN UPDATING",
    "SMS DONE",
    "CALL READY",
    "PB DONE",
    "DST: 0",
    "+XNEW: 1,2,\"x\"",
];

fn idle_news() -> impl Strategy<Value = Vec<String>> {
    let one = prop::sample::select(IDLE_NEWS).prop_map(str::to_owned);
    prop::collection::vec(one, 0..60)
}

/// What the line wanted, what it wrote and what it knows of the modem in the end.
fn a_whole_call(profile: &str, between: &[String], piece: usize) -> (Vec<ModemOutput>, Vec<String>, String) {
    let mut world = World::new(profile, LineSettings::default());
    world.piece = piece;
    world.modem.between = between.to_vec().into();
    world.give(ModemInput::PortOpened);
    world.run_s(30);
    world.text(3, "We are at 12 Allen Avenue.");
    world.run_s(5);
    world.talks();
    world.sound(3, 16_000, 16_000);
    world.far_side_hangs_up();
    world.run_s(5);
    world.modem.between = between.to_vec().into();
    for (id, row) in (10..).zip(["AT+CGMM", "AT+CSQ", "AT+COPS?"]) {
        world.give(ModemInput::Command { id, row: row.to_owned(), force: Force::No });
        world.run_s(1);
    }
    // What was told last of the signal is an answer.
    world.modem.between.clear();
    world.give(ModemInput::Command { id: 20, row: "AT+CSQ".to_owned(), force: Force::No });
    world.run_s(1);
    let known = ModemHealth { since: Moment::START, counters: Counters::default(), ..world.line.health() };
    assert_eq!(world.modem.broken_rules, [""; 0]);
    // Questions are asked by what is known already; what acts is the same.
    let acts = ["ATA", "ATH", "AT+CHUP", "AT+CMGS", "AT+CMGD", "AT^DDSETEX", "AT+QPCMV=", "AT+CPCMREG=", "AT+CFUN"];
    world.modem.heard.retain(|row| acts.iter().any(|act| row.starts_with(act)));
    (world.wanted(), world.modem.heard, format!("{known:?}"))
}

/// What a modem may say while its list has the call: hints that lie, of which the list
/// tells better, and news of other things in one row or more.
const LIES: &[&str] = &[
    "NO CARRIER",
    "BUSY",
    "NO ANSWER",
    "^CEND:2,0,104,17",
    "VOICE CALL: END: 000017",
    "VOICE CALL: BEGIN",
    "MISSED_CALL: 11:01AM 08031234567",
    "RING",
    "+CRING: VOICE",
    "+CLCC: 2,1,6,0,0,\"08099999999\",129",
    "+CLCC: 3,0,2,0,0,\"08099999999\",129",
    "+QIND: \"ccinfo\",2,1,-1,0,0,\"08099999999\",129",
    "^DSCI: 2,1,6,0,08099999999,129",
    "+CMT: ,28\n07912143658709F1040B918100551512F20000111010214365000AE8329BFD4697D9EC37",
    "+CDS: 26\n0006010D91328430214365F7112032214365001120322143650000",
    "+CMTI: \"SM\",3",
    "+CDSI: \"SR\",3",
    "+CUSD: 1,\"1. Airtime\n2. Data\nOK\",15",
    "+CUSD: 2",
];

fn lies() -> impl Strategy<Value = Vec<String>> {
    let one = prop::sample::select(LIES).prop_map(str::to_owned);
    prop::collection::vec(one, 0..40)
}

/// What is told of a call amid all that; one half of it comes between rows of answers,
/// the other half by itself.
fn a_call_amid(profile: &str, lies: &[String], piece: usize) -> Vec<ModemOutput> {
    let mut world = World::ready(profile);
    world.piece = piece;
    let (between, alone) = lies.split_at(lies.len() / 2);
    let mut alone = alone.iter();
    let mut lie = |world: &mut World| {
        if let Some(lie) = alone.next() {
            world.says(lie);
        }
        world.run(Duration::from_millis(7));
    };
    world.rings();
    world.modem.between = between.iter().cloned().collect();
    lie(&mut world);
    world.give(ModemInput::Answer);
    for _ in 0..6 {
        lie(&mut world);
    }
    world.run_s(4);
    for _ in 0..13 {
        lie(&mut world);
        world.sound(1, 16_000, 16_000);
    }
    // From here on a hint is true.
    world.modem.between.clear();
    world.run_s(1);
    world.far_side_hangs_up();
    world.run_s(5);
    assert_eq!(world.modem.broken_rules, [""; 0]);
    let is_told = |output: &ModemOutput| {
        matches!(output, ModemOutput::Offered { .. } | ModemOutput::Connected | ModemOutput::Ended(_))
    };
    world.wanted().into_iter().filter(is_told).collect()
}

#[test]
fn a_hint_that_lies_while_the_answer_is_on_its_way_ends_nothing() {
    for (name, _) in PROFILES {
        for lie in ["NO CARRIER", "BUSY", "NO ANSWER"] {
            let mut world = World::ready(name);
            world.rings();
            world.give(ModemInput::Answer);
            for _ in 0..1_000 {
                if world.modem.count("ATA") == 0 {
                    world.run(Duration::from_millis(1));
                }
            }
            world.says(lie);
            world.run_s(4);
            assert!(world.has(&ModemOutput::Connected), "{name}: {lie}");
            assert_eq!(world.ends(), [], "{name}: {lie}");
        }
    }
}

/// One thing that can happen to a line.
#[derive(Clone, Debug)]
enum Event {
    Time(u64),
    Bytes(Vec<u8>),
    Row(&'static str),
    Rings,
    FarSideHangsUp,
    Answer,
    HangUp,
    Reject,
    Sound(u32, u32),
    PortGone,
    PortOpened,
    Dead(bool),
    Text,
    Digit,
}

fn event() -> impl Strategy<Value = Event> {
    let rows = [
        "RING",
        "NO CARRIER",
        "RDY",
        "OK",
        "ERROR",
        "BUSY",
        "+CLCC: 1,1,0,0,0",
        "+CUSD: 1,\"open",
        "+CMT: ,20",
        "+CPIN: NOT INSERTED",
        "+CPIN: READY",
        "^CEND:1,0,104,16",
        "VOICE CALL: BEGIN",
        "+QPCMV: 0,0",
        "> ",
        "UNDER-VOLTAGE WARNNING",
        "+CREG: 2",
        "+CMTI: \"SM\",1",
        "+CCWA: \"0803\",129,1",
    ];
    prop_oneof![
        4 => (1u64..20_000).prop_map(Event::Time),
        1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Event::Bytes),
        3 => prop::sample::select(rows.to_vec()).prop_map(Event::Row),
        2 => Just(Event::Rings),
        1 => Just(Event::FarSideHangsUp),
        3 => Just(Event::Answer),
        1 => Just(Event::HangUp),
        1 => Just(Event::Reject),
        3 => (prop::sample::select(vec![0u32, 9_000, 16_000]), prop::sample::select(vec![0u32, 16_000]))
            .prop_map(|(down, up)| Event::Sound(down, up)),
        1 => Just(Event::PortGone),
        2 => Just(Event::PortOpened),
        1 => any::<bool>().prop_map(Event::Dead),
        1 => Just(Event::Text),
        1 => Just(Event::Digit),
    ]
}

fn happen(world: &mut World, event: &Event) {
    match event {
        Event::Time(ms) => world.run(Duration::from_millis(*ms)),
        Event::Bytes(bytes) => world.bytes(bytes),
        Event::Row(row) => world.says(row),
        Event::Rings => world.rings(),
        Event::FarSideHangsUp => world.far_side_hangs_up(),
        Event::Answer => world.give(ModemInput::Answer),
        Event::HangUp => world.give(ModemInput::HangUp(EndCause::NormalClearing)),
        Event::Reject => world.give(ModemInput::Reject(EndCause::UserBusy)),
        Event::Sound(down, up) => world.sound(1, *down, *up),
        Event::PortGone => world.give(ModemInput::PortGone),
        Event::PortOpened => world.give(ModemInput::PortOpened),
        Event::Dead(dead) => world.modem.dead = *dead,
        Event::Text => world.text(1, "hello"),
        Event::Digit => world.give(ModemInput::SendDigit('5')),
    }
}

/// Whatever happens: each offer ends once, sound is open only within a call, and
/// nothing is reset while a caller hears sound.
fn assert_history(seen: &[(Moment, ModemOutput)]) -> Result<(), TestCaseError> {
    let (mut offered, mut open, mut connected) = (false, false, false);
    for (at, output) in seen {
        match output {
            ModemOutput::Offered { .. } => {
                prop_assert!(!offered, "two calls at {at:?}");
                offered = true;
            }
            ModemOutput::OpenSound(_) => {
                prop_assert!(offered && !open);
                open = true;
            }
            ModemOutput::Connected => {
                prop_assert!(offered && open && !connected);
                connected = true;
            }
            ModemOutput::CloseSound => {
                prop_assert!(open);
                open = false;
            }
            ModemOutput::Ended(_) => {
                prop_assert!(offered && !open, "ended without an offer, or with its sound open");
                (offered, connected) = (false, false);
            }
            ModemOutput::Digit(_) | ModemOutput::PauseUplink => prop_assert!(open),
            ModemOutput::Reset(_) => prop_assert!(!offered && !open, "reset in a call at {at:?}"),
            _ => {}
        }
    }
    Ok(())
}

#[test]
fn what_a_modem_said_within_open_quotes_is_no_answer_to_a_probe() {
    for ms in 7_540..7_570 {
        let mut world = World::new("simcom_sim7600", LineSettings::default());
        world.give(ModemInput::PortOpened);
        world.run_s(20);
        let open = Event::Row("+CUSD: 1,\"open");
        for event in [Event::Dead(true), Event::Time(ms), Event::PortGone, open, Event::Dead(false)] {
            happen(&mut world, &event);
        }
        world.run_s(300);
        assert!(world.modem.broken_rules.is_empty(), "{ms}: {:?}", world.modem.broken_rules);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn news_between_the_rows_of_answers_and_any_cut_of_octets_change_nothing(
        profile in prop::sample::select(vec!["huawei", "quectel_ec2x", "simcom_sim7600", "generic"]),
        between in idle_news(),
        piece in 1usize..9,
    ) {
        let (expected, written, known) = a_whole_call(profile, &[], usize::MAX);
        let (found, rows, known_amid) = a_whole_call(profile, &between, piece);
        prop_assert_eq!(found, expected);
        prop_assert_eq!(rows, written);
        prop_assert_eq!(known_amid, known);
    }

    #[test]
    fn a_call_is_told_the_same_whatever_the_modem_says_while_its_list_has_it(
        profile in prop::sample::select(vec!["huawei", "quectel_ec2x", "simcom_sim7600", "simcom_sim800", "generic"]),
        said in lies(),
        piece in 1usize..9,
    ) {
        let expected = a_call_amid(profile, &[], usize::MAX);
        prop_assert_eq!(expected.len(), 3, "offered, connected and ended");
        prop_assert_eq!(a_call_amid(profile, &said, piece), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_call_ends_once_and_no_caller_is_cut_off_by_a_reset(
        profile in prop::sample::select(vec!["huawei", "quectel_ec2x", "simcom_sim7600", "simcom_sim800", "generic"]),
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut world = World::new(profile, LineSettings::default());
        world.give(ModemInput::PortOpened);
        world.run_s(20);
        for event in &events {
            happen(&mut world, event);
        }
        // In the end everything is over, if nobody wants anything more.
        world.modem.calls.clear();
        world.give(ModemInput::HangUp(EndCause::NormalClearing));
        world.run_s(300);
        assert_history(&world.seen)?;
        let offers = world.wanted().iter().filter(|o| matches!(o, ModemOutput::Offered { .. })).count();
        prop_assert_eq!(offers, world.ends().len());
        prop_assert!(world.modem.broken_rules.is_empty(), "{:?}", world.modem.broken_rules);
    }

    #[test]
    fn a_pin_is_sent_at_most_once_without_being_accepted(
        events in prop::collection::vec(event(), 0..40),
        answer in prop::sample::select(vec!["\r\n+CME ERROR: 16\r\n", "", "\r\nERROR\r\n"]),
    ) {
        let pin = Some(crate::terms::Private::new("4711".to_owned()));
        let mut world = World::new("quectel_ec2x", LineSettings { pin, ..LineSettings::default() });
        world.modem.sim = "SIM PIN";
        world.modem.says_instead("AT+CPIN=", answer);
        world.give(ModemInput::PortOpened);
        world.run_s(20);
        for event in events.iter().filter(|event| !matches!(event, Event::Row("+CPIN: READY"))) {
            happen(&mut world, event);
        }
        world.run_s(300);
        prop_assert!(world.modem.count("AT+CPIN=") <= 1);
        prop_assert!(world.line.support_rows().iter().all(|row| !row.text.contains("4711")));
    }
}
