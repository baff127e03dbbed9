//! A rack of scripted modems and a box's lines beside it, with a desk that the test is.

#![allow(dead_code, reason = "each test file uses what it needs of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]
#![allow(clippy::needless_pass_by_value, reason = "the shape that whoever waits for an event asks for")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use milu::line::gsm::{GsmClaims, GsmControl, GsmEvent, GsmLine, GsmLineConfig, ModemPlace, Roots, Wanted};
use milu::line::{
    FrameOrigin, Leg, LegCommand, LegEvent, Line as _, LineHealth, MediaClock, MouthEvent, MouthFrame, Offer,
};
use milu::media::{Conversion, Frame, Resampler, SampleRate};
use milu::ops::SystemClock;
use milu::signalling::modem::{LineSettings, ModemState, Profile};
use milu::terms::{EndCause, LineId, PhoneNumber, UtteranceId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::modem::{Family, Modem, ModemOptions, Rack};

/// It bounds a failure alone.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub const CALLER: &str = "+2348031234567";
pub const OTHER_CALLER: &str = "+2348057654321";

pub const FRAME: usize = 160;

/// Milliseconds of speech that are looked for at once in what was heard.
pub const CHUNK: usize = 800;

pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// A rack of modems and a box beside it.
pub struct World {
    pub rack: Rack,
    pub media_clock: MediaClock,
    pub claims: GsmClaims,
    pub tasks: JoinSet<()>,
    pub _dir: tempfile::TempDir,
}

/// A line that is being served.
pub struct Served {
    pub offers: mpsc::Receiver<Offer>,
    pub events: mpsc::Receiver<GsmEvent>,
    pub control: GsmControl,
    pub health: Arc<dyn Fn() -> LineHealth + Send + Sync>,
    pub stop: CancellationToken,
}

pub fn profile(name: &str) -> Arc<Profile> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-config/modems").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).expect("the profile is there");
    Arc::new(Profile::parse(&text, &file.to_string_lossy()).expect("the profile is right"))
}

pub fn profile_of(family: Family) -> Arc<Profile> {
    profile(match family {
        Family::Huawei => "huawei",
        Family::Quectel => "quectel_ec2x",
        Family::Sim7600 => "simcom_sim7600",
        Family::Sim800 => "simcom_sim800",
    })
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        Self {
            rack: Rack::new(dir.path()).expect("a rack"),
            media_clock: MediaClock::start(SystemClock::new().as_fn()).expect("a thread"),
            claims: GsmClaims::default(),
            tasks: JoinSet::new(),
            _dir: dir,
        }
    }

    pub fn config(&self, id: &str, family: Family) -> GsmLineConfig {
        let serial = Some(milu::signalling::modem::SoundPath::Serial);
        GsmLineConfig {
            id: LineId::parse(id).expect("a name"),
            profiles: vec![profile_of(family)],
            place: ModemPlace::Usb(Wanted::default()),
            settings: LineSettings { sound: serial, ..LineSettings::default() },
            card: None,
            roots: Roots { sys: self.rack.sys(), dev: self.rack.dev() },
            sound_timeout: Duration::from_secs(30),
        }
    }

    pub fn serve(&mut self, config: GsmLineConfig) -> Served {
        let clock = SystemClock::new().as_fn();
        let (line, events) = GsmLine::new(config, clock, self.media_clock.clone(), self.claims.clone());
        let (control, health) = (line.control(), line.health());
        let (offers_in, offers) = mpsc::channel(8);
        let stop = CancellationToken::new();
        self.tasks.spawn(Box::new(line).serve(offers_in, stop.clone()));
        Served { offers, events, control, health, stop }
    }

    /// A modem and a line that has found it and is ready.
    pub async fn ready(&mut self, id: &str, options: ModemOptions) -> (Modem, Served) {
        let family = options.family;
        let modem = self.rack.plug(options).expect("pseudo-terminals");
        let mut line = self.serve(self.config(id, family));
        line.until_state(ModemState::Ready).await;
        (modem, line)
    }
}

impl Served {
    /// The next event. A PIN that is going to be tried counts as written down.
    async fn next_event(&mut self) -> GsmEvent {
        let event = self.events.recv().await.expect("the line is served");
        if matches!(event, GsmEvent::PinTrying { .. }) {
            self.control.pin_noted().expect("served");
        }
        event
    }

    pub async fn until_state(&mut self, wanted: ModemState) {
        let waiting = async {
            loop {
                match self.next_event().await {
                    GsmEvent::Changed(change) if change.to == wanted => return,
                    _ => {}
                }
            }
        };
        if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
            let rows = self.control.support_rows().await;
            panic!("in vain: {}; {:?}; {rows:#?}", wanted.name(), self.control.status());
        }
    }

    pub async fn offer(&mut self) -> Offer {
        in_time("an offer", self.offers.recv()).await.expect("the line is served")
    }

    pub async fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(GsmEvent) -> Option<T>) -> T {
        in_time(what, async {
            loop {
                if let Some(found) = wanted(self.next_event().await) {
                    return found;
                }
            }
        })
        .await
    }
}

/// A call as the desk holds it, its ears read all the time.
pub struct Talk {
    pub commands: mpsc::Sender<LegCommand>,
    pub events: mpsc::Receiver<LegEvent>,
    pub mouth: milu::line::Mouth,
    pub heard: Arc<std::sync::Mutex<Vec<i16>>>,
    pub _ears: tokio::task::AbortHandle,
}

impl Talk {
    pub fn of(leg: Leg, tasks: &mut JoinSet<()>) -> Self {
        let Leg { commands, events, mut ears, mouth, .. } = leg;
        let heard: Arc<std::sync::Mutex<Vec<i16>>> = Arc::default();
        let keeps = heard.clone();
        let reader = tasks.spawn(async move {
            while let Some(ear) = ears.recv().await {
                assert_eq!(ear.origin, FrameOrigin::Received);
                keeps.lock().expect("nobody panicked").extend_from_slice(ear.frame.samples());
            }
        });
        Self { commands, events, mouth, heard, _ears: reader }
    }

    pub async fn answered(world: &mut World, line: &mut Served) -> Self {
        let offer = line.offer().await;
        let mut talk = Self::of(offer.leg, &mut world.tasks);
        talk.command(LegCommand::Answer).await;
        talk.event("the answer", |event| matches!(event, LegEvent::Answered { .. }).then_some(())).await;
        talk
    }

    pub async fn command(&self, command: LegCommand) {
        self.commands.send(command).await.expect("the line listens");
    }

    pub async fn event<T>(&mut self, what: &str, mut wanted: impl FnMut(LegEvent) -> Option<T>) -> T {
        in_time(what, async {
            loop {
                if let Some(found) = wanted(self.events.recv().await.expect("the call goes on")) {
                    return found;
                }
            }
        })
        .await
    }

    pub async fn ended(&mut self) -> EndCause {
        self.event("the end", |event| match event {
            LegEvent::Ended { cause, .. } => Some(cause),
            _ => None,
        })
        .await
    }

    /// Says samples of 8 kHz, and waits until they were played.
    pub async fn say(&mut self, samples: &[i16]) {
        let frames: Vec<&[i16]> = samples.chunks(FRAME).collect();
        let epoch = self.mouth.epoch();
        for (n, chunk) in frames.iter().enumerate() {
            let frame = MouthFrame {
                epoch,
                utterance: UtteranceId(1),
                frame: Frame::from_samples(SampleRate::Hz8000, chunk),
                last: n + 1 == frames.len(),
            };
            in_time("room in the mouth", self.mouth.queue.send(frame)).await.expect("the line plays");
        }
        in_time("the end of an utterance", async {
            while !matches!(self.mouth.events.recv().await, Some(MouthEvent::Finished { .. }) | None) {}
        })
        .await;
    }

    pub fn heard(&self) -> Vec<i16> {
        self.heard.lock().expect("nobody panicked").clone()
    }

    pub async fn until_heard(&self, samples: usize) -> Vec<i16> {
        in_time("what is heard", async {
            loop {
                let heard = self.heard();
                if heard.len() >= samples {
                    return heard;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
    }
}

/// Real speech at a telephone's rate.
pub fn speech(name: &str) -> Vec<i16> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sounds").join(name);
    let mut wav = hound::WavReader::open(file).expect("a WAV file");
    let samples: Vec<i16> = wav.samples().map(|sample| sample.expect("a sample")).collect();
    let mut out = Vec::new();
    Resampler::new(Conversion::Hz16000ToHz8000).push(&samples, &mut out);
    out.truncate(out.len() / FRAME * FRAME);
    out
}

/// Of the chunks of `said` in which there is sound, the part that is found in `heard`,
/// sample by sample and in order.
pub fn found(said: &[i16], heard: &[i16]) -> f64 {
    let (mut from, mut looked, mut found) = (0, 0, 0);
    for chunk in said.chunks_exact(CHUNK).filter(|chunk| chunk.iter().any(|s| s.unsigned_abs() > 200)) {
        looked += 1;
        if let Some(at) = heard[from..].windows(CHUNK).position(|window| window == chunk) {
            from += at + CHUNK;
            found += 1;
        }
    }
    assert!(looked > 5, "too little speech to compare");
    f64::from(found) / f64::from(looked)
}

/// The best normalised correlation of `said` with any place of `heard`.
pub fn correlation(said: &[i16], heard: &[i16]) -> f64 {
    let norm = |x: &[i16]| x.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>().sqrt();
    let own = norm(said);
    (0..heard.len().saturating_sub(said.len()))
        .step_by(1)
        .map(|at| {
            let there = &heard[at..at + said.len()];
            let product: f64 = said.iter().zip(there).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            product / (own * norm(there)).max(1.0)
        })
        .fold(0.0, f64::max)
}

pub fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text, "234").expect("a number")
}
