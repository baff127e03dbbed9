//! The box's own mind, for real: the demonstration clinic's file, the model of
//! meaning, and questions in words that do not stand in the file. Needs the
//! models (`MILU_MODELS`, or `.models/`).

#![allow(clippy::unwrap_used, clippy::panic)] // what the tests share is test code too

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::datetime;
use jiff::tz::TimeZone;
use milu::knowledge::{Finding, KnowledgeBase};
use milu::speech::onbox::{Embedder, KnowledgeMind, Pool, PoolSize};
use milu::speech::{MindEvent, Responder};
use milu::terms::{Moment, Private, RequestId};
use tokio::sync::mpsc;

fn clinic() -> KnowledgeMind {
    let dir = std::env::var_os("MILU_MODELS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".models"), PathBuf::from);
    let embedder = Embedder::load(&dir).expect("the models are fetched by `make test`, or named by MILU_MODELS");
    let text = include_str!("../firmware-config/knowledge/clinic.toml");
    let base = KnowledgeBase::parse("clinic.toml", text).unwrap();
    let pool = Pool::new("think", PoolSize { threads: 2, queue: 8 }).unwrap();
    KnowledgeMind::build(base, Arc::new(embedder), 2, pool, Arc::new(|| Moment::START)).unwrap()
}

async fn ask(mind: &KnowledgeMind, words: &str) -> Finding {
    let (tell, mut heard) = mpsc::channel(16);
    let mut thinking = mind.open(tell);
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
