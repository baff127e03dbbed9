//! The machine of a call: its stages, what it remembers, and where each input goes.

mod answering;
mod behind;
mod ending;
mod finding;
mod floor;
mod forming;
mod hearing;
mod hold;
mod keys;
mod messages;
mod offers;
mod opening;
mod people;
mod secrets;
mod speaking;
#[cfg(test)]
mod tests;
mod unwritten;
mod wishes;

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::conversation::{Expectation, Fact, Floor, TurnTaker};
use crate::knowledge::{Finding, Guess, KeypadMenu};
use crate::residency::CallerWish;
use crate::terms::{CallId, EndCause, LineId, Moment, PhoneNumber, Private, RequestId, UtteranceId};

use super::discretion::Discretion;
use super::handsets::{Handsets, Rung};
use super::input::Input;
use super::message::MessageTaking;
use super::output::{JournalEntry, JournalKind, Output};
use super::phrases::{self, Recorded};
use super::record::{EngineStage, Engines, Failover, MediaFacts, Message, Transferred, Turn};
use super::saying::{SayQueue, TurnTimes, What};
use super::timers::{Timer, TimerTable};
use super::trust::Trust;
use super::wish::{Uttered, Wish, Wished};
use behind::Behind;
use forming::{Answering, Forming};
use secrets::Keypad;

/// The voice's pace after "slower, please".
const SLOW_PACE: f32 = 0.8;

/// What is known of a call when it is offered.
#[derive(Clone, Debug)]
pub struct CallFacts {
    pub id: CallId,
    pub line: LineId,
    pub from: Option<PhoneNumber>,
    pub offered_at: Moment,
    pub started_at: Timestamp,
    /// The business's name, as it is spoken.
    pub business: String,
    /// The business's own first sentence.
    pub greeting: String,
    pub country_code: String,
    pub recorded: Recorded,
    pub texts: Texts,
    pub ears: Ears,
    pub consent: Consent,
    pub keeps: Keeps,
    /// Names for sound of which no engine tells.
    pub engines: Engines,
    pub menu: KeypadMenu,
    /// The telephones on which callers are handed to people.
    pub handsets: Handsets,
}

/// May this call be listened to?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ears {
    Listening,
    /// Every place at the ears is taken: the caller gets the keypad.
    KeypadOnly,
}

/// Can the caller be sent a text message?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Texts {
    /// The number is known, and a line sends them.
    Possible,
    Impossible,
}

/// Can what the caller is promised be written down?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeps {
    Promises,
    /// The disk is full, is broken or stalls.
    Nothing,
}

impl CallFacts {
    /// The same call where nothing of it can be kept: nobody is told that it is recorded,
    /// nothing is promised, and no consent is asked for that could not be proved.
    #[must_use]
    pub fn unkept(self) -> Self {
        let (recorded, texts, consent) = (Recorded::No, Texts::Impossible, Consent::NotNeeded);
        Self { recorded, texts, consent, keeps: Keeps::Nothing, ..self }
    }
}

/// Does anything that the policy allows rest on the caller's consent?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consent {
    NotNeeded,
    /// The caller is asked, once and before anything else.
    Asked,
}

/// Where the call stands; each stage is named for what it waits for.
#[derive(Clone, Debug)]
enum Stage {
    /// The desk must say whether we answer.
    AwaitAccept,
    AwaitAnswer,
    /// The conversation is on.
    Conversing(Topic),
    /// A person must answer this telephone.
    AwaitPerson(Rung),
    /// Caller and person speak, and one of them must hang up.
    AwaitHangUp,
    /// The farewell is being said.
    AwaitFarewell(EndCause),
    /// The line must confirm the end.
    AwaitEnd(EndCause),
    Ended,
}

/// What the next words of the caller will be taken for.
#[derive(Clone, Debug)]
enum Topic {
    Open,
    /// "Do you mean …?" was asked; the answer comes on a yes.
    ConfirmAnswer(Guess),
    /// "I understood … Is that right?" was asked.
    ConfirmWords(Private<String>),
    OfferMessage,
    /// "… leave a message, or shall I put you through to somebody?"
    OfferEither,
    /// "Shall I put you through to somebody?"
    OfferPerson,
    /// "I will put you through": once that has been said, this telephone is rung.
    PutThrough(Rung),
    /// "May an outside company help me …?" was asked.
    Consent,
    Message(Box<MessageTaking>),
}

/// A turn of the caller that is over and not yet answered.
#[derive(Clone, Debug)]
struct PendingTurn {
    request: RequestId,
    began: Moment,
    times: TurnTimes,
    heard: Option<HeardWords>,
}

/// Words that the ears gave for a request, perhaps before the turn was over.
#[derive(Clone, Debug)]
struct HeardWords {
    request: RequestId,
    words: Private<String>,
    trust: Trust,
    /// The engine that heard them; none if nobody did.
    engine: Option<&'static str>,
    at: Moment,
    lookup: Lookup,
    /// What the caller wishes of their data; such words are asked of no mind.
    wish: Option<Uttered>,
}

impl HeardWords {
    /// The ears gave nothing.
    fn none(request: RequestId, now: Moment) -> Self {
        let words = Private::new(String::new());
        Self { request, words, trust: Trust::Unheard, engine: None, at: now, lookup: Lookup::NotAsked, wish: None }
    }

    /// The wish in them, if it is to hold however they are answered: a consent is taken in its
    /// turn alone.
    fn asks_for_less(&self) -> Option<Wish> {
        let wish = self.wish.as_ref().map(|uttered| uttered.wish);
        wish.filter(|wish| *wish != Wish::OfData(CallerWish::Consents))
    }

    /// The engine that found the answer; empty if none did.
    fn responder(&self) -> &'static str {
        match &self.lookup {
            Lookup::Found(_, engine, _) => engine,
            Lookup::Forming(forming) => forming.engine,
            Lookup::NotAsked | Lookup::Asked | Lookup::Failed(_) => "",
        }
    }

    fn found_at(&self) -> Moment {
        match self.lookup {
            Lookup::Found(_, _, at) | Lookup::Failed(at) => at,
            Lookup::Forming(ref forming) => forming.first_at,
            Lookup::NotAsked | Lookup::Asked => self.at,
        }
    }
}

/// Where the mind is with heard words.
#[derive(Clone, PartialEq, Debug)]
enum Lookup {
    NotAsked,
    Asked,
    /// The whole answer, who found it (empty if that is not known), and when.
    Found(Finding, &'static str, Moment),
    /// The answer comes sentence by sentence.
    Forming(Box<Forming>),
    /// The mind failed, at this time.
    Failed(Moment),
}

impl Lookup {
    /// Is the mind still at it?
    fn is_open(&self) -> bool {
        match self {
            Self::Asked => true,
            Self::Forming(forming) => forming.is_open(),
            Self::NotAsked | Self::Found(..) | Self::Failed(_) => false,
        }
    }

    /// Did the mind answer with words of its own for the caller to hear?
    fn has_words(&self) -> bool {
        matches!(
            self,
            Self::Forming(_) | Self::Found(Finding::Answer(_) | Finding::Maybe(_) | Finding::Courtesy(_), ..)
        )
    }
}

/// How far the first sentences are. Nothing is answered before the notice has
/// been played: whoever speaks into it is answered after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opening {
    Notice,
    /// The caller has still to be asked how to help.
    NoticeOver,
    Invited,
}

/// What the conversation has come to so far.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    /// Turns in a row that were not heard well enough to act on.
    unheard: u32,
    /// Questions in a row that the business's file does not answer.
    unknown: u32,
    /// Questions that were answered, refused or handed on.
    settled: u32,
}

/// Where the conversation stood when a turn ended, while the answer to it has
/// not yet sounded.
#[derive(Clone, Debug)]
struct BeforeAnswer {
    request: RequestId,
    stage: Stage,
    counts: Counts,
    last_answer: Vec<String>,
    /// A question that the mind was at before this turn, and is still: the answer to the
    /// turn is to something else.
    own: Option<RequestId>,
    settled_at: Moment,
}

/// One call. Methods come in four kinds: facts about it (`is_over`,
/// `deadline`), commands (`accept`, `refuse`), `handle*`, and `poll`. After
/// each command or `handle` the owner drains `poll` until it is empty, then
/// sleeps until the next input or `deadline`.
#[derive(Debug)]
pub struct Call {
    facts: CallFacts,
    stage: Stage,
    taker: TurnTaker,
    timers: TimerTable,
    out: VecDeque<Output>,
    says: SayQueue,
    next_utterance: UtteranceId,
    pending: Option<PendingTurn>,
    /// What has been said since, while the ears are at the words of that turn.
    behind: Behind,
    /// The words of the caller's latest pause.
    heard: Option<HeardWords>,
    /// The pause whose words are wanted.
    decoding: Option<RequestId>,
    opening: Opening,
    /// The last key that came while the notice played.
    key_waiting: Option<char>,
    box_silent_since: Moment,
    /// What the mind was asked last, and has not been told to forget: no other question
    /// can be taken back.
    asked_last: Option<RequestId>,
    /// A question that is with the mind and waits for no turn: one of our own, or that of
    /// a turn after which the caller has said something more.
    own_request: Option<RequestId>,
    /// The last turn after which the caller has said something more, and its times.
    left_turn: Option<(RequestId, TurnTimes)>,
    /// When the last such question was answered.
    own_answered_at: Moment,
    /// When the last turn was answered. To an answer that somebody did not know when they
    /// began to speak they have not said yes.
    settled_at: Moment,
    /// Questions of our own count down from the top, so that they never meet
    /// the turn taker's, which count up from zero.
    next_own_request: RequestId,
    /// The sentences of the last answer, whether or not all were heard.
    last_answer: Vec<String>,
    /// The answer that is being said sentence by sentence.
    answering: Option<Answering>,
    /// What has been heard of an answer of several sentences.
    parts_turn: Option<Turn>,
    /// Engines that were left, until their turn is written down.
    left: Vec<Failover>,
    counts: Counts,
    /// What to go back to if the caller was not done after all.
    before_answer: Option<BeforeAnswer>,
    /// The caller's last turn, until the answer to it sounds.
    unspoken_turn: Option<(RequestId, Turn)>,
    answered_at: Option<Moment>,
    recording_from: Option<Moment>,
    /// When the caller would not be recorded any more.
    recording_to: Option<Moment>,
    message: Option<Message>,
    texts_promised: u32,
    wishes: Vec<Wished>,
    transferred: Option<Transferred>,
    /// When the caller was asked for a consent.
    consent_asked_at: Option<Moment>,
    consent_asks: u8,
    /// What the caller asked before that question was answered.
    held_question: Option<Private<String>>,
    keypad: Keypad,
    discretion: Discretion,
    turns: Vec<Turn>,
    media: MediaFacts,
    failed: bool,
    slow: bool,
    /// The caller said "hold on".
    away: bool,
    /// The far side put us on hold: it hears nothing of what is said.
    held: bool,
    /// What the turn taker was last told to expect.
    expecting: Expectation,
}

/// A caller who talks on after so many interruptions does not listen.
const BREAK_INS_MAX: u8 = 3;

/// After so many failures to hear, one after the other and with keys offered
/// more than once, the box cannot help this caller.
const UNHEARD_MAX: u32 = 5;

/// A turn has three engines with a few alternatives each; more failovers than
/// this in one turn say nothing new, and are left out of the record.
const FAILOVERS_MAX: usize = 8;

impl Call {
    pub fn new(facts: CallFacts) -> Self {
        let taker = TurnTaker::new();
        Self {
            stage: Stage::AwaitAccept,
            taker,
            timers: TimerTable::default(),
            out: VecDeque::new(),
            says: SayQueue::default(),
            next_utterance: UtteranceId::default(),
            pending: None,
            behind: Behind::default(),
            heard: None,
            decoding: None,
            opening: Opening::Notice,
            key_waiting: None,
            box_silent_since: Moment::START,
            asked_last: None,
            own_request: None,
            left_turn: None,
            own_answered_at: Moment::START,
            settled_at: Moment::START,
            next_own_request: RequestId(u32::MAX),
            last_answer: Vec::new(),
            answering: None,
            parts_turn: None,
            left: Vec::new(),
            counts: Counts::default(),
            before_answer: None,
            unspoken_turn: None,
            facts,
            answered_at: None,
            recording_from: None,
            recording_to: None,
            message: None,
            texts_promised: 0,
            wishes: Vec::new(),
            transferred: None,
            consent_asked_at: None,
            consent_asks: 0,
            held_question: None,
            keypad: Keypad::default(),
            discretion: Discretion::default(),
            turns: Vec::new(),
            media: MediaFacts::default(),
            failed: false,
            slow: false,
            away: false,
            held: false,
            expecting: Expectation::Anything,
        }
    }

    /// The record has been given out; nothing more will come.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Ended)
    }

    /// When to call [`Call::handle_deadline`] next, and what is waited for.
    pub fn deadline(&self) -> Option<(Moment, &'static str)> {
        if self.is_over() {
            return None;
        }
        [self.timers.next(), self.taker.deadline(), self.keypad.deadline()]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at)
    }

    /// The next thing that the call wants of the world.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Take the offered call.
    pub fn accept(&mut self, now: Moment) {
        if matches!(self.stage, Stage::AwaitAccept) {
            self.stage = Stage::AwaitAnswer;
            self.timers.start(Timer::LineAnswer, now);
            self.out.push_back(Output::Answer);
        }
    }

    pub fn handle(&mut self, input: Input, now: Moment) {
        if self.is_over() {
            return;
        }
        match input {
            Input::Answered { at } => self.answered(at, now),
            Input::Ended { at, cause, media } => {
                self.media = media;
                self.finish(cause, at.max(now));
            }
            Input::MediaLost { .. } => self.hang_up(EndCause::TemporaryFailure, now),
            Input::BoxStopping => self.box_stopping(now),
            Input::Digit { at, digit } => self.digit(digit, at, now),
            Input::Held { .. } => self.held(now),
            Input::Resumed { .. } => self.resumed(now),
            Input::Overlap(overlap) => self.tell(Fact::Overlap(overlap), now),
            Input::SpeechStarted { at } => self.tell(Fact::SpeechStarted { at }, now),
            Input::SpeechPaused { at } => self.tell(Fact::SpeechPaused { at }, now),
            Input::WordsBegan { at } => self.tell(Fact::WordsBegan { at }, now),
            Input::WordsEnded { at, silent_until } => self.tell(Fact::WordsEnded { at, silent_until }, now),
            Input::TurnOver { request, probability } => self.tell(Fact::TurnOver { request, probability }, now),
            Input::Heard { request, words, confidence, engine, .. } => {
                self.heard(request, words, confidence, engine, now);
            }
            Input::EarsFailed { request } => self.ears_failed(request, now),
            Input::Found { request, finding, engine, .. } => self.found(request, finding, engine, now),
            Input::Sentence { request, spoken, engine, .. } => self.sentence(request, spoken, engine, now),
            Input::AnswerOver { request, then } => self.answer_over(request, then, now),
            Input::MindFailed { request } => self.mind_failed(request, now),
            Input::UtteranceStarted { .. }
            | Input::UtteranceProgress { .. }
            | Input::UtteranceFinished { .. }
            | Input::UtteranceCut { .. }
            | Input::UtteranceLength { .. }
            | Input::UtteranceMade { .. }
            | Input::UtteranceMarks { .. }
            | Input::VoiceFailed { .. } => self.voice(input, now),
            Input::EngineLeft(failover) => self.engine_left(failover),
            Input::Unwritten { kind } => self.unwritten(&kind, now),
            Input::PersonAnswered { at } => self.person_answered(at, now),
            Input::PersonGone { cause, .. } => self.person_gone(cause, now),
        }
        self.settle(now);
    }

    /// After every input and deadline: what follows from it.
    fn settle(&mut self, now: Moment) {
        self.keep_expectation(now);
        self.follow_turn_taker(now);
        self.keep_answering(now);
        self.ring_once_said(now);
        self.keep_expectation(now);
    }

    pub fn handle_deadline(&mut self, now: Moment) {
        if self.is_over() {
            return;
        }
        self.taker.handle_timeout(now);
        self.pass_keys(now);
        // What a timer of the call says must not be cut by what was decided before.
        self.follow_turn_taker(now);
        while let Some(timer) = self.timers.take_due(now) {
            self.timed_out(timer, now);
        }
        self.settle(now);
    }

    fn timed_out(&mut self, timer: Timer, now: Moment) {
        if self.held && self.timed_out_on_hold(timer, now) {
            return;
        }
        match timer {
            Timer::LineAnswer => self.hang_up(EndCause::RecoveryOnTimerExpiry, now),
            Timer::Filler => {
                // Who speaks does not wait.
                if self.says.is_empty() && self.taker.floor() == Floor::Quiet {
                    self.say(phrases::ONE_MOMENT, What::Filler, now);
                }
            }
            Timer::Words => self.words_missing(now),
            Timer::Finding => self.finding_missing(now),
            Timer::Sentence => self.sentence_missing(now),
            Timer::Voice | Timer::Playing => self.voice_stuck(now),
            Timer::LongestCall => {
                self.stop_ringing(now);
                self.farewell(phrases::GOODBYE, EndCause::NormalClearing, now);
            }
            Timer::LastSilence => self.last_silence(now),
            Timer::LineEnd => {
                if let Stage::AwaitEnd(cause) = self.stage {
                    self.finish(cause, now);
                }
            }
            Timer::PersonAnswer => self.person_gone(EndCause::NoAnswer, now),
            Timer::LongestHold | Timer::LongestTalk => self.hang_up(EndCause::NormalClearing, now),
        }
    }

    fn journal(&mut self, kind: JournalKind, at: Moment) {
        self.out.push_back(Output::Journal(JournalEntry { at, kind }));
    }

    /// Kept for the record of the turn in which it happened.
    fn engine_left(&mut self, failover: Failover) {
        if self.left.len() < FAILOVERS_MAX {
            self.left.push(failover);
        }
    }

    /// The failovers of these stages since they were last asked for.
    fn take_left(&mut self, of: impl Fn(EngineStage) -> bool) -> Vec<Failover> {
        self.left.extract_if(.., |failover| of(failover.stage)).collect()
    }

    /// Where sound lies in the recording, if it is recorded.
    fn sound(&self, from: Moment, to: Moment) -> Option<(u64, u64)> {
        let kept_from = self.recording_from?;
        let kept_to = self.recording_to.unwrap_or(to.max(kept_from));
        let is_kept = from < kept_to || self.recording_to.is_none();
        let within = |at: Moment| self.ms(at.max(kept_from).min(kept_to));
        is_kept.then(|| (within(from), within(to)))
    }

    /// Milliseconds after the answer.
    fn ms(&self, at: Moment) -> u64 {
        at.ms_since(self.answered_at.unwrap_or(self.facts.offered_at))
    }
}

const fn milliseconds(ms: u32) -> Duration {
    Duration::from_millis(ms as u64)
}

fn jiff_span(lasted: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(lasted).unwrap_or(jiff::SignedDuration::MAX)
}
