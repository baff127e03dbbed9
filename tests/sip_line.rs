//! A SIP line against SIPp, a client that is not ours: calls over UDP and TCP
//! with sound, and the faults that end other gateways.

#![expect(clippy::panic, reason = "a test panics to fail")]

#[path = "sip/by_hand.rs"]
mod by_hand;
#[path = "sip/families.rs"]
mod families;
#[path = "sip/faults.rs"]
mod faults;

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use milu::line::sip::{RingOptions, SipCaller, SipLine, SipLineConfig};
use milu::line::{
    EarFrame, FrameOrigin, Leg, LegCommand, LegEvent, Line, LineState, MediaClock, MouthEvent, MouthFrame, Offer,
};
use milu::media::{Frame, Level, SampleRate, g711};
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
    health: Arc<dyn Fn() -> milu::line::LineHealth + Send + Sync>,
}

impl Served {
    fn start(change: impl FnOnce(&mut SipLineConfig)) -> Self {
        Self::start_with(clock(), change)
    }

    /// `line_clock` is the line's; the media has a clock of its own.
    fn start_with(line_clock: milu::line::ReadClock, change: impl FnOnce(&mut SipLineConfig)) -> Self {
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
        let media = MediaClock::start(clock()).expect("a thread");
        let line = SipLine::bind(config, line_clock, media).expect("a free port");
        let address = line.local_address();
        let (sender, offers) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let health = line.health();
        let served = Box::new(line).serve(sender, stop.clone());
        let running = tokio::runtime::Handle::current().spawn(served);
        Self { address, offers, stop, running, health }
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
        Self::offering(&A_LAW, scenario, to, rtp_port, more)
    }

    fn offering(law: &Law, scenario: &str, to: SocketAddr, rtp_port: u16, more: &[&str]) -> Self {
        let file = format!("{}/tests/sip/{scenario}.xml", env!("CARGO_MANIFEST_DIR"));
        let child = tokio::process::Command::new("sipp")
            .args(["-sf", &file, "-m", "1", "-i", "127.0.0.1", "-nostdin", "-timeout", "25s", "-timeout_error"])
            .args(["-key", "rtp_port", &rtp_port.to_string()])
            .args(["-key", "payload_type", &law.payload_type.to_string(), "-key", "encoding", law.encoding])
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

/// One of G.711's two ways to write a sample, with its static payload type (RFC 3551 6).
struct Law {
    payload_type: u8,
    encoding: &'static str,
    encode: fn(i16) -> u8,
    decode: fn(u8) -> i16,
}

const A_LAW: Law = Law { payload_type: 8, encoding: "PCMA", encode: g711::encode_a_law, decode: g711::decode_a_law };
const MU_LAW: Law = Law { payload_type: 0, encoding: "PCMU", encode: g711::encode_mu_law, decode: g711::decode_mu_law };

/// The caller's ear and mouth, beside SIPp's signalling.
struct Telephone {
    socket: tokio::net::UdpSocket,
    law: &'static Law,
}

impl Telephone {
    fn new() -> Self {
        Self::speaking(&A_LAW)
    }

    fn speaking(law: &'static Law) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        socket.set_nonblocking(true).expect("a mode");
        Self { socket: tokio::net::UdpSocket::from_std(socket).expect("within the runtime"), law }
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
                    (self.law.encode)((phase.sin() * 12_000.0) as i16)
                })
                .collect();
            self.send(to, n, n * 160, self.law.payload_type, &sound).await;
            let (len, _) = self.socket.recv_from(&mut datagram).await.expect("the box's sound");
            assert_eq!(datagram[1] & 0x7F, self.law.payload_type, "the box speaks as it was asked to");
            let samples: Vec<i16> = datagram[12..len].iter().map(|b| (self.law.decode)(*b)).collect();
            if Level::of(&samples).rms_dbfs > -20.0 {
                return;
            }
        }
        panic!("four seconds of speech and nothing came back");
    }

    async fn send(&self, to: SocketAddr, n: u32, timestamp: u32, payload_type: u8, payload: &[u8]) {
        let mut packet = vec![0x80, payload_type, (n >> 8) as u8, n as u8];
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&(0xABCD_0000 | u32::from(self.port())).to_be_bytes());
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

/// The events of a leg up to and with its end.
async fn events_of(leg: &mut Leg) -> Vec<LegEvent> {
    let mut events = Vec::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, leg.events.recv()).await.expect("in time") {
        events.push(event);
    }
    events
}

/// A desk that answers and waits for the end.
async fn answered(mut offer: Offer) -> Vec<LegEvent> {
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    events_of(&mut offer.leg).await
}

fn has(events: &[LegEvent], wanted: impl Fn(&LegEvent) -> bool) -> bool {
    events.iter().any(wanted)
}

/// The ordinary call, which shows that the line still lives.
async fn the_next_call_is_answered(line: &mut Served) {
    let telephone = Telephone::new();
    let sipp = Sipp::start("no_content_length", line.address, telephone.port(), &[]);
    let events = answered(line.offer().await).await;
    assert_eq!(end_of(&events), EndCause::NormalClearing);
    sipp.succeeds().await;
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
    let Some(LegEvent::Ended { media, .. }) = events.last() else { panic!("an end") };
    assert_eq!((media.codec.as_deref(), media.packets_lost), (Some("PCMA"), 0));
    assert!(media.mos.is_some_and(|mos| mos > 4.0), "{media:?}");
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_speaks_mu_law_alone_is_answered_in_it_and_both_sides_hear() {
    let mut line = Served::start(|_| {});
    let telephone = Telephone::speaking(&MU_LAW);
    let sipp = Sipp::offering(&MU_LAW, "normal", line.address, telephone.port(), &[]);
    let desk = echo(line.offer().await);
    let ((events, _), (), ()) = tokio::join!(desk, telephone.hears_itself(), sipp.succeeds());
    assert!(matches!(events[0], LegEvent::Answered { codec, .. } if codec == MU_LAW.encoding));
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_over_tcp_is_answered_and_both_sides_hear() {
    let mut line = Served::start(|_| {});
    let telephone = Telephone::new();
    let sipp = Sipp::start("normal", line.address, telephone.port(), &["-t", "t1"]);
    let desk = echo(line.offer().await);
    let ((events, _), (), ()) = tokio::join!(desk, telephone.hears_itself(), sipp.succeeds());
    assert_eq!(end_of(&events), EndCause::NormalClearing);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invite_without_content_length_is_a_call_with_sound() {
    let mut line = Served::start(|_| {});
    the_next_call_is_answered(&mut line).await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invite_without_offer_is_a_call_with_sound() {
    let mut line = Served::start(|_| {});
    let telephone = Telephone::new();
    let sipp = Sipp::start("delayed_offer", line.address, telephone.port(), &[]);
    let desk = echo(line.offer().await);
    let ((events, _), (), ()) = tokio::join!(desk, telephone.hears_itself(), sipp.succeeds());
    assert!(matches!(events[0], LegEvent::Answered { codec: "PCMA", .. }));
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_who_hangs_up_while_it_rings_ends_the_offer() {
    let mut line = Served::start(|_| {});
    let sipp = Sipp::start("early_cancel", line.address, 40_000, &[]);
    let mut offer = line.offer().await;
    let events = events_of(&mut offer.leg).await;
    assert_eq!(events.len(), 1);
    assert_eq!(end_of(&events), EndCause::NormalClearing);
    sipp.succeeds().await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_in_latin_1_does_not_keep_a_caller_out() {
    let mut line = Served::start(|_| {});
    let sipp = Sipp::start("latin1_name", line.address, 40_000, &[]);
    let offer = line.offer().await;
    assert_eq!(offer.from.as_ref().map(|n| n.expose()), Some("+2348031234567"));
    assert_eq!(end_of(&answered(offer).await), EndCause::NormalClearing);
    sipp.succeeds().await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_codec_that_the_line_does_not_speak_is_488_and_no_offer() {
    let mut line = Served::start(|_| {});
    Sipp::start("unknown_codec", line.address, 40_000, &[]).succeeds().await;
    assert!(line.offers.try_recv().is_err());
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hold_and_resume_are_told_and_answered() {
    let mut line = Served::start(|_| {});
    let sipp = Sipp::start("hold", line.address, 40_000, &["-d", "300"]);
    let events = answered(line.offer().await).await;
    sipp.succeeds().await;
    assert_eq!(kinds(&events), ["answered", "held", "resumed", "ended"]);
    line.stop().await;
}

fn kinds(events: &[LegEvent]) -> Vec<&'static str> {
    let kind = |event: &LegEvent| match event {
        LegEvent::Answered { .. } => "answered",
        LegEvent::Held { .. } => "held",
        LegEvent::Resumed { .. } => "resumed",
        LegEvent::Ended { .. } => "ended",
        LegEvent::MediaLost { .. } => "lost",
        LegEvent::Digit { .. } => "digit",
    };
    events.iter().map(kind).collect()
}

/// The far side holds for longer than the line bears silence, and plays no music.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentence_waits_for_the_end_of_a_hold_which_is_no_loss_of_sound() {
    const HOLD_MS: u64 = 3000;
    const SENTENCE: usize = 50;
    let mut line = Served::start(|config| config.rtp_timeout_ms = 1500);
    let telephone = Telephone::new();
    let sipp = Sipp::start("hold", line.address, telephone.port(), &["-d", &HOLD_MS.to_string()]);
    let mut leg = line.offer().await.leg;
    for n in 1..=SENTENCE {
        let frame = Frame::from_samples(SampleRate::Hz8000, &[4000; 160]);
        let said = MouthFrame { epoch: leg.mouth.epoch(), utterance: UtteranceId(0), frame, last: n == SENTENCE };
        leg.mouth.queue.try_send(said).expect("room");
    }
    leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    let (mut events, mut finished) = (Vec::new(), None);
    while !matches!(events.last(), Some(LegEvent::Ended { .. })) {
        tokio::select! {
            event = tokio::time::timeout(PATIENCE, leg.events.recv()) => {
                events.push(event.expect("in time").expect("a last event"));
            }
            Some(event) = leg.mouth.events.recv() => {
                if let MouthEvent::Finished { played_ms, at, .. } = event {
                    finished = Some((at, played_ms));
                }
            }
        }
    }
    sipp.succeeds().await;
    // Silence after the hold is a loss again.
    assert_eq!(kinds(&events), ["answered", "held", "resumed", "lost", "ended"]);
    let resumed = events.iter().find_map(|e| if let LegEvent::Resumed { at } = e { Some(*at) } else { None });
    let (at, played_ms) = finished.expect("the sentence was said to its end");
    assert_eq!(played_ms, SENTENCE as u32 * 20, "no word of it is lost");
    assert!(Some(at) > resumed, "nothing is said to who does not listen");
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trunk_that_asks_whether_we_are_there_is_answered() {
    for transport in ["u1", "t1"] {
        let line = Served::start(|_| {});
        Sipp::start("options", line.address, 40_000, &["-t", transport]).succeeds().await;
        line.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_call_beyond_the_cap_is_503_with_retry_after_and_the_first_goes_on() {
    for transport in ["u1", "t1"] {
        let mut line = Served::start(|config| config.max_calls = 1);
        let first = Sipp::start("box_hangs_up", line.address, 40_000, &[]);
        let mut offer = line.offer().await;
        Sipp::start("no_room", line.address, 40_000, &["-t", transport]).succeeds().await;
        offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
        let answered = offer.leg.events.recv().await;
        assert!(matches!(answered, Some(LegEvent::Answered { .. })));
        offer.leg.commands.send(LegCommand::HangUp(EndCause::NormalClearing)).await.expect("the line listens");
        assert_eq!(end_of(&events_of(&mut offer.leg).await), EndCause::NormalClearing);
        first.succeeds().await;
        line.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_desk_that_drops_the_leg_hangs_up() {
    let mut line = Served::start(|_| {});
    let sipp = Sipp::start("box_hangs_up", line.address, 40_000, &[]);
    let mut offer = line.offer().await;
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    assert!(matches!(offer.leg.events.recv().await, Some(LegEvent::Answered { .. })));
    drop(offer);
    sipp.succeeds().await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_stops_hangs_up_its_calls() {
    let mut line = Served::start(|_| {});
    let health = line.health.clone();
    let sipp = Sipp::start("box_hangs_up", line.address, 40_000, &[]);
    let mut offer = line.offer().await;
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    assert!(matches!(offer.leg.events.recv().await, Some(LegEvent::Answered { .. })));
    assert_eq!((health().state, health().calls), (LineState::Ready, 1));
    tokio::join!(line.stop(), sipp.succeeds());
    assert_eq!((health().state, health().calls), (LineState::Down, 0));
}

/// Requests that end, silence or confuse other gateways.
const FAULTS: [&str; 5] = ["", "To: <<<>>>\"\r\n", "To: ;tag=\r\n", "To: \r\n", "To: <sip:>\r\n"];

fn faulty(method: &str, to: &str, transport: &str) -> String {
    format!(
        "{method} sip:clinic@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1:5099;branch=z9hG4bKx;rport\r\n\
         From: <sip:a@b>;tag=1\r\n{to}Call-ID: fault\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_form_of_to_ends_the_line_over_udp() {
    let mut line = Served::start(|_| {});
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let mut reply = [0; 2048];
    for to in FAULTS {
        for method in ["OPTIONS", "INVITE", "BYE"] {
            socket.send_to(faulty(method, to, "UDP").as_bytes(), line.address).await.expect("sent");
            let answer =
                tokio::time::timeout(PATIENCE, socket.recv(&mut reply)).await.expect("in time").expect("a reply");
            assert!(reply[..answer].starts_with(b"SIP/2.0 400 "), "{method} {to}");
        }
    }
    the_next_call_is_answered(&mut line).await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::disallowed_methods, reason = "a caller of the line, and not the box")]
async fn no_form_of_to_ends_the_line_over_tcp() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut line = Served::start(|_| {});
    for to in FAULTS {
        let mut stream = tokio::net::TcpStream::connect(line.address).await.expect("a connection");
        let mut reply = [0; 12];
        for (method, status) in [("OPTIONS", "400"), ("INVITE", "400"), ("BYE", "400")] {
            // A name in Latin-1 before the fault: it must not cut the rows after it off.
            let mut request = faulty(method, to, "TCP").into_bytes();
            let at = request.windows(5).position(|w| w == b"From:").expect("a From row");
            request.splice(at..at, b"Subject: \xe9\r\n".iter().copied());
            stream.write_all(&request).await.expect("sent");
            stream.read_exact(&mut reply).await.expect("a reply");
            assert_eq!(reply, *format!("SIP/2.0 {status} ").as_bytes(), "{method} {to}");
            let mut rest = Vec::new();
            while !rest.ends_with(b"\r\n\r\n") {
                rest.push(stream.read_u8().await.expect("the rest of the reply"));
            }
        }
        stream
            .write_all(faulty("INVITE", to, "TCP").replace("Length: 0", "Length: -5").as_bytes())
            .await
            .expect("sent");
        stream.read_to_end(&mut Vec::new()).await.expect("a connection that cannot be cut into messages is closed");
    }
    the_next_call_is_answered(&mut line).await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_caller_and_our_line_talk_and_send_digits() {
    for suffix in ["", ";transport=tcp"] {
        let mut line = Served::start(|_| {});
        let (clock, options) = (clock(), RingOptions { codecs: vec![Encoding::G722], ..RingOptions::default() });
        let media = MediaClock::start(clock.clone()).expect("a thread");
        let caller = SipCaller::new(clock, media);
        let uri = format!("sip:clinic@{}{suffix}", line.address);
        let mut leg = caller.ring(&uri, options).await.expect("an address");
        let mut offer = line.offer().await;
        offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
        let answer = leg.events.recv().await;
        assert!(
            matches!(answer, Some(LegEvent::Answered { rate: SampleRate::Hz16000, codec: "G722", .. })),
            "{answer:?}"
        );
        for key in "19#".chars() {
            leg.commands.send(LegCommand::SendDigit(key)).await.expect("the line listens");
        }
        let mut keys = String::new();
        while keys.len() < 3 {
            let event = tokio::time::timeout(PATIENCE, offer.leg.events.recv()).await.expect("in time");
            if let Some(LegEvent::Digit { digit, .. }) = event {
                keys.push(digit);
            }
        }
        assert_eq!(keys, "19#");
        drop(leg);
        assert_eq!(end_of(&events_of(&mut offer.leg).await), EndCause::NormalClearing);
        caller.finish().await;
        line.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_caller_takes_a_call_back_and_learns_why_it_was_refused() {
    let mut line = Served::start(|_| {});
    let clock = clock();
    let caller = SipCaller::new(clock.clone(), MediaClock::start(clock).expect("a thread"));
    let uri = format!("sip:clinic@{}", line.address);
    let leg = caller.ring(&uri, RingOptions::default()).await.expect("an address");
    let mut offer = line.offer().await;
    drop(leg);
    assert_eq!(end_of(&events_of(&mut offer.leg).await), EndCause::NormalClearing);

    let mut leg = caller.ring(&uri, RingOptions::default()).await.expect("an address");
    let offer = line.offer().await;
    offer.leg.commands.send(LegCommand::Reject(EndCause::UserBusy)).await.expect("the line listens");
    assert_eq!(end_of(&events_of(&mut leg).await), EndCause::UserBusy);
    caller.finish().await;
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_on_the_wire_is_told_and_the_call_goes_on() {
    let mut line = Served::start(|config| config.rtp_timeout_ms = 200);
    let sipp = Sipp::start("normal", line.address, 40_000, &[]);
    let events = answered(line.offer().await).await;
    sipp.succeeds().await;
    assert_eq!(events.iter().filter(|e| matches!(e, LegEvent::MediaLost { .. })).count(), 1);
    assert!(has(&events, |e| matches!(e, LegEvent::Ended { cause: EndCause::NormalClearing, .. })));
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_rings_takes_no_more_places_than_there_are() {
    let mut line = Served::start(|config| config.max_calls = 2);
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let own = socket.local_addr().expect("an address");
    let mut reply = [0; 2048];
    let mut refused = 0;
    for n in 0..500 {
        let invite = format!(
            "INVITE sip:clinic@{} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{n};rport\r\nFrom: <sip:a@b>;tag={n}\r\n\
             To: <sip:clinic@b>\r\nCall-ID: flood-{n}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{own}>\r\n\r\n",
            line.address
        );
        socket.send_to(invite.as_bytes(), line.address).await.expect("sent");
        let call_id = format!("flood-{n}\r\n");
        loop {
            let len = tokio::time::timeout(PATIENCE, socket.recv(&mut reply)).await.expect("in time").expect("a reply");
            let text = String::from_utf8_lossy(&reply[..len]);
            if text.contains(&call_id) {
                refused += u32::from(text.starts_with("SIP/2.0 503 ") && text.contains("Retry-After: "));
                break;
            }
        }
    }
    assert_eq!(refused, 498);
    assert_eq!((line.health)().state, LineState::Degraded);
    for _ in 0..2 {
        let mut offer = line.offer().await;
        offer.leg.commands.send(LegCommand::Reject(EndCause::CallRejected)).await.expect("the line listens");
        assert_eq!(end_of(&events_of(&mut offer.leg).await), EndCause::CallRejected);
    }
    while (line.health)().calls > 0 {
        tokio::task::yield_now().await;
    }
    the_next_call_is_answered(&mut line).await;
    line.stop().await;
}
