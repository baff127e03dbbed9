//! Minds whose every word the test says itself, and the chain that they stand in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use milu::call::{EngineStage, Failover};
use milu::knowledge::{Finding, Spoken, Topic};
use milu::residency::CallGate;
use milu::speech::failover::{BreakerRules, EngineHealth, Link, MindChain};
use milu::speech::{CallSetting, MindEvent, Responder, Thinking};
use milu::terms::{Private, RequestId};
use tokio::sync::mpsc;

use crate::links::{in_the_cloud, link, setting};
use crate::time::{Time, settle};

/// A mind that notes what it is told, and says what the test says.
#[derive(Default)]
pub struct Puppet {
    told: Mutex<Vec<String>>,
    minds: Mutex<Vec<mpsc::Sender<MindEvent>>>,
}

impl Puppet {
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn note(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    pub async fn says(&self, event: MindEvent) {
        let answers = self.minds.lock().unwrap().last().unwrap().clone();
        answers.send(event).await.unwrap();
        settle().await;
    }
}

pub struct Mind {
    pub name: &'static str,
    pub puppet: Arc<Puppet>,
}

impl Responder for Mind {
    fn name(&self) -> &'static str {
        self.name
    }

    fn open(&self, _setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        self.puppet.note("open".to_owned());
        self.puppet.minds.lock().unwrap().push(answers);
        Box::new(Thinker(Arc::clone(&self.puppet)))
    }
}

struct Thinker(Arc<Puppet>);

impl Thinking for Thinker {
    fn ask(&mut self, request: RequestId, words: &Private<String>, _now: &jiff::ZonedDateTime) {
        self.0.note(format!("ask {} {}", request.0, words.expose()));
    }

    fn caller_speaks(&mut self) {
        self.0.note("caller speaks".to_owned());
    }

    fn ask_topic(&mut self, request: RequestId, _topic: Topic, _now: &jiff::ZonedDateTime) {
        self.0.note(format!("topic {}", request.0));
    }

    fn abandon(&mut self) {
        self.0.note("abandon".to_owned());
    }

    fn said(&mut self, text: &Private<String>) {
        self.0.note(format!("said {}", text.expose()));
    }

    fn overheard(&mut self, words: &Private<String>, _now: &jiff::ZonedDateTime) {
        self.0.note(format!("overheard {}", words.expose()));
    }
}

fn spoken(text: &str) -> Spoken {
    Spoken { text: Private::new(text.to_owned()), entry: None }
}

pub fn found(request: u32, text: &str, engine: &'static str) -> MindEvent {
    MindEvent::Found {
        request: RequestId(request),
        finding: Finding::Answer(spoken(text)),
        engine,
        took: Duration::ZERO,
    }
}

pub fn sentence(request: u32, text: &str) -> MindEvent {
    MindEvent::Sentence {
        request: RequestId(request),
        spoken: spoken(text),
        engine: "cloud-mind",
        took: Duration::ZERO,
    }
}

/// Three minds: in the cloud, on the LAN and on the box.
pub struct Minds {
    pub time: Time,
    pub cloud: Arc<Puppet>,
    pub lan: Arc<Puppet>,
    pub own: Arc<Puppet>,
    pub chain: MindChain,
}

impl Minds {
    pub fn new() -> Self {
        let (time, [cloud, lan, own]) = (Time::new(), [(); 3].map(|()| Arc::new(Puppet::default())));
        let mind =
            |name, puppet: &Arc<Puppet>| -> Arc<dyn Responder> { Arc::new(Mind { name, puppet: Arc::clone(puppet) }) };
        let stage = EngineStage::Mind;
        let better = vec![
            link(stage, "cloud-mind", mind("cloud-mind", &cloud), in_the_cloud()),
            link(stage, "lan-mind", mind("lan-mind", &lan), None),
        ];
        let own_health = EngineHealth::new(stage, "own-mind", BreakerRules::default(), Arc::new(|| 0.0));
        let on_the_box = Link::on_the_box(stage, mind("own-mind", &own), own_health);
        let chain = MindChain::new(better, on_the_box, time.works());
        Self { time, cloud, lan, own, chain }
    }

    pub fn open(&self, gate: &Arc<CallGate>) -> (Box<dyn Thinking>, mpsc::Receiver<MindEvent>) {
        let (answers, heard) = mpsc::channel(16);
        let thinking = self.chain.open(&setting(gate), answers);
        (thinking, heard)
    }
}

pub fn ask(mind: &mut Box<dyn Thinking>, request: u32, words: &str) {
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    mind.ask(RequestId(request), &Private::new(words.to_owned()), &now);
}

pub fn left(event: MindEvent) -> Failover {
    match event {
        MindEvent::Left(failover) => failover,
        other => panic!("{other:?}"),
    }
}
