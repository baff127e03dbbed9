//! From the provider's stream of words to answers about the box's turns. Pure:
//! time is handed in, nothing is sent or waited for, and what is to be done
//! comes out of [`Assembly::poll`].
//!
//! The stream and the call go by different clocks and different ideas of a
//! turn: the provider reckons in sound that it was sent, and cuts it into pieces
//! of its own. Here every word has a place in the stream, a turn of the box is a
//! part of the stream, and a word belongs to the turn that its middle lies in.

use std::collections::VecDeque;
use std::time::Duration;

use crate::conversation::{PAUSE_REPORTED_AFTER, ends_a_sentence};
use crate::speech::{AwaitedWords, EarsError, EarsEvent, Heard};
use crate::terms::{Moment, RequestId};

use super::config::{Api, Bounds};
use super::judging::Judging;
use super::message::{BadMessage, Failure, Message, Results, Sequence, Span, TurnEvent, TurnInfo};
use super::timeline::Timeline;
use super::wording::Wording;

/// Voice activity notices a voice late, and a soft first sound not at all.
const PRE_ROLL: Duration = Duration::from_millis(300);

/// So much of the last voiced sound may be missing from what the provider has
/// listened to: two frames, in which no word ends.
const SHORT_BY: Duration = Duration::from_millis(40);

/// Before words that may still change are taken for the last ones, the provider
/// must have listened so far into the silence after them.
const INTO_SILENCE: Duration = Duration::from_millis(100);

/// From this confidence on, words that have not changed are taken before they
/// are final.
const SURE: f32 = 0.9;

/// Without a word for so long words have ended, as the provider is asked to reckon too.
const WORDLESS: Duration = Duration::from_secs(1);

/// A pause that is reported so soon after Flux has declared a turn over is by its word: the
/// call needs some milliseconds for that, and a core that is busy some tens.
const BY_ITS_WORD: Duration = Duration::from_millis(100);

/// Requests for final words that may be unanswered: the provider leaves out
/// those for which it has nothing.
const FINALIZES_MAX: usize = 8;

/// What is to be done.
#[derive(Debug)]
pub enum Step {
    /// The call is to be told.
    Tell(EarsEvent),
    /// The provider is to be asked for final words of all that was sent.
    Finalize,
    /// The stream is of no more use and is to be closed. Nothing follows but
    /// answers to later requests, which all fail.
    Close,
}

/// A turn of the box: a part of the stream, open at its end.
#[derive(Clone, Copy, Debug)]
struct Turn {
    from: Duration,
    /// None until the next one begins.
    until: Option<Duration>,
}

/// The words of a pause, still to be told.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    request: RequestId,
    asked: Moment,
    turn: Turn,
    /// All that had been sent: what comes later is not asked for.
    sent: Duration,
    /// Where the voice ended.
    voice_end: Duration,
    /// Words that cover the sound are taken as they are.
    is_late: bool,
}

/// How far a turn is surely listened to.
#[derive(Clone, Copy, Debug)]
struct Watch {
    listened: Duration,
    /// When that became known.
    sign_at: Moment,
}

/// Puts a call's words together. Give it all that happens, in order; after each,
/// drain [`poll`](Self::poll); wake it at [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Assembly {
    api: Api,
    engine: &'static str,
    bounds: Bounds,
    timeline: Timeline,
    wording: Wording,
    turn: Turn,
    /// Where the voice ended at the pause asked about last.
    last_voice_end: Duration,
    /// The end of the last word that was told.
    told_until: Duration,
    /// The end of the words that have ended; none while words are being said.
    ended: Option<Duration>,
    wanted: Option<Wanted>,
    judging: Judging,
    /// What had been sent when each request for final words went out.
    finalizes: VecDeque<Duration>,
    /// Where a sign is waited for that the turn is listened to.
    watch: Option<Watch>,
    /// Of Flux: the turn that its open words belong to.
    flux_turn: Option<u64>,
    /// Of Flux: when it declared a turn over last.
    declared_at: Option<Moment>,
    /// Of Flux: the open words stand, unless it takes that back.
    is_eager: bool,
    sequence: Option<Sequence>,
    missed: u64,
    late: u64,
    failed: Option<EarsError>,
    steps: VecDeque<Step>,
}

impl Assembly {
    /// `engine` is the name in records.
    pub(super) fn new(api: Api, engine: &'static str, bounds: Bounds) -> Self {
        Self {
            api,
            engine,
            bounds,
            timeline: Timeline::default(),
            wording: Wording::default(),
            turn: Turn { from: Duration::ZERO, until: None },
            last_voice_end: Duration::ZERO,
            told_until: Duration::ZERO,
            ended: Some(Duration::ZERO),
            wanted: None,
            judging: Judging::default(),
            finalizes: VecDeque::new(),
            watch: None,
            flux_turn: None,
            declared_at: None,
            is_eager: false,
            sequence: None,
            missed: 0,
            late: 0,
            failed: None,
            steps: VecDeque::new(),
        }
    }

    /// The next thing to do, in order.
    pub fn poll(&mut self) -> Option<Step> {
        self.steps.pop_front()
    }

    /// When [`timeout`](Self::timeout) is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        self.wanted.map(|w| w.asked + if w.is_late { self.bounds.words } else { self.bounds.settled })
    }

    /// Messages of Flux that must have existed and did not come.
    pub const fn missed(&self) -> u64 {
        self.missed
    }

    /// Messages that came after one that they should have come before.
    pub const fn late(&self) -> u64 {
        self.late
    }

    // ---- the call ----------------------------------------------------------

    /// Sound is on its way to the provider; its first sample was heard at `at`,
    /// which may be long before `now` when a turn is told again to other ears.
    pub fn sound(&mut self, at: Moment, length: Duration, now: Moment) {
        self.timeline.sound(at, length);
        let Some(watch) = self.watch else { return };
        let within = self.bounds.first_partial;
        let unheard = self.timeline.end().saturating_sub(watch.listened);
        if unheard > within && now.since(watch.sign_at) > within {
            self.fail(EarsError::Stalled { waiting_for: AwaitedWords::FirstPartial, within });
        }
    }

    /// Silence is on its way to the provider, which is none of the call's.
    pub fn filler(&mut self, length: Duration) {
        self.timeline.filler(length);
    }

    /// A turn begins with the voice at `at`. What was said before it belongs to
    /// the turn before, whose words may still be wanted.
    pub fn turn_began(&mut self, at: Moment, now: Moment) {
        let voice = self.timeline.offset(at);
        let quiet = voice.saturating_sub(self.last_voice_end);
        let from = voice.saturating_sub(PRE_ROLL.min(quiet / 2)).max(self.told_until);
        if let Some(wanted) = &mut self.wanted {
            wanted.turn.until = Some(from);
        } else {
            self.wording.forget(from);
        }
        self.turn = Turn { from, until: None };
        self.judging.stop();
        self.watch = Some(Watch { listened: voice, sign_at: now });
    }

    /// The words of the turn so far are wanted. A newer request replaces an
    /// older one.
    pub fn decode(&mut self, request: RequestId, now: Moment) {
        if let Some(error) = self.failed.clone() {
            return self.tell(EarsEvent::Failed { request, error });
        }
        let (sent, voice_end) = (self.timeline.end(), self.voice_end(now));
        self.last_voice_end = voice_end;
        self.wanted = Some(Wanted { request, asked: now, turn: self.turn, sent, voice_end, is_late: false });
        self.tell_if_settled(now);
        if self.wanted.is_some() && self.api == Api::V1 {
            if self.finalizes.len() == FINALIZES_MAX {
                self.finalizes.pop_front();
            }
            self.finalizes.push_back(sent);
            self.steps.push_back(Step::Finalize);
        }
    }

    /// Where the voice ended before the pause that is reported now. If Flux has just said so
    /// of a turn, the pause may be by its word alone: what was sent since is a noise, and over
    /// a far uplink much was.
    fn voice_end(&self, now: Moment) -> Duration {
        let reported = self.timeline.end().saturating_sub(PAUSE_REPORTED_AFTER);
        let is_by_its_word = self.declared_at.is_some_and(|at| now.since(at) < BY_ITS_WORD);
        let ended = self.ended.filter(|_| is_by_its_word).unwrap_or(reported);
        reported.min(ended).max(self.turn.from)
    }

    /// The likelihood that the turn is over is wanted.
    pub fn judge(&mut self, request: RequestId, now: Moment) {
        if self.failed.is_some() {
            return;
        }
        let told = self.judging.ask(request, self.voice_end(now));
        self.tell_judgement(told);
    }

    /// Nothing that was asked is wanted any more.
    pub fn abandon(&mut self) {
        self.wanted = None;
        self.judging.stop();
        self.watch = None;
    }

    /// Another stream takes the place of this one and begins at nought. What was
    /// asked of this one comes no more.
    pub fn restart(&mut self) {
        if let Some(wanted) = self.wanted.take() {
            let error = EarsError::Lost("its stream was opened anew");
            self.tell(EarsEvent::Failed { request: wanted.request, error });
        }
        let (steps, missed, late) = (std::mem::take(&mut self.steps), self.missed, self.late);
        *self = Self { steps, missed, late, ..Self::new(self.api, self.engine, self.bounds) };
    }

    /// The provider is lost, or refuses.
    pub fn fail(&mut self, error: EarsError) {
        if self.failed.is_some() {
            return;
        }
        if let Some(wanted) = self.wanted.take() {
            self.tell(EarsEvent::Failed { request: wanted.request, error: error.clone() });
        }
        self.failed = Some(error);
        self.watch = None;
        self.steps.push_back(Step::Close);
    }

    /// Why the stream is of no more use, if it is of none.
    pub const fn failure(&self) -> Option<&EarsError> {
        self.failed.as_ref()
    }

    pub fn timeout(&mut self, now: Moment) {
        let Some(wanted) = &mut self.wanted else { return };
        if !wanted.is_late && wanted.asked + self.bounds.settled <= now {
            wanted.is_late = true;
            self.tell_if_covered(INTO_SILENCE, now);
        }
        if self.wanted.is_some_and(|w| w.asked + self.bounds.words <= now) {
            // Better than none, although the last word may be missing.
            self.tell_if_covered(Duration::ZERO, now);
        }
        if let Some(wanted) = self.wanted.take_if(|w| w.asked + self.bounds.words <= now) {
            let error = EarsError::Stalled { waiting_for: AwaitedWords::Words, within: self.bounds.words };
            self.tell(EarsEvent::Failed { request: wanted.request, error });
        }
    }

    // ---- the provider ------------------------------------------------------

    /// What came from the provider.
    pub fn message(&mut self, message: Result<Message, BadMessage>, now: Moment) {
        if self.failed.is_some() {
            return;
        }
        match message {
            Ok(Message::Results(results)) => self.results(results, now),
            Ok(Message::SpeechStarted) => self.judging.speech_started(),
            Ok(Message::UtteranceEnd { last_word_end }) => self.utterance_end(last_word_end, now),
            Ok(Message::Turn(turn)) => {
                if self.counts(turn.sequence) {
                    self.flux(turn, now);
                }
            }
            Ok(Message::Counted(sequence)) => {
                self.counts(Some(sequence));
            }
            Ok(Message::Other) => {}
            Ok(Message::Failure(failure)) => self.fail(told_failure(failure)),
            Err(_) => self.fail(EarsError::Lost("a message of it cannot be read")),
        }
    }

    /// Whether a message is newer than all before it. One that should have come
    /// before it and did not is counted; the next tells all of its turn again.
    fn counts(&mut self, sequence: Option<Sequence>) -> bool {
        let Some(sequence) = sequence else { return true };
        let due = self.sequence.map_or(0, |Sequence(last)| last.saturating_add(1));
        if sequence.0 < due {
            self.late = self.late.saturating_add(1);
            return false;
        }
        self.missed = self.missed.saturating_add(sequence.0 - due);
        self.sequence = Some(sequence);
        true
    }

    fn results(&mut self, results: Results, now: Moment) {
        let Results { span, words, is_final, speech_final, from_finalize } = results;
        let has_words = !words.is_empty();
        let span = self.within_stream(span);
        let stands = is_final || speech_final || from_finalize;
        // Of sound whose words stand already: it should have come before them.
        if has_words && span.end <= self.wording.settled_until() {
            self.late = self.late.saturating_add(1);
            if !stands {
                return;
            }
            // Words that were to stand before those have no place any more.
            if span.end > self.turn.from && !self.wording.stands_in(span) {
                return self.fail(EarsError::Lost("its final words are out of order"));
            }
        }
        if stands {
            self.wording.settle(words, span);
        } else {
            self.wording.hear(words, span);
        }
        self.listened(now);
        self.words_began();
        if stands && self.ended.is_none() {
            // The provider does not always say so.
            let last = self.wording.last_end().unwrap_or_default();
            self.ended = Some(last).filter(|last| *last + WORDLESS <= self.wording.settled_until());
        }
        if self.ended.is_some() {
            // Final words leave out what lies behind them, and an interim result had.
            self.tell_words_ended(if stands { self.wording.settled_until() } else { self.wording.covered_until() });
        }
        // A piece that we cut off ourselves says nothing of silence.
        let ends_there = speech_final && !from_finalize && self.sentence_ended();
        let told = self.judging.piece(span.end, has_words, ends_there);
        self.tell_judgement(told);
        if from_finalize && self.answers_finalize(span.end) {
            self.tell_words(now);
        }
        self.tell_if_settled(now);
    }

    /// Whether these final words are those that the present request asked for.
    fn answers_finalize(&mut self, until: Duration) -> bool {
        let mut answered = self.finalizes.pop_front();
        // Some requests are not answered; final words answer all that they cover.
        while self.finalizes.front().is_some_and(|sent| *sent <= until) {
            answered = self.finalizes.pop_front();
        }
        self.wanted.is_some_and(|w| answered.is_some_and(|sent| sent >= w.sent))
    }

    /// Whether the turn's words so far end a sentence.
    fn sentence_ended(&self) -> bool {
        ends_a_sentence(self.wording.passage(self.turn.from, self.timeline.end()).words.expose())
    }

    /// Perhaps a word has come after those that had ended.
    fn words_began(&mut self) {
        let first = self.ended.and_then(|ended| self.wording.first_after(ended));
        if let Some(at) = first.and_then(|start| self.timeline.moment(start)) {
            self.ended = None;
            self.tell(EarsEvent::WordsBegan { at });
        }
    }

    /// Tells that the turn's words have ended, and how far it was listened to since. Of a
    /// turn without any there is nothing to tell.
    fn tell_words_ended(&mut self, listened: Duration) -> bool {
        let last_word = self.wording.passage(self.turn.from, self.timeline.end()).until;
        let moment = |place| self.timeline.moment(place);
        let Some((at, silent_until)) = last_word.and_then(moment).zip(moment(listened)) else {
            return false;
        };
        self.tell(EarsEvent::WordsEnded { at, silent_until });
        true
    }

    /// A second without a word, however noisy: the words that there are stand, unless
    /// one has been heard since the word that is meant. Of a turn without any it says
    /// nothing: it follows the words of the turn before.
    fn utterance_end(&mut self, last_word_end: Option<Duration>, now: Moment) {
        if last_word_end.is_none_or(|end| self.wording.first_after(end).is_some()) {
            return;
        }
        self.ended = last_word_end;
        self.listened(now);
        if self.tell_words_ended(self.wording.covered_until()) {
            let told = self.judging.utterance_end();
            self.tell_judgement(told);
        }
        self.tell_if_covered(Duration::ZERO, now);
    }

    fn flux(&mut self, turn: TurnInfo, now: Moment) {
        if self.flux_turn.is_some_and(|open| open != turn.turn) {
            // The end of the turn before did not come; its words were said.
            self.wording.settle_open();
            self.is_eager = false;
        }
        self.flux_turn = Some(turn.turn);
        let TurnInfo { event, words, confidence, .. } = turn;
        let span = self.within_stream(turn.span);
        match event {
            TurnEvent::EndOfTurn => {
                self.wording.settle(words, span);
                self.flux_turn = None;
            }
            _ => self.wording.hear(words, span),
        }
        match event {
            TurnEvent::EagerEndOfTurn => self.is_eager = true,
            TurnEvent::StartOfTurn | TurnEvent::TurnResumed | TurnEvent::EndOfTurn => self.is_eager = false,
            TurnEvent::Update | TurnEvent::Unknown => {}
        }
        self.listened(now);
        self.words_began();
        // In a noise the call knows of no pause, and would not ask.
        if event == TurnEvent::EndOfTurn {
            (self.ended, self.declared_at) = (self.wording.last_end(), Some(now));
        }
        if self.ended.is_some() {
            self.tell_words_ended(span.end);
        }
        let told = self.judging.turn(event, span.end, confidence);
        self.tell_judgement(told);
        self.tell_if_settled(now);
    }

    /// Longer than what was sent is nothing that the provider can have listened to.
    fn within_stream(&self, mut span: Span) -> Span {
        let end = self.timeline.end();
        span.end = span.end.min(end);
        span.start = span.start.min(span.end);
        span
    }

    /// Perhaps there is a sign that the turn is listened to.
    fn listened(&mut self, now: Moment) {
        let until = self.wording.covered_until();
        if let Some(watch) = self.watch.as_mut().filter(|watch| until > watch.listened) {
            *watch = Watch { listened: until, sign_at: now };
        }
    }

    // ---- answers -----------------------------------------------------------

    /// Whether what was listened to `until` has the voice of the pause in it, and
    /// so much of the silence after it.
    fn covers(&self, until: Duration, silence: Duration) -> bool {
        // Who has listened to nothing has not heard nothing.
        !until.is_zero() && self.wanted.is_some_and(|w| until + SHORT_BY >= w.voice_end + silence)
    }

    /// Tells the words if they will not change, or most likely not.
    fn tell_if_settled(&mut self, now: Moment) {
        let is_final = self.covers(self.wording.settled_until(), Duration::ZERO);
        let listened = self.wording.covered_until();
        // Flux takes it back before it changes such words, and then the caller
        // goes on, which the box notices too.
        let is_eager = self.is_eager && self.covers(listened, Duration::ZERO);
        let is_sure = self.covers(listened, INTO_SILENCE) && self.wording.open_is_sure(SURE);
        if is_final || is_eager || is_sure {
            self.tell_words(now);
        } else if self.wanted.is_some_and(|w| w.is_late) {
            self.tell_if_covered(INTO_SILENCE, now);
        }
    }

    /// Tells the words, whether they may change or not, if so much of the silence
    /// after them was listened to.
    fn tell_if_covered(&mut self, silence: Duration, now: Moment) {
        if self.covers(self.wording.covered_until(), silence) {
            self.tell_words(now);
        }
    }

    /// A request is answered once: the mind is asked with the words as soon as
    /// they are told, and could not tell answers to a correction from answers to
    /// the words before it.
    fn tell_words(&mut self, now: Moment) {
        let Some(wanted) = self.wanted.take() else { return };
        let until = wanted.turn.until.unwrap_or(wanted.sent);
        let passage = self.wording.passage(wanted.turn.from, until);
        self.told_until = self.told_until.max(passage.until.unwrap_or_default());
        if wanted.turn.until.is_none() {
            self.watch = None;
        }
        self.tell(EarsEvent::Heard(Heard {
            request: wanted.request,
            words: passage.words,
            confidence: passage.confidence,
            engine: self.engine,
            took: now.since(wanted.asked),
            sound: wanted.sent.min(until).saturating_sub(wanted.turn.from),
        }));
    }

    fn tell_judgement(&mut self, told: Option<(RequestId, f32)>) {
        if let Some((request, probability)) = told {
            self.tell(EarsEvent::TurnOver { request, probability });
        }
    }

    fn tell(&mut self, event: EarsEvent) {
        self.steps.push_back(Step::Tell(event));
    }
}

const fn told_failure(failure: Failure) -> EarsError {
    match failure {
        Failure::Busy => EarsError::Busy { retry_after: None },
        Failure::Account => EarsError::NotServed("it does not accept the key, or the account lacks credit or leave"),
        Failure::Misunderstood => EarsError::NotServed("it cannot read what it is sent"),
        Failure::Internal => EarsError::Lost("it says that it failed"),
    }
}

#[cfg(test)]
#[path = "assembly_tests.rs"]
mod tests;
