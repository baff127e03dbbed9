//! A line that takes calls of both families of addresses on one socket.

use std::net::Ipv6Addr;

use super::*;

/// Speaks a tone until it comes back, at most for four seconds of sound.
async fn hears_itself(leg: &mut Leg) {
    let mut heard = 0;
    for n in 0_u32..200 {
        let samples: Vec<i16> = (0..160_u32)
            .map(|i| (f64::from(n * 160 + i) * 500.0 / 8000.0 * std::f64::consts::TAU).sin())
            .map(|sample| (sample * 12_000.0) as i16)
            .collect();
        let frame = Frame::from_samples(SampleRate::Hz8000, &samples);
        let said = MouthFrame { epoch: leg.mouth.epoch(), utterance: UtteranceId(0), frame, last: false };
        leg.mouth.queue.send(said).await.expect("the call stands");
        let ear = tokio::time::timeout(PATIENCE, leg.ears.recv()).await.expect("in time").expect("the call stands");
        heard += u32::from(Level::of(ear.frame.samples()).rms_dbfs > -20.0);
        if heard > 10 {
            return;
        }
    }
    panic!("four seconds of speech and nothing came back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_on_the_unspecified_address_of_version_6_talks_to_callers_of_both_versions() {
    for transport in ["", ";transport=tcp"] {
        let mut line = Served::start(|config| config.bind = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
        for host in ["127.0.0.1", "[::1]"] {
            let clock = clock();
            let caller = SipCaller::new(clock.clone(), MediaClock::start(clock).expect("a thread"));
            let options = RingOptions { codecs: vec![Encoding::Pcma], ..RingOptions::default() };
            let uri = format!("sip:clinic@{host}:{}{transport}", line.address.port());
            let mut leg = caller.ring(&uri, options).await.expect("an address");
            let desk = tokio::runtime::Handle::current().spawn(echo(line.offer().await));
            let answer = tokio::time::timeout(PATIENCE, leg.events.recv()).await.expect("in time");
            assert!(matches!(answer, Some(LegEvent::Answered { .. })), "{uri}: {answer:?}");
            hears_itself(&mut leg).await;
            drop(leg);
            let (events, received) = desk.await.expect("the desk ends by itself");
            assert_eq!(end_of(&events), EndCause::NormalClearing, "{uri}");
            assert!(received > 0, "{uri}");
            caller.finish().await;
        }
        line.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_of_version_4_is_told_an_address_of_version_4() {
    let mut line = Served::start(|config| config.bind = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)));
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, line.address.port()));
    let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let own = socket.local_addr().expect("an address");
    let invite = format!(
        "INVITE sip:clinic@{to} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK4in6;rport\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:clinic@b>\r\nCall-ID: four-in-six\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{own}>\r\n\r\n"
    );
    socket.send_to(invite.as_bytes(), to).await.expect("sent");
    let offer = line.offer().await;
    offer.leg.commands.send(LegCommand::Answer).await.expect("the line listens");
    let mut datagram = [0; 8192];
    let answer = loop {
        let received = tokio::time::timeout(PATIENCE, socket.recv(&mut datagram)).await.expect("in time");
        let text = String::from_utf8_lossy(&datagram[..received.expect("a datagram")]).into_owned();
        if text.starts_with("SIP/2.0 200 ") {
            break text;
        }
    };
    assert!(answer.contains("c=IN IP4 127.0.0.1\r\n"), "{answer}");
    assert!(answer.contains(&format!("Contact: <sip:{to}>\r\n")), "{answer}");
    assert!(!answer.contains("ffff"), "{answer}");
    line.stop().await;
}
