//! Deepgram's ears through the real door, against a server of this test that
//! speaks the provider's protocol over a real socket and misbehaves as told.
//! What a turn's words become in simulated time is tested beside the code.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share stands outside of them")]

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use milu::egress::{Door, DoorConfig};
use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::residency::{
    AskedHost, CallGate, CallerWish, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row,
    Safeguards, Verdict,
};
use milu::speech::cloud::deepgram::{Api, Bounds, DeepgramConfig, DeepgramEars, Uplink};
use milu::speech::{AwaitedWords, CallSetting, EarsError, EarsEvent, Hearing, Hints, Transcriber};
use milu::terms::{Moment, Private, RequestId};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::TaskTracker;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the provider saw.
#[derive(Debug)]
enum Seen {
    Opened { path: String, asked: HashMap<String, String>, key: String, terms: usize },
    Sound(usize),
    Text(String),
    Gone,
}

/// What the provider is told to do.
#[derive(Debug)]
enum Do {
    Say(String),
    SayBinary,
    Close(u16),
    /// Without a goodbye.
    Cut,
}

/// The provider: each connection takes the next of the orders.
struct Provider {
    host: Host,
    seen: mpsc::Receiver<Seen>,
    orders: mpsc::Sender<Do>,
}

#[derive(Clone)]
struct Serving {
    refuse_with: Option<u16>,
    seen: mpsc::Sender<Seen>,
    orders: Arc<Mutex<mpsc::Receiver<Do>>>,
}

impl Provider {
    async fn start(tasks: &TaskTracker, refuse_with: Option<u16>) -> Self {
        let (tell, seen) = mpsc::channel(1000);
        let (orders, to_do) = mpsc::channel(16);
        let serving = Serving { refuse_with, seen: tell, orders: Arc::new(Mutex::new(to_do)) };
        let router =
            Router::new().route("/v1/listen", get(listen)).route("/v2/listen", get(listen)).with_state(serving);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Host::parse(&listener.local_addr().unwrap().to_string()).unwrap();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { host, seen, orders }
    }

    async fn next(&mut self) -> Seen {
        tokio::time::timeout(PATIENCE, self.seen.recv()).await.expect("nothing came").expect("it serves")
    }

    async fn opened(&mut self) -> HashMap<String, String> {
        loop {
            if let Seen::Opened { asked, .. } = self.next().await {
                return asked;
            }
        }
    }

    /// Passes over sound until this word of the protocol; gives its octets.
    async fn sound_until(&mut self, word: &str) -> usize {
        let mut octets = 0;
        loop {
            match self.next().await {
                Seen::Sound(more) => octets += more,
                Seen::Text(text) if text == format!(r#"{{"type":"{word}"}}"#) => return octets,
                other => panic!("{other:?} before {word}"),
            }
        }
    }

    async fn say(&self, text: String) {
        self.orders.send(Do::Say(text)).await.unwrap();
    }
}

async fn listen(
    uri: Uri,
    Query(pairs): Query<Vec<(String, String)>>,
    headers: HeaderMap,
    State(serving): State<Serving>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if let Some(status) = serving.refuse_with {
        let status = StatusCode::from_u16(status).unwrap();
        return (status, [("retry-after", "7")], r#"{"err_code":"REFUSED","err_msg":"no"}"#).into_response();
    }
    let key = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    let terms = pairs.iter().filter(|(name, _)| name == "keyterm").count();
    let opened = Seen::Opened { path: uri.path().to_owned(), asked: pairs.into_iter().collect(), key, terms };
    serving.seen.send(opened).await.unwrap();
    upgrade.on_upgrade(move |socket| serve(socket, serving))
}

async fn serve(mut socket: WebSocket, serving: Serving) {
    loop {
        let mut orders = serving.orders.lock().await;
        tokio::select! {
            message = socket.recv() => {
                let seen = match message {
                    Some(Ok(Message::Binary(sound))) => Seen::Sound(sound.len()),
                    Some(Ok(Message::Text(text))) => Seen::Text(text.as_str().to_owned()),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => break,
                };
                let goodbye = matches!(&seen, Seen::Text(text) if text.contains("CloseStream"));
                serving.seen.send(seen).await.unwrap();
                if goodbye {
                    let last = Message::Text(r#"{"type":"Metadata","request_id":"r","duration":1.0,"channels":1}"#.into());
                    socket.send(last).await.unwrap();
                    close(&mut socket, 1000).await;
                }
            }
            Some(order) = orders.recv() => match order {
                Do::Say(text) => socket.send(Message::Text(text.into())).await.unwrap(),
                Do::SayBinary => socket.send(Message::Binary(vec![1, 2, 3].into())).await.unwrap(),
                Do::Close(code) => close(&mut socket, code).await,
                Do::Cut => break,
            },
        }
    }
    serving.seen.send(Seen::Gone).await.unwrap();
}

async fn close(socket: &mut WebSocket, code: u16) {
    socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() }))).await.unwrap();
}

// ---- the box -------------------------------------------------------------------

/// A box with these ears, and one call.
struct TheBox {
    ears: DeepgramEars,
    door: Door,
    gate: Arc<CallGate>,
    tasks: TaskTracker,
}

struct Everything;

impl Redact for Everything {
    fn redact(&self, _text: &str) -> String {
        String::new()
    }
}

fn id() -> DestinationId {
    DestinationId::parse("deepgram").unwrap()
}

fn policy(host: &Host, may_go: &[DataClass]) -> Arc<Policy> {
    policy_asking(Safeguards { training_opt_out: true, ..Safeguards::default() }, host, may_go)
}

fn policy_asking(safeguards: Safeguards, host: &Host, may_go: &[DataClass]) -> Arc<Policy> {
    policy_at(safeguards, vec![host.clone()], may_go)
}

fn policy_at(safeguards: Safeguards, hosts: Vec<Host>, may_go: &[DataClass]) -> Arc<Policy> {
    let destination = Destination {
        id: id(),
        operator: "Deepgram, Inc.".into(),
        hosts,
        country: "US".into(),
        // The stand-in is in no other network, so the door speaks to it without TLS.
        on_site: true,
        contract: None,
        safeguards,
        pins: Vec::new(),
    };
    let row = |(n, class): (usize, &DataClass)| Row {
        id: format!("row-{n}"),
        class: *class,
        destination: id(),
        ground: Ground::LegitimateInterest,
        verdict: Verdict::Raw,
    };
    Arc::new(Policy::new(vec![destination], may_go.iter().enumerate().map(row).collect()))
}

impl TheBox {
    fn new(host: &Host, api: Api, may_go: &[DataClass], set: impl FnOnce(&mut DeepgramConfig)) -> Self {
        Self::under(policy(host, may_go), host, api, set)
    }

    fn under(policy: Arc<Policy>, host: &Host, api: Api, set: impl FnOnce(&mut DeepgramConfig)) -> Self {
        let mut config = DeepgramConfig::new(id(), host.clone(), api, Private::new("k3y".into()));
        config.bounds = patient();
        set(&mut config);
        let tasks = TaskTracker::new();
        let door = Door::new(policy.clone(), DoorConfig::default());
        let clock = SystemClock::new().as_fn();
        Self {
            ears: DeepgramEars::new(config, door.clone(), tasks.clone(), Handle::current(), clock),
            door,
            gate: Arc::new(CallGate::new(policy, Arc::new(Everything))),
            tasks,
        }
    }

    fn call(&self) -> OneCall {
        let hints = Hints { words: vec!["Surulere".into(), "Bola & Sons".into()], ..Hints::default() };
        let setting = CallSetting { call: None, hints, gate: self.gate.clone() };
        let (tell, answers) = mpsc::channel(16);
        OneCall { hearing: self.ears.open(&setting, tell), answers, frames: 0 }
    }

    /// Waits until all that belonged to calls has ended.
    async fn ended(&self) {
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.expect("a task of a call goes on after it");
    }
}

/// Nothing here is about lateness, but where it says so.
fn patient() -> Bounds {
    Bounds { settled: PATIENCE, words: PATIENCE, first_partial: PATIENCE, ..Bounds::default() }
}

struct OneCall {
    hearing: Box<dyn Hearing>,
    answers: mpsc::Receiver<EarsEvent>,
    frames: u64,
}

impl OneCall {
    /// The caller says something of so many frames, and pauses.
    fn speak(&mut self, frames: u64) {
        let began = self.frames;
        for n in 0..frames {
            let samples = [i16::try_from(n % 100).unwrap() * 300; 320];
            self.hearing.frame(&Frame::from_samples(SampleRate::Hz16000, &samples), at(self.frames));
            self.frames += 1;
            if n == 10 {
                self.hearing.turn_began(at(began));
            }
        }
    }

    /// The next answer; what is told unasked is none.
    async fn answer(&mut self) -> EarsEvent {
        loop {
            let told = tokio::time::timeout(PATIENCE, self.answers.recv()).await.expect("no answer");
            let event = told.expect("the ears live");
            if !matches!(event, EarsEvent::WordsBegan { .. } | EarsEvent::WordsEnded { .. }) {
                return event;
            }
        }
    }

    async fn words(&mut self, request: u32) -> String {
        match self.answer().await {
            EarsEvent::Heard(heard) if heard.request.0 == request => heard.words.into_exposed(),
            other => panic!("{other:?}"),
        }
    }

    async fn failure(&mut self, request: u32) -> EarsError {
        match self.answer().await {
            EarsEvent::Failed { request: failed, error } if failed.0 == request => error,
            other => panic!("{other:?}"),
        }
    }
}

fn at(frame: u64) -> Moment {
    Moment::from_micros(1_000_000 + frame * 20_000)
}

fn finalized(words: &[&str], end_ms: u64) -> String {
    let each = end_ms as f64 / 1000.0 / (words.len() + 1) as f64;
    let word = |(n, word): (usize, &&str)| {
        let start = each * n as f64;
        format!(
            r#"{{"word":"{}","punctuated_word":"{word}","start":{start:.3},"end":{:.3},"confidence":0.97}}"#,
            word.to_lowercase(),
            start + each
        )
    };
    let list: Vec<String> = words.iter().enumerate().map(word).collect();
    format!(
        r#"{{"type":"Results","channel_index":[0,1],"start":0.0,"duration":{:.3},"is_final":true,"speech_final":false,
        "from_finalize":true,"channel":{{"alternatives":[{{"transcript":"{}","confidence":0.97,"words":[{}]}}]}},
        "metadata":{{"request_id":"r","model_uuid":"m","model_info":{{"name":"n","version":"v","arch":"a"}}}}}}"#,
        end_ms as f64 / 1000.0,
        words.join(" "),
        list.join(",")
    )
}

const BOTH: [DataClass; 2] = [DataClass::CallAudio, DataClass::Knowledge];

#[tokio::test]
async fn a_turn_goes_to_the_provider_and_its_words_come_back() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |_| {});
    let mut call = the_box.call();
    // Before the line is answered.
    match provider.next().await {
        Seen::Opened { path, asked, key, terms } => {
            assert_eq!((path.as_str(), key.as_str(), terms), ("/v1/listen", "Token k3y", 2));
            assert_eq!(asked.get("mip_opt_out").map(String::as_str), Some("true"));
            assert_eq!(asked.get("encoding").map(String::as_str), Some("mulaw"));
        }
        other => panic!("{other:?}"),
    }
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(70);
    call.hearing.decode(RequestId(5));
    // All of the sound, its last part too, and then the question.
    assert_eq!(provider.sound_until("Finalize").await, 70 * 160);
    provider.say(finalized(&["When", "do", "you", "open?"], 1400)).await;
    assert_eq!(call.words(5).await, "When do you open?");
    drop(call);
    assert_eq!(provider.sound_until("CloseStream").await, 0);
    assert!(matches!(provider.next().await, Seen::Gone));
    the_box.ended().await;
}

#[tokio::test]
async fn a_wide_line_is_heard_wide_and_the_next_call_expects_one() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |_| {});
    let mut call = the_box.call();
    assert_eq!(provider.opened().await["encoding"], "mulaw");
    call.hearing.line_answered(SampleRate::Hz16000);
    assert_eq!(provider.opened().await["encoding"], "linear16");
    call.speak(30);
    call.hearing.decode(RequestId(0));
    let mut octets = 0;
    loop {
        match provider.next().await {
            Seen::Sound(more) => octets += more,
            Seen::Text(text) if text.contains("Finalize") => break,
            Seen::Text(text) => assert!(text.contains("CloseStream"), "{text}"),
            Seen::Gone => {}
            opened @ Seen::Opened { .. } => panic!("{opened:?}"),
        }
    }
    assert_eq!(octets, 30 * 640);
    let next = the_box.call();
    assert_eq!(provider.opened().await["encoding"], "linear16");
    drop((call, next));
}

#[tokio::test]
async fn opus_takes_a_tenth_of_the_uplink() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |config| config.uplink = Uplink::Opus);
    let mut call = the_box.call();
    let asked = provider.opened().await;
    assert_eq!((asked["encoding"].as_str(), asked["sample_rate"].as_str()), ("opus", "16000"));
    call.hearing.line_answered(SampleRate::Hz16000);
    call.speak(90);
    call.hearing.decode(RequestId(0));
    let octets = provider.sound_until("Finalize").await;
    assert!(octets > 0 && octets < 90 * 640 / 8, "{octets}");
}

#[tokio::test]
async fn flux_tells_words_and_judgement_at_its_eager_end_of_turn() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::Flux, &BOTH, |_| {});
    let mut call = the_box.call();
    match provider.next().await {
        Seen::Opened { path, asked, .. } => {
            assert_eq!((path.as_str(), asked["model"].as_str()), ("/v2/listen", "flux-general-en"));
        }
        other => panic!("{other:?}"),
    }
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(70);
    call.hearing.decode(RequestId(2));
    call.hearing.judge(RequestId(2));
    let mut octets = 0;
    while octets < 70 * 160 {
        if let Seen::Sound(more) = provider.next().await {
            octets += more;
        }
    }
    provider.say(r#"{"type":"Connected","request_id":"r","sequence_id":0}"#.into()).await;
    let eager = r#"{"type":"TurnInfo","request_id":"r","sequence_id":1,"event":"EagerEndOfTurn","turn_index":0,
        "audio_window_start":0.0,"audio_window_end":1.4,"transcript":"Good morning",
        "words":[{"word":"Good","confidence":0.9},{"word":"morning","confidence":0.9}],"end_of_turn_confidence":0.62}"#;
    provider.say(eager.into()).await;
    match call.answer().await {
        EarsEvent::TurnOver { request, probability } => assert_eq!((request.0, probability), (2, 0.62)),
        other => panic!("{other:?}"),
    }
    assert_eq!(call.words(2).await, "Good morning");
}

#[tokio::test]
async fn a_quiet_stream_is_kept_open() {
    let tasks = TaskTracker::new();
    for api in [Api::V1, Api::Flux] {
        let mut provider = Provider::start(&tasks, None).await;
        let the_box = TheBox::new(&provider.host, api, &BOTH, |_| {});
        let _call = the_box.call();
        provider.opened().await;
        match (api, provider.next().await) {
            (Api::V1, Seen::Text(text)) => assert_eq!(text, r#"{"type":"KeepAlive"}"#),
            // It has no word for it: 20 ms of silence.
            (Api::Flux, Seen::Sound(octets)) => assert_eq!(octets, 160),
            (_, other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_refusal_fails_what_is_asked_and_says_when_to_ask_again() {
    let tasks = TaskTracker::new();
    let seven = Some(Duration::from_secs(7));
    for (status, is_it) in [
        (401, Box::new(|e: &EarsError| matches!(e, EarsError::NotServed(_))) as Box<dyn Fn(&EarsError) -> bool>),
        (400, Box::new(|e| matches!(e, EarsError::NotServed(_)))),
        (429, Box::new(move |e| *e == EarsError::Busy { retry_after: seven })),
        (500, Box::new(|e| matches!(e, EarsError::Lost(_)))),
    ] {
        let provider = Provider::start(&tasks, Some(status)).await;
        let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |_| {});
        let mut call = the_box.call();
        call.hearing.decode(RequestId(1));
        let error = call.failure(1).await;
        assert!(is_it(&error), "{status}: {error:?}");
        // And at once from then on.
        call.hearing.decode(RequestId(2));
        assert_eq!(call.failure(2).await, error);
        drop(call);
        the_box.ended().await;
    }
}

#[tokio::test]
async fn every_way_to_misbehave_ends_in_a_failure_and_another_call_is_served() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |_| {});
    for order in [
        Do::Cut,
        Do::Close(1000),
        Do::Close(1011),
        Do::SayBinary,
        Do::Say("{".into()),
        Do::Say(r#"{"type":"Results"}"#.into()),
        Do::Say(format!(r#"{{"type":"Results","pad":"{}"}}"#, "x".repeat(300_000))),
        Do::Say(r#"{"type":"Error","variant":"InternalError","description":"d"}"#.into()),
    ] {
        let what = format!("{order:?}").chars().take(60).collect::<String>();
        let mut call = the_box.call();
        provider.opened().await;
        call.hearing.line_answered(SampleRate::Hz8000);
        call.speak(40);
        call.hearing.decode(RequestId(1));
        assert_eq!(provider.sound_until("Finalize").await, 40 * 160, "{what}");
        provider.orders.send(order).await.unwrap();
        let error = call.failure(1).await;
        assert!(matches!(error, EarsError::Lost(_)), "{what}: {error:?}");
        while !matches!(provider.next().await, Seen::Gone) {}
    }
    let mut call = the_box.call();
    provider.opened().await;
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(40);
    call.hearing.decode(RequestId(9));
    provider.sound_until("Finalize").await;
    provider.say(finalized(&["Yes."], 800)).await;
    assert_eq!(call.words(9).await, "Yes.");
    drop(call);
    the_box.ended().await;
}

#[tokio::test]
async fn a_provider_that_says_nothing_has_until_its_bound() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let within = Duration::from_millis(300);
    let set = |config: &mut DeepgramConfig| {
        config.bounds = Bounds { settled: Duration::from_millis(100), words: within, ..patient() };
    };
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, set);
    let mut call = the_box.call();
    provider.opened().await;
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(40);
    call.hearing.decode(RequestId(1));
    assert_eq!(call.failure(1).await, EarsError::Stalled { waiting_for: AwaitedWords::Words, within });
}

#[tokio::test]
async fn ears_that_fall_two_seconds_behind_say_so() {
    // It takes the connection and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = Host::parse(&silent.local_addr().unwrap().to_string()).unwrap();
    let set = |config: &mut DeepgramConfig| config.bounds.opening.answer = PATIENCE;
    let the_box = TheBox::new(&host, Api::V1, &BOTH, set);
    let mut call = the_box.call();
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(20);
    // Sound goes on as in a call, for as long as the ears take it.
    let behind = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for request in 1.. {
            ticks.tick().await;
            call.speak(1);
            call.hearing.decode(RequestId(request));
            if let Ok(EarsEvent::Failed { error, .. }) = call.answers.try_recv() {
                return error;
            }
        }
        unreachable!("numbers do not end");
    };
    let error = tokio::time::timeout(PATIENCE, behind).await.expect("nothing is said of it");
    let within = Duration::from_secs(2);
    assert_eq!(error, EarsError::Stalled { waiting_for: AwaitedWords::Uplink, within });
}

#[tokio::test]
async fn ears_that_take_over_within_a_turn_are_told_all_of_it_at_once() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |_| {});
    let mut call = the_box.call();
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(1400);
    call.hearing.decode(RequestId(1));
    provider.opened().await;
    assert_eq!(provider.sound_until("Finalize").await, 1400 * 160);
    provider.say(finalized(&["A", "long", "story."], 28_000)).await;
    assert_eq!(call.words(1).await, "A long story.");
}

#[tokio::test]
async fn a_caller_who_takes_back_their_leave_is_heard_there_no_more() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let the_box = TheBox::new(&provider.host, Api::V1, &BOTH, |_| {});
    let mut call = the_box.call();
    provider.opened().await;
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(3);
    assert!(matches!(provider.next().await, Seen::Sound(480)));
    the_box.gate.wish(CallerWish::Objects);
    call.speak(30);
    call.hearing.decode(RequestId(1));
    assert_eq!(call.failure(1).await, EarsError::Kept);
    assert!(matches!(provider.next().await, Seen::Gone), "no sound after the wish");
    drop(call);
    the_box.ended().await;
}

#[tokio::test]
async fn a_safeguard_that_is_added_during_a_call_ends_its_stream_and_the_next_call_is_heard_with_it() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let host = provider.host.clone();
    let lax = policy_asking(Safeguards::default(), &host, &BOTH);
    let the_box = TheBox::under(lax, &host, Api::V1, |_| {});
    let mut call = the_box.call();
    assert_eq!(provider.opened().await.get("mip_opt_out"), None);
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(3);
    assert!(matches!(provider.next().await, Seen::Sound(480)));
    let strict = policy(&host, &BOTH);
    the_box.door.set_policy(Arc::clone(&strict));
    the_box.gate.narrow_to(&strict);
    call.speak(30);
    call.hearing.decode(RequestId(1));
    assert_eq!(call.failure(1).await, EarsError::Kept, "the ears are well");
    assert!(matches!(provider.next().await, Seen::Gone), "no sound without the safeguard");
    let _next = the_box.call();
    assert_eq!(provider.opened().await.get("mip_opt_out").map(String::as_str), Some("true"));
}

#[tokio::test]
async fn a_host_that_is_taken_out_during_a_call_gets_no_more_of_its_sound() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let (host, other) = (provider.host.clone(), Host::parse("127.0.0.1:9").unwrap());
    let both = policy_at(Safeguards::default(), vec![host.clone(), other.clone()], &BOTH);
    let the_box = TheBox::under(both, &host, Api::V1, |_| {});
    let mut call = the_box.call();
    provider.opened().await;
    call.hearing.line_answered(SampleRate::Hz8000);
    call.speak(3);
    assert!(matches!(provider.next().await, Seen::Sound(480)));
    // The destination stays, and so does the call's leave to send sound to it.
    let without = policy_at(Safeguards::default(), vec![other], &BOTH);
    the_box.door.set_policy(Arc::clone(&without));
    the_box.gate.narrow_to(&without);
    call.speak(30);
    call.hearing.decode(RequestId(1));
    assert_eq!(call.failure(1).await, EarsError::Kept, "the ears are well");
    assert!(matches!(provider.next().await, Seen::Gone), "no sound to a host that is out");
}

#[tokio::test]
async fn a_host_that_is_moved_in_the_policy_is_asked_at_the_next_call() {
    let tasks = TaskTracker::new();
    let (mut before, mut after) = (Provider::start(&tasks, None).await, Provider::start(&tasks, None).await);
    let first = AskedHost::First(before.host.clone());
    let there = policy(&before.host, &BOTH);
    let mut the_box = TheBox::under(there, &before.host, Api::V1, |config| config.host = first);
    let _call = the_box.call();
    before.opened().await;
    let moved = policy(&after.host, &BOTH);
    the_box.door.set_policy(Arc::clone(&moved));
    the_box.gate = Arc::new(CallGate::new(moved, Arc::new(Everything)));
    let _next = the_box.call();
    after.opened().await;
}

#[tokio::test]
async fn without_leave_for_sound_nothing_is_opened_and_without_leave_for_words_none_are_named() {
    let tasks = TaskTracker::new();
    let mut provider = Provider::start(&tasks, None).await;
    let no_sound = TheBox::new(&provider.host, Api::V1, &[DataClass::Knowledge], |_| {});
    let mut call = no_sound.call();
    call.hearing.decode(RequestId(1));
    assert_eq!(call.failure(1).await, EarsError::Kept);
    let no_words = TheBox::new(&provider.host, Api::V1, &[DataClass::CallAudio], |_| {});
    let _call = no_words.call();
    // The first that is seen, so the other opened nothing.
    assert!(matches!(provider.next().await, Seen::Opened { terms: 0, .. }));
}
