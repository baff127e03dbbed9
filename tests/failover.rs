//! Chains of engines whose every word the test says itself, in a time that the
//! test moves: an engine that stalls or fails is left for the next one in the
//! middle of its work, and nobody else notices.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests are tests too")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use milu::call::{EngineStage, Failover, WhyLeft};
use milu::conversation::WordEnd;
use milu::knowledge::{Finding, Spoken, Topic};
use milu::media::{Frame, SampleRate};
use milu::ops::{HealthFact, HealthState, MomentSource};
use milu::residency::{
    AskedHost, CallGate, CallerWish, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row,
    Safeguards, Verdict,
};
use milu::speech::failover::{
    BreakerRules, Budget, BudgetSource, EarsChain, EngineHealth, Link, MindChain, Needs, VoiceChain, WaitSource, Works,
};
use milu::speech::{
    CallSetting, Confidence, EarsError, EarsEvent, Heard, Hearing, Hints, JudgesBy, MindError, MindEvent, Responder,
    SpeakRequest, Speaking, Synthesizer, Thinking, Transcriber, Voice, VoiceError, VoiceEvent,
};
use milu::terms::{CallId, Moment, Private, RequestId, UtteranceId};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

// ---- time -----------------------------------------------------------------

/// A time that stands still until the test moves it.
struct Time {
    now_us: Arc<AtomicU64>,
    moved: Arc<watch::Sender<u64>>,
}

impl Time {
    fn new() -> Self {
        // Chains subtract from the time, so it does not begin at zero.
        let start = 100_000_000;
        Self { now_us: Arc::new(AtomicU64::new(start)), moved: Arc::new(watch::channel(start).0) }
    }

    fn works(&self) -> Works {
        let (now_us, moved) = (Arc::clone(&self.now_us), Arc::clone(&self.moved));
        let now: MomentSource = {
            let now_us = Arc::clone(&now_us);
            Arc::new(move || Moment::from_micros(now_us.load(Ordering::SeqCst)))
        };
        let wait: WaitSource = Arc::new(move |time: Duration| {
            let until = now_us.load(Ordering::SeqCst) + u64::try_from(time.as_micros()).unwrap();
            let mut moved = moved.subscribe();
            Box::pin(async move {
                moved.wait_for(|now| *now >= until).await.unwrap();
            })
        });
        Works { wait, ..Works::new(now, TaskTracker::new(), tokio::runtime::Handle::current()) }
    }

    fn now(&self) -> Moment {
        Moment::from_micros(self.now_us.load(Ordering::SeqCst))
    }

    /// Moves time on in steps, and lets everything happen that follows.
    async fn pass(&self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            let now = self.now_us.fetch_add(10_000, Ordering::SeqCst) + 10_000;
            self.moved.send_replace(now);
            settle().await;
        }
    }
}

/// The test's runtime has one thread: when it has been given up so often,
/// whatever could happen has happened.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

// ---- settings -------------------------------------------------------------

struct Nothing;

impl Redact for Nothing {
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

const CLASSES: &[DataClass] = &[DataClass::Transcript];

fn cloud() -> DestinationId {
    DestinationId::parse("cloud").unwrap()
}

fn host(name: &str) -> Host {
    Host::parse(name).unwrap()
}

/// A gate that lets transcripts into the cloud, on a ground that can be objected to.
fn gate() -> Arc<CallGate> {
    gate_to("api.cloud.example", Ground::LegitimateInterest)
}

fn gate_to(name: &str, ground: Ground) -> Arc<CallGate> {
    let destination = Destination {
        id: cloud(),
        operator: "Cloud Ltd".to_owned(),
        hosts: vec![host(name)],
        country: "IE".to_owned(),
        on_site: false,
        contract: Some(milu::residency::Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
        safeguards: Safeguards::default(),
        pins: Vec::new(),
    };
    let row = Row {
        id: "row-1".to_owned(),
        class: DataClass::Transcript,
        destination: cloud(),
        ground,
        verdict: Verdict::Raw,
    };
    Arc::new(CallGate::new(Arc::new(Policy::new(vec![destination], vec![row])), Arc::new(Nothing)))
}

fn setting(gate: &Arc<CallGate>) -> CallSetting {
    CallSetting { gate: Arc::clone(gate), ..CallSetting::on_box(Hints::default()) }
}

fn link<E: ?Sized>(stage: EngineStage, name: &'static str, engine: Arc<E>, needs: Option<Needs>) -> Link<E> {
    let budget: BudgetSource = Arc::new(|_| Budget::Ample);
    let health = EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.0));
    Link::over_a_network(stage, engine, health, needs, budget)
}

fn in_the_cloud() -> Option<Needs> {
    Some(Needs { destination: cloud(), host: AskedHost::Named(host("api.cloud.example")), classes: CLASSES })
}

// ---- minds ----------------------------------------------------------------

/// A mind that notes what it is told, and says what the test says.
#[derive(Default)]
struct Puppet {
    told: Mutex<Vec<String>>,
    minds: Mutex<Vec<mpsc::Sender<MindEvent>>>,
}

impl Puppet {
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    fn note(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }

    async fn says(&self, event: MindEvent) {
        let answers = self.minds.lock().unwrap().last().unwrap().clone();
        answers.send(event).await.unwrap();
        settle().await;
    }
}

struct Mind {
    name: &'static str,
    puppet: Arc<Puppet>,
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

fn found(request: u32, text: &str, engine: &'static str) -> MindEvent {
    MindEvent::Found {
        request: RequestId(request),
        finding: Finding::Answer(spoken(text)),
        engine,
        took: Duration::ZERO,
    }
}

fn sentence(request: u32, text: &str) -> MindEvent {
    MindEvent::Sentence {
        request: RequestId(request),
        spoken: spoken(text),
        engine: "cloud-mind",
        took: Duration::ZERO,
    }
}

/// Three minds: in the cloud, on the LAN and on the box.
struct Minds {
    time: Time,
    cloud: Arc<Puppet>,
    lan: Arc<Puppet>,
    own: Arc<Puppet>,
    chain: MindChain,
}

impl Minds {
    fn new() -> Self {
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

    fn open(&self, gate: &Arc<CallGate>) -> (Box<dyn Thinking>, mpsc::Receiver<MindEvent>) {
        let (answers, heard) = mpsc::channel(16);
        let thinking = self.chain.open(&setting(gate), answers);
        (thinking, heard)
    }
}

fn ask(mind: &mut Box<dyn Thinking>, request: u32, words: &str) {
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    mind.ask(RequestId(request), &Private::new(words.to_owned()), &now);
}

fn left(event: MindEvent) -> Failover {
    match event {
        MindEvent::Left(failover) => failover,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_mind_that_stalls_is_left_at_its_deadline_and_its_late_answer_is_not_heard() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 7, "When do you open?");
    minds.time.pass(1290).await;
    assert!(heard.try_recv().is_err() && minds.lan.told().is_empty());
    minds.time.pass(10).await;
    let failover = left(heard.try_recv().unwrap());
    assert_eq!((failover.from.as_str(), failover.to.as_str()), ("cloud-mind", "lan-mind"));
    assert_eq!((failover.why, failover.after), (WhyLeft::FirstTokenDeadline, Duration::from_millis(1300)));
    assert_eq!(minds.lan.told(), ["open", "ask 7 When do you open?"]);
    assert_eq!(minds.cloud.told(), ["open", "ask 7 When do you open?", "abandon"]);
    minds.cloud.says(found(7, "At eight.", "cloud-mind")).await;
    assert!(heard.try_recv().is_err(), "it was left");
    minds.lan.says(found(7, "At nine.", "lan-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "lan-mind", .. }));
    minds.lan.says(found(7, "At nine.", "lan-mind")).await;
    assert!(heard.try_recv().is_err(), "an answer is given once");
}

#[tokio::test]
async fn after_two_minds_that_stall_the_boxs_own_is_asked_within_the_callers_patience() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "When do you open?");
    minds.time.pass(1300).await;
    minds.lan.says(MindEvent::Failed { request: RequestId(1), error: MindError::Unreachable }).await;
    assert_eq!(
        (left(heard.try_recv().unwrap()).why, left(heard.try_recv().unwrap()).why),
        (WhyLeft::FirstTokenDeadline, WhyLeft::Unreachable)
    );
    assert_eq!(minds.own.told(), ["open", "ask 1 When do you open?"]);
    minds.own.says(MindEvent::Failed { request: RequestId(1), error: MindError::Overloaded }).await;
    let failed = heard.try_recv().unwrap();
    assert!(matches!(failed, MindEvent::Failed { error: MindError::Overloaded, .. }), "nobody is left: {failed:?}");
    minds.time.pass(5000).await;
    assert!(heard.try_recv().is_err(), "it fails once");
}

#[tokio::test]
async fn a_mind_that_shows_that_it_is_at_work_is_waited_for_longer_and_not_for_ever() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    let alive = |request| MindEvent::Alive { request: RequestId(request) };
    // A thought of a second and a half, and then a sentence.
    ask(&mut mind, 1, "When do you open?");
    minds.time.pass(700).await;
    for _ in 0..3 {
        minds.cloud.says(alive(1)).await;
        minds.time.pass(500).await;
    }
    assert!(heard.try_recv().is_err() && minds.lan.told().is_empty(), "a sign is for nobody else");
    minds.cloud.says(sentence(1, "We open at eight.")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Sentence { .. }));
    // The next sentence is a long one.
    for _ in 0..3 {
        minds.time.pass(900).await;
        minds.cloud.says(alive(1)).await;
    }
    minds.cloud.says(sentence(1, "And we close at six, but on a Sunday.")).await;
    minds.cloud.says(MindEvent::Over { request: RequestId(1), then: None }).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Sentence { .. }));
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Over { .. }));
    // One that thinks for ever is left.
    ask(&mut mind, 2, "And on Sunday?");
    for _ in 0..25 {
        assert!(heard.try_recv().is_err());
        minds.time.pass(100).await;
        minds.cloud.says(alive(2)).await;
    }
    let failover = left(heard.try_recv().unwrap());
    assert_eq!((failover.why, failover.after), (WhyLeft::FirstTokenDeadline, Duration::from_millis(2500)));
    assert_eq!(failover.to, "own-mind", "the caller has waited enough");
}

#[tokio::test]
async fn the_boxs_own_mind_says_what_it_knows_where_anothers_answer_breaks_off() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "How much is a malaria test?");
    minds.time.pass(600).await;
    minds.cloud.says(sentence(1, "For that malaria test you pay,")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Sentence { .. }));
    minds.time.pass(990).await;
    assert!(heard.try_recv().is_err());
    minds.time.pass(10).await;
    let failover = left(heard.try_recv().unwrap());
    assert_eq!((failover.why, failover.to.as_str()), (WhyLeft::TokenGapDeadline, "own-mind"));
    assert_eq!(minds.own.told(), ["open", "ask 1 How much is a malaria test?"]);
    minds.own.says(found(1, "A malaria test is three thousand naira.", "own-mind")).await;
    match heard.try_recv().unwrap() {
        MindEvent::Sentence { request: RequestId(1), spoken, engine: "own-mind", .. } => {
            assert_eq!(spoken.text.expose(), "A malaria test is three thousand naira.");
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Over { request: RequestId(1), then: None }));
    assert!(heard.try_recv().is_err());
    ask(&mut mind, 2, "And on Sunday?");
    assert!(minds.lan.told().contains(&"ask 2 And on Sunday?".to_owned()), "who let the caller down is not asked next");
    assert_eq!(minds.own.told(), Vec::<String>::new(), "it was asked the question, and need not overhear it");
}

#[tokio::test]
async fn the_boxs_own_mind_does_not_say_again_what_another_said_in_its_words() {
    let (first, rest) = ("Yes, we test for malaria here.", "The test is three thousand naira.");
    for (said, left) in [(&[first][..], Some(rest)), (&[first, rest][..], None)] {
        let minds = Minds::new();
        let (mut mind, mut heard) = minds.open(&gate());
        ask(&mut mind, 1, "How much is a malaria test?");
        for text in said {
            minds.cloud.says(sentence(1, text)).await;
        }
        minds.time.pass(1000).await;
        minds.own.says(found(1, &format!("{first} {rest}"), "own-mind")).await;
        let told: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
        let by_itself = told.iter().find_map(|event| match event {
            MindEvent::Sentence { spoken, engine: "own-mind", .. } => Some(spoken.text.expose().as_str()),
            _ => None,
        });
        assert_eq!(by_itself, left, "{told:?}");
        assert!(matches!(told.last(), Some(MindEvent::Over { then: None, .. })), "{told:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_where_the_box_knows_none_ends_there() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "Who is the president?");
    minds.cloud.says(sentence(1, "That is")).await;
    minds.cloud.says(MindEvent::Failed { request: RequestId(1), error: MindError::Unreachable }).await;
    assert!(!minds.lan.told().iter().any(|told| told.starts_with("ask")), "another mind would tell another story");
    let unknown =
        MindEvent::Found { request: RequestId(1), finding: Finding::Unknown, engine: "own-mind", took: Duration::ZERO };
    minds.own.says(unknown).await;
    let told: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    let failed = |event: &MindEvent| matches!(event, MindEvent::Failed { error: MindError::Unreachable, .. });
    assert!(matches!(&told[..], [MindEvent::Sentence { .. }, MindEvent::Left(_), last] if failed(last)), "{told:?}");
}

#[tokio::test]
async fn who_would_be_asked_gets_ready_when_the_caller_speaks() {
    let minds = Minds::new();
    let gate = gate();
    let (mut mind, _heard) = minds.open(&gate);
    mind.caller_speaks();
    assert_eq!((minds.cloud.told(), minds.lan.told()), (vec!["open".to_owned(), "caller speaks".to_owned()], vec![]));
    gate.wish(CallerWish::Objects);
    mind.caller_speaks();
    assert_eq!((minds.cloud.told(), minds.lan.told()), (vec![], vec!["open".to_owned(), "caller speaks".to_owned()]));
}

#[tokio::test]
async fn a_mind_that_must_be_repaired_comes_back_when_it_is() {
    let minds = Minds::new();
    let gate = gate();
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 1, "When do you open?");
    minds.cloud.says(MindEvent::Failed { request: RequestId(1), error: MindError::Rejected { status: 401 } }).await;
    minds.lan.says(found(1, "At nine.", "lan-mind")).await;
    minds.time.pass(140_000).await;
    minds.cloud.told();
    ask(&mut mind, 2, "When do you open?");
    assert_eq!(minds.cloud.told(), ["overheard When do you open?"], "it is left alone");
    minds.lan.says(found(2, "At nine.", "lan-mind")).await;
    minds.time.pass(11_000).await;
    ask(&mut mind, 3, "When do you open?");
    minds.cloud.says(found(3, "At eight.", "cloud-mind")).await;
    minds.lan.says(found(3, "At nine.", "lan-mind")).await;
    while heard.try_recv().is_ok() {}
    ask(&mut mind, 4, "When do you open?");
    minds.cloud.says(found(4, "At eight.", "cloud-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "cloud-mind", .. }));
}

#[tokio::test]
async fn what_is_over_before_anything_was_said_is_what_is_to_be_done() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "A message, please.");
    minds.cloud.says(MindEvent::Over { request: RequestId(1), then: Some(Finding::LeaveMessage) }).await;
    let done = heard.try_recv().unwrap();
    assert!(matches!(done, MindEvent::Found { finding: Finding::LeaveMessage, engine: "cloud-mind", .. }), "{done:?}");
    ask(&mut mind, 2, "Hm?");
    minds.cloud.says(MindEvent::Over { request: RequestId(2), then: None }).await;
    assert_eq!(left(heard.try_recv().unwrap()).why, WhyLeft::Broken, "an empty answer is none");
}

#[tokio::test]
async fn a_gate_that_refuses_is_no_failure_of_the_engine_and_is_told_to_nobody() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&Arc::new(CallGate::closed()));
    ask(&mut mind, 1, "When do you open?");
    assert!(minds.cloud.told().is_empty(), "not even opened");
    assert_eq!(minds.lan.told(), ["open", "ask 1 When do you open?"]);
    minds.lan.says(found(1, "At nine.", "lan-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { .. }));
    assert!(minds.chain.health().iter().all(|fact| fact.state == HealthState::Well));
}

#[tokio::test]
async fn a_caller_who_objects_is_kept_on_the_box_from_the_next_question_on() {
    let minds = Minds::new();
    let gate = gate();
    let (mut mind, _heard) = minds.open(&gate);
    ask(&mut mind, 1, "When do you open?");
    minds.cloud.says(found(1, "At eight.", "cloud-mind")).await;
    mind.said(&Private::new("At eight.".to_owned()));
    gate.wish(CallerWish::Objects);
    minds.cloud.told();
    ask(&mut mind, 2, "And on Sunday?");
    assert!(minds.cloud.told().is_empty());
    let expected = ["open", "overheard When do you open?", "said At eight.", "ask 2 And on Sunday?"];
    assert_eq!(minds.lan.told(), expected, "a mind that is opened late knows the conversation so far");
}

#[tokio::test]
async fn the_others_hear_what_was_asked_and_said_and_nothing_that_was_taken_back() {
    let minds = Minds::new();
    let (mut mind, _heard) = minds.open(&gate());
    ask(&mut mind, 1, "When do you");
    minds.cloud.says(found(1, "What?", "cloud-mind")).await;
    mind.abandon();
    ask(&mut mind, 2, "When do you open?");
    minds.cloud.says(sentence(2, "At eight.")).await;
    mind.said(&Private::new("At".to_owned()));
    mind.abandon();
    assert_eq!(minds.own.told(), ["open", "overheard When do you open?", "said At"]);
    assert_eq!(
        minds.cloud.told(),
        ["open", "ask 1 When do you", "abandon", "ask 2 When do you open?", "said At", "abandon"]
    );
}

#[tokio::test]
async fn a_mind_that_is_left_alone_is_tried_beside_another_and_comes_back_when_it_is_well() {
    let minds = Minds::new();
    let gate = gate();
    for request in [1, 2] {
        let (mut mind, _heard) = minds.open(&gate);
        ask(&mut mind, request, "When do you open?");
        minds.cloud.says(MindEvent::Failed { request: RequestId(request), error: MindError::Unreachable }).await;
    }
    assert!(
        minds.chain.health().iter().any(|fact| fact.name == "mind cloud-mind" && fact.state == HealthState::Impaired)
    );
    minds.cloud.told();
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 3, "When do you open?");
    assert!(minds.cloud.told().is_empty(), "its breaker is open: nobody waits for it");
    minds.lan.says(found(3, "At nine.", "lan-mind")).await;
    heard.try_recv().unwrap();
    minds.time.pass(3000).await;
    ask(&mut mind, 4, "And on Sunday?");
    assert_eq!(minds.cloud.told().last().unwrap(), "ask 4 And on Sunday?", "it is tried");
    minds.cloud.says(found(4, "Closed.", "cloud-mind")).await;
    assert!(heard.try_recv().is_err(), "and its answer is not used");
    minds.lan.says(found(4, "Closed on Sunday.", "lan-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "lan-mind", .. }));
    ask(&mut mind, 5, "Thank you.");
    minds.cloud.says(found(5, "You are welcome.", "cloud-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "cloud-mind", .. }), "it is back");
}

/// How an engine is, as a manager reads it.
fn told_of(facts: Vec<HealthFact>, name: &str) -> (HealthState, String) {
    let fact = facts.into_iter().find(|fact| fact.name == name).unwrap();
    (fact.state, fact.sentence)
}

#[tokio::test]
async fn a_question_that_a_mind_settled_on_the_box_says_nothing_of_its_provider() {
    let minds = Minds::new();
    let gate = gate();
    let fails = |request| MindEvent::Failed { request: RequestId(request), error: MindError::Unreachable };
    let of_the_cloud = || told_of(minds.chain.health(), "mind cloud-mind");
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 1, "When do you open?");
    minds.cloud.says(fails(1)).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Left(_)));
    minds.lan.says(found(1, "At nine.", "lan-mind")).await;
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 2, "Thank you.");
    minds.cloud.says(found(2, "You are welcome.", "own-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "own-mind", .. }));
    assert!(of_the_cloud().1.contains("0 pieces of work done, 1 failed"), "{:?}", of_the_cloud());
    let (mut mind, mut heard) = minds.open(&gate);
    ask(&mut mind, 3, "When do you open?");
    minds.cloud.says(fails(3)).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Left(_)));
    minds.lan.says(found(3, "At nine.", "lan-mind")).await;
    assert_eq!(of_the_cloud().0, HealthState::Impaired, "two failures, and nothing good between them");
    // Nor is it a try that went well; the next question is one.
    minds.time.pass(3000).await;
    let (mut mind, mut heard) = minds.open(&gate);
    for (request, words) in [(5, "Thank you."), (6, "When do you open?")] {
        minds.cloud.told();
        ask(&mut mind, request, words);
        assert_eq!(minds.cloud.told().last().unwrap(), &format!("ask {request} {words}"), "it is tried");
        minds.lan.says(found(request, "At nine.", "lan-mind")).await;
        assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "lan-mind", .. }));
        if request == 5 {
            minds.cloud.says(found(5, "You are welcome.", "own-mind")).await;
            assert_eq!(of_the_cloud().0, HealthState::Impaired);
        }
    }
    minds.cloud.says(found(6, "At eight.", "cloud-mind")).await;
    assert_eq!(of_the_cloud().0, HealthState::Well);
}

#[tokio::test]
async fn a_question_for_which_the_box_itself_was_too_slow_says_nothing_of_a_provider() {
    let minds = Minds::new();
    let gate = gate();
    let fails = |request, error| MindEvent::Failed { request: RequestId(request), error };
    let of_the_cloud = || told_of(minds.chain.health(), "mind cloud-mind");
    for request in [1, 2, 3] {
        let (mut mind, mut heard) = minds.open(&gate);
        ask(&mut mind, request, "My name is Ngozi.");
        minds.cloud.says(fails(request, MindError::BoxBusy)).await;
        minds.lan.says(found(request, "Thank you.", "lan-mind")).await;
        let told = heard.try_recv().unwrap();
        assert!(matches!(told, MindEvent::Found { engine: "lan-mind", .. }), "no failover is told: {told:?}");
    }
    assert!(of_the_cloud().1.contains("0 pieces of work done, 0 failed"), "{:?}", of_the_cloud());
    for request in [4, 5] {
        let (mut mind, _heard) = minds.open(&gate);
        ask(&mut mind, request, "When do you open?");
        minds.cloud.says(fails(request, MindError::Unreachable)).await;
    }
    assert_eq!(of_the_cloud().0, HealthState::Impaired);
    // Nor is it a try that has failed, or one that is still waited for.
    minds.time.pass(3000).await;
    let (mut mind, _heard) = minds.open(&gate);
    for request in [6, 7] {
        minds.cloud.told();
        ask(&mut mind, request, "When do you open?");
        let asked = format!("ask {request} When do you open?");
        assert_eq!(minds.cloud.told().last().unwrap(), &asked, "it is tried");
        minds.lan.says(found(request, "At nine.", "lan-mind")).await;
        if request == 6 {
            minds.cloud.says(fails(6, MindError::BoxBusy)).await;
            assert_eq!(of_the_cloud().0, HealthState::Impaired);
        }
    }
    minds.cloud.says(found(7, "At eight.", "cloud-mind")).await;
    assert_eq!(of_the_cloud().0, HealthState::Well);
}

#[tokio::test]
async fn nothing_is_answered_after_the_call_has_abandoned_its_question() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    ask(&mut mind, 1, "When do you open?");
    mind.abandon();
    minds.cloud.says(found(1, "At eight.", "cloud-mind")).await;
    minds.time.pass(5000).await;
    assert!(heard.try_recv().is_err());
    assert!(minds.lan.told().is_empty() && !minds.own.told().iter().any(|told| told.starts_with("ask")));
}

#[tokio::test]
async fn a_key_of_the_menu_is_answered_by_the_box_itself() {
    let minds = Minds::new();
    let (mut mind, mut heard) = minds.open(&gate());
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned_datetime(jiff::tz::TimeZone::UTC);
    mind.ask_topic(RequestId(9), Topic::Hours, &now);
    assert_eq!(minds.own.told(), ["open", "topic 9"]);
    minds.own.says(found(9, "At eight.", "own-mind")).await;
    assert!(matches!(heard.try_recv().unwrap(), MindEvent::Found { engine: "own-mind", .. }));
}

// ---- ears -----------------------------------------------------------------

#[derive(Default)]
struct EarsPuppet {
    told: Mutex<Vec<String>>,
    ears: Mutex<Vec<mpsc::Sender<EarsEvent>>>,
}

impl EarsPuppet {
    fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    async fn says(&self, event: EarsEvent) {
        let answers = self.ears.lock().unwrap().last().unwrap().clone();
        answers.send(event).await.unwrap();
        settle().await;
    }
}

struct Ears {
    name: &'static str,
    puppet: Arc<EarsPuppet>,
    judges_by: JudgesBy,
}

impl Transcriber for Ears {
    fn name(&self) -> &'static str {
        self.name
    }

    fn judges_by(&self) -> JudgesBy {
        self.judges_by
    }

    fn open(&self, _setting: &CallSetting, answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        self.puppet.ears.lock().unwrap().push(answers);
        Box::new(Listener(Arc::clone(&self.puppet)))
    }
}

struct Listener(Arc<EarsPuppet>);

impl Listener {
    fn note(&self, what: String) {
        self.0.told.lock().unwrap().push(what);
    }
}

impl Hearing for Listener {
    fn line_answered(&mut self, rate: SampleRate) {
        self.note(format!("rate {}", rate.hz()));
    }

    fn frame(&mut self, frame: &Frame, _at: Moment) {
        self.note(format!("frame {}", frame.samples()[0]));
    }

    fn frame_of_narrow(&mut self, narrow: &Frame, wide: &Frame, _at: Moment) {
        self.note(format!("narrow {} of {}", narrow.samples().len(), wide.samples().len()));
    }

    fn turn_began(&mut self, _at: Moment) {
        self.note("turn".to_owned());
    }

    fn decode(&mut self, request: RequestId) {
        self.note(format!("decode {}", request.0));
    }

    fn judge(&mut self, request: RequestId) {
        self.note(format!("judge {}", request.0));
    }

    fn abandon(&mut self) {
        self.note("abandon".to_owned());
    }
}

struct ThreeEars {
    time: Time,
    cloud: Arc<EarsPuppet>,
    lan: Arc<EarsPuppet>,
    own: Arc<EarsPuppet>,
    chain: EarsChain,
}

impl ThreeEars {
    fn new() -> Self {
        Self::whose_first(JudgesBy::Melody)
    }

    /// Three ears, the first of which may judge turns by their words.
    fn whose_first(first: JudgesBy) -> Self {
        let (time, [cloud, lan, own]) = (Time::new(), [(); 3].map(|()| Arc::new(EarsPuppet::default())));
        let ears = |name, puppet: &Arc<EarsPuppet>| -> Arc<dyn Transcriber> {
            let judges_by = if name == "cloud-ears" { first } else { JudgesBy::Melody };
            Arc::new(Ears { name, puppet: Arc::clone(puppet), judges_by })
        };
        let stage = EngineStage::Ears;
        let better = vec![
            link(stage, "cloud-ears", ears("cloud-ears", &cloud), in_the_cloud()),
            link(stage, "lan-ears", ears("lan-ears", &lan), None),
        ];
        let health = EngineHealth::new(stage, "own-ears", BreakerRules::default(), Arc::new(|| 0.0));
        let on_the_box = Link::on_the_box(stage, ears("own-ears", &own), health);
        let chain = EarsChain::new(better, on_the_box, time.works());
        Self { time, cloud, lan, own, chain }
    }

    fn open(&self) -> (Box<dyn Hearing>, mpsc::Receiver<EarsEvent>) {
        let (answers, heard) = mpsc::channel(16);
        (self.chain.open(&setting(&gate()), answers), heard)
    }

    /// Frames of the caller, numbered.
    async fn hear(&self, hearing: &mut Box<dyn Hearing>, frames: std::ops::Range<i16>) {
        for n in frames {
            self.time.pass(20).await;
            hearing.frame(&Frame::from_samples(SampleRate::Hz16000, &[n; 320]), self.time.now());
        }
    }
}

fn words(request: u32, words: &str, engine: &'static str) -> EarsEvent {
    let confidence = Confidence { mean_log_probability: -0.1, no_speech: 0.0, compression: 1.0, repeats: false };
    let (took, sound) = (Duration::ZERO, Duration::ZERO);
    EarsEvent::Heard(Heard {
        request: RequestId(request),
        words: Private::new(words.to_owned()),
        confidence,
        engine,
        took,
        sound,
    })
}

#[tokio::test]
async fn ears_that_stall_are_left_and_the_next_hear_the_whole_turn_in_order() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    hearing.line_answered(SampleRate::Hz8000);
    ears.hear(&mut hearing, 0..40).await;
    let began = ears.time.now() - Duration::from_millis(60);
    hearing.turn_began(began);
    ears.hear(&mut hearing, 40..60).await;
    hearing.judge(RequestId(3));
    hearing.decode(RequestId(3));
    assert!(ears.cloud.told().contains(&"decode 3".to_owned()));
    let own = ears.own.told();
    assert!(own.contains(&"judge 3".to_owned()) && !own.contains(&"decode 3".to_owned()));
    assert_eq!(own.iter().filter(|told| told.starts_with("frame")).count(), 60, "the box's own hear everything");
    ears.time.pass(1000).await;
    let EarsEvent::Left(failover) = heard.try_recv().unwrap() else { panic!("no failover") };
    assert_eq!((failover.to.as_str(), failover.why), ("lan-ears", WhyLeft::WordsDeadline));
    let told = ears.lan.told();
    assert_eq!((told.first().unwrap().as_str(), told.last().unwrap().as_str()), ("rate 8000", "decode 3"));
    // 60 ms and a pre-roll of 300 ms before what was heard when the turn was told.
    let turn = told.iter().position(|t| t == "turn").unwrap();
    assert_eq!(
        (told[1].as_str(), told[turn - 1].as_str(), told[turn + 1].as_str()),
        ("frame 21", "frame 39", "frame 40")
    );
    assert_eq!(told.iter().filter(|t| t.starts_with("frame")).count(), 60 - 21);
    ears.lan.says(words(3, "When do you open?", "lan-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "lan-ears", .. })));
}

#[tokio::test]
async fn the_boxs_own_ears_take_over_without_a_replay_and_alone_judge_the_turn() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    hearing.line_answered(SampleRate::Hz16000);
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.judge(RequestId(1));
    hearing.decode(RequestId(1));
    ears.cloud.says(EarsEvent::TurnOver { request: RequestId(1), probability: 0.1 }).await;
    ears.own.says(EarsEvent::TurnOver { request: RequestId(1), probability: 0.9 }).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::TurnOver { probability, .. } if probability > 0.5));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    ears.lan.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    let own = ears.own.told();
    assert_eq!(own.iter().filter(|told| told.starts_with("frame")).count(), 10, "{own:?}");
    assert_eq!(own.last().unwrap(), "decode 1");
    ears.own.says(words(1, "When do you open?", "own-ears")).await;
    let events: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    assert!(matches!(events[..], [EarsEvent::Left(_), EarsEvent::Left(_), EarsEvent::Heard(_)]), "{events:?}");
    // The next turn is heard by who is well.
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(2));
    assert_eq!(ears.own.told().last().unwrap(), "decode 2");
}

#[tokio::test]
async fn where_ears_are_late_the_boxs_own_words_are_there_at_their_deadline_and_not_before() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    hearing.line_answered(SampleRate::Hz16000);
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    let decodes = || ears.own.told().iter().filter(|told| told.starts_with("decode")).count();
    ears.time.pass(400).await;
    assert_eq!(decodes(), 0, "who answers in time costs the box no decode");
    ears.time.pass(200).await;
    assert_eq!(decodes(), 1, "half of the time is over");
    ears.own.says(words(1, "Wendy?", "own-ears")).await;
    assert!(heard.try_recv().is_err(), "the others may still answer");
    ears.cloud.says(words(1, "When do you close?", "cloud-ears")).await;
    let events: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    assert!(matches!(&events[..], [EarsEvent::Heard(told)] if told.engine == "cloud-ears"), "{events:?}");

    hearing.turn_began(ears.time.now());
    ears.hear(&mut hearing, 10..12).await;
    hearing.decode(RequestId(2));
    ears.time.pass(600).await;
    assert_eq!(decodes(), 1);
    ears.own.says(words(2, "When do you open?", "own-ears")).await;
    ears.cloud.says(EarsEvent::Failed { request: RequestId(2), error: EarsError::Lost("closed") }).await;
    ears.lan.says(EarsEvent::Failed { request: RequestId(2), error: EarsError::Lost("closed") }).await;
    let events: Vec<_> = std::iter::from_fn(|| heard.try_recv().ok()).collect();
    let [EarsEvent::Left(_), EarsEvent::Left(to_own), EarsEvent::Heard(told)] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((to_own.to.as_str(), told.engine), ("own-ears", "own-ears"));
    assert_eq!(decodes(), 0, "they are not asked again");
}

fn verdict(request: u32, probability: f32) -> EarsEvent {
    EarsEvent::TurnOver { request: RequestId(request), probability }
}

/// What was said of whether a turn is over, of all that was told.
fn verdicts(heard: &mut mpsc::Receiver<EarsEvent>) -> Vec<(u32, f32)> {
    let told = std::iter::from_fn(|| heard.try_recv().ok());
    told.filter_map(|event| match event {
        EarsEvent::TurnOver { request, probability } => Some((request.0, probability)),
        _ => None,
    })
    .collect()
}

fn judgements(puppet: &EarsPuppet) -> Vec<String> {
    puppet.told().into_iter().filter(|told| told.starts_with("judge")).collect()
}

#[tokio::test]
async fn who_has_heard_the_words_judges_the_turn_before_who_heard_its_melody() {
    let ears = ThreeEars::whose_first(JudgesBy::Words);
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.judge(RequestId(1));
    assert_eq!((judgements(&ears.cloud), judgements(&ears.own)), (vec!["judge 1".to_owned()], vec![]));
    ears.cloud.says(verdict(1, 0.2)).await;
    ears.time.pass(1000).await;
    assert_eq!((verdicts(&mut heard), judgements(&ears.own)), (vec![(1, 0.2)], vec![]), "it decides itself");
    // Who is quicker is believed until the other has spoken.
    hearing.judge(RequestId(2));
    ears.time.pass(290).await;
    assert_eq!(judgements(&ears.own), Vec::<String>::new());
    ears.time.pass(10).await;
    assert_eq!(judgements(&ears.own), ["judge 2"], "it says nothing, so the melody is asked");
    ears.own.says(verdict(2, 0.9)).await;
    ears.cloud.says(verdict(2, 0.3)).await;
    ears.own.says(verdict(2, 0.8)).await;
    assert_eq!(verdicts(&mut heard), [(2, 0.9), (2, 0.3)]);
}

#[tokio::test]
async fn a_sentence_that_is_heard_to_its_end_costs_no_judgement_by_its_melody() {
    let ears = ThreeEars::whose_first(JudgesBy::Punctuation);
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    let pause = |hearing: &mut Box<dyn Hearing>, request| {
        hearing.decode(RequestId(request));
        hearing.judge(RequestId(request));
    };
    pause(&mut hearing, 1);
    ears.cloud.says(words(1, "When do you open on Saturday?", "cloud-ears")).await;
    ears.time.pass(1000).await;
    let told = verdicts(&mut heard);
    assert!(matches!(told[..], [(1, probability)] if probability > 0.5), "{told:?}");
    assert_eq!(judgements(&ears.own), Vec::<String>::new());
    // Where it is open, the melody is asked as soon as that is known.
    pause(&mut hearing, 2);
    ears.cloud.says(words(2, "When do you open on", "cloud-ears")).await;
    assert_eq!(judgements(&ears.own), ["judge 2"]);
    ears.own.says(verdict(2, 0.1)).await;
    assert_eq!(verdicts(&mut heard), [(2, 0.1)]);
    // And where the words are late.
    pause(&mut hearing, 3);
    ears.time.pass(300).await;
    assert_eq!(judgements(&ears.own), ["judge 3"]);
    ears.cloud.says(words(3, "When do you open?", "cloud-ears")).await;
    assert_eq!(verdicts(&mut heard), [], "it is asked already");
    // A number that is said in groups is full of sentences.
    hearing.decode(RequestId(4));
    hearing.judge_by_melody(RequestId(4));
    assert_eq!(judgements(&ears.own), ["judge 4"]);
    ears.cloud.says(words(4, "My name is Ada.", "cloud-ears")).await;
    assert_eq!(verdicts(&mut heard), []);
}

#[tokio::test]
async fn ears_that_know_silences_are_asked_as_well_and_their_word_stands() {
    let ears = ThreeEars::whose_first(JudgesBy::Punctuation);
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    hearing.judge(RequestId(1));
    ears.cloud.says(words(1, "When do you open on", "cloud-ears")).await;
    let asked = vec!["judge 1".to_owned()];
    assert_eq!((judgements(&ears.cloud), judgements(&ears.own)), (asked.clone(), asked));
    ears.own.says(verdict(1, 0.1)).await;
    ears.cloud.says(verdict(1, 0.8)).await;
    ears.own.says(verdict(1, 0.2)).await;
    assert_eq!(verdicts(&mut heard), [(1, 0.1), (1, 0.8)], "nobody has said a word for a second");
    hearing.judge_by_melody(RequestId(2));
    assert_eq!(judgements(&ears.cloud), Vec::<String>::new());
    // Unasked they say that the words have ended; those whose words do not count may not.
    let at = ears.time.now();
    ears.own.says(EarsEvent::WordsEnded { at, silent_until: at }).await;
    ears.own.says(EarsEvent::WordsBegan { at }).await;
    assert!(heard.try_recv().is_err());
    ears.cloud.says(EarsEvent::WordsEnded { at, silent_until: at }).await;
    assert!(matches!(heard.try_recv(), Ok(EarsEvent::WordsEnded { at: told, .. }) if told == at));
    ears.cloud.says(EarsEvent::WordsBegan { at }).await;
    assert!(matches!(heard.try_recv(), Ok(EarsEvent::WordsBegan { at: told }) if told == at));
}

#[tokio::test]
async fn ears_get_the_sound_of_a_narrow_line_as_it_came_too() {
    let ears = ThreeEars::new();
    let (mut hearing, _heard) = ears.open();
    let [narrow, wide] = [SampleRate::Hz8000, SampleRate::Hz16000].map(Frame::silence);
    hearing.frame_of_narrow(&narrow, &wide, ears.time.now());
    assert_eq!(
        (ears.cloud.told(), ears.own.told()),
        (vec!["narrow 160 of 320".to_owned()], vec!["narrow 160 of 320".to_owned()])
    );
}

#[tokio::test]
async fn ears_that_are_left_in_a_pause_leave_its_judgement_to_the_box() {
    let ears = ThreeEars::whose_first(JudgesBy::Punctuation);
    let (mut hearing, _heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    hearing.judge(RequestId(1));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    assert_eq!(judgements(&ears.own), ["judge 1"]);
}

#[tokio::test]
async fn only_one_engine_in_the_cloud_or_on_the_lan_is_given_a_callers_sound() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..10).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    ears.cloud.says(words(1, "Hello.", "cloud-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(_)));
    assert!(ears.lan.told().is_empty());
    hearing.decode(RequestId(2));
    hearing.abandon();
    ears.cloud.says(words(2, "Hello.", "cloud-ears")).await;
    ears.time.pass(20_000).await;
    assert!(heard.try_recv().is_err(), "nobody wants it any more");
}

#[tokio::test]
async fn a_caller_who_objects_in_the_middle_of_a_turn_is_heard_by_the_next_engine_in_full() {
    let ears = ThreeEars::new();
    let gate = gate();
    let (answers, mut heard) = mpsc::channel(16);
    let mut hearing = ears.chain.open(&setting(&gate), answers);
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    ears.hear(&mut hearing, 5..10).await;
    gate.wish(CallerWish::Objects);
    ears.cloud.told();
    hearing.decode(RequestId(1));
    assert_eq!(ears.cloud.told(), ["abandon"], "the words of this turn are not asked of the cloud");
    let told = ears.lan.told();
    assert_eq!(told.iter().filter(|t| t.starts_with("frame")).count(), 10, "{told:?}");
    assert_eq!(told.last().unwrap(), "decode 1");
    ears.lan.says(words(1, "Please do not record me.", "lan-ears")).await;
    let first = heard.try_recv().unwrap();
    assert!(matches!(first, EarsEvent::Heard(_)), "a wish is no failover: {first:?}");
    assert!(ears.chain.health().iter().all(|fact| fact.state == HealthState::Well));
}

#[tokio::test]
async fn ears_that_may_hear_no_more_of_a_caller_are_left_with_the_next_frame() {
    let ears = ThreeEars::new();
    let gate = gate();
    let (answers, mut heard) = mpsc::channel(16);
    let mut hearing = ears.chain.open(&setting(&gate), answers);
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    gate.wish(CallerWish::Restricts);
    ears.cloud.told();
    ears.hear(&mut hearing, 5..10).await;
    let cloud = ears.cloud.told();
    assert!(!cloud.iter().any(|told| told.starts_with("frame")), "{cloud:?}");
    let lan = ears.lan.told();
    assert_eq!(lan.iter().filter(|t| t.starts_with("frame")).count(), 10, "each frame once: {lan:?}");
    assert_eq!(lan.iter().filter(|t| *t == "decode 1").count(), 1, "what was asked is asked of the next");
    ears.lan.says(words(1, "Do not send my voice to the cloud.", "lan-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(_)), "and no failover is told");
}

#[tokio::test]
async fn ears_that_let_a_caller_down_hear_a_later_turn_beside_the_others_and_come_back() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(1), error: EarsError::Lost("closed") }).await;
    ears.lan.says(words(1, "Hello?", "lan-ears")).await;
    assert!(matches!(
        (heard.try_recv().unwrap(), heard.try_recv().unwrap()),
        (EarsEvent::Left(_), EarsEvent::Heard(_))
    ));
    ears.cloud.told();
    hearing.turn_began(ears.time.now());
    assert!(ears.cloud.told().is_empty(), "not so soon");
    ears.time.pass(10_000).await;
    hearing.turn_began(ears.time.now());
    ears.hear(&mut hearing, 5..8).await;
    hearing.decode(RequestId(2));
    let told = ears.cloud.told();
    assert_eq!(
        (told.iter().filter(|t| t.starts_with("frame")).count(), told.last().unwrap().as_str()),
        (3, "decode 2")
    );
    assert_eq!(ears.cloud.ears.lock().unwrap().len(), 2, "over a new connection");
    ears.cloud.says(words(2, "Hello there?", "cloud-ears")).await;
    assert!(heard.try_recv().is_err(), "a trial is not heard");
    ears.lan.says(words(2, "Hello there?", "lan-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "lan-ears", .. })));
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(3));
    ears.cloud.says(words(3, "Are you open?", "cloud-ears")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "cloud-ears", .. })));
}

#[tokio::test]
async fn silence_that_the_box_found_itself_says_nothing_of_a_server_of_ears() {
    let ears = ThreeEars::new();
    let (mut hearing, mut heard) = ears.open();
    let of_the_cloud = || told_of(ears.chain.health(), "ears cloud-ears").1;
    ears.hear(&mut hearing, 0..5).await;
    hearing.turn_began(ears.time.now());
    hearing.decode(RequestId(1));
    ears.cloud.says(words(1, "", "silence-onbox")).await;
    assert!(matches!(heard.try_recv().unwrap(), EarsEvent::Heard(Heard { engine: "silence-onbox", .. })));
    assert!(of_the_cloud().contains("0 pieces of work done"), "{}", of_the_cloud());
    hearing.decode(RequestId(2));
    ears.cloud.says(EarsEvent::Failed { request: RequestId(2), error: EarsError::Lost("closed") }).await;
    ears.lan.says(words(2, "Hello?", "lan-ears")).await;
    ears.time.pass(10_000).await;
    // A trial in a turn without a voice is none: the next turn has another.
    for request in [3, 4] {
        ears.cloud.told();
        hearing.turn_began(ears.time.now());
        ears.hear(&mut hearing, 5..8).await;
        hearing.decode(RequestId(request));
        assert_eq!(ears.cloud.told().last().unwrap(), &format!("decode {request}"), "it is tried");
        ears.lan.says(words(request, "", "lan-ears")).await;
        ears.cloud.says(words(request, "", "silence-onbox")).await;
    }
    while let Ok(event) = heard.try_recv() {
        assert!(!matches!(event, EarsEvent::Heard(Heard { engine: "silence-onbox", .. })), "a trial is not heard");
    }
    assert!(of_the_cloud().contains("0 pieces of work done, 1 failed"), "{}", of_the_cloud());
}

#[tokio::test]
async fn a_call_is_heard_outside_only_while_ears_there_are_well_allowed_and_paid_for() {
    let time = Time::new();
    let [cloud, own] = [(); 2].map(|()| Arc::new(EarsPuppet::default()));
    let standing = Arc::new(Mutex::new(Budget::Ample));
    let budget: BudgetSource = {
        let standing = Arc::clone(&standing);
        Arc::new(move |_| *standing.lock().unwrap())
    };
    let stage = EngineStage::Ears;
    let health = |name| EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.0));
    let ears = |name, puppet: &Arc<EarsPuppet>| -> Arc<dyn Transcriber> {
        Arc::new(Ears { name, puppet: Arc::clone(puppet), judges_by: JudgesBy::Melody })
    };
    let better =
        vec![Link::over_a_network(stage, ears("cloud-ears", &cloud), health("cloud-ears"), in_the_cloud(), budget)];
    let on_the_box = || Link::on_the_box(stage, ears("own-ears", &own), health("own-ears"));
    let chain = EarsChain::new(better, on_the_box(), time.works());
    assert!(chain.hears_outside(&gate()));
    assert!(!chain.hears_outside(&CallGate::closed()), "the policy keeps it");
    assert!(chain.hears_outside(&gate_to("api.cloud.example", Ground::Consent)), "the caller is asked first");
    for ground in [Ground::LegitimateInterest, Ground::Consent] {
        assert!(!chain.hears_outside(&gate_to("new.cloud.example", ground)), "its host is in the policy no more");
    }
    let objects = gate();
    objects.wish(CallerWish::Objects);
    assert!(!chain.hears_outside(&objects));
    *standing.lock().unwrap() = Budget::Near;
    assert!(!chain.hears_outside(&gate()), "the budget is nearly spent");
    *standing.lock().unwrap() = Budget::Ample;
    for request in [1, 2] {
        assert!(chain.hears_outside(&gate()), "one failure is bad luck");
        let (answers, _heard) = mpsc::channel(16);
        let mut hearing = chain.open(&setting(&gate()), answers);
        hearing.turn_began(time.now());
        hearing.decode(RequestId(request));
        cloud.says(EarsEvent::Failed { request: RequestId(request), error: EarsError::Lost("closed") }).await;
    }
    assert!(!chain.hears_outside(&gate()), "the cable is cut");
    assert!(!EarsChain::new(Vec::new(), on_the_box(), time.works()).hears_outside(&gate()), "there are none");
}

#[tokio::test]
async fn an_engine_whose_budget_is_near_its_end_is_passed_over_and_is_well() {
    let time = Time::new();
    let [cloud, own] = [(); 2].map(|()| Arc::new(Puppet::default()));
    let standing = Arc::new(Mutex::new(Budget::Ample));
    let call = CallId::from_parts(1, [7; 10]);
    let budget: BudgetSource = {
        let standing = Arc::clone(&standing);
        Arc::new(move |asking| {
            assert_eq!(asking, Some(call), "a call has a ceiling of its own");
            *standing.lock().unwrap()
        })
    };
    let stage = EngineStage::Mind;
    let health = |name| EngineHealth::new(stage, name, BreakerRules::default(), Arc::new(|| 0.0));
    let mind =
        |name, puppet: &Arc<Puppet>| -> Arc<dyn Responder> { Arc::new(Mind { name, puppet: Arc::clone(puppet) }) };
    let better =
        vec![Link::over_a_network(stage, mind("cloud-mind", &cloud), health("cloud-mind"), in_the_cloud(), budget)];
    let chain =
        MindChain::new(better, Link::on_the_box(stage, mind("own-mind", &own), health("own-mind")), time.works());
    let (answers, _heard) = mpsc::channel(16);
    let mut thinking = chain.open(&CallSetting { call: Some(call), ..setting(&gate()) }, answers);
    ask(&mut thinking, 1, "When do you open?");
    assert_eq!(cloud.told(), ["open", "ask 1 When do you open?"]);
    cloud.says(found(1, "At eight.", "cloud-mind")).await;
    for (request, now) in [(2, Budget::Near), (3, Budget::Spent)] {
        *standing.lock().unwrap() = now;
        ask(&mut thinking, request, "And on Sunday?");
        assert!(!cloud.told().iter().any(|told| told.starts_with("ask")));
        assert_eq!(own.told().last().unwrap(), &format!("ask {request} And on Sunday?"));
    }
    *standing.lock().unwrap() = Budget::Ample;
    ask(&mut thinking, 4, "And on Monday?");
    assert_eq!(cloud.told().last().unwrap(), "ask 4 And on Monday?");
}

// ---- voices ---------------------------------------------------------------

/// A sentence that a voice was given, and where its sound goes.
struct Given {
    text: String,
    utterance: UtteranceId,
    sound: mpsc::Sender<VoiceEvent>,
    cancelled: CancellationToken,
}

#[derive(Default)]
struct VoicePuppet {
    given: Mutex<Vec<Given>>,
}

impl VoicePuppet {
    fn texts(&self) -> Vec<String> {
        self.given.lock().unwrap().iter().map(|given| given.text.clone()).collect()
    }

    async fn says(&self, event: impl FnOnce(UtteranceId) -> VoiceEvent) {
        let (utterance, sound) = {
            let given = self.given.lock().unwrap();
            let last = given.last().unwrap();
            (last.utterance, last.sound.clone())
        };
        sound.send(event(utterance)).await.unwrap();
        settle().await;
    }

    async fn sounds(&self, ms: usize, engine: &'static str) {
        self.says(|utterance| VoiceEvent::Sound { utterance, samples: vec![1; ms * 8], engine }).await;
    }

    async fn is_done(&self) {
        self.says(|utterance| VoiceEvent::Done { utterance }).await;
    }
}

struct Singer {
    name: &'static str,
    puppet: Arc<VoicePuppet>,
}

impl Synthesizer for Singer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn open(&self, _setting: &CallSetting) -> Box<dyn Voice> {
        Box::new(Throat(Arc::clone(&self.puppet)))
    }
}

struct Throat(Arc<VoicePuppet>);

impl Voice for Throat {
    fn speak(&self, request: SpeakRequest, sound: mpsc::Sender<VoiceEvent>) -> Speaking {
        let cancelled = CancellationToken::new();
        let (text, utterance) = (request.text.into_exposed(), request.utterance);
        self.0.given.lock().unwrap().push(Given { text, utterance, sound, cancelled: cancelled.clone() });
        Speaking::new(cancelled)
    }
}

struct TwoVoices {
    time: Time,
    cloud: Arc<VoicePuppet>,
    own: Arc<VoicePuppet>,
    chain: VoiceChain,
}

impl TwoVoices {
    fn new() -> Self {
        let (time, [cloud, own]) = (Time::new(), [(); 2].map(|()| Arc::new(VoicePuppet::default())));
        let singer = |name, puppet: &Arc<VoicePuppet>| -> Arc<dyn Synthesizer> {
            Arc::new(Singer { name, puppet: Arc::clone(puppet) })
        };
        let stage = EngineStage::Voice;
        let better = vec![link(stage, "cloud-voice", singer("cloud-voice", &cloud), in_the_cloud())];
        let health = EngineHealth::new(stage, "own-voice", BreakerRules::default(), Arc::new(|| 0.0));
        let on_the_box = Link::on_the_box(stage, singer("own-voice", &own), health);
        let chain = VoiceChain::new(better, on_the_box, time.works());
        Self { time, cloud, own, chain }
    }

    async fn speak(&self, voice: &dyn Voice) -> (Speaking, mpsc::Receiver<VoiceEvent>) {
        let (sound, slices) = mpsc::channel(16);
        let text = Private::new(ANSWER.to_owned());
        let request = SpeakRequest { utterance: UtteranceId(4), text, rate: SampleRate::Hz8000, pace: 1.0 };
        let speaking = voice.speak(request, sound);
        settle().await;
        (speaking, slices)
    }
}

const ANSWER: &str = "We open at eight in the morning, and we close at six. On Sunday we are closed.";

fn all(slices: &mut mpsc::Receiver<VoiceEvent>) -> Vec<VoiceEvent> {
    std::iter::from_fn(|| slices.try_recv().ok()).collect()
}

#[tokio::test]
async fn a_voice_that_never_begins_is_left_and_the_caller_hears_the_whole_sentence_from_the_next() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.time.pass(890).await;
    assert!(voices.own.texts().is_empty());
    voices.time.pass(10).await;
    assert_eq!(voices.own.texts(), [ANSWER]);
    assert!(voices.cloud.given.lock().unwrap()[0].cancelled.is_cancelled());
    voices.own.sounds(400, "own-voice").await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let [VoiceEvent::Left { failover, .. }, VoiceEvent::Sound { .. }, VoiceEvent::Done { .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((failover.why, failover.to.as_str()), (WhyLeft::FirstSoundDeadline, "own-voice"));
}

#[tokio::test]
async fn a_voice_that_breaks_off_is_followed_by_the_next_from_the_word_that_was_not_heard() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    let ends: Vec<WordEnd> = [(2, 150), (7, 500), (10, 650), (16, 1000), (19, 1150)]
        .map(|(text_end, ms)| WordEnd { text_end, at: Duration::from_millis(ms) })
        .into();
    let told = ends.clone();
    voices.cloud.says(|utterance| VoiceEvent::Marks { utterance, ends }).await;
    voices.cloud.sounds(1000, "cloud-voice").await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    assert_eq!(voices.own.texts(), [&ANSWER[17..]], "no word twice and none lost");
    let mark = WordEnd { text_end: 2, at: Duration::from_millis(120) };
    voices.own.says(|utterance| VoiceEvent::Marks { utterance, ends: vec![mark] }).await;
    voices.own.sounds(500, "own-voice").await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let marks: Vec<&Vec<WordEnd>> =
        events.iter().filter_map(|e| if let VoiceEvent::Marks { ends, .. } = e { Some(ends) } else { None }).collect();
    let shifted = vec![WordEnd { text_end: 19, at: Duration::from_millis(1120) }];
    assert_eq!(marks, [&told, &shifted], "ends of words are those of the whole sentence");
    assert!(matches!(events.last(), Some(VoiceEvent::Done { utterance: UtteranceId(4) })));
}

#[tokio::test]
async fn a_voice_that_stops_is_left_only_when_the_caller_would_hear_the_hole() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.sounds(3200, "cloud-voice").await;
    voices.time.pass(2900).await;
    assert!(voices.own.texts().is_empty(), "there is still something to hear");
    voices.time.pass(100).await;
    let rest = voices.own.texts();
    assert_eq!(rest, ["and we close at six. On Sunday we are closed."], "a clause begins anew");
    let left = all(&mut slices)
        .into_iter()
        .find_map(|e| if let VoiceEvent::Left { failover, .. } = e { Some(failover) } else { None });
    assert_eq!(left.unwrap().why, WhyLeft::SoundGapDeadline);
}

#[tokio::test]
async fn a_sentence_that_is_dropped_is_dropped_everywhere() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (speaking, mut slices) = voices.speak(voice.as_ref()).await;
    drop(speaking);
    settle().await;
    assert!(voices.cloud.given.lock().unwrap()[0].cancelled.is_cancelled());
    voices.time.pass(5000).await;
    assert!(voices.own.texts().is_empty() && slices.recv().await.is_none());
}

#[tokio::test]
async fn when_the_boxs_own_voice_fails_too_the_sentence_fails_once() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&Arc::new(CallGate::closed())));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    assert!(voices.cloud.texts().is_empty());
    voices.own.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Overloaded }).await;
    let events = all(&mut slices);
    assert!(matches!(events[..], [VoiceEvent::Failed { error: VoiceError::Overloaded, .. }]), "{events:?}");
}

#[tokio::test]
async fn a_voice_that_let_a_caller_down_is_tried_unheard_and_comes_back() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    voices.own.sounds(200, "own-voice").await;
    voices.own.is_done().await;
    voices.time.pass(10_000).await;
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    assert_eq!((voices.own.texts().len(), voices.cloud.texts().len()), (2, 2));
    voices.cloud.sounds(200, "cloud-voice").await;
    voices.own.sounds(200, "own-voice").await;
    let events = all(&mut slices);
    assert!(matches!(events[..], [VoiceEvent::Sound { engine: "own-voice", .. }]), "{events:?}");
    assert!(voices.cloud.given.lock().unwrap()[1].cancelled.is_cancelled(), "one sound is enough to know");
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    assert_eq!((voices.own.texts().len(), voices.cloud.texts().len()), (2, 3), "it is back");
}

#[tokio::test]
async fn a_voice_that_is_done_without_a_sound_is_left_and_no_trial_that_is_as_mute_brings_it_back() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.is_done().await;
    assert_eq!(voices.own.texts(), [ANSWER], "the caller does not wait for it");
    voices.own.sounds(400, "own-voice").await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let [VoiceEvent::Left { failover, .. }, VoiceEvent::Sound { .. }, VoiceEvent::Done { .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((failover.why, failover.to.as_str()), (WhyLeft::Broken, "own-voice"));
    voices.time.pass(10_000).await;
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    assert_eq!(voices.cloud.texts().len(), 2, "it is tried");
    voices.cloud.sounds(0, "cloud-voice").await;
    voices.cloud.is_done().await;
    let (_speaking, _slices) = voices.speak(voice.as_ref()).await;
    assert_eq!((voices.own.texts().len(), voices.cloud.texts().len()), (3, 2), "it is as mute");
}

#[tokio::test]
async fn a_voice_that_takes_over_and_is_mute_as_well_is_a_sentence_that_failed() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (_speaking, mut slices) = voices.speak(voice.as_ref()).await;
    voices.cloud.sounds(1000, "cloud-voice").await;
    voices.cloud.says(|utterance| VoiceEvent::Failed { utterance, error: VoiceError::Lost("closed") }).await;
    voices.own.is_done().await;
    let events = all(&mut slices);
    let last = events.last().unwrap();
    assert!(matches!(last, VoiceEvent::Failed { error: VoiceError::Engine(_), .. }), "{events:?}");
}

#[tokio::test]
async fn a_sentence_without_a_word_needs_no_sound_and_says_nothing_of_a_voice() {
    let voices = TwoVoices::new();
    let voice = voices.chain.open(&setting(&gate()));
    let (sound, mut slices) = mpsc::channel(16);
    let text = Private::new("...".to_owned());
    let request = SpeakRequest { utterance: UtteranceId(4), text, rate: SampleRate::Hz8000, pace: 1.0 };
    let _speaking = voice.speak(request, sound);
    settle().await;
    voices.cloud.is_done().await;
    let events = all(&mut slices);
    assert!(matches!(events[..], [VoiceEvent::Done { utterance: UtteranceId(4) }]), "{events:?}");
    let (state, sentence) = told_of(voices.chain.health(), "voice cloud-voice");
    assert!(state == HealthState::Well && sentence.contains("0 pieces of work done, 0 failed"), "{sentence}");
}
