//! Questions spoken over a telephone's band, heard by the box's ears and answered
//! from a business's file: how many are right, how many are wrong with
//! confidence, how many that the file does not answer are refused.

#![allow(
    clippy::print_stdout,
    clippy::panic,
    reason = "a benchmark prints its table, and ends where it cannot measure"
)]

#[path = "support/tables.rs"]
mod tables;

use std::time::Duration;

use milu::knowledge::judge::{Exam, Marks, Verdict, examine, judge};
use milu::knowledge::{KnowledgeBase, KnowledgeIndex};
use milu::media::{Codec, Conversion, Decoder, Encoder, FRAME_OCTETS, Frame, Resampler, SampleRate};
use milu::ops::SystemClock;
use milu::speech::onbox::{Embedder, Phonemizer, PiperVoice, Pool, PoolSize, SmartTurn, WhisperEars};
use milu::speech::{CallSetting, EarsEvent, Heard, Hints, Transcriber};
use milu::terms::{Language, Moment, Private, RequestId};
use serde::Deserialize;
use serde_json::json;
use tables::{Row, models_dir, report, root};
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// A business's file, and sets of questions to it, each with its name.
type Business = (&'static str, &'static [(&'static str, &'static str)]);

const BUSINESSES: &[Business] = &[
    (
        "firmware-config/knowledge/clinic.toml",
        &[
            ("tuned on", "questions.toml"),
            ("kept apart", "judge_set.toml"),
            ("kept apart, the second", "second_set.toml"),
            ("blind", "blind_set.toml"),
        ],
    ),
    // As an owner writes it in an evening: two or three ways to ask for each answer.
    ("tests/knowledge/guest_house.toml", &[("a guest house with few ways to ask", "guest_house_set.toml")]),
];

const FRAME: Duration = Duration::from_millis(20);

#[derive(Deserialize)]
struct Questions {
    question: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    words: String,
    /// The id of the right answer; none if the file has none.
    expect: Option<String>,
}

/// How a question comes to the mind.
#[derive(Clone, Copy)]
enum Way {
    Typed,
    Spoken,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::Typed => "typed",
            Self::Spoken => "spoken, telephone band",
        }
    }
}

struct Bench {
    index: KnowledgeIndex,
    embedder: Embedder,
    voice: PiperVoice,
    ears: WhisperEars,
    hints: Hints,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    // `cargo test --benches` asks only whether it builds.
    if std::env::args().any(|arg| arg == "--test") {
        return;
    }
    // `typed` leaves out the voice, the telephone and the ears: seconds for minutes.
    let ways: &[Way] =
        if std::env::args().any(|arg| arg == "typed") { &[Way::Typed] } else { &[Way::Typed, Way::Spoken] };
    let mut rows = Vec::new();
    for (business, sets) in BUSINESSES {
        let bench = Bench::load(business);
        for (name, file) in *sets {
            let path = root().join("tests/knowledge").join(file);
            let text = std::fs::read_to_string(&path).expect("the questions");
            let asked: Questions = toml::from_str(&text).expect("the questions");
            rows.extend(bench.ask_all(name, &asked.question, ways).await);
        }
    }
    report("questions", &rows);
}

impl Bench {
    fn load(business: &str) -> Self {
        let dir = models_dir();
        let text = std::fs::read_to_string(root().join(business)).expect("the business's file");
        let base = KnowledgeBase::parse(business, &text).expect("no mistakes");
        let embedder = Embedder::load(&dir).expect("the embedder");
        let passages: Vec<String> = base.passages().into_iter().map(|p| p.text).collect();
        let vectors = embedder.embed_all(&passages).expect("vectors");
        let hints = Hints { language: Language::English, words: base.hint_words() };
        let pool = Pool::new("think", PoolSize { threads: 2, queue: 16 }).expect("a pool");
        let phonemes = Phonemizer::new("espeak-ng", &Vec::new());
        let runtime = tokio::runtime::Handle::current();
        let voice = dir.join("en_US-joe-medium.onnx");
        let voice = PiperVoice::load(&voice, phonemes, pool.clone(), TaskTracker::new(), runtime).expect("the voice");
        let turn = SmartTurn::load(&dir.join("smart-turn-v3.2-cpu.onnx")).expect("the judge of turns");
        let whisper = milu::appliance::EarsModel::Base.file(&dir);
        let clock = SystemClock::new();
        let ears = WhisperEars::load(&whisper, turn, pool, clock.as_fn()).expect("the ears");
        Self { index: KnowledgeIndex::new(base, Some(vectors)), embedder, voice, ears, hints }
    }

    async fn ask_all(&self, name: &str, questions: &[Question], ways: &[Way]) -> Vec<Row> {
        // A Tuesday morning, so that "now" and "tomorrow" have one answer.
        let zone = self.index.base().hours.time_zone().clone();
        let now = jiff::civil::date(2026, 11, 24).at(10, 0, 0, 0).to_zoned_datetime(zone).expect("a time");
        let mut told = Vec::new();
        for way in ways {
            let mut exams = Vec::new();
            for question in questions {
                let words = match way {
                    Way::Typed => question.words.clone(),
                    Way::Spoken => self.heard(&question.words).await,
                };
                let exam = self.exam(&words, question);
                let verdict = judge(&self.index, &exam, &now);
                if matches!(verdict, Verdict::Wrong | Verdict::Missed | Verdict::WrongIfConfirmed) {
                    println!("{verdict:?}: asked \"{}\", understood \"{}\"", question.words, words.trim());
                }
                exams.push(exam);
            }
            told.extend(rows(name, way.name(), &exams, &examine(&self.index, &exams, &now)));
        }
        told
    }

    fn exam(&self, words: &str, question: &Question) -> Exam {
        let vectors = self.embedder.embed_all(&self.index.texts_to_embed(words)).expect("vectors");
        Exam { words: words.to_owned(), vectors, expected: question.expect.clone() }
    }

    /// What the ears make of the words, said by the voice over a telephone.
    async fn heard(&self, words: &str) -> String {
        let text = Private::new(words.to_owned());
        let sound = self.voice.render(text, SampleRate::Hz8000).await.expect("sound");
        let (answers, mut answered) = mpsc::channel(4);
        let mut hearing = self.ears.open(&CallSetting::on_box(self.hints.clone()), answers);
        hearing.turn_began(Moment::START);
        let mut at = Moment::START;
        for frame in over_the_telephone(&sound) {
            hearing.frame(&frame, at);
            at = at + FRAME;
        }
        hearing.decode(RequestId(0));
        match answered.recv().await {
            Some(EarsEvent::Heard(Heard { words, .. })) => words.into_exposed(),
            other => panic!("the ears gave {other:?}"),
        }
    }
}

/// Through A-law and to the ears' 16 kHz, with the silence in which a turn ends.
fn over_the_telephone(sound: &[i16]) -> Vec<Frame> {
    let (mut encoder, mut decoder) = (Encoder::new(Codec::Pcma), Decoder::new(Codec::Pcma));
    let mut widen = Resampler::new(Conversion::Hz8000ToHz16000);
    let mut padded = vec![0; 1600];
    padded.extend_from_slice(sound);
    padded.extend_from_slice(&[0; 3200]);
    let mut frames = Vec::new();
    for samples in padded.chunks(SampleRate::Hz8000.frame_len()) {
        let mut octets = [0; FRAME_OCTETS];
        encoder.encode(&Frame::from_samples(SampleRate::Hz8000, samples), &mut octets);
        decoder.push(&octets).expect("our own packets");
        while let Some(frame) = decoder.take() {
            frames.push(widen.frame(&frame));
        }
    }
    frames
}

fn rows(name: &str, how: &str, exams: &[Exam], marks: &Marks) -> Vec<Row> {
    let known = exams.iter().filter(|e| e.expected.is_some()).count();
    let strangers = exams.len() - known;
    let values = json!({
        "right": marks.right, "right_if_confirmed": marks.right_if_confirmed, "wrong": marks.wrong,
        "wrong_if_confirmed": marks.wrong_if_confirmed, "missed": marks.missed, "refused": marks.refused,
        "asked_back": marks.asked_back, "answered_out_of_scope": marks.answered_out_of_scope,
    });
    vec![
        Row {
            what: format!("questions answered right ({name}, {how})"),
            named: "≥ 45 of 50, ≤ 1 wrong with confidence (text retrieval alone: 45 of 55)".to_owned(),
            measured: format!(
                "{} of {known} ({} at once, {} after asking back), {} wrong, {} missed",
                marks.right + marks.right_if_confirmed,
                marks.right,
                marks.right_if_confirmed,
                marks.wrong,
                marks.missed + marks.wrong_if_confirmed,
            ),
            values: values.clone(),
        },
        Row {
            what: format!("out-of-scope questions refused ({name}, {how})"),
            named: "≥ 9 of 10".to_owned(),
            measured: format!("{} of {strangers} ({} of them asked back first)", marks.refused, marks.asked_back),
            values,
        },
    ]
}
