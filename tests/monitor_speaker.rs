//! A technician listens to a running call: a whole box whose monitor speaker is a card
//! of pipes, a caller who asks it things, and `milu calls listen`. Both sides come out of
//! the card while the command runs, and silence when it does not; the call notices
//! nothing, and its record says that somebody listened.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what tests share stands outside of them"
)]
#![allow(clippy::disallowed_methods, reason = "the tests' own threads end with their process")]

#[allow(dead_code, reason = "this test needs a loudspeaker alone")]
#[path = "audio/card.rs"]
mod card;
#[allow(dead_code, reason = "this test needs the ears alone")]
#[path = "audio/desk.rs"]
mod desk;
mod the_box;

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use card::{Card, NAME, Room, write_configuration};
use milu::media::{Conversion, Frame, Level, Resampler, SampleRate};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use the_box::callers::Call;
use the_box::{MILU, Setup, TheBox, sounds, stderr, text, until};

const NUMBER: &str = "08031112224";

/// What is asked, not quite as it stands in the file, and the question of the file that
/// it means.
const QUESTION: &str = "Please, could you bring some bread to my house?";
const MEANT: &str = "Do you deliver?";
const NEXT_QUESTION: &str = "How much is a loaf of bread?";

/// Samples of the card in a millisecond.
const A_MS: usize = 16;

/// A box whose monitor speaker is plugged in and open.
struct World {
    the_box: TheBox,
    card: Card,
    dir: TempDir,
}

impl World {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let alsa = write_configuration(dir.path(), A_MS * 1_000);
        let card = Card::plug_in(dir.path(), A_MS * 1_000, Room::Handset);
        let sections = format!("[monitor_speaker]\ncard = \"{NAME}\"\ncard_rate_hz = {}\n", A_MS * 1_000);
        let setup = Setup { sections, ..Setup::default() };
        let place = tempfile::tempdir().unwrap();
        let config = setup.write(place.path());
        let mut command = Command::new(MILU);
        command.args(["run", "--config"]).arg(config).env("ALSA_CONFIG_PATH", alsa);
        let the_box = TheBox::start_by(&mut command, place, &setup);
        let world = Self { the_box, card, dir };
        until("the speaker's card is open", || {
            let doctor = world.the_box.milu(&["doctor", "--json"]);
            let told: Value = serde_json::from_slice(&doctor.stdout).expect("one JSON document");
            let facts = told["facts"].as_array().expect("facts");
            let fact = facts.iter().find(|fact| fact["name"] == "monitor speaker")?;
            (fact["state"] == "well" && text(&fact["sentence"]).contains("can be heard")).then_some(())
        });
        world
    }

    /// `milu calls listen …`, which is refused with a sentence.
    fn refused(&self, args: &[&str]) -> String {
        let output = self.the_box.milu(&[&["calls", "listen"], args].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", stderr(&output));
        stderr(&output)
    }

    /// How much the card has played, in samples.
    fn played(&self) -> usize {
        self.card.air.played.lock().unwrap().len()
    }

    fn until_played(&self, len: usize) {
        until("the card plays on", || (self.played() >= len).then_some(()));
    }

    fn is_silent_from(&self, from: usize) -> bool {
        self.card.air.played.lock().unwrap()[from..].iter().all(|sample| *sample == 0)
    }
}

/// `milu calls listen` that runs.
struct Listen {
    child: Child,
    rows: BufReader<ChildStdout>,
}

impl Listen {
    /// Starts it, and waits until the call is heard.
    fn start(the_box: &TheBox, args: &[&str]) -> Self {
        let mut child = Command::new(MILU)
            .arg("--control")
            .arg(the_box.socket())
            .args(["calls", "listen"])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("milu runs");
        let mut rows = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut first = String::new();
        rows.read_line(&mut first).unwrap();
        assert!(first.contains("You hear call"), "{first}");
        Self { child, rows }
    }

    /// What the person who listens does: Ctrl-C.
    fn interrupt(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        let status = until("the command ends", || self.child.try_wait().unwrap());
        assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
    }

    /// Its end, and what it said on both streams until then.
    fn ended(mut self) -> (ExitStatus, String, String) {
        let status = until("the command ends", || self.child.try_wait().unwrap());
        let (mut told, mut erred) = (String::new(), String::new());
        self.rows.read_to_string(&mut told).unwrap();
        self.child.stderr.take().expect("it is piped").read_to_string(&mut erred).unwrap();
        (status, told, erred)
    }
}

impl Drop for Listen {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn is_answer(event: &Value) -> bool {
    let turn = &event["turn"];
    event["event"] == "turn" && turn["who"] == "box" && turn["latency"]["voice_to_voice_ms"].is_u64()
}

fn ms(value: &Value) -> usize {
    usize::try_from(value.as_u64().unwrap_or_else(|| panic!("{value} is no time"))).unwrap()
}

fn wav(dir: &Path, name: &str, sound: &[i16]) -> String {
    sounds::write_wav(dir, name, sound).to_str().expect("a path of letters").to_owned()
}

fn converted(sound: &[i16], rate: SampleRate, conversion: Conversion) -> Vec<i16> {
    let mut resampler = Resampler::new(conversion);
    let frames = sound.chunks(rate.frame_len()).map(|part| Frame::from_samples(rate, part));
    frames.flat_map(|frame| resampler.frame(&frame).samples().to_vec()).collect()
}

/// A turn is told when it is over on the line. The card plays its end up to so much
/// later or earlier: buffers on the one way, the turn's way to the watcher on the other.
const BEFORE_MS: usize = 1_500;

/// The card's sound of an answer that has just been told, and the caller's before it.
fn assert_both_sides_are_heard(world: &World, asked: &[i16], answer: &Value, told_at: usize) {
    let played = world.card.played();
    let long = ms(&answer["turn"]["ended_ms"]) - ms(&answer["turn"]["started_ms"]) + BEFORE_MS;
    let from = told_at.saturating_sub(long * A_MS);
    let to = (told_at + BEFORE_MS * A_MS).min(played.len());
    let narrow = converted(&played[from..to], SampleRate::Hz16000, Conversion::Hz16000ToHz8000);
    let words = sounds::heard(&narrow);
    assert_eq!(sounds::nearest_answer(&sounds::bakery(), &words), MEANT, "heard: {words}");
    let asked = converted(asked, SampleRate::Hz8000, Conversion::Hz8000ToHz16000);
    let alike = desk::likeness(&asked, &played[..told_at]);
    println!("the technician hears the caller {alike:.3} alike, and of the box: {words}");
    assert!(alike > 0.7, "the caller's question is {alike:.3} alike to what the card played");
    assert!(Level::of(&narrow).rms_dbfs > -40.0, "it is heard");
}

#[test]
fn who_listens_hears_both_sides_until_the_command_or_the_call_ends_and_the_record_says_so() {
    let world = World::start();
    assert!(world.refused(&[]).contains("no call is running"));
    assert!(world.refused(&["not-a-call"]).contains("reading the call's id"));

    let question = sounds::speech(QUESTION);
    let sound = |name: &str, samples: &[i16]| wav(world.dir.path(), name, samples);
    let steps = [
        sound("question.wav", &question),
        sound("next.wav", &sounds::speech(NEXT_QUESTION)),
        sound("goodbye.wav", &sounds::speech("No, thank you. Goodbye.")),
    ];
    let watch = world.the_box.watch();
    // Between the second answer and the goodbye there is time for two commands to start.
    let call = Call::start(
        &world.the_box,
        NUMBER,
        &["--play", &steps[0], "--play", &steps[1], "--wait", "15", "--play", &steps[2]],
    );
    let offered = watch.until("the call rings", |event| event["event"] == "offered");
    let id = text(&offered["id"]);
    let listen = Listen::start(&world.the_box, &[id]);
    let listened = watch.until("it is told that somebody listens", |event| event["event"] == "listened");
    assert_eq!(listened["id"], id);

    let answer = watch.until("the question is answered", is_answer);
    let told_at = world.played();
    world.until_played(told_at + BEFORE_MS * A_MS);
    listen.interrupt();
    // Half a second of nothing at all: what a line carries in silence is never that.
    until("the card is silent", || world.played().checked_sub(500 * A_MS).filter(|from| world.is_silent_from(*from)));
    let silent_from = world.played();
    watch.until("the next question is answered", is_answer);
    assert!(world.is_silent_from(silent_from), "nobody listens, and the card plays");

    let first = Listen::start(&world.the_box, &[]);
    let second = Listen::start(&world.the_box, &[id]);
    let (status, _, erred) = first.ended();
    assert_eq!(status.code(), Some(1));
    assert!(erred.contains("another command listens"), "{erred}");
    let (status, told, erred) = second.ended();
    assert!(status.success(), "{status}: {erred}");
    assert!(told.contains("The call has ended."), "{told}");
    call.report();
    assert!(world.refused(&[id]).contains("is not running"));

    let record = world.the_box.record_of(&NUMBER[1..]);
    assert_eq!(record["outcome"], "answered", "{record:#}");
    let times: Vec<usize> = record["listened"].as_array().expect("a list").iter().map(|at| ms(&at["at_ms"])).collect();
    assert!(times.len() == 3 && times.is_sorted(), "{record:#}");
    let shown = world.the_box.milu(&["calls", "show", id]);
    assert_eq!(String::from_utf8_lossy(&shown.stdout).matches("a person listened").count(), 3);
    let log = world.the_box.log();
    let rows: Vec<&str> = log.lines().filter(|row| row.contains("a person listens to the call")).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row.contains(id)), "{rows:#?}");
    assert!(!log.contains(&NUMBER[1..]), "a number is in the log");
    assert_both_sides_are_heard(&world, &question, &answer, told_at);
    world.the_box.stop();
}

#[test]
fn a_box_without_a_monitor_speaker_says_so_in_a_sentence() {
    let the_box = TheBox::start(&Setup::default());
    let output = the_box.milu(&["calls", "listen"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    assert!(said.contains("has no monitor speaker") && said.contains("[monitor_speaker]"), "{said}");
    assert!(!String::from_utf8_lossy(&the_box.milu(&["doctor"]).stdout).contains("monitor speaker"));
    the_box.stop();
}
