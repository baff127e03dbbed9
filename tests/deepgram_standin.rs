//! Deepgram's ears through the real door, over TLS, against the stand-in that
//! really transcribes and that the vendor's own client has found to be right.
//! Sound comes at the pace of a call. Needs the models.
#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share stands outside of them")]

#[path = "providers/mod.rs"]
mod providers;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use milu::egress::{Door, DoorConfig, Resolver, Roots};
use milu::media::{Conversion, Frame, Resampler, SampleRate, VoiceActivity, VoiceFact};
use milu::ops::{MomentSource, SystemClock};
use milu::residency::{
    CallGate, Contract, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row, Safeguards, Verdict,
};
use milu::speech::cloud::deepgram::{Api, Bounds, DeepgramConfig, DeepgramEars, Uplink};
use milu::speech::{CallSetting, EarsEvent, Heard, Hearing, Hints, Transcriber};
use milu::terms::{Moment, Private, RequestId};
use providers::world::EARS_KEY;
use providers::{Options, Provider, Providers};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::Interval;
use tokio_util::task::TaskTracker;

/// The stand-in computes on the same busy cores.
const PATIENCE: Duration = Duration::from_secs(60);

struct Everything;

impl Redact for Everything {
    fn redact(&self, _text: &str) -> String {
        String::new()
    }
}

struct Far {
    providers: Providers,
    /// Ends after the stand-ins.
    _dir: tempfile::TempDir,
}

impl Far {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { providers: Providers::start(Options::new(dir.path())).unwrap(), _dir: dir }
    }

    /// The ears of a box whose policy lets sound and words go to them.
    fn ears(&self, api: Api, uplink: Uplink, now: MomentSource) -> (DeepgramEars, CallSetting) {
        let id = DestinationId::parse("deepgram").unwrap();
        let host = Host::parse("api.deepgram.com").unwrap();
        let destination = Destination {
            id: id.clone(),
            operator: "A stand-in".into(),
            hosts: vec![host.clone()],
            country: "US".into(),
            on_site: false,
            contract: Some(Contract { name: "Terms".into(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards: Safeguards { training_opt_out: true, ..Safeguards::default() },
            pins: Vec::new(),
        };
        let row = |class: DataClass| Row {
            id: format!("row-{}", class.name()),
            class,
            destination: id.clone(),
            ground: Ground::Contract,
            verdict: Verdict::Raw,
        };
        let rows = [DataClass::CallAudio, DataClass::Knowledge].map(row).to_vec();
        let policy = Arc::new(Policy::new(vec![destination], rows));
        let ca = std::fs::read(&self.providers.ports().ca).unwrap();
        let address = self.providers.address(Provider::Ears);
        let door = Door::new(
            policy.clone(),
            DoorConfig {
                roots: Roots::public().and_pem(&ca).unwrap(),
                resolver: Resolver::fixed(HashMap::from([(host.clone(), vec![address])])),
                ..DoorConfig::default()
            },
        );
        let mut config = DeepgramConfig::new(id, host, api, Private::new(EARS_KEY.to_owned()));
        config.uplink = uplink;
        config.bounds = Bounds { words: PATIENCE, settled: PATIENCE, first_partial: PATIENCE, ..Bounds::default() };
        let ears = DeepgramEars::new(config, door, TaskTracker::new(), Handle::current(), now);
        let gate = Arc::new(CallGate::new(policy, Arc::new(Everything)));
        let hints = Hints { words: vec!["Surulere".into()], ..Hints::default() };
        (ears, CallSetting { call: None, hints, gate })
    }
}

/// A call whose caller says what stands in files, one after the other.
struct OneCall {
    hearing: Box<dyn Hearing>,
    answers: mpsc::Receiver<EarsEvent>,
    voice: VoiceActivity,
    through: Option<(Resampler, Resampler)>,
    ticks: Interval,
    frames: u64,
    requests: u32,
    in_turn: bool,
}

impl OneCall {
    fn open(ears: &DeepgramEars, setting: &CallSetting, line: SampleRate) -> Self {
        let (tell, answers) = mpsc::channel(16);
        let mut hearing = ears.open(setting, tell);
        hearing.line_answered(line);
        // What a narrow line takes away.
        let through = || (Resampler::new(Conversion::Hz16000ToHz8000), Resampler::new(Conversion::Hz8000ToHz16000));
        Self {
            hearing,
            answers,
            voice: VoiceActivity::new(),
            through: (line == SampleRate::Hz8000).then(through),
            ticks: tokio::time::interval(Duration::from_millis(20)),
            frames: 0,
            requests: 0,
            in_turn: false,
        }
    }

    async fn frame(&mut self, samples: &[i16]) -> Option<VoiceFact> {
        self.ticks.tick().await;
        let mut frame = Frame::from_samples(SampleRate::Hz16000, samples);
        if let Some((narrow, wide)) = &mut self.through {
            frame = wide.frame(&narrow.frame(&frame));
        }
        let at = Moment::from_micros(self.frames * 20_000);
        self.frames += 1;
        self.hearing.frame(&frame, at);
        self.voice.hear(&frame, at)
    }

    /// Says what stands in the file, and gives the words that come back once the
    /// caller has paused for good.
    async fn say(&mut self, file: &str) -> Heard {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds").join(file);
        let sound: Vec<i16> = hound::WavReader::open(path).unwrap().samples().collect::<Result<_, _>>().unwrap();
        // The line is quiet before and after.
        let quiet = vec![0; 16_000];
        let all: Vec<i16> = quiet[..8_000].iter().chain(&sound).chain(&quiet).copied().collect();
        let mut asked = None;
        for samples in all.chunks(320) {
            match self.frame(samples).await {
                Some(VoiceFact::Started { at }) if !self.in_turn => {
                    self.in_turn = true;
                    self.hearing.turn_began(at);
                }
                Some(VoiceFact::Started { .. }) => {
                    self.hearing.abandon();
                    asked = None;
                }
                Some(VoiceFact::Paused { .. }) => {
                    let request = RequestId(self.requests);
                    self.requests += 1;
                    self.hearing.decode(request);
                    self.hearing.judge(request);
                    asked = Some(request);
                }
                None => {}
            }
        }
        self.in_turn = false;
        self.words(asked.expect("the caller pauses")).await
    }

    /// The words of a request. The line stays quiet meanwhile.
    async fn words(&mut self, request: RequestId) -> Heard {
        for _ in 0..PATIENCE.as_millis() / 20 {
            while let Ok(event) = self.answers.try_recv() {
                match event {
                    EarsEvent::Heard(heard) if heard.request == request => return heard,
                    EarsEvent::Failed { error, .. } => panic!("{error}"),
                    _ => {}
                }
            }
            self.frame(&[0; 320]).await;
        }
        panic!("no words");
    }
}

/// The words in lower case without punctuation.
fn plain(heard: &Heard) -> String {
    let letters = heard.words.expose().chars().filter(|c| c.is_alphanumeric() || *c == ' ');
    letters.flat_map(char::to_lowercase).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_turns_are_heard_each_with_its_own_words_by_either_api_from_either_line() {
    let far = Far::start();
    let now = SystemClock::new().as_fn();
    for (api, uplink, line) in [
        (Api::V1, Uplink::Linear16, SampleRate::Hz8000),
        (Api::V1, Uplink::Opus, SampleRate::Hz16000),
        (Api::Flux, Uplink::Linear16, SampleRate::Hz16000),
        (Api::Flux, Uplink::Mulaw, SampleRate::Hz8000),
    ] {
        let (ears, setting) = far.ears(api, uplink, now.clone());
        let mut call = OneCall::open(&ears, &setting, line);
        let first = call.say("question-whole.wav").await;
        let second = call.say("answer-whole.wav").await;
        let (one, two) = (plain(&first), plain(&second));
        eprintln!("{api:?} {uplink:?} {line:?}: `{one}` after {:?}, `{two}` after {:?}", first.took, second.took);
        assert!(one.split_whitespace().count() >= 4, "{api:?} {uplink:?}: {one}");
        assert!(!two.is_empty() && !two.contains(&one) && !one.contains(&two), "{api:?} {uplink:?}: {two}");
        assert!(first.confidence.mean_log_probability > -0.75, "{:?}", first.confidence);
    }
}
