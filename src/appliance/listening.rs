//! Who is heard through the monitor speaker: one call at a time, by one technician, and
//! the one who asked last. It keeps no sound, and a call neither waits for it nor asks it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::line::audio::{MonitorConfig, MonitorEar, MonitorSpeaker, MonitorTap, OpenMonitor, TurnError};
use crate::line::sound_card::{CardName, CardState, CardView};
use crate::line::{MediaClock, ReadClock};
use crate::media::Frame;
use crate::ops::{Health, HealthFact, HealthState, Stop};
use crate::terms::{CallId, LineId};

use super::keyless::Passed;

/// Taps that a call has not taken yet. It takes one as soon as it wakes, and a
/// technician asks once in a while.
const TAPS: usize = 4;

/// Calls that a refusal names: what somebody reads in one sentence.
const NAMED_MAX: usize = 8;

/// Why nobody can listen to a call, for the person who asked.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CannotListen {
    #[error(
        "listening to a call: this box has no monitor speaker; add [monitor_speaker] with a card to its \
         configuration, and start it anew"
    )]
    NoSpeaker,
    #[error("listening to a call: no call is running; `milu calls watch` shows when one rings")]
    NoneRuns,
    #[error("listening to a call: {count} calls are running ({named}); name one, as in `milu calls listen {first}`")]
    SeveralRun { count: usize, named: String, first: CallId },
    #[error(
        "listening to a call: {0} is not running; `milu calls listen` alone says which are, and `milu calls show {0}` \
         reads it if it is over"
    )]
    NotRunning(CallId),
    #[error("listening to a call: the caller of {0} has said that nobody is to have more of it than needs be")]
    Unwanted(CallId),
    #[error("listening to a call: {0}")]
    Turn(#[from] TurnError),
}

/// The monitor speaker, and the calls that can be heard through it. Clones are the same.
#[derive(Clone)]
pub struct Listening(Arc<Shared>);

struct Shared {
    /// None on a box without one.
    speaker: Option<MonitorSpeaker>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    /// Calls that run, and some that are over: those are swept out when the next begins.
    calls: BTreeMap<CallId, Running>,
    /// Of whoever listens now, or did last: dropping it tells them that another does.
    newest: Option<DropGuard>,
}

/// A call that runs while its own end is open.
struct Running {
    line: LineId,
    taps: mpsc::Sender<MonitorTap>,
    unwanted: CancellationToken,
}

/// Somebody who listens, for as long as this is held.
pub struct Listener {
    call: CallId,
    running: mpsc::Sender<MonitorTap>,
    another: CancellationToken,
    unwanted: CancellationToken,
    _ear: MonitorEar,
}

/// Why a listening is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Over {
    CallEnded,
    /// The caller would not have it.
    Unwanted,
    AnotherListens,
}

/// A call's end: it gives its sound to whoever listens.
pub struct Overheard {
    taps: mpsc::Receiver<MonitorTap>,
    tap: Option<MonitorTap>,
    /// Set once the caller would have nobody listen.
    unwanted: CancellationToken,
}

impl Listening {
    /// With the speaker of the configuration, if it has one. Its card may be away.
    pub fn open(
        config: Option<&MonitorConfig>,
        clock: ReadClock,
        media_clock: &MediaClock,
    ) -> Result<Self, OpenMonitor> {
        let speaker = config.map(|config| MonitorSpeaker::open(config.clone(), clock, media_clock)).transpose()?;
        Ok(Self(Arc::new(Shared { speaker, table: Mutex::default() })))
    }

    /// A call begins.
    pub fn call_began(&self, id: CallId, line: &LineId) -> Overheard {
        let (sender, taps) = mpsc::channel(TAPS);
        let unwanted = CancellationToken::new();
        if self.0.speaker.is_some() {
            let mut table = self.table();
            table.calls.retain(|_, call| !call.taps.is_closed());
            table.calls.insert(id, Running { line: line.clone(), taps: sender, unwanted: unwanted.clone() });
        }
        Overheard { taps, tap: None, unwanted }
    }

    /// Turns the speaker to a call: to this one, or to the only one that runs. Whoever
    /// listened before is told, and hears nothing more.
    pub fn listen(&self, call: Option<CallId>) -> Result<Listener, CannotListen> {
        let speaker = self.0.speaker.as_ref().ok_or(CannotListen::NoSpeaker)?;
        let mut table = self.table();
        let (call, running) = table.choose(call)?;
        let (running, unwanted) = (running.taps.clone(), running.unwanted.clone());
        if unwanted.is_cancelled() {
            return Err(CannotListen::Unwanted(call));
        }
        // The call has room for it before the speaker is turned away from another.
        let place = running.clone().try_reserve_owned().map_err(|refused| match refused {
            mpsc::error::TrySendError::Closed(_) => CannotListen::NotRunning(call),
            mpsc::error::TrySendError::Full(_) => CannotListen::Turn(TurnError::Busy),
        })?;
        let (tap, ear) = speaker.listen()?;
        drop(place.send(tap));
        let another = CancellationToken::new();
        table.newest = Some(another.clone().drop_guard());
        Ok(Listener { call, running, another, unwanted, _ear: ear })
    }

    /// The speaker's card; none on a box without one.
    pub fn card(&self) -> Option<(CardName, watch::Receiver<CardView>)> {
        self.0.speaker.as_ref().map(|speaker| (speaker.card().clone(), speaker.view()))
    }

    /// Says how the speaker is for as long as the box runs.
    pub async fn report(self, health: Health, stop: Stop) {
        let Some((card, mut view)) = self.card() else { return };
        loop {
            let state = view.borrow_and_update().state;
            health.state(fact(&card, state));
            tokio::select! {
                changed = view.changed() => if changed.is_err() { return },
                () = stop.ended() => return,
            }
        }
    }

    /// A poisoned lock still holds a whole table: nothing under it can panic half-way.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listening").field("has_speaker", &self.0.speaker.is_some()).finish_non_exhaustive()
    }
}

fn fact(card: &CardName, state: CardState) -> HealthFact {
    let (health, sentence) = match (trouble(card, state), state) {
        (Some(trouble), _) => (HealthState::Impaired, trouble),
        (None, CardState::Opening) => (HealthState::Well, format!("the sound card {card} is being opened.")),
        (None, _) => (HealthState::Well, format!("running calls can be heard on the sound card {card}.")),
    };
    HealthFact { name: "monitor speaker".to_owned(), state: health, sentence }
}

/// What is wrong with the speaker's card, as a sentence.
pub fn trouble(card: &CardName, state: CardState) -> Option<String> {
    match state {
        CardState::Away(trouble) => Some(format!("The sound card {card} {trouble}.")),
        CardState::Open { .. } | CardState::Opening => None,
    }
}

impl Table {
    /// The call that is meant.
    fn choose(&self, wanted: Option<CallId>) -> Result<(CallId, &Running), CannotListen> {
        let running: Vec<(CallId, &Running)> =
            self.calls.iter().filter(|(_, call)| !call.taps.is_closed()).map(|(id, call)| (*id, call)).collect();
        let found = match wanted {
            Some(wanted) => running.iter().find(|(id, _)| *id == wanted).ok_or(CannotListen::NotRunning(wanted))?,
            None => match running.as_slice() {
                [] => return Err(CannotListen::NoneRuns),
                [only] => only,
                [first, ..] => return Err(several(&running, first.0)),
            },
        };
        Ok(*found)
    }
}

fn several(running: &[(CallId, &Running)], first: CallId) -> CannotListen {
    let named = running.iter().take(NAMED_MAX).map(|(id, call)| format!("{id} on {}", call.line));
    let mut named: Vec<String> = named.collect();
    if running.len() > NAMED_MAX {
        named.push("and others".to_owned());
    }
    CannotListen::SeveralRun { count: running.len(), named: named.join(", "), first }
}

impl Listener {
    pub const fn call(&self) -> CallId {
        self.call
    }

    /// Waits until the call is over, its caller objects, or another listens. May be
    /// asked again.
    pub async fn over(&self) -> Over {
        tokio::select! {
            biased;
            () = self.running.closed() => Over::CallEnded,
            () = self.unwanted.cancelled() => Over::Unwanted,
            () = self.another.cancelled() => Over::AnotherListens,
        }
    }
}

impl Overheard {
    /// Waits for somebody who wants to listen; none once nobody can any more.
    pub async fn wanted(&mut self) -> Option<MonitorTap> {
        self.taps.recv().await
    }

    /// Somebody listens from here on, in place of whoever did before.
    pub fn begin(&mut self, tap: MonitorTap) {
        // It may have been on its way when the caller objected.
        self.tap = Some(tap).filter(|_| !self.unwanted.is_cancelled());
    }

    /// Nobody listens from here on, and nobody can any more.
    pub fn close(&mut self) {
        self.unwanted.cancel();
        self.tap = None;
        while let Ok(tap) = self.taps.try_recv() {
            drop(tap);
        }
    }

    /// What the caller said in 20 ms, as it is kept: no sample of a key's tone, and
    /// silence while something secret is keyed.
    pub fn caller(&mut self, passed: &Passed) {
        if let (Some(tap), Some(frame)) = (self.tap(), &passed.kept) {
            tap.caller(frame);
        }
    }

    /// What was sent to the line in 20 ms.
    pub fn spoken(&mut self, frame: &Frame) {
        if let Some(tap) = self.tap() {
            tap.spoken(frame);
        }
    }

    fn tap(&mut self) -> Option<&MonitorTap> {
        self.tap.take_if(|tap| !tap.is_heard());
        self.tap.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::keyless::Keyless;
    use super::*;
    use crate::line::audio::tapped;
    use crate::line::sound_card::CardTrouble;
    use crate::line::{EarFrame, FrameOrigin};
    use crate::media::SampleRate;
    use crate::ops::SystemClock;
    use crate::terms::Moment;

    const RATE: SampleRate = SampleRate::Hz8000;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// With a speaker whose card is not plugged in: who listens is the same.
    fn listening() -> Listening {
        let clock = SystemClock::new().as_fn();
        let media_clock = MediaClock::start(clock.clone()).unwrap();
        let config = MonitorConfig { card: CardName::parse("NoSuchCard").unwrap(), card_hz: None };
        Listening::open(Some(&config), clock, &media_clock).unwrap()
    }

    fn call(n: u8) -> CallId {
        CallId::from_parts(1_764_000_000_000, [n; 10])
    }

    fn line(name: &str) -> LineId {
        LineId::parse(name).unwrap()
    }

    async fn over(listener: &Listener) -> Over {
        tokio::time::timeout(PATIENCE, listener.over()).await.expect("it is told in time")
    }

    #[test]
    fn a_box_without_a_speaker_says_so_and_its_calls_wait_for_nobody() {
        let clock = SystemClock::new().as_fn();
        let media_clock = MediaClock::start(clock.clone()).unwrap();
        let listening = Listening::open(None, clock, &media_clock).unwrap();
        let mut overheard = listening.call_began(call(1), &line("door"));
        assert_eq!(listening.listen(Some(call(1))).err(), Some(CannotListen::NoSpeaker));
        assert!(overheard.taps.try_recv().is_err_and(|e| e == mpsc::error::TryRecvError::Disconnected));
        assert!(listening.card().is_none() && listening.table().calls.is_empty());
    }

    #[test]
    fn without_a_name_the_only_call_is_meant_and_of_several_each_is_named() {
        let listening = listening();
        assert_eq!(listening.listen(None).err(), Some(CannotListen::NoneRuns));
        let first = listening.call_began(call(1), &line("door"));
        assert_eq!(listening.listen(None).unwrap().call(), call(1));
        let _second = listening.call_began(call(2), &line("sim"));
        let refused = listening.listen(None).err().expect("two calls run").to_string();
        for word in [call(1).as_str(), call(2).as_str(), "door", "sim", "2 calls"] {
            assert!(refused.contains(word), "{word} in {refused}");
        }
        drop(first);
        assert_eq!(listening.listen(None).unwrap().call(), call(2));
        assert_eq!(listening.listen(Some(call(1))).err(), Some(CannotListen::NotRunning(call(1))));
        assert_eq!(listening.listen(Some(call(3))).err(), Some(CannotListen::NotRunning(call(3))));
    }

    #[test]
    fn many_calls_are_not_all_named_in_one_sentence() {
        let listening = listening();
        let calls: Vec<Overheard> = (0..40).map(|n| listening.call_began(call(n), &line("door"))).collect();
        let refused = listening.listen(None).err().expect("forty calls run").to_string();
        assert!(refused.contains("40 calls") && refused.contains("and others") && refused.len() < 600, "{refused}");
        drop(calls);
        let _next = listening.call_began(call(41), &line("door"));
        assert_eq!(listening.table().calls.len(), 1, "calls that are over are swept out");
    }

    #[tokio::test]
    async fn who_listens_last_is_heard_for_and_who_did_before_is_told() {
        let listening = listening();
        let (mut one, mut other) =
            (listening.call_began(call(1), &line("a")), listening.call_began(call(2), &line("b")));
        let first = listening.listen(Some(call(1))).unwrap();
        let second = listening.listen(Some(call(2))).unwrap();
        assert_eq!(over(&first).await, Over::AnotherListens);
        drop(first);
        let tap = one.wanted().await.expect("it was asked for");
        assert!(!tap.is_heard(), "the first command is over");
        let tap = other.wanted().await.expect("it is asked for");
        assert!(tap.is_heard());
        other.begin(tap);
        other.spoken(&Frame::silence(RATE));
        assert!(other.tap.is_some());
        drop(second);
        other.spoken(&Frame::silence(RATE));
        assert!(other.tap.is_none(), "with the command the call's part ends");
    }

    /// What is heard of a caller who hums, and keys a 5 in the middle of it: its tones
    /// are 770 and 1336 Hz (ITU-T Q.23).
    fn heard_of_a_key(during: impl Fn(&mut Keyless)) -> Vec<i16> {
        let wave = |n: usize, hz: f32| (std::f32::consts::TAU * hz * n as f32 / 8_000.0).sin();
        let hum = |n: usize| (500.0 * wave(n, 180.0)) as i16;
        let key = |n: usize| (4_000.0 * (wave(n, 770.0) + wave(n, 1_336.0))) as i16;
        let samples: Vec<i16> = (0..8_000).map(|n| if (3_333..4_133).contains(&n) { key(n) } else { hum(n) }).collect();
        let (tap, _ear, [caller, _spoken]) = tapped(Arc::default());
        let mut overheard = listening().call_began(call(1), &line("door"));
        overheard.begin(tap);
        let (mut keyless, mut heard) = (Keyless::new(RATE), Vec::new());
        for (n, part) in samples.chunks(RATE.frame_len()).enumerate() {
            if n == 15 {
                during(&mut keyless);
            }
            let at = Moment::from_micros(n as u64 * 20_000);
            let frame = Frame::from_samples(RATE, part);
            overheard.caller(&keyless.pass(&EarFrame { at, frame, origin: FrameOrigin::Received }));
            caller.try_iter().for_each(|frame| heard.extend_from_slice(frame.samples()));
        }
        heard
    }

    fn loudest(samples: &[i16]) -> u16 {
        samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0)
    }

    #[test]
    fn who_listens_hears_no_sample_of_a_key_and_nothing_while_something_secret_is_keyed() {
        let plain = heard_of_a_key(|_| {});
        // A frame waits until it is known to be none of a key.
        assert_eq!(plain.len(), 8_000 - RATE.frame_len());
        assert!((400..600).contains(&loudest(&plain)), "the hum, and no tone of a key: {}", loudest(&plain));
        let secret = heard_of_a_key(Keyless::withhold);
        let step = 14 * RATE.frame_len();
        assert!(loudest(&secret[..step]) > 400);
        assert_eq!(loudest(&secret[step..]), 0);
    }

    #[tokio::test]
    async fn a_caller_who_would_have_nobody_listen_is_not_heard_from_there_on() {
        let listening = listening();
        let mut overheard = listening.call_began(call(1), &line("door"));
        let listener = listening.listen(None).unwrap();
        let tap = overheard.wanted().await.expect("it was asked for");
        overheard.begin(tap);
        let waiting = listening.listen(None).unwrap();
        overheard.close();
        assert_eq!(over(&waiting).await, Over::Unwanted);
        assert_eq!(over(&listener).await, Over::Unwanted);
        assert!(overheard.tap.is_none() && overheard.taps.try_recv().is_err());
        assert_eq!(listening.listen(None).err(), Some(CannotListen::Unwanted(call(1))));
        drop(overheard);
        assert_eq!(listening.listen(None).err(), Some(CannotListen::NoneRuns));
    }

    #[tokio::test]
    async fn the_end_of_a_call_is_told_to_who_listens() {
        let listening = listening();
        let overheard = listening.call_began(call(1), &line("door"));
        let listener = listening.listen(None).unwrap();
        drop(overheard);
        assert_eq!(over(&listener).await, Over::CallEnded);
        assert_eq!(over(&listener).await, Over::CallEnded, "it may be asked again");
    }

    #[tokio::test]
    async fn who_asks_too_often_is_refused_and_the_one_who_listens_is_not_cut_off() {
        let listening = listening();
        // Nobody takes what is asked of this call.
        let _overheard = listening.call_began(call(1), &line("door"));
        let mut last = None;
        let refused = loop {
            match listening.listen(None) {
                Ok(listener) => last = Some(listener),
                Err(refused) => break refused,
            }
        };
        assert_eq!(refused, CannotListen::Turn(TurnError::Busy));
        let last = last.expect("the first was let");
        assert!(!last.another.is_cancelled());
    }

    #[tokio::test]
    async fn a_card_that_is_away_is_a_sentence_of_the_doctors() {
        let listening = listening();
        let (health, stop) = (Health::new(), Stop::new(PATIENCE));
        let (_, mut view) = listening.card().expect("there is a speaker");
        let report = listening.clone().report(health.clone(), stop.clone());
        let told = async {
            let absent = view.wait_for(|view| view.state == CardState::Away(CardTrouble::Absent));
            drop(absent.await.expect("the card is looked for"));
            while health.facts().first().map(|fact| fact.state) != Some(HealthState::Impaired) {
                tokio::task::yield_now().await;
            }
            // With the box the report ends.
            stop.end_now();
        };
        tokio::time::timeout(PATIENCE, async { tokio::join!(report, told) }).await.expect("it is told in time");
        let fact = &health.facts()[0];
        assert!(fact.sentence.contains("NoSuchCard is not plugged in"), "{}", fact.sentence);
    }
}
