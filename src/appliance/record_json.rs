//! A call's record as the outside sees it: the JSON of `milu calls show`.
//! Fields may be added, never renamed or dropped.

use serde::Serialize;

use super::transfer_json::EgressJson;
use crate::call::{CallRecord, Engines, Failover, Gap, Latency, Message, Recording, Turn};
use crate::residency::Transfer;
use crate::store::SecondHearing;

#[derive(Serialize)]
pub struct CallJson {
    id: String,
    line: String,
    direction: &'static str,
    from: Option<String>,
    started_at: String,
    answered_after_ms: Option<u64>,
    ended_at: String,
    end_cause: EndCauseJson,
    outcome: &'static str,
    turns: Vec<TurnJson>,
    message: Option<MessageJson>,
    recording: Option<RecordingJson>,
    /// What left the box because of this call. Engines on the box send nothing.
    egress: Vec<EgressJson>,
    media: MediaJson,
    /// What the caller wished of their data.
    wishes: Vec<WishJson>,
    /// To whom the caller was handed: the person's name as in the knowledge file, or else
    /// the handset's.
    transferred_to: Option<String>,
    transferred_at_ms: Option<u64>,
    /// When a person began to listen to the call while it lasted.
    listened: Vec<ListenedJson>,
}

#[derive(Serialize)]
struct ListenedJson {
    at_ms: u64,
}

#[derive(Serialize)]
struct WishJson {
    wish: &'static str,
    at_ms: u64,
}

#[derive(Serialize)]
struct EndCauseJson {
    name: &'static str,
    q850: u8,
}

#[derive(Serialize)]
pub struct TurnJson {
    who: &'static str,
    text: String,
    started_ms: u64,
    ended_ms: u64,
    interrupted: bool,
    engines: EnginesJson,
    latency: LatencyJson,
    /// Engines that were left while the turn was heard, answered or spoken.
    failover: Vec<FailoverJson>,
    /// What better ears made of the turn afterwards, if they heard it again.
    heard_again: Option<HeardAgainJson>,
}

#[derive(Serialize)]
struct HeardAgainJson {
    text: String,
    transcriber: String,
    at: String,
}

#[derive(Serialize)]
struct FailoverJson {
    stage: &'static str,
    from: String,
    to: String,
    why: &'static str,
    after_ms: u64,
}

#[derive(Serialize)]
struct EnginesJson {
    transcriber: Option<String>,
    responder: Option<String>,
    synthesizer: Option<String>,
}

#[derive(Serialize)]
struct LatencyJson {
    endpoint_ms: Option<u64>,
    transcribe_ms: Option<u64>,
    respond_first_ms: Option<u64>,
    synthesize_first_ms: Option<u64>,
    voice_to_voice_ms: Option<u64>,
}

#[derive(Serialize)]
struct MessageJson {
    name: Option<String>,
    callback: Option<String>,
    text: String,
    sound_from_ms: Option<u64>,
    sound_to_ms: Option<u64>,
}

#[derive(Serialize)]
struct RecordingJson {
    legs: [&'static str; 2],
    from_ms: u64,
    duration_ms: u64,
    gaps: Vec<GapJson>,
}

#[derive(Serialize)]
struct GapJson {
    from_ms: u64,
    to_ms: u64,
    reason: &'static str,
}

#[derive(Serialize)]
struct MediaJson {
    codec: Option<String>,
    packets_lost: u64,
    jitter_ms: f32,
    mos: Option<f32>,
}

impl CallJson {
    /// With what left the box because of the call: its rows of the register, the
    /// newest first.
    pub fn with_egress(self, sent: &[Transfer]) -> Self {
        Self { egress: EgressJson::of(sent), ..self }
    }

    /// With who listened meanwhile: milliseconds after the offer of the call.
    pub fn with_listened(self, after_offer_ms: &[u64]) -> Self {
        // All times of a record begin at the answer.
        let answered = self.answered_after_ms.unwrap_or(0);
        let listened = after_offer_ms.iter().map(|at| ListenedJson { at_ms: at.saturating_sub(answered) });
        Self { listened: listened.collect(), ..self }
    }

    /// With what a second hearing gave.
    pub fn with_second_hearings(mut self, heard: &[SecondHearing]) -> Self {
        for hearing in heard {
            if let Some(turn) = self.turns.get_mut(hearing.turn) {
                turn.heard_again = Some(HeardAgainJson {
                    text: hearing.words.expose().clone(),
                    transcriber: hearing.engine.clone(),
                    at: hearing.heard_at.to_string(),
                });
            }
        }
        self
    }
}

impl From<&CallRecord> for CallJson {
    fn from(record: &CallRecord) -> Self {
        Self {
            id: record.id.to_string(),
            line: record.line.to_string(),
            direction: "inbound",
            from: record.from.as_ref().map(|n| n.expose().to_owned()),
            started_at: record.started_at.to_string(),
            answered_after_ms: record.answered_after.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            ended_at: record.ended_at.to_string(),
            end_cause: EndCauseJson { name: record.end_cause.name(), q850: record.end_cause.q850() },
            outcome: record.outcome.name(),
            turns: record.turns.iter().map(TurnJson::from).collect(),
            message: record.message.as_ref().map(MessageJson::from),
            recording: record.recording.as_ref().map(RecordingJson::from),
            egress: Vec::new(),
            media: MediaJson {
                codec: record.media.codec.clone(),
                packets_lost: record.media.packets_lost,
                jitter_ms: record.media.jitter_ms,
                mos: record.media.mos,
            },
            wishes: record.wishes.iter().map(|w| WishJson { wish: w.wish.name(), at_ms: w.at_ms }).collect(),
            transferred_to: record.transferred.as_ref().map(|transferred| transferred.to.expose().clone()),
            transferred_at_ms: record.transferred.as_ref().map(|transferred| transferred.at_ms),
            listened: Vec::new(),
        }
    }
}

impl From<&Turn> for TurnJson {
    fn from(turn: &Turn) -> Self {
        let Engines { transcriber, responder, synthesizer } = turn.engines.clone();
        let Latency { endpoint_ms, transcribe_ms, respond_first_ms, synthesize_first_ms, voice_to_voice_ms } =
            turn.latency;
        Self {
            who: turn.who.name(),
            text: turn.text.expose().clone(),
            started_ms: turn.started_ms,
            ended_ms: turn.ended_ms,
            interrupted: turn.interrupted,
            engines: EnginesJson { transcriber, responder, synthesizer },
            latency: LatencyJson {
                endpoint_ms,
                transcribe_ms,
                respond_first_ms,
                synthesize_first_ms,
                voice_to_voice_ms,
            },
            failover: turn.failovers.iter().map(FailoverJson::from).collect(),
            heard_again: None,
        }
    }
}

impl From<&Failover> for FailoverJson {
    fn from(failover: &Failover) -> Self {
        Self {
            stage: failover.stage.name(),
            from: failover.from.clone(),
            to: failover.to.clone(),
            why: failover.why.name(),
            after_ms: u64::try_from(failover.after.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl From<&Message> for MessageJson {
    fn from(message: &Message) -> Self {
        Self {
            name: message.name.as_ref().map(|n| n.expose().clone()),
            callback: message.callback.as_ref().map(|n| n.expose().to_owned()),
            text: message.text.expose().clone(),
            sound_from_ms: message.sound.map(|(from, _)| from),
            sound_to_ms: message.sound.map(|(_, to)| to),
        }
    }
}

impl From<&Recording> for RecordingJson {
    fn from(recording: &Recording) -> Self {
        let gap = |gap: &Gap| GapJson { from_ms: gap.from_ms, to_ms: gap.to_ms, reason: gap.reason.name() };
        Self {
            legs: ["caller", "box"],
            from_ms: recording.from_ms,
            duration_ms: recording.duration_ms,
            gaps: recording.gaps.iter().map(gap).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::call::{EngineStage, Speaker, WhyLeft};
    use crate::terms::Private;

    #[test]
    fn an_engine_that_was_left_is_shown_with_its_turn() {
        let failover = Failover {
            stage: EngineStage::Mind,
            from: "anthropic".to_owned(),
            to: "knowledge-onbox".to_owned(),
            why: WhyLeft::FirstTokenDeadline,
            after: Duration::from_millis(1300),
        };
        let turn = Turn {
            who: Speaker::Box,
            text: Private::new("At eight.".to_owned()),
            started_ms: 0,
            ended_ms: 900,
            interrupted: false,
            engines: Engines::default(),
            latency: Latency::default(),
            failovers: vec![failover],
        };
        let json = serde_json::to_value(TurnJson::from(&turn)).unwrap();
        let expected = serde_json::json!([{
            "stage": "mind", "from": "anthropic", "to": "knowledge-onbox",
            "why": "first-token-deadline", "after_ms": 1300,
        }]);
        assert_eq!(json["failover"], expected);
    }
}
