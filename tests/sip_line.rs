//! A SIP line against SIPp, a client that is not ours: calls over UDP and TCP
//! with sound, and the faults that end other gateways.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milu::line::sip::{SipLine, SipLineConfig};
use milu::line::{EarFrame, FrameOrigin, LegCommand, LegEvent, Line, MediaClock, MouthFrame, Offer};
use milu::media::{Level, SampleRate};
use milu::signalling::sip::Encoding;
use milu::terms::{EndCause, LineId, Moment, UtteranceId};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Longer than any scenario takes, even on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

#[expect(clippy::disallowed_methods, reason = "the test lends the line a real clock")]
fn clock() -> milu::line::ReadClock {
    let start = Instant::now();
    Arc::new(move || Moment::from_micros(u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)))
}

/// A line that is being served, and the calls that it offers.
struct Served {
    address: SocketAddr,
    offers: mpsc::Receiver<Offer>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Served {
    fn start(change: impl FnOnce(&mut SipLineConfig)) -> Self {
        let mut config = SipLineConfig {
            id: LineId::parse("front-desk").expect("a name"),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertise: None,
            rtp_ports: 20_000..=29_999,
            max_calls: 4,
            rtp_timeout_ms: 30_000,
            country_code: "234".to_owned(),
            codecs: vec![Encoding::Pcma, Encoding::Pcmu, Encoding::G722],
        };
        change(&mut config);
        let clock = clock();
        let media = MediaClock::start(clock.clone()).expect("a thread");
        let line = SipLine::bind(config, clock, media).expect("a free port");
        let address = line.local_address();
        let (sender, offers) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let served = Box::new(line).serve(sender, stop.clone());
        let running = tokio::runtime::Handle::current().spawn(served);
        Self { address, offers, stop, running }
    }

    async fn offer(&mut self) -> Offer {
        tokio::time::timeout(PATIENCE, self.offers.recv()).await.expect("a call in time").expect("the line is served")
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.expect("the line ends by itself");
    }
}

/// One run of SIPp.
struct Sipp(tokio::process::Child);

impl Sipp {
    fn start(scenario: &str, to: SocketAddr, rtp_port: u16, more: &[&str]) -> Self {
        let file = format!("{}/tests/sip/{scenario}.xml", env!("CARGO_MANIFEST_DIR"));
        let child = tokio::process::Command::new("sipp")
            .args(["-sf", &file, "-m", "1", "-i", "127.0.0.1", "-nostdin", "-timeout", "25s", "-timeout_error"])
            .args(["-key", "rtp_port", &rtp_port.to_string()])
            .args(more)
            .arg(to.to_string())
            .current_dir(std::env::temp_dir())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("sipp (Debian package sip-tester) is installed");
        Self(child)
    }

    async fn succeeds(self) {
        let output = tokio::time::timeout(PATIENCE, self.0.wait_with_output()).await.expect("in time").expect("run");
        let told = String::from_utf8_lossy(&output.stdout);
        let tail: Vec<&str> = told.lines().rev().take(60).collect();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{errors}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
}

/// The caller's ear and mouth, beside SIPp's signalling.
struct Telephone {
    socket: tokio::net::UdpSocket,
}

impl Telephone {
    fn new() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        socket.set_nonblocking(true).expect("a mode");
        Self { socket: tokio::net::UdpSocket::from_std(socket).expect("within the runtime") }
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().expect("an address").port()
    }

    /// Waits for the box's sound, then speaks a tone of 500 Hz and listens
    /// until something as loud comes back.
    async fn hears_itself(&self) {
        let mut datagram = [0; 2048];
        let (_, to) = self.socket.recv_from(&mut datagram).await.expect("the box's sound");
        for n in 0_u32..200 {
            let sound: Vec<u8> = (0..160_u32)
                .map(|i| {
                    let phase = f64::from(n * 160 + i) * 500.0 / 8000.0 * std::f64::consts::TAU;
                    milu::media::g711::encode_a_law((phase.sin() * 12_000.0) as i16)
                })
                .collect();
            self.send(to, n, n * 160, 8, &sound).await;
            let (len, _) = self.socket.recv_from(&mut datagram).await.expect("the box's sound");
            let samples: Vec<i16> = datagram[12..len].iter().map(|b| milu::media::g711::decode_a_law(*b)).collect();
            if Level::of(&samples).rms_dbfs > -20.0 {
                return;
            }
        }
        panic!("four seconds of speech and nothing came back");
    }

    async fn send(&self, to: SocketAddr, n: u32, timestamp: u32, payload_type: u8, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type, (n >> 8) as u8, n as u8];
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&0xABCD_u32.to_be_bytes());
        packet.extend_from_slice(payload);
        self.socket.send_to(&packet, to).await.expect("sent");
    }
}

/// A desk that answers and says back what it hears, until the call ends.
async fn echo(mut offer: Offer) -> (Vec<LegEvent>, u64) {
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    let mut events = Vec::new();
    let mut received = 0;
    loop {
        tokio::select! {
            event = offer.leg.events.recv() => {
                let event = event.expect("a last event");
                events.push(event.clone());
                if let LegEvent::Ended { .. } = event {
                    return (events, received);
                }
            }
            Some(EarFrame { frame, origin, .. }) = offer.leg.ears.recv() => {
                received += u64::from(origin == FrameOrigin::Received);
                let said = MouthFrame { epoch: offer.leg.mouth.epoch(), utterance: UtteranceId(0), frame, last: false };
                offer.leg.mouth.queue.try_send(said).expect("the clock plays as fast as it hears");
            }
            Some(_) = offer.leg.mouth.events.recv() => {}
            Some(_) = offer.leg.mouth.sent.recv() => {}
        }
    }
}

fn end_of(events: &[LegEvent]) -> EndCause {
    match events.last() {
        Some(LegEvent::Ended { cause, .. }) => *cause,
        other => panic!("the call has not ended: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_answered_and_both_sides_hear() {
    let mut line = Served::start(|_| {});
    let telephone = Telephone::new();
    let sipp = Sipp::start("normal", line.address, telephone.port(), &[]);
    let offer = line.offer().await;
    assert_eq!(offer.from.as_ref().map(|n| n.expose()), Some("+2348031234567"));
    let desk = echo(offer);
    let ((events, received), (), ()) = tokio::join!(desk, telephone.hears_itself(), sipp.succeeds());
    assert!(matches!(events[0], LegEvent::Answered { rate: SampleRate::Hz8000, codec: "PCMA", .. }));
    assert_eq!(end_of(&events), EndCause::NormalClearing);
    assert!(received > 0);
    line.stop().await;
}
