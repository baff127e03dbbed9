use proptest::prelude::*;
use rsipstack::sip::{HasHeaders, HeadersExt as _, SipMessage};

use super::*;
use crate::signalling::sip::{Delimited, delimit};

fn source() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], 5062))
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// An INVITE of which rows can be replaced (a value) or left out (an empty one).
fn invite(changes: &[(&str, &str)], body: &str) -> Vec<u8> {
    let rows = [
        ("Via", "SIP/2.0/UDP 192.0.2.7:5062;branch=z9hG4bK77;rport"),
        ("From", "<sip:08031234567@192.0.2.7>;tag=a1"),
        ("To", "<sip:clinic@192.0.2.1>"),
        ("Call-ID", "call-1@192.0.2.7"),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:08031234567@192.0.2.7:5062>"),
        ("Content-Type", "application/sdp"),
    ];
    let mut message = "INVITE sip:clinic@192.0.2.1 SIP/2.0\r\n".to_owned();
    let unchanged = rows.iter().filter(|(n, _)| !changes.iter().any(|(c, _)| c == n));
    for (name, value) in unchanged.chain(changes.iter().filter(|(_, v)| !v.is_empty())) {
        message.push_str(&format!("{name}: {value}\r\n"));
    }
    message.push_str("\r\n");
    message.push_str(body);
    message.into_bytes()
}

fn passed(datagram: &[u8]) -> Passed {
    match inspect(datagram, source()) {
        Guarded::Pass(passed) => passed,
        Guarded::Reply(reply) => panic!("was answered: {}", String::from_utf8_lossy(&reply)),
        Guarded::Drop(why) => panic!("was dropped: {why:?}"),
    }
}

fn reply(datagram: &[u8]) -> String {
    match inspect(datagram, source()) {
        Guarded::Reply(reply) => String::from_utf8(reply).expect("replies are text"),
        other => panic!("was not answered: {other:?}"),
    }
}

#[test]
fn a_request_without_content_length_keeps_its_body() {
    let passed = passed(&invite(&[], SDP));
    let message = SipMessage::try_from(passed.bytes.as_slice()).expect("the stack reads it");
    let SipMessage::Request(request) = message else { panic!("a request") };
    assert_eq!(request.body, SDP.as_bytes());
    assert!(passed.rings);
    assert_eq!(passed.call_id, "call-1@192.0.2.7");
}

#[test]
fn a_name_in_latin_1_is_read_and_the_rows_after_it_stay() {
    let mut datagram = invite(&[("Subject", "x")], SDP);
    let at = datagram.windows(5).position(|w| w == b"From:").expect("a From row") + 6;
    datagram.splice(at..at, b"\"Adanna \xd2k\xf3 \" ".iter().copied());
    let message = SipMessage::try_from(passed(&datagram).bytes.as_slice()).expect("the stack reads it");
    assert!(message.from_header().expect("a From").value().contains("Òkó"));
    assert!(message.to_header().is_ok());
}

#[test]
fn a_content_length_beyond_the_datagram_or_below_zero_is_answered_400() {
    for length in ["5000", "-1", "ten", "18446744073709551616"] {
        assert!(reply(&invite(&[("Content-Length", length)], SDP)).starts_with("SIP/2.0 400 "), "{length}");
    }
}

#[test]
fn bytes_after_the_declared_body_are_cut_off() {
    let passed = passed(&invite(&[("Content-Length", "4")], "v=0\r\nrubbish"));
    assert!(passed.bytes.ends_with(b"\r\n\r\nv=0\r"));
}

#[test]
fn what_a_dialog_needs_must_be_there() {
    for name in ["From", "To", "Call-ID", "CSeq"] {
        assert!(reply(&invite(&[(name, "")], SDP)).starts_with("SIP/2.0 400 "), "{name}");
    }
    assert_eq!(inspect(&invite(&[("Via", "")], SDP), source()), Guarded::Drop(Dropped::NoVia));
}

#[test]
fn the_forms_of_to_that_end_other_gateways_are_answered_400() {
    for to in ["<<<>>>\"", ";tag=", "\"", "<sip:>", "<sip:a@b>;tag=", "<>"] {
        assert!(reply(&invite(&[("To", to)], SDP)).starts_with("SIP/2.0 400 "), "{to}");
    }
}

#[test]
fn a_reply_names_the_transaction_it_belongs_to() {
    let reply = reply(&invite(&[("CSeq", "1 BYE")], SDP));
    assert!(reply.contains("Call-ID: call-1@192.0.2.7\r\n"));
    assert!(reply.contains("branch=z9hG4bK77;received=192.0.2.7;rport=5062\r\n"), "{reply}");
    assert!(reply.contains("To: <sip:clinic@192.0.2.1>;tag="));
}

#[test]
fn another_version_is_answered_505() {
    let text = String::from_utf8(invite(&[], SDP)).expect("text").replacen("SIP/2.0\r\n", "SIP/7.0\r\n", 1);
    assert!(reply(text.as_bytes()).starts_with("SIP/2.0 505 "));
}

#[test]
fn methods_that_a_line_does_not_serve_are_answered_with_those_that_it_does() {
    for (method, status) in [("REGISTER", "405"), ("PUBLISH", "405"), ("MILK", "501")] {
        let text = String::from_utf8(invite(&[], SDP)).expect("text").replace("INVITE", method);
        let reply = reply(text.as_bytes());
        assert!(reply.starts_with(&format!("SIP/2.0 {status} ")), "{method}");
        assert!(reply.contains(&format!("Allow: {ALLOW}\r\n")));
    }
}

#[test]
fn an_ack_or_a_response_never_gets_a_reply() {
    let ack = String::from_utf8(invite(&[("Call-ID", "")], "")).expect("text").replace("INVITE", "ACK");
    assert_eq!(inspect(ack.as_bytes(), source()), Guarded::Drop(Dropped::WrongAndUnanswerable));
    let response = String::from_utf8(invite(&[("To", "")], "")).expect("text").replacen(
        "INVITE sip:clinic@192.0.2.1 SIP/2.0",
        "SIP/2.0 200 OK",
        1,
    );
    assert_eq!(inspect(response.as_bytes(), source()), Guarded::Drop(Dropped::WrongAndUnanswerable));
}

#[test]
fn keep_alives_are_answered_as_rfc_5626_wants() {
    assert_eq!(inspect(b"\r\n\r\n", source()), Guarded::Reply(b"\r\n".to_vec()));
    assert_eq!(inspect(b"\r\n", source()), Guarded::Drop(Dropped::KeepAlive));
    assert_eq!(inspect(b"", source()), Guarded::Drop(Dropped::KeepAlive));
    assert_eq!(inspect(&[0; 64], source()), Guarded::Drop(Dropped::NotSip));
}

#[test]
fn a_message_larger_than_the_stacks_buffer_is_told_so() {
    let subject = "x".repeat(MAX_MESSAGE);
    assert!(reply(&invite(&[("Subject", &subject)], SDP)).starts_with("SIP/2.0 513 "));
}

#[test]
fn more_headers_than_anyone_needs_are_refused() {
    let rows = vec![("X-A", "1"); MAX_ROWS + 1];
    assert!(reply(&invite(&rows, SDP)).starts_with("SIP/2.0 400 "));
}

#[test]
fn folded_rows_and_compact_names_pass() {
    let text = String::from_utf8(invite(&[], SDP)).expect("text");
    let text = text.replace("From:", "f:").replace("To: <sip", "t:\r\n <sip").replace("Call-ID:", "i :");
    assert_eq!(passed(text.as_bytes()).call_id, "call-1@192.0.2.7");
}

#[test]
fn an_empty_fold_leaves_no_space_behind() {
    for (folded, plain) in [("Clinic\r\n ", "Clinic"), ("\r\n Clinic", "Clinic"), ("\r\n \r\n\tClinic\r\n  ", "Clinic")]
    {
        let passed = passed(&invite(&[("Subject", folded)], SDP));
        assert_eq!(passed.bytes, self::passed(&invite(&[("Subject", plain)], SDP)).bytes, "{folded:?}");
    }
}

#[test]
fn a_full_box_refuses_a_ring_without_keeping_anything_of_it() {
    let passed = passed(&invite(&[], SDP));
    let reply = String::from_utf8(refuse(&passed, source(), 5).expect("an INVITE is answered")).expect("text");
    assert!(reply.starts_with("SIP/2.0 503 "));
    assert!(reply.contains("Retry-After: 5\r\n"));
}

#[test]
fn messages_of_a_stream_are_told_apart_however_they_are_cut() {
    let one = invite(&[("Content-Length", "3")], "abc");
    let two = invite(&[], "");
    let stream = [b"\r\n".as_slice(), &one, &two, b"\r\n\r\n"].concat();
    for cut in 0..one.len() + 2 {
        assert_eq!(delimit(&stream[..cut]), Delimited::Incomplete, "{cut}");
    }
    let end = one.len() + 2;
    assert_eq!(delimit(&stream), Delimited::Message { start: 2, end });
    assert_eq!(delimit(&stream[end..]), Delimited::Message { start: 0, end: two.len() });
    assert_eq!(delimit(&stream[end + two.len()..]), Delimited::KeepAlive(4));
}

#[test]
fn a_stream_whose_lengths_cannot_be_is_broken_and_still_answered() {
    for length in ["-1", "x", "18446744073709551615", "9000"] {
        let message = invite(&[("Content-Length", length)], "");
        let Delimited::Broken { reply_to } = delimit(&message) else { panic!("{length}") };
        assert!(reply(&message[..reply_to]).starts_with("SIP/2.0 400 "), "{length}");
    }
    assert_eq!(delimit(&[b'a'; MAX_MESSAGE + 1]), Delimited::Broken { reply_to: 0 });
}

fn check(datagram: &[u8]) {
    match delimit(datagram) {
        Delimited::Message { start, end } => assert!(start < end && end <= datagram.len()),
        Delimited::Broken { reply_to } => assert!(reply_to <= datagram.len()),
        Delimited::KeepAlive(used) => assert_eq!(used, 4),
        Delimited::Incomplete => {}
    }

    match inspect(datagram, source()) {
        Guarded::Pass(passed) => {
            assert!(passed.bytes.len() <= MAX_MESSAGE);
            let message = SipMessage::try_from(passed.bytes.as_slice()).expect("what passes is parsed");
            assert!(message.headers().iter().count() > 4);
            let again = inspect(&passed.bytes, source());
            assert_eq!(again, Guarded::Pass(passed), "what passed passes again unchanged");
        }
        Guarded::Reply(reply) => assert!(reply == b"\r\n" || SipMessage::try_from(reply.as_slice()).is_ok()),
        Guarded::Drop(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_at_all_upset_the_guard(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes);
    }

    #[test]
    fn no_damage_to_a_real_invite_upsets_the_guard(
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<Option<proptest::sample::Index>>(),
    ) {
        let mut bytes = invite(&[("Content-Length", "110")], SDP);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check(&bytes);
    }

    #[test]
    fn no_header_value_upsets_the_guard(name in "(Via|From|To|Call-ID|CSeq|Contact)", value in "[ -~]{0,60}") {
        check(&invite(&[(name.as_str(), value.as_str())], SDP));
    }
}
