//! Callers whose every message is written by hand, for orders of messages that
//! no scenario can promise.

use super::*;

/// Signalling of one call; its sound is a [`Telephone`]'s.
struct Caller {
    socket: tokio::net::UdpSocket,
    line: SocketAddr,
    call_id: String,
    /// The box's To with its tag, once it has answered anything.
    to: String,
}

impl Caller {
    async fn new(line: SocketAddr) -> Self {
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let own = socket.local_addr().expect("an address");
        Self { socket, line, call_id: format!("by-hand-{own}"), to: format!("<sip:clinic@{line}>") }
    }

    async fn send(&self, method: &str, sequence: u32, branch: &str, body: Body<'_>) {
        let Self { line, call_id, to, .. } = self;
        let own = self.socket.local_addr().expect("an address");
        let (kind, text) = match body {
            Body::None => ("", ""),
            Body::Sdp(text) => ("Content-Type: application/sdp\r\n", text),
            Body::Digit(text) => ("Content-Type: application/dtmf-relay\r\n", text),
        };
        let message = format!(
            "{method} sip:clinic@{line} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-{branch}-{own};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:08031234567@{own}>;tag=hand\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\nContact: <sip:caller@{own}>\r\n{kind}Content-Length: {}\r\n\r\n{text}",
            text.len()
        );
        self.socket.send_to(message.as_bytes(), self.line).await.expect("sent");
    }

    /// The status of the final response to the request with this sequence number.
    async fn final_status(&mut self, sequence: u32) -> u16 {
        let mut datagram = [0; 8192];
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.recv(&mut datagram)).await;
            let text =
                String::from_utf8_lossy(&datagram[..received.expect("in time").expect("a datagram")]).into_owned();
            assert!(text.starts_with("SIP/2.0 "), "the box asks instead of answering: {text}");
            let status: u16 = text[8..11].parse().expect("a status");
            let value = |name: &str| text.lines().find_map(|row| row.strip_prefix(name)).expect("the row is there");
            if status >= 200 && value("CSeq: ").starts_with(&format!("{sequence} ")) {
                value("To: ").clone_into(&mut self.to);
                return status;
            }
        }
    }

    /// Asks, and returns the final status.
    async fn ask(&mut self, method: &str, sequence: u32, body: Body<'_>) -> u16 {
        self.send(method, sequence, &format!("{sequence}"), body).await;
        self.final_status(sequence).await
    }

    /// The ACK of a 200, which is a transaction of its own.
    async fn acknowledge(&self, sequence: u32, body: Body<'_>) {
        self.send("ACK", sequence, &format!("{sequence}-ack"), body).await;
    }

    async fn hang_up(&mut self, sequence: u32) {
        assert_eq!(self.ask("BYE", sequence, Body::None).await, 200);
    }
}

/// What a message carries.
#[derive(Clone, Copy)]
enum Body<'a> {
    None,
    Sdp(&'a str),
    Digit(&'a str),
}

/// A-law and telephone events at `port`.
fn sdp(port: u16) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\n"
    )
}

/// The next digit of a leg.
async fn digit_of(leg: &mut Leg) -> char {
    loop {
        let event = tokio::time::timeout(PATIENCE, leg.events.recv()).await.expect("in time").expect("an event");
        if let LegEvent::Digit { digit, .. } = event {
            return digit;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_comes_as_event_and_as_info_is_told_once() {
    let mut line = Served::start(|_| {});
    let (telephone, mut caller) = (Telephone::new(), Caller::new(line.address).await);
    caller.send("INVITE", 1, "1", Body::Sdp(&sdp(telephone.port()))).await;
    let mut leg = line.offer().await.leg;
    leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    assert_eq!(caller.final_status(1).await, 200);
    caller.acknowledge(1, Body::None).await;
    let (_, to) = telephone.socket.recv_from(&mut [0; 2048]).await.expect("the box's sound");
    let press = async |n: u8| telephone.send(to, n.into(), u32::from(n) * 8000, 101, &[n, 0x8a, 3, 32]).await;

    // The first key by INFO before its event, the second the other way round.
    assert_eq!(caller.ask("INFO", 2, Body::Digit("Signal=1\r\nDuration=100\r\n")).await, 200);
    assert_eq!(digit_of(&mut leg).await, '1');
    press(1).await;
    press(2).await;
    assert_eq!(digit_of(&mut leg).await, '2');
    assert_eq!(caller.ask("INFO", 3, Body::Digit("Signal=2\r\nDuration=100\r\n")).await, 200);
    press(3).await;
    assert_eq!(digit_of(&mut leg).await, '3');
    caller.hang_up(4).await;
    let events = events_of(&mut leg).await;
    assert!(!has(&events, |e| matches!(e, LegEvent::Digit { .. })), "{events:?}");
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ack_of_a_refused_reinvite_is_not_taken_for_the_one_that_owes_the_answer() {
    let mut line = Served::start(|_| {});
    let (telephone, mut caller) = (Telephone::new(), Caller::new(line.address).await);
    let answer = sdp(telephone.port());
    caller.send("INVITE", 1, "1", Body::None).await;
    let mut leg = line.offer().await.leg;
    leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    assert_eq!(caller.final_status(1).await, 200);
    for sequence in 2..5 {
        assert_eq!(caller.ask("INVITE", sequence, Body::Sdp(&answer)).await, 491);
        caller.send("ACK", sequence, &format!("{sequence}"), Body::None).await;
        // What is answered after the ACK was sent was taken in after it.
        assert_eq!(caller.ask("OPTIONS", sequence + 10, Body::None).await, 200);
    }
    caller.acknowledge(1, Body::Sdp(&answer)).await;
    let answered = tokio::time::timeout(PATIENCE, leg.events.recv()).await.expect("in time");
    assert!(matches!(answered, Some(LegEvent::Answered { .. })), "{answered:?}");
    caller.hang_up(20).await;
    assert_eq!(end_of(&events_of(&mut leg).await), EndCause::NormalClearing);
    line.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sound_follows_a_caller_whose_reinvite_names_another_port() {
    let mut line = Served::start(|_| {});
    let (first, second) = (Telephone::new(), Telephone::new());
    let mut caller = Caller::new(line.address).await;
    caller.send("INVITE", 1, "1", Body::Sdp(&sdp(first.port()))).await;
    let desk = tokio::runtime::Handle::current().spawn(echo(line.offer().await));
    assert_eq!(caller.final_status(1).await, 200);
    caller.acknowledge(1, Body::None).await;
    tokio::time::timeout(PATIENCE, first.hears_itself()).await.expect("in time");

    assert_eq!(caller.ask("INVITE", 2, Body::Sdp(&sdp(second.port()))).await, 200);
    caller.acknowledge(2, Body::None).await;
    tokio::time::timeout(PATIENCE, second.hears_itself()).await.expect("in time");
    // From here on all of the box's sound goes to the new port.
    let mut datagram = [0; 2048];
    while first.socket.try_recv(&mut datagram).is_ok() {}
    for _ in 0..5 {
        second.socket.recv(&mut datagram).await.expect("the box's sound");
    }
    assert!(first.socket.try_recv(&mut datagram).is_err(), "the old port is still spoken to");
    caller.hang_up(3).await;
    let (events, _) = desk.await.expect("the desk ends by itself");
    assert_eq!(end_of(&events), EndCause::NormalClearing);
    line.stop().await;
}
