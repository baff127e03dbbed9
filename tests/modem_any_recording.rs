//! Any recording that lies in `tests/modem/recordings`, played to a line of each family:
//! whatever a modem said in it, the line goes on as before. A recording that is put there
//! is played without any other change; what the line makes of the ones that are there is
//! held by `tests/modem_recordings.rs`. Time is simulated.

#![allow(clippy::panic, reason = "what tests share stands outside of them")]

#[path = "modem/mod.rs"]
mod modem;

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use milu::signalling::modem::{
    CommandFailure, Force, LineSettings, ModemInput, ModemLine, ModemOutput, ModemState, Profile, ResetStep,
    SUPPORT_ROWS_MAX,
};
use milu::terms::{Moment, Private};
use modem::recording::{Case, Often, Pattern, Recording, Step};

/// What stands for a number in the recordings.
const NUMBER: &str = "+2348031234567";

const OK: &str = "\r\nOK\r\n";
const CALL: &str = "\r\n+CLCC: 1,1,4,0,0,\"+2348031234567\",145\r\n\r\nOK\r\n";

/// Longer than any command that is let pass may take, and than a modem that was told to
/// restart is waited for.
const PATIENCE: Duration = Duration::from_secs(600);

/// The longest wait of a recording that is kept to: a call that is only offered rings out.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Until a call that is in no list any more is over, and what was half said is given up.
const AFTERWARDS: Duration = Duration::from_secs(70);

/// Deadlines within one wait; more are a line that is never at rest.
const DEADLINES_MAX: usize = 100_000;

/// How the octets of a recording reach the line, and what the modem's list of calls has
/// meanwhile.
#[derive(Clone, Copy, Debug)]
struct Way {
    piece: usize,
    list: &'static str,
}

const WAYS: [Way; 3] = [Way { piece: usize::MAX, list: OK }, Way { piece: 1, list: OK }, Way { piece: 7, list: CALL }];

/// A line, and a modem that says what is in a recording, and OK to whatever else it is asked.
struct Player {
    line: ModemLine,
    now: Moment,
    way: Way,
    /// Commands by hand that are not written yet: the recording answers them, or nobody.
    by_hand: Vec<String>,
    /// What the modem answers once it has said what it is saying.
    answers: VecDeque<&'static str>,
    reopens: bool,
    seen: Vec<ModemOutput>,
    given: u64,
    said: u64,
}

impl Player {
    fn new(profile: Arc<Profile>, way: Way) -> Self {
        let now = Moment::START;
        let mut player = Self {
            line: ModemLine::new(profile, LineSettings::default(), now),
            now,
            way: Way { list: OK, ..way },
            by_hand: Vec::new(),
            answers: VecDeque::new(),
            reopens: false,
            seen: Vec::new(),
            given: 0,
            said: 0,
        };
        player.give(ModemInput::PortOpened);
        player.answer();
        player.run(Duration::from_secs(30));
        assert_eq!(player.line.state(), ModemState::Ready, "{:#?}", player.line.support_rows());
        player.way = way;
        player
    }

    fn give(&mut self, input: ModemInput<'_>) {
        self.line.handle(input, self.now);
        while let Some(output) = self.line.poll() {
            match &output {
                ModemOutput::Write(bytes) => self.written(&String::from_utf8_lossy(bytes.expose())),
                ModemOutput::Reset(ResetStep::Reopen | ResetStep::PowerCycle) => self.reopens = true,
                _ => {}
            }
            self.seen.push(output);
        }
    }

    fn written(&mut self, text: &str) {
        for row in text.split('\r').map(|row| row.trim_matches('\u{1b}')).filter(|row| !row.is_empty()) {
            if let Some(at) = self.by_hand.iter().position(|given| given == row) {
                self.by_hand.remove(at);
                continue;
            }
            self.answers.push_back(match row {
                "AT+CPIN?" => "\r\n+CPIN: READY\r\n\r\nOK\r\n",
                "AT+CIMI" => "\r\n621301234567890\r\n\r\nOK\r\n",
                "AT+CREG?" => "\r\n+CREG: 2,1,\"5E25\",\"605F\",2\r\n\r\nOK\r\n",
                "AT^CVOICE?" => "\r\n^CVOICE:0,8000,16,20\r\n\r\nOK\r\n",
                "AT+QPCMV?" => "\r\n+QPCMV: 0,2\r\n\r\nOK\r\n",
                "AT+CLCC" => self.way.list,
                _ => OK,
            });
        }
    }

    fn answer(&mut self) {
        while let Some(answer) = self.answers.pop_front() {
            self.give(ModemInput::Bytes(answer.as_bytes()));
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..DEADLINES_MAX {
            if std::mem::take(&mut self.reopens) {
                self.answers.clear();
                self.give(ModemInput::PortGone);
                self.give(ModemInput::PortOpened);
                self.answer();
            }
            let Some(due) = self.line.deadline().filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            self.give(ModemInput::Tick);
            self.answer();
        }
        panic!("something is always due");
    }

    fn says(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(self.way.piece.min(bytes.len()).max(1)) {
            self.said += piece.len() as u64;
            self.give(ModemInput::Bytes(piece));
        }
        self.answer();
        self.run(Duration::from_millis(10));
    }

    fn command(&mut self, row: &str) {
        self.given += 1;
        self.by_hand.push(row.to_owned());
        self.give(ModemInput::Command { id: self.given, row: row.to_owned(), force: Force::No });
        if !self.results(self.given).is_empty() {
            // It was refused at once.
            self.by_hand.pop();
        }
        self.answer();
    }

    fn results(&self, of: u64) -> Vec<&Result<Private<String>, CommandFailure>> {
        let results = self.seen.iter().filter_map(|output| match output {
            ModemOutput::CommandAnswered { id, result } if *id == of => Some(result),
            _ => None,
        });
        results.collect()
    }

    fn until_answered(&mut self) {
        let end = self.now + PATIENCE;
        while self.now < end && (1..=self.given).any(|id| self.results(id).is_empty()) {
            self.run(Duration::from_secs(1));
        }
        self.by_hand.clear();
    }

    /// Gives the case's commands by hand, as far as they are let pass, and says the rest.
    fn plays(&mut self, case: &Case) {
        for step in &case.steps {
            match step {
                Step::Hear { pattern, .. } => {
                    self.until_answered();
                    let row = pattern.0.replace("{n}", NUMBER).replace("{*}", "1");
                    self.command(row.trim_matches('\u{1b}').trim());
                    self.run(Duration::from_millis(30));
                }
                Step::Row(_) | Step::Bytes(_) => self.says(&step.said(NUMBER)),
                Step::Wait(wait) => self.run((*wait).min(WAIT_MAX)),
                // A script's word to the scripted modem; a recording has none.
                Step::Fault(_) => {}
            }
        }
        self.until_answered();
    }

    fn offers(&self) -> usize {
        self.seen.iter().filter(|output| matches!(output, ModemOutput::Offered { .. })).count()
    }
}

/// Nothing of what was said is left: calls have ended once each, commands have their own
/// answers, and what is counted is no more than what was said.
fn assert_is_in_order(player: &mut Player, name: &str) {
    player.way.list = OK;
    player.run(AFTERWARDS);
    let end = player.now + PATIENCE;
    while !matches!(player.line.state(), ModemState::Ready | ModemState::Degraded(_)) && player.now < end {
        player.run(Duration::from_secs(1));
    }
    player.command("AT+CSQ");
    let end = player.now + PATIENCE;
    while !player.by_hand.is_empty() && player.now < end {
        player.run(Duration::from_millis(20));
    }
    player.says(b"\r\n+CSQ: 17,99\r\n\r\nOK\r\n");
    player.until_answered();
    for id in 1..=player.given {
        assert_eq!(player.results(id).len(), 1, "{name}: command {id} is answered once");
    }
    let own: Result<Private<String>, CommandFailure> = Ok(Private::new("+CSQ: 17,99\nOK".to_owned()));
    assert_eq!(player.results(player.given), [&own], "{name}: {:#?}", player.line.support_rows());
    let mut is_open = false;
    for output in &player.seen {
        match output {
            ModemOutput::Offered { .. } => assert!(!std::mem::replace(&mut is_open, true), "{name}: two calls at once"),
            ModemOutput::Ended(_) => assert!(std::mem::take(&mut is_open), "{name}: an end without a call"),
            _ => {}
        }
    }
    assert!(!is_open, "{name}: a call never ended");
    let counters = player.line.health().counters;
    let counted = [
        counters.calls,
        counters.unreadable_texts,
        counters.timeouts,
        counters.resynchronised,
        counters.unknown_rows,
        counters.garbage_bytes,
        counters.long_rows,
        counters.stray_results,
    ];
    let most = player.said + player.given;
    assert!(counted.iter().all(|count| *count <= most), "{name}: {counters:?}, of {most}");
    assert!(player.line.support_rows().len() <= SUPPORT_ROWS_MAX, "{name}");
}

/// The files of a directory of the repository with such an ending, in order.
fn files(directory: &str, ending: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let entries = fs::read_dir(directory).expect("the directory is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == ending));
    files.sort();
    files
}

fn name_of(file: &Path) -> String {
    file.file_stem().expect("a name").to_string_lossy().into_owned()
}

fn profiles() -> Vec<(String, Arc<Profile>)> {
    let read = |file: PathBuf| {
        let (name, text) = (name_of(&file), fs::read_to_string(&file).expect("text"));
        let profile = Profile::parse(&text, &name).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        (name, Arc::new(profile))
    };
    files("firmware-config/modems", "toml").into_iter().map(read).collect()
}

#[test]
fn any_recording_is_played_to_every_family_and_leaves_its_line_in_order() {
    let profiles = profiles();
    let (mut files_played, mut offers, mut answers) = (0, 0, 0);
    for file in files("tests/modem/recordings", "txt") {
        let file_name = name_of(&file);
        // Noise on a line is no text.
        let bytes = fs::read(&file).expect("a file");
        let text = String::from_utf8_lossy(&bytes);
        let recording = Recording::parse(&text).unwrap_or_else(|mistake| panic!("{file_name}: {mistake}"));
        for case in &recording.cases {
            println!("{file_name} {}", case.name);
            for (profile_name, profile) in &profiles {
                for way in WAYS {
                    let name = format!("{file_name} {}, {profile_name}, {way:?}", case.name);
                    let mut player = Player::new(Arc::clone(profile), way);
                    player.plays(case);
                    let own = (1..=player.given).filter(|id| player.results(*id).iter().any(|result| result.is_ok()));
                    answers += own.count();
                    assert_is_in_order(&mut player, &name);
                    offers += player.offers();
                }
            }
        }
        files_played += 1;
    }
    assert!(profiles.len() >= 5 && files_played >= 27, "{} families, {files_played} recordings", profiles.len());
    assert!(offers > 10 && answers > 100, "{offers} calls and {answers} answers");
}

#[test]
fn a_recording_may_have_every_escape_a_date_before_its_clock_and_two_commands_at_once() {
    let text =
        "@ 2026-01-02 10:00:00.5\n>> AT+CSQ\\rAT+CREG?\\r\n@ 2026-01-02 10:00:01\n<< \\\"\\\\\\t\\0\\x41\\r\\n\n";
    let recording = Recording::parse(text).expect("a recording");
    let steps = &recording.cases[0].steps;
    let commands = steps.iter().filter_map(|step| match step {
        Step::Hear { pattern, .. } => Some(pattern.0.as_str()),
        _ => None,
    });
    assert_eq!(commands.collect::<Vec<_>>(), ["AT+CSQ", "AT+CREG?"]);
    assert_eq!(steps[3..], [Step::Wait(Duration::from_millis(500)), Step::Bytes(b"\"\\\t\0A\r\n".to_vec())]);
}

#[test]
fn a_recording_may_be_as_dumps_and_editors_leave_it() {
    let heard = |command: &str| Step::Hear { pattern: Pattern(command.to_owned()), often: Often::Once };
    let waits = |waits: [u64; 2]| waits.map(|ms| Step::Wait(Duration::from_millis(ms))).to_vec();
    for (text, steps) in [
        (">> \\x1b\\r\n<< OK\\r\\n", vec![Step::Bytes(b"OK\r\n".to_vec())]),
        (">> \\x1bAT\\r", vec![heard("AT")]),
        ("> AT+CSQ ", vec![heard("AT+CSQ")]),
        ("#\n>\n<\n<<", vec![Step::Row(String::new()), Step::Bytes(Vec::new())]),
        ("<< \\a\\b\\v\\f\\e\\'\\?\\032\\7x", vec![Step::Bytes(b"\x07\x08\x0b\x0c\x1b'?\x1a\x07x".to_vec())]),
        ("@ 21:33:50,5\n@ 21:33:51Z", waits([0, 500])),
        ("@ 10:00:00+01:00\n@ 2026-01-02T10:00:01.5+01:00", waits([0, 1500])),
        ("@ +0.5s\n@ +500ms", waits([500, 500])),
    ] {
        let recording = Recording::parse(text).unwrap_or_else(|mistake| panic!("{text}: {mistake}"));
        assert_eq!(recording.cases[0].steps, steps, "{text}");
    }
    assert_eq!(Recording::parse("< OK\n##\n< OK").map(|recording| recording.cases.len()), Ok(2));
    assert!(Recording::parse("<< \\400").is_err() && Recording::parse("@ +5min").is_err());
}
