//! How well an index answers: questions whose right topic is known are asked,
//! and the findings counted. Used by tests and by the benchmark, which brings
//! the real embeddings.

use jiff::ZonedDateTime;

use super::find::{KnowledgeIndex, Recollection};
use super::finding::{Finding, Guess};

/// A question with its right topic; none if the file has no answer to it.
#[derive(Clone, Debug)]
pub struct Exam {
    pub words: String,
    /// Of [`KnowledgeIndex::texts_to_embed`] for these words; empty without a model.
    pub vectors: Vec<Vec<f32>>,
    pub expected: Option<String>,
}

/// What became of one question.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The right answer, at once.
    Right,
    /// The right answer, after asking whether it is meant: at once, or after one no.
    RightIfConfirmed,
    /// Another answer, said outright.
    Wrong,
    /// Another answer, but asked first: the caller will say no.
    WrongIfConfirmed,
    /// Unknown, although the file has the answer.
    Missed,
    /// Unknown, and rightly so.
    Refused,
}

/// The counts of an examination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub right: usize,
    pub right_if_confirmed: usize,
    pub wrong: usize,
    pub wrong_if_confirmed: usize,
    pub missed: usize,
    /// Of the questions that the file does not answer: not answered outright.
    pub refused: usize,
    /// Of those, the ones that were asked back first.
    pub asked_back: usize,
    /// Of those, the ones answered outright.
    pub answered_out_of_scope: usize,
}

/// Judges one question, asked first in its call.
pub fn judge(index: &KnowledgeIndex, exam: &Exam, now: &ZonedDateTime) -> Verdict {
    let found = index.find(&exam.words, &exam.vectors, &Recollection::default(), now);
    let is_expected = |entry: &Option<String>| entry.is_some() && *entry == exam.expected;
    match &found.finding {
        Finding::Answer(spoken) if is_expected(&spoken.entry) => Verdict::Right,
        Finding::Answer(_) => Verdict::Wrong,
        Finding::Maybe(guess) if guesses(guess).any(|guess| is_expected(&guess.answer.entry)) => {
            Verdict::RightIfConfirmed
        }
        Finding::Maybe(_) => Verdict::WrongIfConfirmed,
        Finding::Person { .. } if exam.expected.as_deref() == Some("person") => Verdict::Right,
        Finding::LeaveMessage if exam.expected.as_deref() == Some("message") => Verdict::Right,
        _ if exam.expected.is_none() => Verdict::Refused,
        _ => Verdict::Missed,
    }
}

/// A guess, and those that follow a no.
fn guesses(first: &Guess) -> impl Iterator<Item = &Guess> {
    std::iter::successors(Some(first), |guess| guess.or_else.as_deref())
}

/// Judges all questions.
pub fn examine(index: &KnowledgeIndex, exams: &[Exam], now: &ZonedDateTime) -> Marks {
    let mut marks = Marks::default();
    for exam in exams {
        let verdict = judge(index, exam, now);
        let slot = match (verdict, exam.expected.is_some()) {
            (Verdict::Right, _) => &mut marks.right,
            (Verdict::RightIfConfirmed, _) => &mut marks.right_if_confirmed,
            (Verdict::Wrong, true) => &mut marks.wrong,
            (Verdict::Wrong, false) => &mut marks.answered_out_of_scope,
            (Verdict::WrongIfConfirmed, true) => &mut marks.wrong_if_confirmed,
            (Verdict::WrongIfConfirmed, false) => {
                marks.asked_back += 1;
                &mut marks.refused
            }
            (Verdict::Missed, _) => &mut marks.missed,
            (Verdict::Refused, _) => &mut marks.refused,
        };
        *slot += 1;
    }
    marks
}
