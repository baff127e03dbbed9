//! The desk's side of a sound line, and the ears to judge sound with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use milu::line::audio::{AudioLine, AudioLineConfig, CallStart, EchoPath, KeyPresser};
use milu::line::sound_card::CardName;
use milu::line::{EarFrame, Leg, LegCommand, LegEvent, Line, LineHealth, MediaClock, MouthFrame, Offer};
use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::terms::{EndCause, LineId, UtteranceId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::card::NAME;

/// The machine may be busy with other things.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const RATE: SampleRate = SampleRate::Hz16000;

pub fn config(start: CallStart) -> AudioLineConfig {
    AudioLineConfig {
        id: LineId::parse("door").unwrap(),
        card: CardName::parse(NAME).unwrap(),
        rate: RATE,
        card_hz: None,
        start,
        key: None,
        echo: EchoPath::Handset,
        quiet_end: Duration::from_secs(60),
    }
}

/// A line that is served, and the desk that it offers its calls to.
pub struct Desk {
    pub offers: mpsc::Receiver<Offer>,
    pub presser: KeyPresser,
    pub health: Arc<dyn Fn() -> LineHealth + Send + Sync>,
    stop: CancellationToken,
    served: tokio::task::JoinHandle<()>,
}

impl Desk {
    pub fn serve(config: AudioLineConfig) -> Self {
        let clock = SystemClock::new().as_fn();
        let media_clock = MediaClock::start(clock.clone()).unwrap();
        let line = AudioLine::open(config, clock, media_clock).unwrap();
        let (presser, health) = (line.presser(), line.health());
        let (offer_sender, offers) = mpsc::channel(4);
        let stop = CancellationToken::new();
        let served = tokio::spawn(Box::new(line).serve(offer_sender, stop.clone()));
        Self { offers, presser, health, stop, served }
    }

    /// Waits until the line's health is as wanted.
    pub async fn until(&self, wanted: impl Fn(&LineHealth) -> bool) -> LineHealth {
        let looking = async {
            loop {
                let health = (self.health)();
                if wanted(&health) {
                    return health;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(health) => health,
            Err(_) => panic!("the line stayed {:?}", (self.health)()),
        }
    }

    pub async fn offered(&mut self) -> Offer {
        tokio::time::timeout(PATIENCE, self.offers.recv()).await.expect("a call is offered in time").unwrap()
    }

    /// Takes the next call and answers it.
    pub async fn answer(&mut self) -> Leg {
        let mut leg = self.offered().await.leg;
        leg.commands.send(LegCommand::Answer).await.unwrap();
        let told = tokio::time::timeout(PATIENCE, leg.events.recv()).await.unwrap();
        assert!(matches!(told, Some(LegEvent::Answered { rate: RATE, codec: "L16", .. })), "{told:?}");
        leg
    }

    pub async fn close(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.served).await.unwrap().unwrap();
    }
}

/// Waits for the end of a call, and sees that there is only one.
pub async fn end_of(leg: &mut Leg) -> EndCause {
    let events = async {
        let mut ends = Vec::new();
        while let Some(event) = leg.events.recv().await {
            if let LegEvent::Ended { cause, .. } = event {
                ends.push(cause);
            }
        }
        ends
    };
    let ends = tokio::time::timeout(PATIENCE, events).await.expect("the call ends in time");
    assert_eq!(ends.len(), 1, "a call ends once");
    ends[0]
}

pub async fn next_frame(leg: &mut Leg) -> EarFrame {
    tokio::time::timeout(PATIENCE, leg.ears.recv()).await.expect("sound comes").expect("the call is on")
}

/// Says `samples` on the leg, and listens meanwhile and for `more` frames after it.
pub async fn exchange(leg: &mut Leg, samples: &[i16], more: usize) -> Vec<EarFrame> {
    let frames: Vec<Frame> = samples.chunks(320).map(|chunk| Frame::from_samples(RATE, chunk)).collect();
    let mut heard = Vec::new();
    let mut said = 0;
    while heard.len() < frames.len() + more {
        while said < frames.len() {
            let frame = MouthFrame {
                epoch: leg.mouth.epoch(),
                utterance: UtteranceId(1),
                frame: frames[said],
                last: said + 1 == frames.len(),
            };
            if leg.mouth.queue.try_send(frame).is_err() {
                break;
            }
            said += 1;
        }
        heard.push(next_frame(leg).await);
    }
    heard
}

pub fn samples_of(frames: &[EarFrame]) -> Vec<i16> {
    frames.iter().flat_map(|frame| frame.frame.samples().to_vec()).collect()
}

/// A kept sentence, at 16 kHz.
pub fn sentence(name: &str) -> Vec<i16> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sounds").join(format!("{name}.wav"));
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!(reader.spec().sample_rate, 16_000);
    reader.samples::<i16>().map(Result::unwrap).collect()
}

/// A quarter of a second at 16 kHz.
const PROBE: usize = 4_000;

/// How far a piece may lie from where it belongs: a machine that stood still for a moment
/// moves what follows.
const ASIDE: usize = 4_800;

/// How alike `needle` and its place in `sound` are, 0 to 1: the median over its pieces
/// that are loud, so that a click of a busy machine is not the verdict.
pub fn likeness(needle: &[i16], sound: &[i16]) -> f64 {
    if needle.len() < PROBE || sound.len() < PROBE {
        return 0.0;
    }
    let mut pieces: Vec<usize> = (0..=needle.len() - PROBE).step_by(PROBE).collect();
    pieces.sort_by(|a, b| {
        let energy = |from: usize| product(&needle[from..from + PROBE], &needle[from..from + PROBE]);
        energy(*b).total_cmp(&energy(*a))
    });
    pieces.truncate(pieces.len().div_ceil(2));
    let loudest = &needle[pieces[0]..pieces[0] + PROBE];
    let (place, _) = best_place(loudest, sound, 0..sound.len() - PROBE);
    let mut found: Vec<f64> = pieces
        .iter()
        .map(|&from| {
            let due = (place + from).saturating_sub(pieces[0]);
            let around = due.saturating_sub(ASIDE)..(due + ASIDE).min(sound.len() - PROBE);
            best_place(&needle[from..from + PROBE], sound, around).1
        })
        .collect();
    found.sort_by(f64::total_cmp);
    found[found.len() / 2]
}

/// Where within `range` a piece is most at home, and how alike the two are there.
fn best_place(piece: &[i16], sound: &[i16], range: std::ops::Range<usize>) -> (usize, f64) {
    let own = product(piece, piece);
    let alike = |at: usize| {
        let there = &sound[at..at + piece.len()];
        product(piece, there) / (own * product(there, there)).sqrt().max(1.0)
    };
    range.map(|at| (at, alike(at))).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

fn product(a: &[i16], b: &[i16]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

pub fn energy_db(samples: &[i16]) -> f64 {
    10.0 * (product(samples, samples) / samples.len().max(1) as f64).max(1e-3).log10()
}
