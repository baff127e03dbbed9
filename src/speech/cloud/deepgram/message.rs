//! What Deepgram says: its messages as it writes them, read into what matters
//! here. Unknown messages, fields and events are passed over, because the
//! provider adds to them without asking.

use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

use crate::terms::Private;

/// One message. A result of a minute of fast speech with all its words has some
/// 30 kB; what is larger is not a result.
pub const MESSAGE_MAX: usize = 256 * 1024;

/// Words of one message: twenty minutes of speech.
const WORDS_MAX: usize = 4096;

/// Characters of one word. The longest names of streets with all their
/// punctuation have some forty.
const WORD_CHARS_MAX: usize = 200;

/// No call is as long as this, so no time in a message is.
const TIME_MAX: f64 = 86_400.0;

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BadMessage {
    #[error("reading a message of Deepgram: it has more than 256 KiB")]
    TooLarge,
    #[error("reading a message of Deepgram: it is no JSON, or has no type")]
    NotJson,
    #[error("reading a message of Deepgram: a field of its type is missing or of another kind")]
    Fields,
    #[error("reading a message of Deepgram: a time in it is no time of a call")]
    Time,
    #[error("reading a message of Deepgram: it has more than 4096 words")]
    TooManyWords,
}

/// A word, with its place in the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    pub text: Private<String>,
    /// None where the provider does not say when it was spoken (Flux, at first).
    pub span: Option<Span>,
    /// 0 to 1; none where the provider does not say.
    pub confidence: Option<f32>,
}

/// A part of the stream, from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: Duration,
    pub end: Duration,
}

impl Span {
    pub fn middle(self) -> Duration {
        self.start + self.end.saturating_sub(self.start) / 2
    }
}

/// A message, of either API.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Of v1: the words of a piece of the stream, to be replaced by the next
    /// until they are final.
    Results(Results),
    /// Of v1: somebody began to speak.
    SpeechStarted,
    /// Of v1: no word for a second (as asked) after the last, which ended there; none if
    /// it does not say of which word it speaks.
    UtteranceEnd { last_word_end: Option<Duration> },
    /// Of Flux: how its turn stands, with all of its words.
    Turn(TurnInfo),
    /// Of Flux: something of no matter here that counts in the sequence.
    Counted(Sequence),
    /// The last that it says.
    Failure(Failure),
    /// Something of no matter here, or not known.
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    pub span: Span,
    pub words: Vec<Word>,
    /// This piece will not be said again.
    pub is_final: bool,
    /// The silence after it is as long as `endpointing` asks.
    pub speech_final: bool,
    /// It is final because it was asked to be.
    pub from_finalize: bool,
}

/// Flux counts what it sends from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub u64);

#[derive(Clone, Debug, PartialEq)]
pub struct TurnInfo {
    pub sequence: Option<Sequence>,
    pub event: TurnEvent,
    pub turn: u64,
    /// The part of the stream that its words come from.
    pub span: Span,
    pub words: Vec<Word>,
    /// How likely it is that no more comes in this turn.
    pub confidence: f32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnEvent {
    Update,
    StartOfTurn,
    /// Probably over; its words stand unless `TurnResumed` comes.
    EagerEndOfTurn,
    TurnResumed,
    EndOfTurn,
    /// One that was added after this was written: as an update.
    Unknown,
}

/// What sort of failure the provider told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Too many streams at once.
    Busy,
    /// Key, permission or credit.
    Account,
    /// It cannot read what we send.
    Misunderstood,
    /// Its own.
    Internal,
}

// ---- as they are written ---------------------------------------------------

#[derive(Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
    sequence_id: Option<u64>,
}

#[derive(Deserialize)]
struct WireResults {
    #[serde(default)]
    channel_index: Vec<u32>,
    start: f64,
    duration: f64,
    is_final: Option<bool>,
    speech_final: Option<bool>,
    from_finalize: Option<bool>,
    channel: WireChannel,
}

#[derive(Deserialize)]
struct WireChannel {
    #[serde(default)]
    alternatives: Vec<WireAlternative>,
}

#[derive(Deserialize)]
struct WireAlternative {
    #[serde(default)]
    transcript: String,
    confidence: Option<f64>,
    #[serde(default)]
    words: Vec<WireWord>,
}

#[derive(Deserialize)]
struct WireWord {
    word: String,
    punctuated_word: Option<String>,
    start: Option<f64>,
    end: Option<f64>,
    confidence: Option<f64>,
}

#[derive(Deserialize)]
struct WireUtteranceEnd {
    /// -1 where nothing was said since the end before.
    last_word_end: Option<f64>,
}

#[derive(Deserialize)]
struct WireTurn {
    event: String,
    turn_index: u64,
    audio_window_start: f64,
    audio_window_end: f64,
    #[serde(default)]
    transcript: String,
    #[serde(default)]
    words: Vec<WireWord>,
    end_of_turn_confidence: f64,
}

#[derive(Deserialize)]
struct WireError {
    /// Of v1.
    variant: Option<String>,
    /// Of Flux, and of old v1.
    code: Option<String>,
}

// ---- reading ---------------------------------------------------------------

impl Message {
    pub fn parse(text: &str) -> Result<Self, BadMessage> {
        if text.len() > MESSAGE_MAX {
            return Err(BadMessage::TooLarge);
        }
        let Kind { kind, sequence_id } = serde_json::from_str(text).map_err(|_| BadMessage::NotJson)?;
        let sequence = sequence_id.map(Sequence);
        Ok(match kind.as_str() {
            "Results" => results(fields(text)?)?,
            "SpeechStarted" => Self::SpeechStarted,
            "UtteranceEnd" => utterance_end(&fields(text)?)?,
            "TurnInfo" => Self::Turn(turn(fields(text)?, sequence)?),
            "Error" => Self::Failure(failure(&fields(text)?)),
            _ => sequence.map_or(Self::Other, Self::Counted),
        })
    }
}

fn fields<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, BadMessage> {
    serde_json::from_str(text).map_err(|_| BadMessage::Fields)
}

fn results(wire: WireResults) -> Result<Message, BadMessage> {
    // One channel is sent; another is a mistake that says nothing of the caller.
    if wire.channel_index.first().is_some_and(|channel| *channel != 0) {
        return Ok(Message::Other);
    }
    let start = time(wire.start)?;
    let span = Span { start, end: start + time(wire.duration)? };
    let words = match wire.channel.alternatives.into_iter().next() {
        Some(best) => words(best.words, &best.transcript, best.confidence, span)?,
        None => Vec::new(),
    };
    Ok(Message::Results(Results {
        span,
        words,
        is_final: wire.is_final.unwrap_or(false),
        speech_final: wire.speech_final.unwrap_or(false),
        from_finalize: wire.from_finalize.unwrap_or(false),
    }))
}

fn utterance_end(wire: &WireUtteranceEnd) -> Result<Message, BadMessage> {
    let last_word_end = wire.last_word_end.filter(|end| *end >= 0.0).map(time).transpose()?;
    Ok(Message::UtteranceEnd { last_word_end })
}

fn turn(wire: WireTurn, sequence: Option<Sequence>) -> Result<TurnInfo, BadMessage> {
    let start = time(wire.audio_window_start)?;
    let span = Span { start, end: time(wire.audio_window_end)?.max(start) };
    let event = match wire.event.as_str() {
        "Update" => TurnEvent::Update,
        "StartOfTurn" => TurnEvent::StartOfTurn,
        "EagerEndOfTurn" => TurnEvent::EagerEndOfTurn,
        "TurnResumed" => TurnEvent::TurnResumed,
        "EndOfTurn" => TurnEvent::EndOfTurn,
        _ => TurnEvent::Unknown,
    };
    Ok(TurnInfo {
        sequence,
        event,
        turn: wire.turn_index,
        span,
        words: words(wire.words, &wire.transcript, None, span)?,
        confidence: probability(wire.end_of_turn_confidence),
    })
}

fn failure(wire: &WireError) -> Failure {
    let name = wire.variant.as_deref().or(wire.code.as_deref()).unwrap_or_default().to_ascii_uppercase();
    let says = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if says(&["RATE", "TOO_MANY", "CONCURREN", "OVERLOAD", "UNAVAILABLE"]) {
        Failure::Busy
    } else if says(&["AUTH", "PERMISSION", "FORBIDDEN", "CREDIT", "PAYMENT", "FUNDS"]) {
        Failure::Account
    } else if says(&["SCHEMA", "INVALID", "UNSUPPORTED", "BAD_REQUEST", "UNPARSABLE", "DATA"]) {
        Failure::Misunderstood
    } else {
        Failure::Internal
    }
}

/// The words of a message; from its text, where it has no list of them.
fn words(wire: Vec<WireWord>, transcript: &str, confidence: Option<f64>, span: Span) -> Result<Vec<Word>, BadMessage> {
    if wire.len() > WORDS_MAX {
        return Err(BadMessage::TooManyWords);
    }
    if wire.is_empty() {
        let mut pieces: Vec<Word> = Vec::new();
        for text in transcript.split_whitespace().take(WORDS_MAX).filter_map(plain) {
            pieces.push(Word { text, span: None, confidence: confidence.and_then(given) });
        }
        return Ok(spread(pieces, span));
    }
    let mut read = Vec::with_capacity(wire.len());
    for word in wire {
        let place = match (word.start, word.end) {
            (Some(start), Some(end)) => {
                let start = time(start)?;
                Some(Span { start, end: time(end)?.max(start) })
            }
            _ => None,
        };
        if let Some(text) = plain(word.punctuated_word.as_deref().unwrap_or(&word.word)) {
            read.push(Word { text, span: place, confidence: word.confidence.and_then(given) });
        }
    }
    Ok(read)
}

/// Words that come without their times share the time that they come from.
fn spread(mut words: Vec<Word>, over: Span) -> Vec<Word> {
    let count = u32::try_from(words.len()).unwrap_or(u32::MAX).max(1);
    let each = over.end.saturating_sub(over.start) / count;
    for (n, word) in (0..).zip(&mut words) {
        let start = over.start + each * n;
        word.span = Some(Span { start, end: start + each });
    }
    words
}

/// The word without what cannot be spoken; none if nothing is left of it.
fn plain(text: &str) -> Option<Private<String>> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(WORD_CHARS_MAX).collect();
    (!text.is_empty()).then(|| Private::new(text))
}

fn time(seconds: f64) -> Result<Duration, BadMessage> {
    if !(-1.0..=TIME_MAX).contains(&seconds) {
        return Err(BadMessage::Time);
    }
    // An aligner may reckon a first word to begin just before the stream does.
    Ok(Duration::from_secs_f64(seconds.max(0.0)))
}

/// Interim results of some models have a nought in the place of a confidence.
fn given(confidence: f64) -> Option<f32> {
    (confidence > 0.0).then(|| probability(confidence))
}

#[expect(clippy::cast_possible_truncation, reason = "a probability needs no more digits")]
const fn probability(value: f64) -> f32 {
    value.clamp(0.0, 1.0) as f32
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
