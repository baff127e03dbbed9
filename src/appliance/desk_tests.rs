//! The desk and its calls: what their ears are told, and that callers do not notice
//! when the disk takes nothing.

use std::path::Path;
use std::time::Duration;

use super::super::idle_engines::Idle;
use super::super::listening::Listening;
use super::*;
use crate::call::MediaFacts;
use crate::knowledge::Spoken;
use crate::line::{LegEnd, LegEvent, MediaClock, Rhythm, leg};
use crate::media::{Frame, SampleRate};
use crate::speech::{EarsEvent, Hearing};
use crate::store::Keyring;
use crate::terms::{LineId, Moment, Private, RequestId};

/// What becomes of a call's ears.
#[derive(Debug, PartialEq)]
enum OfEars {
    Line(SampleRate),
    Closed,
}

/// Ears that hear nothing, and say what becomes of them.
struct Telling(mpsc::Sender<OfEars>);

struct Told(mpsc::Sender<OfEars>);

impl Transcriber for Telling {
    fn name(&self) -> &'static str {
        "telling"
    }

    fn open(&self, _setting: &CallSetting, _answers: mpsc::Sender<EarsEvent>) -> Box<dyn Hearing> {
        Box::new(Told(self.0.clone()))
    }
}

impl Hearing for Told {
    fn line_answered(&mut self, rate: SampleRate) {
        self.0.try_send(OfEars::Line(rate)).expect("a call is answered once");
    }

    fn frame(&mut self, _frame: &Frame, _at: Moment) {}
    fn turn_began(&mut self, _at: Moment) {}
    fn decode(&mut self, _request: RequestId) {}
    fn judge(&mut self, _request: RequestId) {}
    fn abandon(&mut self) {}
}

impl Drop for Told {
    fn drop(&mut self) {
        // A test that looks no longer does not want to know.
        drop(self.0.try_send(OfEars::Closed));
    }
}

struct Place {
    desk: Arc<Desk>,
    vault: Vault,
    supervisor: Supervisor,
    _dir: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let (clock, stop) = (SystemClock::new(), Stop::new(Duration::ZERO));
        let vault = open_vault(dir.path(), clock).await;
        let supervisor = Supervisor::new(clock, stop.clone());
        let spoken = Spoken { text: Private::new("Press one.".to_owned()), entry: None };
        let business = Business {
            name: "Ikeja Clinic".to_owned(),
            greeting: "Good day.".to_owned(),
            country_code: "234".to_owned(),
            time_zone: jiff::tz::TimeZone::UTC,
            recorded: Recorded::Yes,
            menu: KeypadMenu { keys: Vec::new(), spoken },
            handsets: Handsets::default(),
            hints: Hints::default(),
        };
        let media_clock = MediaClock::start(clock.as_fn()).expect("a clock");
        let desk = Desk {
            business,
            transcriber: Arc::new(Idle),
            responder: Arc::new(Idle),
            synthesizer: Arc::new(Idle),
            renderings: Arc::default(),
            texts: None,
            reception: None,
            second_hearing: None,
            listening: Listening::open(None, clock.as_fn(), &media_clock).expect("no speaker"),
            outside: None,
            vault: vault.clone(),
            watch: Watch::new(),
            clock,
            stop,
            grace: Duration::ZERO,
            supervisor: supervisor.clone(),
            random: SystemRandom::new(),
            heard_max: 0,
            ears: None,
            heard_now: Arc::default(),
        };
        Self { desk: Arc::new(desk), vault, supervisor, _dir: dir }
    }

    /// Gives the calls ears, of which one call at a time can be heard.
    fn listens_with(&mut self, ears: Arc<dyn Transcriber>) {
        let desk = Arc::get_mut(&mut self.desk).expect("the desk takes no calls yet");
        desk.transcriber = ears;
        desk.heard_max = 1;
    }

    fn serve(&self) -> mpsc::Sender<Offer> {
        let (offers, offered) = mpsc::channel(OFFERS);
        drop(self.supervisor.spawn("desk", self.desk.clone().serve(offered)));
        offers
    }

    /// When the offers and the legs are gone.
    async fn close(self) {
        assert!(self.supervisor.join(LONG).await.is_empty(), "a call did not end");
        self.vault.close().await;
    }
}

async fn open_vault(dir: &Path, clock: SystemClock) -> Vault {
    let keyring = Keyring::open_or_create(&dir.join("master.key"), clock.wall()).expect("a key");
    Vault::open(&dir.join("vault"), keyring, clock.as_fn()).await.expect("a vault")
}

/// Bounds a failure only.
const LONG: Duration = Duration::from_secs(60);

async fn soon<T>(awaited: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), awaited).await.expect("in time")
}

async fn ring(offers: &mpsc::Sender<Offer>) -> LegEnd {
    let (leg, end) = leg(Rhythm::Box);
    let offer = Offer { line: LineId::parse("front-desk").expect("a name"), from: None, leg };
    soon(offers.send(offer)).await.expect("the desk takes offers");
    end
}

/// The next 20 ms of the box's voice.
async fn hears(end: &mut LegEnd, clock: SystemClock) -> Frame {
    let said = async {
        loop {
            match end.mouth.tick(SampleRate::Hz8000, clock.now()) {
                Some(frame) => return frame,
                None => tokio::task::yield_now().await,
            }
        }
    };
    soon(said).await
}

#[tokio::test]
async fn a_disk_that_stalls_with_one_call_keeps_no_other_from_the_desk() {
    let place = Place::new().await;
    let offers = place.serve();
    let stalled = place.vault.stalled().await;
    let mut ends = Vec::new();
    // More than wait in front of the desk.
    for _ in 0..OFFERS * 2 {
        ends.push(ring(&offers).await);
    }
    drop(stalled);
    for end in &mut ends {
        assert_eq!(soon(end.commands.recv()).await, Some(LegCommand::Answer));
    }
    drop((ends, offers));
    place.close().await;
}

#[tokio::test]
async fn a_disk_that_does_not_come_back_leaves_no_caller_to_ring() {
    let place = Place::new().await;
    let offers = place.serve();
    let stalled = place.vault.stalled().await;
    let mut end = ring(&offers).await;
    assert_eq!(soon(end.commands.recv()).await, Some(LegCommand::Answer));
    drop((end, offers, stalled));
    let Place { vault, supervisor, desk, _dir: dir } = place;
    let clock = desk.clock;
    drop(desk);
    assert!(supervisor.join(LONG).await.is_empty(), "a call did not end");
    vault.close().await;
    // What was begun too late has no end yet; the next start gives it one.
    drop((vault, supervisor));
    let again = open_vault(dir.path(), clock).await;
    assert_eq!(again.recovered().len(), 1);
    again.close().await;
}

#[tokio::test]
async fn a_disk_that_stalls_after_the_answer_keeps_no_caller_waiting_for_the_greeting() {
    let place = Place::new().await;
    let (offers, clock) = (place.serve(), place.desk.clock);
    let mut end = ring(&offers).await;
    assert_eq!(soon(end.commands.recv()).await, Some(LegCommand::Answer));
    let stalled = place.vault.stalled().await;
    end.events.tell(LegEvent::Answered { at: clock.now(), rate: SampleRate::Hz8000, codec: "PCMA" });
    let frame = hears(&mut end, clock).await;
    assert!(frame.samples().iter().any(|sample| *sample != 0));
    // The notice is over, and the recording begins: what is said next is heard all the same.
    for _ in 0..9 {
        hears(&mut end, clock).await;
    }
    drop(stalled);
    drop((end, offers));
    place.close().await;
}

#[tokio::test]
async fn the_ears_of_a_call_are_told_at_which_rate_its_line_is() {
    for rate in [SampleRate::Hz8000, SampleRate::Hz16000] {
        let mut place = Place::new().await;
        let (tell, mut told) = mpsc::channel(1);
        place.listens_with(Arc::new(Telling(tell)));
        let (offers, clock) = (place.serve(), place.desk.clock);
        let mut end = ring(&offers).await;
        assert_eq!(soon(end.commands.recv()).await, Some(LegCommand::Answer));
        end.events.tell(LegEvent::Answered { at: clock.now(), rate, codec: "G722" });
        assert_eq!(soon(told.recv()).await, Some(OfEars::Line(rate)));
        drop((end, offers));
        place.close().await;
    }
}

#[tokio::test]
async fn a_call_that_is_over_gives_its_ears_back_though_the_disk_stalls() {
    let mut place = Place::new().await;
    let (tell, mut told) = mpsc::channel(2);
    place.listens_with(Arc::new(Telling(tell)));
    let (offers, clock) = (place.serve(), place.desk.clock);
    let mut end = ring(&offers).await;
    assert_eq!(soon(end.commands.recv()).await, Some(LegCommand::Answer));
    end.events.tell(LegEvent::Answered { at: clock.now(), rate: SampleRate::Hz8000, codec: "PCMA" });
    assert_eq!(soon(told.recv()).await, Some(OfEars::Line(SampleRate::Hz8000)));
    let stalled = place.vault.stalled().await;
    assert_eq!(place.desk.heard_now.load(Ordering::Acquire), 1);
    end.events.tell(LegEvent::Ended { at: clock.now(), cause: EndCause::NormalClearing, media: MediaFacts::default() });
    assert_eq!(soon(told.recv()).await, Some(OfEars::Closed));
    assert_eq!(place.desk.heard_now.load(Ordering::Acquire), 0, "another caller can be heard");
    drop(stalled);
    drop((end, offers));
    place.close().await;
}
