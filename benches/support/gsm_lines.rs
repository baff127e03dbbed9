//! Modems' lines as a desk serves them, and the desk's end of their calls.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use milu::line::gsm::{GsmClaims, GsmControl, GsmEvent, GsmLine, GsmLineConfig, ModemPlace, Roots, Socket, Wanted};
use milu::line::{EarFrame, Leg, LegCommand, LegEvent, Line as _, MediaClock, Mouth, MouthFrame, Offer};
use milu::media::{Conversion, Frame, Resampler, SampleRate};
use milu::ops::SystemClock;
use milu::signalling::modem::{LineSettings, ModemState, Profile, SoundPath};
use milu::terms::{LineId, UtteranceId};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::modem::Family;
use super::tables::root;

/// It bounds a failure alone.
const PATIENCE: Duration = Duration::from_secs(120);

/// Speech is above this, silence far below.
pub const LOUD: u16 = 500;

pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// A kept sentence at a telephone's rate, in whole frames.
pub fn speech(name: &str) -> Vec<i16> {
    let mut reader = hound::WavReader::open(root().join("tests/sounds").join(name)).expect("a kept sound");
    let samples: Vec<i16> = reader.samples().collect::<Result<_, _>>().expect("samples");
    let mut out = Vec::new();
    Resampler::new(Conversion::Hz16000ToHz8000).push(&samples, &mut out);
    out.truncate(out.len() / SampleRate::Hz8000.frame_len() * SampleRate::Hz8000.frame_len());
    out
}

/// The lines of a box over one media clock.
pub struct GsmLines {
    media_clock: MediaClock,
    claims: GsmClaims,
    tasks: JoinSet<()>,
    roots: Roots,
}

/// A line that is being served.
pub struct Served {
    offers: mpsc::Receiver<Offer>,
    pub events: mpsc::Receiver<GsmEvent>,
    pub control: GsmControl,
    _stop: tokio_util::sync::DropGuard,
}

impl GsmLines {
    /// `roots` are those of the rack.
    pub fn new(roots: Roots) -> Self {
        let media_clock = MediaClock::start(SystemClock::new().as_fn()).expect("a thread");
        Self { media_clock, claims: GsmClaims::default(), tasks: JoinSet::new(), roots }
    }

    /// The line of the modem in this socket, from when it is ready.
    pub async fn ready(&mut self, usb_path: &str, family: Family) -> Served {
        let place =
            ModemPlace::Usb(Wanted { usb_path: Some(usb_path.to_owned()), socket: Socket::This, ..Wanted::default() });
        let config = GsmLineConfig {
            id: LineId::parse(&format!("gsm-{}", usb_path.replace('.', "-"))).expect("a name"),
            profiles: vec![profile(family)],
            place,
            settings: LineSettings { sound: Some(SoundPath::Serial), ..LineSettings::default() },
            card: None,
            roots: self.roots.clone(),
            sound_timeout: Duration::from_secs(30),
        };
        let clock = SystemClock::new().as_fn();
        let (line, events) = GsmLine::new(config, clock, self.media_clock.clone(), self.claims.clone());
        let control = line.control();
        let (offers_in, offers) = mpsc::channel(8);
        let stop = CancellationToken::new();
        self.tasks.spawn(Box::new(line).serve(offers_in, stop.clone()));
        let mut served = Served { offers, events, control, _stop: stop.drop_guard() };
        served.until_ready().await;
        served
    }
}

fn profile(family: Family) -> Arc<Profile> {
    let name = match family {
        Family::Huawei => "huawei",
        Family::Quectel => "quectel_ec2x",
        Family::Sim7600 => "simcom_sim7600",
        Family::Sim800 => "simcom_sim800",
    };
    let file: PathBuf = root().join("firmware-config/modems").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(&file).expect("the profile is there");
    Arc::new(Profile::parse(&text, &file.to_string_lossy()).expect("the profile is right"))
}

impl Served {
    pub async fn until_ready(&mut self) {
        let is_ready = |event: &GsmEvent| matches!(event, GsmEvent::Changed(change) if change.to == ModemState::Ready);
        in_time("a modem that is ready", async { while !is_ready(&self.events.recv().await.expect("served")) {} })
            .await;
    }

    pub async fn offer(&mut self) -> Offer {
        in_time("an offer", self.offers.recv()).await.expect("the line is served")
    }

    /// A call that the desk answers as soon as it is offered.
    pub async fn answered(&mut self) -> Talk {
        let Offer { leg, .. } = self.offer().await;
        Talk::answered(leg).await
    }
}

/// A call that was answered. Dropping it hangs up.
pub struct Talk {
    commands: mpsc::Sender<LegCommand>,
    _events: mpsc::Receiver<LegEvent>,
    pub ears: mpsc::Receiver<EarFrame>,
    pub mouth: Mouth,
}

impl Talk {
    pub async fn answered(leg: Leg) -> Self {
        leg.commands.send(LegCommand::Answer).await.expect("the line listens");
        Self::begun(leg).await
    }

    /// The same for whoever rang.
    pub async fn begun(leg: Leg) -> Self {
        let Leg { commands, mut events, ears, mouth, .. } = leg;
        let event = in_time("the answer", events.recv()).await;
        assert!(matches!(event, Some(LegEvent::Answered { .. })), "no answer, but {event:?}");
        Self { commands, _events: events, ears, mouth }
    }

    /// Speaks without end, and listens, until the call ends. `loud` counts samples of
    /// the far side that were.
    pub async fn speaks(mut self, said: Arc<Vec<i16>>, loud: Arc<AtomicU64>) {
        let mut frames = said.chunks_exact(SampleRate::Hz8000.frame_len()).cycle();
        let epoch = self.mouth.epoch();
        while !self.commands.is_closed() {
            tokio::select! {
                ear = self.ears.recv() => {
                    let Some(EarFrame { frame, .. }) = ear else { return };
                    let count = frame.samples().iter().filter(|sample| sample.unsigned_abs() > LOUD).count();
                    loud.fetch_add(count as u64, Ordering::Relaxed);
                }
                Some(_) = self.mouth.events.recv() => {}
                Some(_) = self.mouth.sent.recv() => {}
                room = self.mouth.queue.reserve() => {
                    let (Ok(room), Some(samples)) = (room, frames.next()) else { return };
                    let frame = Frame::from_samples(SampleRate::Hz8000, samples);
                    room.send(MouthFrame { epoch, utterance: UtteranceId(1), frame, last: false });
                }
            }
        }
    }
}
