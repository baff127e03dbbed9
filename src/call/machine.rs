use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::conversation::{Directive, Expectation, Fact, Gist, Manners, SilenceNth, TurnTaker};
use crate::knowledge::{Finding, KeypadMenu, MenuChoice, Spoken};
use crate::terms::{CallId, EndCause, LineId, Moment, PhoneNumber, Private, RequestId, UtteranceId};

use super::input::Input;
use super::message::{MessageTaking, Next};
use super::output::{JournalEntry, JournalKind, Output, Speech};
use super::phrases::{self, Recorded};
use super::record::{CallRecord, Engines, MediaFacts, Message, Outcome, Recording, Speaker, Turn};
use super::saying::{Ending, SayQueue, Saying, TurnTimes, What};
use super::timers::{Timer, TimerTable};
use super::trust::{self, Confidence, Trust};

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
    pub ears: Ears,
    pub engines: Engines,
    pub menu: KeypadMenu,
}

/// May this call be listened to?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ears {
    Listening,
    /// Every place at the ears is taken: the caller gets the keypad.
    KeypadOnly,
}

/// Where the call stands; each stage is named for what it waits for.
#[derive(Clone, Debug)]
enum Stage {
    /// The desk must say whether we answer.
    AwaitAccept,
    AwaitAnswer,
    /// The conversation is on.
    Conversing(Topic),
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
    /// "Do you mean …?" was asked; this is the answer on a yes.
    ConfirmAnswer(Spoken),
    /// "I understood … Is that right?" was asked.
    ConfirmWords(Private<String>),
    OfferMessage,
    Message(Box<MessageTaking>),
}

/// A turn of the caller that is over and not yet answered.
#[derive(Clone, Debug)]
struct PendingTurn {
    request: RequestId,
    began: Moment,
    times: TurnTimes,
}

/// Words that the ears gave for a request, perhaps before the turn was over.
#[derive(Clone, Debug)]
struct HeardWords {
    request: RequestId,
    words: Private<String>,
    trust: Trust,
    at: Moment,
    finding: Option<(Finding, Moment)>,
    asked: bool,
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
    heard: Option<HeardWords>,
    /// A question of our own that is with the mind.
    own_request: Option<RequestId>,
    last_answer: Option<String>,
    counts: Counts,
    /// What to go back to if the caller was not done after all.
    before_answer: Option<BeforeAnswer>,
    /// The caller's last turn, until the answer to it sounds.
    unspoken_turn: Option<Turn>,
    answered_at: Option<Moment>,
    recording_from: Option<Moment>,
    message: Option<Message>,
    turns: Vec<Turn>,
    media: MediaFacts,
    failed: bool,
    slow: bool,
    /// The caller said "hold on".
    away: bool,
    /// What the turn taker was last told to expect.
    expecting: Expectation,
}

/// A caller who talks on after so many interruptions does not listen.
const BREAK_INS_MAX: u8 = 3;

/// Requests that the call itself makes (for menu keys) count down from the top,
/// so that they never meet the turn taker's, which count up from zero.
const OWN_REQUEST: RequestId = RequestId(u32::MAX);

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
            heard: None,
            own_request: None,
            last_answer: None,
            counts: Counts::default(),
            before_answer: None,
            unspoken_turn: None,
            facts,
            answered_at: None,
            recording_from: None,
            message: None,
            turns: Vec::new(),
            media: MediaFacts::default(),
            failed: false,
            slow: false,
            away: false,
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
        [self.timers.next(), self.taker.deadline()].into_iter().flatten().min_by_key(|(at, _)| *at)
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
            Input::Held { .. } => {
                self.timers.start(Timer::LongestHold, now);
                self.tell(Fact::Held, now);
            }
            Input::Resumed { .. } => {
                self.timers.stop(Timer::LongestHold);
                self.tell(Fact::Resumed, now);
            }
            Input::Overlap(overlap) => self.tell(Fact::Overlap(overlap), now),
            Input::SpeechStarted { at } => self.tell(Fact::SpeechStarted { at }, now),
            Input::SpeechPaused { at } => self.tell(Fact::SpeechPaused { at }, now),
            Input::TurnOver { request, probability } => self.tell(Fact::TurnOver { request, probability }, now),
            Input::Heard { request, words, confidence, .. } => self.heard(request, words, confidence, now),
            Input::EarsFailed { request } => self.ears_failed(request, now),
            Input::Found { request, finding, .. } => self.found(request, finding, now),
            Input::MindFailed { request } => self.mind_failed(request, now),
            Input::UtteranceStarted { .. }
            | Input::UtteranceProgress { .. }
            | Input::UtteranceFinished { .. }
            | Input::UtteranceCut { .. }
            | Input::UtteranceLength { .. }
            | Input::VoiceFailed { .. } => self.voice(input, now),
        }
        self.keep_expectation(now);
        self.follow_turn_taker(now);
        self.keep_expectation(now);
    }

    pub fn handle_deadline(&mut self, now: Moment) {
        if self.is_over() {
            return;
        }
        self.taker.handle_timeout(now);
        while let Some(timer) = self.timers.take_due(now) {
            self.timed_out(timer, now);
        }
        self.keep_expectation(now);
        self.follow_turn_taker(now);
        self.keep_expectation(now);
    }

    fn timed_out(&mut self, timer: Timer, now: Moment) {
        match timer {
            Timer::LineAnswer => self.hang_up(EndCause::RecoveryOnTimerExpiry, now),
            Timer::Filler => {
                if self.says.is_empty() {
                    self.say(phrases::ONE_MOMENT, What::Filler, now);
                }
            }
            Timer::Words => self.words_missing(now),
            Timer::Finding => self.own_fault(now),
            Timer::Voice | Timer::Playing => self.voice_stuck(now),
            Timer::LongestCall => self.farewell(phrases::GOODBYE, EndCause::NormalClearing, now),
            Timer::LineEnd => {
                if let Stage::AwaitEnd(cause) = self.stage {
                    self.finish(cause, now);
                }
            }
            Timer::LongestHold => self.hang_up(EndCause::NormalClearing, now),
        }
    }

    // ---- beginning -------------------------------------------------------

    fn answered(&mut self, at: Moment, now: Moment) {
        if !matches!(self.stage, Stage::AwaitAnswer) {
            return;
        }
        self.timers.stop(Timer::LineAnswer);
        self.timers.start(Timer::LongestCall, now);
        self.answered_at = Some(at);
        self.journal(JournalKind::Answered, at);
        self.stage = Stage::Conversing(Topic::Open);
        let notice = phrases::notice(&self.facts.business, self.facts.recorded);
        let opening = format!("{} {notice}", self.facts.greeting.trim());
        self.say(opening.trim(), What::Notice, now);
        match self.facts.ears {
            Ears::Listening => self.say(phrases::HELP, What::Answer, now),
            Ears::KeypadOnly => {
                let menu = format!("{} {}", phrases::BUSY, self.menu_sentence());
                self.say(&menu, What::Answer, now);
            }
        }
    }

    fn notice_played(&mut self, at: Moment) {
        self.journal(JournalKind::NoticePlayed, at);
        if self.facts.recorded == Recorded::Yes && self.recording_from.is_none() {
            self.recording_from = Some(at);
            self.journal(JournalKind::RecordingStarted, at);
            self.out.push_back(Output::StartRecording { from_ms: self.ms(at) });
        }
    }

    // ---- whose turn it is ------------------------------------------------

    fn tell(&mut self, fact: Fact, now: Moment) {
        if self.facts.ears == Ears::Listening {
            self.taker.handle(fact, now);
        }
    }

    fn follow_turn_taker(&mut self, now: Moment) {
        while let Some(directive) = self.taker.poll() {
            if !matches!(self.stage, Stage::Conversing(_)) {
                continue;
            }
            self.follow(directive, now);
        }
    }

    fn follow(&mut self, directive: Directive, now: Moment) {
        match directive {
            Directive::TurnBegan { at } => self.out.push_back(Output::TurnBegan { at }),
            Directive::Decode { request } => self.out.push_back(Output::Decode { request }),
            Directive::Judge { request } => self.out.push_back(Output::Judge { request }),
            Directive::Abandon { request } => self.abandon(request),
            Directive::TurnGoesOn { request } => self.turn_goes_on(request),
            Directive::TurnDropped { .. } => self.forget_words(),
            Directive::EndOfTurn { request, speech_began, speech_ended, decided_at } => {
                let times = TurnTimes { speech_ended, decided: decided_at, words: None, found: None };
                self.turn_ended(PendingTurn { request, began: speech_began, times }, now);
            }
            Directive::PauseSpeech { .. } => self.out.push_back(Output::PauseMouth),
            Directive::ResumeSpeech { .. } => self.out.push_back(Output::ResumeMouth),
            Directive::StopSpeech { heard, .. } => self.stop_speaking(Some(heard), now),
            Directive::Silence { nth } => self.silence(nth, now),
            Directive::TooLong { speech_began, nth } => self.too_long(speech_began, nth, now),
            // A steady noise: the ears are of no use, so the keys are offered.
            Directive::Noise => self.offer_keys(now),
            Directive::KeysOver { .. } => self.keys_over(now),
        }
    }

    fn abandon(&mut self, request: RequestId) {
        self.out.push_back(Output::AbandonDecode);
        if self.heard.as_ref().is_some_and(|h| h.request == request) {
            self.forget_words();
        }
    }

    fn forget_words(&mut self) {
        if self.heard.take().is_some_and(|h| h.asked) {
            self.out.push_back(Output::AbandonAsk);
        }
    }

    /// The caller was not done, and no answer has sounded: everything since the
    /// end of that turn is taken back.
    fn turn_goes_on(&mut self, request: RequestId) {
        for timer in [Timer::Words, Timer::Finding, Timer::Filler, Timer::Voice] {
            self.timers.stop(timer);
        }
        if self.pending.take_if(|p| p.request == request).is_some() {
            self.abandon(request);
            return;
        }
        if let Some(before) = self.before_answer.take_if(|b| b.request == request) {
            self.out.push_back(Output::SilenceMouth);
            self.out.push_back(Output::AbandonAsk);
            self.says.drain().for_each(drop);
            self.own_request = None;
            self.unspoken_turn = None;
            self.stage = before.stage;
            self.counts = before.counts;
        }
    }

    /// A caller who never stops: a message is long enough, and a question is
    /// asked for again, shorter.
    fn too_long(&mut self, speech_began: Moment, nth: u8, now: Moment) {
        self.pending = None;
        self.out.push_back(Output::AbandonDecode);
        self.forget_words();
        let sound = (self.ms(speech_began), self.ms(now));
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage {
            let next = taking.too_long(sound);
            self.message_next(next, now);
        } else if nth < BREAK_INS_MAX {
            self.say(phrases::TOO_LONG, What::BreakingIn, now);
        } else {
            self.farewell(phrases::CANNOT_FOLLOW, EndCause::NormalClearing, now);
        }
    }

    fn silence(&mut self, nth: SilenceNth, now: Moment) {
        if !self.says.is_empty() || self.pending.is_some() {
            return;
        }
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage
            && nth >= SilenceNth::SecondPrompt
        {
            let next = taking.nothing_heard();
            self.message_next(next, now);
            return;
        }
        match nth {
            SilenceNth::FirstPrompt => self.say(phrases::STILL_THERE, What::Answer, now),
            SilenceNth::SecondPrompt => {
                let sentence = format!("{} {}", phrases::STILL_THERE_AGAIN, self.menu_sentence());
                self.say(&sentence, What::Answer, now);
            }
            SilenceNth::Goodbye => self.farewell(phrases::NOBODY_THERE, EndCause::NormalClearing, now),
        }
    }

    // ---- ears ------------------------------------------------------------

    fn heard(&mut self, request: RequestId, words: Private<String>, confidence: Confidence, now: Moment) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        let trust = trust::judge(words.expose(), &confidence);
        let gist = if trust == Trust::Unheard { Gist::Nothing } else { Gist::of(words.expose()) };
        self.tell(Fact::Heard { request, gist, trust: trust.for_turn_taking() }, now);
        let asked = trust != Trust::Unheard && self.needs_finding();
        if asked {
            self.out.push_back(Output::Ask { request, words: words.clone() });
        }
        self.heard = Some(HeardWords { request, words, trust, at: now, finding: None, asked });
        self.answer_if_ready(now);
    }

    /// Do the next words have to be looked up, or are they taken as they are?
    fn needs_finding(&self) -> bool {
        match &self.stage {
            Stage::Conversing(Topic::Message(taking)) => taking.expectation() == Expectation::YesNo,
            _ => true,
        }
    }

    fn turn_ended(&mut self, turn: PendingTurn, now: Moment) {
        self.timers.start(Timer::Words, now);
        self.timers.start(Timer::Filler, now);
        self.pending = Some(turn);
        self.answer_if_ready(now);
    }

    /// Goes on as soon as the turn is over, the words are there and the mind
    /// has found what they ask for, in whichever order that happened.
    fn answer_if_ready(&mut self, now: Moment) {
        let (Some(pending), Some(heard)) = (&self.pending, &self.heard) else { return };
        if pending.request != heard.request {
            return;
        }
        self.timers.stop(Timer::Words);
        if heard.asked && heard.finding.is_none() {
            self.timers.start(Timer::Finding, now);
            return;
        }
        self.timers.stop(Timer::Finding);
        self.timers.stop(Timer::Filler);
        let (Some(pending), Some(heard)) = (self.pending.take(), self.heard.take()) else { return };
        let times = TurnTimes {
            words: Some(heard.at),
            found: Some(heard.finding.as_ref().map_or(heard.at, |(_, at)| *at)),
            ..pending.times
        };
        self.caller_turn(&pending, &heard);
        self.before_answer =
            Some(BeforeAnswer { request: pending.request, stage: self.stage.clone(), counts: self.counts });
        self.respond(heard, pending.began, times, now);
    }

    fn caller_turn(&mut self, pending: &PendingTurn, heard: &HeardWords) {
        self.caller_turn_stands();
        let text = match heard.trust {
            Trust::Unheard => Private::new(String::new()),
            Trust::Doubtful | Trust::Good => Private::new(heard.words.expose().trim().to_owned()),
        };
        let turn = Turn {
            who: Speaker::Caller,
            text,
            started_ms: self.ms(pending.began),
            ended_ms: self.ms(pending.times.speech_ended),
            interrupted: false,
            engines: Engines { transcriber: self.facts.engines.transcriber.clone(), ..Engines::default() },
            latency: Default::default(),
        };
        self.unspoken_turn = Some(turn);
    }

    fn respond(&mut self, heard: HeardWords, began: Moment, times: TurnTimes, now: Moment) {
        let sound = (self.ms(began), self.ms(times.speech_ended));
        self.away = false;
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage {
            let intent = heard.finding.map_or(Finding::Unknown, |(finding, _)| finding);
            let next = taking.heard(heard.words.expose(), heard.trust, &intent, sound);
            self.message_next(next, now);
            self.answers(times);
            return;
        }
        match (heard.trust, heard.finding) {
            (Trust::Good, Some((finding, _))) => self.act_on(finding, now),
            (Trust::Doubtful, Some((finding, _))) => self.act_doubtfully(finding, heard.words, now),
            _ => self.not_heard(None, now),
        }
        self.answers(times);
    }

    /// The sentence queued last answers the turn with these times.
    fn answers(&mut self, times: TurnTimes) {
        let last = UtteranceId(self.next_utterance.0.saturating_sub(1));
        if let Some(saying) = self.says.get_mut(last)
            && saying.started.is_none()
        {
            saying.answers = Some(times);
        }
    }

    /// Words that may be wrong: what costs nothing if misheard is acted on, a
    /// question is read back first.
    fn act_doubtfully(&mut self, finding: Finding, words: Private<String>, now: Moment) {
        let question =
            matches!(finding, Finding::Answer(_) | Finding::Maybe { .. } | Finding::Unknown | Finding::Goodbye);
        if question && !matches!(self.stage, Stage::Conversing(Topic::ConfirmWords(_))) {
            self.not_heard(Some(words), now);
        } else {
            self.act_on(finding, now);
        }
    }

    /// Ask again once, then read back what was understood, then offer keys.
    fn not_heard(&mut self, words: Option<Private<String>>, now: Moment) {
        self.counts.unheard += 1;
        match (words, self.counts.unheard) {
            (Some(words), 1 | 2) => {
                let sentence = phrases::read_back(words.expose());
                self.set_topic(Topic::ConfirmWords(words));
                self.say(&sentence, What::Answer, now);
            }
            (_, 1) => self.say(phrases::SAY_AGAIN, What::Answer, now),
            _ => self.offer_keys(now),
        }
    }

    fn offer_keys(&mut self, now: Moment) {
        let sentence = format!("{} {}", phrases::TROUBLE_HEARING, self.menu_sentence());
        self.set_topic(Topic::Open);
        self.say(&sentence, What::Answer, now);
    }

    fn words_missing(&mut self, now: Moment) {
        let Some(pending) = self.pending.take() else { return };
        self.out.push_back(Output::AbandonDecode);
        self.timers.stop(Timer::Filler);
        let unheard = HeardWords {
            request: pending.request,
            words: Private::new(String::new()),
            trust: Trust::Unheard,
            at: now,
            finding: None,
            asked: false,
        };
        self.caller_turn(&pending, &unheard);
        let times = TurnTimes { words: Some(now), found: Some(now), ..pending.times };
        self.respond(unheard, pending.began, times, now);
    }

    fn ears_failed(&mut self, request: RequestId, now: Moment) {
        if self.pending.as_ref().is_some_and(|p| p.request == request) {
            self.timers.stop(Timer::Words);
            self.words_missing(now);
        }
    }

    // ---- mind ------------------------------------------------------------

    fn found(&mut self, request: RequestId, finding: Finding, now: Moment) {
        if self.own_request == Some(request) {
            self.own_request = None;
            self.timers.stop(Timer::Finding);
            self.act_on(finding, now);
        } else if let Some(heard) = &mut self.heard
            && heard.request == request
            && heard.asked
        {
            heard.finding = Some((finding, now));
            self.answer_if_ready(now);
        }
    }

    fn mind_failed(&mut self, request: RequestId, now: Moment) {
        let awaited = self.own_request == Some(request) || self.pending.as_ref().is_some_and(|p| p.request == request);
        if awaited {
            self.own_fault(now);
        }
    }

    fn own_fault(&mut self, now: Moment) {
        self.failed = true;
        self.own_request = None;
        self.timers.stop(Timer::Finding);
        self.timers.stop(Timer::Filler);
        if let (Some(pending), Some(heard)) = (self.pending.take(), self.heard.take()) {
            self.caller_turn(&pending, &heard);
        }
        self.set_topic(Topic::OfferMessage);
        self.say(phrases::OWN_FAULT, What::Answer, now);
    }

    fn act_on(&mut self, finding: Finding, now: Moment) {
        let Stage::Conversing(topic) = &mut self.stage else { return };
        let topic = std::mem::replace(topic, Topic::Open);
        self.counts.unheard = 0;
        match finding {
            Finding::Answer(spoken) => self.answer(&spoken, now),
            Finding::Maybe { question, answer } => {
                self.set_topic(Topic::ConfirmAnswer(answer));
                self.say(question.text.expose(), What::Answer, now);
            }
            Finding::Unknown => self.unknown(now),
            Finding::Person { name } => {
                self.counts.settled += 1;
                self.set_topic(Topic::OfferMessage);
                self.say(&phrases::person_unavailable(name.as_deref()), What::Answer, now);
            }
            Finding::LeaveMessage => self.take_message(now),
            Finding::Repeat { slower } => self.repeat(slower, now),
            Finding::Courtesy(spoken) => {
                self.set_topic(topic);
                self.say(spoken.text.expose(), What::Answer, now);
            }
            Finding::Yes => self.yes(topic, now),
            Finding::No => self.no(&topic, now),
            Finding::Goodbye => self.farewell(phrases::GOODBYE, EndCause::NormalClearing, now),
            Finding::Wait => {
                self.set_topic(topic);
                self.say(phrases::GO_ON, What::Answer, now);
                self.away = true;
            }
            Finding::Backchannel => self.backchannel(topic, now),
        }
    }

    fn answer(&mut self, spoken: &Spoken, now: Moment) {
        self.counts.settled += 1;
        self.counts.unknown = 0;
        self.last_answer = Some(spoken.text.expose().clone());
        self.say(spoken.text.expose(), What::Answer, now);
    }

    fn unknown(&mut self, now: Moment) {
        self.counts.settled += 1;
        self.counts.unknown += 1;
        self.set_topic(Topic::OfferMessage);
        let sentence = if self.counts.unknown == 1 { phrases::UNKNOWN } else { phrases::UNKNOWN_AGAIN };
        self.say(sentence, What::Answer, now);
    }

    fn repeat(&mut self, slower: bool, now: Moment) {
        self.slow |= slower;
        match self.last_answer.clone() {
            Some(text) => self.say(&text, What::Answer, now),
            None => self.say(phrases::NOTHING_TO_REPEAT, What::Answer, now),
        }
    }

    fn yes(&mut self, topic: Topic, now: Moment) {
        match topic {
            Topic::OfferMessage => self.take_message(now),
            Topic::ConfirmAnswer(answer) => self.answer(&answer, now),
            Topic::ConfirmWords(words) => self.ask(&words, now),
            Topic::Open | Topic::Message(_) => self.say(phrases::HELP, What::Answer, now),
        }
    }

    fn no(&mut self, topic: &Topic, now: Moment) {
        match topic {
            Topic::OfferMessage => self.say(phrases::NO_MESSAGE, What::Answer, now),
            Topic::ConfirmAnswer(_) => self.say(phrases::ASK_DIFFERENTLY, What::Answer, now),
            Topic::ConfirmWords(_) => {
                self.counts.unheard = 1;
                self.not_heard(None, now);
            }
            Topic::Open | Topic::Message(_) => self.farewell(phrases::GOODBYE, EndCause::NormalClearing, now),
        }
    }

    /// "Okay" after a yes-or-no question is a yes; anywhere else it is nothing.
    fn backchannel(&mut self, topic: Topic, now: Moment) {
        match topic {
            Topic::ConfirmAnswer(_) | Topic::ConfirmWords(_) | Topic::OfferMessage => self.yes(topic, now),
            Topic::Open | Topic::Message(_) => self.set_topic(topic),
        }
    }

    /// A question that is not a turn's goes to the mind: a menu key, or words
    /// that the caller confirmed.
    fn own_question(&mut self, now: Moment) {
        self.own_request = Some(OWN_REQUEST);
        self.timers.start(Timer::Finding, now);
    }

    fn ask(&mut self, words: &Private<String>, now: Moment) {
        self.own_question(now);
        self.out.push_back(Output::Ask { request: OWN_REQUEST, words: words.clone() });
    }

    // ---- keys and messages -----------------------------------------------

    fn digit(&mut self, digit: char, at: Moment, now: Moment) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        self.tell(Fact::Digit { at }, now);
        // It stops what sounds now, and must not stop what the key brings.
        self.follow_turn_taker(now);
        self.counts.unheard = 0;
        if self.says.current().is_some_and(|s| s.what != What::Notice) {
            self.stop_speaking(None, now);
        }
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage {
            let next = taking.keyed(digit);
            self.message_next(next, now);
            return;
        }
        match (digit, self.facts.menu.choice(digit)) {
            (_, Some(MenuChoice::Topic(topic))) => {
                self.own_question(now);
                self.out.push_back(Output::AskTopic { request: OWN_REQUEST, topic });
            }
            ('0', _) | (_, Some(MenuChoice::Person)) => self.act_on(Finding::Person { name: None }, now),
            (_, Some(MenuChoice::Message)) => self.act_on(Finding::LeaveMessage, now),
            ('*', None) => self.act_on(Finding::Repeat { slower: false }, now),
            _ => {
                let menu = self.menu_sentence();
                self.say(&menu, What::Answer, now);
            }
        }
    }

    /// No key followed the last one: a number is complete without its hash key.
    fn keys_over(&mut self, now: Moment) {
        if let Stage::Conversing(Topic::Message(taking)) = &mut self.stage {
            let next = taking.keyed('#');
            self.message_next(next, now);
        }
    }

    fn menu_sentence(&self) -> String {
        self.facts.menu.spoken.text.expose().clone()
    }

    fn take_message(&mut self, now: Moment) {
        let (taking, sentence) = MessageTaking::new(self.facts.from.clone(), self.facts.country_code.clone());
        self.set_topic(Topic::Message(Box::new(taking)));
        self.say(&sentence, What::Answer, now);
    }

    fn message_next(&mut self, next: Next, now: Moment) {
        match next {
            Next::Wait => {}
            Next::Say(sentence) => {
                self.say(&sentence, What::Answer, now);
            }
            Next::Taken { message, closing } => {
                self.journal(JournalKind::MessageTaken(message.clone()), now);
                self.message = Some(message);
                self.counts.settled += 1;
                self.set_topic(Topic::Open);
                self.say(closing, What::Answer, now);
            }
        }
    }

    fn set_topic(&mut self, topic: Topic) {
        if let Stage::Conversing(current) = &mut self.stage {
            *current = topic;
        }
    }

    /// Tells the turn taker what the caller is likely to say next, when that changes.
    fn keep_expectation(&mut self, now: Moment) {
        let wanted = match &self.stage {
            Stage::Conversing(_) if self.away => Expectation::Return,
            Stage::Conversing(Topic::Open) => Expectation::Anything,
            Stage::Conversing(Topic::Message(taking)) => taking.expectation(),
            Stage::Conversing(_) => Expectation::YesNo,
            _ => return,
        };
        if wanted != self.expecting {
            self.expecting = wanted;
            self.tell(Fact::Expecting(wanted), now);
        }
    }

    // ---- voice -----------------------------------------------------------

    fn say(&mut self, text: &str, what: What, now: Moment) {
        if text.is_empty() || !self.says.has_room() {
            return;
        }
        let utterance = self.next_utterance;
        self.next_utterance = utterance.next();
        if self.says.is_empty() {
            self.timers.start(Timer::Voice, now);
        }
        self.says.push(Saying {
            utterance,
            text: text.to_owned(),
            started: None,
            played_ms: 0,
            total_ms: None,
            answers: None,
            what,
        });
        let pace = if self.slow { SLOW_PACE } else { 1.0 };
        self.out.push_back(Output::Say { utterance, speech: Speech { text: Private::new(text.to_owned()), pace } });
    }

    fn voice(&mut self, input: Input, now: Moment) {
        match input {
            Input::UtteranceStarted { utterance, at } => self.voice_started(utterance, at, now),
            Input::UtteranceProgress { utterance, played_ms, .. } => {
                if let Some(saying) = self.says.get_mut(utterance) {
                    saying.played_ms = played_ms;
                    let total = saying.total_ms.map(milliseconds);
                    self.tell(Fact::BoxProgress { utterance, played: milliseconds(played_ms), total }, now);
                }
            }
            Input::UtteranceLength { utterance, total_ms } => {
                if let Some(saying) = self.says.get_mut(utterance) {
                    saying.total_ms = Some(total_ms);
                }
            }
            Input::UtteranceFinished { utterance, played_ms, at } => self.voice_finished(utterance, played_ms, at, now),
            // A cut is always our own doing, and was accounted for when it was ordered.
            Input::VoiceFailed { utterance } => self.voice_failed(utterance, now),
            _ => {}
        }
    }

    fn voice_started(&mut self, utterance: UtteranceId, at: Moment, now: Moment) {
        let Some(saying) = self.says.get_mut(utterance) else { return };
        saying.started = Some(at);
        let manners = match saying.what {
            What::Answer | What::Filler => Manners::GivesWay,
            What::Notice | What::BreakingIn | What::Farewell => Manners::Insists,
        };
        let answers = saying.what != What::Filler;
        self.timers.stop(Timer::Voice);
        self.timers.start(Timer::Playing, now);
        if answers {
            self.caller_turn_stands();
        }
        self.tell(Fact::BoxSpeaking { utterance, at, manners }, now);
    }

    fn voice_finished(&mut self, utterance: UtteranceId, played_ms: u32, at: Moment, now: Moment) {
        let Some(mut saying) = self.says.take(utterance) else { return };
        saying.played_ms = played_ms;
        self.timers.stop(Timer::Playing);
        if !self.says.is_empty() {
            self.timers.start(Timer::Voice, now);
        }
        self.tell(Fact::BoxFinished { utterance, at, played: milliseconds(played_ms) }, now);
        let what = saying.what;
        self.box_turn(&saying, at, Ending::Whole);
        match what {
            What::Notice => self.notice_played(at),
            What::Farewell => self.farewell_played(now),
            What::Filler | What::BreakingIn | What::Answer => {}
        }
    }

    fn farewell_played(&mut self, now: Moment) {
        if let Stage::AwaitFarewell(cause) = self.stage {
            self.hang_up(cause, now);
        }
    }

    fn voice_failed(&mut self, utterance: UtteranceId, now: Moment) {
        let Some(saying) = self.says.take(utterance) else { return };
        self.failed = true;
        self.timers.stop(Timer::Voice);
        if !self.says.is_empty() {
            self.timers.start(Timer::Voice, now);
        }
        match saying.what {
            // A call whose notice cannot be spoken goes on, and nothing of it is kept.
            What::Notice | What::Filler | What::BreakingIn => {}
            What::Farewell => self.farewell_played(now),
            What::Answer => {
                // One try with a sentence whose sound is kept ready; never a loop.
                if saying.text != phrases::OWN_FAULT {
                    self.own_fault(now);
                } else {
                    self.hang_up(EndCause::TemporaryFailure, now);
                }
            }
        }
    }

    fn voice_stuck(&mut self, now: Moment) {
        self.out.push_back(Output::SilenceMouth);
        if let Some(utterance) = self.says.current().map(|s| s.utterance) {
            self.voice_failed(utterance, now);
        }
    }

    /// Goes silent. `heard` is how much of the sounding sentence the caller
    /// heard, if the turn taker knows it better than the last report of progress.
    fn stop_speaking(&mut self, heard: Option<Duration>, now: Moment) {
        if self.says.is_empty() {
            return;
        }
        self.out.push_back(Output::SilenceMouth);
        self.timers.stop(Timer::Voice);
        self.timers.stop(Timer::Playing);
        let cut: Vec<Saying> = self.says.drain().filter(|s| s.started.is_some()).collect();
        for mut saying in cut {
            if let Some(heard) = heard {
                saying.played_ms = u32::try_from(heard.as_millis()).unwrap_or(u32::MAX);
            }
            let played = milliseconds(saying.played_ms);
            self.tell(Fact::BoxFinished { utterance: saying.utterance, at: now, played }, now);
            self.box_turn(&saying, now, Ending::Cut);
        }
    }

    fn box_turn(&mut self, saying: &Saying, ended: Moment, ending: Ending) {
        let started = saying.started.unwrap_or(ended);
        let latency = saying.answers.map(|times| times.latency(started)).unwrap_or_default();
        let engines = Engines {
            transcriber: None,
            responder: saying.answers.and(self.facts.engines.responder.clone()),
            synthesizer: self.facts.engines.synthesizer.clone(),
        };
        let turn = Turn {
            who: Speaker::Box,
            text: saying.heard(ending),
            started_ms: self.ms(started),
            ended_ms: self.ms(ended),
            interrupted: ending == Ending::Cut,
            engines,
            latency,
        };
        self.turn_done(turn);
    }

    /// The caller's last turn can no longer be taken back.
    fn caller_turn_stands(&mut self) {
        self.before_answer = None;
        if let Some(turn) = self.unspoken_turn.take() {
            self.turn_done(turn);
        }
    }

    fn turn_done(&mut self, turn: Turn) {
        self.out.push_back(Output::TurnDone(turn.clone()));
        self.turns.push(turn);
    }

    // ---- end -------------------------------------------------------------

    fn box_stopping(&mut self, now: Moment) {
        match self.stage {
            Stage::AwaitAccept | Stage::AwaitAnswer => self.hang_up(EndCause::TemporaryFailure, now),
            Stage::Conversing(_) => self.farewell(phrases::BOX_STOPPING, EndCause::NormalClearing, now),
            Stage::AwaitFarewell(_) | Stage::AwaitEnd(_) | Stage::Ended => {}
        }
    }

    fn farewell(&mut self, sentence: &str, cause: EndCause, now: Moment) {
        if !matches!(self.stage, Stage::Conversing(_)) {
            return;
        }
        self.keep_half_message(now);
        self.out.push_back(Output::AbandonDecode);
        self.pending = None;
        self.stage = Stage::AwaitFarewell(cause);
        self.timers.stop(Timer::Words);
        self.timers.stop(Timer::Finding);
        self.timers.stop(Timer::Filler);
        self.say(sentence, What::Farewell, now);
    }

    fn hang_up(&mut self, cause: EndCause, now: Moment) {
        if matches!(self.stage, Stage::AwaitEnd(_) | Stage::Ended) {
            return;
        }
        self.keep_half_message(now);
        self.stop_speaking(None, now);
        self.timers.stop_all();
        self.stage = Stage::AwaitEnd(cause);
        self.timers.start(Timer::LineEnd, now);
        self.journal(JournalKind::Ended(cause), now);
        self.out.push_back(Output::HangUp(cause));
    }

    /// A caller who goes away in the middle of a message has left what there is.
    fn keep_half_message(&mut self, now: Moment) {
        let Stage::Conversing(Topic::Message(taking)) = &self.stage else { return };
        if let Some(message) = taking.so_far() {
            self.journal(JournalKind::MessageTaken(message.clone()), now);
            self.message = Some(message);
        }
    }

    fn finish(&mut self, cause: EndCause, now: Moment) {
        let cause = match self.stage {
            Stage::AwaitEnd(ours) | Stage::AwaitFarewell(ours) => ours,
            _ => {
                self.keep_half_message(now);
                cause
            }
        };
        let already_written = matches!(self.stage, Stage::AwaitEnd(_));
        self.caller_turn_stands();
        for saying in self.says.drain().collect::<Vec<_>>() {
            if saying.started.is_some() {
                self.box_turn(&saying, now, Ending::Cut);
            }
        }
        if !already_written {
            self.journal(JournalKind::Ended(cause), now);
        }
        self.timers.stop_all();
        self.stage = Stage::Ended;
        let record = self.record(cause, now);
        self.out.push_back(Output::Finished(Box::new(record)));
    }

    fn record(&mut self, cause: EndCause, now: Moment) -> CallRecord {
        let lasted = now.since(self.facts.offered_at);
        let recording = self.recording_from.map(|from| Recording {
            from_ms: self.ms(from),
            duration_ms: now.ms_since(from),
            gaps: Vec::new(),
        });
        CallRecord {
            id: self.facts.id,
            line: self.facts.line.clone(),
            from: self.facts.from.clone(),
            started_at: self.facts.started_at,
            answered_after: self.answered_at.map(|at| at.since(self.facts.offered_at)),
            ended_at: self.facts.started_at + jiff_span(lasted),
            end_cause: cause,
            outcome: self.outcome(),
            turns: std::mem::take(&mut self.turns),
            message: self.message.take(),
            recording,
            media: self.media.clone(),
        }
    }

    fn outcome(&self) -> Outcome {
        if self.message.as_ref().is_some_and(Message::is_useful) {
            Outcome::Message
        } else if self.counts.settled > 0 {
            Outcome::Answered
        } else if self.failed {
            Outcome::Failed
        } else {
            Outcome::Abandoned
        }
    }

    fn journal(&mut self, kind: JournalKind, at: Moment) {
        self.out.push_back(Output::Journal(JournalEntry { at, kind }));
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
