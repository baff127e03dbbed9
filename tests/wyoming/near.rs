//! The near side: engines behind a real door, a turn that is heard, and what comes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use milu::egress::{Door, DoorConfig, Resolver};
use milu::media::{Conversion, Frame, Resampler, SampleRate};
use milu::residency::{
    CallGate, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row, Safeguards, Verdict,
};
use milu::speech::lan::{WyomingEars, WyomingEarsConfig, WyomingVoice, WyomingVoiceConfig};
use milu::speech::{
    CallSetting, EarsEvent, Hearing, Hints, SpeakRequest, Speaking, Synthesizer, Transcriber, VoiceDeadlines,
    VoiceError, VoiceEvent,
};
use milu::terms::{CallId, Language, Moment, Private, RequestId, UtteranceId};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

/// Long enough for the slowest machine under the heaviest load.
pub const PATIENCE: Duration = Duration::from_secs(120);

const FRAME: Duration = Duration::from_millis(20);

struct AsItIs;

impl Redact for AsItIs {
    fn redact(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// A door to a server on loopback, to which data of `classes` may go.
pub struct Near {
    door: Door,
    id: DestinationId,
    host: Host,
    pub setting: CallSetting,
}

impl Near {
    pub fn to(port: u16, classes: &[DataClass]) -> Self {
        let id = DestinationId::parse("lan").expect("a name");
        let host = Host::parse(&format!("127.0.0.1:{port}")).expect("a host");
        let destination = Destination {
            id: id.clone(),
            operator: "The business".to_owned(),
            hosts: vec![host.clone()],
            country: "NG".to_owned(),
            on_site: true,
            contract: None,
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        };
        let row = |class: &DataClass| Row {
            id: format!("row-{}", class.name()),
            class: *class,
            destination: id.clone(),
            ground: Ground::Contract,
            verdict: Verdict::Raw,
        };
        let policy = Arc::new(Policy::new(vec![destination], classes.iter().map(row).collect()));
        let resolver = Resolver::fixed(HashMap::from([(host.clone(), vec![([127, 0, 0, 1], port).into()])]));
        let door = Door::new(Arc::clone(&policy), DoorConfig { resolver, ..DoorConfig::default() });
        let hints = Hints { language: Language::English, words: vec!["Adaeze".to_owned()] };
        let gate = Arc::new(CallGate::new(policy, Arc::new(AsItIs)));
        Self { door, id, host, setting: CallSetting { call: Some(CallId::from_parts(1, [7; 10])), hints, gate } }
    }

    pub fn voice(&self, within: Duration) -> WyomingVoice {
        self.voice_of(within, |_| {})
    }

    pub fn voice_of(&self, within: Duration, set: impl FnOnce(&mut WyomingVoiceConfig)) -> WyomingVoice {
        let mut config = WyomingVoiceConfig {
            deadlines: VoiceDeadlines { connect: PATIENCE, first_sound: within, next_sound: within },
            ..WyomingVoiceConfig::new(self.id.clone(), self.host.clone())
        };
        set(&mut config);
        WyomingVoice::new(config, self.door.clone(), TaskTracker::new(), tokio::runtime::Handle::current())
    }

    pub fn ears(&self, within: Duration) -> WyomingEars {
        self.ears_of(within, None)
    }

    pub fn ears_of(&self, within: Duration, model: Option<&str>) -> WyomingEars {
        let config = WyomingEarsConfig {
            model: model.map(str::to_owned),
            connect: PATIENCE,
            words: within,
            ..WyomingEarsConfig::new(self.id.clone(), self.host.clone())
        };
        let runtime = tokio::runtime::Handle::current();
        WyomingEars::new(config, self.door.clone(), TaskTracker::new(), runtime, Arc::new(|| Moment::START))
    }

    /// All that comes of an utterance.
    pub async fn spoken(
        &self,
        voice: &WyomingVoice,
        text: &str,
        rate: SampleRate,
    ) -> (Vec<i16>, Result<(), VoiceError>) {
        let (_speaking, mut events) = self.speak(voice, text, rate);
        let mut samples = Vec::new();
        loop {
            match timeout(PATIENCE, events.recv()).await.expect("something comes").expect("it ends with an event") {
                VoiceEvent::Sound { samples: more, engine, .. } => {
                    assert_eq!(engine, "wyoming-voice");
                    samples.extend(more);
                }
                VoiceEvent::Marks { .. } => panic!("the protocol knows no marks"),
                VoiceEvent::Left { .. } => panic!("an engine alone is left for no other"),
                VoiceEvent::Done { .. } => return (samples, Ok(())),
                VoiceEvent::Failed { error, .. } => return (samples, Err(error)),
            }
        }
    }

    pub fn speak(&self, voice: &WyomingVoice, text: &str, rate: SampleRate) -> (Speaking, mpsc::Receiver<VoiceEvent>) {
        let (sound, events) = mpsc::channel(4);
        let text = Private::new(text.to_owned());
        let request = SpeakRequest { utterance: UtteranceId(3), text, rate, pace: 1.0 };
        (voice.open(&self.setting).speak(request, sound), events)
    }
}

/// One call's ears, and what they answer.
pub struct Call {
    pub hearing: Box<dyn Hearing>,
    answers: mpsc::Receiver<EarsEvent>,
    at: Moment,
}

impl Call {
    pub fn open(ears: &WyomingEars, setting: &CallSetting) -> Self {
        let (tell, answers) = mpsc::channel(16);
        Self { hearing: ears.open(setting, tell), answers, at: Moment::START + PATIENCE }
    }

    /// A turn of its own, after a pause longer than any pre-roll.
    pub fn hears(&mut self, frames: &[Frame]) {
        for _ in 0..25 {
            self.frame(&Frame::silence(SampleRate::Hz16000));
        }
        self.hearing.turn_began(self.at);
        self.goes_on(frames);
    }

    pub fn goes_on(&mut self, frames: &[Frame]) {
        frames.iter().for_each(|frame| self.frame(frame));
    }

    fn frame(&mut self, frame: &Frame) {
        self.at = self.at + FRAME;
        self.hearing.frame(frame, self.at);
    }

    pub async fn answer(&mut self) -> EarsEvent {
        timeout(PATIENCE, self.answers.recv()).await.expect("the ears answer").expect("they stay open")
    }

    /// The words that are answered to a request, in lower case.
    pub async fn words(&mut self, request: u32) -> String {
        match self.answer().await {
            EarsEvent::Heard(heard) => {
                assert_eq!((heard.request, heard.engine), (RequestId(request), "wyoming-ears"));
                heard.words.expose().to_lowercase()
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn is_silent(&mut self) -> bool {
        self.answers.try_recv().is_err()
    }
}

/// Sound of a narrow line as the ears get it.
pub fn frames(narrow: &[i16]) -> Vec<Frame> {
    let mut widen = Resampler::new(Conversion::Hz8000ToHz16000);
    let frame = |chunk: &[i16]| widen.frame(&Frame::from_samples(SampleRate::Hz8000, chunk));
    narrow.chunks(160).map(frame).collect()
}
