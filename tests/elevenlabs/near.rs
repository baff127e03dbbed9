//! The near side: a voice behind a real door, a call that listens, and what it heard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use milu::conversation::WordEnd;
use milu::egress::{Door, DoorConfig, Prices, Resolver};
use milu::media::SampleRate;
use milu::ops::WallSource;
use milu::residency::{
    CallGate, DataClass, Destination, DestinationId, Ground, Host, Policy, Redact, Row, Safeguards, Verdict,
};
use milu::speech::cloud::elevenlabs::{ElevenLabsConfig, ElevenLabsVoice};
use milu::speech::{
    CallSetting, Hints, SpeakRequest, Speaking, Synthesizer, Voice, VoiceDeadlines, VoiceError, VoiceEvent,
};
use milu::terms::{CallId, Private, UtteranceId};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use crate::far::PATIENCE;

pub const KEY: &str = "of-the-account";

/// Takes names away that begin with `A`.
struct Names;

impl Redact for Names {
    fn redact(&self, text: &str) -> String {
        text.replace("Adaeze", "[name]")
    }
}

pub struct Near {
    pub voice: ElevenLabsVoice,
    pub door: Door,
    pub setting: CallSetting,
}

pub struct Wanted {
    pub rows: Vec<(DataClass, Verdict)>,
    pub safeguards: Safeguards,
    pub deadlines: VoiceDeadlines,
    pub keep_alive: Duration,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            rows: vec![(DataClass::Reply, Verdict::Raw)],
            safeguards: Safeguards::default(),
            deadlines: VoiceDeadlines { connect: PATIENCE, first_sound: PATIENCE, next_sound: PATIENCE },
            keep_alive: PATIENCE,
        }
    }
}

impl Near {
    pub fn open(port: u16) -> Self {
        Self::with(port, Wanted::default())
    }

    pub fn with(port: u16, wanted: Wanted) -> Self {
        let id = DestinationId::parse("elevenlabs").expect("a name");
        let host = Host::parse(&format!("127.0.0.1:{port}")).expect("a host");
        let destination = Destination {
            id: id.clone(),
            operator: "A voice".to_owned(),
            hosts: vec![host.clone()],
            country: "NG".to_owned(),
            // Without TLS, which is the door's to test.
            on_site: true,
            contract: Some(milu::residency::Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards: wanted.safeguards,
            pins: Vec::new(),
        };
        let row = |(n, (class, verdict)): (usize, (DataClass, Verdict))| Row {
            id: format!("row-{n}"),
            class,
            destination: id.clone(),
            ground: Ground::Contract,
            verdict,
        };
        let rows = wanted.rows.into_iter().enumerate().map(row).collect();
        let policy = Arc::new(Policy::new(vec![destination], rows));
        let resolver = Resolver::fixed(HashMap::from([(host.clone(), vec![([127, 0, 0, 1], port).into()])]));
        let prices = Prices::parse("currency = \"USD\"\n[provider.elevenlabs]\nthousand_characters = 0.000001");
        let wall: WallSource = Arc::new(|| jiff::Timestamp::UNIX_EPOCH);
        let prices = prices.expect("a nano-dollar for each character");
        let door = Door::new(Arc::clone(&policy), DoorConfig { resolver, prices, wall, ..DoorConfig::default() });
        let key = Private::new(KEY.to_owned());
        let mut config = ElevenLabsConfig::new(id, host, "Voice1".to_owned(), key);
        config.deadlines = wanted.deadlines;
        config.keep_alive = wanted.keep_alive;
        let runtime = tokio::runtime::Handle::current();
        let gate = Arc::new(CallGate::new(policy, Arc::new(Names)));
        let call = Some(CallId::from_parts(1, [7; 10]));
        Self {
            voice: ElevenLabsVoice::new(config, door.clone(), TaskTracker::new(), runtime),
            door,
            setting: CallSetting { call, hints: Hints::default(), gate },
        }
    }

    /// Characters that were paid for.
    pub fn bought(&self) -> u64 {
        self.door.spent().total(jiff::civil::date(1970, 1, 1)).money.nanos()
    }

    pub fn call(&self) -> Box<dyn Voice> {
        self.voice.open(&self.setting)
    }
}

/// An utterance, and what the call hears of it.
pub struct Utterance {
    pub speaking: Option<Speaking>,
    pub events: mpsc::Receiver<VoiceEvent>,
    pub id: UtteranceId,
}

pub fn speak(voice: &dyn Voice, id: u32, text: &str) -> Utterance {
    speak_at(voice, id, text, SampleRate::Hz8000)
}

pub fn speak_at(voice: &dyn Voice, id: u32, text: &str, rate: SampleRate) -> Utterance {
    let (sound, events) = mpsc::channel(4);
    let id = UtteranceId(id);
    let request = SpeakRequest { utterance: id, text: Private::new(text.to_owned()), rate, pace: 0.9 };
    Utterance { speaking: Some(voice.speak(request, sound)), events, id }
}

/// All that came of an utterance.
#[derive(Debug)]
pub struct Came {
    pub samples: Vec<i16>,
    pub ends: Vec<WordEnd>,
    pub end: Result<(), VoiceError>,
}

impl Utterance {
    pub async fn next(&mut self) -> VoiceEvent {
        timeout(PATIENCE, self.events.recv()).await.expect("something comes").expect("an utterance ends with an event")
    }

    /// Until some sound comes.
    pub async fn sound(&mut self) -> Vec<i16> {
        loop {
            match self.next().await {
                VoiceEvent::Sound { samples, .. } => return samples,
                VoiceEvent::Marks { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn all(mut self) -> Came {
        let mut came = Came { samples: Vec::new(), ends: Vec::new(), end: Ok(()) };
        loop {
            match self.next().await {
                VoiceEvent::Sound { utterance, samples, engine } => {
                    assert_eq!((utterance, engine), (self.id, "elevenlabs"));
                    came.samples.extend(samples);
                }
                VoiceEvent::Marks { utterance, ends } => {
                    assert_eq!(utterance, self.id);
                    came.ends.extend(ends);
                }
                VoiceEvent::Left { .. } => panic!("an engine alone is left for no other"),
                VoiceEvent::Done { .. } => return came,
                VoiceEvent::Failed { error, .. } => {
                    came.end = Err(error);
                    return came;
                }
            }
        }
    }

    pub async fn error(self) -> VoiceError {
        self.all().await.end.expect_err("it must fail")
    }
}
