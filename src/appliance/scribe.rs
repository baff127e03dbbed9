//! Writes down what happens in one call, in order and beside the call's own
//! loop: a disk that stalls must keep no caller waiting who is promised nothing.

use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::call::CallRecord;
use crate::media::SampleRate;
use crate::ops::{Stop, Supervisor};
use crate::store::journal::Entry;
use crate::store::{CallMemory, HearAgain, KeepError, SoundTap};

/// Orders that wait. A call stands still for each promise while the disk stalls, so that
/// these are a stall of more than a minute and a half, with what it notes besides.
const ORDERS: usize = 72;

/// How long a call stands still for a promise. A disk in order takes some ten
/// milliseconds; a caller takes a longer silence than this for a dead line.
pub(super) const PROMISE_PATIENCE: Duration = Duration::from_millis(1500);

/// The waits before a record that could not be written is tried again, each twice the one
/// before. Most stalls are over in seconds, and a disk that is full is made room on by a
/// person, to whom a minute more is nothing.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

enum Order {
    /// Write an entry, and say when it is safe on the disk, or that it could not be written.
    Write(Entry, Option<oneshot::Sender<bool>>),
    StartRecording {
        rate: SampleRate,
        from_ms: u64,
        begun: oneshot::Sender<SoundTap>,
    },
    HearAgain(HearAgain),
    Finish {
        record: Box<CallRecord>,
        kept: oneshot::Sender<CallRecord>,
    },
}

/// The call's end of its scribe. If it is dropped before [`Scribe::finish`], the
/// call is closed at the next start, as after a crash.
#[derive(Debug)]
pub struct Scribe(mpsc::Sender<Order>);

impl Scribe {
    /// Starts to write for the call of `memory`, until it has ended or the box has stopped.
    pub fn start(memory: CallMemory, supervisor: &Supervisor, stop: Stop) -> Self {
        let (orders, ordered) = mpsc::channel(ORDERS);
        drop(supervisor.spawn_passing("scribe", write(memory, ordered, stop)));
        Self(orders)
    }

    /// Has an entry written, some time soon.
    pub async fn note(&self, entry: Entry) {
        self.order(Order::Write(entry, None)).await;
    }

    /// Has an entry written. True if it is safe on the disk, and the effect may
    /// follow. Where the disk stalls the call goes on without; the entry is still
    /// written once the disk takes it, unless what waits for it has taken all
    /// [`ORDERS`] places, which is told.
    pub async fn promise(&self, entry: Entry) -> bool {
        let (written, done) = oneshot::channel();
        match self.0.try_send(Order::Write(entry, Some(written))) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                tracing::error!("the disk stalls for so long that what a call promises is not written down");
                return false;
            }
            Err(TrySendError::Closed(_)) => {
                scribe_is_gone();
                return false;
            }
        }
        match tokio::time::timeout(PROMISE_PATIENCE, done).await {
            // A scribe that is gone has been told of by its owner.
            Ok(written) => written.unwrap_or(false),
            Err(_) => {
                tracing::error!("the disk stalls: a call goes on without what it was about to promise");
                false
            }
        }
    }

    /// Has the recording begun. What comes back is where the sound from here on
    /// goes; nothing comes if it could not begin.
    pub async fn start_recording(&self, rate: SampleRate, from_ms: u64) -> oneshot::Receiver<SoundTap> {
        let (begun, tap) = oneshot::channel();
        self.order(Order::StartRecording { rate, from_ms, begun }).await;
        tap
    }

    /// Has the call queued with its record, to be heard again.
    pub async fn hear_again(&self, hear_again: HearAgain) {
        self.order(Order::HearAgain(hear_again)).await;
    }

    /// Has the record written, as the last of all; gives it as it was kept, or is to be
    /// once the disk takes it.
    pub async fn finish(self, record: CallRecord) -> CallRecord {
        let (kept, done) = oneshot::channel();
        self.order(Order::Finish { record: Box::new(record.clone()), kept }).await;
        done.await.unwrap_or(record)
    }

    async fn order(&self, order: Order) {
        if self.0.send(order).await.is_err() {
            scribe_is_gone();
        }
    }
}

fn scribe_is_gone() {
    tracing::error!("a call's scribe is gone; nothing more of the call is written down");
}

async fn write(mut memory: CallMemory, mut orders: mpsc::Receiver<Order>, stop: Stop) {
    let call = memory.call();
    while let Some(order) = orders.recv().await {
        match order {
            Order::Write(entry, written) => {
                let is_safe = match memory.journal(&entry).await {
                    Ok(()) => true,
                    Err(error) => {
                        tracing::error!(%call, %error, "the journal could not be written");
                        false
                    }
                };
                if let Some(written) = written {
                    // Who does not wait for it any more is a call that went on, or broke off.
                    written.send(is_safe).unwrap_or_default();
                }
            }
            Order::StartRecording { rate, from_ms, begun } => match memory.start_recording(rate, from_ms).await {
                // A call that is over has no more sound.
                Ok(tap) => drop(begun.send(tap)),
                Err(error) => tracing::error!(%call, %error, "the recording could not begin"),
            },
            Order::HearAgain(hear_again) => memory.hear_again(hear_again),
            Order::Finish { record, kept } => return finish(memory, *record, kept, &stop).await,
        }
    }
}

async fn finish(mut memory: CallMemory, record: CallRecord, kept: oneshot::Sender<CallRecord>, stop: &Stop) {
    let call = memory.call();
    let (record, written) = match memory.end_recording(record.clone()).await {
        Ok(record) => {
            let written = memory.keep(&record).await;
            (record, written)
        }
        Err(error) => (record, Err(error)),
    };
    // Whatever became of it, the call is over and waits no longer.
    if kept.send(record.clone()).is_err() {
        tracing::debug!(%call, "nobody waited for the record of a call");
    }
    let Err(error) = written else { return };
    tracing::error!(%call, %error, "the record could not be kept");
    // A recorder that is gone does not come back: the next start measures what there is of the sound.
    if !matches!(error, KeepError::Recorder(_)) {
        keep_later(&memory, &record, stop).await;
    }
}

/// What the caller was promised must not be hidden until the next start because the disk
/// stalled in the moment in which they hung up.
async fn keep_later(memory: &CallMemory, record: &CallRecord, stop: &Stop) {
    let call = memory.call();
    let Some(_place) = memory.place_to_wait() else {
        tracing::error!(%call, "too many records wait for the disk; the next start finishes this one");
        return;
    };
    let mut wait = FIRST_WAIT;
    loop {
        let again = async {
            tokio::time::sleep(wait).await;
            memory.keep(record).await
        };
        let written = tokio::select! {
            // The next start does the rest.
            () = stop.ended() => return,
            written = again => written,
        };
        match written {
            Ok(()) => {
                tracing::info!(%call, "the record that could not be kept is kept now");
                return;
            }
            Err(error) => tracing::warn!(%call, %error, "the record still could not be kept"),
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::path::Path;
    use std::pin::pin;
    use std::task::Poll;
    use std::time::Duration;

    use super::*;
    use crate::appliance::kept_sound::KeptSound;
    use crate::call::{MediaFacts, Outcome};
    use crate::media::Frame;
    use crate::ops::{Stop, SystemClock};
    use crate::store::journal::Kind;
    use crate::store::{CallHeader, Keyring, Leg, Vault};
    use crate::terms::{CallId, EndCause, LineId};

    fn record(header: &CallHeader) -> CallRecord {
        CallRecord {
            id: header.id,
            line: header.line.clone(),
            from: None,
            started_at: header.started_at,
            answered_after: Some(Duration::ZERO),
            ended_at: header.started_at,
            end_cause: EndCause::NormalClearing,
            outcome: Outcome::Answered,
            turns: Vec::new(),
            message: None,
            recording: None,
            media: MediaFacts::default(),
            wishes: Vec::new(),
            transferred: None,
        }
    }

    fn frame(n: u32) -> Frame {
        let sample = i16::try_from(n).map_or(0, |n| n * 50);
        Frame::from_samples(SampleRate::Hz8000, &[sample; 160])
    }

    async fn soon<T>(awaited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(20), awaited).await.expect("in time")
    }

    async fn open(dir: &Path) -> Vault {
        let clock = SystemClock::new();
        let keyring = Keyring::open_or_create(&dir.join("master.key"), clock.wall()).expect("a key");
        Vault::open(&dir.join("vault"), keyring, clock.as_fn()).await.expect("a vault")
    }

    /// The memory of a call that is kept in `dir`.
    async fn begun(dir: &Path) -> (Vault, CallHeader, CallMemory) {
        let vault = open(dir).await;
        let (line, started_at) = (LineId::parse("front-desk").expect("a name"), SystemClock::new().wall());
        let header = CallHeader { id: CallId::from_parts(1, [7; 10]), line, from: None, started_at };
        let memory = vault.begin_call(&header).await.expect("a memory");
        (vault, header, memory)
    }

    /// The scribe of a call that is kept in `dir`.
    async fn of_a_call(dir: &Path) -> (Vault, CallHeader, Scribe) {
        let (vault, header, memory) = begun(dir).await;
        let (supervisor, stop) = running();
        (vault, header, Scribe::start(memory, &supervisor, stop))
    }

    fn running() -> (Supervisor, Stop) {
        let stop = Stop::new(Duration::ZERO);
        (Supervisor::new(SystemClock::new(), stop.clone()), stop)
    }

    /// Bounds a failure only.
    const LONG: Duration = Duration::from_secs(60);

    /// As a disk that takes no end of a call.
    const REFUSED: &str = "CREATE TRIGGER refused BEFORE UPDATE ON calls BEGIN SELECT RAISE(ABORT, 'no'); END";
    const TAKEN: &str = "DROP TRIGGER refused";

    async fn ended(vault: &Vault) -> Vec<CallId> {
        let calls = vault.list(None, None, 9).await.expect("the index is read");
        calls.iter().map(|call| call.id).collect()
    }

    #[tokio::test]
    async fn while_the_disk_stalls_sound_waits_and_only_promises_are_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, scribe) = of_a_call(dir.path()).await;

        let stalled = vault.stalled().await;
        soon(scribe.note(Entry::plain(1, Kind::Answered))).await;
        let mut kept = KeptSound::new(soon(scribe.start_recording(SampleRate::Hz8000, 1)).await);
        for n in 0..100 {
            kept.take(Leg::Caller, &frame(n));
            kept.take(Leg::Box, &frame(0));
        }
        {
            let mut promise = pin!(scribe.promise(Entry::plain(2, Kind::MessageTaken)));
            let waits = poll_fn(|cx| Poll::Ready(promise.as_mut().poll(cx).is_pending())).await;
            assert!(waits, "a promise is safe before it is kept");
            drop(stalled);
            assert!(soon(promise).await, "it is said to be safe");
        }

        soon(kept.end()).await;
        let kept = soon(scribe.finish(record(&header))).await;
        let recording = kept.recording.expect("a recording");
        assert_eq!((recording.duration_ms, recording.gaps.len()), (2000, 0), "nothing is lost or late");
        let (_, sound) = vault.leg_sound(header.id, Leg::Caller).await.expect("the caller's sound");
        let said: Vec<i16> = (0..100).flat_map(|n| frame(n).samples().to_vec()).collect();
        let likeness = sound.iter().zip(&said).filter(|(kept, said)| (**kept - **said).abs() < 200).count();
        assert_eq!(likeness, said.len(), "in its order and from its beginning");
        vault.close().await;
    }

    #[tokio::test]
    async fn a_disk_that_stalls_for_long_holds_no_call_and_the_promise_is_still_written() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, scribe) = of_a_call(dir.path()).await;
        let stalled = vault.stalled().await;
        assert!(!soon(scribe.promise(Entry::plain(2, Kind::Listened))).await, "it is not said to be safe");
        drop(stalled);
        soon(scribe.finish(record(&header))).await;
        assert_eq!(vault.listened(header.id).await.expect("the journal"), [2]);
        vault.close().await;
    }

    #[tokio::test]
    async fn what_is_noted_and_promised_in_a_stall_is_written_in_its_order() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, scribe) = of_a_call(dir.path()).await;
        let stalled = vault.stalled().await;
        for at_ms in 1..=20 {
            soon(scribe.note(Entry::plain(at_ms, Kind::Listened))).await;
        }
        assert!(!soon(scribe.promise(Entry::plain(21, Kind::Listened))).await, "it is not said to be safe");
        soon(scribe.note(Entry::plain(22, Kind::Listened))).await;
        drop(stalled);
        soon(scribe.finish(record(&header))).await;
        let all: Vec<u64> = (1..=22).collect();
        assert_eq!(vault.listened(header.id).await.expect("the journal"), all);
        vault.close().await;
    }

    #[tokio::test]
    async fn a_promise_beyond_all_places_holds_no_call_and_costs_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, scribe) = of_a_call(dir.path()).await;
        let stalled = vault.stalled().await;
        // One is being written, and the others take all places.
        let places = u64::try_from(ORDERS).expect("few") + 1;
        for at_ms in 1..=places {
            soon(scribe.note(Entry::plain(at_ms, Kind::Listened))).await;
        }
        {
            let mut promise = pin!(scribe.promise(Entry::plain(places + 1, Kind::Listened)));
            let answer = poll_fn(|cx| Poll::Ready(promise.as_mut().poll(cx))).await;
            assert_eq!(answer, Poll::Ready(false), "a call waits for nothing that does not come");
        }
        drop(stalled);
        soon(scribe.finish(record(&header))).await;
        let all: Vec<u64> = (1..=places).collect();
        assert_eq!(vault.listened(header.id).await.expect("the journal"), all);
        vault.close().await;
    }

    #[tokio::test]
    async fn a_promise_that_cannot_be_written_is_said_not_to_be() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, _, scribe) = of_a_call(dir.path()).await;
        vault.close().await;
        assert!(!soon(scribe.promise(Entry::plain(2, Kind::MessageTaken))).await);
    }

    #[tokio::test]
    async fn sound_that_finds_no_place_while_it_waits_is_a_gap() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, scribe) = of_a_call(dir.path()).await;

        let stalled = vault.stalled().await;
        let mut kept = KeptSound::new(scribe.start_recording(SampleRate::Hz8000, 0).await);
        // Six seconds of both legs, of which five wait.
        for n in 0..300 {
            kept.take(Leg::Caller, &frame(n));
            kept.take(Leg::Box, &frame(0));
        }
        drop(stalled);
        soon(kept.end()).await;
        let kept = soon(scribe.finish(record(&header))).await;
        let recording = kept.recording.expect("a recording");
        assert_eq!(recording.duration_ms, 6000);
        let lost: Vec<(u64, u64)> = recording.gaps.iter().map(|gap| (gap.from_ms, gap.to_ms)).collect();
        assert_eq!(lost, [(5000, 6000)]);
        vault.close().await;
    }

    #[tokio::test]
    async fn a_record_that_the_disk_does_not_take_at_the_end_of_the_call_is_kept_once_it_does() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, memory) = begun(dir.path()).await;
        let (supervisor, stop) = running();
        let scribe = Scribe::start(memory, &supervisor, stop);
        let sound = soon(scribe.start_recording(SampleRate::Hz8000, 0).await).await.expect("it is recorded");
        for leg in Leg::BOTH {
            sound.sound(leg, frame(1).samples());
        }
        drop(sound);
        vault.do_to_index(REFUSED).await;
        let told = soon(scribe.finish(record(&header))).await;
        assert!(ended(&vault).await.is_empty(), "it is not kept yet, and the call is over all the same");
        vault.do_to_index(TAKEN).await;
        assert!(supervisor.join(LONG).await.is_empty(), "it was not tried again");
        assert_eq!(ended(&vault).await, [header.id]);
        let kept = vault.show(header.id).await.expect("its record");
        assert_eq!(kept.recording.as_ref().map(|recording| recording.duration_ms), Some(20));
        assert_eq!(kept.recording, told.recording);
        vault.close().await;
    }

    #[tokio::test]
    async fn a_record_that_waits_for_the_disk_holds_no_box_that_stops_and_the_next_start_keeps_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, memory) = begun(dir.path()).await;
        let (supervisor, stop) = running();
        let scribe = Scribe::start(memory, &supervisor, stop.clone());
        vault.do_to_index(REFUSED).await;
        soon(scribe.finish(record(&header))).await;
        stop.end_now();
        assert!(supervisor.join(LONG).await.is_empty(), "it waits on");
        vault.do_to_index(TAKEN).await;
        vault.close().await;
        drop(vault);
        let again = open(dir.path()).await;
        assert_eq!(again.recovered(), [header.id]);
        again.close().await;
    }

    #[tokio::test]
    async fn a_record_beyond_those_that_may_wait_is_left_to_the_next_start() {
        let dir = tempfile::tempdir().expect("a directory");
        let (vault, header, memory) = begun(dir.path()).await;
        let places: Vec<_> = std::iter::from_fn(|| memory.place_to_wait()).collect();
        let (supervisor, stop) = running();
        let scribe = Scribe::start(memory, &supervisor, stop);
        vault.do_to_index(REFUSED).await;
        soon(scribe.finish(record(&header))).await;
        assert!(supervisor.join(LONG).await.is_empty(), "it waits all the same");
        assert!(ended(&vault).await.is_empty());
        drop(places);
        vault.close().await;
    }
}
