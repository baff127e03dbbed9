//! Callers who press zero, and the telephone of the business that rings for them: over
//! real SIP and RTP on this machine, with engines that do nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ring::rand::SystemRandom;
use tokio::sync::{broadcast, mpsc};

use super::super::desk::{Business, Desk, OFFERS};
use super::super::idle_engines::Idle;
use super::super::listening::Listening;
use super::super::watch::Watch;
use super::*;
use crate::call::phrases::{self, Recorded};
use crate::call::{Handset, Handsets, Outcome};
use crate::knowledge::{KeypadMenu, KnowledgeBase, Spoken};
use crate::line::sip::{SipLine, SipLineConfig};
use crate::line::{EarFrame, Line, MouthFrame, Offer};
use crate::media::Level;
use crate::ops::{Stop, SystemClock};
use crate::speech::{CallSetting, EarsEvent, Hearing, Hints, Transcriber};
use crate::store::{Keyring, Vault};
use crate::terms::{LineId, Private, RequestId, UtteranceId};

/// It bounds a failure alone.
const PATIENCE: Duration = Duration::from_secs(60);

const CALLER: &str = "+2348031112223";

/// What caller and person hum; no tone of a key is that low.
const CALLER_HZ: f64 = 440.0;
const PERSON_HZ: f64 = 600.0;
const RINGING_HZ: f64 = 425.0;

async fn soon<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, awaited).await {
        Ok(done) => done,
        Err(_) => panic!("in vain: {what}"),
    }
}

/// Ears that count what they hear, and tell when they are closed.
#[derive(Clone, Default)]
struct Counting {
    loud: Arc<AtomicU64>,
    closed: Arc<AtomicBool>,
}

struct Counted(Counting);

impl Transcriber for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn open(&self, _setting: &CallSetting, _answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        Box::new(Counted(self.clone()))
    }
}

impl Hearing for Counted {
    fn line_answered(&mut self, _rate: SampleRate) {}

    fn frame(&mut self, frame: &Frame, _at: Moment) {
        let is_loud = Level::of(frame.samples()).rms_dbfs > -50.0;
        self.0.loud.fetch_add(u64::from(is_loud), Ordering::Relaxed);
    }

    fn turn_began(&mut self, _at: Moment) {}
    fn decode(&mut self, _request: RequestId) {}
    fn judge(&mut self, _request: RequestId) {}
    fn abandon(&mut self) {}
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Relaxed);
    }
}

/// A line of this machine that is served until the place is closed.
fn serve(place: &Place, id: &str, offers: mpsc::Sender<Offer>, codecs: Vec<Encoding>) -> SocketAddr {
    let config = SipLineConfig {
        id: LineId::parse(id).expect("a name"),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        rtp_ports: 20_000..=29_999,
        max_calls: 4,
        rtp_timeout_ms: 30_000,
        country_code: "234".to_owned(),
        codecs,
    };
    let line = SipLine::bind(config, place.clock.as_fn(), place.media_clock.clone()).expect("a free port");
    let address = line.local_address();
    drop(place.supervisor.spawn("line", Box::new(line).serve(offers, place.stop.ended_token())));
    address
}

/// A box with one telephone, and whoever rings the box.
struct Place {
    clock: SystemClock,
    media_clock: MediaClock,
    stop: Stop,
    supervisor: Supervisor,
    vault: Vault,
    ears: Counting,
    caller: SipCaller,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (clock, stop) = (SystemClock::new(), Stop::new(Duration::ZERO));
        let media_clock = MediaClock::start(clock.as_fn()).expect("a thread");
        let keyring = Keyring::open_or_create(&dir.path().join("master.key"), clock.wall()).expect("a key");
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.expect("a vault");
        let caller = SipCaller::new(clock.as_fn(), media_clock.clone());
        let supervisor = Supervisor::new(clock, stop.clone());
        Self { clock, media_clock, stop, supervisor, vault, ears: Counting::default(), caller, _dir: dir }
    }

    /// Opens the box, whose telephone is at `telephone` and rings for so long; gives where
    /// the box is rung, and what is told of its calls.
    fn open(&self, telephone: SocketAddr, rings: Duration) -> (String, broadcast::Receiver<Arc<str>>) {
        let base = KnowledgeBase::parse("a.toml", "business = \"Ikeja Clinic\"\n").expect("a good file");
        let handset = Handset { id: HandsetId::parse("desk").expect("a name"), people: Vec::new(), rings };
        let handsets = Handsets::new(std::slice::from_ref(&handset), &base).expect("nobody is unknown");
        let address = format!("sip:desk@{telephone}").try_into().expect("an address");
        let known = [HandsetConfig { handset, address }];
        let spoken = Spoken { text: Private::new("Press zero.".to_owned()), entry: None };
        let watch = Watch::new();
        let told = watch.listen();
        let desk = Desk {
            business: Business {
                name: "Ikeja Clinic".to_owned(),
                greeting: "Good day.".to_owned(),
                country_code: "234".to_owned(),
                time_zone: jiff::tz::TimeZone::UTC,
                recorded: Recorded::Yes,
                menu: KeypadMenu { keys: Vec::new(), spoken },
                handsets,
                hints: Hints::default(),
            },
            transcriber: Arc::new(self.ears.clone()),
            responder: Arc::new(Idle),
            synthesizer: Arc::new(Idle),
            renderings: Arc::default(),
            texts: None,
            reception: Reception::new(&known, self.clock.as_fn(), self.media_clock.clone()),
            second_hearing: None,
            outside: None,
            vault: self.vault.clone(),
            watch,
            listening: Listening::open(None, self.clock.as_fn(), &self.media_clock).expect("no speaker"),
            clock: self.clock,
            stop: self.stop.clone(),
            grace: Duration::ZERO,
            supervisor: self.supervisor.clone(),
            random: SystemRandom::new(),
            heard_max: 4,
            ears: None,
            heard_now: Arc::default(),
        };
        let (offers, offered) = mpsc::channel(OFFERS);
        let address = serve(self, "front-desk", offers, vec![Encoding::Pcma]);
        drop(self.supervisor.spawn("desk", Arc::new(desk).serve(offered)));
        (format!("sip:clinic@{address}"), told)
    }

    /// Rings the box; the call is answered.
    async fn ring(&self, uri: &str) -> Leg {
        let options = RingOptions { from_user: CALLER.to_owned(), ..RingOptions::default() };
        let mut leg = soon("a ring", self.caller.ring(uri, options)).await.expect("an address");
        until(&mut leg, "the answer", |event| matches!(event, LegEvent::Answered { .. })).await;
        leg
    }

    /// The record of the only call.
    async fn record(&self) -> crate::call::CallRecord {
        let calls = self.vault.list(None, None, 4).await.expect("the index is read");
        let [call] = calls.as_slice() else { panic!("one call: {calls:?}") };
        self.vault.show(call.id).await.expect("its record")
    }

    async fn close(self) {
        self.caller.finish().await;
        self.stop.end_now();
        assert!(self.supervisor.join(PATIENCE).await.is_empty(), "a task did not end");
        self.vault.close().await;
    }
}

/// Waits for an event of a leg, whose sound nobody needs meanwhile.
async fn until(leg: &mut Leg, what: &str, wanted: impl Fn(&LegEvent) -> bool) {
    let waiting = async {
        loop {
            tokio::select! {
                event = leg.events.recv() => match event {
                    Some(event) if wanted(&event) => return,
                    Some(_) => {}
                    None => panic!("the call went before: {what}"),
                },
                Some(_) = leg.ears.recv() => {}
                Some(_) = leg.mouth.sent.recv() => {}
                Some(_) = leg.mouth.events.recv() => {}
            }
        }
    };
    soon(what, waiting).await;
}

async fn told(rows: &mut broadcast::Receiver<Arc<str>>, what: &str, words: &str) {
    let waiting = async { while !rows.recv().await.expect("the box runs").contains(words) {} };
    soon(what, waiting).await;
}

/// A person at a telephone of this machine.
async fn offered(offers: &mut mpsc::Receiver<Offer>) -> Offer {
    soon("the telephone rings", offers.recv()).await.expect("its line is served")
}

/// How much of a frame is a tone of `hz`, 0 to 1.
fn share_of(frame: &Frame, hz: f64) -> f64 {
    let (mut real, mut imaginary, mut all) = (0.0, 0.0, 1.0);
    for (n, sample) in frame.samples().iter().enumerate() {
        let (sample, angle) =
            (f64::from(*sample), std::f64::consts::TAU * hz * n as f64 / f64::from(frame.rate().hz()));
        real += sample * angle.cos();
        imaginary += sample * angle.sin();
        all += sample * sample;
    }
    2.0 * (real * real + imaginary * imaginary) / (all * frame.samples().len() as f64)
}

/// Frames of a tone that are surely it: half a second, and none between them is another.
const SURE: u32 = 25;

/// Frames for which somebody hums on who has heard the other: the other still listens.
const HUMS_ON: u32 = 100;

/// Hums, frame for frame of what is heard, until the other's tone has surely been heard.
async fn hum_until_heard(leg: &mut Leg, own_hz: f64, wanted_hz: f64) {
    let (mut sure, mut phase) = (0, 0.0);
    let mut on = HUMS_ON;
    while on > 0 {
        let Some(EarFrame { frame: heard, .. }) = leg.ears.recv().await else { panic!("{wanted_hz} Hz was not heard") };
        while leg.mouth.sent.try_recv().is_ok() || leg.mouth.events.try_recv().is_ok() {}
        let is_it = Level::of(heard.samples()).rms_dbfs > -40.0 && share_of(&heard, wanted_hz) > 0.7;
        sure = if is_it || sure >= SURE { sure + 1 } else { 0 };
        on -= u32::from(sure >= SURE);
        let mut frame = Frame::silence(heard.rate());
        for sample in frame.samples_mut() {
            phase = (phase + std::f64::consts::TAU * own_hz / f64::from(heard.rate().hz())) % std::f64::consts::TAU;
            *sample = (8_000.0 * f64::sin(phase)) as i16;
        }
        let said = MouthFrame { epoch: leg.mouth.epoch(), utterance: UtteranceId(0), frame, last: false };
        // A mouth that is full has been held up by this machine; the next frame fits.
        let _full = leg.mouth.queue.try_send(said);
    }
}

fn key(leg: &Leg, digit: char) {
    leg.commands.try_send(LegCommand::SendDigit(digit)).expect("the line listens");
}

/// A caller has pressed zero, and this telephone rings.
async fn ringing(place: &Place, codecs: Vec<Encoding>) -> (Leg, Offer, broadcast::Receiver<Arc<str>>) {
    let (offers, mut rung) = mpsc::channel(4);
    let telephone = serve(place, "telephone", offers, codecs);
    let (uri, rows) = place.open(telephone, Duration::from_secs(50));
    let leg = place.ring(&uri).await;
    key(&leg, '0');
    let offer = offered(&mut rung).await;
    assert_eq!(offer.from.as_ref().map(PhoneNumber::expose), Some(CALLER), "the person sees who rings");
    (leg, offer, rows)
}

async fn people_speak(codecs: Vec<Encoding>) {
    let place = Place::new().await;
    let (mut caller, Offer { leg: mut person, .. }, mut rows) = ringing(&place, codecs).await;
    soon("the ringing tone", hum_until_heard(&mut caller, CALLER_HZ, RINGING_HZ)).await;
    assert!(!place.ears.closed.load(Ordering::Relaxed), "the conversation may go on");

    person.commands.send(LegCommand::Answer).await.expect("the line listens");
    told(&mut rows, "the hand-over is told", "\"event\":\"transferred\"").await;
    let both = async {
        tokio::join!(
            hum_until_heard(&mut caller, CALLER_HZ, PERSON_HZ),
            hum_until_heard(&mut person, PERSON_HZ, CALLER_HZ)
        )
    };
    soon("both hear each other", both).await;
    assert!(place.ears.closed.load(Ordering::Relaxed), "nobody listens to people");
    assert_eq!(place.ears.loud.load(Ordering::Relaxed), 0, "nor while it rings");

    key(&caller, '5');
    until(&mut person, "the caller's key", |event| matches!(event, LegEvent::Digit { digit: '5', .. })).await;
    person.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.expect("the line listens");
    until(&mut caller, "the end", |event| matches!(event, LegEvent::Ended { .. })).await;
    told(&mut rows, "the record", "\"event\":\"ended\"").await;
    let record = place.record().await;
    assert_eq!((record.outcome, record.end_cause), (Outcome::Transferred, EndCause::NormalClearing));
    assert_eq!(record.transferred.as_ref().map(|to| to.to.expose().as_str()), Some("desk"));
    let kept = record.recording.expect("it is recorded");
    assert!(kept.duration_ms > 3_000, "what is said to the caller is kept: {kept:?}");
    drop((caller, person));
    place.close().await;
}

#[tokio::test]
async fn caller_and_person_hear_each_other_and_the_ears_hear_neither() {
    people_speak(vec![Encoding::Pcma]).await;
}

#[tokio::test]
async fn a_person_with_a_wide_telephone_is_heard_on_a_narrow_line() {
    people_speak(vec![Encoding::G722]).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_is_hung_up_at_the_person_too() {
    let place = Place::new().await;
    let (caller, Offer { leg: mut person, .. }, mut rows) = ringing(&place, vec![Encoding::Pcma]).await;
    person.commands.send(LegCommand::Answer).await.expect("the line listens");
    told(&mut rows, "the hand-over is told", "\"event\":\"transferred\"").await;
    caller.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.expect("the line listens");
    until(&mut person, "the end", |event| matches!(event, LegEvent::Ended { .. })).await;
    told(&mut rows, "the record", "\"event\":\"ended\"").await;
    assert_eq!(place.record().await.outcome, Outcome::Transferred);
    drop((caller, person));
    place.close().await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_or_presses_the_star_takes_the_ringing_back() {
    for hangs_up in [true, false] {
        let place = Place::new().await;
        let (caller, Offer { leg: mut person, .. }, mut rows) = ringing(&place, vec![Encoding::Pcma]).await;
        if hangs_up {
            caller.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.expect("the line listens");
        } else {
            key(&caller, '*');
        }
        until(&mut person, "the ringing ends", |event| matches!(event, LegEvent::Ended { .. })).await;
        if !hangs_up {
            told(&mut rows, "the box goes on", phrases::NO_MESSAGE).await;
        }
        drop((caller, person));
        told(&mut rows, "the record", "\"event\":\"ended\"").await;
        assert_eq!(place.record().await.transferred, None);
        place.close().await;
    }
}

#[tokio::test]
async fn a_telephone_that_is_busy_or_away_costs_the_caller_an_apology() {
    for cause in [Some(EndCause::UserBusy), None] {
        let place = Place::new().await;
        let (offers, mut rung) = mpsc::channel(4);
        let telephone = match cause {
            Some(_) => serve(&place, "telephone", offers, vec![Encoding::Pcma]),
            // The port of RFC 863, on which no telephone is.
            None => SocketAddr::from((Ipv4Addr::LOCALHOST, 9)),
        };
        let (uri, mut rows) = place.open(telephone, Duration::from_millis(300));
        let leg = place.ring(&uri).await;
        key(&leg, '0');
        if let Some(cause) = cause {
            offered(&mut rung).await.leg.commands.send(LegCommand::Reject(cause)).await.expect("the line listens");
        }
        told(&mut rows, "the apology", phrases::NOBODY_ANSWERS).await;
        drop(leg);
        told(&mut rows, "the record", "\"event\":\"ended\"").await;
        let record = place.record().await;
        assert_eq!((record.outcome, record.transferred), (Outcome::Answered, None));
        place.close().await;
    }
}
