use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::call::{EngineStage, WhyLeft};
use crate::knowledge::{Finding, Spoken, Topic};
use crate::ops::{HealthFact, HealthState};
use crate::speech::cloud::mind::left_unsaid;
use crate::speech::{CallSetting, MindError, MindEvent, Responder, Thinking, Waited};
use crate::terms::{Moment, Private, RequestId};

use super::drive::{Desk, Driven, Works};
use super::fault::{Fault, Weight};
use super::link::{Chain, Link};
use super::relay::{HalfDone, Next, Relay, Said};
use super::roster::{Choice, Roster};

/// As for any mind.
const ANSWERS: usize = 16;

/// What a mind that is opened late is told of the conversation: the last things
/// said, which is more than a telephone call remembers of itself.
const REMEMBERED: usize = 64;

/// Bytes of one answer that are remembered while it comes: twice what a mind says.
const SAID_MAX: usize = 2400;

/// Minds in an order; the box's own is the last.
pub struct MindChain {
    chain: Arc<Chain<dyn Responder>>,
    works: Works,
}

impl MindChain {
    pub fn new(better: Vec<Link<dyn Responder>>, on_the_box: Link<dyn Responder>, works: Works) -> Self {
        Self { chain: Arc::new(Chain::new(EngineStage::Mind, better, on_the_box)), works }
    }

    /// How the engines are, for `milu doctor`.
    pub fn health(&self) -> Vec<HealthFact> {
        let mut facts = self.chain.facts((self.works.now)());
        for (n, fact) in facts.iter_mut().enumerate() {
            if let Some(amiss) = self.chain.link(n).engine.amiss() {
                (fact.state, fact.sentence) = (HealthState::Failed, amiss);
            }
        }
        facts
    }
}

impl Responder for MindChain {
    /// The name of the one that is asked first.
    fn name(&self) -> &'static str {
        self.chain.link(0).engine.name()
    }

    fn open(&self, setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        let (senders, receivers) = (0..self.chain.len()).map(|_| mpsc::channel(ANSWERS)).unzip();
        let mut desk = MindDesk {
            roster: Roster::new(self.chain.len()),
            minds: (0..self.chain.len()).map(|_| None).collect(),
            chain: Arc::clone(&self.chain),
            setting: setting.clone(),
            senders,
            answers,
            asked: None,
            probe: None,
            unshared: None,
            conversation: VecDeque::new(),
        };
        // The one that will be asked gets warm while the telephone rings.
        let now = (self.works.now)();
        let Choice { engine, .. } = desk.choose(0, now);
        desk.mind(engine);
        desk.mind(desk.roster.last());
        Box::new(CallMind(Driven::start(&self.works, desk, receivers)))
    }
}

impl std::fmt::Debug for MindChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.chain.fmt(f)
    }
}

/// One call's minds, as the call sees them.
struct CallMind(Driven<MindDesk>);

impl Thinking for CallMind {
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime) {
        let question = Question { request, words: words.clone(), at: now.clone() };
        self.0.at(|desk, now| desk.ask(question, now));
    }

    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &jiff::ZonedDateTime) {
        let local = now.clone();
        self.0.at(|desk, now| desk.ask_topic(request, topic, &local, now));
    }

    fn caller_speaks(&mut self) {
        self.0.at(MindDesk::caller_speaks);
    }

    fn abandon(&mut self) {
        self.0.at(|desk, _| desk.abandon());
    }

    fn said(&mut self, text: &Private<String>) {
        self.0.at(|desk, _| desk.said(text));
    }

    fn overheard(&mut self, words: &Private<String>, now: &jiff::ZonedDateTime) {
        self.0.at(|desk, _| desk.overheard(words, now, &[]));
    }
}

#[derive(Clone)]
struct Question {
    request: RequestId,
    words: Private<String>,
    at: jiff::ZonedDateTime,
}

/// A question that is with a mind.
struct Asked {
    relay: Relay,
    request: RequestId,
    /// None for a key of the menu, which the box answers itself.
    question: Option<Question>,
    /// What was said of the answer so far.
    said: String,
    /// Why another mind broke off in the middle of its answer, which the box's own
    /// is to end.
    broke_off: Option<MindError>,
}

impl Asked {
    /// A sentence was handed on.
    fn was_said(&mut self, sentence: &str) {
        if self.said.len() + sentence.len() < SAID_MAX {
            self.said.push_str(sentence);
            self.said.push(' ');
        }
    }
}

/// A question that is with a mind whose answer is not used.
struct Probe {
    engine: usize,
    request: RequestId,
    begun: Moment,
    due: Moment,
    /// However long it shows that it is at work.
    until: Moment,
}

enum Turn {
    Caller(Private<String>, jiff::ZonedDateTime),
    Box(Private<String>),
}

struct MindDesk {
    chain: Arc<Chain<dyn Responder>>,
    setting: CallSetting,
    roster: Roster,
    minds: Vec<Option<Box<dyn Thinking>>>,
    senders: Vec<mpsc::Sender<MindEvent>>,
    answers: mpsc::Sender<MindEvent>,
    asked: Option<Asked>,
    probe: Option<Probe>,
    /// The question that was answered last and by whom, until the others know of it.
    unshared: Option<(usize, Question)>,
    conversation: VecDeque<Turn>,
}

impl MindDesk {
    fn choose(&self, from: usize, now: Moment) -> Choice {
        self.roster.choose(&self.chain.views(&self.setting, now), from, now)
    }

    /// The mind, opened if it was not, with the conversation so far.
    fn mind(&mut self, engine: usize) -> &mut dyn Thinking {
        let (chain, setting, conversation) = (&self.chain, &self.setting, &self.conversation);
        let sender = &self.senders[engine];
        let opened = self.minds[engine].get_or_insert_with(|| {
            let mut mind = chain.link(engine).engine.open(setting, sender.clone());
            for turn in conversation {
                match turn {
                    Turn::Caller(words, at) => mind.overheard(words, at),
                    Turn::Box(text) => mind.said(text),
                }
            }
            mind
        });
        opened.as_mut()
    }

    fn ask(&mut self, question: Question, now: Moment) {
        self.share();
        self.drop_question();
        let Choice { engine, probe } = self.choose(0, now);
        let limits = self.chain.link(engine).limits;
        let relay = Relay::new(EngineStage::Mind, HalfDone::TheBoxEndsIt, (engine, self.roster.last()), limits, now);
        self.mind(engine).ask(question.request, &question.words, &question.at);
        if let Some(tried) = probe.filter(|tried| self.chain.link(*tried).health.begin_probe(now)) {
            let limits = self.chain.link(tried).limits;
            let (due, until) = (now + limits.first, now + limits.at_work);
            self.mind(tried).ask(question.request, &question.words, &question.at);
            self.probe = Some(Probe { engine: tried, request: question.request, begun: now, due, until });
        }
        let request = question.request;
        self.asked = Some(Asked { relay, request, question: Some(question), said: String::new(), broke_off: None });
    }

    /// Who would be asked gets ready, and so does who would be tried beside: a connection
    /// over a far uplink takes longer than the answer over one that is open.
    fn caller_speaks(&mut self, now: Moment) {
        let Choice { engine, probe } = self.choose(0, now);
        for engine in [Some(engine), probe].into_iter().flatten() {
            self.mind(engine).caller_speaks();
        }
    }

    fn ask_topic(&mut self, request: RequestId, topic: Topic, local: &jiff::ZonedDateTime, now: Moment) {
        self.share();
        self.drop_question();
        let last = self.roster.last();
        let limits = self.chain.link(last).limits;
        let relay = Relay::new(EngineStage::Mind, HalfDone::EndsThere, (last, last), limits, now);
        self.mind(last).ask_topic(request, topic, local);
        self.asked = Some(Asked { relay, request, question: None, said: String::new(), broke_off: None });
    }

    fn drop_question(&mut self) {
        if let Some(asked) = self.asked.take()
            && !asked.relay.is_over()
        {
            self.mind(asked.relay.engine()).abandon();
        }
        if let Some(probe) = self.probe.take() {
            self.mind(probe.engine).abandon();
        }
    }

    fn abandon(&mut self) {
        let engine = self.asked.as_ref().map(|asked| asked.relay.engine());
        // Whoever answered must know it too, when all of the answer has come.
        if let Some(engine) = engine {
            self.mind(engine).abandon();
        }
        self.asked = None;
        // Nothing of it was said, or it would be shared by now.
        self.unshared = None;
        if let Some(probe) = self.probe.take() {
            self.mind(probe.engine).abandon();
        }
    }

    fn said(&mut self, text: &Private<String>) {
        self.share();
        self.remember(Turn::Box(text.clone()));
        for mind in self.minds.iter_mut().flatten() {
            mind.said(text);
        }
    }

    /// Tells the others of a question that one of them has begun to answer. Who is tried
    /// with it was asked it too, and would give it up: that would be no failure of its own.
    fn share(&mut self) {
        if let Some((engine, question)) = self.unshared.take() {
            let tried = self.probe.as_ref().map_or(engine, |probe| probe.engine);
            self.overheard(&question.words, &question.at, &[engine, tried]);
        }
    }

    /// Tells a question to all minds but those that know it.
    fn overheard(&mut self, words: &Private<String>, at: &jiff::ZonedDateTime, who_know: &[usize]) {
        self.remember(Turn::Caller(words.clone(), at.clone()));
        for (engine, mind) in self.minds.iter_mut().enumerate() {
            if let Some(mind) = mind.as_mut().filter(|_| !who_know.contains(&engine)) {
                mind.overheard(words, at);
            }
        }
    }

    fn remember(&mut self, turn: Turn) {
        if self.conversation.len() == REMEMBERED {
            self.conversation.pop_front();
        }
        self.conversation.push_back(turn);
    }

    /// What the probe's engine says counts for its health alone. True if it was that.
    fn probed(&mut self, engine: usize, event: &MindEvent, now: Moment) -> bool {
        let Some(probe) = self.probe.as_mut().filter(|probe| probe.engine == engine) else { return false };
        let Link { engine: mind, health, limits, .. } = self.chain.link(engine);
        match event {
            MindEvent::Alive { request } if *request == probe.request => {
                probe.due = probe.due.max(now + limits.gap).min(probe.until);
                return true;
            }
            // Settled on the box, or lost there: its provider was not tried.
            MindEvent::Found { request, .. } | MindEvent::Failed { request, .. }
                if *request == probe.request && !is_work_of(event, mind.name()) =>
            {
                health.take_back_probe(probe.begun, now);
            }
            MindEvent::Found { request, .. }
            | MindEvent::Sentence { request, .. }
            | MindEvent::Over { request, .. }
                if *request == probe.request =>
            {
                health.succeeded(now);
            }
            MindEvent::Failed { request, error } if *request == probe.request => health.failed(error.into(), now),
            _ => return true,
        }
        self.probe = None;
        self.mind(engine).abandon();
        true
    }

    fn tell(&self, event: MindEvent) {
        // A call takes its answers at once; a closed channel is a call that ended.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.answers.try_send(event) {
            tracing::error!("a call does not take its answers; one is lost");
        }
    }

    fn follow(&mut self, next: Next, event: Option<MindEvent>, now: Moment) {
        let Some(asked) = &self.asked else { return };
        let engine = asked.relay.engine();
        match next {
            Next::Nothing => {}
            Next::Pass | Next::PassLast => {
                let broke_off = asked.broke_off.clone();
                // Of an answer that the box's own ends, the others know.
                if let Some(question) = asked.question.as_ref().filter(|_| broke_off.is_none()) {
                    self.unshared.get_or_insert_with(|| (engine, question.clone()));
                }
                let Link { engine: mind, health, .. } = self.chain.link(engine);
                if next == Next::PassLast && event.as_ref().is_none_or(|event| is_work_of(event, mind.name())) {
                    health.succeeded(now);
                }
                match (event, broke_off) {
                    (Some(event), Some(error)) => self.end_with(event, error),
                    (Some(event), None) => self.tell(event),
                    (None, _) => {}
                }
            }
            Next::Leave(fault) => {
                let error = why_failed(event, &asked.relay, now);
                self.leave(fault, error, now);
            }
            Next::GiveUp(fault) => {
                let request = asked.request;
                self.chain.link(engine).health.failed(fault, now);
                let error = why_failed(event, &asked.relay, now);
                if engine != self.roster.last() {
                    self.roster.left(engine, now);
                }
                self.mind(engine).abandon();
                self.tell(MindEvent::Failed { request, error });
            }
        }
    }

    /// The box's own mind says what it knows where another's answer broke off: what
    /// the other has not said of its own answer, and nothing that is no answer.
    fn end_with(&self, event: MindEvent, error: MindError) {
        match event {
            MindEvent::Found { request, finding: Finding::Answer(own), engine, took } => {
                let said = self.asked.as_ref().map_or("", |asked| asked.said.as_str());
                if let Some(left) = left_unsaid(own.text.expose(), said) {
                    let spoken = Spoken { text: Private::new(left), entry: own.entry };
                    self.tell(MindEvent::Sentence { request, spoken, engine, took });
                }
                self.tell(MindEvent::Over { request, then: None });
            }
            MindEvent::Found { request, .. } => self.tell(MindEvent::Failed { request, error }),
            other => self.tell(other),
        }
    }

    /// The next mind gets the question; what was said before it knows already.
    fn leave(&mut self, fault: Fault, error: MindError, now: Moment) {
        let Some(Asked { relay, question: Some(question), .. }) = &self.asked else { return };
        let (from, after, question) = (relay.engine(), relay.had_for(now), question.clone());
        let (first, is_half_done) = (relay.next_from(now), relay.any_begun());
        self.chain.link(from).health.counts(fault, now);
        if fault.weight != Weight::Nothing {
            self.roster.left(from, now);
        }
        let Choice { engine, .. } = self.choose(first, now);
        if let Some(why) = fault.why {
            let failover = self.chain.left(self.setting.call, (from, engine), why, after);
            self.tell(MindEvent::Left(failover));
        }
        if let Some((_, begun)) = self.unshared.take_if(|_| is_half_done) {
            let tried = self.probe.as_ref().map_or(from, |probe| probe.engine);
            self.overheard(&begun.words, &begun.at, &[from, engine, tried]);
        }
        self.mind(from).abandon();
        let limits = self.chain.link(engine).limits;
        if let Some(asked) = &mut self.asked {
            asked.relay.taken_over(engine, limits, now);
            asked.broke_off = is_half_done.then_some(error);
        }
        self.mind(engine).ask(question.request, &question.words, &question.at);
    }
}

/// What an event says of the work, and the request that it is of.
fn said(event: &MindEvent) -> Option<(RequestId, Said)> {
    match event {
        MindEvent::Found { request, .. } | MindEvent::Over { request, .. } => Some((*request, Said::Whole)),
        MindEvent::Sentence { request, .. } => Some((*request, Said::Piece)),
        MindEvent::Failed { request, error } => Some((*request, Said::Failed(error.into()))),
        // A sign of life is no part of an answer, and a chain within a chain is nobody's.
        MindEvent::Alive { .. } | MindEvent::Left(_) => None,
    }
}

/// Whether the engine of that name did it. A mind that settles a question on the box
/// says so with another name, and nothing is known of a provider that never saw it; nor
/// is it where the box was too slow to settle it.
fn is_work_of(event: &MindEvent, name: &str) -> bool {
    match event {
        MindEvent::Found { engine, .. } => *engine == name,
        MindEvent::Failed { error, .. } => *error != MindError::BoxBusy,
        _ => true,
    }
}

fn why_failed(event: Option<MindEvent>, relay: &Relay, now: Moment) -> MindError {
    match event {
        Some(MindEvent::Failed { error, .. }) => error,
        _ => MindError::TooLate(Waited::NextToken, relay.had_for(now)),
    }
}

impl Desk for MindDesk {
    type Event = MindEvent;

    fn answered(&mut self, engine: usize, event: MindEvent, now: Moment) {
        if self.probed(engine, &event, now) {
            return;
        }
        if let (MindEvent::Alive { request }, Some(asked)) = (&event, &mut self.asked)
            && asked.request == *request
        {
            asked.relay.alive(engine, now);
        }
        let name = self.chain.link(engine).engine.name();
        let Some((request, said)) = said(&event) else { return };
        let Some(asked) = self.asked.as_mut().filter(|asked| asked.request == request) else { return };
        // An answer that is over before anything was said is what is to be done,
        // or is none.
        let (event, said) = match event {
            MindEvent::Over { then, .. } if !asked.relay.any_begun() => match then {
                Some(finding) => (found(request, finding, name, asked.relay.had_for(now)), said),
                None => {
                    let error = MindError::Broken("the answer is empty");
                    let fault = Fault::from(&error);
                    (MindEvent::Failed { request, error }, Said::Failed(fault))
                }
            },
            other => (other, said),
        };
        let next = asked.relay.said(engine, said, now);
        if let (Next::Pass, MindEvent::Sentence { spoken, .. }) = (next, &event) {
            asked.was_said(spoken.text.expose());
        }
        self.follow(next, Some(event), now);
    }

    fn due(&self) -> Option<Moment> {
        let asked = self.asked.as_ref().and_then(|asked| asked.relay.due());
        asked.into_iter().chain(self.probe.as_ref().map(|probe| probe.due)).min()
    }

    fn late(&mut self, now: Moment) {
        if let Some(probe) = self.probe.take_if(|probe| probe.due <= now) {
            self.chain.link(probe.engine).health.failed(Fault::late(WhyLeft::FirstTokenDeadline), now);
            self.mind(probe.engine).abandon();
        }
        let Some(asked) = &mut self.asked else { return };
        let next = asked.relay.late(now);
        self.follow(next, None, now);
    }
}

fn found(request: RequestId, finding: Finding, engine: &'static str, took: std::time::Duration) -> MindEvent {
    MindEvent::Found { request, finding, engine, took }
}
