//! The box's own mind, for real: the demonstration clinic's file, the model of
//! meaning, and questions in words that do not stand in the file. Needs the
//! models (`MILU_MODELS`, or `.models/`).

#![allow(clippy::unwrap_used, clippy::panic)] // what the tests share is test code too

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::datetime;
use jiff::tz::TimeZone;
use milu::knowledge::judge::{Exam, Verdict, examine, judge};
use milu::knowledge::{Finding, KnowledgeBase, KnowledgeIndex};
use milu::speech::onbox::{Embedder, KnowledgeMind, Pool, PoolSize};
use milu::speech::{CallSetting, Hints, MindEvent, Responder};
use milu::terms::{Moment, Private, RequestId};
use tokio::sync::mpsc;

fn embedder() -> Embedder {
    let dir = std::env::var_os("MILU_MODELS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".models"), PathBuf::from);
    Embedder::load(&dir).expect("the models are fetched by `make test`, or named by MILU_MODELS")
}

fn base() -> KnowledgeBase {
    KnowledgeBase::parse("clinic.toml", include_str!("../firmware-config/knowledge/clinic.toml")).unwrap()
}

fn clinic() -> KnowledgeMind {
    let (base, embedder) = (base(), embedder());
    let pool = Pool::new("think", PoolSize { threads: 2, queue: 8 }).unwrap();
    KnowledgeMind::build(base, Arc::new(embedder), 2, pool, Arc::new(|| Moment::START)).unwrap()
}

async fn ask(mind: &KnowledgeMind, words: &str) -> Finding {
    let (tell, mut heard) = mpsc::channel(16);
    let mut thinking = mind.open(&CallSetting::on_box(Hints::default()), tell);
    // A Monday morning in Lagos.
    let now = datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap();
    thinking.ask(RequestId(1), &Private::new(words.to_owned()), &now);
    match tokio::time::timeout(Duration::from_secs(20), heard.recv()).await {
        Ok(Some(MindEvent::Found { request: RequestId(1), finding, .. })) => finding,
        other => panic!("{words}: {other:?}"),
    }
}

#[tokio::test]
async fn questions_in_other_words_find_their_entry_and_strangers_find_none() {
    let mind = clinic();
    for (words, part) in [
        ("I would like somebody to check my blood sugar", "sugar"),
        ("Can I pay with my ATM card?", "card"),
        ("una get parking?", "parking"),
    ] {
        let found = ask(&mind, words).await;
        let Finding::Answer(spoken) = found else { panic!("{words}: {found:?}") };
        assert!(spoken.text.expose().contains(part), "{words}: {}", spoken.text.expose());
    }
    for words in
        ["Who won the football match yesterday?", "Can you repair my phone screen?", "What is the capital of Ghana?"]
    {
        assert_eq!(ask(&mind, words).await, Finding::Unknown, "{words}");
    }
}

fn exams(text: &str, index: &KnowledgeIndex, embedder: &Embedder) -> Vec<Exam> {
    let table: toml::Table = text.parse().unwrap();
    let field = |q: &toml::Value, key: &str| q.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    let exam = |q: &toml::Value| {
        let words = field(q, "words").unwrap();
        let vectors = embedder.embed_all(&index.texts_to_embed(&words)).unwrap();
        Exam { words, vectors, expected: field(q, "expect") }
    };
    table["question"].as_array().unwrap().iter().map(exam).collect()
}

#[test]
fn fifty_questions_in_other_words_are_answered_and_twenty_strangers_refused() {
    let embedder = embedder();
    let passages: Vec<String> = base().passages().into_iter().map(|p| p.text).collect();
    let index = KnowledgeIndex::new(base(), Some(embedder.embed_all(&passages).unwrap()));
    let now = datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap();
    let sets = [
        include_str!("knowledge/questions.toml"),
        include_str!("knowledge/judge_set.toml"),
        include_str!("knowledge/second_set.toml"),
        include_str!("knowledge/blind_set.toml"),
    ];
    for text in sets {
        let marks = examine(&index, &exams(text, &index, &embedder), &now);
        assert!(marks.right + marks.right_if_confirmed >= 45, "{marks:?}");
        assert!(marks.wrong <= 1, "{marks:?}");
        // Nine of ten; who is asked whether something else is meant says no.
        assert!(marks.refused >= 18, "{marks:?}");
    }
}

#[test]
fn questions_as_the_ears_wrote_them_down_are_answered_and_strangers_are_refused() {
    let embedder = embedder();
    let passages: Vec<String> = base().passages().into_iter().map(|p| p.text).collect();
    let index = KnowledgeIndex::new(base(), Some(embedder.embed_all(&passages).unwrap()));
    let now = datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).unwrap();
    let all: toml::Table = include_str!("knowledge/heard.toml").parse().unwrap();
    for set in ["questions", "judge_set"] {
        let of_set = all["question"].as_array().unwrap().iter().filter(|q| q["set"].as_str() == Some(set));
        let text = toml::to_string(&toml::Table::from_iter([(
            "question".to_owned(),
            toml::Value::Array(of_set.cloned().collect()),
        )]));
        let exams = exams(&text.unwrap(), &index, &embedder);
        let missed: Vec<&str> = exams
            .iter()
            .filter(|exam| {
                matches!(judge(&index, exam, &now), Verdict::Missed | Verdict::WrongIfConfirmed | Verdict::Wrong)
            })
            .map(|exam| exam.words.as_str())
            .collect();
        let marks = examine(&index, &exams, &now);
        assert!(marks.right + marks.right_if_confirmed >= 45, "{marks:?} {missed:#?}");
        assert!(marks.wrong <= 1, "{marks:?}");
        assert!(marks.refused >= 18, "{marks:?} {missed:#?}");
    }
}
