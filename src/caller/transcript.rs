use serde::Serialize;

use super::far_turns::FarTurn;
use crate::call::MediaFacts;
use crate::terms::{EndCause, Moment};

/// Turns of one call that are kept. A call of half an hour with a turn every
/// two seconds has fewer.
const TURNS_MAX: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    Caller,
    Far,
}

/// One turn. Times are in milliseconds since the answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TurnReport {
    pub who: Who,
    /// What was said; none where nobody could write it down.
    pub text: Option<String>,
    pub started_ms: u64,
    pub ended_ms: u64,
    /// From the caller's last voiced sample to the far side's first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice_to_voice_ms: Option<u64>,
    /// From the first voiced sample of the caller who broke in to silence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_after_ms: Option<u64>,
}

/// What is told while a call goes on, in the order of what happened.
#[derive(Clone, PartialEq, Debug)]
pub enum Told {
    Answered { after_ms: u64, codec: &'static str },
    Turn(TurnReport),
}

/// A whole call, as `--json` shows it.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CallReport {
    pub uri: String,
    pub answered_after_ms: u64,
    /// The far side's first voiced sample, after the answer.
    pub first_sound_ms: Option<u64>,
    pub turns: Vec<TurnReport>,
    /// How long the call lasted after its answer.
    pub duration_ms: u64,
    pub end_cause: CauseReport,
    pub media: MediaReport,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CauseReport {
    pub name: &'static str,
    pub q850: u8,
}

impl From<EndCause> for CauseReport {
    fn from(cause: EndCause) -> Self {
        Self { name: cause.name(), q850: cause.q850() }
    }
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct MediaReport {
    pub codec: Option<String>,
    pub packets_lost: u64,
    pub jitter_ms: f32,
    pub mos: Option<f32>,
}

impl From<MediaFacts> for MediaReport {
    fn from(facts: MediaFacts) -> Self {
        let MediaFacts { codec, packets_lost, jitter_ms, mos } = facts;
        Self { codec, packets_lost, jitter_ms, mos }
    }
}

/// Which turn, for whoever finds its words later.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TurnKey(usize);

/// The turns of a call and what they measure. It knows no clock.
#[derive(Debug)]
pub struct Transcript {
    answered: Moment,
    rows: Vec<Row>,
    /// Whether a turn beyond [`TURNS_MAX`] was left out.
    is_full: bool,
}

#[derive(Debug)]
struct Row {
    who: Who,
    started: Moment,
    ended: Option<Moment>,
    text: Text,
    told: bool,
}

#[derive(Debug)]
enum Text {
    Awaited,
    Known(Option<String>),
}

impl Transcript {
    pub const fn new(answered: Moment) -> Self {
        Self { answered, rows: Vec::new(), is_full: false }
    }

    /// The caller begins to say `text` at its first voiced sample.
    pub fn caller_began(&mut self, text: String, started: Moment) {
        self.add(Row { who: Who::Caller, started, ended: None, text: Text::Known(Some(text)), told: false });
    }

    /// The caller's last voiced sample.
    pub fn caller_ended(&mut self, at: Moment) {
        if let Some(row) = self.rows.iter_mut().rev().find(|r| r.who == Who::Caller && r.ended.is_none()) {
            row.ended = Some(at.max(row.started));
        }
    }

    /// The far side has said something; its words may follow.
    pub fn far_said(&mut self, turn: FarTurn) -> Option<TurnKey> {
        let FarTurn { started, ended } = turn;
        self.add(Row { who: Who::Far, started, ended: Some(ended), text: Text::Awaited, told: false })
    }

    /// The words of a turn, or that there are none.
    pub fn understood(&mut self, key: TurnKey, text: Option<String>) {
        self.rows[key.0].text = Text::Known(text);
    }

    /// Whether a turn still waits for its words.
    pub fn awaits_words(&self) -> bool {
        self.rows.iter().any(|row| matches!(row.text, Text::Awaited))
    }

    /// The turns that can be told now and have not been: in the order of their
    /// beginnings, so that a turn waits for the words of an earlier one, and
    /// for the far side's turn that is going on (`open`).
    pub fn tell(&mut self, open: Option<Moment>) -> Vec<TurnReport> {
        let mut told = Vec::new();
        for n in self.order() {
            let row = &self.rows[n];
            if row.told {
                continue;
            }
            let known = row.ended.is_some() && matches!(row.text, Text::Known(_));
            if !known || open.is_some_and(|open| open < row.started) {
                break;
            }
            self.rows[n].told = true;
            told.push(self.report(n));
        }
        told
    }

    /// The far side's first voiced sample after the answer.
    pub fn first_sound_ms(&self) -> Option<u64> {
        self.rows.iter().filter(|r| r.who == Who::Far).map(|r| r.started.ms_since(self.answered)).min()
    }

    /// All turns, when the call is over at `end`.
    pub fn finish(&mut self, end: Moment) -> Vec<TurnReport> {
        for row in &mut self.rows {
            row.ended.get_or_insert(end.max(row.started));
        }
        self.order().into_iter().map(|n| self.report(n)).collect()
    }

    fn add(&mut self, row: Row) -> Option<TurnKey> {
        if self.rows.len() >= TURNS_MAX {
            if !self.is_full {
                tracing::warn!(turns = TURNS_MAX, "the call has more turns than are written down");
            }
            self.is_full = true;
            return None;
        }
        self.rows.push(row);
        Some(TurnKey(self.rows.len() - 1))
    }

    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|n| self.rows[*n].started);
        order
    }

    fn report(&self, n: usize) -> TurnReport {
        let row = &self.rows[n];
        let ended = row.ended.unwrap_or(row.started);
        let is_far = row.who == Who::Far;
        TurnReport {
            who: row.who,
            text: if let Text::Known(text) = &row.text { text.clone() } else { None },
            started_ms: row.started.ms_since(self.answered),
            ended_ms: ended.ms_since(self.answered),
            voice_to_voice_ms: if is_far { self.voice_to_voice(row.started) } else { None },
            interrupted_after_ms: if is_far { self.interrupted_after(row.started, ended) } else { None },
        }
    }

    /// What the caller waited for the far side's turn that began at `started`:
    /// only if the turn is the first after the caller's last word.
    fn voice_to_voice(&self, started: Moment) -> Option<u64> {
        let before = self.rows.iter().filter(|row| row.started < started);
        let last = before.max_by_key(|row| row.started)?;
        let ended = last.ended.filter(|ended| last.who == Who::Caller && *ended <= started)?;
        Some(started.ms_since(ended))
    }

    /// How long the far side's turn went on after the caller broke into it.
    fn interrupted_after(&self, started: Moment, ended: Moment) -> Option<u64> {
        let mut callers = self.rows.iter().filter(|row| row.who == Who::Caller);
        let breaking = callers.find(|row| row.started > started && row.started < ended)?;
        Some(ended.ms_since(breaking.started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment::from_micros(ms * 1000)
    }

    fn far(transcript: &mut Transcript, from: u64, to: u64) -> TurnKey {
        transcript.far_said(FarTurn { started: ms(from), ended: ms(to) }).expect("room")
    }

    fn caller(transcript: &mut Transcript, from: u64, to: u64) {
        transcript.caller_began("Hello?".to_owned(), ms(from));
        transcript.caller_ended(ms(to));
    }

    #[test]
    fn voice_to_voice_runs_from_the_callers_last_sample_to_the_first_of_the_answer() {
        let mut transcript = Transcript::new(ms(1000));
        far(&mut transcript, 1200, 3000);
        caller(&mut transcript, 4000, 6000);
        far(&mut transcript, 7050, 9000);
        far(&mut transcript, 9800, 10_000);
        let turns = transcript.finish(ms(12_000));
        let measured: Vec<_> = turns.iter().map(|t| t.voice_to_voice_ms).collect();
        assert_eq!(measured, [None, None, Some(1050), None]);
        assert_eq!((turns[0].started_ms, transcript.first_sound_ms()), (200, Some(200)));
    }

    #[test]
    fn breaking_in_is_measured_until_the_far_side_is_silent() {
        let mut transcript = Transcript::new(ms(0));
        transcript.caller_began("Wait.".to_owned(), ms(2000));
        far(&mut transcript, 1000, 2180);
        transcript.caller_ended(ms(2600));
        far(&mut transcript, 3600, 5000);
        let turns = transcript.finish(ms(6000));
        assert_eq!((turns[0].who, turns[0].interrupted_after_ms), (Who::Far, Some(180)));
        assert_eq!((turns[0].voice_to_voice_ms, turns[2].voice_to_voice_ms), (None, Some(1000)));
        assert_eq!(turns[2].interrupted_after_ms, None);
    }

    #[test]
    fn turns_are_told_in_their_order_however_late_the_words_come() {
        let mut transcript = Transcript::new(ms(0));
        let greeting = far(&mut transcript, 200, 2000);
        caller(&mut transcript, 2700, 4000);
        assert!(transcript.tell(None).is_empty(), "the greeting's words are awaited");
        transcript.understood(greeting, Some("Good morning".to_owned()));
        assert_eq!(transcript.tell(None).iter().map(|t| t.who).collect::<Vec<_>>(), [Who::Far, Who::Caller]);
        assert!(transcript.tell(None).is_empty(), "a turn is told once");
        assert!(!transcript.awaits_words());
    }

    #[test]
    fn a_turn_waits_for_the_one_that_it_broke_into() {
        let mut transcript = Transcript::new(ms(0));
        caller(&mut transcript, 2000, 2500);
        assert!(transcript.tell(Some(ms(1000))).is_empty());
        assert_eq!(transcript.tell(Some(ms(2600))).len(), 1);
    }
}
