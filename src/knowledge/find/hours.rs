//! What the calendar alone answers: "are you open on Sunday?", "and tomorrow at six?".
//! Nothing is looked up here.

use jiff::civil::DateTime;

use super::super::finding::Finding;
use super::super::say::{HoursQuestion, say_hours};
use super::super::topic::Topic;
use super::super::when::When;
use super::super::words::{is_stop_word, stem};
use super::{Found, KnowledgeIndex, Question, Recollection};

impl KnowledgeIndex {
    /// Questions that the calendar alone answers, with nothing else in them.
    pub(super) fn calendar(&self, question: &Question, memory: &Recollection, now: DateTime) -> Option<Found> {
        if !self.base.hours.are_stated() {
            return None;
        }
        let kind = hours_question(&question.words);
        let rest: Vec<&String> = question.content.iter().filter(|s| !is_hours_stem(s)).collect();
        let when = question.understood.when;
        match kind {
            Some(kind) if rest.is_empty() => Some(self.hours_answer(kind, when, now)),
            // "And on Sunday?", "tomorrow at six?": what was asked last, at another time.
            None if rest.is_empty() && when.is_some() && question.is_bare_time() => {
                let kind = match memory.hours {
                    Some(kind @ (HoursQuestion::Opens | HoursQuestion::Closes)) => kind,
                    _ => HoursQuestion::Open,
                };
                let merged = when.map(|w| When { day: w.day.or(memory.when.and_then(|m| m.day)), time: w.time });
                Some(self.hours_answer(kind, merged, now))
            }
            _ => None,
        }
    }

    pub(super) fn hours_answer(&self, kind: HoursQuestion, when: Option<When>, now: DateTime) -> Found {
        let finding = Finding::Answer(self.spoken(Topic::Hours, &say_hours(&self.base.hours, kind, when, now)));
        let memory = Recollection::of_hours(kind, when);
        Found { finding, memory, score: 1.0 }
    }
}

impl Question {
    /// Nothing but a time and words without content.
    fn is_bare_time(&self) -> bool {
        let others = self.words.iter().zip(&self.understood.used).filter(|(_, used)| !**used).map(|(w, _)| w.as_str());
        let mut free: Vec<&str> = others.collect();
        free.retain(|w| {
            !matches!(
                *w,
                "and"
                    | "what"
                    | "about"
                    | "how"
                    | "on"
                    | "then"
                    | "for"
                    | "is"
                    | "of"
                    | "or"
                    | "but"
                    | "if"
                    | "it"
                    | "come"
                    | "can"
                    | "i"
                    | "we"
                    | "una"
                    | "you"
                    | "dey"
                    | "there"
                    | "be"
            )
        });
        free.is_empty()
    }
}

/// What the words want of the hours, if they name opening or closing.
pub(super) fn hours_question(words: &[String]) -> Option<HoursQuestion> {
    let has = |set: &[&str]| words.iter().any(|w| set.contains(&w.as_str()));
    let when = has(&["when", "time", "hour", "hours"]);
    // "How do I open a file?" and "open an account" are not about the door.
    let opens_something =
        words.windows(2).any(|w| w[0] == "open" && matches!(w[1].as_str(), "a" | "an" | "my" | "new"));
    if opens_something {
        return None;
    }
    let holidays = has(&["holiday", "holidays"]);
    if holidays && has(&["open", "opened", "work", "public", "close", "closed", "dey", "operate"]) {
        return Some(HoursQuestion::Holidays);
    }
    let opens = has(&["open", "opens", "opening", "opened"]);
    let closes = has(&["close", "closes", "closing", "closed", "shut", "lock"]);
    let hours = has(&["hours", "schedule"])
        && (opens || has(&["working", "work", "business", "operating", "visiting", "office"]));
    let days = has(&["days", "day"]) && opens && has(&["what", "which"]);
    match (opens, closes) {
        _ if hours || days => Some(HoursQuestion::Week),
        (_, true) if when || has(&["till", "until", "late"]) => Some(HoursQuestion::Closes),
        (true, _) if has(&["till", "until", "late"]) => Some(HoursQuestion::Closes),
        (true, false) if when && !has(&["any"]) => Some(HoursQuestion::Opens),
        (true, _) | (_, true) => Some(HoursQuestion::Open),
        _ if has(&["work", "working", "operate", "available"]) && words.len() <= 8 => Some(HoursQuestion::Open),
        _ => None,
    }
}

/// Whether a stem belongs to asking for the hours, so that nothing else is asked.
pub(super) fn is_hours_stem(word: &str) -> bool {
    const WORDS: [&str; 32] = [
        "open",
        "opening",
        "close",
        "hour",
        "time",
        "work",
        "shut",
        "lock",
        "schedule",
        "day",
        "week",
        "still",
        "today",
        "holiday",
        "public",
        "business",
        "office",
        "operate",
        "usual",
        "normal",
        "exact",
        "until",
        "till",
        "late",
        "early",
        "place",
        "always",
        "start",
        "finish",
        "available",
        "through",
        "everyday",
    ];
    is_stop_word(word) || WORDS.iter().any(|w| stem(w) == word)
}
