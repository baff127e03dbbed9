use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::call::{EngineStage, WhyLeft};
use crate::conversation::WordEnd;
use crate::media::SampleRate;
use crate::ops::HealthFact;
use crate::speech::{Awaited, CallSetting, SpeakRequest, Speaking, Synthesizer, Voice, VoiceError, VoiceEvent};
use crate::terms::{Moment, Private, UtteranceId};

use super::drive::Works;
use super::fault::{Fault, Weight};
use super::link::{Chain, Link};
use super::relay::{HalfDone, Next, Relay, Said};
use super::rest::rest_begins;
use super::roster::{Choice, Roster};

/// Slices of an engine that wait here, as for the lane that plays them.
const SLICES: usize = 4;

/// Ends of words that are kept of one sentence: an answer has some dozens.
const MARKS_MAX: usize = 1000;

/// The next voice needs so long for its first sound, so it is asked while the
/// caller still has as much to hear.
const AHEAD: Duration = Duration::from_millis(250);

/// A call's voice has been opened long before its first sentence, and so has one that is
/// tried: in this time four round trips of a far uplink (300 ms each) make a connection.
const CONNECTS_WITHIN: Duration = Duration::from_millis(1300);

/// Voices in an order; the box's own is the last.
pub struct VoiceChain {
    chain: Arc<Chain<dyn Synthesizer>>,
    works: Works,
}

impl VoiceChain {
    pub fn new(better: Vec<Link<dyn Synthesizer>>, on_the_box: Link<dyn Synthesizer>, works: Works) -> Self {
        Self { chain: Arc::new(Chain::new(EngineStage::Voice, better, on_the_box)), works }
    }

    /// How the engines are, for `milu doctor`.
    pub fn health(&self) -> Vec<HealthFact> {
        let mut facts = self.chain.facts((self.works.now)());
        for (n, fact) in facts.iter_mut().enumerate() {
            let engine = &self.chain.link(n).engine;
            let (rescued, disordered) = (engine.rescued(), engine.disordered());
            if rescued > 0 {
                let told = format!(" Sentences that it made in another way than its usual one: {rescued}.");
                fact.sentence.push_str(&told);
            }
            if disordered > 0 {
                fact.sentence.push_str(&format!(" Messages that came out of their order: {disordered}."));
            }
        }
        facts
    }
}

impl Synthesizer for VoiceChain {
    /// The name of the one that is asked first.
    fn name(&self) -> &'static str {
        self.chain.link(0).engine.name()
    }

    fn open(&self, setting: &CallSetting) -> Box<dyn Voice> {
        let voices = Voices {
            chain: Arc::clone(&self.chain),
            setting: setting.clone(),
            state: Mutex::new(State {
                roster: Roster::new(self.chain.len()),
                voices: (0..self.chain.len()).map(|_| None).collect(),
                tries: false,
            }),
        };
        let Choice { engine, .. } = voices.choose(0, (self.works.now)());
        drop((voices.voice(engine), voices.voice(self.chain.len() - 1)));
        Box::new(CallVoice { voices: Arc::new(voices), works: self.works.clone() })
    }
}

impl std::fmt::Debug for VoiceChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.chain.fmt(f)
    }
}

/// One call's voices.
struct Voices {
    chain: Arc<Chain<dyn Synthesizer>>,
    setting: CallSetting,
    /// Held for moments; nothing waits under it.
    state: Mutex<State>,
}

struct State {
    roster: Roster,
    voices: Vec<Option<Arc<dyn Voice>>>,
    /// One is being tried. Sentences follow each other faster than a trial is over, and
    /// another would close its connection.
    tries: bool,
}

impl Voices {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last(&self) -> usize {
        self.chain.len() - 1
    }

    fn choose(&self, from: usize, now: Moment) -> Choice {
        let views = self.chain.views(&self.setting, now);
        self.lock().roster.choose(&views, from, now)
    }

    /// The voice, opened if it was not.
    fn voice(&self, engine: usize) -> Arc<dyn Voice> {
        let mut state = self.lock();
        let opened = || Arc::from(self.chain.link(engine).engine.open(&self.setting));
        Arc::clone(state.voices[engine].get_or_insert_with(opened))
    }

    /// Its connection is not used again; a probe opens a new one.
    fn close(&self, engine: usize) {
        if engine != self.last() {
            self.lock().voices[engine] = None;
        }
    }

    /// Whether this one is to be tried now. It has a new connection then: that of before is
    /// known to be bad.
    fn begin_trial(&self, engine: usize, now: Moment) -> bool {
        let begins = {
            let mut state = self.lock();
            let begins = !state.tries && self.chain.link(engine).health.begin_probe(now);
            state.tries |= begins;
            begins
        };
        if begins {
            self.close(engine);
            drop(self.voice(engine));
        }
        begins
    }

    /// Speaks the sentence once more, unheard, and only up to its first sound.
    async fn probe(&self, works: &Works, engine: usize, request: SpeakRequest) {
        let link = self.chain.link(engine);
        let (sound, mut slices) = mpsc::channel(SLICES);
        let speaking = self.voice(engine).speak(request, sound);
        let due = (works.now)() + link.limits.first;
        let outcome = loop {
            tokio::select! {
                event = slices.recv() => match event {
                    Some(VoiceEvent::Sound { samples, .. }) if !samples.is_empty() => break Ok(()),
                    Some(VoiceEvent::Sound { .. } | VoiceEvent::Marks { .. } | VoiceEvent::Left { .. }) => {}
                    Some(VoiceEvent::Failed { error, .. }) => break Err(Fault::from(&error)),
                    Some(VoiceEvent::Done { .. }) | None => break Err(Fault::late(WhyLeft::Broken)),
                },
                () = works.wait_until(Some(due)) => break Err(Fault::late(WhyLeft::FirstSoundDeadline)),
            }
        };
        drop(speaking);
        let now = (works.now)();
        match outcome {
            Ok(()) => link.health.succeeded(now),
            Err(fault) => {
                link.health.failed(fault, now);
                self.close(engine);
            }
        }
    }
}

struct CallVoice {
    voices: Arc<Voices>,
    works: Works,
}

impl Voice for CallVoice {
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
        let cancel = CancellationToken::new();
        let now = (self.works.now)();
        let Choice { engine, probe } = self.voices.choose(0, now);
        // Nobody need be tried with what has no sound.
        let probe = probe.filter(|_| has_words(request.text.expose()));
        if let Some(tried) = probe.filter(|tried| self.voices.begin_trial(*tried, now)) {
            let health = Arc::clone(&self.voices.chain.link(tried).health);
            let (voices, works, request) = (Arc::downgrade(&self.voices), self.works.clone(), request.clone());
            let work = async move {
                works.wait_until(Some(now + CONNECTS_WITHIN)).await;
                match voices.upgrade() {
                    Some(voices) => {
                        voices.probe(&works, tried, request).await;
                        voices.lock().tries = false;
                    }
                    // The call is over.
                    None => health.take_back_probe(now, (works.now)()),
                }
            };
            self.works.tasks.spawn_on(work, &self.works.runtime);
        }
        let sentence = Sentence::new(Arc::clone(&self.voices), self.works.clone(), request, sound, engine);
        let cancelled = cancel.clone();
        let work = async move {
            tokio::select! {
                () = cancelled.cancelled() => {}
                () = sentence.speak() => {}
            }
        };
        self.works.tasks.spawn_on(work, &self.works.runtime);
        Speaking::new(cancel)
    }

    /// The voice that would speak may be another than when the call began: the caller has
    /// consented, or one is well again.
    fn caller_speaks(&self) {
        let Choice { engine, .. } = self.voices.choose(0, (self.works.now)());
        drop(self.voices.voice(engine));
    }
}

/// A sentence on its way through the voices.
struct Sentence {
    voices: Arc<Voices>,
    works: Works,
    request: SpeakRequest,
    sound: mpsc::Sender<VoiceEvent>,
    relay: Relay,
    /// Where in the text the present voice began, in bytes, and in the sound, in samples.
    text_from: usize,
    sound_from: usize,
    /// Samples that have been handed on.
    handed_on: usize,
    /// When the first of them was.
    began: Option<Moment>,
    /// Ends of words that the present voice has told, in its own text and time.
    ends: Vec<WordEnd>,
}

/// How a voice's part of a sentence ended.
enum Part {
    Done,
    /// The call wants no more.
    Unwanted,
    Leave(Fault),
    GiveUp(Fault, Option<VoiceError>),
}

impl Sentence {
    fn new(
        voices: Arc<Voices>,
        works: Works,
        request: SpeakRequest,
        sound: mpsc::Sender<VoiceEvent>,
        engine: usize,
    ) -> Self {
        let limits = voices.chain.link(engine).limits;
        let ways = (engine, voices.last());
        let relay = Relay::new(EngineStage::Voice, HalfDone::GoesOn, ways, limits, (works.now)());
        Self {
            voices,
            works,
            request,
            sound,
            relay,
            text_from: 0,
            sound_from: 0,
            handed_on: 0,
            began: None,
            ends: Vec::new(),
        }
    }

    const fn utterance(&self) -> UtteranceId {
        self.request.utterance
    }

    async fn speak(mut self) {
        loop {
            let ended = self.part().await;
            let now = (self.works.now)();
            let engine = self.relay.engine();
            let health = Arc::clone(&self.voices.chain.link(engine).health);
            let event = match ended {
                Part::Unwanted => return,
                Part::Done => {
                    // What has no words shows nothing of a voice.
                    if self.has_sounded() {
                        health.succeeded(now);
                    }
                    VoiceEvent::Done { utterance: self.utterance() }
                }
                Part::GiveUp(fault, error) => {
                    health.failed(fault, now);
                    let within = self.relay.had_for(now);
                    let waiting_for = if self.relay.any_begun() { Awaited::NextSound } else { Awaited::FirstSound };
                    let error = error.unwrap_or(VoiceError::Stalled { waiting_for, within });
                    VoiceEvent::Failed { utterance: self.utterance(), error }
                }
                Part::Leave(fault) => {
                    let nothing_left = self.leave(fault, now).await;
                    match nothing_left {
                        Rest::Some => continue,
                        Rest::None => VoiceEvent::Done { utterance: self.utterance() },
                    }
                }
            };
            // A call that is gone has dropped the sentence too.
            drop(self.sound.send(event).await);
            return;
        }
    }

    /// The present voice says what is left of the text.
    async fn part(&mut self) -> Part {
        let (sound, mut slices) = mpsc::channel(SLICES);
        let text = self.text_left().to_owned();
        let request = SpeakRequest { text: Private::new(text), ..self.request.clone() };
        let speaking = self.voices.voice(self.relay.engine()).speak(request, sound);
        let part = loop {
            let due = self.relay.due();
            let next = tokio::select! {
                biased;
                event = slices.recv() => match self.event(event).await {
                    Ok(next) => next,
                    Err(part) => break part,
                },
                () = self.works.wait_until(due) => (self.relay.late((self.works.now)()), None),
            };
            match next {
                (Next::Nothing | Next::Pass, _) => {}
                (Next::PassLast, _) => break Part::Done,
                (Next::Leave(fault), _) => break Part::Leave(fault),
                (Next::GiveUp(fault), error) => break Part::GiveUp(fault, error),
            }
        };
        drop(speaking);
        part
    }

    async fn event(&mut self, event: Option<VoiceEvent>) -> Result<(Next, Option<VoiceError>), Part> {
        let engine = self.relay.engine();
        match event {
            Some(VoiceEvent::Sound { samples, engine: name, .. }) => {
                let utterance = self.utterance();
                let count = samples.len();
                // The lane may be full: that wait is not the engine's.
                let sound = VoiceEvent::Sound { utterance, samples, engine: name };
                self.sound.send(sound).await.map_err(|_| Part::Unwanted)?;
                let now = (self.works.now)();
                if count == 0 {
                    return Ok((Next::Nothing, None));
                }
                self.handed_on += count;
                let began = *self.began.get_or_insert(now);
                let next = self.relay.said(engine, Said::Piece, now);
                // While the caller has something to hear nobody need be left.
                let lasts = began + time_of(self.handed_on, self.request.rate);
                self.relay.has_time_until(lasts - AHEAD);
                Ok((next, None))
            }
            Some(VoiceEvent::Marks { ends, .. }) => {
                self.marks(ends).await?;
                Ok((Next::Nothing, None))
            }
            // The caller would wait in silence for words that do not come.
            Some(VoiceEvent::Done { .. }) if !self.has_sounded() && has_words(self.text_left()) => {
                Ok(self.failed(engine, VoiceError::Engine("it ended without a sound")))
            }
            Some(VoiceEvent::Done { .. }) => Ok((self.relay.said(engine, Said::Whole, (self.works.now)()), None)),
            Some(VoiceEvent::Failed { error, .. }) => Ok(self.failed(engine, error)),
            Some(VoiceEvent::Left { .. }) => Ok((Next::Nothing, None)),
            None => Ok(self.failed(engine, VoiceError::Engine("it stopped in the middle of a sentence"))),
        }
    }

    fn failed(&mut self, engine: usize, error: VoiceError) -> (Next, Option<VoiceError>) {
        let said = Said::Failed((&error).into());
        (self.relay.said(engine, said, (self.works.now)()), Some(error))
    }

    /// Whether the present voice has made any of it.
    const fn has_sounded(&self) -> bool {
        self.handed_on > self.sound_from
    }

    /// What the present voice is to say.
    fn text_left(&self) -> &str {
        &self.request.text.expose()[self.text_from..]
    }

    /// Ends of words, handed on in the whole sentence's text and time.
    async fn marks(&mut self, ends: Vec<WordEnd>) -> Result<(), Part> {
        let room = MARKS_MAX.saturating_sub(self.ends.len());
        let ends: Vec<WordEnd> = ends.into_iter().take(room).collect();
        if ends.is_empty() {
            return Ok(());
        }
        let later = time_of(self.sound_from, self.request.rate);
        let in_all = |end: &WordEnd| WordEnd {
            text_end: end.text_end.saturating_add(self.text_from),
            at: end.at.saturating_add(later),
        };
        let shifted = ends.iter().map(in_all).collect();
        self.ends.extend(ends);
        let event = VoiceEvent::Marks { utterance: self.utterance(), ends: shifted };
        self.sound.send(event).await.map_err(|_| Part::Unwanted)
    }

    /// The next voice goes on with what has not sounded.
    async fn leave(&mut self, fault: Fault, now: Moment) -> Rest {
        let (from, after) = (self.relay.engine(), self.relay.had_for(now));
        let first = self.relay.next_from(now);
        self.voices.chain.link(from).health.counts(fault, now);
        if fault.weight != Weight::Nothing {
            self.voices.lock().roster.left(from, now);
            self.voices.close(from);
        }
        let sounded = time_of(self.handed_on - self.sound_from, self.request.rate);
        self.text_from += rest_begins(self.text_left(), &self.ends, sounded, self.request.pace);
        self.sound_from = self.handed_on;
        self.ends.clear();
        let Choice { engine, .. } = self.voices.choose(first, now);
        if let Some(why) = fault.why {
            let failover = self.voices.chain.left(self.voices.setting.call, (from, engine), why, after);
            // A call that is gone ends the sentence by itself.
            drop(self.sound.send(VoiceEvent::Left { utterance: self.utterance(), failover }).await);
        }
        if !has_words(self.text_left()) {
            return Rest::None;
        }
        self.relay.taken_over(engine, self.voices.chain.link(engine).limits, now);
        Rest::Some
    }
}

/// Is there anything left to say?
enum Rest {
    Some,
    None,
}

fn has_words(text: &str) -> bool {
    text.contains(char::is_alphanumeric)
}

fn time_of(samples: usize, rate: SampleRate) -> Duration {
    Duration::from_micros(samples as u64 * 1_000_000 / u64::from(rate.hz()))
}

#[cfg(test)]
mod tests {
    use tokio_util::task::TaskTracker;

    use super::super::breaker::BreakerRules;
    use super::super::health::EngineHealth;
    use super::*;
    use crate::ops::MomentSource;

    /// A voice whose usual way breaks, and that nothing is asked of here.
    struct Unsteady;

    impl Synthesizer for Unsteady {
        fn name(&self) -> &'static str {
            "unsteady"
        }

        fn rescued(&self) -> u64 {
            2
        }

        fn disordered(&self) -> u64 {
            3
        }

        fn open(&self, _setting: &CallSetting) -> Box<dyn Voice> {
            Box::new(Self)
        }
    }

    impl Voice for Unsteady {
        fn speak(&self, _request: SpeakRequest, _sound: mpsc::Sender<VoiceEvent>) -> Speaking {
            Speaking::new(CancellationToken::new())
        }
    }

    #[tokio::test]
    async fn a_manager_reads_of_a_voice_that_fails_in_its_usual_way_and_speaks_all_the_same() {
        let health = EngineHealth::new(EngineStage::Voice, "unsteady", BreakerRules::default(), Arc::new(|| 0.0));
        let voice: Arc<dyn Synthesizer> = Arc::new(Unsteady);
        let now: MomentSource = Arc::new(|| Moment::START);
        let works = Works::new(now, TaskTracker::new(), tokio::runtime::Handle::current());
        let chain = VoiceChain::new(Vec::new(), Link::on_the_box(EngineStage::Voice, voice, health), works);
        let sentence = chain.health().remove(0).sentence;
        for part in ["in another way than its usual one: 2.", "came out of their order: 3."] {
            assert!(sentence.contains(part), "{sentence}");
        }
    }
}
