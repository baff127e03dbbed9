//! Nobody's words in the log, and nothing of a call on the disk that can be
//! read without the key: a real call with a planted number, name and phrase, a
//! box that logs at its finest level, and a search through all that it wrote.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

mod the_box;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::sync::mpsc;

use milu::call::phrases;
use milu::media::{Frame, SampleRate, ToneDetector};
use the_box::callers::Call;
use the_box::sounds::{self, HZ};
use the_box::{Setup, TheBox, bakery, said, stderr, text};

/// The caller's number in its two written forms, of the block that nobody has.
const NATIONAL: &str = "08055550199";
const INTERNATIONAL: &str = "+2348055550199";

const NAME: &str = "Chidinma Okonkwo";
const PHRASE: &str = "Please tell the baker that my grandmother's purple umbrella is under the counter.";

/// What must not be found, in any form that a program could write it in.
struct Canaries(Vec<String>);

/// Words of a text in a row that nobody else writes.
const WORDS_IN_A_ROW: usize = 3;

/// Letters in a row that do not come about by chance in megabytes of encrypted
/// octets: a letter in 31 is the right one, of those that are letters or digits.
const LETTERS_MIN: usize = 7;

impl Canaries {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// A number, whatever stands before it or between its digits.
    fn number(&mut self, number: &str) {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        // Without country code and trunk prefix: nine digits that only this number has.
        self.0.push(digits[digits.len() - 9..].to_owned());
    }

    /// Each word of a name, and the name as one.
    fn name(&mut self, name: &str) {
        self.0.extend(name.split_whitespace().map(squeezed).filter(|word| word.len() >= LETTERS_MIN));
    }

    /// Any few words in a row of what somebody said.
    fn words(&mut self, text: &str) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let rows = words.windows(WORDS_IN_A_ROW).map(|words| squeezed(&words.concat()));
        self.0.extend(rows.filter(|row| row.len() >= LETTERS_MIN));
    }

    /// Those that stand in `bytes`: as text, whatever its case, spaces and
    /// punctuation, and as the hexadecimal or decimal octets of a dump.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let plain = squeezed(&String::from_utf8_lossy(bytes));
        let dumped = squeezed(&undumped(bytes));
        let utf16 =
            squeezed(&bytes.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect::<String>());
        let in_any = |canary: &&String| [&plain, &dumped, &utf16].iter().any(|text| text.contains(canary.as_str()));
        self.0.iter().filter(in_any).map(String::as_str).collect()
    }
}

/// Lower case, and letters and digits alone.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What a list of octets says, such as `[67, 104, 105]`, which is how a program
/// writes bytes that it does not know to be text.
fn undumped(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u8>().ok());
    numbers.map(char::from).collect()
}

fn planted() -> Canaries {
    let mut canaries = Canaries::new();
    canaries.number(INTERNATIONAL);
    canaries.name(NAME);
    canaries.words(PHRASE);
    canaries
}

#[test]
fn the_search_finds_what_is_planted_in_any_form() {
    let canaries = planted();
    for row in [
        "INFO a call from +234 805 555 0199 was taken",
        "DEBUG from=\"08055550199\"",
        "TRACE INVITE From: \"x\" <sip:2348055550199@127.0.0.1>",
        "a caller named chidinma rang",
        "OKONKWO, C.",
        "heard: my grandmother's purple umbrella",
        "TRACE octets [79, 107, 111, 110, 107, 119, 111]",
    ] {
        assert!(!canaries.found_in(row.as_bytes()).is_empty(), "{row}");
    }
    let wide: Vec<u8> = "purple umbrella is".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(!canaries.found_in(&wide).is_empty());
    let innocent = "2026-11-23T23:26:52Z INFO milu::appliance::start: the line takes calls address=127.0.0.1:19060";
    assert_eq!(canaries.found_in(innocent.as_bytes()), [""; 0]);
}

fn search_files(dir: &Path, canaries: &Canaries) -> u64 {
    let mut searched = 0;
    for entry in std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry")) {
        if entry.file_type().expect("its type").is_dir() {
            searched += search_files(&entry.path(), canaries);
            continue;
        }
        let bytes = std::fs::read(entry.path()).expect("a file");
        let found = canaries.found_in(&bytes);
        assert!(found.is_empty(), "{found:?} in {}", entry.path().display());
        assert!(!bytes.starts_with(b"RIFF"), "a sound in the clear: {}", entry.path().display());
        assert!(canaries.found_in(entry.path().to_string_lossy().as_bytes()).is_empty(), "{}", entry.path().display());
        searched += bytes.len() as u64;
    }
    searched
}

#[test]
fn nothing_of_a_caller_stands_in_the_log_or_in_the_clear_on_the_disk() {
    let the_box = TheBox::start(&Setup { log: "trace", ..Setup::default() });
    let call = Call::start(
        &the_box,
        INTERNATIONAL,
        &[
            ["--say", "I want to leave a message."],
            ["--say", &format!("My name is {NAME}.")],
            ["--say", "Yes."],
            ["--say", PHRASE],
            ["--say", "No, thank you. Goodbye."],
        ]
        .concat(),
    );
    call.report();
    let record = the_box.record_of(&NATIONAL[1..]);
    assert_eq!(record["outcome"], "message", "{record:#}");

    // What was planted, and what the box made of it: the ears may hear amiss,
    // and what they heard is no less somebody's.
    let mut canaries = planted();
    said(&record, "caller").into_iter().for_each(|words| canaries.words(words));
    said(&record, "box").into_iter().for_each(|words| canaries.words(words));
    canaries.words(text(&record["message"]["text"]));
    if let Some(name) = record["message"]["name"].as_str() {
        canaries.name(name);
    }

    assert!(the_box.milu(&["calls", "play", text(&record["id"])]).status.success());
    the_box.milu(&["doctor"]);
    let place = the_box.stop();
    let log = std::fs::read_to_string(place.path().join("log")).expect("a log");
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "the box was to log at its finest level");
    assert_eq!(canaries.found_in(log.as_bytes()), [""; 0]);
    let searched = search_files(&place.path().join("data"), &canaries);
    assert!(searched > 100_000, "a call of a minute leaves more than {searched} bytes");
    let file = std::fs::read(bakery()).expect("the knowledge file");
    assert!(canaries.found_in(&file).len() < canaries.0.len(), "the call was about more than what the file says");
}

/// A test number of Verve's, of which nobody has a card.
const CARD: &str = "5060990580000217499";

/// The two frequencies (Hz) of each key of ITU-T Q.23 that a card has.
fn tones_of(key: char) -> (f64, f64) {
    let place = "123456789*0#".find(key).expect("a key");
    ([697.0, 770.0, 852.0, 941.0][place / 3], [1209.0, 1336.0, 1477.0][place % 3])
}

/// Keys as an old handset sends them: as sound, a tenth of a second each.
fn in_band(keys: &str) -> Vec<i16> {
    let tenth = HZ / 10;
    let wave = |hz: f64, n: usize| (std::f64::consts::TAU * hz * n as f64 / HZ as f64).sin() * 7000.0;
    let key = |key: char| {
        let (low, high) = tones_of(key);
        (0..2 * tenth).map(move |n| if n < tenth { (wave(low, n) + wave(high, n)) as i16 } else { 0 })
    };
    keys.chars().flat_map(key).collect()
}

fn keys_heard_in(sound: &[i16]) -> usize {
    let mut detector = ToneDetector::new(SampleRate::Hz8000);
    let frames = sound.chunks(HZ / 50).map(|chunk| Frame::from_samples(SampleRate::Hz8000, chunk));
    frames.filter_map(|frame| detector.hear(&frame)).count()
}

#[test]
fn the_keys_of_a_payment_are_in_no_record_no_sound_and_no_log() {
    let files = tempfile::tempdir().expect("a directory");
    let knowledge = files.path().join("bakery.md");
    let pays = "## Questions\n\n### Can I pay with my card on the telephone?\n\n- I want to pay with my card\n\n\
                Please key in your card number now, and then the hash key.\n";
    let bakery = std::fs::read_to_string(bakery()).expect("the knowledge file");
    std::fs::write(&knowledge, bakery.replacen("## Questions\n", pays, 1)).expect("a knowledge file");
    let tones = in_band(CARD);
    assert_eq!(keys_heard_in(&tones), CARD.len(), "the keys would be heard where they sound");
    let tones = sounds::write_wav(files.path(), "tones.wav", &tones);

    let the_box = TheBox::start(&Setup { knowledge, log: "trace", ..Setup::default() });
    // Both ways at once would be one key, so first one and then the other.
    let steps = [
        ["--say", "Can I pay with my card on the telephone?"],
        ["--play", tones.to_str().expect("a path")],
        ["--dtmf", &format!("{CARD}#")],
        ["--say", "No, thank you. Goodbye."],
    ];
    Call::start(&the_box, NATIONAL, &steps.concat()).report();
    let record = the_box.record_of(&NATIONAL[1..]);
    let box_said = said(&record, "box");
    assert!(box_said.iter().any(|words| words.contains("key in your card number")), "{record:#}");
    assert!(box_said.contains(&phrases::KEYS_WITHHELD), "{record:#}");

    let mut canaries = Canaries::new();
    canaries.0.extend(CARD.as_bytes().windows(LETTERS_MIN).map(|some| String::from_utf8_lossy(some).into_owned()));
    assert_eq!(canaries.found_in(record.to_string().as_bytes()), [""; 0]);
    let gaps = record["recording"]["gaps"].as_array().expect("gaps");
    assert!(gaps.iter().any(|gap| gap["reason"] == "withheld"), "{record:#}");
    let played = the_box.milu(&["calls", "play", text(&record["id"])]);
    assert!(played.status.success(), "{}", stderr(&played));
    let caller = sounds::channel(&played.stdout, 0);
    assert!(caller.iter().any(|sample| sample.unsigned_abs() > 1000), "the caller's words are kept");
    assert_eq!(keys_heard_in(&caller), 0, "what was keyed can be heard in the recording");

    let place = the_box.stop();
    let log = std::fs::read_to_string(place.path().join("log")).expect("a log");
    assert_eq!(canaries.found_in(log.as_bytes()), [""; 0]);
    search_files(&place.path().join("data"), &canaries);
}

/// A number of the same block for each of the two who are asked for.
const MANAGER_NUMBER: &str = "+2348055550166";
const ACCOUNTANT_NUMBER: &str = "+2348055550177";
const ACCOUNTANT: &str = "Oluwaseun Adeyinka";

/// The knowledge file of a business with two people who may be rung.
fn staff() -> String {
    let person = |name: &str, role: &str, number: &str| {
        format!("[[person]]\nname = \"{name}\"\nrole = \"{role}\"\nnumber = \"{number}\"\nring = \"always\"\n")
    };
    let manager = person(NAME, "manager", MANAGER_NUMBER);
    format!("business = \"Sunrise Bakery\"\n{manager}{}", person(ACCOUNTANT, "accountant", ACCOUNTANT_NUMBER))
}

/// A telephone that tells whoever rings it that it is busy (RFC 3261 section 21.4.24), and
/// gives each invitation that it was sent.
fn busy_telephone() -> (SocketAddr, mpsc::Receiver<String>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("an address");
    // One invitation is waited for; should it be sent again, nobody needs the second.
    let (invited, invitations) = mpsc::sync_channel(1);
    let answers = move || {
        let mut datagram = [0; 4096];
        while let Ok((length, from)) = socket.recv_from(&mut datagram) {
            let text = String::from_utf8_lossy(&datagram[..length]).into_owned();
            if !text.starts_with("INVITE") {
                continue;
            }
            let mut busy = "SIP/2.0 486 Busy Here\r\n".to_owned();
            for row in text.lines() {
                match row.split_once(':').map(|(name, _)| name) {
                    Some("Via" | "From" | "Call-ID" | "CSeq") => busy += &format!("{row}\r\n"),
                    Some("To") => busy += &format!("{row};tag=busy\r\n"),
                    _ => {}
                }
            }
            socket.send_to(format!("{busy}Content-Length: 0\r\n\r\n").as_bytes(), from).expect("the box is there");
            let _second = invited.try_send(text);
        }
    };
    std::thread::Builder::new().name("telephone".to_owned()).spawn(answers).expect("a thread");
    (address, invitations)
}

#[test]
fn nothing_of_a_person_who_is_rung_stands_in_the_log() {
    let files = tempfile::tempdir().expect("a directory");
    let knowledge = files.path().join("bakery.toml");
    std::fs::write(&knowledge, staff()).expect("a knowledge file");
    let (busy, invitations) = busy_telephone();
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|port| port.local_addr()).expect("a free port");
    let user = |name: &str, number: &str| format!("{}{number}", name.replace(' ', "."));
    let (manager, accountant) = (user(NAME, MANAGER_NUMBER), user(ACCOUNTANT, ACCOUNTANT_NUMBER));
    let handset = |id: &str, address: &str, whose: &str| {
        format!("[[handset]]\nid = \"{id}\"\naddress = \"{address}\"\npeople = [\"{whose}\"]\n")
    };
    let upstairs = handset("upstairs", &format!("sip:{manager}@{busy}"), "manager");
    let downstairs = handset("downstairs", &format!("sip:{accountant}@{nobody};transport=tcp"), "accountant");
    let sections = upstairs + &downstairs;
    let the_box = TheBox::start(&Setup { knowledge, sections, log: "trace", ..Setup::default() });
    for wanted in ["Please, can I speak to the manager?", "Please, can I speak to the accountant?"] {
        Call::start(&the_box, NATIONAL, &["--say", wanted, "--say", "No, thank you. Goodbye."]).report();
    }
    let invitation = invitations.recv_timeout(std::time::Duration::from_secs(60)).expect("the manager was rung");
    assert!(invitation.contains(&manager), "{invitation}");

    let log = std::fs::read_to_string(the_box.stop().path().join("log")).expect("a log");
    let unreachable = log.lines().any(|row| row.contains("cannot be rung") && row.contains("downstairs"));
    assert!(unreachable, "the accountant was to be rung");
    let mut canaries = Canaries::new();
    for number in [NATIONAL, MANAGER_NUMBER, ACCOUNTANT_NUMBER] {
        canaries.number(number);
    }
    for name in [NAME, ACCOUNTANT] {
        canaries.name(name);
    }
    assert_eq!(canaries.found_in(log.as_bytes()), [""; 0]);
}
