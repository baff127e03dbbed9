//! What a line itself adds to voice to voice: from when the far side says something
//! until it is in the desk's ears, and from when the desk gives its mouth something
//! until the far side hears it. The same click and the same ends of a call, for a
//! modem's line and for a SIP line.
//!
//! Of a modem's line, the modem's own buffers and its clock of 20 ms are in it, and what
//! the air takes is not; of a SIP line, the far side's buffer is in it as well as ours,
//! and what a network takes is not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use milu::line::sip::{RingOptions, SipCaller, SipLine, SipLineConfig};
use milu::line::{EarFrame, Line as _, MediaClock, Mouth, MouthFrame};
use milu::media::{Frame, SampleRate};
use milu::ops::SystemClock;
use milu::signalling::sip::Encoding;
use milu::terms::{LineId, UtteranceId};
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::gsm_lines::{GsmLines, Talk, in_time};
use super::modem::{Family, Modem, ModemOptions, Rack};
use super::tables::Row;
use super::{CALLER, percentile, roots_below};

/// Both sides have a clock of 20 ms each, and how they stand to each other is settled
/// when a call begins: so many calls.
const CALLS: u32 = 10;

/// Clicks in each direction of a call.
const CLICKS: u32 = 10;

/// Buffers find their depth, and what a call begins with is over.
const SETTLED: Duration = Duration::from_millis(1500);

/// Between two clicks: a buffer's tail is over, and nothing piles up.
const GAP: Duration = Duration::from_millis(150);

/// How often the far side of a modem is looked at. The runtime's own timers count in
/// milliseconds, which would be counted with the line.
const LOOK: Duration = Duration::from_micros(250);

/// The height of a click, and what is taken for one: half of it, which no codec misses.
const CLICK: i16 = 8000;
const HEARD: u16 = 4000;

const RATE: SampleRate = SampleRate::Hz8000;

/// Milliseconds of the calls over one line.
#[derive(Default)]
struct Delays {
    to_ears: Vec<f64>,
    from_mouth: Vec<f64>,
}

impl Delays {
    /// Both ways together, click by click.
    fn both(&self) -> Vec<f64> {
        self.to_ears.iter().zip(&self.from_mouth).map(|(to, from)| to + from).collect()
    }
}

pub async fn measure(rows: &mut Vec<Row>) {
    let (gsm, sip) = (gsm().await, sip().await);
    for (name, delays) in [("GSM (EC25)", &gsm), ("SIP (PCMA)", &sip)] {
        rows.push(Row {
            what: format!("delay of a {name} line: the far side's word to the desk's ears, and back"),
            named: String::new(),
            measured: format!(
                "p50 {:.0} ms to the ears, {:.0} ms from the mouth; both p50 {:.0} ms, p95 {:.0} ms",
                percentile(&delays.to_ears, 0.5),
                percentile(&delays.from_mouth, 0.5),
                percentile(&delays.both(), 0.5),
                percentile(&delays.both(), 0.95)
            ),
            values: json!({ "to_ears_ms": delays.to_ears, "from_mouth_ms": delays.from_mouth }),
        });
    }
    let added = percentile(&gsm.both(), 0.5) - percentile(&sip.both(), 0.5);
    rows.push(Row {
        what: "what a GSM line adds to voice to voice against SIP, difference of the medians".to_owned(),
        named: "≤ 60 ms".to_owned(),
        measured: format!("{added:.0} ms"),
        values: json!({ "added_ms": added }),
    });
}

/// 20 ms that are loud from the first sample on.
fn click() -> Frame {
    let mut frame = Frame::silence(RATE);
    for (n, sample) in frame.samples_mut().iter_mut().enumerate() {
        *sample = if n % 20 < 10 { CLICK } else { -CLICK };
    }
    frame
}

fn is_loud(samples: &[i16]) -> bool {
    samples.iter().any(|sample| sample.unsigned_abs() > HEARD)
}

/// A rest that ends at another place of the 20 ms each time: 7 and 20 have no divisor.
async fn rest(nth: u32) {
    tokio::time::sleep(GAP + Duration::from_millis(u64::from(nth * 7 % 20))).await;
}

async fn give(mouth: &Mouth, utterance: u32) {
    let said = MouthFrame { epoch: mouth.epoch(), utterance: UtteranceId(utterance), frame: click(), last: true };
    mouth.queue.send(said).await.expect("the line plays");
}

async fn until_loud(ears: &mut mpsc::Receiver<EarFrame>) {
    let heard = async { while !is_loud(ears.recv().await.expect("the call goes on").frame.samples()) {} };
    in_time("a click", heard).await;
}

/// What was heard before is not what is waited for.
fn drain(ears: &mut mpsc::Receiver<EarFrame>) {
    while ears.try_recv().is_ok() {}
}

async fn gsm() -> Delays {
    let dir = tempfile::tempdir().expect("a directory");
    let rack = Rack::new(dir.path()).expect("a rack");
    let options = ModemOptions { family: Family::Quectel, ..ModemOptions::default() };
    let modem = rack.plug(options.numbered(0)).expect("pseudo-terminals");
    let mut lines = GsmLines::new(roots_below(dir.path()));
    let mut line = lines.ready(&modem.usb_path(), Family::Quectel).await;
    let mut delays = Delays::default();
    for call in 0..CALLS {
        rest(call).await;
        modem.ring(CALLER);
        let mut talk = line.answered().await;
        tokio::time::sleep(SETTLED).await;
        for n in 1..=CLICKS {
            gsm_clicks(&modem, &mut talk, n, &mut delays).await;
        }
        drop(talk);
        line.until_ready().await;
    }
    delays
}

/// One click each way over a modem's line.
async fn gsm_clicks(modem: &Modem, talk: &mut Talk, n: u32, delays: &mut Delays) {
    let clock = SystemClock::new();
    rest(n).await;
    drain(&mut talk.ears);
    let from = clock.now();
    modem.speak(click().samples());
    until_loud(&mut talk.ears).await;
    delays.to_ears.push(clock.now().since(from).as_secs_f64() * 1e3);
    rest(n).await;
    modem.forget_heard();
    let from = clock.now();
    give(&talk.mouth, n).await;
    in_time("a click", async {
        while !is_loud(&modem.heard_from(0)) {
            // This is the benchmark's own thread: the line's are others.
            std::thread::sleep(LOOK);
            tokio::task::yield_now().await;
        }
    })
    .await;
    delays.from_mouth.push(clock.now().since(from).as_secs_f64() * 1e3);
}

async fn sip() -> Delays {
    let clock = SystemClock::new();
    let config = SipLineConfig {
        id: LineId::parse("front-desk").expect("a name"),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        rtp_ports: 20_000..=29_999,
        max_calls: 4,
        rtp_timeout_ms: 30_000,
        country_code: "234".to_owned(),
        codecs: vec![Encoding::Pcma],
    };
    let media_clock = MediaClock::start(clock.as_fn()).expect("a thread");
    let line = SipLine::bind(config, clock.as_fn(), media_clock).expect("a free port");
    let uri = format!("sip:clinic@{}", line.local_address());
    let (sender, mut offers) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(Box::new(line).serve(sender, stop.clone()));
    let mut delays = Delays::default();
    for call in 0..CALLS {
        rest(call).await;
        // Another telephone each time, with a clock of its own.
        let its_clock = MediaClock::start(clock.as_fn()).expect("a thread");
        let caller = SipCaller::new(clock.as_fn(), its_clock);
        let leg = caller.ring(&uri, RingOptions::default()).await.expect("an address");
        let offer = in_time("an offer", offers.recv()).await.expect("the line is served");
        let (mut far, mut talk) = tokio::join!(Talk::begun(leg), Talk::answered(offer.leg));
        tokio::time::sleep(SETTLED).await;
        for n in 1..=CLICKS {
            rest(n).await;
            delays.to_ears.push(over_legs(&far.mouth, &mut talk.ears, n).await);
            rest(n).await;
            delays.from_mouth.push(over_legs(&talk.mouth, &mut far.ears, n).await);
        }
        drop((far, talk));
        caller.finish().await;
    }
    stop.cancel();
    in_time("the line's end", tasks.join_next()).await;
    delays
}

/// One click from a mouth to the ears at the other end.
async fn over_legs(mouth: &Mouth, ears: &mut mpsc::Receiver<EarFrame>, n: u32) -> f64 {
    let clock = SystemClock::new();
    drain(ears);
    let from = clock.now();
    give(mouth, n).await;
    until_loud(ears).await;
    clock.now().since(from).as_secs_f64() * 1e3
}
