//! The post of promised texts in a whole box with a SIM: a network that has no room, one
//! that refuses, a day whose ceiling is reached, and a box that is cut off while a modem
//! has a text. The texts wait on the box's disk before it starts, as after a call. And
//! what else a box remembers of its SIM from one start to the next: a PIN that was refused.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;
mod the_box;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use milu::ops::SystemClock;
use milu::store::{Keyring, OutgoingText, Vault};
use milu::terms::{PhoneNumber, Private};
use modem::{Family, Modem, ModemOptions, Rack, one_of};
use serde_json::Value;
use tempfile::TempDir;
use the_box::{Setup, TheBox, text, until};

const CALLER: &str = "+2348031112223";

/// More than the 160 letters of one part.
const TWO_PARTS: usize = 200;

/// Puts texts onto the disk of a box that does not run.
fn promised(place: &Path, texts: &[&str]) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let clock = SystemClock::new();
        let key = place.join("data/keys/master.key");
        std::fs::create_dir_all(key.parent().expect("a directory")).expect("made");
        let keyring = Keyring::open_or_create(&key, clock.wall()).expect("a key");
        let vault = Vault::open(&place.join("data/vault"), keyring, clock.as_fn()).await.expect("a vault");
        for words in texts {
            let to = PhoneNumber::parse(CALLER, "234").expect("a number");
            let text = OutgoingText { call: None, to, text: Private::new((*words).to_owned()) };
            vault.texts().enqueue(&text, clock.wall()).await.expect("kept").expect("there is room");
        }
        vault.close().await;
    });
}

/// A modem on ports of its own, and the section of a line that has it.
struct World {
    modem: Modem,
    section: String,
    _rack: Rack,
    _dir: TempDir,
}

impl World {
    fn new(options: ModemOptions, more: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let rack = Rack::new(dir.path()).expect("a rack");
        let modem = rack.plug(options).expect("pseudo-terminals");
        let at = modem.at_path().expect("it is plugged in");
        let section = format!("[[gsm_line]]\nid = \"sim\"\nprofile = \"quectel_ec2x\"\nport = {at:?}\n{more}\n");
        Self { modem, section, _rack: rack, _dir: dir }
    }

    fn start(&self, place: TempDir) -> TheBox {
        TheBox::start_in(place, &Setup { sections: self.section.clone(), is_rung: false, ..Setup::default() })
    }

    fn sent(&self) -> Vec<String> {
        self.modem.sent_texts().into_iter().map(|sent| sent.text).collect()
    }
}

fn texts(the_box: &TheBox) -> Value {
    the_box.json(&["texts", "--json"])
}

#[test]
fn a_network_without_room_has_the_text_later_and_one_that_refuses_it_is_not_asked_again() {
    let world = World::new(ModemOptions { text_errors: [42, 21].into(), ..one_of(Family::Quectel) }, "");
    let place = tempfile::tempdir().expect("a directory");
    promised(place.path(), &["the first", "the second"]);
    let the_box = world.start(place);
    // The first is congested and waits, and the second does not wait for it.
    let ended = until("the second is given up", || {
        let texts = texts(&the_box);
        texts["ended"].as_array().filter(|ended| !ended.is_empty()).cloned()
    });
    assert_eq!((ended.len(), &ended[0]["end"]), (1, &Value::from("given-up")));
    assert!(text(&ended[0]["why"]).contains("for good (CMS error 21)"), "{ended:?}");
    until("the first is sent", || (world.sent() == ["the first"]).then_some(()));
    until("nothing waits", || (texts(&the_box)["waiting"] == 0).then_some(()));
    let shown = the_box.milu(&["texts"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("was not sent") && shown.contains("CMS error 21"), "{shown}");
    // A box with something to tell is not well, and says so by its exit as well.
    let facts: Value = serde_json::from_slice(&the_box.milu(&["doctor", "--json"]).stdout).expect("JSON");
    let fact = facts["facts"].as_array().expect("facts").iter().find(|fact| fact["name"] == "texts").cloned();
    assert!(fact.is_some_and(|fact| text(&fact["sentence"]).contains("`milu texts`")), "{facts:#}");
    let log = the_box.log();
    for private in ["8031112223", "the first", "the second"] {
        assert!(!log.contains(private) && !shown.contains(private), "{private} is shown");
    }
    the_box.stop();
}

#[test]
fn a_text_whose_parts_have_no_room_today_waits_whole_for_tomorrow_through_a_restart() {
    let world = World::new(one_of(Family::Quectel), "texts_a_day = 2");
    let place = tempfile::tempdir().expect("a directory");
    let (two_parts, too_long) = ("address ".repeat(TWO_PARTS / 8), "address ".repeat(TWO_PARTS / 4));
    promised(place.path(), &["short", &two_parts, &too_long]);
    let the_box = world.start(place);
    let waits = |the_box: &TheBox| {
        until("one waits for tomorrow", || {
            let texts = texts(the_box);
            (texts["waiting"] == 1 && texts["to_send"][0]["why"].is_string()).then_some(texts)
        })
    };
    let shown = waits(&the_box);
    let lagos = jiff::tz::TimeZone::get("Africa/Lagos").expect("a zone");
    let tomorrow = SystemClock::new().wall().to_zoned_datetime(lagos);
    let tomorrow = tomorrow.tomorrow().and_then(|day| day.start_of_day()).expect("a day").timestamp();
    let waiting = &shown["to_send"][0];
    assert_eq!((&waiting["parts"], text(&waiting["due_at"])), (&Value::from(2), tomorrow.to_string().as_str()));
    assert!(text(&waiting["why"]).contains("texts_a_day"), "{waiting:#}");
    // No day has room for the longest.
    assert!(text(&shown["ended"][0]["why"]).contains("more than any line may send"), "{shown:#}");
    assert_eq!(world.sent(), ["short"]);

    // Nothing is lost by a restart, nothing is doubled, and the day's parts are known.
    let the_box = world.start(the_box.stop());
    assert_eq!(waits(&the_box)["to_send"][0]["due_at"], waiting["due_at"]);
    until("the line is ready", || {
        let signal = the_box.json(&["modem", "sim", "signal", "--json"]);
        (signal["state"] == "ready").then_some(signal)
    });
    let signal = the_box.json(&["modem", "sim", "signal", "--json"]);
    assert_eq!((&signal["text_parts_today"], &signal["text_parts_a_day"]), (&Value::from(1), &Value::from(2)));
    let signal = the_box.milu(&["modem", "sim", "signal"]);
    assert!(String::from_utf8_lossy(&signal.stdout).contains("1 of 2 parts"), "{signal:?}");
    assert_eq!(world.sent(), ["short"]);
    the_box.stop();
}

#[test]
fn a_text_that_a_modem_had_when_the_power_went_is_sent_once_more_and_said_to_be() {
    let world = World::new(ModemOptions { texts_unanswered: 1, ..one_of(Family::Quectel) }, "");
    let place = tempfile::tempdir().expect("a directory");
    promised(place.path(), &["address"]);
    let the_box = world.start(place);
    until("the network has it", || (world.sent() == ["address"]).then_some(()));
    // The modem has not said so when the power goes.
    let the_box = world.start(the_box.kill());
    let waiting = texts(&the_box)["to_send"][0].clone();
    assert!(text(&waiting["why"]).contains("the box stopped"), "{waiting:#}");
    let ended = until("it is sent once more", || {
        let texts = texts(&the_box);
        texts["ended"].as_array().filter(|ended| !ended.is_empty()).cloned()
    });
    assert_eq!(ended[0]["end"], "may-be-twice", "{ended:?}");
    assert_eq!((texts(&the_box)["waiting"].as_u64(), world.sent().len()), (Some(0), 2));
    let shown = the_box.milu(&["texts"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("may have arrived twice"), "{shown:?}");
    the_box.stop();
}

#[test]
fn what_the_network_tells_of_a_promised_texts_delivery_is_shown_after_a_restart_as_well() {
    // The report is told at once, or lies in the modem's memory of reports.
    for stores_reports in [false, true] {
        let options = ModemOptions { reports_held: 1, stores_reports, ..one_of(Family::Quectel) };
        let world = World::new(options, "");
        let place = tempfile::tempdir().expect("a directory");
        promised(place.path(), &["the first"]);
        let the_box = world.start(place);
        until("the text is sent", || (texts(&the_box)["waiting"] == 0).then_some(()));
        let the_box = world.start(the_box.stop());
        until("the line is ready", || {
            let signal = the_box.json(&["modem", "sim", "signal", "--json"]);
            signal.to_string().contains("\"ready\"").then_some(())
        });
        let sent = world.modem.sent_texts();
        // 0 is "received by the telephone" (3GPP TS 23.040 section 9.2.3.15).
        world.modem.report(&sent[0], 0);
        let deliveries = until("its delivery is told", || {
            let texts = texts(&the_box);
            texts["deliveries"].as_array().filter(|told| !told.is_empty()).cloned()
        });
        assert_eq!((deliveries.len(), &deliveries[0]["fate"]), (1, &Value::from("delivered")));
        let shown = the_box.milu(&["texts"]);
        assert!(String::from_utf8_lossy(&shown.stdout).contains("was delivered"), "{shown:?}");
        the_box.stop();
    }
}

#[test]
fn a_pin_that_the_sim_has_refused_is_not_tried_again_by_the_next_start_and_another_one_is() {
    let options = ModemOptions { pin: Some("1234".to_owned()), ..one_of(Family::Quectel) };
    let world = World::new(options, "sim_pin_credential = \"sim-pin\"");
    let credentials = tempfile::tempdir().expect("a directory");
    let set_pin = |pin: &str| {
        let file = credentials.path().join("sim-pin");
        std::fs::write(&file, pin).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("private");
    };
    let start = |place| {
        let (sections, credentials) = (world.section.clone(), Some(credentials.path().to_owned()));
        TheBox::start_in(place, &Setup { sections, credentials, is_rung: false, ..Setup::default() })
    };
    let until_told = |the_box: &TheBox, wanted: &str| {
        until(wanted, || {
            let signal = the_box.json(&["modem", "sim", "signal", "--json"]);
            signal.to_string().contains(wanted).then_some(())
        });
    };
    set_pin("4711");
    let mut the_box = start(tempfile::tempdir().expect("a directory"));
    until_told(&the_box, "refused the PIN");
    for _ in 0..2 {
        the_box = start(the_box.stop());
        until_told(&the_box, "refused the PIN");
    }
    assert_eq!(world.modem.count_written("AT+CPIN=\"4711\""), 1);
    let place = the_box.stop();
    set_pin("1234");
    let the_box = start(place);
    until_told(&the_box, "\"ready\"");
    assert_eq!(world.modem.count_written("AT+CPIN=\"1234\""), 1);
    the_box.stop();
}
