//! The near side: a call whose mind is a model behind a real door, and what it heard of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::civil::datetime;
use jiff::tz::TimeZone;
use milu::call::{EngineStage, Texts};
use milu::egress::{Door, DoorConfig, Resolver, Roots};
use milu::knowledge::facts::FactKind;
use milu::knowledge::{KnowledgeBase, KnowledgeIndex};
use milu::ops::SystemClock;
use milu::residency::{
    CallGate, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row, Safeguards, Transfer, Verdict,
};
use milu::speech::cloud::anthropic::AnthropicConfig;
use milu::speech::cloud::mind::{BoxTools, CloudMind, Deadlines, Dialect, Knows, MindParts, TokensUsed, Witness};
use milu::speech::cloud::openai::OpenAiConfig;
use milu::speech::failover::{self, BreakerRules, EngineHealth, Link, MindChain, Works};
use milu::speech::{CallSetting, Hints, MindError, MindEvent, Responder, Thinking};
use milu::terms::{CallId, Private, RequestId};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

use crate::by_words::ByWords;
use crate::far::{Authority, Far};
use crate::provider::{Answer, Heard, Provider};

/// How long a test waits for what must come: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Deadlines that only a dead provider misses.
pub const PATIENT: Deadlines =
    Deadlines { connect: PATIENCE, first_token: PATIENCE, first_word: PATIENCE, gap: PATIENCE, whole: PATIENCE };

/// Deadlines that a provider who is silent misses soon.
pub const SOON: Duration = Duration::from_millis(250);

#[derive(Default)]
pub struct Notes {
    pub used: Mutex<Vec<TokensUsed>>,
    pub held_back: Mutex<Vec<FactKind>>,
}

impl Witness for Notes {
    fn used(&self, _call: Option<CallId>, _model: &str, used: &TokensUsed) {
        self.used.lock().unwrap().push(used.clone());
    }

    fn held_back(&self, _call: Option<CallId>, kind: FactKind) {
        self.held_back.lock().unwrap().push(kind);
    }
}

/// Takes long numbers out: a date and a price are nobody's.
pub struct NoNumbers;

impl Redact for NoNumbers {
    fn redact(&self, text: &str) -> String {
        let is_long = |run: &&str| run.len() >= 7;
        text.split(|c: char| !c.is_ascii_digit())
            .filter(is_long)
            .fold(text.to_owned(), |text, run| text.replace(run, ""))
    }
}

pub fn destination(host: Host, region: Option<&str>, on_site: bool) -> Destination {
    Destination {
        id: DestinationId::parse("model").unwrap(),
        operator: "Model Ltd".to_owned(),
        hosts: vec![host],
        country: "US".to_owned(),
        on_site,
        contract: Some(milu::residency::Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
        safeguards: Safeguards { inference_region: region.map(str::to_owned), ..Safeguards::default() },
        pins: Vec::new(),
    }
}

/// A table in which the caller's words may go as `transcript` says, and the rest as it is.
pub fn policy(destination: Destination, transcript: Verdict) -> Arc<Policy> {
    let row = |class, verdict| Row {
        id: format!("row-{}", DataClass::name(class)),
        class,
        destination: destination.id.clone(),
        ground: Ground::Contract,
        verdict,
    };
    let rows = vec![
        row(DataClass::Transcript, transcript),
        row(DataClass::Reply, Verdict::Raw),
        row(DataClass::Knowledge, Verdict::Raw),
    ];
    Arc::new(Policy::new(vec![destination], rows))
}

pub struct Setup {
    pub answers: Vec<Answer>,
    pub deadlines: Deadlines,
    pub transcript: Verdict,
    pub region: Option<&'static str>,
    /// If it is there: the provider has read the knowledge when it is told so.
    pub has_read: Option<Arc<Notify>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { answers: Vec::new(), deadlines: PATIENT, transcript: Verdict::Raw, region: None, has_read: None }
    }
}

pub fn answers(answers: Vec<Answer>) -> Setup {
    Setup { answers, ..Setup::default() }
}

/// One call with its mind and its provider.
pub struct Call {
    pub thinking: Option<Box<dyn Thinking>>,
    pub mind: Arc<CloudMind>,
    pub door: Door,
    index: Arc<KnowledgeIndex>,
    register: mpsc::Receiver<Transfer>,
    pub setting: CallSetting,
    events: mpsc::Receiver<MindEvent>,
    pub provider: Provider,
    pub heard: Heard,
    pub far: Far,
    pub notes: Arc<Notes>,
    pub next: u32,
}

impl Setup {
    pub async fn claude(self) -> Call {
        let (provider, heard) = Provider::new(self.answers, self.has_read);
        let serving = provider.clone();
        let authority = Authority::new();
        let far = Far::tls(authority.identity(&["model.example"]), move |stream| serving.clone().serve(stream)).await;
        let host = Host::parse("model.example").unwrap();
        let config = DoorConfig {
            roots: Roots::public().and_der(authority.der.clone()).unwrap(),
            resolver: Resolver::fixed(HashMap::from([(host.clone(), vec![far.address])])),
            ..DoorConfig::default()
        };
        let destination = destination(host.clone(), self.region, false);
        let key = Private::new("the-key".to_owned());
        let claude =
            AnthropicConfig { deadlines: self.deadlines, ..AnthropicConfig::new(destination.id.clone(), host, key) };
        open(policy(destination, self.transcript), config, Dialect::Anthropic(claude), (provider, heard, far))
    }

    pub async fn lan(self) -> Call {
        let (provider, heard) = Provider::new(self.answers, self.has_read);
        let serving = provider.clone();
        let far = Far::plain(move |stream| serving.clone().serve(stream)).await;
        let host = Host::parse(&far.address.to_string()).unwrap();
        let destination = destination(host.clone(), None, true);
        let lan = OpenAiConfig {
            deadlines: self.deadlines,
            ..OpenAiConfig::new(destination.id.clone(), host, "small".to_owned())
        };
        let policy = policy(destination, self.transcript);
        open(policy, DoorConfig::default(), Dialect::OpenAi(lan), (provider, heard, far))
    }
}

fn open(policy: Arc<Policy>, mut config: DoorConfig, dialect: Dialect, far: (Provider, Heard, Far)) -> Call {
    let (rows, register) = mpsc::channel(64);
    config.register = Some(rows);
    let file = include_str!("../../firmware-config/knowledge/clinic.toml");
    let index = Arc::new(KnowledgeIndex::new(KnowledgeBase::parse("clinic.toml", file).unwrap(), None));
    let notes = Arc::new(Notes::default());
    let knows: Arc<dyn Knows> = index.clone();
    let door = Door::new(policy.clone(), config);
    let mind = Arc::new(CloudMind::new(MindParts {
        dialect,
        door: door.clone(),
        onbox: Arc::new(ByWords(index.clone())),
        knows: knows.clone(),
        tools: Arc::new(BoxTools::new(knows, Texts::Possible)),
        witness: notes.clone(),
        tasks: TaskTracker::new(),
        runtime: tokio::runtime::Handle::current(),
        now: SystemClock::new().as_fn(),
    }));
    let setting = CallSetting {
        call: Some(CallId::from_parts(1, [7; 10])),
        hints: Hints::default(),
        gate: Arc::new(CallGate::new(policy, Arc::new(NoNumbers))),
    };
    let (tell, events) = mpsc::channel(16);
    let thinking = Some(mind.open(&setting, tell));
    let (provider, heard, far) = far;
    Call { thinking, mind, door, index, register, setting, events, provider, heard, far, notes, next: 0 }
}

/// A Monday morning in Lagos.
pub fn monday() -> jiff::ZonedDateTime {
    datetime(2026, 11, 23, 10, 0, 0, 0).to_zoned_datetime(TimeZone::get("Africa/Lagos").unwrap()).unwrap()
}

impl Call {
    pub fn thinking(&mut self) -> &mut dyn Thinking {
        self.thinking.as_deref_mut().unwrap()
    }

    pub fn ask(&mut self, words: &str) {
        self.next += 1;
        let request = RequestId(self.next);
        self.thinking().ask(request, &Private::new(words.to_owned()), &monday());
    }

    pub async fn event(&mut self) -> MindEvent {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap();
            match event {
                MindEvent::Alive { request } => assert_eq!(request, RequestId(self.next)),
                event => return event,
            }
        }
    }

    /// All that is answered to the latest question, each event in a few words.
    pub async fn answer(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let event = self.event().await;
            let (shown, request, over) = match event {
                MindEvent::Sentence { request, spoken, engine, .. } => {
                    assert!(["claude-cloud", "model-lan"].contains(&engine));
                    (format!("say {}", spoken.text.expose()), request, false)
                }
                MindEvent::Found { request, finding, engine, .. } => {
                    assert_eq!(engine, "by-words");
                    (format!("found {finding:?}"), request, true)
                }
                MindEvent::Over { request, then } => (format!("over {then:?}"), request, true),
                MindEvent::Failed { request, error } => (format!("failed {error:?}"), request, true),
                MindEvent::Alive { .. } | MindEvent::Left(_) => {
                    panic!("signs are passed over, and it has nobody to leave for")
                }
            };
            assert_eq!(request, RequestId(self.next));
            all.push(shown);
            if over {
                return all;
            }
        }
    }

    pub async fn ask_and_hear(&mut self, words: &str) -> Vec<String> {
        self.ask(words);
        self.answer().await
    }

    pub fn asked(&self) -> usize {
        self.provider.requests().len()
    }

    /// The same mind with the box's own behind it, as one that a call may use.
    pub fn with_the_boxs_own_behind(&self) -> MindChain {
        let stage = EngineStage::Mind;
        let health = |name| EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.5));
        let model: Arc<dyn Responder> = self.mind.clone();
        let model = Link::over_a_network(stage, model, health("model"), None, Arc::new(|_| failover::Budget::Ample));
        let own: Arc<dyn Responder> = Arc::new(ByWords(self.index.clone()));
        let own = Link::on_the_box(stage, own, health("own"));
        let works = Works::new(SystemClock::new().as_fn(), TaskTracker::new(), tokio::runtime::Handle::current());
        MindChain::new(vec![model], own, works)
    }

    /// Ends the call; the next one is answered by `mind`.
    pub fn call_again(&mut self, mind: &dyn Responder) {
        let (tell, events) = mpsc::channel(16);
        self.thinking = Some(mind.open(&self.setting, tell));
        self.events = events;
    }

    pub async fn warmed(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.heard.warmings.recv()).await.unwrap().unwrap()
    }

    /// The next row of the register that tells of tokens.
    pub async fn paid(&mut self) -> Transfer {
        loop {
            let row = tokio::time::timeout(PATIENCE, self.register.recv()).await.unwrap().unwrap();
            if row.reported.tokens_in > 0 {
                return row;
            }
        }
    }

    pub async fn closed(&mut self) {
        tokio::time::timeout(PATIENCE, self.heard.closed.recv()).await.unwrap().unwrap();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it reads as what is expected")]
pub fn failed(error: MindError) -> Vec<String> {
    vec![format!("failed {error:?}")]
}
