//! What the box asks of a modem's line besides calls: texts that a modem or its network
//! refuses, codes and menus, rows by hand; and lines that want the same modem. The line's
//! driver and its machine on one side, scripted modems on pseudo-terminals on the other.

mod gsm;
#[path = "modem/mod.rs"]
mod modem;

use std::collections::BTreeMap;
use std::time::Duration;

use gsm::{CALLER, OTHER_CALLER, Served, Talk, World, in_time, number};
use milu::line::gsm::{GsmEvent, ModemPlace, Wanted, usb_modems};
use milu::signalling::modem::{
    CommandFailure, Force, ModemState, PartFate, TextFailure, UssdFailure, UssdReply, UssdThen,
};
use milu::terms::Private;
use modem::state::Ussd;
use modem::{Family, ModemOptions, one_of};

fn words(text: &str) -> Private<String> {
    Private::new(text.to_owned())
}

impl Served {
    /// What became of a text, and the parts that were told before it.
    async fn texted(&mut self, id: u64, text: &str) -> (Result<(), TextFailure>, Vec<PartFate>) {
        self.control.send_text(id, number(CALLER), words(text)).expect("served");
        self.text_end(id).await
    }

    async fn text_end(&mut self, id: u64) -> (Result<(), TextFailure>, Vec<PartFate>) {
        let mut parts = Vec::new();
        let result = self.event("what became of the text", |event| match event {
            GsmEvent::TextPart { id: own, fate, .. } if own == id => {
                parts.push(fate);
                None
            }
            GsmEvent::TextSent { id: own, result } if own == id => Some(result),
            _ => None,
        });
        (result.await, parts)
    }

    async fn said(&mut self, id: u64) -> Result<UssdReply, UssdFailure> {
        self.event("what the network said", |event| match event {
            GsmEvent::UssdSaid { id: own, result } if own == id => Some(result),
            _ => None,
        })
        .await
    }

    async fn commanded(&mut self, id: u64, row: &str, force: Force) -> Result<String, CommandFailure> {
        self.control.command(id, row.to_owned(), force).expect("served");
        self.event("the answer to a row", |event| match event {
            GsmEvent::CommandAnswered { id: own, result } if own == id => Some(result.map(Private::into_exposed)),
            _ => None,
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_the_network_has_no_room_for_is_tried_again_and_one_that_it_refuses_is_not() {
    let mut world = World::new();
    let options = ModemOptions { text_errors: [42].into(), ..one_of(Family::Sim7600) };
    let (modem, mut line) = world.ready("front-desk", options).await;
    // Congestion passes.
    assert_eq!(line.texted(1, "27 Bode Thomas Street").await, (Ok(()), vec![PartFate::Taken]));
    assert_eq!(modem.sent_texts().len(), 1);
    // A transfer that is rejected stays so, and nothing is billed.
    modem.with_options(|options| options.text_errors = [21].into());
    assert_eq!(line.texted(2, "again").await, (Err(TextFailure::Refused(21)), vec![]));
    modem.with_options(|options| options.text_errors = [330].into());
    assert_eq!(line.texted(3, "no centre").await, (Err(TextFailure::NeedsOwner(330)), vec![]));
    assert_eq!(line.texted(4, "well").await.0, Ok(()));
    assert_eq!(modem.sent_texts().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_which_the_modem_says_nothing_is_told_to_be_unknown_and_not_sent_again_by_the_line() {
    let mut world = World::new();
    let options = ModemOptions { texts_unanswered: 1, ..one_of(Family::Quectel) };
    let (modem, mut line) = world.ready("front-desk", options).await;
    assert_eq!(line.texted(1, "address").await, (Err(TextFailure::Unknown), vec![PartFate::Unknown]));
    assert_eq!(modem.sent_texts().len(), 1, "it went all the same, which nobody told");
    assert_eq!(line.texted(2, "the next one").await.0, Ok(()));
    assert_eq!(modem.sent_texts().iter().filter(|sent| sent.text == "address").count(), 1);
    assert_eq!(line.control.status().modem.map(|modem| modem.parts_today), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ceiling_of_a_day_counts_parts_and_no_text_is_begun_that_has_no_room() {
    let mut world = World::new();
    let modem = world.rack.plug(one_of(Family::Quectel).numbered(0)).expect("pseudo-terminals");
    let mut config = world.config("front-desk", Family::Quectel);
    (config.settings.texts_per_day, config.settings.parts_today) = (3, 1);
    let mut line = world.serve(config);
    line.until_state(ModemState::Ready).await;
    let long = "Mama Ngozi's Bakery, 12 Allen Avenue, Ikeja. ".repeat(8);
    assert_eq!(line.texted(1, &long).await, (Err(TextFailure::DailyCeiling), vec![]));
    let two_parts = &long[..200];
    assert_eq!(line.texted(2, two_parts).await, (Ok(()), vec![PartFate::Taken; 2]));
    // Whoever is told of it sees it counted.
    assert_eq!(line.control.status().modem.map(|modem| modem.parts_today), Some(3));
    assert_eq!(line.texted(3, "short").await, (Err(TextFailure::DailyCeiling), vec![]));
    let parts: Vec<_> = modem.sent_texts().iter().filter_map(|sent| sent.part).map(|(_, of, n)| (of, n)).collect();
    assert_eq!(parts, [(2, 1), (2, 2)]);
    line.control.day(1).expect("served");
    assert_eq!(line.texted(4, "short").await.0, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_a_modem_is_found_is_told_that_there_is_none() {
    let mut world = World::new();
    let mut line = world.serve(world.config("front-desk", Family::Sim7600));
    assert_eq!(line.texted(1, "address").await, (Err(TextFailure::ModemGone), vec![]));
    line.control.ussd(2, words("*310#")).expect("served");
    assert_eq!(line.said(2).await, Err(UssdFailure::ModemGone));
    line.control.ussd_answer(3, words("1")).expect("served");
    assert_eq!(line.said(3).await, Err(UssdFailure::NotOpen));
    assert_eq!(line.commanded(4, "AT+CSQ", Force::No).await, Err(CommandFailure::ModemGone));
    let modem = world.rack.plug(one_of(Family::Sim7600)).expect("pseudo-terminals");
    line.until_state(ModemState::Ready).await;
    assert_eq!(line.texted(5, "address").await.0, Ok(()));
    // One that is pulled out gives back what waits behind a call.
    modem.ring(CALLER);
    let _talk = Talk::answered(&mut world, &mut line).await;
    line.control.send_text(6, number(CALLER), words("address")).expect("served");
    line.control.command(7, "AT+CSQ".to_owned(), Force::Yes).expect("served");
    line.event("the row, behind which the text waits", |event| {
        matches!(event, GsmEvent::CommandAnswered { id: 7, .. }).then_some(())
    })
    .await;
    modem.unplug();
    assert_eq!(line.text_end(6).await, (Err(TextFailure::ModemGone), vec![]));
    assert_eq!(modem.sent_texts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stops_gives_back_what_waits_and_hears_of_what_is_under_way() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    modem.with_options(|options| options.latency = Duration::from_millis(1500));
    for id in [1, 2] {
        line.control.send_text(id, number(CALLER), words("address")).expect("served");
    }
    let is_given = |m: &modem::Modem| m.written().iter().any(|row| row.starts_with("AT+CMGS=")).then_some(());
    modem.until("the first text", is_given).await;
    line.stop.cancel();
    // The second has not begun; the first has its answer although the line stops.
    assert_eq!(line.text_end(2).await, (Err(TextFailure::ModemGone), vec![]));
    assert_eq!(line.text_end(1).await, (Ok(()), vec![PartFate::Taken]));
    assert_eq!(modem.sent_texts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_within_half_a_second_is_shown_without_another_event() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    // A line that is ready asks for all of its facts once, and then no more for a while.
    modem.until("its signal", |m| m.written().iter().any(|row| row.starts_with("AT+CSQ")).then_some(())).await;
    // The status is written with this answer; what comes now is within its half second.
    assert_eq!(line.texted(1, "address").await.0, Ok(()));
    modem.say_row("+QIND: \"csq\",27,99");
    let signal = || line.control.status().modem.and_then(|modem| modem.signal_dbm);
    let shown = async {
        while signal() != Some(-59) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // The next thing that happens by itself is a question to the modem, 10 s later.
    assert!(tokio::time::timeout(Duration::from_secs(5), shown).await.is_ok(), "{:?}", signal());
}

fn choices(of: &[(&str, Ussd)]) -> BTreeMap<String, Ussd> {
    of.iter().map(|(key, then)| ((*key).to_owned(), then.clone())).collect()
}

/// A menu of two steps, and ways out of it.
fn menus() -> BTreeMap<String, Ussd> {
    let bundles = Ussd::Menu(
        "1. Daily\n2. Weekly".to_owned(),
        choices(&[("2", Ussd::Done("1.5GB for 7 days costs N500.".to_owned())), ("1", Ussd::Ended)]),
    );
    let first = choices(&[("1", bundles), ("2", Ussd::Ended), ("3", Ussd::NotSupported)]);
    BTreeMap::from([("*312#".to_owned(), Ussd::Menu("1. Data\n2. Nothing\n3. Else".to_owned(), first))])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_menu_of_several_steps_is_gone_through_and_one_that_the_network_ends_is_over() {
    for family in [Family::Quectel, Family::Huawei] {
        let mut world = World::new();
        let (modem, mut line) = world.ready("front-desk", ModemOptions { ussd: menus(), ..one_of(family) }).await;
        let menu = |text: &str| Ok(UssdReply { text: words(text), then: UssdThen::AwaitsAnswer });
        line.control.ussd(1, words("*312#")).expect("served");
        assert_eq!(line.said(1).await, menu("1. Data\n2. Nothing\n3. Else"), "{family:?}");
        line.control.ussd_answer(1, words("1")).expect("served");
        assert_eq!(line.said(1).await, menu("1. Daily\n2. Weekly"), "{family:?}");
        line.control.ussd_answer(1, words("2")).expect("served");
        let over = UssdReply { text: words("1.5GB for 7 days costs N500."), then: UssdThen::Over };
        assert_eq!(line.said(1).await, Ok(over), "{family:?}");
        line.control.ussd_answer(1, words("2")).expect("served");
        assert_eq!(line.said(1).await, Err(UssdFailure::NotOpen), "{family:?}");

        // The network ends it: at an answer, and while nobody has answered yet.
        for (id, answer, end) in [(2, "2", UssdFailure::EndedByNetwork), (3, "3", UssdFailure::NotSupported)] {
            line.control.ussd(id, words("*312#")).expect("served");
            let said = line.said(id).await;
            assert!(said.is_ok(), "{family:?}: {said:?}");
            line.control.ussd_answer(id, words(answer)).expect("served");
            assert_eq!(line.said(id).await, Err(end), "{family:?}");
        }
        line.control.ussd(4, words("*312#")).expect("served");
        let said = line.said(4).await;
        assert!(said.is_ok(), "{family:?}: {said:?}");
        modem.say_row("+CUSD: 2");
        assert_eq!(line.said(4).await, Err(UssdFailure::EndedByNetwork), "{family:?}");
        line.control.ussd_answer(4, words("1")).expect("served");
        assert_eq!(line.said(4).await, Err(UssdFailure::NotOpen), "{family:?}");

        // One that is cancelled leaves the way free for the next.
        line.control.ussd(5, words("*312#")).expect("served");
        let said = line.said(5).await;
        assert!(said.is_ok(), "{family:?}: {said:?}");
        line.control.ussd_cancel(5).expect("served");
        assert_eq!(line.said(5).await, Err(UssdFailure::Cancelled), "{family:?}");
        line.control.ussd(6, words("*312#")).expect("served");
        let said = line.said(6).await;
        assert!(said.is_ok(), "{family:?}: {said:?}");
        let rows = line.control.support_rows().await.expect("served");
        assert!(rows.iter().all(|row| !row.text.contains("N500")), "{family:?}: a balance is shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_stops_leaves_no_menu_open_in_its_modem() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", ModemOptions { ussd: menus(), ..one_of(Family::Quectel) }).await;
    line.control.ussd(1, words("*312#")).expect("served");
    let said = line.said(1).await;
    assert!(said.is_ok(), "{said:?}");
    modem.forget_written();
    line.stop.cancel();
    assert_eq!(line.said(1).await, Err(UssdFailure::ModemGone));
    modem.until_written("AT+CUSD=2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_the_network_never_answers_ends_in_its_time_and_leaves_the_line_as_it_was() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    // Before it takes codes it ends what another run may have left open.
    modem.until_written("AT+CUSD=2").await;
    modem.forget_written();
    modem.play(">* AT+CUSD=1{*}\n< OK\n").expect("a script");
    line.control.ussd(1, words("*310#")).expect("served");
    // A second one waits for its turn and is not forgotten.
    line.control.ussd(2, words("*323#")).expect("served");
    assert_eq!(line.said(1).await, Err(UssdFailure::TimedOut));
    modem
        .until("the dialogue's end, and the next one", |m| {
            let written = m.written();
            let end = written.iter().position(|row| row == "AT+CUSD=2")?;
            written[end..].iter().any(|row| row.starts_with("AT+CUSD=1")).then_some(())
        })
        .await;
    modem.ring(OTHER_CALLER);
    line.offer().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dangerous_row_is_refused_and_given_when_it_is_meant() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Quectel)).await;
    let answer = line.commanded(1, "AT+CSQ", Force::No).await.expect("harmless");
    assert!(answer.starts_with("+CSQ: ") && answer.ends_with("OK"), "{answer}");
    for (id, row) in [(2, "ATD08031234567;"), (3, "AT+CPIN=\"0000\""), (4, "at+csq;+cfun=1,1"), (5, "AT+CMGD=1,4")] {
        let refused = line.commanded(id, row, Force::No).await;
        assert!(matches!(refused, Err(CommandFailure::Dangerous(_))), "{row}: {refused:?}");
        assert_eq!(modem.count_written(row), 0, "{row}");
    }
    modem.receive_text(OTHER_CALLER, "hello");
    modem.until("a stored text", |m| (m.stored_texts() == 1).then_some(())).await;
    assert_eq!(line.commanded(6, "AT+CMGD=1,4", Force::Yes).await.as_deref(), Ok("OK"));
    modem.until("an empty storage", |m| (m.stored_texts() == 0).then_some(())).await;
    // What is no row for a modem is none by force either.
    assert_eq!(line.commanded(7, "hello", Force::Yes).await, Err(CommandFailure::NotACommand));
    assert_eq!(line.commanded(8, "AT\rATD112;", Force::Yes).await, Err(CommandFailure::NotACommand));
    // A restart that is meant is survived.
    assert_eq!(line.commanded(9, "AT+CFUN=1,1", Force::Yes).await.as_deref(), Ok("OK"));
    modem.until("a restart", |m| (m.resets() == 1).then_some(())).await;
    line.until_state(ModemState::Ready).await;
    // While a call is on a row has to be meant.
    modem.ring(CALLER);
    let _talk = Talk::answered(&mut world, &mut line).await;
    assert_eq!(line.commanded(10, "AT+CSQ", Force::No).await, Err(CommandFailure::CallRunning));
    assert!(line.commanded(11, "AT+CSQ", Force::Yes).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lines_never_drive_one_modem_whatever_its_ports_are_called() {
    let mut world = World::new();
    let modem = world.rack.plug(one_of(Family::Quectel)).expect("pseudo-terminals");
    let mut first = world.serve(world.config("first", Family::Quectel));
    first.until_state(ModemState::Ready).await;
    let before = modem.written().len();
    // Its second port for commands, under its own name and under a link's.
    let sys = usb_modems(&world.rack.sys());
    let second_port = sys[0].interfaces.iter().find(|port| port.number == 3).expect("it has one").tty.clone();
    let second_port = world.rack.dev().join(second_port);
    let link = world.rack.dev().join("modem");
    std::os::unix::fs::symlink(&second_port, &link).expect("a link");
    let mut others: Vec<Served> = Vec::new();
    for (id, at) in [("second", &second_port), ("third", &link), ("fourth", &modem.at_path().expect("it is there"))] {
        let mut config = world.config(id, Family::Quectel);
        config.place = ModemPlace::Ports { at: at.clone(), sound: None };
        others.push(world.serve(config));
        let line = &others[others.len() - 1];
        let trouble = async {
            while line.control.status().port_trouble.is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        in_time("a line without a modem says so", trouble).await;
        let status = line.control.status();
        assert!(status.port_trouble.is_some_and(|said| said.contains("Another line")), "{id}");
        assert_eq!((status.port, status.modem.is_some()), (None, false), "{id}");
    }
    // And another that takes any.
    others.push(world.serve(world.config("fifth", Family::Quectel)));
    let answer = first.commanded(1, "AT+CSQ", Force::No).await.expect("it is the first one's");
    assert!(answer.ends_with("OK"), "{answer}");
    let written = modem.written().split_off(before);
    assert!(written.iter().all(|row| row != "ATE0"), "nobody else set it up: {written:?}");
    // Once the first lets it go, one of the others has it.
    first.stop.cancel();
    let holders = || others.iter().filter(|line| line.control.status().port.is_some()).count();
    let taken = async {
        while holders() == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    in_time("another line has the modem", taken).await;
    assert_eq!(holders(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_takes_any_modem_leaves_those_that_are_others() {
    let mut world = World::new();
    let options = [one_of(Family::Sim7600).numbered(0), one_of(Family::Sim7600).numbered(1)];
    let imei = Private::new(options[0].imei.clone());
    let [first, second] = options.map(|options| world.rack.plug(options).expect("pseudo-terminals"));
    // A line that is new, and looks before the one that had the first modem does.
    let mut config = world.config("new", Family::Sim7600);
    config.place = ModemPlace::Usb(Wanted { others: vec![imei.clone()], ..Wanted::default() });
    let mut new = world.serve(config);
    new.until_state(ModemState::Ready).await;
    second.ring(CALLER);
    assert_eq!(new.offer().await.line.as_str(), "new");
    let mut config = world.config("old", Family::Sim7600);
    config.place = ModemPlace::Usb(Wanted { imei: Some(imei), ..Wanted::default() });
    let mut old = world.serve(config);
    old.until_state(ModemState::Ready).await;
    first.ring(CALLER);
    assert_eq!(old.offer().await.line.as_str(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_nobody_takes_stays_in_the_modem_and_is_told_again_by_its_next_look() {
    let mut world = World::new();
    let (modem, mut line) = world.ready("front-desk", one_of(Family::Sim7600)).await;
    // Answers that nobody takes fill the way to whoever listens.
    in_time("a full way", async {
        while line.events.len() < line.events.max_capacity() {
            if line.control.ussd_cancel(1).is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    modem.receive_text(OTHER_CALLER, "Una dey open on Sunday?");
    in_time("a text that was read", async {
        while !modem.written().iter().any(|row| row.starts_with("AT+CMGR=")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let is_read = |row: &milu::signalling::modem::SupportRow| row.text.starts_with("+CMGR:");
        while !line.control.support_rows().await.is_ok_and(|rows| rows.iter().any(is_read)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    while let Ok(event) = line.events.try_recv() {
        assert!(!matches!(event, GsmEvent::TextArrived { .. }), "there was no room for it");
    }
    modem.say_row("^SMMEMFULL: \"ME\"");
    let text = line
        .event("a text", |event| match event {
            GsmEvent::TextArrived { text, .. } => Some(text.text),
            _ => None,
        })
        .await;
    assert_eq!(text.expose(), "Una dey open on Sunday?");
    line.stop.cancel();
}
