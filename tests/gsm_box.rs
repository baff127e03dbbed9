//! A whole box with a SIM: `milu run` with a `[[gsm_line]]` on a scripted modem. A
//! caller rings the SIM and is answered from the knowledge file, wants the address
//! in writing and gets it; a text that comes is kept before the modem forgets it;
//! a technician asks the modem; and a modem that is pulled out costs its call alone.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;
mod the_box;

use milu::call::phrases;
use modem::{Family, Modem, ModemOptions, Rack, one_of};
use serde_json::Value;
use tempfile::TempDir;
use the_box::{Setup, TheBox, Watch, said, sounds, stderr, text, until};

const CALLER: &str = "+2348031112223";
const WRITER: &str = "+2348054443332";

/// What is asked, not quite as it stands in the file, and the question of
/// the file that it means.
const QUESTION: &str = "Please, could you bring some bread to my house?";
const MEANT: &str = "Do you deliver?";

/// Where the bakery is, as its file says.
const STREET: &str = "27 Bode Thomas Street";

/// A rack with one modem, and a box whose line it is.
struct World {
    modem: Modem,
    the_box: TheBox,
    _rack: Rack,
    _dir: TempDir,
}

impl World {
    fn start(options: ModemOptions) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let rack = Rack::new(dir.path()).expect("a rack");
        let modem = rack.plug(options).expect("pseudo-terminals");
        let sections = gsm_section(&modem);
        let the_box = TheBox::start(&Setup { sections, ..Setup::default() });
        let world = Self { modem, the_box, _rack: rack, _dir: dir };
        world.until_state("ready");
        world
    }

    fn signal(&self) -> Value {
        self.the_box.json(&["modem", "sim", "signal", "--json"])
    }

    fn until_state(&self, state: &str) {
        until(state, || (self.signal()["state"] == state).then_some(()));
    }

    /// `milu modem sim …`, which succeeds.
    fn asked(&self, args: &[&str]) -> String {
        let output = self.the_box.milu(&[&["modem", "sim"], args].concat());
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).expect("it is text")
    }

    /// `milu modem sim …`, which is refused with a sentence.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.the_box.milu(&[&["modem", "sim"], args].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        stderr(&output)
    }
}

/// The line's section, for a modem that is on ports of its own.
fn gsm_section(modem: &Modem) -> String {
    let (at, sound) = (modem.at_path().expect("it is plugged in"), modem.pcm_path().expect("it has sound"));
    format!("[[gsm_line]]\nid = \"sim\"\nprofile = \"quectel_ec2x\"\nport = {at:?}\nsound_port = {sound:?}\n")
}

fn is_answer(event: &Value) -> bool {
    let turn = &event["turn"];
    event["event"] == "turn" && turn["who"] == "box" && turn["latency"]["voice_to_voice_ms"].is_u64()
}

/// Waits until the box has asked what it can do.
fn greeted(watch: &Watch) {
    watch.until("the box asks what it can do", |event| {
        event["event"] == "turn"
            && event["turn"]["who"] == "box"
            && text(&event["turn"]["text"]).contains(phrases::HELP)
    });
}

#[test]
fn a_caller_of_the_sim_is_answered_and_has_the_address_in_writing_after_the_question_for_it() {
    let world = World::start(one_of(Family::Quectel));
    let watch = world.the_box.watch();
    let (question, wish) = (sounds::speech(QUESTION), sounds::speech("Can you text me your address?"));
    world.modem.ring(CALLER);
    greeted(&watch);
    world.modem.forget_heard();
    world.modem.speak(&question);
    let answer = watch.until("the question is answered", is_answer);
    let heard = world.modem.heard();
    let words = sounds::heard(&heard[heard.len().saturating_sub(20 * sounds::HZ)..]);
    assert_eq!(sounds::nearest_answer(&sounds::bakery(), &words), MEANT, "heard: {words}, said: {answer:#}");
    assert!(world.modem.sent_texts().is_empty(), "nothing was promised yet");
    world.modem.speak(&wish);
    watch.until("it is said that a text comes", |event| {
        is_answer(event) && text(&event["turn"]["text"]).contains(phrases::TEXT_COMES)
    });
    world.modem.hang_up();
    let sent = until("the address as a text", || world.modem.sent_texts().into_iter().next());
    assert_eq!(sent.to, CALLER);
    assert!(sent.text.contains(STREET), "{}", sent.text);

    let record = world.the_box.record_of("8031112223");
    assert_eq!((text(&record["line"]), text(&record["outcome"])), ("sim", "answered"), "{record:#}");
    assert!(said(&record, "box").iter().any(|said| said.contains(phrases::TEXT_COMES)), "{record:#}");
    until("nothing waits any more", || (world.the_box.json(&["texts", "--json"])["waiting"] == 0).then_some(()));
    assert_eq!(world.modem.sent_texts().len(), 1, "one promise is one text");
    world.until_state("ready");
    let log = world.the_box.log();
    for private in ["8031112223", STREET] {
        assert!(!log.contains(private), "the log has {private}");
    }
    world.the_box.stop();
}

#[test]
fn a_technician_asks_the_modem_and_a_text_that_came_is_kept_before_it_is_forgotten() {
    let world = World::start(one_of(Family::Quectel));
    // A text.
    world.modem.receive_text(WRITER, "Una dey open on Sunday?");
    let texts = until("the text is kept", || {
        let texts = world.the_box.json(&["texts", "--json"]);
        (texts["received"].as_array().expect("a list").len() == 1).then_some(texts)
    });
    assert_eq!(texts["received"][0]["from"], WRITER);
    assert_eq!(texts["received"][0]["text"], "Una dey open on Sunday?");
    assert_eq!(texts["received"][0]["line"], "sim");
    until("the modem forgets it", || (world.modem.stored_texts() == 0).then_some(()));
    let shown = world.the_box.milu(&["texts"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("Una dey open on Sunday?"));

    // Rows by hand, harmless and not.
    assert!(world.asked(&["at", "AT+CSQ"]).contains("+CSQ:"));
    let refusal = world.refused(&["at", "ATD08031234567;"]);
    assert!(refusal.contains("--force") && refusal.contains("money"), "{refusal}");
    assert_eq!(world.modem.count_written("ATD08031234567;"), 0);
    let refusal = world.refused(&["at", "hello"]);
    assert!(refusal.contains("begins with AT"), "{refusal}");

    // The network's codes, and a menu.
    assert!(world.asked(&["ussd", "*310#"]).contains("N1,234.50"));
    let menu = world.asked(&["ussd", "*323#", "--answer", "1"]);
    assert!(menu.contains("1. Data balance") && menu.contains("1.5GB"), "{menu}");
    let refusal = world.refused(&["ussd", "*323#"]);
    assert!(refusal.contains("--answer"), "{refusal}");

    // A text by hand.
    world.asked(&["sms", "0805 444 3332", "We are closed on Sunday."]);
    let sent = world.modem.sent_texts();
    assert_eq!((sent[0].to.as_str(), sent[0].text.as_str()), (WRITER, "We are closed on Sunday."));

    // How it is.
    let is_read = |signal: &Value| signal["airtime"].is_string() && signal["operator"].is_string();
    let signal = until("the balance and the network's name are read", || Some(world.signal()).filter(is_read));
    assert_eq!(signal["operator"], "MTN NG", "{signal:#}");
    assert!(text(&signal["airtime"]).starts_with("1234.50 naira"), "{signal:#}");
    assert_eq!((signal["sim_changed"].as_bool(), signal["profile_verified"].as_bool()), (Some(false), Some(false)));
    let lines = world.the_box.json(&["lines", "--json"]);
    assert_eq!(lines["lines"][1]["modem"]["sim"], "the SIM is well", "{lines:#}");
    let support = world.asked(&["support"]);
    assert!(support.contains("> AT+CSQ"), "{support}");
    for private in ["8054443332", "closed on Sunday", "356938035643809"] {
        assert!(!support.contains(private) && !world.the_box.log().contains(private), "{private} is shown");
    }
    // What nobody knows is counted, and shown by its shape.
    world.modem.say_row("something that nobody knows");
    until("the row is shown and counted", || {
        let support = world.the_box.json(&["modem", "sim", "support", "--json"]);
        let mut rows = support["rows"].as_array().expect("rows").iter();
        let is_shown = rows.any(|row| row["row"] == "xxxxxxxxx xxxx xxxxxx xxxxx");
        (is_shown && support["unknown_rows"].as_u64() > Some(0)).then_some(())
    });
    assert!(world.asked(&["support"]).contains("Rows so far that nobody knows: "));
    let unknown = world.the_box.milu(&["modem", "door", "signal"]);
    assert!(stderr(&unknown).contains("try sim"), "{}", stderr(&unknown));
    assert!(world.asked(&["signal"]).contains("MTN NG"));
    world.asked(&["release"]);
    let facts = world.the_box.json(&["doctor", "--json"]);
    let names: Vec<&str> = facts["facts"].as_array().expect("facts").iter().map(|fact| text(&fact["name"])).collect();
    assert!(names.contains(&"line sim") && names.contains(&"texts"), "{names:?}");
    assert!(!names.iter().any(|name| name.starts_with("modem ")), "a line is one row: {names:?}");

    // What was kept is there after a restart, and another SIM is noticed.
    let place = world.the_box.stop();
    world.modem.with_options(|options| options.iccid = "8923430000000000009".to_owned());
    let setup = Setup { sections: gsm_section(&world.modem), ..Setup::default() };
    let the_box = TheBox::start_in(place, &setup);
    assert_eq!(the_box.json(&["texts", "--json"])["received"][0]["from"], WRITER);
    until("the other SIM is noticed", || {
        (the_box.json(&["modem", "sim", "signal", "--json"])["sim_changed"] == true).then_some(())
    });
    the_box.stop();
}

#[test]
fn a_modem_that_is_pulled_out_in_a_call_ends_that_call_once_and_the_box_lives() {
    let world = World::start(one_of(Family::Quectel));
    let watch = world.the_box.watch();
    world.modem.ring(CALLER);
    greeted(&watch);
    world.modem.unplug();
    let record = world.the_box.record_of("8031112223");
    assert_eq!(world.the_box.records().len(), 1, "{record:#}");
    world.until_state("absent");
    let lines = world.the_box.json(&["lines", "--json"]);
    let line = &lines["lines"][1];
    assert_eq!((text(&line["id"]), text(&line["state"])), ("sim", "down"), "{lines:#}");
    assert!(line["trouble"].is_string(), "{lines:#}");
    let refusal = world.refused(&["sms", "08054443332", "Are you there?"]);
    assert!(refusal.contains("not there"), "{refusal}");
    // The other line, and the box with it, goes on.
    assert_eq!(lines["lines"][0]["state"], "ready", "{lines:#}");
    world.the_box.stop();
}

/// What `milu modem sim support` shows.
fn support(the_box: &TheBox) -> String {
    String::from_utf8(the_box.milu(&["modem", "sim", "support"]).stdout).expect("it is text")
}

#[test]
fn the_way_of_sound_that_worked_is_the_one_that_the_first_call_after_a_restart_begins_with() {
    let dir = tempfile::tempdir().expect("a directory");
    let rack = Rack::new(dir.path()).expect("a rack");
    let modem = rack.plug(one_of(Family::Quectel)).expect("pseudo-terminals");
    // The card is tried first, and there is none.
    let setup = Setup { sections: format!("{}sound = \"usb\"\n", gsm_section(&modem)), ..Setup::default() };
    let mut place = tempfile::tempdir().expect("a directory");
    for start in 0..2 {
        let the_box = TheBox::start_in(place, &setup);
        until("ready", || (the_box.json(&["modem", "sim", "signal", "--json"])["state"] == "ready").then_some(()));
        let watch = the_box.watch();
        modem.ring(CALLER);
        greeted(&watch);
        modem.hang_up();
        until("the call's record", || (the_box.records().len() == start + 1).then_some(()));
        let rows = support(&the_box);
        let changes = rows.matches("the sound goes by serial now").count();
        assert_eq!(changes, usize::from(start == 0), "start {start}: {rows}");
        place = the_box.stop();
    }
}

/// What is sure only behind words that nobody has written into the file of operators.
const UNSURE: &str = "Your current bal: N7.00. Your evening bal: N9.50.";
/// The same words before the only figure.
const PLAIN: &str = "Your current bal: N1,234.50";

#[test]
fn what_a_line_has_learnt_of_an_operator_is_read_by_the_check_and_reads_answers_after_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let rack = Rack::new(dir.path()).expect("a rack");
    let modem = rack.plug(one_of(Family::Quectel)).expect("pseudo-terminals");
    let setup = Setup { sections: gsm_section(&modem), is_rung: false, ..Setup::default() };
    let says = |answer: &str| {
        let answer = modem::state::Ussd::Done(answer.to_owned());
        modem.with_options(|options| drop(options.ussd.insert("*310#".to_owned(), answer)));
    };
    let airtime = |the_box: &TheBox| the_box.json(&["modem", "sim", "signal", "--json"])["airtime"].clone();
    // Nobody knows the words yet.
    says(UNSURE);
    let the_box = TheBox::start(&setup);
    until("the answer that no row reads", || support(&the_box).contains("no row reads the airtime in:").then_some(()));
    assert!(airtime(&the_box).is_null(), "{}", airtime(&the_box));
    let place = the_box.stop();
    // They are learnt where they stand before one figure.
    says(PLAIN);
    let the_box = TheBox::start_in(place, &setup);
    let learnt = the_box.data_dir().join("operators/mtn-ng.toml");
    let kept = until("the words are kept", || std::fs::read_to_string(&learnt).ok());
    assert!(kept.contains("your current bal"), "{kept}");
    until("the figure", || text_of(&airtime(&the_box)).starts_with("1234.50 naira").then_some(()));
    let place = the_box.stop();
    // The check reads them, and tells a slip in them.
    let check = || {
        let config = place.path().join("milu.toml");
        let output = std::process::Command::new(the_box::MILU).args(["check", "--config"]).arg(config).output();
        let shown = output.expect("milu runs").stdout;
        let shown = String::from_utf8(shown).expect("it is text");
        shown.lines().find(|row| row.contains("modems")).map(str::to_owned).unwrap_or(shown)
    };
    assert!(check().contains("families are known"), "{}", check());
    std::fs::write(&learnt, kept.replace("balance", "weather")).expect("it is written");
    assert!(check().contains("mtn-ng.toml"), "{}", check());
    std::fs::write(&learnt, &kept).expect("it is written");
    // What was not sure before is known by them.
    says(UNSURE);
    let the_box = TheBox::start_in(place, &setup);
    until("the figure behind the learnt words", || text_of(&airtime(&the_box)).starts_with("7.00 naira").then_some(()));
    assert_eq!(std::fs::read_to_string(&learnt).expect("it is there"), kept, "nothing is learnt twice");
    the_box.stop();
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
