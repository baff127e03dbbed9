//! Session descriptions (RFC 4566) and the answer to an offer (RFC 3264), as
//! far as a telephone call needs them: one stream of audio with one codec and
//! telephone events. Every other stream is refused with port 0.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use thiserror::Error;

/// Rows of a description: an offer with ten codecs and ICE has about 60.
const MAX_ROWS: usize = 256;

/// Streams of a description: audio, video, T.38 and an application are four.
const MAX_STREAMS: usize = 16;

/// The payload type that we give to telephone events in our own offers; the one
/// that most equipment uses.
const EVENT_PAYLOAD: u8 = 101;

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SdpError {
    #[error("the session description is not UTF-8 text")]
    NotText,
    #[error("the session description has more than {MAX_ROWS} rows")]
    TooLong,
    #[error("row {row} of the session description: {what}")]
    Row { row: usize, what: &'static str },
    #[error("the session description offers no audio over RTP/AVP")]
    NoAudio,
}

/// None of the offered codecs is one of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("the offer has none of the codecs of this line")]
pub struct NoCommonCodec;

/// The codecs that a line can speak (RFC 3551 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    Pcma,
    Pcmu,
    G722,
}

impl Encoding {
    pub const ALL: [Self; 3] = [Self::Pcma, Self::Pcmu, Self::G722];

    /// The name of RFC 3551. G.722's clock is written as 8000 there, wrongly
    /// and for ever.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
            Self::G722 => "G722",
        }
    }

    /// The static payload type of RFC 3551 table 4.
    pub const fn static_payload(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::G722 => 9,
        }
    }
}

/// Which way sound flows, seen from the side that wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    #[default]
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    /// The answer to an offer with this direction (RFC 3264 section 6.1), from
    /// a side that would both send and receive.
    pub const fn answered(self) -> Self {
        match self {
            Self::SendRecv => Self::SendRecv,
            Self::SendOnly => Self::RecvOnly,
            Self::RecvOnly => Self::SendOnly,
            Self::Inactive => Self::Inactive,
        }
    }

    const fn row(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn from_row(row: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive].into_iter().find(|d| d.row() == row)
    }
}

/// The audio of a description, read from the far side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AudioOffer {
    /// Where the far side wants its packets. None when it gives a host name or
    /// 0.0.0.0: then the first packet tells.
    pub remote: Option<SocketAddr>,
    /// Codecs of ours in the far side's order, with its payload types.
    pub encodings: Vec<(Encoding, u8)>,
    /// The payload type of telephone events (RFC 4733) at 8000 Hz.
    pub events: Option<u8>,
    pub direction: Direction,
    /// The audio was switched off with port 0.
    pub off: bool,
    /// All streams in order, as the answer must list them.
    streams: Vec<Stream>,
    audio: usize,
}

/// An `m=` row, kept to be answered.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stream {
    media: String,
    protocol: String,
    first_format: String,
}

/// What we say of our own side.
#[derive(Clone, Debug)]
pub struct LocalAudio {
    pub address: SocketAddr,
    /// The codecs of the line, best first.
    pub encodings: Vec<Encoding>,
    /// Identifies the session in `o=` (RFC 4566 section 5.2).
    pub session: u64,
}

/// What both sides agreed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Agreed {
    pub remote: Option<SocketAddr>,
    pub encoding: Encoding,
    pub payload: u8,
    /// The payload type of telephone events; without one, digits are tones.
    pub events: Option<u8>,
    /// Which way sound flows, seen from us.
    pub direction: Direction,
}

impl AudioOffer {
    /// Reads a description, an answer included.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        let text = std::str::from_utf8(body).map_err(|_| SdpError::NotText)?;
        if text.lines().count() > MAX_ROWS {
            return Err(SdpError::TooLong);
        }
        let mut reader = Reader::default();
        for (at, row) in text.lines().enumerate().filter(|(_, row)| !row.trim().is_empty()) {
            reader.take(row.trim_end()).map_err(|what| SdpError::Row { row: at + 1, what })?;
        }
        reader.finish()
    }

    /// Chooses a codec and writes the answer. The far side's order decides,
    /// unless one of `local` stands first in both. `version` counts the
    /// descriptions that we sent in this session.
    pub fn answer(&self, local: &LocalAudio, version: u64) -> Result<(String, Agreed), NoCommonCodec> {
        let agreed = self.agree(&local.encodings)?;
        let mut text = preamble(local, version);
        for (i, stream) in self.streams.iter().enumerate() {
            if i == self.audio && !self.off {
                let head = format!("m=audio {} {}", local.address.port(), stream.protocol);
                push_audio(&mut text, &head, &[(agreed.encoding, agreed.payload)], agreed.events);
                push_row(&mut text, &format!("a={}", agreed.direction.row()));
            } else {
                push_row(&mut text, &format!("m={} 0 {} {}", stream.media, stream.protocol, stream.first_format));
            }
        }
        Ok((text, agreed))
    }

    /// What an answer to our own offer agrees on, or what an offer comes to.
    pub fn agree(&self, ours: &[Encoding]) -> Result<Agreed, NoCommonCodec> {
        let (encoding, payload) =
            self.encodings.iter().find(|(encoding, _)| ours.contains(encoding)).copied().ok_or(NoCommonCodec)?;
        let direction = if self.off { Direction::Inactive } else { self.direction.answered() };
        Ok(Agreed { remote: self.remote, encoding, payload, events: self.events, direction })
    }
}

impl LocalAudio {
    /// Our own offer: all codecs of the line and telephone events.
    pub fn offer(&self, version: u64) -> String {
        let mut text = preamble(self, version);
        let encodings: Vec<_> = self.encodings.iter().map(|e| (*e, e.static_payload())).collect();
        let head = format!("m=audio {} RTP/AVP", self.address.port());
        push_audio(&mut text, &head, &encodings, Some(EVENT_PAYLOAD));
        push_row(&mut text, "a=sendrecv");
        text
    }
}

fn preamble(local: &LocalAudio, version: u64) -> String {
    let (family, ip) = match local.address.ip() {
        IpAddr::V4(ip) => ("IP4", ip.to_string()),
        IpAddr::V6(ip) => ("IP6", ip.to_string()),
    };
    let session = local.session;
    format!("v=0\r\no=- {session} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n")
}

/// `head` is the audio row up to its formats.
fn push_audio(text: &mut String, head: &str, encodings: &[(Encoding, u8)], events: Option<u8>) {
    let formats: String =
        encodings.iter().map(|(_, payload)| *payload).chain(events).fold(String::new(), |mut formats, payload| {
            // Writing to a String cannot fail.
            write!(formats, " {payload}").unwrap_or_default();
            formats
        });
    push_row(text, &format!("{head}{formats}"));
    for (encoding, payload) in encodings {
        push_row(text, &format!("a=rtpmap:{payload} {}/8000", encoding.name()));
    }
    if let Some(payload) = events {
        push_row(text, &format!("a=rtpmap:{payload} telephone-event/8000"));
        push_row(text, &format!("a=fmtp:{payload} 0-15"));
    }
    push_row(text, "a=ptime:20");
}

fn push_row(text: &mut String, row: &str) {
    text.push_str(row);
    text.push_str("\r\n");
}

/// A description being read, row by row.
#[derive(Default)]
struct Reader {
    rows: usize,
    address: Option<Connection>,
    direction: Option<Direction>,
    streams: Vec<Stream>,
    /// The first stream of audio over RTP/AVP.
    audio: Option<(usize, Audio)>,
}

#[derive(Clone, Copy)]
enum Connection {
    At(IpAddr),
    /// A host name, which is not looked up: the first packet tells the address.
    Named,
    /// 0.0.0.0, the old way to say hold (RFC 2543 appendix B.5).
    Nowhere,
}

#[derive(Default)]
struct Audio {
    port: u16,
    address: Option<Connection>,
    direction: Option<Direction>,
    payloads: Vec<u8>,
    maps: Vec<(u8, Map)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Map {
    Encoding(Encoding),
    Events,
    Unknown,
}

impl Reader {
    fn take(&mut self, row: &str) -> Result<(), &'static str> {
        self.rows += 1;
        let (kind, value) = row.split_once('=').ok_or("a row has the form letter=value")?;
        if self.rows == 1 && (kind, value.trim()) != ("v", "0") {
            return Err("a description begins with v=0");
        }
        match kind {
            "c" => self.take_connection(value),
            "m" => self.take_stream(value),
            "a" => self.take_attribute(value),
            k if k.len() == 1 && k.bytes().all(|b| b.is_ascii_alphabetic()) => Ok(()),
            _ => Err("a row's kind is one letter"),
        }
    }

    /// The audio stream whose rows are being read, unless another stream is.
    fn current_audio(&mut self) -> Option<&mut Audio> {
        let last = self.streams.len().checked_sub(1)?;
        self.audio.as_mut().filter(|(at, _)| *at == last).map(|(_, audio)| audio)
    }

    fn take_connection(&mut self, value: &str) -> Result<(), &'static str> {
        let mut parts = value.split_ascii_whitespace();
        let (Some("IN"), Some("IP4" | "IP6"), Some(host)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("c= has the form IN IP4 address");
        };
        // A multicast address may carry a TTL behind a slash.
        let connection = match host.split('/').next().unwrap_or(host).parse::<IpAddr>() {
            Ok(ip) if ip.is_unspecified() => Connection::Nowhere,
            Ok(ip) => Connection::At(ip.to_canonical()),
            Err(_) => Connection::Named,
        };
        if self.streams.is_empty() {
            self.address = Some(connection);
        } else if let Some(audio) = self.current_audio() {
            audio.address = Some(connection);
        }
        Ok(())
    }

    fn take_stream(&mut self, value: &str) -> Result<(), &'static str> {
        let mut parts = value.split_ascii_whitespace();
        let (Some(media), Some(port), Some(protocol)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("m= has the form media port protocol formats");
        };
        let port: u16 = port.split('/').next().unwrap_or(port).parse().map_err(|_| "m= has a port of 0 to 65535")?;
        let formats: Vec<&str> = parts.collect();
        let first_format = (*formats.first().ok_or("m= names at least one format")?).to_owned();
        if self.streams.len() == MAX_STREAMS {
            return Err("more streams than a call can have");
        }
        self.streams.push(Stream { media: media.to_owned(), protocol: protocol.to_owned(), first_format });
        if media == "audio" && matches!(protocol, "RTP/AVP" | "RTP/AVPF") && self.audio.is_none() {
            let payloads = formats.iter().map(|f| f.parse().ok().filter(|p| *p < 128)).collect::<Option<Vec<u8>>>();
            let payloads = payloads.ok_or("a format of RTP is a number of 0 to 127")?;
            self.audio = Some((self.streams.len() - 1, Audio { port, payloads, ..Audio::default() }));
        }
        Ok(())
    }

    fn take_attribute(&mut self, value: &str) -> Result<(), &'static str> {
        if let Some(direction) = Direction::from_row(value.trim()) {
            if self.streams.is_empty() {
                self.direction = Some(direction);
            } else if let Some(audio) = self.current_audio() {
                audio.direction = Some(direction);
            }
        } else if let (Some(map), Some(audio)) = (value.strip_prefix("rtpmap:"), self.current_audio()) {
            let (payload, what) = map.trim().split_once(' ').ok_or("rtpmap has the form number name/rate")?;
            let payload: u8 = payload.parse().ok().filter(|p| *p < 128).ok_or("rtpmap names a payload of 0 to 127")?;
            audio.maps.push((payload, read_map(what.trim())));
        }
        Ok(())
    }

    fn finish(self) -> Result<AudioOffer, SdpError> {
        let (at, audio) = self.audio.ok_or(SdpError::NoAudio)?;
        let mapped = |payload: u8| {
            let declared = audio.maps.iter().find(|(p, _)| *p == payload).map(|(_, map)| *map);
            let by_number = Encoding::ALL.into_iter().find(|e| e.static_payload() == payload).map(Map::Encoding);
            declared.or(by_number).unwrap_or(Map::Unknown)
        };
        let mut encodings: Vec<(Encoding, u8)> = Vec::new();
        for payload in &audio.payloads {
            if let Map::Encoding(encoding) = mapped(*payload)
                && !encodings.iter().any(|(e, _)| *e == encoding)
            {
                encodings.push((encoding, *payload));
            }
        }
        let events = audio.payloads.iter().copied().find(|p| mapped(*p) == Map::Events);
        let connection = audio.address.or(self.address);
        let remote = match connection {
            Some(Connection::At(ip)) if audio.port != 0 => Some(SocketAddr::new(ip, audio.port)),
            _ => None,
        };
        let written = audio.direction.or(self.direction).unwrap_or_default();
        // Hold as RFC 2543 wrote it: the far side hears nothing.
        let direction = match (connection, written) {
            (Some(Connection::Nowhere), Direction::SendRecv) => Direction::SendOnly,
            (Some(Connection::Nowhere), Direction::RecvOnly) => Direction::Inactive,
            (_, written) => written,
        };
        let off = audio.port == 0;
        Ok(AudioOffer { remote, encodings, events, direction, off, streams: self.streams, audio: at })
    }
}

fn read_map(what: &str) -> Map {
    let mut parts = what.split('/');
    let name = parts.next().unwrap_or_default().to_ascii_uppercase();
    let at_8000 = parts.next() == Some("8000") && matches!(parts.next(), None | Some("1"));
    match (name.as_str(), at_8000) {
        ("PCMA", true) => Map::Encoding(Encoding::Pcma),
        ("PCMU", true) => Map::Encoding(Encoding::Pcmu),
        ("G722", true) => Map::Encoding(Encoding::G722),
        ("TELEPHONE-EVENT", true) => Map::Events,
        _ => Map::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn local() -> LocalAudio {
        LocalAudio {
            address: SocketAddr::from(([192, 0, 2, 1], 30_000)),
            encodings: vec![Encoding::Pcma, Encoding::Pcmu, Encoding::G722],
            session: 42,
        }
    }

    fn offer(rows: &str) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n{}",
            rows.replace('\n', "\r\n")
        )
    }

    fn agreed(rows: &str) -> Agreed {
        let offer = AudioOffer::parse(offer(rows).as_bytes()).expect("an offer");
        offer.answer(&local(), 1).expect("a codec in common").1
    }

    #[test]
    fn the_first_codec_of_the_far_side_that_we_speak_is_taken() {
        let agreed = agreed("m=audio 4000 RTP/AVP 18 0 8 96\na=rtpmap:96 telephone-event/8000\n");
        assert_eq!((agreed.encoding, agreed.payload, agreed.events), (Encoding::Pcmu, 0, Some(96)));
        assert_eq!(agreed.remote, Some(SocketAddr::from(([192, 0, 2, 7], 4000))));
    }

    #[test]
    fn a_codec_under_a_dynamic_number_is_known_by_its_name() {
        let agreed = agreed("m=audio 4000 RTP/AVP 110\na=rtpmap:110 G722/8000/1\n");
        assert_eq!((agreed.encoding, agreed.payload, agreed.events), (Encoding::G722, 110, None));
    }

    #[test]
    fn a_number_that_was_given_another_name_is_not_what_the_table_says() {
        let offer =
            AudioOffer::parse(offer("m=audio 4000 RTP/AVP 8\na=rtpmap:8 L16/8000\n").as_bytes()).expect("an offer");
        assert_eq!(offer.answer(&local(), 1).map(|(_, a)| a), Err(NoCommonCodec));
    }

    #[test]
    fn events_at_another_clock_are_not_ours() {
        assert_eq!(agreed("m=audio 4000 RTP/AVP 8 97\na=rtpmap:97 telephone-event/48000\n").events, None);
    }

    #[test]
    fn every_stream_is_answered_in_its_place_and_all_but_the_audio_refused() {
        let text = offer("m=video 5000 RTP/AVP 96\nm=audio 4000 RTP/AVP 8\nm=image 6000 udptl t38\n");
        let (answer, _) = AudioOffer::parse(text.as_bytes()).expect("an offer").answer(&local(), 1).expect("common");
        let streams: Vec<&str> = answer.lines().filter(|row| row.starts_with("m=")).collect();
        assert_eq!(streams, ["m=video 0 RTP/AVP 96", "m=audio 30000 RTP/AVP 8", "m=image 0 udptl t38"]);
    }

    #[test]
    fn all_ways_to_say_hold_are_understood() {
        for (rows, ours) in [
            ("m=audio 4000 RTP/AVP 8\na=sendonly\n", Direction::RecvOnly),
            ("m=audio 4000 RTP/AVP 8\na=inactive\n", Direction::Inactive),
            ("m=audio 4000 RTP/AVP 8\na=recvonly\n", Direction::SendOnly),
            ("m=audio 4000 RTP/AVP 8\nc=IN IP4 0.0.0.0\n", Direction::RecvOnly),
            ("a=sendonly\nm=audio 4000 RTP/AVP 8\n", Direction::RecvOnly),
            ("m=audio 0 RTP/AVP 8\n", Direction::Inactive),
            ("m=audio 4000 RTP/AVP 8\n", Direction::SendRecv),
        ] {
            assert_eq!(agreed(rows).direction, ours, "{rows}");
        }
    }

    #[test]
    fn our_own_offer_is_one_that_we_could_answer() {
        let offer = AudioOffer::parse(local().offer(1).as_bytes()).expect("our offer");
        assert_eq!(offer.encodings.iter().map(|(e, _)| *e).collect::<Vec<_>>(), local().encodings);
        assert_eq!((offer.events, offer.remote), (Some(EVENT_PAYLOAD), Some(local().address)));
    }

    #[test]
    fn a_mistake_is_named_with_its_row() {
        let error = AudioOffer::parse(offer("m=audio many RTP/AVP 8\n").as_bytes()).expect_err("a mistake");
        assert_eq!(error, SdpError::Row { row: 6, what: "m= has a port of 0 to 65535" });
        assert_eq!(AudioOffer::parse(b"hello"), Err(SdpError::Row { row: 1, what: "a row has the form letter=value" }));
        assert_eq!(AudioOffer::parse(offer("m=video 1 RTP/AVP 96\n").as_bytes()), Err(SdpError::NoAudio));
        assert_eq!(AudioOffer::parse(&[0xff, 0xfe]), Err(SdpError::NotText));
    }

    proptest! {
        #[test]
        fn no_text_upsets_the_reader(rows in proptest::collection::vec("[vcmabt]=[ -~]{0,40}", 0..12)) {
            let text = format!("v=0\r\n{}", rows.join("\r\n"));
            if let Ok(offer) = AudioOffer::parse(text.as_bytes())
                && let Ok((answer, agreed)) = offer.answer(&local(), 1)
            {
                let answer = AudioOffer::parse(answer.as_bytes()).expect("our answer is a description");
                prop_assert_eq!(answer.off, offer.off);
                prop_assert!(offer.off || answer.encodings == vec![(agreed.encoding, agreed.payload)]);
            }
        }

        #[test]
        fn no_bytes_upset_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _outcome = AudioOffer::parse(&bytes);
        }
    }
}
