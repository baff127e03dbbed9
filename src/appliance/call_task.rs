//! The only loop of a call: wait for one thing, tell the call, do what the call
//! wants, sleep until its deadline. It is dull on purpose.

mod people;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::call::{Call, CallRecord, Input, JournalKind, Output, Speech, Wish};
use crate::line::audio::MonitorTap;
use crate::line::{self, EarFrame, LegCommand, LegEvent, MouthEvent};
use crate::media::{Frame, SampleRate};
use crate::ops::{Stop, Supervisor, SystemClock};
use crate::residency::CallerWish;
use crate::speech::{CallSetting, EarsEvent, Heard, Hearing, MindEvent, Synthesizer, Thinking, Voice};
use crate::store::journal::{Entry, Kind};
use crate::store::{CallMemory, Leg};
use crate::terms::{CallId, EndCause, Moment, PhoneNumber, Private, RequestId, UtteranceId};

use super::desk::EarsPlace;
use super::ear_path::EarPath;
use super::kept_sound::KeptSound;
use super::keyless::{Keyless, Passed};
use super::listening::Overheard;
use super::put_through::{HandOver, PersonEvent, Reception};
use super::renderings::Renderings;
use super::scribe::Scribe;
use super::second_hearing::SecondHearings;
use super::texts::{NotPromised, TextQueue};
use super::voice_lane::{LaneEvent, SENTENCES, Sentence, VoiceLane};
use super::watch::Watch;

/// Answers of the lane waiting to be told: three for each sentence, and the
/// marks of its words. The lane waits where they are full.
const LANE_EVENTS: usize = 32;

/// The end of the grace period in which the box says goodbye: the sentence takes
/// five seconds, and the line's end one.
const LEAVE_TAKING: Duration = Duration::from_secs(8);

/// What a call is made of.
pub struct CallTask {
    pub id: CallId,
    pub call: Call,
    pub leg: line::Leg,
    pub hearing: Option<Box<dyn Hearing>>,
    /// None when no ears had a place for the call.
    pub ears_place: Option<EarsPlace>,
    pub ears_events: mpsc::Receiver<EarsEvent>,
    pub thinking: Box<dyn Thinking>,
    pub mind_events: mpsc::Receiver<MindEvent>,
    pub synthesizer: Arc<dyn Synthesizer>,
    pub setting: CallSetting,
    pub renderings: Arc<Renderings>,
    /// None when no line sends text messages.
    pub texts: Option<Arc<TextQueue>>,
    /// None when no person can be rung.
    pub reception: Option<Arc<Reception>>,
    /// None where no ears outside the box could hear better.
    pub second_hearing: Option<Arc<SecondHearings>>,
    pub caller: Option<PhoneNumber>,
    /// None when nothing of the call can be kept: the disk is full or broken.
    pub memory: Option<CallMemory>,
    pub offered_at: Moment,
    pub time_zone: jiff::tz::TimeZone,
    pub watch: Watch,
    /// Where a person may listen to it.
    pub overheard: Overheard,
    pub clock: SystemClock,
    pub stop: Stop,
    /// How long the caller may go on after the box was asked to stop.
    pub grace: Duration,
    pub supervisor: Supervisor,
}

/// What the loop waited for.
enum Wake {
    Tell(Input),
    Answered { at: Moment, rate: SampleRate },
    EarFrame(EarFrame),
    Sent(Frame),
    Mouth(MouthEvent),
    Overheard(MonitorTap),
    Person(PersonEvent),
    Deadline,
    StopAsked,
    LegGone,
}

/// The parts that exist once media flows.
struct Flowing {
    keyless: Keyless,
    ears: EarPath,
    /// The lane speaks with it.
    voice: Arc<dyn Voice>,
    lane: mpsc::Sender<Sentence>,
}

struct Running {
    task: CallTask,
    /// Writes down what happens, if it can be kept.
    scribe: Option<Scribe>,
    flowing: Option<Flowing>,
    lane_events: mpsc::Receiver<LaneEvent>,
    lane_events_in: mpsc::Sender<LaneEvent>,
    /// Where sound goes that is kept.
    kept: Option<KeptSound>,
    keeping: bool,
    /// The person who is being rung for the caller, or speaks with them.
    hand_over: Option<HandOver>,
    stop_asked: bool,
    /// When to take leave, once the box has been asked to stop.
    leave_at: Option<Moment>,
    leg_gone: bool,
    ears_gone: bool,
    mouth_gone: bool,
    sent_gone: bool,
}

impl CallTask {
    /// Runs the call to its record.
    pub async fn run(mut self) -> Option<CallRecord> {
        let scribe = self.memory.take().map(|memory| Scribe::start(memory, &self.supervisor, self.stop.clone()));
        let (lane_events_in, lane_events) = mpsc::channel(LANE_EVENTS);
        let running = Running {
            task: self,
            scribe,
            flowing: None,
            lane_events,
            lane_events_in,
            kept: None,
            keeping: false,
            hand_over: None,
            stop_asked: false,
            leave_at: None,
            leg_gone: false,
            ears_gone: false,
            mouth_gone: false,
            sent_gone: false,
        };
        running.run().await
    }
}

impl Running {
    async fn run(mut self) -> Option<CallRecord> {
        let now = self.task.clock.now();
        self.task.call.accept(now);
        loop {
            if let Some(record) = self.carry_out().await {
                return Some(self.finish(record).await);
            }
            match self.wait().await {
                Wake::Tell(input) => {
                    self.silence_key(&input);
                    self.tell(input);
                }
                Wake::Answered { at, rate } => {
                    self.start_media(rate);
                    self.tell(Input::Answered { at });
                }
                Wake::EarFrame(frame) => self.hear(&frame),
                Wake::Sent(frame) => self.sent(&frame),
                Wake::Mouth(event) => self.mouth(event),
                Wake::Overheard(tap) => self.let_listen(tap).await,
                Wake::Person(event) => self.person(&event),
                Wake::Deadline => self.deadline(),
                Wake::StopAsked => {
                    self.stop_asked = true;
                    self.leave_at = Some(self.task.clock.now() + self.task.grace.saturating_sub(LEAVE_TAKING));
                }
                Wake::LegGone => {
                    let at = self.task.clock.now();
                    let cause = EndCause::NetworkOutOfOrder;
                    self.tell(Input::Ended { at, cause, media: Default::default() });
                }
            }
        }
    }

    fn tell(&mut self, input: Input) {
        let now = self.task.clock.now();
        self.task.call.handle(input, now);
    }

    fn deadline(&mut self) {
        let now = self.task.clock.now();
        self.task.call.handle_deadline(now);
        if self.leave_at.take_if(|at| *at <= now).is_some() {
            self.tell(Input::BoxStopping);
        }
    }

    async fn wait(&mut self) -> Wake {
        let clock = self.task.clock;
        let deadline = self.task.call.deadline().map(|(at, _)| at).into_iter().chain(self.leave_at).min();
        let sleep = async {
            match deadline {
                Some(at) => clock.sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let task = &mut self.task;
        let hand_over = &mut self.hand_over;
        let person = async {
            match hand_over {
                Some(person) => person.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = task.leg.events.recv(), if !self.leg_gone => match event {
                Some(event) => leg_wake(event),
                None => { self.leg_gone = true; Wake::LegGone }
            },
            frame = task.leg.ears.recv(), if !self.ears_gone => match frame {
                Some(frame) => Wake::EarFrame(frame),
                None => { self.ears_gone = true; Wake::Deadline }
            },
            frame = task.leg.mouth.sent.recv(), if !self.sent_gone => match frame {
                Some(frame) => Wake::Sent(frame),
                None => { self.sent_gone = true; Wake::Deadline }
            },
            event = task.leg.mouth.events.recv(), if !self.mouth_gone => match event {
                Some(event) => Wake::Mouth(event),
                None => { self.mouth_gone = true; Wake::Deadline }
            },
            Some(event) = task.ears_events.recv() => ears_wake(event),
            Some(event) = task.mind_events.recv() => mind_wake(event),
            Some(event) = self.lane_events.recv() => lane_wake(event),
            Some(tap) = task.overheard.wanted() => Wake::Overheard(tap),
            event = person => Wake::Person(event),
            () = task.stop.asked(), if !self.stop_asked => Wake::StopAsked,
            () = sleep => Wake::Deadline,
        }
    }

    // ---- sound -----------------------------------------------------------

    fn start_media(&mut self, rate: SampleRate) {
        if self.flowing.is_some() {
            return;
        }
        let (lane, sentences) = mpsc::channel(SENTENCES);
        let voice: Arc<dyn Voice> = Arc::from(self.task.synthesizer.open(&self.task.setting));
        let voice_lane = VoiceLane {
            rate,
            voice: Arc::clone(&voice),
            renderings: self.task.renderings.clone(),
            queue: self.task.leg.mouth.queue.clone(),
            epoch: self.task.leg.mouth.epoch_view(),
            events: self.lane_events_in.clone(),
        };
        drop(self.task.supervisor.spawn_passing("voice-lane", voice_lane.run(sentences)));
        self.flowing = Some(Flowing { keyless: Keyless::new(rate), ears: EarPath::new(rate), voice, lane });
        // Before the first frame: ears outside the box send a wide line's sound wide.
        self.ears(|h| h.line_answered(rate));
    }

    fn keep(&mut self, leg: Leg, frame: &Frame) {
        if let Some(kept) = &mut self.kept {
            kept.take(leg, frame);
        }
    }

    fn hear(&mut self, ear: &EarFrame) {
        let Some(flowing) = &mut self.flowing else { return };
        let passed = flowing.keyless.pass(ear);
        self.task.overheard.caller(&passed);
        let Passed { heard: ear, kept } = passed;
        if let Some(frame) = kept.filter(|_| self.keeping) {
            self.keep(Leg::Caller, &frame);
        }
        let ear = self.beside_person(ear);
        let (Some(flowing), Some(hearing)) = (&mut self.flowing, &mut self.task.hearing) else { return };
        let heard = flowing.ears.hear(&ear, hearing.as_mut());
        for input in heard.into_iter().flatten() {
            self.tell(input);
        }
    }

    /// Before anybody looks at a key its tone is out of the caller's sound.
    fn silence_key(&mut self, input: &Input) {
        if let (Input::Digit { at, .. }, Some(flowing)) = (input, &mut self.flowing) {
            flowing.keyless.told(*at);
        }
    }

    fn sound_of_caller(&mut self, act: impl FnOnce(&mut Keyless)) {
        if let Some(flowing) = &mut self.flowing {
            act(&mut flowing.keyless);
        }
    }

    /// The last of what is kept, if anything is.
    fn stop_keeping(&mut self) {
        if !std::mem::take(&mut self.keeping) {
            return;
        }
        if let Some(last) = self.flowing.as_mut().and_then(|flowing| flowing.keyless.end()) {
            self.keep(Leg::Caller, &last);
        }
    }

    fn sent(&mut self, frame: &Frame) {
        if self.keeping {
            self.keep(Leg::Box, frame);
        }
        self.task.overheard.spoken(frame);
        if let Some(person) = &mut self.hand_over {
            person.caller_heard(&self.task.leg.mouth);
        }
        if let Some(flowing) = &mut self.flowing {
            flowing.ears.sent(frame);
        }
    }

    fn mouth(&mut self, event: MouthEvent) {
        self.tell(match event {
            MouthEvent::Started { utterance, at } => Input::UtteranceStarted { utterance, at },
            MouthEvent::Progress { utterance, played_ms, at } => Input::UtteranceProgress { utterance, played_ms, at },
            MouthEvent::Finished { utterance, played_ms, at } => Input::UtteranceFinished { utterance, played_ms, at },
            MouthEvent::Cut { utterance, played_ms, at } => Input::UtteranceCut { utterance, played_ms, at },
        });
    }

    /// A person listens from here on: that is written down before they hear anything.
    async fn let_listen(&mut self, tap: MonitorTap) {
        // Whoever has gone before the call got to it hears nothing.
        if !tap.is_heard() {
            return;
        }
        let at = self.task.clock.now();
        if let Some(scribe) = &self.scribe {
            // Written before anybody hears.
            let entry = Entry::plain(at.ms_since(self.task.offered_at), Kind::Listened);
            if !scribe.promise(entry).await {
                tracing::warn!(call = %self.task.id, "that a person listens is not written down yet");
            }
        }
        tracing::info!(call = %self.task.id, "a person listens to the call through the monitor speaker");
        self.task.watch.listened(self.task.id);
        self.task.overheard.begin(tap);
    }

    // ---- what the call wants ---------------------------------------------

    /// Gives the record once the call is over.
    async fn carry_out(&mut self) -> Option<CallRecord> {
        while let Some(output) = self.task.call.poll() {
            match output {
                Output::Finished(record) => return Some(*record),
                Output::Journal(entry) => self.journal(entry.kind, entry.at).await,
                Output::StartRecording { from_ms } => self.start_recording(from_ms).await,
                Output::SendText { text } => self.promise_text(text).await,
                other => self.effect(other),
            }
        }
        None
    }

    fn effect(&mut self, output: Output) {
        match output {
            Output::Answer => self.command(LegCommand::Answer),
            Output::HangUp(cause) => self.command(LegCommand::HangUp(cause)),
            Output::TurnBegan { at } => {
                self.ears(|h| h.turn_began(at));
                self.task.thinking.caller_speaks();
                if let Some(flowing) = &self.flowing {
                    flowing.voice.caller_speaks();
                }
            }
            Output::Decode { request } => self.ears(|h| h.decode(request)),
            Output::Judge { request, expected } if expected.is_one_sentence() => self.ears(|h| h.judge(request)),
            Output::Judge { request, .. } => self.ears(|h| h.judge_by_melody(request)),
            Output::AbandonDecode => self.ears(Hearing::abandon),
            Output::Ask { request, words } => self.ask(request, &words),
            Output::AskTopic { request, topic } => {
                let now = self.local_time();
                self.task.thinking.ask_topic(request, topic, &now);
            }
            Output::AbandonAsk => self.task.thinking.abandon(),
            Output::Say { utterance, speech } => self.say(utterance, speech),
            Output::PauseMouth => self.task.leg.mouth.pause(),
            Output::ResumeMouth => self.task.leg.mouth.resume(),
            Output::SilenceMouth => self.task.leg.mouth.silence(),
            Output::StopRecording => self.stop_keeping(),
            Output::WithholdSound => self.sound_of_caller(Keyless::withhold),
            Output::RestoreSound => self.sound_of_caller(Keyless::restore),
            Output::Wish(wish) => self.wish(wish),
            Output::PutThrough { handset, rings } => self.put_through(&handset, rings),
            Output::Connect => self.connect(),
            Output::SendDigit(digit) => self.send_digit(digit),
            Output::LetGo => self.let_go(),
            Output::Said(text) => self.task.thinking.said(&text),
            Output::TurnDone(turn) => self.task.watch.turn(self.task.id, &turn),
            Output::Journal(_) | Output::StartRecording { .. } | Output::SendText { .. } | Output::Finished(_) => {
                unreachable!("taken by carry_out")
            }
        }
    }

    fn wish(&mut self, wish: Wish) {
        if let Wish::OfData(wish) = wish {
            self.task.setting.gate.wish(wish);
        }
        if wish.ends_listening() {
            self.task.overheard.close();
        }
    }

    fn command(&mut self, command: LegCommand) {
        // A leg that takes no more commands is gone, and says so by its events' end.
        if self.task.leg.commands.try_send(command).is_err() {
            tracing::warn!(call = %self.task.id, "the line took no command");
        }
    }

    fn ears(&mut self, act: impl FnOnce(&mut (dyn Hearing + 'static))) {
        if let Some(hearing) = &mut self.task.hearing {
            act(hearing.as_mut());
        }
    }

    async fn promise_text(&mut self, text: Private<String>) {
        let promised = match &self.task.texts {
            Some(texts) => texts.promise(self.task.id, &text).await,
            None => Err(NotPromised::NoLine),
        };
        if let Err(error) = promised {
            tracing::error!(call = %self.task.id, %error, "a caller is told that no text message comes");
            self.tell(Input::Unwritten { kind: JournalKind::TextPromised(text) });
        }
    }

    fn ask(&mut self, request: RequestId, words: &Private<String>) {
        let now = self.local_time();
        self.task.thinking.ask(request, words, &now);
    }

    /// The time at the business.
    fn local_time(&self) -> jiff::ZonedDateTime {
        self.task.clock.wall().to_zoned_datetime(self.task.time_zone.clone())
    }

    fn say(&mut self, utterance: UtteranceId, speech: Speech) {
        let sentence = Sentence { utterance, speech, epoch: self.task.leg.mouth.epoch() };
        let taken = self.flowing.as_ref().is_some_and(|f| f.lane.try_send(sentence).is_ok());
        if !taken {
            self.tell(Input::VoiceFailed { utterance });
        }
    }

    async fn start_recording(&mut self, from_ms: u64) {
        let (Some(scribe), Some(flowing)) = (&self.scribe, &self.flowing) else { return };
        self.kept = Some(KeptSound::new(scribe.start_recording(flowing.ears.rate(), from_ms).await));
        self.keeping = true;
        self.sound_of_caller(Keyless::begin);
    }

    async fn journal(&mut self, kind: JournalKind, at: Moment) {
        if let JournalKind::Transferred(to) = &kind {
            self.task.watch.transferred(self.task.id, to);
        }
        let entry = journal_entry(&kind, at.ms_since(self.task.offered_at));
        let is_safe = match &self.scribe {
            Some(scribe) if kind.is_promise() => scribe.promise(entry).await,
            // What only tells what happens keeps nobody waiting.
            Some(scribe) => return scribe.note(entry).await,
            None => false,
        };
        if !is_safe && kind.is_promise() {
            self.tell(Input::Unwritten { kind });
        }
    }

    async fn finish(mut self, record: CallRecord) -> CallRecord {
        self.stop_keeping();
        let Self { task, scribe, flowing, kept, .. } = self;
        // Before the disk is waited for: other callers want to be heard, and nobody speaks here.
        drop((flowing, task.hearing, task.ears_events, task.thinking, task.mind_events, task.ears_place));
        if let Some(kept) = kept {
            kept.end().await;
        }
        let Some(scribe) = scribe else { return record };
        let (second, gate) = (&task.second_hearing, &task.setting.gate);
        if let Some(hear_again) = second.as_ref().and_then(|second| second.to_hear_again(&record, gate)) {
            scribe.hear_again(hear_again).await;
        }
        scribe.finish(record).await
    }
}

fn journal_entry(kind: &JournalKind, at_ms: u64) -> Entry {
    match kind {
        JournalKind::Answered => Entry::plain(at_ms, Kind::Answered),
        JournalKind::NoticePlayed => Entry::plain(at_ms, Kind::NoticePlayed),
        JournalKind::RecordingStarted => Entry::plain(at_ms, Kind::RecordingStarted),
        JournalKind::MessageTaken(message) => Entry::message_taken(at_ms, message),
        JournalKind::TextPromised(text) => Entry { at_ms, kind: Kind::TextPromised, words: Some(text.clone()) },
        JournalKind::Wished(wish) => Entry::plain(at_ms, Kind::Wished(*wish)),
        JournalKind::ConsentNotTaken => Entry::plain(at_ms, Kind::Wished(Wish::OfData(CallerWish::Withdraws))),
        JournalKind::Transferred(to) => Entry { at_ms, kind: Kind::Transferred, words: Some(to.clone()) },
        JournalKind::Ended(_) => Entry::plain(at_ms, Kind::Ended),
    }
}

fn leg_wake(event: LegEvent) -> Wake {
    Wake::Tell(match event {
        LegEvent::Answered { at, rate, .. } => return Wake::Answered { at, rate },
        LegEvent::Digit { at, digit } => Input::Digit { at, digit },
        LegEvent::Held { at } => Input::Held { at },
        LegEvent::Resumed { at } => Input::Resumed { at },
        LegEvent::MediaLost { at } => Input::MediaLost { at },
        LegEvent::Ended { at, cause, media } => Input::Ended { at, cause, media },
    })
}

fn ears_wake(event: EarsEvent) -> Wake {
    Wake::Tell(match event {
        EarsEvent::Heard(Heard { request, words, confidence, engine, took, .. }) => {
            Input::Heard { request, words, confidence, engine, took }
        }
        EarsEvent::Left(failover) => Input::EngineLeft(failover),
        EarsEvent::WordsBegan { at } => Input::WordsBegan { at },
        EarsEvent::WordsEnded { at, silent_until } => Input::WordsEnded { at, silent_until },
        EarsEvent::TurnOver { request, probability } => Input::TurnOver { request, probability },
        EarsEvent::Failed { request, error } => {
            tracing::warn!(%error, "the ears failed");
            Input::EarsFailed { request }
        }
    })
}

fn mind_wake(event: MindEvent) -> Wake {
    Wake::Tell(match event {
        MindEvent::Found { request, finding, engine, took } => Input::Found { request, finding, engine, took },
        MindEvent::Sentence { request, spoken, engine, took } => Input::Sentence { request, spoken, engine, took },
        MindEvent::Left(failover) => Input::EngineLeft(failover),
        MindEvent::Over { request, then } => Input::AnswerOver { request, then },
        // For who might leave the mind for another; the call has its own patience.
        MindEvent::Alive { .. } => return Wake::Deadline,
        MindEvent::Failed { request, error } => {
            tracing::warn!(%error, "the mind failed");
            Input::MindFailed { request }
        }
    })
}

fn lane_wake(event: LaneEvent) -> Wake {
    Wake::Tell(match event {
        LaneEvent::Made { utterance, engine } => Input::UtteranceMade { utterance, engine },
        LaneEvent::Marks { utterance, ends } => Input::UtteranceMarks { utterance, ends },
        LaneEvent::Left(failover) => Input::EngineLeft(failover),
        LaneEvent::Length { utterance, total_ms } => Input::UtteranceLength { utterance, total_ms },
        LaneEvent::Failed { utterance } => Input::VoiceFailed { utterance },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_that_was_not_taken_stands_in_the_journal_as_one_that_was_withdrawn() {
        let entry = journal_entry(&JournalKind::ConsentNotTaken, 7);
        assert_eq!(entry, Entry::plain(7, Kind::Wished(Wish::OfData(CallerWish::Withdraws))));
    }
}
