use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::call::{EngineStage, WhyLeft};
use crate::conversation::ends_a_sentence;
use crate::media::{Frame, SampleRate};
use crate::ops::HealthFact;
use crate::residency::CallGate;
use crate::speech::{AwaitedWords, CallSetting, EarsError, EarsEvent, Hearing, JudgesBy, Transcriber};
use crate::terms::{Moment, RequestId};

use super::breaker::Standing;
use super::drive::{Desk, Driven, Works};
use super::fault::{Fault, Weight};
use super::judging::{Judging, Sentence, Then};
use super::link::{Chain, Link};
use super::relay::{HalfDone, Next, Relay, Said};
use super::roster::{Budget, Choice, Leave, Roster, View};

/// As for any ears.
const ANSWERS: usize = 16;

/// Frames of the present turn that are kept to be told again: half a minute, as
/// long as the window of the box's own ears. Of a longer turn the end is kept.
const KEPT: usize = 1500;

/// A turn begins with so much of the sound before it, as with any ears.
const PRE_ROLL: Duration = Duration::from_millis(300);

/// Ears in an order; the box's own are the last. They hear every turn, so that
/// they can take over within it; their words are wanted only when the others fail,
/// and their judgement where those of the others leave a doubt whether the turn
/// is over.
pub struct EarsChain {
    chain: Arc<Chain<dyn Transcriber>>,
    works: Works,
}

impl EarsChain {
    pub fn new(better: Vec<Link<dyn Transcriber>>, on_the_box: Link<dyn Transcriber>, works: Works) -> Self {
        Self { chain: Arc::new(Chain::new(EngineStage::Ears, better, on_the_box)), works }
    }

    /// How the engines are, for `milu doctor`.
    pub fn health(&self) -> Vec<HealthFact> {
        let mut facts = self.chain.facts((self.works.now)());
        for (n, fact) in facts.iter_mut().enumerate() {
            let disordered = self.chain.link(n).engine.disordered();
            if disordered > 0 {
                fact.sentence.push_str(&format!(" Messages that came out of their order: {disordered}."));
            }
        }
        facts
    }

    /// Whether ears outside the box would hear a call of this gate now: they are
    /// well, and may be sent its sound. A caller who is yet to be asked for consent is
    /// taken to give it.
    pub fn hears_outside(&self, gate: &CallGate) -> bool {
        let views = self.chain.views_through(gate, None, (self.works.now)());
        let by_consent = gate.policy().rests_on_consent();
        let hears = |(engine, view): (usize, &View)| {
            let may_go = view.leave == Leave::Granted || (by_consent && self.chain.link(engine).is_reached(gate));
            may_go && view.standing == Standing::Healthy && view.budget == Budget::Ample
        };
        views.split_last().is_some_and(|(_own, outside)| outside.iter().enumerate().any(hears))
    }
}

impl Transcriber for EarsChain {
    /// The name of those that are asked first.
    fn name(&self) -> &'static str {
        self.chain.link(0).engine.name()
    }

    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        let (senders, receivers) = (0..self.chain.len()).map(|_| mpsc::channel(ANSWERS)).unzip();
        let roster = Roster::new(self.chain.len());
        let mut desk = EarsDesk {
            current: roster.last(),
            roster,
            ears: (0..self.chain.len()).map(|_| None).collect(),
            chain: Arc::clone(&self.chain),
            setting: setting.clone(),
            senders,
            answers,
            rate: None,
            turn: None,
            sound: VecDeque::new(),
            asked: None,
            beside: None,
            judging: Judging::default(),
            probe: None,
        };
        let now = (self.works.now)();
        desk.open_ears(desk.roster.last());
        desk.current = desk.choose(0, now).engine;
        desk.open_ears(desk.current);
        Box::new(CallEars(Driven::start(&self.works, desk, receivers)))
    }
}

impl std::fmt::Debug for EarsChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.chain.fmt(f)
    }
}

/// One call's ears, as the call sees them.
struct CallEars(Driven<EarsDesk>);

impl Hearing for CallEars {
    fn line_answered(&mut self, rate: SampleRate) {
        self.0.at(|desk, _| desk.line_answered(rate));
    }

    fn frame(&mut self, frame: &Frame, at: Moment) {
        self.0.at(|desk, now| desk.frame((frame, None), at, now));
    }

    fn frame_of_narrow(&mut self, narrow: &Frame, wide: &Frame, at: Moment) {
        self.0.at(|desk, now| desk.frame((wide, Some(narrow)), at, now));
    }

    fn turn_began(&mut self, at: Moment) {
        self.0.at(|desk, now| desk.turn_began(at, now));
    }

    fn decode(&mut self, request: RequestId) {
        self.0.at(|desk, now| desk.decode(request, now));
    }

    fn judge(&mut self, request: RequestId) {
        self.0.at(|desk, now| desk.judge(request, desk.judges_by(desk.current), now));
    }

    fn judge_by_melody(&mut self, request: RequestId) {
        self.0.at(|desk, now| {
            let by = match desk.judges_by(desk.current) {
                JudgesBy::Melody | JudgesBy::Punctuation => JudgesBy::Melody,
                JudgesBy::Words => JudgesBy::Words,
            };
            desk.judge(request, by, now);
        });
    }

    fn abandon(&mut self) {
        self.0.at(|desk, _| desk.abandon());
    }
}

/// The turn under way.
#[derive(Clone, Copy)]
struct Turn {
    began: Moment,
    /// The newest sound when it was told.
    told: Moment,
}

/// Ears that hear a turn beside those that are well, and whose words are not used.
struct Probe {
    engine: usize,
    begun: Moment,
    asked: Option<(RequestId, Moment)>,
}

/// What the box's own ears are asked for beside others that take long: should those
/// be left, the words are there already. Nobody's words but those of who is asked
/// count until then.
struct Beside {
    request: RequestId,
    /// None once they are asked.
    ask_at: Option<Moment>,
    heard: Option<EarsEvent>,
}

struct EarsDesk {
    chain: Arc<Chain<dyn Transcriber>>,
    setting: CallSetting,
    roster: Roster,
    ears: Vec<Option<Box<dyn Hearing>>>,
    senders: Vec<mpsc::Sender<EarsEvent>>,
    answers: mpsc::Sender<EarsEvent>,
    rate: Option<SampleRate>,
    /// Whose words count.
    current: usize,
    turn: Option<Turn>,
    sound: VecDeque<(Frame, Moment)>,
    asked: Option<(RequestId, Relay)>,
    beside: Option<Beside>,
    judging: Judging,
    probe: Option<Probe>,
}

impl EarsDesk {
    fn choose(&self, from: usize, now: Moment) -> Choice {
        self.roster.choose(&self.chain.views(&self.setting, now), from, now)
    }

    fn open_ears(&mut self, engine: usize) -> &mut dyn Hearing {
        let (chain, setting, rate) = (&self.chain, &self.setting, self.rate);
        let sender = &self.senders[engine];
        let opened = self.ears[engine].get_or_insert_with(|| {
            let mut hearing = chain.link(engine).engine.open(setting, sender.clone());
            if let Some(rate) = rate {
                hearing.line_answered(rate);
            }
            hearing
        });
        opened.as_mut()
    }

    /// Opened if they were not, and told the turn so far. The box's own have
    /// heard it already.
    fn catch_up(&mut self, engine: usize) {
        self.open_ears(engine);
        if engine == self.roster.last() {
            return;
        }
        let (turn, sound) = (self.turn, &self.sound);
        let Some(hearing) = &mut self.ears[engine] else { return };
        let from = turn.map_or(Moment::START, |turn| turn.began - PRE_ROLL);
        let mut untold = turn;
        for (frame, at) in sound.iter().filter(|(_, at)| *at >= from) {
            if let Some(turn) = untold.take_if(|turn| *at > turn.told) {
                hearing.turn_began(turn.began);
            }
            hearing.frame(frame, *at);
        }
        if let Some(turn) = untold {
            hearing.turn_began(turn.began);
        }
    }

    /// Everyone who hears: those whose words count, the box's own, a probe.
    fn listeners(&self) -> impl Iterator<Item = usize> + use<> {
        let (current, last) = (self.current, self.roster.last());
        let probe = self.probe.as_ref().map(|probe| probe.engine);
        [Some(current), Some(last).filter(|last| *last != current), probe].into_iter().flatten()
    }

    fn line_answered(&mut self, rate: SampleRate) {
        self.rate = Some(rate);
        for hearing in self.ears.iter_mut().flatten() {
            hearing.line_answered(rate);
        }
    }

    /// The frame, and what it was made of on a narrow line. The wide one is kept, for
    /// whoever takes over: twice the memory would spare a few seconds their filter.
    fn frame(&mut self, (frame, narrow): (&Frame, Option<&Frame>), at: Moment, now: Moment) {
        // Not one more frame may go where the caller does not want it.
        self.heed_wishes(now);
        if self.sound.len() == KEPT {
            self.sound.pop_front();
        }
        self.sound.push_back((*frame, at));
        for engine in self.listeners() {
            match (&mut self.ears[engine], narrow) {
                (Some(hearing), Some(narrow)) => hearing.frame_of_narrow(narrow, frame, at),
                (Some(hearing), None) => hearing.frame(frame, at),
                (None, _) => {}
            }
        }
    }

    /// Ears that may get no more of this caller are left at once, their connection
    /// is closed, and the next ones hear the turn from its beginning.
    fn heed_wishes(&mut self, now: Moment) {
        let (chain, gate) = (Arc::clone(&self.chain), Arc::clone(&self.setting.gate));
        if let Some(probe) = self.probe.take_if(|probe| !chain.link(probe.engine).may_go(&gate)) {
            self.ears[probe.engine] = None;
        }
        let left = self.current;
        if chain.link(left).may_go(&gate) {
            return;
        }
        let Choice { engine, .. } = self.choose(0, now);
        self.abandon_current();
        self.ears[left] = None;
        self.change_to(engine);
        let taken_over = self.asked.as_mut().filter(|(_, relay)| relay.engine() == left && !relay.is_over());
        if let Some((request, relay)) = taken_over {
            relay.taken_over(engine, chain.link(engine).limits, now);
            let request = *request;
            self.give(engine, request, now);
        }
    }

    fn turn_began(&mut self, at: Moment, now: Moment) {
        // With a new turn the box's own ears forget the one before: they are asked for it now.
        if let Some(ask_at) = self.beside.as_mut().and_then(|beside| beside.ask_at.as_mut()) {
            *ask_at = now.min(*ask_at);
        }
        self.ask_beside(now);
        for engine in self.listeners() {
            if let Some(hearing) = &mut self.ears[engine] {
                hearing.turn_began(at);
            }
        }
        self.judging.stop();
        let told = self.sound.back().map_or(at, |(_, newest)| *newest);
        self.turn = Some(Turn { began: at, told });
        let from = at - PRE_ROLL;
        self.sound.retain(|(_, heard)| *heard >= from);
        // Words of the turn before may still be on their way.
        if self.asked.as_ref().is_some_and(|(_, relay)| !relay.is_over()) {
            return;
        }
        let Choice { engine, probe } = self.choose(0, now);
        self.change_to(engine);
        let idle = self.probe.is_none();
        if let Some(tried) = probe.filter(|tried| idle && self.chain.link(*tried).health.begin_probe(now)) {
            // A connection that is known to be bad is not tried: a new one is.
            self.ears[tried] = None;
            self.catch_up(tried);
            self.probe = Some(Probe { engine: tried, begun: now, asked: None });
        }
    }

    fn change_to(&mut self, engine: usize) {
        if engine != self.current {
            self.probe.take_if(|probe| probe.engine == engine);
            self.current = engine;
            self.catch_up(engine);
            let then = self.judging.left();
            self.go_on_judging(then);
        }
    }

    fn decode(&mut self, request: RequestId, now: Moment) {
        // The caller may have objected since the turn began.
        let views = self.chain.views(&self.setting, now);
        if !self.roster.keeps(&views, self.current) {
            let Choice { engine, .. } = self.roster.choose(&views, 0, now);
            self.abandon_current();
            self.change_to(engine);
        }
        let (engine, last) = (self.current, self.roster.last());
        let limits = self.chain.link(engine).limits;
        let relay = Relay::new(EngineStage::Ears, HalfDone::EndsThere, (engine, last), limits, now);
        self.asked = Some((request, relay));
        // A decode on the box takes some half a second, and so does what is left then.
        self.beside = (engine != last).then(|| Beside { request, ask_at: Some(now + limits.first / 2), heard: None });
        self.open_ears(engine).decode(request);
        if let Some(Probe { engine: tried, begun, .. }) = self.probe {
            let due = now + self.chain.link(tried).limits.first;
            self.open_ears(tried).decode(request);
            self.probe = Some(Probe { engine: tried, begun, asked: Some((request, due)) });
        }
    }

    fn judges_by(&self, engine: usize) -> JudgesBy {
        if engine == self.roster.last() { JudgesBy::Melody } else { self.chain.link(engine).engine.judges_by() }
    }

    fn judge(&mut self, request: RequestId, by: JudgesBy, now: Moment) {
        let then = self.judging.ask(request, by, now);
        if by != JudgesBy::Melody {
            self.open_ears(self.current).judge(request);
        }
        self.go_on_judging(then);
    }

    fn go_on_judging(&mut self, then: Then) {
        match then {
            Then::Nothing => {}
            Then::AskTheBox(request) => self.open_ears(self.roster.last()).judge(request),
            Then::Tell(request, probability) => self.tell(EarsEvent::TurnOver { request, probability }),
        }
    }

    /// A pause was judged. A later word takes the place of an earlier one, but
    /// never that of who knows the melody the place of who knows the words. Ears whose
    /// words are punctuated say so of a sentence that has ended, and of a long silence.
    fn judged(&mut self, engine: usize, request: RequestId, event: EarsEvent) {
        if engine == self.current && self.judges_by(engine) != JudgesBy::Melody {
            self.judging.told_by_words(request);
            self.tell(event);
        } else if engine == self.roster.last() && self.judging.takes_melody(request) {
            self.tell(event);
        }
    }

    /// The words of a pause may say whether the turn is over.
    fn heard(&mut self, engine: usize, request: RequestId, sentence: Sentence) {
        if self.judges_by(engine) == JudgesBy::Punctuation {
            let then = self.judging.heard(request, sentence);
            self.go_on_judging(then);
        }
    }

    fn abandon_current(&mut self) {
        if let Some(hearing) = &mut self.ears[self.current] {
            hearing.abandon();
        }
    }

    fn abandon(&mut self) {
        self.asked = None;
        self.beside = None;
        self.judging.stop();
        for engine in self.listeners() {
            if let Some(hearing) = &mut self.ears[engine] {
                hearing.abandon();
            }
        }
        if let Some(probe) = &mut self.probe {
            probe.asked = None;
        }
    }

    fn tell(&self, event: EarsEvent) {
        // A call that does not take its answers is over or stuck.
        if self.answers.try_send(event).is_err() {
            tracing::debug!("an answer of the ears was not taken");
        }
    }

    /// What a probe's ears say counts for their health alone. True if it was that.
    fn probed(&mut self, engine: usize, event: &EarsEvent, now: Moment) -> bool {
        let Some(probe) = self.probe.as_ref().filter(|probe| probe.engine == engine) else { return false };
        let Probe { begun, asked: Some((asked, _)), .. } = *probe else { return true };
        let Link { engine: ears, health, .. } = self.chain.link(engine);
        match event {
            EarsEvent::Heard(heard) if heard.request == asked && heard.engine == ears.name() => health.succeeded(now),
            // Found out on the box: its server has heard nothing.
            EarsEvent::Heard(heard) if heard.request == asked => health.take_back_probe(begun, now),
            EarsEvent::Failed { request, error } if *request == asked => {
                health.failed(error.into(), now);
                self.ears[engine] = None;
            }
            _ => return true,
        }
        self.probe = None;
        true
    }

    fn follow(&mut self, next: Next, event: Option<EarsEvent>, now: Moment) {
        let Some((request, relay)) = self.asked else { return };
        match next {
            Next::Nothing => {}
            Next::Pass | Next::PassLast => {
                let Link { engine: ears, health, .. } = self.chain.link(relay.engine());
                if !matches!(&event, Some(EarsEvent::Heard(heard)) if heard.engine != ears.name()) {
                    health.succeeded(now);
                }
                event.into_iter().for_each(|event| self.tell(event));
            }
            Next::Leave(fault) => self.leave(fault, now),
            Next::GiveUp(fault) => {
                self.chain.link(relay.engine()).health.failed(fault, now);
                let error = match event {
                    Some(EarsEvent::Failed { error, .. }) => error,
                    _ => EarsError::Stalled { waiting_for: AwaitedWords::Words, within: relay.had_for(now) },
                };
                self.abandon_current();
                self.tell(EarsEvent::Failed { request, error });
            }
        }
    }

    /// The next ears get the sound of the turn, and the request.
    fn leave(&mut self, fault: Fault, now: Moment) {
        let Some((request, relay)) = self.asked else { return };
        let (from, after) = (relay.engine(), relay.had_for(now));
        self.chain.link(from).health.counts(fault, now);
        if fault.weight != Weight::Nothing {
            self.roster.left(from, now);
        }
        let Choice { engine, .. } = self.choose(relay.next_from(now), now);
        if let Some(why) = fault.why {
            let failover = self.chain.left(self.setting.call, (from, engine), why, after);
            self.tell(EarsEvent::Left(failover));
        }
        // Dropped, its connection is closed; a probe opens a new one.
        self.abandon_current();
        self.ears[from] = None;
        self.change_to(engine);
        let limits = self.chain.link(engine).limits;
        if let Some((_, relay)) = &mut self.asked {
            relay.taken_over(engine, limits, now);
        }
        self.give(engine, request, now);
    }

    /// The request goes to ears that take over.
    fn give(&mut self, engine: usize, request: RequestId, now: Moment) {
        match self.beside.take_if(|_| engine == self.roster.last()) {
            Some(Beside { heard: Some(heard), .. }) => self.answered(engine, heard, now),
            // They are at it.
            Some(Beside { ask_at: None, .. }) => {}
            Some(_) | None => self.open_ears(engine).decode(request),
        }
    }

    /// The words of the box's own ears are kept while others are waited for. If they
    /// fail they are asked again when they are needed.
    fn keep_beside(&mut self, engine: usize, event: &EarsEvent) {
        let Some(beside) = self.beside.as_mut().filter(|_| engine == self.roster.last()) else { return };
        match event {
            EarsEvent::Heard(heard) if heard.request == beside.request => beside.heard = Some(event.clone()),
            EarsEvent::Failed { request, .. } if *request == beside.request => self.beside = None,
            _ => {}
        }
    }

    fn ask_beside(&mut self, now: Moment) {
        let waits = self.asked.as_ref().is_some_and(|(_, relay)| !relay.is_over());
        let Some(beside) = self.beside.as_mut().filter(|_| waits) else { return };
        if beside.ask_at.take_if(|at| *at <= now).is_some() {
            let request = beside.request;
            self.open_ears(self.roster.last()).decode(request);
        }
    }
}

impl Desk for EarsDesk {
    type Event = EarsEvent;

    fn answered(&mut self, engine: usize, event: EarsEvent, now: Moment) {
        if self.probed(engine, &event, now) {
            return;
        }
        self.keep_beside(engine, &event);
        let (request, said) = match &event {
            EarsEvent::TurnOver { request, .. } => return self.judged(engine, *request, event),
            EarsEvent::Heard(heard) => (heard.request, Said::Whole),
            EarsEvent::Failed { request, error } => (*request, Said::Failed(error.into())),
            EarsEvent::WordsBegan { .. } | EarsEvent::WordsEnded { .. } if engine == self.current => {
                return self.tell(event);
            }
            EarsEvent::WordsBegan { .. } | EarsEvent::WordsEnded { .. } | EarsEvent::Left(_) => return,
        };
        let Some((_, relay)) = self.asked.as_mut().filter(|(asked, _)| *asked == request) else { return };
        let next = relay.said(engine, said, now);
        let sentence = match &event {
            EarsEvent::Heard(heard) if next == Next::PassLast => {
                Some(if ends_a_sentence(heard.words.expose()) { Sentence::Ended } else { Sentence::Open })
            }
            _ => None,
        };
        self.follow(next, Some(event), now);
        if let Some(sentence) = sentence {
            self.heard(engine, request, sentence);
        }
    }

    fn due(&self) -> Option<Moment> {
        let asked = self.asked.as_ref().and_then(|(_, relay)| relay.due());
        let probed = self.probe.as_ref().and_then(|probe| probe.asked).map(|(_, due)| due);
        let beside = self.beside.as_ref().and_then(|beside| beside.ask_at).filter(|_| asked.is_some());
        asked.into_iter().chain(probed).chain(beside).chain(self.judging.due()).min()
    }

    fn late(&mut self, now: Moment) {
        if let Some(probe) = self.probe.take_if(|probe| probe.asked.is_some_and(|(_, due)| due <= now)) {
            self.chain.link(probe.engine).health.failed(Fault::late(WhyLeft::WordsDeadline), now);
            self.ears[probe.engine] = None;
        }
        let then = self.judging.late(now);
        self.go_on_judging(then);
        self.ask_beside(now);
        let Some((_, relay)) = &mut self.asked else { return };
        let next = relay.late(now);
        self.follow(next, None, now);
    }
}
