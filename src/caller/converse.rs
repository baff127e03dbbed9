use std::collections::VecDeque;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::far_turns::FarTurn;
use super::listener::Listener;
use super::manners::{Act, Manners};
use super::script::Prepared;
pub use super::script::Script;
use super::transcript::{CallReport, Told, Transcript};
use crate::call::MediaFacts;
use crate::line::{EarFrame, Leg, LegCommand, LegEvent, MouthEvent, MouthFrame};
use crate::media::{Conversion, FRAME_MS, Frame, Resampler, SampleRate, VoiceActivity};
use crate::terms::{EndCause, Moment, UtteranceId};

/// Half an hour: longer than any test, short enough to be kept in memory (115 MB
/// on a wide line, both directions).
const LONGEST_FRAMES: usize = 30 * 60 * 1000 / FRAME_MS as usize;

/// The far side's confirmation of our goodbye (RFC 3261: 64 times T1).
const GOODBYE_MAX: Duration = Duration::from_secs(33);

/// Words of the last turns that may still come after the call.
const WORDS_MAX: Duration = Duration::from_secs(60);

/// Sound before a turn's first voiced sample that is written down with it: voice
/// activity notices soft first sounds late.
const PRE_ROLL: Duration = Duration::from_millis(300);
const POST_ROLL: Duration = Duration::from_millis(200);

/// A call that has been rung and not yet answered.
pub struct Call {
    pub uri: String,
    pub leg: Leg,
    /// When it was rung.
    pub rung: Moment,
}

#[derive(Debug, Error)]
pub enum CallFailed {
    #[error("ringing {uri}: {} ({}, Q.850 cause {})", sentence(*cause), cause.name(), cause.q850())]
    NotAnswered { uri: String, cause: EndCause },
    #[error("ringing {uri}: the call was given up before an answer")]
    GivenUp { uri: String },
}

fn sentence(cause: EndCause) -> &'static str {
    match cause {
        EndCause::UserBusy => "it is busy",
        EndCause::NoAnswer => "nobody answered",
        EndCause::CallRejected => "it refused the call",
        EndCause::UnallocatedNumber => "nobody has this number",
        EndCause::SwitchingCongestion => "it has no place for another call",
        EndCause::IncompatibleDestination => "it speaks no codec of ours",
        EndCause::NetworkOutOfOrder | EndCause::RecoveryOnTimerExpiry => "it cannot be reached",
        EndCause::NormalClearing
        | EndCause::InvalidNumberFormat
        | EndCause::TemporaryFailure
        | EndCause::ProtocolError
        | EndCause::Internal => "the call did not come about",
    }
}

/// A call that is over: what was measured, and both sides' sound.
#[derive(Debug)]
pub struct Converse {
    pub report: CallReport,
    pub rate: SampleRate,
    pub sent: Vec<i16>,
    pub heard: Vec<i16>,
}

impl Call {
    /// Carries the call through `script` to its end, and writes down what is
    /// heard with `listener`. `told` is called as things happen; `stop` makes
    /// the caller hang up.
    pub async fn converse(
        mut self,
        script: Script,
        listener: Option<Listener>,
        stop: &CancellationToken,
        told: &mut (dyn FnMut(Told) + Send),
    ) -> Result<Converse, CallFailed> {
        let (at, rate, codec) = self.answer(stop).await?;
        let after_ms = at.ms_since(self.rung);
        told(Told::Answered { after_ms, codec });
        let Self { uri, leg, .. } = self;
        let mut talk = Talk::new(script, listener, at, rate);
        let (end, cause, media) = talk.run(leg, stop, told).await;
        talk.last_words(told).await;
        let turns = talk.transcript.finish(end);
        let report = CallReport {
            uri,
            answered_after_ms: after_ms,
            first_sound_ms: talk.transcript.first_sound_ms(),
            turns,
            duration_ms: end.ms_since(at),
            end_cause: cause.into(),
            media: media.into(),
        };
        Ok(Converse { report, rate, sent: talk.sent, heard: talk.heard.samples })
    }

    async fn answer(&mut self, stop: &CancellationToken) -> Result<(Moment, SampleRate, &'static str), CallFailed> {
        loop {
            let Some(event) = stop.run_until_cancelled(self.leg.events.recv()).await else {
                return Err(CallFailed::GivenUp { uri: self.uri.clone() });
            };
            let not_answered = |cause| CallFailed::NotAnswered { uri: self.uri.clone(), cause };
            match event {
                Some(LegEvent::Answered { at, rate, codec }) => return Ok((at, rate, codec)),
                Some(LegEvent::Ended { cause, .. }) => return Err(not_answered(cause)),
                Some(_) => {}
                None => return Err(not_answered(EndCause::Internal)),
            }
        }
    }
}

/// What was heard, with the time of each frame: the line's clock may leave
/// frames out, so the place of a sample does not tell its time.
#[derive(Default)]
struct HeardSound {
    samples: Vec<i16>,
    frames: Vec<Moment>,
}

impl HeardSound {
    fn slice(&self, turn: FarTurn, frame_len: usize) -> &[i16] {
        let (from, to) = (turn.started - PRE_ROLL, turn.ended + POST_ROLL);
        let first = self.frames.partition_point(|at| *at < from);
        let last = self.frames.partition_point(|at| *at <= to);
        &self.samples[first * frame_len..last * frame_len]
    }
}

/// An answered call.
struct Talk {
    script: Vec<Prepared>,
    manners: Manners,
    transcript: Transcript,
    listener: Option<Listener>,
    rate: SampleRate,
    voice: VoiceActivity,
    widen: Option<Resampler>,
    sent: Vec<i16>,
    heard: HeardSound,
    /// What is being said and does not fit in the mouth yet.
    outgoing: VecDeque<MouthFrame>,
    commands: VecDeque<LegCommand>,
    /// The step that is being said, and its last voiced sample.
    speaking: Option<Moment>,
    leaving: bool,
}

impl Talk {
    fn new(script: Script, listener: Option<Listener>, answered: Moment, rate: SampleRate) -> Self {
        let Script(script) = script;
        let narrow = rate == SampleRate::Hz8000;
        Self {
            manners: Manners::new(script.iter().map(|step| step.plan).collect(), answered),
            script,
            transcript: Transcript::new(answered),
            listener,
            rate,
            voice: VoiceActivity::new(),
            widen: narrow.then(|| Resampler::new(Conversion::Hz8000ToHz16000)),
            sent: Vec::new(),
            heard: HeardSound::default(),
            outgoing: VecDeque::new(),
            commands: VecDeque::new(),
            speaking: None,
            leaving: false,
        }
    }

    /// Until the leg has ended: when, why, and what the line measured.
    async fn run(
        &mut self,
        mut leg: Leg,
        stop: &CancellationToken,
        told: &mut (dyn FnMut(Told) + Send),
    ) -> (Moment, EndCause, MediaFacts) {
        let mut goodbye = std::pin::pin!(tokio::time::sleep(Duration::MAX));
        let mut is_timed = false;
        loop {
            tokio::select! {
                // Sound before events: what was heard before the end belongs to the call.
                biased;
                () = stop.cancelled(), if !self.leaving => self.leave(),
                Some(ear) = leg.ears.recv() => self.hear(&ear),
                Some(frame) = leg.mouth.sent.recv() => self.keep_sent(&frame),
                Some(event) = leg.mouth.events.recv() => self.note_mouth(event),
                (key, words) = words_of(&mut self.listener) => self.transcript.understood(key, words),
                event = leg.events.recv() => match event {
                    Some(LegEvent::Ended { at, cause, media }) => {
                        self.end(at);
                        return (at, cause, media);
                    }
                    Some(_) => {}
                    None => return self.broken(),
                },
                () = &mut goodbye, if is_timed => return self.broken(),
            }
            self.pump(&leg);
            if self.leaving && !is_timed {
                is_timed = true;
                // Sleeps from here on: the time is the runtime's, not the call's.
                goodbye.set(tokio::time::sleep(GOODBYE_MAX));
            }
            for turn in self.transcript.tell(self.manners.far().open_since()) {
                told(Told::Turn(turn));
            }
        }
    }

    fn hear(&mut self, ear: &EarFrame) {
        self.heard.samples.extend_from_slice(ear.frame.samples());
        self.heard.frames.push(ear.at);
        let wide = match &mut self.widen {
            Some(widen) => widen.frame(&ear.frame),
            None => ear.frame,
        };
        if let Some(fact) = self.voice.hear(&wide, ear.at) {
            self.manners.hear(fact);
        }
        let (turn, act) = self.manners.tick(ear.at);
        if let Some(turn) = turn {
            self.far_said(turn);
        }
        match act {
            Some(Act::Speak { step }) => self.speak(step),
            Some(Act::Press { step, key }) => self.press(step, key, ear.at),
            Some(Act::HangUp) => self.leave(),
            None => {}
        }
        if self.heard.frames.len() >= LONGEST_FRAMES && !self.leaving {
            tracing::warn!("the call is longer than half an hour and is ended");
            self.leave();
        }
    }

    fn keep_sent(&mut self, frame: &Frame) {
        if self.sent.len() < LONGEST_FRAMES * self.rate.frame_len() {
            self.sent.extend_from_slice(frame.samples());
        }
    }

    fn speak(&mut self, step: usize) {
        let sound = at_rate(&self.script[step].sound, self.rate);
        let chunks = sound.chunks(self.rate.frame_len());
        let count = chunks.len();
        let utterance = UtteranceId(u32::try_from(step).unwrap_or(u32::MAX));
        self.outgoing.extend(chunks.enumerate().map(|(n, samples)| MouthFrame {
            epoch: 0,
            utterance,
            frame: Frame::from_samples(self.rate, samples),
            last: n + 1 == count,
        }));
    }

    fn press(&mut self, step: usize, key: usize, at: Moment) {
        let Prepared { keys, text, .. } = &self.script[step];
        self.commands.push_back(LegCommand::SendDigit(keys[key]));
        if key == 0 {
            self.transcript.caller_began(text.clone(), at);
        }
        if key + 1 == keys.len() {
            self.transcript.caller_ended(at);
        }
    }

    fn note_mouth(&mut self, event: MouthEvent) {
        match event {
            MouthEvent::Started { utterance, at } => {
                let Some(step) = self.script.get(utterance.0 as usize) else { return };
                let (first, last) = step.voiced;
                self.transcript.caller_began(step.text.clone(), at + first);
                self.speaking = Some(at + last);
            }
            MouthEvent::Finished { at, .. } | MouthEvent::Cut { at, .. } => {
                let ended = self.speaking.take().unwrap_or(at);
                self.transcript.caller_ended(ended);
                self.manners.spoken(ended);
            }
            MouthEvent::Progress { .. } => {}
        }
    }

    fn far_said(&mut self, turn: FarTurn) {
        let Some(key) = self.transcript.far_said(turn) else { return };
        match &mut self.listener {
            Some(listener) => {
                let sound = self.heard.slice(turn, self.rate.frame_len());
                listener.ask(key, &self.widen.as_ref().map_or_else(|| sound.to_vec(), |_| widened(sound)));
            }
            None => self.transcript.understood(key, None),
        }
    }

    fn leave(&mut self) {
        self.leaving = true;
        self.commands.push_back(LegCommand::HangUp(EndCause::NormalClearing));
    }

    /// Hands over what waits, as far as there is room.
    fn pump(&mut self, leg: &Leg) {
        while let Some(command) = self.commands.front() {
            match leg.commands.try_send(*command) {
                Err(mpsc::error::TrySendError::Full(_)) => break,
                // A leg that listens no more is ending by itself.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => drop(self.commands.pop_front()),
            }
        }
        while let Some(frame) = self.outgoing.front() {
            let frame = MouthFrame { epoch: leg.mouth.epoch(), ..*frame };
            match leg.mouth.queue.try_send(frame) {
                Err(mpsc::error::TrySendError::Full(_)) => break,
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => drop(self.outgoing.pop_front()),
            }
        }
    }

    fn end(&mut self, at: Moment) {
        if let Some(turn) = self.manners.finish(at) {
            self.far_said(turn);
        }
        self.transcript.caller_ended(at);
    }

    /// A line that went away without a word.
    fn broken(&mut self) -> (Moment, EndCause, MediaFacts) {
        let at = self.heard.frames.last().copied().unwrap_or_default();
        self.end(at);
        let cause = if self.leaving { EndCause::RecoveryOnTimerExpiry } else { EndCause::Internal };
        (at, cause, MediaFacts::default())
    }

    /// Waits for the words of the last turns.
    async fn last_words(&mut self, told: &mut (dyn FnMut(Told) + Send)) {
        while self.transcript.awaits_words() {
            let Ok((key, words)) = tokio::time::timeout(WORDS_MAX, words_of(&mut self.listener)).await else {
                tracing::warn!("the words of the last turns did not come within a minute");
                break;
            };
            self.transcript.understood(key, words);
        }
        for turn in self.transcript.tell(None) {
            told(Told::Turn(turn));
        }
    }
}

async fn words_of(listener: &mut Option<Listener>) -> (super::transcript::TurnKey, Option<String>) {
    match listener {
        Some(listener) => listener.heard().await,
        None => std::future::pending().await,
    }
}

/// Prepared sound at the line's rate.
fn at_rate(sound: &[i16], rate: SampleRate) -> Vec<i16> {
    match rate {
        SampleRate::Hz16000 => sound.to_vec(),
        SampleRate::Hz8000 => resampled(sound, Conversion::Hz16000ToHz8000),
    }
}

fn widened(sound: &[i16]) -> Vec<i16> {
    resampled(sound, Conversion::Hz8000ToHz16000)
}

fn resampled(sound: &[i16], conversion: Conversion) -> Vec<i16> {
    let mut resampler = Resampler::new(conversion);
    let mut out = Vec::with_capacity(sound.len() * 2 + 1);
    resampler.push(sound, &mut out);
    resampler.finish(&mut out);
    out
}
