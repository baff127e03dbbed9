//! What the fuzzer feeds to each parser, and what must hold whatever it feeds.
//! `tests/fuzz_corpora.rs` sends the committed corpora through the same
//! functions, so that a fault that was found once stays fixed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use milu::knowledge::{KnowledgeBase, MAX_MISTAKES};
use milu::media::{Codec, Decoder, DigitReceiver, JitterBuffer, MAX_PACKET, MAX_PAYLOAD, Pulled, RtpPacket};
use milu::residency::{CallerWishes, DataClass, MISTAKES_MAX, Policy, Verdict};
use milu::signalling::sip::{AudioOffer, Encoding, Guarded, LocalAudio, inspect, refuse};
use milu::speech::EarsEvent;
use milu::speech::cloud::anthropic::AnswerEvents;
use milu::speech::cloud::deepgram::{Api, Assembly, Bounds, Message, Step};
use milu::speech::cloud::mind::{Decode, Delta};
use milu::speech::cloud::openai::ChunkEvents;
use milu::terms::{Moment, RequestId};

#[path = "entries/modems.rs"]
mod modems;
#[path = "entries/privacy.rs"]
mod privacy;
#[path = "entries/texts.rs"]
mod texts;
#[path = "entries/voices.rs"]
mod voices;

pub use modems::at_rows;
pub use privacy::redaction;
pub use texts::{sms_pdu, ussd_text};
pub use voices::{elevenlabs_messages, wyoming_events};

/// The payload type that stands for telephone events here.
const EVENTS: u8 = 101;

/// The far side, from the addresses kept for examples (RFC 5737).
const FAR_SIDE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)), 5060);

/// A stream of datagrams, each behind its length (two octets, the high one
/// first) and 20 ms after the one before. A packet that is read and written
/// again is the same; nothing that a stream does ends the receiving side.
pub fn rtp(bytes: &[u8]) {
    let mut jitter = JitterBuffer::new();
    let mut digits = DigitReceiver::new();
    let mut decoders = [Codec::Pcma, Codec::Pcmu, Codec::G722].map(Decoder::new);
    let mut now = Moment::START;
    for datagram in datagrams(bytes) {
        now = now + Duration::from_millis(20);
        if let Ok(packet) = RtpPacket::parse(datagram) {
            assert_same_when_written(&packet);
            if packet.payload_type == EVENTS {
                let pressed = digits.receive(&packet).ok().flatten();
                assert!(pressed.is_none_or(|digit| digit.event() < 16), "a digit is one of sixteen keys");
            } else {
                jitter.insert(&packet, now);
            }
        }
        play(&mut jitter, &mut decoders);
    }
}

fn datagrams(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<2>()?;
        let (datagram, rest) = rest.split_at(rest.len().min(usize::from(u16::from_be_bytes(*length))));
        bytes = rest;
        Some(datagram)
    })
}

fn assert_same_when_written(packet: &RtpPacket<'_>) {
    if packet.payload.len() > MAX_PAYLOAD {
        return;
    }
    let mut out = [0; MAX_PACKET];
    let len = packet.write(&mut out);
    assert_eq!(RtpPacket::parse(&out[..len]).as_ref(), Ok(packet), "a packet is the same when written again");
}

fn play(jitter: &mut JitterBuffer, decoders: &mut [Decoder]) {
    if let Pulled::Packet(payload) = jitter.pull() {
        for decoder in decoders {
            assert!(payload.len() <= MAX_PAYLOAD, "the buffer keeps 60 ms at most");
            assert_eq!(decoder.push(payload), Ok(()), "there is room when all whole frames were taken");
            while decoder.has_frame() {
                assert!(decoder.take().is_some(), "a frame that is there can be taken");
            }
        }
    }
}

/// A session description. Our answer to it is one that we can read ourselves,
/// with a row for each of its streams (RFC 3264 section 6).
pub fn sdp(bytes: &[u8]) {
    let Ok(offer) = AudioOffer::parse(bytes) else { return };
    let local = LocalAudio {
        address: SocketAddr::new(Ipv4Addr::new(192, 0, 2, 1).into(), 40_000),
        encodings: vec![Encoding::G722, Encoding::Pcma, Encoding::Pcmu],
        session: 1,
    };
    let Ok((answer, agreed)) = offer.answer(&local, 1) else { return };
    let streams = |text: &str| text.lines().filter(|row| row.starts_with("m=")).count();
    assert_eq!(streams(&answer), streams(&String::from_utf8_lossy(bytes)), "a row for each stream");
    if !offer.off {
        let read = AudioOffer::parse(answer.as_bytes()).expect("our own answer can be read");
        let theirs = read.agree(&local.encodings).expect("our own answer names a codec of ours");
        assert_eq!((theirs.encoding, theirs.payload), (agreed.encoding, agreed.payload), "both sides agree");
    }
}

/// A datagram to the guard in front of the SIP stack. What passed once passes
/// again, as the same message.
pub fn sip(bytes: &[u8]) {
    let Guarded::Pass(passed) = inspect(bytes, FAR_SIDE) else { return };
    let again = match inspect(&passed.bytes, FAR_SIDE) {
        Guarded::Pass(again) => Some((again.call_id, again.rings)),
        Guarded::Reply(_) | Guarded::Drop(_) => None,
    };
    assert_eq!(again, Some((passed.call_id.clone(), passed.rings)), "it passes as the same message");
    if let Some(reply) = refuse(&passed, FAR_SIDE, 5) {
        assert!(reply.starts_with(b"SIP/2.0 503"), "a full box says 503");
    }
}

/// A knowledge file, read as TOML and as Markdown. Each mistake has its place in
/// the file, and there is always one when the file is refused.
pub fn knowledge_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for name in ["facts.toml", "facts.md"] {
        let Err(mistakes) = KnowledgeBase::parse(name, &text) else { continue };
        assert!((1..=MAX_MISTAKES).contains(&mistakes.list.len()), "{} mistakes", mistakes.list.len());
        // A mistake at the end of the text stands in the row after its last break.
        let rows = text.matches('\n').count() + 1;
        for mistake in &mistakes.list {
            let place = mistake.place;
            assert!((1..=rows).contains(&place.row) && place.column >= 1, "{place:?} of {rows} rows");
        }
        assert!(mistakes.to_string().starts_with(name), "a mistake names its file");
    }
}

/// A residency policy. A refused one has its mistakes with their places; one that
/// is taken keeps the standing promises, whoever the caller is, and can explain
/// each of its decisions.
pub fn residency_policy(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let today = "2026-11-26".parse().expect("a date");
    match Policy::parse("residency.toml", &text, today) {
        Ok(policy) => assert_promises_are_kept(&policy),
        Err(mistakes) => {
            assert!((1..=MISTAKES_MAX).contains(&mistakes.list.len()), "{} mistakes", mistakes.list.len());
            let rows = text.matches('\n').count() + 1;
            for mistake in &mistakes.list {
                let place = mistake.place;
                assert!((1..=rows).contains(&place.row) && place.column >= 1, "{place:?} of {rows} rows");
            }
        }
    }
    // What is read for its proof is held back by the promises all the same.
    if let Ok(policy) = Policy::parse_unproved("residency.toml", &text, today) {
        assert_promises_are_kept(&policy);
    }
}

fn assert_promises_are_kept(policy: &Policy) {
    // Of a long list the first few: a decision takes microseconds, and the fuzzer asks often.
    for destination in policy.destinations().iter().take(4) {
        for class in DataClass::ALL {
            let received = destination.on_site || destination.contract.is_some() || class == DataClass::Telemetry;
            for wishes in CallerWishes::STATES {
                let explained = policy.explain(class, &destination.id, wishes);
                let verdict = explained.decision.verdict;
                assert!(!explained.sentence.is_empty(), "every decision has a sentence");
                assert!(verdict == Verdict::Local || received && !wishes.restricts, "{class:?} to {destination:?}");
                assert!(verdict != Verdict::Raw || !class.is_secret(), "{class:?} never goes raw");
            }
        }
    }
}

/// What a provider of ears says, each message behind its length (two octets, the
/// high one first) and 100 ms of sound after the one before; the first octet
/// chooses its API. Whatever it says, each question has one answer by its bound.
pub fn deepgram_messages(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let api = if first % 2 == 0 { Api::V1 } else { Api::Flux };
    let bounds = Bounds::default();
    let mut assembly = Assembly::of(api, bounds);
    let (mut now, mut asked, mut answered) = (Moment::START, 0_u32, 0_u32);
    for (n, text) in datagrams(rest).enumerate() {
        assembly.sound(now, Duration::from_millis(100), now);
        now = now + Duration::from_millis(100);
        if n % 3 == 0 {
            assembly.turn_began(now, now);
        }
        if n % 3 == 1 {
            assembly.decode(RequestId(asked), now);
            assembly.judge(RequestId(asked), now);
            asked += 1;
        }
        assembly.message(Message::parse(&String::from_utf8_lossy(text)), now);
        answered += answers(&mut assembly, asked);
        // The bound of the question goes by before the next one comes.
        if n % 3 == 2 {
            now = now + bounds.words;
            assembly.timeout(now);
            answered += answers(&mut assembly, asked);
            assert_eq!(answered, asked, "each question has one answer");
        }
    }
}

fn answers(assembly: &mut Assembly, asked: u32) -> u32 {
    let mut answers = 0;
    while let Some(step) = assembly.poll() {
        match step {
            Step::Tell(EarsEvent::Heard(heard)) => {
                assert!(heard.request.0 < asked && heard.confidence.mean_log_probability <= 0.0);
                answers += 1;
            }
            Step::Tell(EarsEvent::Failed { .. }) => answers += 1,
            Step::Tell(EarsEvent::TurnOver { probability, .. }) => {
                assert!((0.0..=1.0).contains(&probability), "a probability");
            }
            // An engine alone is left for no other.
            Step::Tell(EarsEvent::Left(_) | EarsEvent::WordsBegan { .. } | EarsEvent::WordsEnded { .. })
            | Step::Finalize
            | Step::Close => {}
        }
    }
    answers
}

/// The stream of a model's answer, in both dialects, whole and in pieces. It
/// gives the same whatever its split, and ends exactly once.
pub fn anthropic_events(bytes: &[u8]) {
    let claude = || Box::new(AnswerEvents::default()) as Box<dyn Decode>;
    let others = || Box::new(ChunkEvents::default()) as Box<dyn Decode>;
    let makers: [&dyn Fn() -> Box<dyn Decode>; 2] = [&claude, &others];
    for maker in makers {
        let whole = deltas(maker(), bytes, bytes.len().max(1));
        assert_eq!(whole, deltas(maker(), bytes, 7), "the split of the bytes does not matter");
        let ends = whole.iter().filter(|d| matches!(d, Delta::Over(_) | Delta::Failed(_))).count();
        assert_eq!(ends, 1, "an answer ends once");
        assert!(matches!(whole.last(), Some(Delta::Over(_) | Delta::Failed(_))), "and nothing follows");
    }
}

fn deltas(mut decoder: Box<dyn Decode>, bytes: &[u8], size: usize) -> Vec<Delta> {
    let mut found: Vec<Delta> = bytes.chunks(size).flat_map(|piece| decoder.feed(piece)).collect();
    found.extend(decoder.finish());
    found
}
