//! What a call's twenty milliseconds ask of the allocator: nothing, once sound flows. A
//! thread that waits for memory waits for whoever holds the allocator's lock, and every
//! call on the box waits with it.

#![allow(unsafe_code, reason = "to count what is allocated, a test stands where the allocator does")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use milu::line::sip::{RingOptions, SipCaller, SipLine, SipLineConfig};
use milu::line::{EarFrame, Leg, LegCommand, Line, MediaClock, MediaPort, MouthFrame, Stay};
use milu::media::{FRAME_MS, Frame, Level};
use milu::ops::SystemClock;
use milu::signalling::sip::Encoding;
use milu::terms::{LineId, Moment, UtteranceId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes, even on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Turns of the clock after which every buffer of the call has its size: two seconds.
const TO_FILL: usize = 100;

/// Turns of the clock that are counted: four seconds.
const COUNTED: usize = 200;

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts for each thread what it is asked for.
struct Counting;

// SAFETY: every request goes to the system's allocator as it is; counting needs no memory,
// since the counter is a constant-initialised number without a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: the caller keeps the conditions of `alloc`, which are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: it was allocated by `System`, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        ALLOCATED.set(ALLOCATED.get() + 1);
        // SAFETY: it was allocated by `System`, with this layout.
        unsafe { System.realloc(pointer, layout, new_size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Tells at each turn of the media clock what the clock's thread has allocated so far.
struct Watching {
    told: SyncSender<u64>,
}

impl MediaPort for Watching {
    fn tick(&mut self, _now: Moment) -> Stay {
        match self.told.try_send(ALLOCATED.get()) {
            Ok(()) => Stay::Yes,
            Err(_) => Stay::Leave,
        }
    }
}

/// Says back whatever is heard, and tells how loud it was.
async fn echo(mut leg: Leg, levels: mpsc::Sender<f32>) {
    while let Some(EarFrame { frame, .. }) = leg.ears.recv().await {
        if let Ok(place) = levels.try_reserve() {
            place.send(Level::of(frame.samples()).rms_dbfs);
        }
        speak(&leg, frame);
        while leg.mouth.events.try_recv().is_ok() || leg.mouth.sent.try_recv().is_ok() {}
    }
}

fn speak(leg: &Leg, frame: Frame) {
    let said = MouthFrame { epoch: leg.mouth.epoch(), utterance: UtteranceId(0), frame, last: false };
    leg.mouth.queue.try_send(said).expect("the clock plays as fast as it hears");
}

async fn nothing_is_allocated_while_sound_flows_as(encoding: Encoding) {
    let clock = SystemClock::new().as_fn();
    let media = MediaClock::start(clock.clone()).expect("a thread");
    let config = SipLineConfig {
        id: LineId::parse("front-desk").expect("a name"),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        rtp_ports: 20_000..=29_999,
        max_calls: 1,
        rtp_timeout_ms: 30_000,
        country_code: "234".to_owned(),
        codecs: vec![encoding],
    };
    let line = SipLine::bind(config, clock.clone(), media.clone()).expect("a free port");
    let uri = format!("sip:clinic@{}", line.local_address());
    let (sender, mut offers) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let runtime = tokio::runtime::Handle::current();
    let served = runtime.spawn(Box::new(line).serve(sender, stop.clone()));

    let caller = SipCaller::new(clock, media.clone());
    let options = RingOptions { codecs: vec![encoding], ..RingOptions::default() };
    let mut leg = caller.ring(&uri, options).await.expect("an address");
    let offer = tokio::time::timeout(PATIENCE, offers.recv()).await.expect("in time").expect("a call");
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    let (levels, mut heard) = mpsc::channel(1);
    let desk = runtime.spawn(echo(offer.leg, levels));

    // The caller hums at whatever comes, as a telephone does in both directions.
    let (told, turns) = sync_channel(TO_FILL + COUNTED);
    media.join(Box::new(Watching { told })).expect("the clock runs");
    let humming = runtime.spawn(async move {
        let mut phase: f32 = 0.0;
        while let Some(EarFrame { mut frame, .. }) = leg.ears.recv().await {
            for sample in frame.samples_mut() {
                phase = (phase + 0.3) % std::f32::consts::TAU;
                *sample = (phase.sin() * 8000.0) as i16;
            }
            speak(&leg, frame);
            while leg.mouth.events.try_recv().is_ok() || leg.mouth.sent.try_recv().is_ok() {}
            while leg.events.try_recv().is_ok() {}
        }
    });
    let counted = tokio::task::spawn_blocking(move || {
        let turn = || turns.recv_timeout(PATIENCE).expect("the clock ticks");
        (0..TO_FILL + COUNTED).map(|_| turn()).skip(TO_FILL).collect::<Vec<u64>>()
    });
    let counted = counted.await.expect("it counts");

    // Sound did flow: else nothing was measured.
    let is_hum = async { while heard.recv().await.expect("the desk hears") < -30.0 {} };
    tokio::time::timeout(PATIENCE, is_hum).await.expect("the hum arrives");
    let of_turns: Vec<u64> = counted.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(of_turns.iter().sum::<u64>(), 0, "{encoding:?}, allocations in turns of {FRAME_MS} ms: {of_turns:?}");

    stop.cancel();
    humming.abort();
    drop(humming.await);
    caller.finish().await;
    desk.await.expect("the desk ends with its call");
    served.await.expect("the line ends by itself");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_thread_of_the_media_clock_allocates_nothing_while_a_call_sounds() {
    for encoding in [Encoding::Pcma, Encoding::Pcmu, Encoding::G722] {
        nothing_is_allocated_while_sound_flows_as(encoding).await;
    }
}

#[test]
fn what_a_thread_allocates_is_counted() {
    let before = ALLOCATED.get();
    let kept = Arc::new(std::hint::black_box([0_u8; 64]));
    assert!(ALLOCATED.get() > before, "{kept:?}");
}
