//! What the box is saying and is about to say, and how a turn's time was spent.

use std::collections::VecDeque;
use std::time::Duration;

use crate::conversation::{Played, WordEnd, heard_text};
use crate::terms::{Moment, Private, UtteranceId};

use super::record::Latency;

/// At most this many sentences wait behind the one that plays: a notice, a
/// greeting, an answer and a question.
const QUEUE_MAX: usize = 8;

/// When the steps of answering a turn happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct TurnTimes {
    /// The caller's last voiced sample.
    pub(super) speech_ended: Moment,
    pub(super) decided: Moment,
    pub(super) words: Option<Moment>,
    pub(super) found: Option<Moment>,
}

impl TurnTimes {
    pub(super) fn latency(&self, first_sample: Moment) -> Latency {
        let words = self.words.map(|at| at.max(self.decided));
        let found = self.found.map(|at| at.max(words.unwrap_or(self.decided)));
        Latency {
            endpoint_ms: Some(self.decided.ms_since(self.speech_ended)),
            transcribe_ms: words.map(|at| at.ms_since(self.decided)),
            respond_first_ms: found.zip(words).map(|(found, words)| found.ms_since(words)),
            synthesize_first_ms: found.map(|found| first_sample.ms_since(found)),
            voice_to_voice_ms: Some(first_sample.ms_since(self.speech_ended)),
        }
    }
}

/// One sentence on its way to the caller.
#[derive(Clone, Debug)]
pub(super) struct Saying {
    pub(super) utterance: UtteranceId,
    pub(super) text: String,
    pub(super) started: Option<Moment>,
    pub(super) played_ms: u32,
    pub(super) total_ms: Option<u32>,
    /// When its words end, as far as the voice has told it.
    pub(super) ends: Vec<WordEnd>,
    /// The turn of the caller that this answers.
    pub(super) answers: Option<TurnTimes>,
    /// The engine that found it; none for sentences of the call's own.
    pub(super) responder: Option<&'static str>,
    /// The engine that made its sound; none until it is told.
    pub(super) synthesizer: Option<&'static str>,
    /// A text message that this sentence promises: sent once it sounds, because
    /// until then the caller may go on and want something else.
    pub(super) promises: Option<Private<String>>,
    pub(super) what: What,
    /// One sentence of several: all of them are one turn.
    pub(super) part: Part,
}

/// Does a sentence stand alone, or is it one of an answer's several?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Whole,
    OfAnswer,
}

/// What a sentence is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// Played in full before anything is kept.
    Notice,
    /// "Sorry to interrupt you": said over a caller who never stops.
    BreakingIn,
    /// "One moment, please": does not count as the answer.
    Filler,
    Answer,
    /// The last thing that is said.
    Farewell,
}

/// How a sentence ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ending {
    Whole,
    Cut,
}

impl Saying {
    /// A sentence that is not yet on its way.
    pub(super) fn new(text: String, what: What, part: Part) -> Self {
        Self {
            utterance: UtteranceId::default(),
            text,
            started: None,
            played_ms: 0,
            total_ms: None,
            ends: Vec::new(),
            answers: None,
            responder: None,
            synthesizer: None,
            promises: None,
            what,
            part,
        }
    }

    /// What the caller really heard of it.
    pub(super) fn heard(&self, ending: Ending) -> Private<String> {
        let text = match ending {
            Ending::Whole => self.text.as_str(),
            Ending::Cut => self.heard_until(Duration::from_millis(u64::from(self.played_ms))),
        };
        Private::new(text.to_owned())
    }

    /// Where the voice has told the ends of words, they count; beyond the last of
    /// them (another engine went on) the time is reckoned.
    fn heard_until(&self, heard: Duration) -> &str {
        let total = self.total_ms.map(|ms| Duration::from_millis(u64::from(ms)));
        let told = self.ends.last().filter(|last| last.at <= heard && self.text.is_char_boundary(last.text_end));
        let Some(last) = told else { return heard_text(&self.text, &self.ends, Played { heard, total }) };
        let rest = Played { heard: heard - last.at, total: total.map(|total| total.saturating_sub(last.at)) };
        let further = heard_text(&self.text[last.text_end..], &[], rest).len();
        self.text[..last.text_end + further].trim_end()
    }
}

/// Sentences in the order in which they are said.
#[derive(Clone, Debug, Default)]
pub(super) struct SayQueue(VecDeque<Saying>);

impl SayQueue {
    /// Is there room for one more? When there is none, what is new is dropped:
    /// the caller has not yet heard what is queued.
    pub(super) fn has_room(&self) -> bool {
        self.0.len() < QUEUE_MAX
    }

    pub(super) fn push(&mut self, saying: Saying) {
        self.0.push_back(saying);
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get_mut(&mut self, utterance: UtteranceId) -> Option<&mut Saying> {
        self.0.iter_mut().find(|s| s.utterance == utterance)
    }

    /// Takes the sentence out.
    pub(super) fn take(&mut self, utterance: UtteranceId) -> Option<Saying> {
        let at = self.0.iter().position(|s| s.utterance == utterance)?;
        self.0.remove(at)
    }

    /// Is this sentence among them?
    pub(super) fn has(&self, text: &str) -> bool {
        self.0.iter().any(|s| s.text == text)
    }

    /// Is a part of an answer among them?
    pub(super) fn has_part(&self) -> bool {
        self.0.iter().any(|s| s.part == Part::OfAnswer)
    }

    /// The sentence that sounds or will sound next.
    pub(super) fn current(&self) -> Option<&Saying> {
        self.0.front()
    }

    /// Takes out what waits behind the sentence that sounds or will sound next.
    pub(super) fn split_behind(&mut self) -> VecDeque<Saying> {
        self.0.split_off(self.0.len().min(1))
    }

    /// Takes everything out: the sentence that sounded, if one did, first.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Saying> + '_ {
        self.0.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(played_ms: u32, ends: &[(usize, u64)]) -> String {
        let text = "We open at eight. We close at six.".to_owned();
        let ends = ends.iter().map(|(text_end, ms)| WordEnd { text_end: *text_end, at: Duration::from_millis(*ms) });
        let saying = Saying {
            played_ms,
            total_ms: Some(3000),
            ends: ends.collect(),
            ..Saying::new(text, What::Answer, Part::Whole)
        };
        saying.heard(Ending::Cut).into_exposed()
    }

    #[test]
    fn where_the_voice_told_the_ends_of_words_they_count() {
        let ends = [(2, 300), (7, 700), (10, 900), (16, 1400), (34, 3000)];
        assert_eq!(said(750, &ends), "We open");
        assert_eq!(said(0, &ends), "");
    }

    #[test]
    fn beyond_the_last_end_that_was_told_the_time_is_reckoned() {
        let ends = [(2, 300), (7, 700), (10, 900), (17, 1500)];
        assert_eq!(said(1500, &ends), "We open at eight.");
        let heard = said(2200, &ends);
        assert!(heard.starts_with("We open at eight. We") && !heard.contains("six"), "{heard}");
        assert_eq!(said(3000, &ends), "We open at eight. We close at six.");
    }

    #[test]
    fn an_end_that_points_beyond_the_text_is_survived() {
        assert_eq!(said(900, &[(2, 300), (900, 800)]), "We open at eight. We close at six.");
    }
}
