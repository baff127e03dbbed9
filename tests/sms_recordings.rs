//! Every PDU of the recordings, decoded and compared with what its source says of
//! it; and our alphabets and PDUs judged by other people's decoders.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of tests are tests too")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use milu::signalling::modem::sms::{
    Address, Alphabet, Body, Completeness, Content, Delivery, DeliveryTrouble, Language, Message, Outgoing, Pdu,
    TextModeMessage, TextModeStatus, Typography, Validity, compose,
};
use milu::terms::{PhoneNumber, Private};

fn recording(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modem/recordings").join(file);
    fs::read_to_string(path).unwrap()
}

/// The rows that the modem sent in each case of a file, in order.
fn cases(file: &str) -> Vec<(String, Vec<String>)> {
    let mut cases: Vec<(String, Vec<String>)> = Vec::new();
    for row in recording(file).lines() {
        if let Some(name) = row.strip_prefix("## ") {
            cases.push((name.trim().to_owned(), Vec::new()));
        } else if let (Some(row), Some((_, rows))) = (row.strip_prefix("< "), cases.last_mut()) {
            rows.push(row.to_owned());
        }
    }
    cases
}

/// The PDUs of a file with the names of their cases.
fn pdus(file: &str) -> Vec<(String, String)> {
    let is_pdu = |row: &String| row.len() > 10 && row.bytes().take(10).all(|b| b.is_ascii_hexdigit());
    let of_case = |(name, rows): (String, Vec<String>)| {
        let rows = rows.into_iter().filter(is_pdu);
        rows.map(|row| (name.clone(), row)).collect::<Vec<_>>()
    };
    cases(file).into_iter().flat_map(of_case).collect()
}

/// A PDU in words, as its source says it: kind, number, time or validity, text.
fn in_words(row: &str) -> [String; 4] {
    let pdu = Pdu::read(row).unwrap();
    let number = |address: &Address| address.text.expose().clone();
    match pdu.message {
        Message::Deliver(one) => {
            let kind = if one.completeness == Completeness::Whole { "deliver" } else { "deliver, cut short" };
            [kind.to_owned(), number(&one.from), one.sent.unwrap().to_string(), said(&one.content)]
        }
        Message::Submit(one) => {
            let validity = match one.validity {
                Some(Validity::For(time)) => format!("{} min", time.as_secs() / 60),
                Some(other) => format!("{other:?}"),
                None => "none".to_owned(),
            };
            let kind = if one.completeness == Completeness::Whole { "submit" } else { "submit, cut short" };
            [kind.to_owned(), number(&one.to), validity, said(&one.content)]
        }
        Message::Report(one) => {
            let times = format!("{} {}", one.sent.unwrap(), one.done.unwrap());
            [format!("report {}", one.reference), number(&one.to), times, format!("{:?}", one.delivery)]
        }
    }
}

fn said(content: &Content) -> String {
    match content.body() {
        Body::Text(text) => text.into_exposed(),
        Body::Octets(octets) => format!("{} octets", octets.expose().len()),
    }
}

/// What the cases of gammu hold: numbers, times and texts as other decoders read
/// them, or as the standard says where those are wrong.
const GAMMU: &[(&str, [&str; 4])] = &[
    ("02", ["submit", "+639193770523", "10080 min", "May salary na ba?"]),
    ("03", ["deliver", "+919884280026", "2007-05-03T07:04:40+05:30", "Ok sir"]),
    (
        "04",
        [
            "deliver",
            "O2_",
            "2006-11-19T08:26:34+00:00",
            "O2: You now have your Text Anytime 300 UK texts & 1MB of data to use this mth. Remember to top-up  10 or more before 171206 to get your free allowance next mth",
        ],
    ),
    ("05", ["submit", "3200", "635040 min", "Pontos"]),
    (
        "06",
        [
            "deliver",
            "5036710",
            "2007-07-09T10:54:00+00:00",
            "For your ease to browse content after handset changed, you will receive a service setting soon. Simply save as default.",
        ],
    ),
    ("07", ["deliver", "+358456709855", "2006-09-06T18:46:31+02:00", "Test"]),
    ("08", ["deliver", "+32478746863", "2002-01-07T21:08:33+01:00", "TEST -@@-"]),
    ("09", ["deliver", "27838890001", "1999-03-29T15:16:59+02:00", "hellohello"]),
    ("10", ["deliver", "+32478746863", "2002-01-30T20:54:05+01:00", "Tèätrc @ £."]),
    (
        "11",
        [
            "deliver",
            "+32478746863",
            "2002-01-30T21:02:23+01:00",
            "T:Philipa@joshua.heron.net s:test mail.#Just hoping...",
        ],
    ),
    ("12", ["deliver", "+622291320408", "2007-10-19T12:28:35+07:00", "aa cakep deh"]),
    // Its scheme has a reserved bit and says 7 bits; its octets are UCS-2.
    ("14", ["submit", "+79168024812", "635040 min", "Тест Test"]),
    ("15", ["submit", "+79168024812", "635040 min", "Test"]),
    ("16", ["submit", "1234", "635040 min", "123456"]),
    // It has a header of no elements.
    ("19", ["submit", "066460353302", "5 min", "Sample Gammu message"]),
    // It says that a header is there, and has no user data at all.
    ("20", ["submit", "366460353302", "5 min", ""]),
    ("21", ["deliver", "+380972566788", "2007-11-29T09:28:58+02:00", "3"]),
    (
        "22",
        [
            "deliver",
            "+420724797276",
            "2007-01-07T13:01:47+01:00",
            "Ahoj pavle, tak me vcera nikdo neokradl, ani neznasilnil a kupodivu jsem ani neusnula, ac tomu moc neschazelo:). Ted se chystam pracovat a mozna i na to ",
        ],
    ),
    ("23", ["deliver", "+447970011182", "2008-01-01T01:14:42+00:00", ""]),
    // Its service centre has a type and no digits.
    ("24", ["submit", "3381449402", "635040 min", "inserisci qui il messaggio...."]),
    // A picture that is all header.
    ("26", ["deliver", "+351916165705", "2004-02-13T10:46:54+00:00", ""]),
    (
        "27",
        [
            "deliver",
            "+351965853713",
            "2008-12-26T16:40:27+00:00",
            "Espero que tenhas tido um Natal em grande cheio de coisas boas :) e agora que um novo ano se aproxime,desejo-te o MELHOR Beijinho  ",
        ],
    ),
    ("28", ["submit", "+14168777438", "635040 min", "nu-i nimic. Numai incerc sa vad de primesc errori."]),
    ("29", ["submit", "0630561651", "635040 min", "mon texte d'essai"]),
    ("30", ["report 232", "+666666666666", "2009-09-07T16:48:22+02:00 2009-09-07T16:48:26+02:00", "Delivered"]),
    // Kept without a number.
    ("31", ["submit", "", "635040 min", "15:41 22/08/08       szczesliwy. "]),
    // Filled with 0xFF behind the status.
    ("32", ["report 171", "604865888", "2009-07-08T15:37:57+02:00 2009-07-08T15:38:10+02:00", "Delivered"]),
    ("33", ["deliver", "33707520030", "2010-07-01T09:40:21+02:00", "99 octets"]),
    ("34", ["report 6", "+61439012244", "2010-09-17T10:01:00+10:00 2010-09-17T10:01:54+10:00", "Delivered"]),
    ("36", ["report 1", "+6285717373455", "2010-10-10T16:07:35+07:00 2010-10-10T16:07:38+07:00", "Delivered"]),
    (
        "37",
        [
            "deliver",
            "+447732482432",
            "2010-10-08T20:19:28+01:00",
            "Helen's parents are down tomorrow. Not sure what we are up to on sunday. Will let u know. Are you glad you missed d2d? Weather looked perfect!",
        ],
    ),
    ("38", ["report 180", "602396602", "2012-02-14T10:55:45+01:00 2012-02-14T10:55:50+01:00", "Delivered"]),
    // Octets lie behind the text that its length does not count.
    ("39", ["deliver", "9494", "2012-08-07T10:52:03+01:00", "llamada perdida de: +34617653167 on 07/08  at  11:19."]),
    ("40", ["deliver", "+11476124010", "2017-03-29T09:43:26+02:00", "127 octets"]),
    (
        "41",
        [
            "submit, cut short",
            "77777777777",
            "none",
            "MBOXUPDATE?m=15;server=natashenka.party;port=993;pw=liUfOyVO;name=n@natashenka.par",
        ],
    ),
    ("42", ["deliver", "+94774705017", "2019-08-05T08:09:35+05:30", "1917812300     22:30   RATTHI"]),
];

/// What the tests of ModemManager say of theirs.
const MODEM_MANAGER: &[(&str, [&str; 4])] = &[
    (
        "test_pdu1",
        [
            "deliver",
            "+16175927198",
            "2011-02-28T11:50:50-05:00",
            "Here's a longer message [{with some extended characters}] thrown in, such as £ and ΩΠΨ and §¿ as well.",
        ],
    ),
    ("test_pdu2", ["deliver", "InternetSMS", "2011-03-29T19:20:04+04:00", "тест"]),
    ("test_pdu3", ["deliver", "+18005551212", "2011-01-01T12:34:56+00:00", "hellohello"]),
    ("test_pdu3_nzpid", ["deliver", "+18005551212", "2011-01-01T12:34:56+00:00", "hellohello"]),
    ("test_pdu3_mms", ["deliver", "+18005551212", "2011-01-01T12:34:56+00:00", "hellohello"]),
    ("test_pdu3_natl", ["deliver", "18005551212", "2011-01-01T12:34:56+00:00", "hellohello"]),
    ("test_pdu3_8bit", ["deliver", "+18005551212", "2011-01-01T12:34:56+00:00", "10 octets"]),
    (
        "test_pdu_dcsf1",
        [
            "deliver",
            "1800",
            "2011-06-24T13:08:15+02:00",
            "Info SFR - Confidentiel, à ne jamais transmettre -\r\nVoici votre nouveau mot de passe : sw2ced pour gérer votre compte SFR sur www.sfr.fr ou par téléphone au 963",
        ],
    ),
    ("test_pdu_dcsf_8bit", ["deliver", "+18005551212", "2011-01-01T12:34:56+00:00", "10 octets"]),
    (
        "test_pdu_udhi",
        [
            "deliver",
            "1002",
            "2011-06-29T23:32:19+02:00",
            "Welkom, bel om uw Voicemail te beluisteren naar +31612001233 (PrePay: *100*1233#). Voicemail ontvangen is altijd gratis. Voor gebruik van mobiel interne",
        ],
    ),
    (
        "test_pdu_multipart",
        [
            "deliver",
            "+16175046925",
            "2012-04-25T19:56:50-04:00",
            "This is a very long test designed to exercise multi part capability. It should show up as one message, not as two, as the underlying encoding represents ",
        ],
    ),
    (
        "test_pdu_multipart",
        ["deliver", "+16175046925", "2012-04-25T19:56:51-04:00", "that the parts are related to one another. "],
    ),
    ("test_pdu_stored_by_us", ["submit", "639337937", "none", "你好你好你好你好你好你好你好你好你"]),
    (
        "test_pdu_not_stored",
        ["report 90", "639337937", "2012-09-11T07:40:36+02:00 2012-09-11T07:40:36+02:00", "Trying(Other)"],
    ),
    // Refused there; here the half of it is kept and said to be half.
    ("test_pdu_insufficient_data", ["deliver, cut short", "+18005551212", "2011-01-01T12:34:56+00:00", "hellohello"]),
    // Its length leaves no room for the elements: nothing is read beyond its end.
    ("test_pdu_wrong_user_data_elements_size", ["submit", "0", "none", ""]),
];

fn assert_in_words(file: &str, wanted: &[(&str, [&str; 4])]) {
    let found: Vec<(String, [String; 4])> = pdus(file)
        .into_iter()
        .map(|(name, row)| (name.trim_start_matches("at-sms/").trim_end_matches(".dump").to_owned(), in_words(&row)))
        .collect();
    assert_eq!(found.len(), wanted.len(), "every PDU of the recording has its words");
    for ((name, found), (wanted_name, wanted)) in found.iter().zip(wanted) {
        assert_eq!((name.as_str(), found.each_ref().map(String::as_str)), (*wanted_name, *wanted));
    }
}

#[test]
fn every_pdu_of_gammus_dumps_says_what_it_said_there() {
    assert_in_words("33-gammu-sms-pdu.txt", GAMMU);
}

#[test]
fn every_pdu_of_modem_managers_tests_says_what_it_says_there() {
    assert_in_words("44-modemmanager-sms-pdu.txt", MODEM_MANAGER);
}

#[test]
fn headers_centres_and_classes_of_the_recordings_are_read() {
    let all: Vec<(String, String)> =
        ["33-gammu-sms-pdu.txt", "44-modemmanager-sms-pdu.txt"].into_iter().flat_map(pdus).collect();
    let read = |name: &str| {
        let (_, row) = all.iter().find(|(known, _)| known.contains(name)).unwrap();
        Pdu::read(row).unwrap()
    };
    let deliver = |name: &str| match read(name).message {
        Message::Deliver(deliver) => deliver,
        other => panic!("{other:?}"),
    };
    let part = |name: &str| deliver(name).header.part.map(|part| (part.reference, part.total, part.number));
    assert_eq!(part("22.dump"), Some((1, 2, 1)));
    assert_eq!(part("test_pdu_udhi"), Some((0x10, 2, 1)));
    assert_eq!(part("test_pdu_multipart"), Some((0x4C, 2, 1)));
    assert_eq!(deliver("33.dump").header.ports.map(|ports| (ports.to, ports.from)), Some((2948, 9200)));
    assert_eq!(deliver("test_pdu_dcsf1").coding.class, Some(1));
    let centre = |name: &str| read(name).centre.map(|centre| centre.text.into_exposed());
    assert_eq!(centre("test_pdu1").as_deref(), Some("+12404492164"));
    assert_eq!(centre("test_pdu_not_stored").as_deref(), Some("+34656000311"));
    assert_eq!(centre("test_pdu_stored_by_us"), None);
    assert_eq!(centre("20.dump").as_deref(), Some("36640501"));
    let Message::Report(report) = read("test_pdu_not_stored").message else { panic!("a report") };
    assert_eq!((report.status, report.delivery), (0x30, Delivery::Trying(DeliveryTrouble::Other)));
}

#[test]
fn a_pdu_cut_anywhere_is_refused_or_kept_in_part_and_shows_nobodys_words() {
    for (name, row) in ["33-gammu-sms-pdu.txt", "44-modemmanager-sms-pdu.txt"].into_iter().flat_map(pdus) {
        let [kind, number, _, text] = in_words(&row);
        let is_text = !kind.starts_with("report") && !text.ends_with(" octets");
        for end in 0..row.len() {
            let Ok(pdu) = Pdu::read(&row[..end]) else { continue };
            let shown = format!("{pdu:?}");
            assert!(number.len() < 5 || !shown.contains(&number), "{name} {shown}");
            assert!(text.len() < 10 || !shown.contains(&text), "{name} {shown}");
            let content = match &pdu.message {
                Message::Deliver(one) => &one.content,
                Message::Submit(one) => &one.content,
                Message::Report(_) => continue,
            };
            // The characters of 14 are told by how many octets there are.
            let is_part = !is_text || name.contains("14.dump") || text.starts_with(&said(content));
            assert!(is_part, "{name} at {end}");
        }
    }
}

#[test]
fn service_centres_of_the_recordings_are_read_in_every_writing() {
    let centres: Vec<(String, Option<String>)> = cases("32-gammu-cnmi-ccfc-cpms-csca-cgmm.txt")
        .into_iter()
        .filter(|(name, _)| name.contains("smsc"))
        .map(|(name, rows)| (name, Address::of_centre_answer(&rows[0]).map(|one| one.text.into_exposed())))
        .collect();
    let wanted = [
        ("at-smsc/01.dump", Some("+97254120032")),
        ("at-smsc/02.dump", Some("+79168999100")),
        ("at-smsc/03.dump", Some("+6281100000")),
        ("at-smsc/05.dump", Some("+447802092035")),
        ("at-smsc-failing/04.dump", None),
    ];
    let found: Vec<(&str, Option<&str>)> = centres.iter().map(|(n, c)| (n.as_str(), c.as_deref())).collect();
    assert_eq!(found, wanted);
}

#[test]
fn texts_of_text_mode_are_read_with_number_time_and_rows() {
    let texts: Vec<TextModeMessage> = cases("35-gammu-sms-text-mode.txt")
        .into_iter()
        .map(|(name, rows)| {
            let (head, text) = rows.split_first().unwrap();
            let text: Vec<&str> = text.iter().map(String::as_str).take_while(|row| *row != "OK").collect();
            TextModeMessage::read(head, &text.join("\n")).unwrap_or_else(|| panic!("{name}"))
        })
        .collect();
    let read = Some(TextModeStatus::Read);
    let wanted = [
        (read, "+4123456789132", Some("2009-08-18T19:11:45+00:00"), 1),
        (read, "+6667776667744", Some("2009-08-18T19:11:45+00:00"), 4),
        (read, "+31625044454", Some("2007-07-05T09:56:03+02:00"), 1),
        (read, "3473065111", Some("2006-05-28T18:15:41+20:00"), 1),
        (read, "+393488535999", Some("2007-04-05T18:02:28+02:00"), 1),
        (read, "+85291234567", Some("2007-02-18T00:05:10+08:00"), 1),
        (Some(TextModeStatus::Unsent), "+10011", None, 1),
    ];
    assert_eq!(texts.len(), wanted.len());
    for (text, (status, number, sent, rows)) in texts.iter().zip(wanted) {
        assert_eq!((text.status, text.address.text.expose().as_str()), (status, number));
        assert_eq!(text.sent.map(|sent| sent.to_string()).as_deref(), sent);
        assert_eq!(text.text.expose().lines().count(), rows);
    }
    assert_eq!(texts[6].text.expose(), "Hello World");
    assert_eq!(texts[5].text.expose(), "It is easy to read text messages via AT commands.");
}

/// The Python of the test environment, which the set-up of `make test` makes.
fn python() -> PathBuf {
    let path = std::env::var_os("MILU_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-python/bin/python"), PathBuf::from);
    assert!(path.exists(), "{} is missing: make it with tests/python/setup", path.display());
    path
}

fn judged<T: serde::de::DeserializeOwned>(order: &str, input: &impl serde::Serialize) -> T {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/judge_sms.py");
    let mut child = Command::new(python())
        .args([script.as_os_str(), order.as_ref()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The script reads all before it writes anything.
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(input).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_place_of_every_national_table_is_as_gsmcodecs_has_it() {
    // Locking and single table, from 0 (the default) to 13 (Urdu): 128 places each.
    type Places = Vec<Option<char>>;
    let theirs: Vec<(Places, Places)> = judged("tables", &());
    assert_eq!(theirs.len(), 14);
    let mut others = Vec::new();
    for (identifier, (locking, single)) in (0_u8..).zip(theirs) {
        let language = Language::of_identifier(identifier);
        let alphabet = Alphabet { locking: language, single: language };
        let unknown = char::REPLACEMENT_CHARACTER;
        for (septet, theirs) in (0_u8..).zip(locking).filter(|(septet, _)| *septet != 0x1B) {
            let ours = alphabet.text(&[septet]);
            if ours != theirs.unwrap_or(unknown).to_string() {
                others.push((identifier, "locking", septet, ours));
            }
        }
        for (septet, theirs) in (0_u8..).zip(single).filter(|(septet, _)| *septet != 0x1B) {
            // A place that is not filled shows the character of the locking table.
            let shown = theirs.map_or_else(|| alphabet.text(&[septet]), String::from);
            let ours = alphabet.text(&[0x1B, septet]);
            if ours != shown {
                others.push((identifier, "single", septet, ours));
            }
        }
    }
    // It has an apostrophe where the standard has a comma in the locking tables from
    // Bengali to Urdu (telephones that were looked at have a comma), and no euro in
    // the Telugu single shift table.
    let mut wanted: Vec<(u8, &str, u8, String)> =
        (4..=13).map(|identifier| (identifier, "locking", 0x2C, ",".to_owned())).collect();
    wanted.push((12, "single", 0x65, "€".to_owned()));
    wanted.sort();
    others.sort_by(|one, other| (one.0, one.1, one.2).cmp(&(other.0, other.1, other.2)));
    assert_eq!(others, wanted);
}

/// Texts of every kind, each with the parts it takes.
fn outgoing() -> Vec<(&'static str, String, usize)> {
    vec![
        ("+2348031234567", "We are at 12 Adeola Odeku, Victoria Island.".to_owned(), 1),
        ("08031234567", "Price: €5 {today} [only] ~ 3\\4 | ^".to_owned(), 1),
        ("300", "Balance?".to_owned(), 1),
        ("+2348031234567", "Ẹ káàbọ̀, a wà ní Ìbàdàn".to_owned(), 1),
        ("+2348031234567", "See you 👋🏾 at six".to_owned(), 1),
        ("+2348031234567", "x".repeat(160), 1),
        ("+2348031234567", "x".repeat(161), 2),
        ("+2348031234567", "€".repeat(80), 1),
        ("+2348031234567", "€".repeat(81), 2),
        ("+2348031234567", "ẹ".repeat(70), 1),
        ("+2348031234567", "ẹ".repeat(71), 2),
        // Sixty-seven octet pairs in a part: an odd one is left beside each surrogate pair.
        ("+2348031234567", "👋".repeat(70), 3),
        ("+2348031234567", "We open at 8:00 and close at 17:30. ".repeat(12), 3),
    ]
}

#[test]
fn what_we_compose_is_read_by_others_as_it_was_written() {
    for (number, text, parts) in outgoing() {
        let to = PhoneNumber::parse(number, "234").unwrap();
        let private = Private::new(text.clone());
        let mut outgoing = Outgoing::new(&to, &private, 0x2A);
        outgoing.typography = Typography::Exact;
        outgoing.validity = Some(Duration::from_secs(24 * 3600));
        let composed = compose(&outgoing).unwrap();
        assert_eq!(composed.len(), parts, "{text}");
        let rows: Vec<&String> = composed.iter().map(|part| part.row.expose()).collect();
        // Number, octets of the message, validity in minutes, reference, total, number of part, text.
        type Theirs = (String, u16, u64, Option<(u16, u8, u8)>, String);
        let theirs: Vec<Theirs> = judged("submits", &rows);
        let mut whole = String::new();
        for ((theirs, ours), n) in theirs.into_iter().zip(&composed).zip(1..) {
            let (theirs_to, octets, minutes, part, said) = theirs;
            assert_eq!((theirs_to.as_str(), octets, minutes), (to.expose(), ours.octets, 24 * 60), "{text}");
            let total = u8::try_from(parts).unwrap();
            assert_eq!(part, (parts > 1).then_some((0x2A, total, n)), "{text}");
            whole.push_str(&said);
        }
        assert_eq!(whole, text);
    }
}

#[test]
fn what_smspdudecoder_reads_in_the_recordings_is_what_we_read() {
    let all: Vec<(String, String)> =
        ["33-gammu-sms-pdu.txt", "44-modemmanager-sms-pdu.txt"].into_iter().flat_map(pdus).collect();
    // It knows texts that arrive, and no reserved scheme, header of a picture or octets.
    let texts: Vec<&String> = all
        .iter()
        .filter(|(name, row)| {
            let deliver = matches!(Pdu::read(row).unwrap().message, Message::Deliver(_));
            deliver
                && !["26.dump", "33.dump", "40.dump", "42.dump", "8bit", "insufficient"]
                    .iter()
                    .any(|n| name.contains(n))
        })
        .map(|(_, row)| row)
        .collect();
    assert!(texts.len() >= 25, "{}", texts.len());
    let theirs: Vec<(String, String)> = judged("delivers", &texts);
    for (row, (number, text)) in texts.into_iter().zip(theirs) {
        let [_, our_number, _, our_text] = in_words(row);
        assert_eq!((our_number.trim_start_matches('+'), our_text.as_str()), (number.as_str(), text.as_str()));
    }
}
