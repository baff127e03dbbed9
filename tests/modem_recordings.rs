//! Recordings of real modems, played to a line: commands that were given are
//! given by hand and answered with what the modem said, and what it said by
//! itself is said. What the line makes of it is compared with what the recording's
//! header or its source says. What holds of any recording is asked of each that lies there
//! by `tests/modem_any_recording.rs`. Time is simulated.

#![allow(clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use milu::signalling::modem::{
    CommandFailure, Force, LineSettings, ModemInput, ModemLine, ModemOutput, ModemState, Profile, Registration,
    SoundPath, TextSender, Volte,
};
use milu::terms::{EndCause, Moment, PhoneNumber, Private};
use modem::recording::{Recording, Step};

/// What stands in a recording.
#[derive(Clone, PartialEq, Debug)]
enum Entry {
    /// A command of the host.
    Given(String),
    /// What the modem said, with the line ends that the recording has, or with
    /// usual ones where it has none.
    Said(Vec<u8>),
}

/// The cases of a recording, by their titles.
fn cases(file: &str) -> Vec<(String, Vec<Entry>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modem/recordings").join(file);
    let text = fs::read_to_string(path).expect("the recording is there");
    let recording = Recording::parse(&text).unwrap_or_else(|mistake| panic!("{file}: {mistake}"));
    let cases = recording.cases.into_iter().map(|case| {
        let entries: Vec<Entry> = case.steps.into_iter().filter_map(entry).collect();
        (case.name, entries)
    });
    cases.filter(|(_, entries)| !entries.is_empty()).collect()
}

fn entry(step: Step) -> Option<Entry> {
    match step {
        Step::Hear { pattern, .. } => Some(Entry::Given(pattern.0.trim().trim_matches('\u{1b}').to_owned())),
        Step::Row(row) => Some(Entry::Said(format!("\r\n{row}\r\n").into_bytes())),
        Step::Bytes(bytes) => Some(Entry::Said(bytes)),
        Step::Wait(_) | Step::Fault(_) => None,
    }
}

fn only_case(file: &str) -> Vec<Entry> {
    let mut cases = cases(file);
    assert_eq!(cases.len(), 1, "{file}");
    cases.remove(0).1
}

/// A line that is ready, on a modem that answers as it is told.
struct Player {
    line: ModemLine,
    now: Moment,
    seen: Vec<ModemOutput>,
    written: Vec<String>,
    /// Answers by the command; anything else is answered with OK.
    answers: BTreeMap<String, String>,
    /// A command that is answered by the recording.
    recorded: Option<String>,
    next_id: u64,
}

fn profile(name: &str) -> Arc<Profile> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/modems").join(format!("{name}.toml"));
    let text = fs::read_to_string(path).expect("the profile is there");
    Arc::new(Profile::parse(&text, name).unwrap_or_else(|mistakes| panic!("{mistakes}")))
}

impl Player {
    fn new(profile_name: &str) -> Self {
        let now = Moment::START;
        let line = ModemLine::new(profile(profile_name), LineSettings::default(), now);
        let answers = [
            ("AT+CPIN?", "+CPIN: READY"),
            ("AT+CIMI", "621301234567890"),
            ("AT+CREG?", "+CREG: 2,1,\"5E25\",\"605F\",2"),
            ("AT^CVOICE?", "^CVOICE:0,8000,16,20"),
            ("AT+QPCMV?", "+QPCMV: 0,2"),
        ];
        let answers = answers.map(|(row, answer)| (row.to_owned(), format!("\r\n{answer}\r\n\r\nOK\r\n")));
        let mut player = Self {
            line,
            now,
            seen: Vec::new(),
            written: Vec::new(),
            answers: answers.into(),
            recorded: None,
            next_id: 1,
        };
        player.give(ModemInput::PortOpened);
        player.run(Duration::from_secs(30));
        assert_eq!(player.line.state(), ModemState::Ready, "{:#?}", player.line.support_rows());
        player.seen.clear();
        player.written.clear();
        player
    }

    fn give(&mut self, input: ModemInput<'_>) {
        self.line.handle(input, self.now);
        let mut answers = Vec::new();
        while let Some(output) = self.line.poll() {
            if let ModemOutput::Write(bytes) = &output {
                let text = String::from_utf8_lossy(bytes.expose()).into_owned();
                answers.extend(text.split('\r').filter(|row| row.len() > 1).map(str::to_owned));
                self.written.push(text.trim().to_owned());
            } else {
                self.seen.push(output);
            }
        }
        for row in answers {
            if self.recorded.as_ref() == Some(&row) {
                self.recorded = None;
                continue;
            }
            let answer = self.answers.get(&row).cloned().unwrap_or_else(|| "\r\nOK\r\n".to_owned());
            self.says(answer.as_bytes());
        }
    }

    fn says(&mut self, bytes: &[u8]) {
        self.give(ModemInput::Bytes(bytes));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.line.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.give(ModemInput::Tick);
        }
        self.now = end;
    }

    fn run_s(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    /// Gives a command by hand and answers it with what was recorded.
    fn by_hand(&mut self, row: &str, said: &[Vec<u8>]) -> Result<String, CommandFailure> {
        // What the line asks by itself is answered before.
        self.run(Duration::from_millis(100));
        self.recorded = Some(row.to_owned());
        let id = self.next_id;
        self.next_id += 1;
        self.give(ModemInput::Command { id, row: row.to_owned(), force: Force::Yes });
        self.run(Duration::from_millis(30));
        assert_eq!(self.written.last().map(String::as_str), Some(row), "it is written");
        for bytes in said {
            self.says(bytes);
        }
        self.run_s(8);
        let answer = self.seen.iter().find_map(|output| match output {
            ModemOutput::CommandAnswered { id: answered, result } if *answered == id => Some(result.clone()),
            _ => None,
        });
        answer.expect("every command is answered").map(Private::into_exposed)
    }

    fn offers(&self) -> Vec<Option<PhoneNumber>> {
        let of = |output: &ModemOutput| match output {
            ModemOutput::Offered { from } => Some(from.clone()),
            _ => None,
        };
        self.seen.iter().filter_map(of).collect()
    }

    fn ends(&self) -> Vec<EndCause> {
        let of = |output: &ModemOutput| match output {
            ModemOutput::Ended(cause) => Some(*cause),
            _ => None,
        };
        self.seen.iter().filter_map(of).collect()
    }
}

/// Rows as they stand in octets, without their ends and without an echo.
fn rows(bytes: &[Vec<u8>], echo: &str) -> Vec<String> {
    let text = String::from_utf8(bytes.concat()).expect("text");
    let rows = text.split(['\r', '\n']).map(str::trim).filter(|row| !row.is_empty());
    rows.filter(|row| *row != echo).map(str::to_owned).collect()
}

/// Commands with what was said to each, in the order of the recording.
fn exchanges(entries: &[Entry]) -> Vec<(String, Vec<Vec<u8>>)> {
    let mut found: Vec<(String, Vec<Vec<u8>>)> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Given(row) => found.push((row.clone(), Vec::new())),
            Entry::Said(bytes) => {
                if let Some((_, said)) = found.last_mut() {
                    said.push(bytes.clone());
                }
            }
        }
    }
    found.retain(|(row, said)| !row.is_empty() && !said.is_empty());
    found
}

/// Plays commands and their answers, and holds what comes back to what was said.
fn assert_answers(profile_name: &str, file: &str) {
    for (title, entries) in cases(file) {
        let mut player = Player::new(profile_name);
        for (row, said) in exchanges(&entries) {
            let expected = rows(&said, &row).join("\n").replace("COMMAND NOT SUPPORT", "NOT SUPPORTED");
            assert_eq!(player.by_hand(&row, &said), Ok(expected), "{file} {title}: {row}");
        }
        assert!(player.offers().is_empty(), "{file} {title}");
    }
}

fn said(file: &str) -> Vec<Vec<u8>> {
    let of = |entry: Entry| match entry {
        Entry::Said(bytes) => Some(bytes),
        Entry::Given(_) => None,
    };
    only_case(file).into_iter().filter_map(of).collect()
}

#[test]
fn a_huaweis_call_with_its_kind_and_number_is_offered_once_and_ends_once() {
    let mut player = Player::new("huawei");
    player.answers.insert("AT+CLCC".to_owned(), "\r\n+CLCC: 1,1,4,0,0,\"+1234567890\",145\r\n\r\nOK\r\n".to_owned());
    let said = said("02-huawei-incoming-cring-clip-cend.txt");
    for bytes in &said[..4] {
        player.says(bytes);
        player.run_s(1);
    }
    let number = PhoneNumber::parse("+1234567890", "234").expect("the recording's number");
    assert_eq!(player.offers(), [Some(number)]);
    player.answers.remove("AT+CLCC");
    for bytes in &said[4..] {
        player.says(bytes);
    }
    player.run_s(3);
    // cc_cause 16 in the header.
    assert_eq!(player.ends(), [EndCause::NormalClearing]);
}

#[test]
fn thirteen_octets_say_that_a_call_is_on_and_the_list_is_the_truth() {
    let said = said("03-huawei-e303-conn-13-bytes.txt");
    assert_eq!(said[0].len(), 13);
    let mut player = Player::new("huawei");
    let list = |state: u8| format!("\r\n+CLCC: 1,1,{state},0,0,\"08031234567\",129\r\n\r\nOK\r\n");
    player.answers.insert("AT+CLCC".to_owned(), list(4));
    player.says(b"\r\nRING\r\n");
    player.run_s(1);
    player.give(ModemInput::Answer);
    player.run_s(1);
    player.says(&said[0]);
    player.run_s(1);
    assert!(!player.seen.contains(&ModemOutput::Connected), "the list still says that it rings");
    player.answers.insert("AT+CLCC".to_owned(), list(0));
    player.says(&said[0]);
    player.run_s(1);
    assert!(player.seen.contains(&ModemOutput::Connected));
    assert!(player.seen.contains(&ModemOutput::OpenSound(SoundPath::Serial)));
}

#[test]
fn an_answer_with_more_line_ends_than_usual_is_read() {
    let said = said("04-extra-cr-csq-23-bytes.txt");
    assert_eq!(said[0].len(), 23);
    let mut player = Player::new("generic");
    assert_eq!(player.by_hand("AT+CSQ", &said), Ok("+CSQ: 24,99\nOK".to_owned()));
    // 24 is -65 dBm (3GPP TS 27.007 section 8.5).
    assert_eq!(player.line.health().signal_dbm, Some(-65));
}

#[test]
fn answers_behind_an_echo_are_read_without_it() {
    assert_answers("huawei", "06-huawei-e173-echo-on.txt");
    assert_answers("generic", "23-gtm382-echo-call-setup.txt");
}

#[test]
fn a_huaweis_end_of_a_call_is_an_ordinary_one() {
    let mut player = Player::new("huawei");
    player.answers.insert("AT+CLCC".to_owned(), "\r\nERROR\r\n".to_owned());
    player.says(b"\r\nRING\r\n");
    player.run_s(4);
    player.says(&said("07-huawei-cend-call-ended.txt")[0]);
    player.run_s(2);
    assert_eq!(player.ends(), [EndCause::NormalClearing]);
}

#[test]
fn a_call_that_fails_on_4g_is_no_call_of_ours_and_frees_the_modem() {
    let mut player = Player::new("generic");
    let exchange = exchanges(&only_case("08-simcom-a7670-clcc-urc-failed-call.txt")).remove(0);
    // The list's row comes before the OK and is news.
    assert_eq!(player.by_hand(&exchange.0, &exchange.1), Ok("OK".to_owned()));
    assert_eq!((player.offers(), player.line.state()), (vec![], ModemState::Ready));
}

#[test]
fn news_before_the_result_of_a_hang_up_is_no_part_of_its_answer() {
    let mut player = Player::new("simcom_sim7600");
    for (row, said) in exchanges(&only_case("10-simcom-sim7600-ath-cvhu.txt")) {
        assert_eq!(player.by_hand(&row, &said), Ok("OK".to_owned()), "{row}");
    }
}

#[test]
fn a_ring_on_two_ports_is_one_call_and_answers_that_nobody_asked_for_end_nothing() {
    let mut player = Player::new("generic");
    let list = "\r\n+CLCC: 1,1,4,0,0,\"08031234567\",129\r\n\r\nOK\r\n";
    player.answers.insert("AT+CLCC".to_owned(), list.to_owned());
    for bytes in said("11-simcom-sim5360-two-channels.txt") {
        player.says(&bytes);
    }
    player.run_s(2);
    assert_eq!((player.offers().len(), player.ends().len()), (1, 0));
}

#[test]
fn a_quectels_state_is_learnt_from_its_rows() {
    let mut player = Player::new("quectel_ec2x");
    for (row, rows, result) in [
        ("AT+COPS?", "\r\n+COPS: 0,2,\"25099\",7\r\n\r\nOK\r\n", "25099"),
        ("AT+QTEMP", "\r\n+QTEMP: 42,38,38\r\n\r\nOK\r\n", "42"),
    ] {
        let recorded = String::from_utf8(said("14-quectel-ec25-status.txt").concat()).expect("text");
        assert!(recorded.contains(rows.lines().nth(1).expect("a row")), "{row} stands in the recording");
        assert!(player.by_hand(row, &[rows.as_bytes().to_vec()]).is_ok());
        let health = player.line.health();
        let told = [health.operator.unwrap_or_default(), health.temperature.unwrap_or_default().to_string()];
        assert!(told.contains(&result.to_owned()), "{told:?}");
    }
}

#[test]
fn answers_without_a_final_result_are_answers_all_the_same() {
    let mut player = Player::new("quectel_ec2x");
    for (row, said) in exchanges(&only_case("15-quectel-ec200t-temp-cell.txt")) {
        assert_eq!(player.by_hand(&row, &said), Ok(rows(&said, &row).join("\n")), "{row}");
    }
    // Sensors of 255 are none.
    assert_eq!(player.line.health().temperature, Some(38));
    let mut player = Player::new("generic");
    let (row, said) = exchanges(&only_case("16-fibocom-fm150-status.txt")).remove(0);
    assert_eq!(player.by_hand(&row, &said), Ok(rows(&said, &row).join("\n")), "a compound command");
    assert_eq!(player.line.health().registration, Registration::Home);
}

#[test]
fn a_sticks_first_words_with_its_pin_and_its_busy_sim_are_answered_one_by_one() {
    let mut player = Player::new("generic");
    for (row, said) in exchanges(&only_case("17-zte-qualcomm-init-sim-pin-busy.txt")) {
        // The row of another name is news.
        let expected: Vec<String> = rows(&said, &row).into_iter().filter(|row| !row.starts_with("+BEARTYPE")).collect();
        assert_eq!(player.by_hand(&row, &said), Ok(expected.join("\n")), "{row}");
    }
    let shown = player.line.support_rows();
    assert!(shown.iter().all(|row| !row.text.contains("xxxx")), "what stands for the PIN is not shown");
}

#[test]
fn a_list_with_an_empty_name_behind_the_number_is_read() {
    assert_answers("simcom_sim800", "18-simcom-sim800c-clcc-alpha.txt");
}

#[test]
fn a_quectels_news_is_told_from_its_answers() {
    let said = said("19-quectel-ec25-raw-urcs.txt");
    let mut player = Player::new("quectel_ec2x");
    player.says(&said[0]);
    // 27 is -59 dBm.
    assert_eq!(player.line.health().signal_dbm, Some(-59));
    let storage = player.by_hand("AT+CPMS=\"ME\",\"ME\",\"ME\"", &said[1..2]);
    assert_eq!(storage, Ok("+CPMS: 0,25,0,25,0,25\nOK".to_owned()));
    assert_eq!(player.by_hand("AT+QPCMV?", &said[2..3]), Ok("+QPCMV: 0,2\nOK".to_owned()));
    assert_eq!(player.by_hand("AT+QLTS=1", &said[3..4]), Ok("+QLTS: \"2000/01/01,00:00:00+00,1\"\nOK".to_owned()));
    assert_eq!(player.line.health().counters.unknown_rows, 0);
}

#[test]
fn calls_of_ours_in_a_quectels_news_are_offered_to_nobody_and_texts_without_a_place_are_found() {
    let mut player = Player::new("quectel_ec2x");
    let said = said("20-quectel-ec25-call-urcs-parsed.txt");
    let stored = |bytes: &&Vec<u8>| bytes.starts_with(b"\r\n+CMTI: ,");
    for bytes in &said {
        player.says(bytes);
        player.run_s(1);
    }
    assert_eq!(said.iter().filter(stored).count(), 2);
    assert!(player.written.contains(&"AT+CMGR=2".to_owned()), "{:?}", player.written);
    assert!(player.written.contains(&"AT+CMGL=4".to_owned()));
    assert_eq!((player.offers(), player.line.state()), (vec![], ModemState::Ready));
    assert_eq!(player.line.health().counters.unknown_rows, 2, "a service centre and a number of its own");
}

#[test]
fn volte_is_as_three_owners_saw_it() {
    let mut player = Player::new("quectel_ec2x");
    let mut seen = Vec::new();
    for (row, said) in exchanges(&only_case("21-quectel-eg25-mbn-ims.txt")) {
        assert!(player.by_hand(&row, &said).is_ok(), "{row}");
        seen.push(player.line.health().volte);
    }
    // The list of profiles, then `0,0`, then `1,1`.
    assert_eq!(seen[1..], [Volte::Waiting, Volte::Up]);
}

#[test]
fn no_service_is_told_as_the_standard_numbers_it() {
    assert_answers("generic", "22-xmm7360-no-service.txt");
}

#[test]
fn a_code_is_written_and_read_in_packed_digits() {
    let mut player = Player::new("huawei");
    // The header calls `AA182C3602` `*100#`; by the rules of packing it is `*101#`.
    player.give(ModemInput::Ussd { id: 1, code: Private::new("*101#".to_owned()) });
    player.run_s(2);
    assert!(player.written.iter().any(|row| row.starts_with("AT+CUSD=1,\"AA182C3602\"")), "{:?}", player.written);
    let packed = String::from_utf8(said("25-ussd-huawei-packed-gsm7.txt")[1].clone()).expect("text");
    player.says(format!("\r\n+CUSD: 0,\"{}\",15\r\n", packed.trim()).as_bytes());
    player.run_s(1);
    let told = player.seen.iter().find_map(|output| match output {
        ModemOutput::UssdSaid { result: Ok(reply), .. } => Some(reply.text.expose().clone()),
        _ => None,
    });
    // The header writes the first word a little otherwise than the digits have it.
    let told = told.expect("an answer");
    assert!(told.starts_with("Nepravilny") && told.ends_with(" nomer uslugi"), "{told}");
}

#[test]
fn answers_of_old_telephones_and_modems_are_read_as_they_stand() {
    assert_answers("generic", "30-gammu-creg.txt");
    assert_answers("generic", "32-gammu-cnmi-ccfc-cpms-csca-cgmm.txt");
    assert_answers("generic", "33-gammu-sms-pdu.txt");
}

#[test]
fn texts_in_text_mode_are_not_taken_for_coded_ones() {
    for (title, entries) in cases("35-gammu-sms-text-mode.txt") {
        let mut player = Player::new("generic");
        for (row, said) in exchanges(&entries) {
            let expected = rows(&said, &row);
            let head = expected.first().expect("a head").clone();
            assert_eq!(player.by_hand(&row, &said), Ok(format!("{head}\nOK")), "{title}");
        }
        assert!(!player.seen.iter().any(|o| matches!(o, ModemOutput::TextArrived { .. })), "{title}");
    }
}

/// The state that each recording of registration shows; the numbers are those of
/// 3GPP TS 27.007 section 7.2, in the field that the title's kind of row has it in.
fn state_of(number: u16) -> Registration {
    match number {
        0 => Registration::NotSearching,
        1 | 9 => Registration::Home,
        2 => Registration::Searching,
        3 => Registration::Denied,
        4 => Registration::Unknown,
        5 | 10 => Registration::Roaming,
        6 | 7 => Registration::TextsOnly,
        8 | 11 => Registration::EmergencyOnly,
        other => panic!("state {other}"),
    }
}

#[test]
fn registration_is_read_from_every_modems_way_to_write_it() {
    let mut played = 0;
    for (title, entries) in cases("40-modemmanager-creg-by-modem.txt") {
        let Entry::Said(bytes) = &entries[0] else { panic!("{title}") };
        let text = String::from_utf8(bytes.clone()).expect("text");
        // Two rows at once have a test of their own; packets and 5G are of no use to calls.
        let row = text.trim().replace(' ', "");
        if title.starts_with("Multi") || row.starts_with("+CGREG") || row.starts_with("+C5GREG") {
            continue;
        }
        // Modems whose news has the shape of an answer, by their names in the source.
        let like_an_answer = ["MD400", "X220D", "S8500"].iter().any(|name| title.contains(name));
        let is_answer = title.contains("(answer)") || like_an_answer || title.contains("altair_lte_solicited");
        let fields: Vec<&str> = row.split_once(':').expect("a name").1.split(',').collect();
        let state = state_of(fields[usize::from(is_answer)].parse().expect("a state"));
        let mut player = Player::new("quectel_ec2x");
        if title.contains("(answer)") {
            let command = format!("{}?", if row.starts_with("+CEREG") { "AT+CEREG" } else { "AT+CREG" });
            let answer = format!("{text}\r\n\r\nOK\r\n").into_bytes();
            let told = player.by_hand(&command, &[answer]);
            assert_eq!(told, Ok(format!("{}\nOK", text.trim())), "{title}");
        } else {
            player.says(format!("\r\n{text}\r\n").as_bytes());
        }
        let health = player.line.health();
        // Circuits stay at home when it is about LTE.
        if row.starts_with("+CREG") {
            assert_eq!(health.registration, state, "{title}: {row}");
            let is_home = matches!(state, Registration::Home | Registration::Roaming);
            assert_eq!(player.line.state() == ModemState::Ready, is_home, "{title}: {row}");
        }
        assert_eq!(health.counters.unknown_rows, 0, "{title}: {row}");
        played += 1;
    }
    assert!(played > 30, "only {played}");
}

#[test]
fn news_of_calls_is_known_however_a_modem_writes_it() {
    for (title, entries) in cases("42-modemmanager-call-urcs.txt") {
        let name = if title.contains("simtech") { "simcom_sim7600" } else { "generic" };
        for entry in &entries {
            let Entry::Said(bytes) = entry else { continue };
            let text = String::from_utf8(bytes.clone()).expect("text");
            let text = text.trim();
            if text.starts_with("Could not parse") {
                continue;
            }
            let rings = text.starts_with("+CRING");
            let mut player = Player::new(name);
            if rings {
                let list = "\r\n+CLCC: 1,1,4,0,0,\"08031234567\",129\r\n\r\nOK\r\n";
                player.answers.insert("AT+CLCC".to_owned(), list.to_owned());
            }
            player.says(format!("{text}\r\n").as_bytes());
            player.run_s(4);
            assert_eq!(player.line.health().counters.unknown_rows, 0, "{title}: {text}");
            assert_eq!(!player.offers().is_empty(), rings, "{title}: {text}");
        }
    }
}

#[test]
fn keys_with_two_carriage_returns_reach_a_call_that_is_on() {
    let mut player = Player::new("simcom_sim7600");
    let list = |state: u8| format!("\r\n+CLCC: 1,1,{state},0,0,\"08031234567\",129\r\n\r\nOK\r\n");
    player.answers.insert("AT+CLCC".to_owned(), list(4));
    player.says(b"\r\r\n+CRING: VOICE\r\r\n");
    player.run_s(4);
    player.give(ModemInput::Answer);
    player.answers.insert("AT+CLCC".to_owned(), list(0));
    player.run_s(4);
    assert_eq!(player.line.state(), ModemState::Active);
    for (_, entries) in cases("42-modemmanager-call-urcs.txt") {
        for entry in entries {
            if let Entry::Said(bytes) = entry
                && bytes.windows(8).any(|w| w == b"+RXDTMF:")
            {
                player.says(&bytes);
            }
        }
    }
    let keys: String = player
        .seen
        .iter()
        .filter_map(|output| match output {
            ModemOutput::Digit(digit) => Some(*digit),
            _ => None,
        })
        .collect();
    assert_eq!(keys, "8*#A8*#A");
}

#[test]
fn calls_of_five_modems_go_as_their_owners_recorded_them() {
    let cases = cases("43-call-sequences-five-modems.txt");
    let case = |beginning: &str| {
        let found = cases.iter().find(|(title, _)| title.starts_with(beginning));
        found.unwrap_or_else(|| panic!("{beginning}")).1.clone()
    };
    // What was dialled by hand is no call of the line, whoever ends it.
    let mut player = Player::new("huawei");
    let (row, said) = exchanges(&case("Huawei K3715 / E1752 outgoing")).remove(0);
    assert_eq!(player.by_hand(&row.replace("{n}", "112"), &said), Ok("OK".to_owned()));
    assert_eq!((player.offers(), player.line.state()), (vec![], ModemState::Ready));
    // A call that comes in.
    let mut player = Player::new("huawei");
    let list = "\r\n+CLCC: 1,1,4,0,0,\"+2348031234567\",145\r\n\r\nOK\r\n";
    player.answers.insert("AT+CLCC".to_owned(), list.to_owned());
    for entry in case("Huawei K3715 / E1752 incoming") {
        let Entry::Said(bytes) = entry else { continue };
        player.says(String::from_utf8_lossy(&bytes).replace("{n}", "+2348031234567").as_bytes());
    }
    assert_eq!(player.offers().len(), 1);
    // Nothing but OK when the far side answers, and an unknown command.
    let mut player = Player::new("generic");
    let (row, said) = exchanges(&case("Wavecom outgoing")).remove(0);
    assert_eq!(player.by_hand(&row.replace("{n}", "112"), &said), Ok("OK".to_owned()));
    let (row, said) = exchanges(&case("Huawei E1752: AT+CUSD")).remove(0);
    assert_eq!(player.by_hand(&row, &said), Ok("NOT SUPPORTED".to_owned()));
    // No final result to the question of the PIN.
    let (row, said) = exchanges(&case("Wavecom: AT+CPIN?")).remove(0);
    assert_eq!(player.by_hand(&row, &said), Ok("+CPIN: READY".to_owned()));
    // CONNECT ends the dialling of a ZTE stick.
    let mut player = Player::new("generic");
    assert_eq!(player.by_hand("ATD112;", &[b"CONNECT\r\n".to_vec()]), Ok("CONNECT".to_owned()));
    let (row, said) = exchanges(&case("ZTE K3565-Z wrong shape")).remove(0);
    assert_eq!(player.by_hand(&row, &said), Ok("+CFUN: (0-1,4-7),(0-1)\nOK".to_owned()));
}

#[test]
fn coded_texts_of_many_modems_arrive_once_each_or_are_told_to_be_unreadable() {
    let mut player = Player::new("generic");
    let mut list = String::new();
    let mut count = 0;
    for (index, (_, entries)) in cases("44-modemmanager-sms-pdu.txt").iter().enumerate() {
        let Entry::Said(bytes) = &entries[0] else { panic!("a coded text") };
        let coded = String::from_utf8(bytes.clone()).expect("text");
        list.push_str(&format!("\r\n+CMGL: {index},1,,20\r\n{}\r\n", coded.trim()));
        count += 1;
    }
    player.answers.insert("AT+CMGL=4".to_owned(), format!("{list}\r\nOK\r\n"));
    player.run_s(130);
    let arrived: Vec<_> = player
        .seen
        .iter()
        .filter_map(|output| match output {
            ModemOutput::TextArrived { text, slots } => Some((text.clone(), slots.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(count, 16);
    // Each place has one fate: its text arrived; it was emptied, as a report or a
    // copy of a text that arrived; it holds what its owner wrote and did not send;
    // or it is a part whose text is not whole.
    let titles: Vec<String> = cases("44-modemmanager-sms-pdu.txt").into_iter().map(|(title, _)| title).collect();
    for (index, title) in titles.iter().enumerate() {
        let has_arrived = arrived.iter().any(|(_, slots)| slots.iter().any(|slot| usize::from(slot.index) == index));
        let is_emptied = player.written.contains(&format!("AT+CMGD={index}"));
        let is_own = title.contains("stored_by_us") || title.contains("wrong_user_data");
        let is_part = title.contains("udhi");
        let fates = [has_arrived, is_emptied, is_own, is_part].iter().filter(|is| **is).count();
        assert_eq!(fates, 1, "{index} {title}");
        if title.contains("not_stored") {
            assert!(is_emptied, "a report is read and not kept");
        }
    }
    // A text in two parts has two places.
    assert!(arrived.iter().any(|(_, slots)| slots.len() == 2));
    // The names of banks and networks are names and no numbers.
    assert!(arrived.iter().any(|(text, _)| matches!(text.from, TextSender::Name(_))));
    // The second sweep shows the same texts and brings none again; nothing is deleted before it is kept.
    assert!(player.written.iter().filter(|row| *row == "AT+CMGL=4").count() >= 2);
    assert!(!player.written.iter().any(|row| row == "AT+CMGD=0"));
}
