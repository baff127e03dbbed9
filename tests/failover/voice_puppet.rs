//! Voices whose every sound the test makes itself, and the chain that they stand in.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use milu::call::EngineStage;
use milu::media::SampleRate;
use milu::speech::failover::{BreakerRules, EngineHealth, Link, VoiceChain};
use milu::speech::{CallSetting, SpeakRequest, Speaking, Synthesizer, Voice, VoiceEvent};
use milu::terms::{Private, UtteranceId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::links::{in_the_cloud, link};
use crate::time::{Time, settle};

/// A sentence that a voice was given, and where its sound goes.
pub struct Given {
    text: String,
    utterance: UtteranceId,
    sound: mpsc::Sender<VoiceEvent>,
    pub cancelled: CancellationToken,
}

#[derive(Default)]
pub struct VoicePuppet {
    pub given: Mutex<Vec<Given>>,
    opened: AtomicUsize,
}

impl VoicePuppet {
    /// How often it was opened, which connects it.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }

    pub fn texts(&self) -> Vec<String> {
        self.given.lock().unwrap().iter().map(|given| given.text.clone()).collect()
    }

    pub async fn says(&self, event: impl FnOnce(UtteranceId) -> VoiceEvent) {
        let (utterance, sound) = {
            let given = self.given.lock().unwrap();
            let last = given.last().unwrap();
            (last.utterance, last.sound.clone())
        };
        sound.send(event(utterance)).await.unwrap();
        settle().await;
    }

    pub async fn sounds(&self, ms: usize, engine: &'static str) {
        self.says(|utterance| VoiceEvent::Sound { utterance, samples: vec![1; ms * 8], engine }).await;
    }

    pub async fn is_done(&self) {
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
        self.puppet.opened.fetch_add(1, Ordering::Relaxed);
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

pub struct TwoVoices {
    pub time: Time,
    pub cloud: Arc<VoicePuppet>,
    pub own: Arc<VoicePuppet>,
    pub chain: VoiceChain,
}

impl TwoVoices {
    pub fn new() -> Self {
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

    pub async fn speak(&self, voice: &dyn Voice) -> (Speaking, mpsc::Receiver<VoiceEvent>) {
        let (sound, slices) = mpsc::channel(16);
        let text = Private::new(ANSWER.to_owned());
        let request = SpeakRequest { utterance: UtteranceId(4), text, rate: SampleRate::Hz8000, pace: 1.0 };
        let speaking = voice.speak(request, sound);
        settle().await;
        (speaking, slices)
    }
}

pub const ANSWER: &str = "We open at eight in the morning, and we close at six. On Sunday we are closed.";

pub fn all(slices: &mut mpsc::Receiver<VoiceEvent>) -> Vec<VoiceEvent> {
    std::iter::from_fn(|| slices.try_recv().ok()).collect()
}
