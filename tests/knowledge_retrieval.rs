//! The demonstration clinic is asked in other words than its file's, by words
//! alone: fewer questions are answered than with embeddings, but none wrongly.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share stands outside of them")]

use milu::knowledge::judge::{Exam, examine};
use milu::knowledge::{Finding, Guess, KnowledgeBase, KnowledgeIndex, Recollection};

const QUESTIONS: [&str; 3] = [
    include_str!("knowledge/questions.toml"),
    include_str!("knowledge/held_out.toml"),
    include_str!("knowledge/judge_set.toml"),
];

fn index() -> KnowledgeIndex {
    let text = include_str!("../firmware-config/knowledge/clinic.toml");
    KnowledgeIndex::new(KnowledgeBase::parse("clinic.toml", text).unwrap(), None)
}

/// Monday, 23 November 2026, ten in the morning in Lagos.
fn now() -> jiff::ZonedDateTime {
    jiff::civil::datetime(2026, 11, 23, 9, 0, 0, 0).to_zoned_datetime(jiff::tz::TimeZone::UTC).unwrap()
}

fn exams(text: &str) -> Vec<Exam> {
    let table: toml::Table = text.parse().unwrap();
    let field = |q: &toml::Value, key: &str| q.get(key).and_then(|v| v.as_str()).map(str::to_owned);
    let questions = table["question"].as_array().unwrap();
    questions
        .iter()
        .map(|q| Exam { words: field(q, "words").unwrap(), vectors: Vec::new(), expected: field(q, "expect") })
        .collect()
}

#[test]
fn without_embeddings_nothing_out_of_scope_is_answered_and_little_wrongly() {
    for text in QUESTIONS {
        let marks = examine(&index(), &exams(text), &now());
        assert_eq!(marks.answered_out_of_scope, 0, "{marks:?}");
        assert!(marks.wrong <= 1, "{marks:?}");
        assert!(marks.right + marks.right_if_confirmed > 0, "{marks:?}");
    }
}

#[test]
fn every_expected_answer_is_one_that_the_clinic_has() {
    let index = index();
    let known: Vec<&str> = index.base().passages().iter().map(|p| index.base().topic_id(p.topic)).collect();
    for text in QUESTIONS {
        for expected in exams(text).into_iter().filter_map(|e| e.expected) {
            assert!(known.contains(&expected.as_str()), "{expected}");
        }
    }
}

#[test]
fn every_question_of_the_file_finds_its_own_answer_by_words_alone() {
    let index = index();
    let mut lost = Vec::new();
    for entry in &index.base().entries {
        for way in &entry.ask {
            let found = index.find(way, &[], &Recollection::default(), &now());
            let id = match &found.finding {
                Finding::Answer(spoken) | Finding::Maybe(Guess { answer: spoken, .. }) => spoken.entry.clone(),
                _ => None,
            };
            if id.as_ref() != Some(&entry.id) {
                lost.push((way.clone(), id));
            }
        }
    }
    // A few ways to ask share all their words with another entry's.
    assert!(lost.len() * 10 <= index.base().entries.len() * 4, "{lost:#?}");
}

#[test]
fn no_answer_leaves_a_figure_to_the_voice() {
    let index = index();
    for entry in &index.base().entries {
        let said = milu::knowledge::as_spoken(&entry.answer);
        assert!(!said.contains(|c: char| c.is_ascii_digit() || c == '₦'), "{said}");
    }
}
