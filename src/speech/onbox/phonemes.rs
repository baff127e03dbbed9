//! How words are pronounced: Debian's `espeak-ng`, kept running as a program
//! of its own, is asked piece by piece. It is under the GPL, so it is never
//! linked; and nothing that it answers reaches a log.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::clauses::Clause;

/// An answer takes 1 ms and a start 10 ms; a program that needs longer than
/// this on the busiest box is stuck, and the caller is waiting.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// A dead program is started again once for each question; twice would double
/// the silence for a box on which it cannot work.
const TRIES: usize = 2;

/// The rows of one answer: a piece has at most 120 characters, and the program
/// begins a row at the earliest after a word.
const ROWS_MAX: usize = 64;

/// Bytes of one row: 120 characters, read out as numbers at their worst.
const ROW_MAX: u64 = 16 * 1024;

/// Pieces whose phonemes are remembered. A business's answers have a few
/// hundred pieces; one takes some 200 bytes.
const REMEMBERED: usize = 1024;

/// Longest written name (in words) that a pronunciation may be given for.
const NAME_WORDS: usize = 4;

/// A word that no text contains. Its answer marks the end of the one before,
/// because the program may answer one piece in several rows.
const SENTINEL: &str = "zyxommaqua";

#[derive(Debug, Error)]
pub enum PhonemeError {
    #[error("starting espeak-ng: is the package `espeak-ng` installed?")]
    Start(#[source] std::io::Error),
    #[error("asking espeak-ng how words sound: it ended")]
    Ended,
    #[error("asking espeak-ng how words sound: no answer within {} ms", ANSWER_WITHIN.as_millis())]
    Slow,
    #[error("asking espeak-ng how words sound: its answer is longer than any can be")]
    Endless,
}

/// How the owner wants words and names to be said: the word as written, and
/// letters that make the voice say it right (`Lekki` as `Lekky`).
pub type Respellings = Vec<(String, String)>;

/// The asker. Shared by all voices; a piece is asked for once.
pub struct Phonemizer {
    program: PathBuf,
    respellings: HashMap<String, String>,
    running: Mutex<Option<Running>>,
    remembered: Mutex<Remembered>,
}

impl Phonemizer {
    /// `program` is `espeak-ng`, or a path to it. It is started with the first
    /// question.
    pub fn new(program: impl Into<PathBuf>, respellings: &Respellings) -> Self {
        let respellings = respellings.iter().map(|(name, said)| (name.to_lowercase(), syllables(said))).collect();
        Self { program: program.into(), respellings, running: Mutex::default(), remembered: Mutex::default() }
    }

    /// The International Phonetic Alphabet for words without punctuation.
    /// Blocks for about a millisecond, when the piece is new.
    pub fn ipa(&self, words: &str) -> Result<Arc<str>, PhonemeError> {
        let row = speakable(&self.respelt(words));
        if row.is_empty() {
            return Ok(Arc::from(""));
        }
        if let Some(known) = lock(&self.remembered).get(&row) {
            return Ok(known);
        }
        let ipa: Arc<str> = Arc::from(self.ask(&row)?);
        lock(&self.remembered).put(row, Arc::clone(&ipa));
        Ok(ipa)
    }

    /// The sounds of a clause with its marks between them, which a voice is
    /// trained to read as melody. Empty when nothing in it can be spoken.
    pub fn of_clause(&self, clause: &Clause) -> Result<String, PhonemeError> {
        let mut phonemes = String::new();
        for piece in &clause.pieces {
            let ipa = self.ipa(&piece.words)?;
            if ipa.is_empty() {
                continue;
            }
            if !phonemes.is_empty() {
                phonemes.push(' ');
            }
            phonemes.push_str(&ipa);
            phonemes.push(piece.mark.symbol());
        }
        Ok(phonemes)
    }

    fn ask(&self, row: &str) -> Result<String, PhonemeError> {
        let mut running = lock(&self.running);
        let mut failure = PhonemeError::Ended;
        for _ in 0..TRIES {
            let program = match running.take() {
                Some(program) => Ok(program),
                None => Running::start(&self.program),
            };
            match program.and_then(|mut program| program.ask(row).map(|answer| (program, answer))) {
                Ok((program, answer)) => {
                    *running = Some(program);
                    return Ok(answer);
                }
                Err(PhonemeError::Start(error)) => return Err(PhonemeError::Start(error)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Names are replaced by how the owner wants them said; the longest wins.
    fn respelt(&self, words: &str) -> String {
        if self.respellings.is_empty() {
            return words.to_owned();
        }
        let words: Vec<&str> = words.split_whitespace().collect();
        let mut said = Vec::new();
        let mut at = 0;
        while at < words.len() {
            let found = (1..=NAME_WORDS.min(words.len() - at)).rev().find_map(|len| {
                let (name, ending) = without_possessive(&words[at..at + len].join(" "));
                self.respellings.get(&name).map(|said| (len, format!("{said}{ending}")))
            });
            let (len, text) = found.unwrap_or_else(|| (1, words[at].to_owned()));
            said.push(text);
            at += len;
        }
        said.join(" ")
    }
}

/// People write the stressed syllable in capitals (`chee-NAY-doo`), and
/// espeak-ng would spell it out, letter by letter.
fn syllables(said: &str) -> String {
    if said.contains('-') { said.to_lowercase() } else { said.to_owned() }
}

/// `Amina's` is said as `Amina` is.
fn without_possessive(name: &str) -> (String, &'static str) {
    let name = name.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    for ending in ["'s", "’s"] {
        if let Some(bare) = name.strip_suffix(ending) {
            return (bare.to_owned(), "'s");
        }
    }
    (name, "")
}

/// Only what the program reads as text: its own mark-up (`[[`) and control
/// characters become spaces, and so does anything that would end the row.
fn speakable(words: &str) -> String {
    let kept = |c: char| match c {
        '’' => '\'',
        c if c.is_alphanumeric() || "'.,:%&+@#$£€₦°/-*=_".contains(c) => c,
        _ => ' ',
    };
    let words: String = words.chars().map(kept).collect();
    words.split_whitespace().filter(|word| !word.contains(SENTINEL)).collect::<Vec<_>>().join(" ")
}

/// What a mutex guards here is whole at every moment, so poison means nothing.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pieces asked for last; the oldest is forgotten first.
#[derive(Default)]
struct Remembered {
    answers: HashMap<String, Arc<str>>,
    order: VecDeque<String>,
}

impl Remembered {
    fn get(&self, row: &str) -> Option<Arc<str>> {
        self.answers.get(row).map(Arc::clone)
    }

    fn put(&mut self, row: String, ipa: Arc<str>) {
        if self.answers.insert(row.clone(), ipa).is_some() {
            return;
        }
        self.order.push_back(row);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

/// The program, answering rows.
struct Running {
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
    sentinel: String,
}

impl Running {
    fn start(program: &PathBuf) -> Result<Self, PhonemeError> {
        let mut child = Command::new(program)
            .args(["--ipa", "-q", "-b", "1", "-v", "en-us"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(PhonemeError::Start)?;
        let (Some(questions), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(PhonemeError::Ended);
        };
        let answers = rows_of(output)?;
        let mut running = Self { child, questions, answers, sentinel: String::new() };
        running.send(&[SENTINEL])?;
        running.sentinel = running.receive()?;
        Ok(running)
    }

    fn ask(&mut self, row: &str) -> Result<String, PhonemeError> {
        self.send(&[row, SENTINEL])?;
        let mut answer = Vec::new();
        loop {
            let row = self.receive()?;
            if row == self.sentinel {
                return Ok(without_asides(&answer.join(" ")));
            }
            if answer.len() == ROWS_MAX {
                return Err(PhonemeError::Endless);
            }
            answer.push(row);
        }
    }

    fn send(&mut self, rows: &[&str]) -> Result<(), PhonemeError> {
        let mut text = rows.join("\n");
        text.push('\n');
        // A question is far smaller than a pipe holds, so this does not block.
        self.questions.write_all(text.as_bytes()).and_then(|()| self.questions.flush()).map_err(|_| PhonemeError::Ended)
    }

    fn receive(&self) -> Result<String, PhonemeError> {
        self.answers.recv_timeout(ANSWER_WITHIN).map_err(|error| match error {
            RecvTimeoutError::Timeout => PhonemeError::Slow,
            RecvTimeoutError::Disconnected => PhonemeError::Ended,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            tracing::debug!(%error, "espeak-ng could not be ended");
        }
    }
}

/// A thread reads the rows, because a pipe cannot be read with a time limit.
/// It ends with the program, or when nobody wants the rows.
fn rows_of(output: ChildStdout) -> Result<Receiver<String>, PhonemeError> {
    let (rows, answers) = sync_channel(ROWS_MAX);
    let read = move || {
        let mut output = BufReader::new(output);
        loop {
            let mut row = String::new();
            match (&mut output).take(ROW_MAX).read_line(&mut row) {
                Ok(n) if n > 0 && row.ends_with('\n') => {}
                _ => return,
            }
            if rows.send(row.trim().to_owned()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("milu-phonemes".to_owned()).spawn(read).map_err(PhonemeError::Start)?;
    Ok(answers)
}

/// The program marks a change of language as `(fr)`: not a sound.
fn without_asides(ipa: &str) -> String {
    let mut kept = String::with_capacity(ipa.len());
    let mut aside = false;
    for c in ipa.chars() {
        match c {
            '(' => aside = true,
            ')' => aside = false,
            c if !aside => kept.push(c),
            _ => {}
        }
    }
    kept.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_stressed_syllable_in_capitals_is_not_spelled_out() {
        assert_eq!(super::syllables("chee-NAY-doo"), "chee-nay-doo");
        assert_eq!(super::syllables("P O S"), "P O S");
    }

    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn espeak() -> Phonemizer {
        Phonemizer::new("espeak-ng", &Vec::new())
    }

    /// A program in the place of espeak-ng.
    fn stand_in(script: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("espeak-ng");
        let mut file = std::fs::File::create(&path).unwrap();
        writeln!(file, "#!/bin/sh\n{script}").unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o755)).unwrap();
        (dir, path)
    }

    #[test]
    fn words_become_sounds_and_the_program_stays_in_step_over_many_questions() {
        let asker = espeak();
        let first = asker.ipa("good morning").unwrap();
        assert!(first.contains('ɡ') && first.contains('ŋ'), "{first}");
        for n in 0..50 {
            asker.ipa(&format!("Dr. Ada. room {n}. and more")).unwrap();
        }
        *lock(&asker.remembered) = Remembered::default();
        assert_eq!(asker.ipa("good morning").unwrap(), first);
    }

    #[test]
    fn a_pronunciation_changes_the_sounds_and_only_those_of_its_word() {
        let with = Phonemizer::new("espeak-ng", &vec![("Lekki".to_owned(), "laykee".to_owned())]);
        assert_ne!(with.ipa("the Lekki clinic").unwrap(), espeak().ipa("the Lekki clinic").unwrap());
        assert_eq!(with.ipa("the lekki's clinic").unwrap(), espeak().ipa("the laykee's clinic").unwrap());
        assert_eq!(with.ipa("the other clinic").unwrap(), espeak().ipa("the other clinic").unwrap());
    }

    #[test]
    fn the_longest_name_wins() {
        let names =
            vec![("victoria".to_owned(), "one".to_owned()), ("Victoria Island".to_owned(), "vee eye".to_owned())];
        assert_eq!(Phonemizer::new("x", &names).respelt("on Victoria Island near Victoria"), "on vee eye near one");
    }

    #[test]
    fn text_cannot_give_the_program_orders() {
        assert_eq!(speakable("say [[h@l'oU]]\nnow\u{7} <b>"), "say h@l'oU now b");
        assert_eq!(speakable(&format!("a {SENTINEL} b")), "a b");
    }

    #[test]
    fn a_program_that_died_is_started_again() {
        let asker = espeak();
        let before = asker.ipa("one").unwrap();
        lock(&asker.running).as_mut().unwrap().child.kill().unwrap();
        *lock(&asker.remembered) = Remembered::default();
        assert_eq!(asker.ipa("one").unwrap(), before);
    }

    #[test]
    fn a_missing_a_mute_and_an_endless_program_are_told_apart() {
        assert!(matches!(Phonemizer::new("/nowhere/espeak-ng", &Vec::new()).ipa("a"), Err(PhonemeError::Start(_))));
        let (_dir, path) = stand_in("exit 0");
        assert!(matches!(Phonemizer::new(path, &Vec::new()).ipa("a"), Err(PhonemeError::Ended)));
        let (_dir, path) = stand_in("exec sleep 30");
        assert!(matches!(Phonemizer::new(path, &Vec::new()).ipa("a"), Err(PhonemeError::Slow)));
        let (_dir, path) = stand_in("read a; echo end; exec yes");
        assert!(matches!(Phonemizer::new(path, &Vec::new()).ipa("a"), Err(PhonemeError::Endless)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut remembered = Remembered::default();
        for n in 0..REMEMBERED + 10 {
            remembered.put(n.to_string(), Arc::from("a"));
        }
        assert_eq!(remembered.answers.len(), REMEMBERED);
        assert!(remembered.get("0").is_none() && remembered.get("20").is_some());
    }
}
