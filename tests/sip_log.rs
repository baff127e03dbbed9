//! No caller's number, name or key stands in the log of a SIP line, whatever
//! the level. This test has a process of its own, because the log has.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use milu::line::sip::{RingOptions, SipCaller, SipLine, SipLineConfig};
use milu::line::{LegCommand, LegEvent, Line, MediaClock};
use milu::signalling::sip::Encoding;
use milu::terms::{LineId, Moment};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Planted where a caller's number stands, and searched for in the log.
const CANARY: &str = "08031239876";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "the test lends the line a real clock")]
fn clock() -> milu::line::ReadClock {
    let start = Instant::now();
    Arc::new(move || Moment::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callers_number_is_in_no_row_of_the_log_at_any_level() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).init();
    for transport in ["udp", "tcp"] {
        call(transport).await;
    }
    tracing::info!("the log is on");
    let text = String::from_utf8(log.0.lock().expect("no writer panics").clone()).expect("text");
    assert!(text.contains("the log is on"));
    let rows: Vec<&str> = text.lines().filter(|row| row.contains(CANARY)).take(3).collect();
    assert!(rows.is_empty(), "{rows:#?}");
}

async fn call(transport: &str) {
    let clock = clock();
    let media = MediaClock::start(clock.clone()).expect("a thread");
    let config = SipLineConfig {
        id: LineId::parse("front-desk").expect("a name"),
        bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        advertise: None,
        rtp_ports: 10_000..=19_999,
        max_calls: 2,
        rtp_timeout_ms: 30_000,
        country_code: "234".to_owned(),
        codecs: vec![Encoding::Pcma],
    };
    let line = SipLine::bind(config, clock.clone(), media.clone()).expect("a free port");
    let uri = format!("sip:clinic@{};transport={transport}", line.local_address());
    let (sender, mut offers) = mpsc::channel(1);
    let stop = CancellationToken::new();
    let served = Box::new(line).serve(sender, stop.clone());
    let conversation = async {
        let caller = SipCaller::new(clock, media);
        let options = RingOptions { from_user: CANARY.to_owned(), ..RingOptions::default() };
        let mut leg = caller.ring(&uri, options).await.expect("an address");
        let offer = offers.recv().await.expect("a call");
        assert!(offer.from.is_some());
        offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
        assert!(matches!(leg.events.recv().await, Some(LegEvent::Answered { .. })));
        drop(leg);
        caller.finish().await;
        stop.cancel();
    };
    tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(served, conversation) }).await.expect("in time");
}
