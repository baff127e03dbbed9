//! Events of the Wyoming protocol: a row of JSON, then data and payload of the
//! lengths that the row tells. It reads and writes them, from bytes to bytes, and
//! refuses what is larger than any server's; it neither sends nor waits.
//!
//! Source: the `wyoming` library of the Home Assistant project, version 1.10.

use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// The row: servers of old put an event's data into it, and the list of some
/// hundred voices has 150 kB.
const ROW_MAX: usize = 512 << 10;

/// Data beside the row, in octets.
const DATA_MAX: usize = 1 << 20;

/// Sound of one event, in octets: servers send the sound of whole sentences in
/// pieces of a second at most, some send a sentence at once.
const PAYLOAD_MAX: usize = 4 << 20;

/// One event.
#[derive(Clone, PartialEq, Default)]
pub struct Event {
    /// The protocol's `type`: `audio-chunk`.
    pub name: String,
    pub data: Map<String, Value>,
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Event {
    /// What it is and how much: data and payload may be a person's words and voice.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event").field("name", &self.name).field("payload", &self.payload.len()).finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReadEvent {
    #[error("reading a Wyoming event: its row is longer than {ROW_MAX} bytes")]
    RowTooLong,
    #[error("reading a Wyoming event: its row is no JSON object with a type")]
    Row,
    #[error("reading a Wyoming event: its data is no JSON object")]
    Data,
    #[error("reading a Wyoming event: it has {0} bytes in one piece")]
    TooLarge(u64),
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "type")]
    name: String,
    #[serde(default)]
    data: Option<Map<String, Value>>,
    #[serde(default)]
    data_length: Option<u64>,
    #[serde(default)]
    payload_length: Option<u64>,
}

/// An event whose row has been read.
#[derive(Debug)]
struct Begun {
    event: Event,
    data: usize,
    payload: usize,
}

/// Reads events from bytes as they come. After an error nobody knows where the
/// next event begins, and every further reading gives the same error.
#[derive(Debug, Default)]
pub struct EventReader {
    bytes: Vec<u8>,
    /// Bytes that are looked through already, and have no end of a row.
    searched: usize,
    begun: Option<Begun>,
    failed: Option<ReadEvent>,
}

impl EventReader {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The next event that is there whole.
    pub fn next_event(&mut self) -> Result<Option<Event>, ReadEvent> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let read = self.read();
        if let Err(error) = read {
            *self = Self { failed: Some(error), ..Self::default() };
        }
        read
    }

    fn read(&mut self) -> Result<Option<Event>, ReadEvent> {
        if self.begun.is_none() {
            self.begun = self.row()?;
        }
        let Some(begun) = self.begun.take_if(|b| self.bytes.len() >= b.data + b.payload) else { return Ok(None) };
        let mut event = begun.event;
        if begun.data > 0 {
            let data: Map<String, Value> =
                serde_json::from_slice(&self.bytes[..begun.data]).map_err(|_| ReadEvent::Data)?;
            event.data.extend(data);
        }
        event.payload = self.bytes[begun.data..begun.data + begun.payload].to_vec();
        self.bytes.drain(..begun.data + begun.payload);
        Ok(Some(event))
    }

    /// The next row, if its end is there.
    fn row(&mut self) -> Result<Option<Begun>, ReadEvent> {
        let end = self.bytes[self.searched..].iter().position(|b| *b == b'\n').map(|at| at + self.searched);
        if end.unwrap_or(self.bytes.len()) > ROW_MAX {
            return Err(ReadEvent::RowTooLong);
        }
        let Some(end) = end else {
            self.searched = self.bytes.len();
            return Ok(None);
        };
        let row: Row = serde_json::from_slice(&self.bytes[..end]).map_err(|_| ReadEvent::Row)?;
        self.bytes.drain(..=end);
        self.searched = 0;
        let bounded = |length: Option<u64>, max: usize| {
            let length = length.unwrap_or(0);
            usize::try_from(length).ok().filter(|n| *n <= max).ok_or(ReadEvent::TooLarge(length))
        };
        Ok(Some(Begun {
            event: Event { name: row.name, data: row.data.unwrap_or_default(), payload: Vec::new() },
            data: bounded(row.data_length, DATA_MAX)?,
            payload: bounded(row.payload_length, PAYLOAD_MAX)?,
        }))
    }
}

/// An event as bytes.
pub fn written(event: &Event) -> Vec<u8> {
    // Maps of strings always serialise.
    let data = if event.data.is_empty() { Vec::new() } else { serde_json::to_vec(&event.data).unwrap_or_default() };
    let mut row = Map::new();
    row.insert("type".to_owned(), Value::from(event.name.as_str()));
    let mut length = |name: &str, length: usize| {
        if length > 0 {
            row.insert(name.to_owned(), Value::from(length));
        }
    };
    length("data_length", data.len());
    length("payload_length", event.payload.len());
    let mut bytes = serde_json::to_vec(&row).unwrap_or_default();
    bytes.push(b'\n');
    bytes.extend(data);
    bytes.extend_from_slice(&event.payload);
    bytes
}

/// How sound is laid out in an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SoundLayout {
    pub hz: u32,
    /// Octets of one sample.
    pub width: u32,
    pub channels: u32,
}

/// What an event says to who asked for words or for a voice.
#[derive(Clone, PartialEq)]
pub enum Said {
    AudioStart(SoundLayout),
    /// Sound; a server may tell its layout with each piece.
    AudioChunk(Option<SoundLayout>, Vec<u8>),
    AudioStop,
    /// The words, to their end.
    Transcript(String),
    /// Words as they form, each piece following the one before.
    TranscriptChunk(String),
    /// The words of all pieces are complete.
    TranscriptStop,
    Error,
    /// Nothing that matters here.
    Other,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AudioStart(_) => "AudioStart",
            Self::AudioChunk(..) => "AudioChunk",
            Self::AudioStop => "AudioStop",
            Self::Transcript(_) => "Transcript",
            Self::TranscriptChunk(_) => "TranscriptChunk",
            Self::TranscriptStop => "TranscriptStop",
            Self::Error => "Error",
            Self::Other => "Other",
        })
    }
}

impl From<Event> for Said {
    fn from(event: Event) -> Self {
        match event.name.as_str() {
            "audio-start" => layout(&event.data).map_or(Self::Other, Self::AudioStart),
            "audio-chunk" => Self::AudioChunk(layout(&event.data), event.payload),
            "audio-stop" => Self::AudioStop,
            "transcript" => Self::Transcript(text(&event.data)),
            "transcript-chunk" => Self::TranscriptChunk(text(&event.data)),
            "transcript-stop" => Self::TranscriptStop,
            "error" => Self::Error,
            _ => Self::Other,
        }
    }
}

fn text(data: &Map<String, Value>) -> String {
    data.get("text").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn layout(data: &Map<String, Value>) -> Option<SoundLayout> {
    let number = |name: &str| data.get(name).and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
    Some(SoundLayout { hz: number("rate")?, width: number("width")?, channels: number("channels")? })
}

/// Octets to samples of one channel, as they come: a sample may be cut anywhere.
#[derive(Clone, Debug)]
pub struct Samples {
    layout: SoundLayout,
    rest: Vec<u8>,
}

/// A layout that no server of voices has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("reading sound: samples of {width} octets in {channels} channels")]
pub struct UnknownLayout {
    pub width: u32,
    pub channels: u32,
}

impl Samples {
    pub fn new(layout: SoundLayout) -> Result<Self, UnknownLayout> {
        let SoundLayout { width, channels, .. } = layout;
        let known = (1..=4).contains(&width) && (1..=2).contains(&channels);
        if known { Ok(Self { layout, rest: Vec::new() }) } else { Err(UnknownLayout { width, channels }) }
    }

    pub const fn layout(&self) -> SoundLayout {
        self.layout
    }

    /// Both channels of two are mixed into one.
    pub fn decode(&mut self, octets: &[u8]) -> Vec<i16> {
        self.rest.extend_from_slice(octets);
        let (width, channels) = (self.layout.width as usize, self.layout.channels as usize);
        let whole = self.rest.len() - self.rest.len() % (width * channels);
        let instant = |octets: &[u8]| {
            let sum: i32 = octets.chunks(width).map(sample).sum();
            // Of two 16 bit values the mean is one too.
            i16::try_from(sum / i32::try_from(channels).unwrap_or(1)).unwrap_or_default()
        };
        let samples = self.rest[..whole].chunks(width * channels).map(instant).collect();
        self.rest.drain(..whole);
        samples
    }
}

/// A sample of 1 (unsigned), 2, 3 or 4 octets, on the 16 bit scale.
fn sample(octets: &[u8]) -> i32 {
    match *octets {
        [only] => (i32::from(only) - 128) << 8,
        [.., low, high] => i32::from(i16::from_le_bytes([low, high])),
        [] => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn event(name: &str, data: Value, payload: &[u8]) -> Event {
        let Value::Object(data) = data else { panic!("data is an object") };
        Event { name: name.to_owned(), data, payload: payload.to_vec() }
    }

    fn read_all(reader: &mut EventReader) -> Result<Vec<Event>, ReadEvent> {
        let mut events = Vec::new();
        while let Some(event) = reader.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn an_event_is_read_with_its_data_in_the_row_or_beside_it() {
        let mut reader = EventReader::default();
        reader.push(b"{\"type\":\"transcript\",\"data\":{\"text\":\"yes\",\"language\":\"en\"}}\n");
        reader.push(b"{\"type\":\"transcript\",\"version\":\"1.10.2\",\"data_length\":13}\n{\"text\":\"no\"} {\"type\":\"audio-stop\"}\n");
        let said: Vec<Said> = read_all(&mut reader).expect("events").into_iter().map(Said::from).collect();
        assert!(matches!(&said[0], Said::Transcript(text) if text == "yes"));
        assert!(matches!(&said[1], Said::Transcript(text) if text == "no"));
        assert_eq!(said.len(), 3);
        assert_eq!(said[2], Said::AudioStop);
    }

    #[test]
    fn what_is_beside_the_row_counts_more_than_what_is_in_it() {
        let mut reader = EventReader::default();
        reader.push(b"{\"type\":\"x\",\"data\":{\"a\":1,\"b\":1},\"data_length\":7}\n{\"a\":2}");
        assert_eq!(
            read_all(&mut reader).expect("an event")[0].data,
            *json!({"a": 2, "b": 1}).as_object().expect("one")
        );
    }

    #[test]
    fn what_is_no_event_is_an_error_for_good() {
        for (bytes, error) in [
            (&b"hello\n"[..], ReadEvent::Row),
            (b"{\"data\":{}}\n", ReadEvent::Row),
            (b"{\"type\":\"x\",\"data_length\":2}\n[]", ReadEvent::Data),
            (b"{\"type\":\"x\",\"payload_length\":99999999}\n", ReadEvent::TooLarge(99_999_999)),
            (b"{\"type\":\"x\",\"data_length\":-1}\n", ReadEvent::Row),
        ] {
            let mut reader = EventReader::default();
            reader.push(bytes);
            assert_eq!(read_all(&mut reader), Err(error));
            reader.push(b"{\"type\":\"audio-stop\"}\n");
            assert_eq!(read_all(&mut reader), Err(error));
        }
    }

    #[test]
    fn a_row_without_an_end_is_not_kept_for_ever() {
        let mut reader = EventReader::default();
        for _ in 0..ROW_MAX / 1024 {
            reader.push(&[b' '; 1024]);
            assert_eq!(reader.next_event(), Ok(None));
        }
        reader.push(b" ");
        assert_eq!(reader.next_event(), Err(ReadEvent::RowTooLong));
    }

    #[test]
    fn samples_of_every_width_and_both_channels_come_to_one() {
        let decoded = |width, channels, octets: &[u8]| {
            Samples::new(SoundLayout { hz: 16_000, width, channels }).expect("a layout").decode(octets)
        };
        assert_eq!(decoded(1, 1, &[0, 128, 255]), [-32_768, 0, 32_512]);
        assert_eq!(decoded(2, 1, &[0x34, 0x12, 0xFF]), [0x1234]);
        assert_eq!(decoded(3, 1, &[9, 0x34, 0x12]), [0x1234]);
        assert_eq!(decoded(4, 1, &[9, 9, 0x34, 0x12]), [0x1234]);
        assert_eq!(decoded(2, 2, &[10, 0, 20, 0, 0, 0x80, 0, 0x80]), [15, -32_768]);
        assert!(Samples::new(SoundLayout { hz: 16_000, width: 0, channels: 1 }).is_err());
        assert!(Samples::new(SoundLayout { hz: 16_000, width: 2, channels: 6 }).is_err());
    }

    #[test]
    fn neither_words_nor_sound_are_shown_by_a_debug() {
        let heard = event("transcript", json!({"text": "Adaeze"}), b"Adaeze");
        assert!(!format!("{heard:?} {:?}", Said::from(heard.clone())).contains("Adaeze"));
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let one = (
            "[a-z-]{1,12}",
            prop::collection::btree_map("[a-z]{1,5}", "\\PC{0,8}", 0..3),
            prop::collection::vec(any::<u8>(), 0..40),
        )
            .prop_map(|(name, data, payload)| Event {
                name,
                data: data.into_iter().map(|(k, v)| (k, Value::from(v))).collect(),
                payload,
            });
        prop::collection::vec(one, 0..6)
    }

    proptest! {
        #[test]
        fn bytes_split_anywhere_give_the_events_that_were_written(events in events(), cuts in prop::collection::vec(1_usize..40, 1..8)) {
            let bytes: Vec<u8> = events.iter().flat_map(written).collect();
            let mut reader = EventReader::default();
            let (mut read, mut rest) = (Vec::new(), bytes.as_slice());
            for cut in cuts.iter().cycle() {
                let (piece, after) = rest.split_at((*cut).min(rest.len()));
                reader.push(piece);
                read.extend(read_all(&mut reader).expect("events"));
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(read, events);
        }

        #[test]
        fn any_bytes_split_anywhere_give_the_same_events_and_the_same_error(bytes in prop::collection::vec(prop::sample::select(b"{}\":\n,typedatx0123_length[]".to_vec()), 0..120), cut in 0_usize..120) {
            let read = |pieces: &[&[u8]]| {
                let mut reader = EventReader::default();
                let mut events = Vec::new();
                for piece in pieces {
                    reader.push(piece);
                    loop {
                        match reader.next_event() {
                            Ok(Some(event)) => events.push(event),
                            Ok(None) => break,
                            Err(error) => return (events, Some(error)),
                        }
                    }
                }
                (events, None)
            };
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(read(&[first, second]), read(&[&bytes]));
        }

        #[test]
        fn octets_split_anywhere_give_the_same_samples(octets in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..60, width in 1_u32..5, channels in 1_u32..3) {
            let layout = SoundLayout { hz: 8000, width, channels };
            let whole = Samples::new(layout).expect("a layout").decode(&octets);
            let (first, second) = octets.split_at(cut.min(octets.len()));
            let mut samples = Samples::new(layout).expect("a layout");
            let mut split = samples.decode(first);
            split.extend(samples.decode(second));
            prop_assert_eq!(split, whole);
        }
    }
}
