//! Ears whose every word the test says itself, and the chain that they stand in.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use milu::call::EngineStage;
use milu::media::{Frame, SampleRate};
use milu::speech::failover::{BreakerRules, EarsChain, EngineHealth, Link};
use milu::speech::{CallSetting, Confidence, EarsEvent, Heard, Hearing, JudgesBy, Transcriber};
use milu::terms::{Moment, Private, RequestId};
use tokio::sync::mpsc;

use crate::links::{gate, in_the_cloud, link, setting};
use crate::time::{Time, settle};

#[derive(Default)]
pub struct EarsPuppet {
    told: Mutex<Vec<String>>,
    pub ears: Mutex<Vec<mpsc::Sender<EarsEvent>>>,
}

impl EarsPuppet {
    pub fn told(&self) -> Vec<String> {
        std::mem::take(&mut self.told.lock().unwrap())
    }

    pub async fn says(&self, event: EarsEvent) {
        let answers = self.ears.lock().unwrap().last().unwrap().clone();
        answers.send(event).await.unwrap();
        settle().await;
    }
}

pub struct Ears {
    pub name: &'static str,
    pub puppet: Arc<EarsPuppet>,
    pub judges_by: JudgesBy,
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

pub struct ThreeEars {
    pub time: Time,
    pub cloud: Arc<EarsPuppet>,
    pub lan: Arc<EarsPuppet>,
    pub own: Arc<EarsPuppet>,
    pub chain: EarsChain,
}

impl ThreeEars {
    pub fn new() -> Self {
        Self::whose_first(JudgesBy::Melody)
    }

    /// Three ears, the first of which may judge turns by their words.
    pub fn whose_first(first: JudgesBy) -> Self {
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

    pub fn open(&self) -> (Box<dyn Hearing>, mpsc::Receiver<EarsEvent>) {
        let (answers, heard) = mpsc::channel(16);
        (self.chain.open(&setting(&gate()), answers), heard)
    }

    /// Frames of the caller, numbered.
    pub async fn hear(&self, hearing: &mut Box<dyn Hearing>, frames: std::ops::Range<i16>) {
        for n in frames {
            self.time.pass(20).await;
            hearing.frame(&Frame::from_samples(SampleRate::Hz16000, &[n; 320]), self.time.now());
        }
    }
}

pub fn words(request: u32, words: &str, engine: &'static str) -> EarsEvent {
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
