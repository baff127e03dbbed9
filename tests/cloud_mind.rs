//! A language model as the mind of a call, through the real door, over real TLS
//! sockets, against a provider that answers as it must, or does not. The box's
//! own mind beside it decides by words alone, so that no model file is needed.

#![allow(clippy::unwrap_used, clippy::panic)] // what the tests share is test code too

#[path = "door/far.rs"]
#[allow(dead_code, reason = "the door's own tests use the rest")]
mod far;
#[path = "cloud_mind/provider.rs"]
mod provider;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use far::{Authority, Far};
use jiff::civil::datetime;
use jiff::tz::TimeZone;
use milu::call::{EngineStage, Texts};
use milu::egress::{Budget, Door, DoorConfig, Resolver, Roots};
use milu::knowledge::facts::FactKind;
use milu::knowledge::{Finding, KnowledgeBase, KnowledgeIndex, Recollection, Topic};
use milu::ops::{HealthState, SystemClock};
use milu::residency::{
    CallGate, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row, Safeguards, Transfer, Verdict,
};
use milu::speech::cloud::anthropic::AnthropicConfig;
use milu::speech::cloud::mind::{BoxTools, CloudMind, Deadlines, Dialect, Knows, MindParts, TokensUsed, Witness};
use milu::speech::cloud::openai::OpenAiConfig;
use milu::speech::failover::{self, BreakerRules, EngineHealth, Link, MindChain, Works};
use milu::speech::{CallSetting, Hints, MindError, MindEvent, Responder, Thinking, Waited};
use milu::terms::{CallId, Private, RequestId};
use provider::{Answer, Heard, Provider, claude, end, event, start_in, text, thinking, tool};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio_util::task::TaskTracker;

/// How long a test waits for what must come: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Deadlines that only a dead provider misses.
const PATIENT: Deadlines =
    Deadlines { connect: PATIENCE, first_token: PATIENCE, first_word: PATIENCE, gap: PATIENCE, whole: PATIENCE };

/// Deadlines that a provider who is silent misses soon.
const SOON: Duration = Duration::from_millis(250);

// ---- the near side ---------------------------------------------------------

/// What the box's own mind never answers, as if it were too busy.
const TOO_MUCH: &str = "It is all too much";

/// The box's own mind, by words alone.
struct ByWords(Arc<KnowledgeIndex>);

struct ByWordsThinking {
    index: Arc<KnowledgeIndex>,
    memory: Recollection,
    answers: mpsc::Sender<MindEvent>,
}

impl Responder for ByWords {
    fn name(&self) -> &'static str {
        "by-words"
    }

    fn open(&self, _setting: &CallSetting, answers: mpsc::Sender<MindEvent>) -> Box<dyn Thinking> {
        Box::new(ByWordsThinking { index: self.0.clone(), memory: Recollection::default(), answers })
    }
}

impl Thinking for ByWordsThinking {
    fn ask(&mut self, request: RequestId, words: &Private<String>, now: &jiff::ZonedDateTime) {
        if words.expose() == TOO_MUCH {
            return;
        }
        let found = self.index.find(words.expose(), &[], &self.memory, now);
        self.memory = found.memory;
        let took = Duration::from_millis(1);
        self.answers.try_send(MindEvent::Found { request, finding: found.finding, engine: "by-words", took }).unwrap();
    }

    fn ask_topic(&mut self, request: RequestId, topic: Topic, now: &jiff::ZonedDateTime) {
        let finding = self.index.answer_key(topic, &self.memory, now).finding;
        let took = Duration::from_millis(1);
        self.answers.try_send(MindEvent::Found { request, finding, engine: "by-words", took }).unwrap();
    }

    fn abandon(&mut self) {}
}

#[derive(Default)]
struct Notes {
    used: Mutex<Vec<TokensUsed>>,
    held_back: Mutex<Vec<FactKind>>,
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
struct NoNumbers;

impl Redact for NoNumbers {
    fn redact(&self, text: &str) -> String {
        let is_long = |run: &&str| run.len() >= 7;
        text.split(|c: char| !c.is_ascii_digit())
            .filter(is_long)
            .fold(text.to_owned(), |text, run| text.replace(run, ""))
    }
}

fn destination(host: Host, region: Option<&str>, on_site: bool) -> Destination {
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
fn policy(destination: Destination, transcript: Verdict) -> Arc<Policy> {
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

struct Setup {
    answers: Vec<Answer>,
    deadlines: Deadlines,
    transcript: Verdict,
    region: Option<&'static str>,
    /// If it is there: the provider has read the knowledge when it is told so.
    has_read: Option<Arc<Notify>>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { answers: Vec::new(), deadlines: PATIENT, transcript: Verdict::Raw, region: None, has_read: None }
    }
}

fn answers(answers: Vec<Answer>) -> Setup {
    Setup { answers, ..Setup::default() }
}

/// One call with its mind and its provider.
struct Call {
    thinking: Option<Box<dyn Thinking>>,
    mind: Arc<CloudMind>,
    door: Door,
    index: Arc<KnowledgeIndex>,
    register: mpsc::Receiver<Transfer>,
    setting: CallSetting,
    events: mpsc::Receiver<MindEvent>,
    provider: Provider,
    heard: Heard,
    far: Far,
    notes: Arc<Notes>,
    next: u32,
}

impl Setup {
    async fn claude(self) -> Call {
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

    async fn lan(self) -> Call {
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
    let file = include_str!("../firmware-config/knowledge/clinic.toml");
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
fn monday() -> jiff::ZonedDateTime {
    datetime(2026, 11, 23, 10, 0, 0, 0).to_zoned_datetime(TimeZone::get("Africa/Lagos").unwrap()).unwrap()
}

impl Call {
    fn thinking(&mut self) -> &mut dyn Thinking {
        self.thinking.as_deref_mut().unwrap()
    }

    fn ask(&mut self, words: &str) {
        self.next += 1;
        let request = RequestId(self.next);
        self.thinking().ask(request, &Private::new(words.to_owned()), &monday());
    }

    async fn event(&mut self) -> MindEvent {
        loop {
            let event = tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap();
            match event {
                MindEvent::Alive { request } => assert_eq!(request, RequestId(self.next)),
                event => return event,
            }
        }
    }

    /// All that is answered to the latest question, each event in a few words.
    async fn answer(&mut self) -> Vec<String> {
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

    async fn ask_and_hear(&mut self, words: &str) -> Vec<String> {
        self.ask(words);
        self.answer().await
    }

    fn asked(&self) -> usize {
        self.provider.requests().len()
    }

    /// The same mind with the box's own behind it, as one that a call may use.
    fn with_the_boxs_own_behind(&self) -> MindChain {
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
    fn call_again(&mut self, mind: &dyn Responder) {
        let (tell, events) = mpsc::channel(16);
        self.thinking = Some(mind.open(&self.setting, tell));
        self.events = events;
    }

    async fn warmed(&mut self) -> Value {
        tokio::time::timeout(PATIENCE, self.heard.warmings.recv()).await.unwrap().unwrap()
    }

    /// The next row of the register that tells of tokens.
    async fn paid(&mut self) -> Transfer {
        loop {
            let row = tokio::time::timeout(PATIENCE, self.register.recv()).await.unwrap().unwrap();
            if row.reported.tokens_in > 0 {
                return row;
            }
        }
    }

    async fn closed(&mut self) {
        tokio::time::timeout(PATIENCE, self.heard.closed.recv()).await.unwrap().unwrap();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it reads as what is expected")]
fn failed(error: MindError) -> Vec<String> {
    vec![format!("failed {error:?}")]
}

// ---- answers as they should be ---------------------------------------------

#[tokio::test]
async fn an_answer_is_said_sentence_by_sentence() {
    let pieces = ["A malaria te", "st is ₦3,500. ", "The result is ready in thirty minutes."];
    let mut call = answers(vec![Answer::Stream(claude(&pieces, "end_turn"))]).claude().await;
    let heard = call.ask_and_hear("How much is a malaria test?").await;
    let expected = [
        "say A malaria test is three thousand, five hundred naira.",
        "say The result is ready in thirty minutes.",
        "over None",
    ];
    assert_eq!(heard, expected);

    let requests = call.provider.requests();
    let head = requests[0].head.to_lowercase();
    assert!(head.starts_with("post /v1/messages http/1.1"), "{head}");
    assert!(head.contains("anthropic-version: 2026-10-21") && head.contains("authorization: bearer the-key"));
    let body = &requests[0].body;
    for removed in ["temperature", "top_p", "top_k"] {
        assert_eq!(body.get(removed), None, "{removed} is refused by this version");
    }
    let system = body["system"][0]["text"].as_str().unwrap();
    assert!(system.contains("₦3,500") && !system.contains("0803 555 0101"), "facts, and nobody's number");
    assert_eq!(body["system"][0]["cache_control"]["ttl"], "1h");
    let question = &body["messages"][0]["content"];
    assert_eq!(question[0]["text"], "How much is a malaria test?");
    assert!(question[1]["text"].as_str().unwrap().contains("three thousand, five hundred naira"), "{question}");
}

#[tokio::test]
async fn the_provider_reads_the_knowledge_while_it_rings() {
    let mut call = answers(vec![Answer::Stream(claude(&["We test for malaria."], "end_turn"))]).claude().await;
    let warming = call.warmed().await;
    call.ask_and_hear("Do you test for malaria?").await;
    {
        let requests = call.provider.requests();
        for part in ["model", "tools"] {
            assert_eq!(warming[part], requests[0].body[part], "{part}");
        }
        assert_eq!(warming["system"][0], requests[0].body["system"][0], "the kept part is the same");
    }
    // The next call finds it warm.
    let (tell, _events) = mpsc::channel(16);
    drop(call.mind.open(&call.setting, tell));
    call.ask_and_hear("goodbye").await;
    assert!(call.heard.warmings.try_recv().is_err());
}

#[tokio::test]
async fn the_reading_of_the_knowledge_is_paid_for_in_its_own_row_before_anybody_asks() {
    let mut call = answers(vec![]).claude().await;
    call.warmed().await;
    let row = call.paid().await;
    assert_eq!(row.classes(), [DataClass::Knowledge]);
    assert!(row.bytes_sent > 0, "the row in which it was sent");
    assert_eq!((row.reported.tokens_in, row.reported.tokens_out), (31, 24));
}

#[tokio::test]
async fn a_provider_may_read_the_knowledge_for_longer_than_it_may_think_of_a_question() {
    let has_read = Arc::new(Notify::new());
    let deadlines = Deadlines { first_token: SOON, ..PATIENT };
    let mut call = Setup { deadlines, has_read: Some(has_read.clone()), ..answers(vec![]) }.claude().await;
    call.warmed().await;
    // A question that comes later is late before the provider has read.
    let late = failed(MindError::TooLate(Waited::FirstToken, SOON));
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, late);
    has_read.notify_one();
    assert_eq!(call.paid().await.classes(), [DataClass::Knowledge]);
}

#[tokio::test]
async fn what_a_call_that_ends_did_not_have_read_is_read_for_the_next_one() {
    let mut call = Setup { has_read: Some(Arc::default()), ..answers(vec![]) }.claude().await;
    call.warmed().await;
    call.thinking = None;
    call.closed().await;
    let mind = call.mind.clone();
    call.call_again(&*mind);
    call.warmed().await;
}

#[tokio::test]
async fn what_was_really_said_goes_with_the_next_question() {
    let first = claude(&["Yes, we test for malaria here. It takes thirty minutes."], "end_turn");
    let second = claude(&["It is ₦3,500."], "end_turn");
    let mut call = answers(vec![Answer::Stream(first), Answer::Stream(second)]).claude().await;
    let said = |text: &str| Private::new(text.to_owned());
    call.thinking().said(&said("Good day, this is Sunrise Family Clinic."));
    call.ask_and_hear("Do you test for malaria?").await;
    call.thinking().said(&said("Yes, we test for"));
    call.ask_and_hear("How much is that?").await;
    let requests = call.provider.requests();
    let turns: Vec<(String, String)> = requests[1].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| (m["role"].as_str().unwrap().to_owned(), m["content"][0]["text"].as_str().unwrap().to_owned()))
        .collect();
    let expected = [
        ("user", "(The caller rings, and you pick up.)"),
        ("assistant", "Good day, this is Sunrise Family Clinic."),
        ("user", "Do you test for malaria?"),
        ("assistant", "Yes, we test for"),
        ("user", "How much is that?"),
    ];
    assert_eq!(turns, expected.map(|(role, text)| (role.to_owned(), text.to_owned())));
}

#[tokio::test]
async fn what_needs_no_model_is_settled_on_the_box() {
    let mut call = answers(vec![]).claude().await;
    for (words, found) in [
        ("Goodbye.", "found Goodbye"),
        ("Yes.", "found Yes"),
        ("Pardon?", "found Repeat { slower: false }"),
        ("I want to leave a message", "found LeaveMessage"),
        ("Hold on please", "found Wait"),
    ] {
        assert_eq!(call.ask_and_hear(words).await, [found], "{words}");
    }
    let amina = call.ask_and_hear("Can I speak with Dr Amina?").await;
    assert!(amina[0].starts_with("found Person"), "{amina:?}");
    call.next += 1;
    let request = RequestId(call.next);
    call.thinking().ask_topic(request, Topic::Hours, &monday());
    assert!(call.answer().await[0].starts_with("found Answer"), "a key of the menu");
    assert_eq!(call.asked(), 0, "nothing was sent");
}

#[tokio::test]
async fn a_yes_to_the_models_offer_of_a_message_takes_one_on_the_box() {
    let offer = ["I am sorry, I do not know that. Shall I take a message, so that someone can call you back?"];
    let mut call = answers(vec![Answer::Stream(claude(&offer, "end_turn")); 2]).claude().await;
    call.ask_and_hear("Do you treat snake bites?").await;
    assert_eq!(call.ask_and_hear("Yes, please.").await, ["found LeaveMessage"]);
    call.thinking().said(&Private::new(milu::call::phrases::MESSAGE_KEPT.to_owned()));
    call.ask_and_hear("And do you treat dog bites?").await;
    let no = call.ask_and_hear("No, thank you.").await;
    assert!(no[0].starts_with("found Courtesy"), "it does not end the call: {no:?}");
    assert_eq!(call.asked(), 2);
}

#[tokio::test]
async fn a_yes_to_another_question_of_the_model_goes_to_the_model() {
    let asks = claude(&["Do you mean the scan in pregnancy?"], "end_turn");
    let answers_it = claude(&["A scan is ten thousand naira."], "end_turn");
    let mut call = answers(vec![Answer::Stream(asks), Answer::Stream(answers_it)]).claude().await;
    call.ask_and_hear("How much is that picture thing?").await;
    assert_eq!(call.ask_and_hear("Yes.").await, ["say A scan is ten thousand naira.", "over None"]);
}

#[tokio::test]
async fn a_message_stays_on_the_box_with_its_name_and_number() {
    let mut call = answers(vec![Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    let say = |text: &str| Private::new(text.to_owned());
    assert_eq!(call.ask_and_hear("I want to leave a message").await, ["found LeaveMessage"]);
    for (words, then) in [
        ("My name is Ngozi Canary", "Thank you, Ngozi Canary. What number should we call you back on?"),
        ("It is oh eight oh three canary", "Please say your message now."),
        ("Tell the doctor that the canary sings", "Thank you. I have kept your message. Is there anything else?"),
    ] {
        let heard = call.ask_and_hear(words).await;
        assert!(heard[0].starts_with("found "), "{words}: {heard:?}");
        call.thinking().said(&say(then));
    }
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    let requests = call.provider.requests();
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].text.to_lowercase().contains("canary"), "{}", requests[0].text);
}

#[tokio::test]
async fn a_box_that_is_too_slow_for_a_turn_of_a_message_does_not_ask_a_model_and_blames_none() {
    let mut call = Setup::default().claude().await;
    assert_eq!(call.ask_and_hear("I want to leave a message").await, ["found LeaveMessage"]);
    assert_eq!(call.ask_and_hear(TOO_MUCH).await, failed(MindError::BoxBusy));
    assert_eq!(call.asked(), 0);
}

// ---- tools -------------------------------------------------------------------

#[tokio::test]
async fn a_tools_answer_goes_back_with_the_thought_that_came_first() {
    let input = json!({ "day": "on 25 December" });
    let asks = [
        vec![start_in("us")],
        thinking(0),
        text(1, &["Let me ", "look.\n\n"]),
        tool(2, "opening_hours", &input),
        end("tool_use"),
    ]
    .concat();
    let answers_it = claude(&["We are closed on Christmas Day."], "end_turn");
    let mut call = answers(vec![Answer::Stream(asks), Answer::Stream(answers_it)]).claude().await;
    let heard = call.ask_and_hear("Do you work when it is the birthday of Jesus?").await;
    assert_eq!(heard, ["say Let me look.", "say We are closed on Christmas Day.", "over None"]);
    let requests = call.provider.requests();
    let messages = requests[1].body["messages"].as_array().unwrap();
    let [.., asked, told] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(asked["role"], "assistant");
    assert_eq!(asked["content"][0], json!({ "type": "thinking", "thinking": "A holiday?", "signature": "c2lnbmVk" }));
    assert_eq!(asked["content"][1]["text"], "Let me look.\n\n", "as it was written");
    assert_eq!(asked["content"][2]["input"], input);
    assert_eq!(told["content"][0]["tool_use_id"], "toolu_2");
    assert!(told["content"][0]["content"].as_str().unwrap().starts_with("No, we are closed"), "{told}");
}

#[tokio::test]
async fn a_thought_is_left_out_where_its_turn_cannot_go_back_as_it_was_written() {
    let input = json!({ "day": "on 25 December", "year": 2026 });
    let asks = [
        vec![start_in("us")],
        thinking(0),
        text(1, &["Let me look.\n\n"]),
        tool(2, "opening_hours", &input),
        end("tool_use"),
    ]
    .concat();
    let answers_it = claude(&["We are closed on Christmas Day."], "end_turn");
    let mut call = answers(vec![Answer::Stream(asks), Answer::Stream(answers_it)]).claude().await;
    let heard = call.ask_and_hear("Do you work when it is the birthday of Jesus?").await;
    assert_eq!(heard, ["say Let me look.", "say We are closed on Christmas Day.", "over None"]);
    let requests = call.provider.requests();
    let messages = requests[1].body["messages"].as_array().unwrap();
    let [.., asked, _] = &messages[..] else { panic!("{messages:?}") };
    let parts = asked["content"].as_array().unwrap();
    let kinds: Vec<&str> = parts.iter().filter_map(|part| part["type"].as_str()).collect();
    assert_eq!(kinds, ["text", "tool_use"]);
}

#[tokio::test]
async fn tools_that_end_the_answer_become_what_is_done_next() {
    let call_tool = |name: &str, input: Value| {
        Answer::Stream([vec![start_in("us")], tool(0, name, &input), end("tool_use")].concat())
    };
    let mut call = answers(vec![
        call_tool("put_through", json!({ "person": "the paediatrician" })),
        call_tool("end_call", json!({})),
        call_tool("take_message", json!({})),
    ])
    .claude()
    .await;
    let person = call.ask_and_hear("The children's woman, is it her day?").await;
    assert_eq!(person, ["over Some(Person { name: Some(\"Doctor Amina Bello\") })"]);
    assert_eq!(call.ask_and_hear("Well that settles everything for me").await, ["over Some(Goodbye)"]);
    assert_eq!(call.ask_and_hear("Tell the boss that the pipe is broken").await, ["over Some(LeaveMessage)"]);
    let name = call.ask_and_hear("I am Ngozi from the pipe company").await;
    assert!(name[0].starts_with("found"), "what follows is of the message: {name:?}");
}

#[tokio::test]
async fn a_text_message_says_only_what_is_known() {
    let send = |text: &str| {
        Answer::Stream([vec![start_in("us")], tool(0, "send_sms", &json!({ "text": text })), end("tool_use")].concat())
    };
    let done = || Answer::Stream(claude(&["I have sent it."], "end_turn"));
    let mut call = answers(vec![send("A malaria test is ₦9,000."), done(), send("A malaria test is ₦3,500."), done()])
        .claude()
        .await;
    let refused = call.ask_and_hear("Could I have the price of a malaria test in writing?").await;
    assert!(!refused.concat().contains("TextMe"), "{refused:?}");
    // The call sends it, once the turn is over and it says so.
    call.ask("Could I have the price of a malaria test in writing?");
    match call.event().await {
        MindEvent::Over { then: Some(Finding::TextMe(Some(written))), .. } => {
            assert!(written.text.expose().ends_with(": A malaria test is ₦3,500."), "{}", written.text.expose());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(call.asked(), 3, "the model is told nothing of it, and asked no further");
    assert_eq!(
        call.provider.requests()[1].body["messages"].as_array().unwrap().last().unwrap()["content"][0]["is_error"],
        true
    );
}

#[tokio::test]
async fn a_model_that_only_looks_things_up_is_stopped() {
    let again = [vec![start_in("us")], tool(0, "look_up_knowledge", &json!({ "question": "cars" })), end("tool_use")];
    let mut call = answers(vec![Answer::Stream(again.concat()); 8]).claude().await;
    assert_eq!(call.ask_and_hear("Do you sell cars?").await, ["over Some(Unknown)"]);
    let requests = call.provider.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!(requests[3].body["tool_choice"]["type"], "none");
}

// ---- what must not be said ----------------------------------------------------

#[tokio::test]
async fn a_wrong_price_is_replaced_and_its_stream_closed() {
    let wrong = [vec![start_in("us")], text(0, &["A malaria test is ₦5,000. ", "And come at nine."])].concat();
    let mut call = answers(vec![Answer::Stall(wrong)]).claude().await;
    let heard = call.ask_and_hear("How much is a malaria test?").await;
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[0].contains("The test is three thousand, five hundred naira"), "{heard:?}");
    call.closed().await;
    assert_eq!(*call.notes.held_back.lock().unwrap(), [FactKind::Price]);
}

#[tokio::test]
async fn a_wrong_hour_without_any_finding_becomes_the_offer_of_a_message() {
    let wrong = claude(&["The surgeon operates at three in the afternoon."], "end_turn");
    let mut call = answers(vec![Answer::Stream(wrong)]).claude().await;
    assert_eq!(call.ask_and_hear("When does your surgeon cut?").await, ["over Some(Unknown)"]);
}

#[tokio::test]
async fn a_yes_where_the_calendar_says_no_is_replaced() {
    let wrong = claude(&["Yes, of course we are, you are very welcome. See you then."], "end_turn");
    let mut call = answers(vec![Answer::Stream(wrong)]).claude().await;
    let heard = call.ask_and_hear("Are you open on Sunday?").await;
    assert!(heard[0].starts_with("say No, we are closed on Sundays"), "{heard:?}");
    assert_eq!(heard[1..], ["over None"]);
}

// ---- what goes wrong ------------------------------------------------------------

#[tokio::test]
async fn a_refusal_before_a_word_is_left_to_the_box_and_after_one_it_ends() {
    let before = [vec![start_in("us")], end("refusal")].concat();
    let after = claude(&["Yes, we test for malaria here. The"], "refusal");
    let mut call = answers(vec![Answer::Stream(before), Answer::Stream(after)]).claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, failed(MindError::Declined));
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard, ["say Yes, we test for malaria here.", "over None"]);
}

#[tokio::test]
async fn an_answer_that_grows_too_long_ends_after_its_last_sentence() {
    let long = claude(&["Yes, we test for malaria here. The result of that test is re"], "max_tokens");
    let mut call = answers(vec![Answer::Stream(long)]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard, ["say Yes, we test for malaria here.", "over None"]);
}

#[tokio::test]
async fn an_error_in_the_middle_is_told_after_what_was_said() {
    let error = event("error", json!({ "error": { "type": "overloaded_error", "message": "Overloaded" } }));
    let events = [vec![start_in("us")], text(0, &["Yes, we test for malaria here. The re"]), vec![error]].concat();
    let mut call = answers(vec![Answer::Stream(events)]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(
        heard,
        ["say Yes, we test for malaria here.".to_owned(), failed(MindError::Busy { after: None }).concat()]
    );
    assert_eq!(
        call.notes.used.lock().unwrap().last().map(|used| used.input),
        Some(31),
        "what was used is told all the same"
    );
}

#[tokio::test]
async fn a_status_tells_whether_to_try_again() {
    let error = |kind: &str, code: Option<&str>| json!({ "type": "error", "error": { "type": kind, "message": "no", "details": { "error_code": code } } });
    let seconds = |n| MindError::Busy { after: Some(Duration::from_secs(n)) };
    let cases = [
        (429, "retry-after: 3\r\n", error("rate_limit_error", None), seconds(3)),
        (429, "", error("rate_limit_error", Some("enforced_spend_limit_reached")), MindError::Spent),
        (529, "", error("overloaded_error", None), MindError::Busy { after: None }),
        (401, "", error("authentication_error", None), MindError::Rejected { status: 401 }),
        (400, "", error("invalid_request_error", None), MindError::Rejected { status: 400 }),
        (500, "", json!("<html>"), MindError::Busy { after: None }),
    ];
    let given = cases.iter().map(|(status, headers, body, _)| Answer::Status(*status, headers, body.clone()));
    let mut call = answers(given.collect()).claude().await;
    for (status, _, _, expected) in cases {
        assert_eq!(call.ask_and_hear("Do you test for malaria?").await, failed(expected), "{status}");
    }
    assert_eq!(call.asked(), 6, "nothing is tried twice");
}

#[tokio::test]
async fn silence_is_given_up_at_each_stage() {
    let first = Deadlines { first_token: SOON, ..PATIENT };
    let mut call = Setup { deadlines: first, ..answers(vec![Answer::Silence]) }.claude().await;
    let too_late = |waited, within| failed(MindError::TooLate(waited, within));
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, too_late(Waited::FirstToken, SOON));
    call.closed().await;

    let begun = vec![Answer::Stall(vec![start_in("us"), event("ping", json!({}))])];
    let mut call = Setup { deadlines: first, ..answers(begun) }.claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, too_late(Waited::FirstToken, SOON));
    call.closed().await;

    let thinks = vec![Answer::Stall([vec![start_in("us")], thinking(0)].concat())];
    let word = Deadlines { first_word: SOON, ..PATIENT };
    let mut call = Setup { deadlines: word, ..answers(thinks) }.claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, too_late(Waited::FirstToken, SOON));

    let speaks = vec![Answer::Stall([vec![start_in("us")], text(0, &["Yes, we test for malaria here. And"])].concat())];
    let gap = Deadlines { gap: SOON, ..PATIENT };
    let mut call = Setup { deadlines: gap, ..answers(speaks) }.claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard[0], "say Yes, we test for malaria here.");
    assert_eq!(heard[1..], too_late(Waited::NextToken, SOON));
    call.closed().await;
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_middle_of_a_word_is_told() {
    let whole = [vec![start_in("us")], text(0, &["Yes, we test for malaria here. And the "])].concat();
    let mut cut = whole;
    let last = cut.pop().unwrap();
    cut.push(last[..last.len() / 2].to_owned());
    let mut call = answers(vec![Answer::Cut(cut)]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard[0], "say Yes, we test for malaria here.");
    assert_eq!(heard[1..], failed(MindError::Unreachable));
}

#[tokio::test]
async fn what_is_no_stream_at_all_is_told() {
    let mut call = answers(vec![Answer::Stream(vec!["data: <html>\n\n".to_owned()])]).claude().await;
    let heard = call.ask_and_hear("Do you test for malaria?").await;
    assert_eq!(heard, failed(MindError::Broken("an event of the answer is no JSON")));
}

// ---- taking back ------------------------------------------------------------------

#[tokio::test]
async fn an_abandoned_question_closes_its_stream_and_says_no_more() {
    let slow = Answer::Stall([vec![start_in("us")], text(0, &["Yes, we test for malaria here. And"])].concat());
    let mut call = answers(vec![slow, Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    call.ask("Do you test for malaria?");
    assert!(matches!(call.event().await, MindEvent::Sentence { .. }));
    call.thinking().abandon();
    call.closed().await;
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    let messages = call.provider.requests()[1].body["messages"].clone();
    assert_eq!(messages.as_array().unwrap().len(), 1, "it was not said: {messages}");
}

#[tokio::test]
async fn an_answer_that_is_broken_off_costs_what_was_read_of_it() {
    let slow = Answer::Stall([vec![start_in("us")], text(0, &["Yes, we test for malaria here. And"])].concat());
    let mut call = answers(vec![slow]).claude().await;
    call.warmed().await;
    let warming = call.paid().await;
    call.ask("Do you test for malaria?");
    assert!(matches!(call.event().await, MindEvent::Sentence { .. }));
    call.thinking().abandon();
    let row = call.paid().await;
    assert_eq!(row.classes(), [DataClass::Transcript, DataClass::Reply, DataClass::Knowledge]);
    assert_eq!((row.reported.tokens_in, row.reported.tokens_in_kept, row.reported.tokens_out), (31, 4096, 1));
    assert_eq!(warming.classes(), [DataClass::Knowledge]);
}

#[tokio::test]
async fn a_sentence_that_is_replaced_is_paid_for_with_all_that_came_of_it() {
    let events = claude(&["A malaria test is ₦5,000. ", "And come at nine."], "end_turn");
    let mut call = answers(vec![Answer::Stream(vec![events.concat()])]).claude().await;
    call.warmed().await;
    call.paid().await;
    let heard = call.ask_and_hear("How much is a malaria test?").await;
    assert!(heard[0].contains("The test is three thousand, five hundred naira"), "{heard:?}");
    let row = call.paid().await;
    assert_eq!((row.reported.tokens_in, row.reported.tokens_out), (31, 24));
}

#[tokio::test]
async fn a_newer_question_replaces_the_one_under_way() {
    let mut call = answers(vec![Answer::Silence, Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    call.ask("Do you test for malaria?");
    while call.asked() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    call.closed().await;
}

#[tokio::test]
async fn a_call_that_ends_closes_its_stream() {
    let mut call = answers(vec![Answer::Silence]).claude().await;
    call.ask("Do you test for malaria?");
    while call.asked() == 0 {
        tokio::task::yield_now().await;
    }
    call.thinking = None;
    call.closed().await;
}

#[tokio::test]
async fn what_the_box_settles_between_two_failures_does_not_make_a_dead_provider_well() {
    let overloaded = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "no" } });
    let dead = Answer::Status(529, "", overloaded);
    let mut call = answers(vec![dead.clone(), dead]).claude().await;
    let minds = call.with_the_boxs_own_behind();
    for words in ["Do you test for malaria?", "Thank you.", "Do you do scans?"] {
        call.call_again(&minds);
        call.ask(words);
        while !matches!(call.event().await, MindEvent::Found { .. }) {}
    }
    assert_eq!(call.asked(), 2, "the box thanked for itself");
    let fact = minds.health().remove(0);
    assert_eq!(fact.state, HealthState::Impaired, "{fact:?}");
}

// ---- where data may go --------------------------------------------------------------

#[tokio::test]
async fn what_the_policy_keeps_on_the_box_is_not_sent() {
    let mut call = Setup { transcript: Verdict::Local, ..answers(vec![]) }.claude().await;
    assert_eq!(call.ask_and_hear("Do you test for malaria?").await, failed(MindError::Policy));
    assert_eq!(call.ask_and_hear("Goodbye.").await, ["found Goodbye"], "the box still answers what it can");
    assert_eq!(call.far.seen.connections(), 0, "not even a greeting");
}

#[tokio::test]
async fn a_call_that_has_spent_its_budget_is_answered_by_the_box_and_the_next_one_by_the_model_again() {
    let mut call = answers(vec![Answer::Stream(claude(&["We do scans."], "end_turn"))]).claude().await;
    let minds = call.with_the_boxs_own_behind();
    call.door.set_budget(Budget { call_bytes: Some(0), ..Budget::default() });
    call.call_again(&minds);
    for _ in 0..3 {
        let heard = call.ask_and_hear("Do you do scans?").await;
        assert!(heard[0].starts_with("found "), "by the box itself: {heard:?}");
    }
    assert_eq!(call.asked(), 0, "nothing more leaves in this call");
    call.door.set_budget(Budget::default());
    call.call_again(&minds);
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
}

#[tokio::test]
async fn identifiers_are_taken_out_of_words_where_the_policy_says_so() {
    let reply = || Answer::Stream(claude(&["A scan is ten thousand naira."], "end_turn"));
    let mut call = Setup { transcript: Verdict::Redacted, ..answers(vec![reply(), reply()]) }.claude().await;
    let asked = "My number is 08031234567, \"how much\" is a scan?";
    assert_eq!(call.ask_and_hear(asked).await, ["say A scan is ten thousand naira.", "over None"]);
    call.ask_and_hear(asked).await;
    let requests = call.provider.requests();
    assert_eq!(requests.len(), 2);
    for request in requests.iter() {
        assert!(!request.text.contains("08031234567") && request.text.contains("My number is , "), "{}", request.text);
        assert!(request.text.contains("₦10,000"), "the business's own facts may go as they are");
    }
}

#[tokio::test]
async fn a_region_is_asked_for_and_the_provider_held_to_it() {
    let stray = [vec![start_in("global")], text(0, &["We do scans."]), end("end_turn")].concat();
    let given = vec![Answer::Stream(claude(&["We do scans."], "end_turn")), Answer::Stream(stray)];
    let mut call = Setup { region: Some("us"), ..answers(given) }.claude().await;
    call.ask_and_hear("Do you do scans?").await;
    call.ask_and_hear("Do you do scans?").await;
    assert_eq!(call.provider.requests()[0].body["inference_geo"], "us");
    let geos: Vec<Option<String>> = call.notes.used.lock().unwrap().iter().map(|u| u.inference_geo.clone()).collect();
    assert!(geos.contains(&Some("us".to_owned())) && geos.contains(&Some("global".to_owned())), "{geos:?}");
    assert_eq!(call.ask_and_hear("Do you do scans?").await, failed(MindError::Policy), "it strayed once");
    assert_eq!(call.asked(), 2);
}

#[tokio::test]
async fn a_provider_that_strayed_is_told_of_until_the_policy_asks_for_another_region() {
    let global = || Answer::Stream([vec![start_in("global")], text(0, &["We do scans."]), end("end_turn")].concat());
    let mut call = Setup { region: Some("us"), ..answers(vec![global(), global()]) }.claude().await;
    let told = |call: &Call| {
        let fact = call.with_the_boxs_own_behind().health().remove(0);
        (fact.state, fact.sentence.contains("elsewhere than in `us`"))
    };
    assert_eq!(told(&call), (HealthState::Well, false));
    call.ask_and_hear("Do you do scans?").await;
    assert_eq!(told(&call), (HealthState::Failed, true));
    assert_eq!(call.ask_and_hear("Do you do scans?").await, failed(MindError::Policy));

    let there = destination(Host::parse("model.example").unwrap(), Some("global"), false);
    let elsewhere = policy(there, Verdict::Raw);
    call.door.set_policy(Arc::clone(&elsewhere));
    assert_eq!(told(&call), (HealthState::Well, false));
    call.setting.gate = Arc::new(CallGate::new(elsewhere, Arc::new(NoNumbers)));
    let mind = Arc::clone(&call.mind);
    call.call_again(&*mind);
    assert_eq!(call.ask_and_hear("Do you do scans?").await, ["say We do scans.", "over None"]);
    assert_eq!(call.asked(), 2);
}

// ---- the business's own server ---------------------------------------------------------

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    format!("data: {}\n\n", json!({ "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }))
}

#[tokio::test]
async fn a_server_of_the_businesss_own_is_the_same_mind() {
    let call_tool = json!({ "tool_calls": [{ "index": 0, "id": "c1", "function": { "name": "opening_hours", "arguments": "{\"day\":\"on Saturday\"}" } }] });
    let asks = vec![chunk(&call_tool, None), chunk(&json!({}), Some("tool_calls")), "data: [DONE]\n\n".to_owned()];
    let says = vec![
        chunk(&json!({ "role": "assistant", "content": "<think>hm" }), None),
        chunk(&json!({ "content": "</think>On Saturday we open at ni" }), None),
        chunk(&json!({ "content": "ne in the morning." }), None),
        chunk(&json!({}), Some("stop")),
        "data: [DONE]\n\n".to_owned(),
    ];
    let mut call = answers(vec![Answer::Stream(asks), Answer::Stream(says)]).lan().await;
    let heard = call.ask_and_hear("The sixth day of the week, from what hour are una there?").await;
    assert_eq!(heard, ["say On Saturday we open at nine in the morning.", "over None"]);
    let requests = call.provider.requests();
    assert!(requests[0].head.to_lowercase().starts_with("post /v1/chat/completions http/1.1"));
    let roles: Vec<&str> =
        requests[1].body["messages"].as_array().unwrap().iter().filter_map(|m| m["role"].as_str()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told() {
    let mut call = answers(vec![]).lan().await;
    let request = call.next + 1;
    // The warming may still hold a connection; a port that nobody listens on has none.
    drop(std::mem::replace(&mut call.far, Far::plain(|_| async {}).await));
    call.ask("Do you test for malaria?");
    match call.event().await {
        MindEvent::Failed { request: found, error: MindError::Unreachable | MindError::TooLate(..) } => {
            assert_eq!(found, RequestId(request));
        }
        other => panic!("{other:?}"),
    }
}
