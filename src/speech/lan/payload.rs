use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::event::{self, Event};
use crate::egress::{StreamMessage, StreamOpening, Within};
use crate::residency::{Host, Payload, Redact, Safeguards};
use crate::terms::Private;

/// Words that bias the ears: more than a prompt holds is cut off by servers too.
const HINTS_MAX: usize = 64;

/// Samples of one event of sound: a second at 16 kHz.
const CHUNK: usize = 16_000;

/// The rate, width and channels of the sound that we send.
pub(super) const SOUND_STARTS: &str =
    "{\"type\":\"audio-start\",\"data\":{\"rate\":16000,\"width\":2,\"channels\":1}}\n";
pub(super) const SOUND_STOPS: &str = "{\"type\":\"audio-stop\"}\n";

/// A connection. It carries nothing yet.
#[derive(Debug)]
pub(super) struct Opening(StreamOpening);

impl Opening {
    pub(super) fn new(host: &Host, connect: Duration) -> Self {
        let within = Within { connect, answer: connect };
        // The business's own server: nothing is told to it that a provider must be told.
        Self(StreamOpening { host: host.clone(), safeguards: Safeguards::default(), within })
    }
}

impl Payload for Opening {
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        Some(self)
    }
}

impl From<Opening> for StreamOpening {
    fn from(opening: Opening) -> Self {
        opening.0
    }
}

/// The wish to have words for the sound that follows. Its hints are the business's
/// own words.
#[derive(Debug)]
pub(super) struct Transcribe {
    event: Event,
    hints: Vec<String>,
}

impl Transcribe {
    pub(super) fn new(model: Option<&str>, language: &str, hints: &[String]) -> Self {
        let mut data = Map::new();
        data.insert("language".to_owned(), Value::from(language));
        if let Some(model) = model {
            data.insert("name".to_owned(), Value::from(model));
        }
        let event = Event { name: "transcribe".to_owned(), data, payload: Vec::new() };
        Self { event, hints: hints.iter().take(HINTS_MAX).cloned().collect() }
    }
}

impl Payload for Transcribe {
    /// A hint in which something had to be taken out is none any more.
    fn redacted(mut self, redact: &dyn Redact) -> Option<Self> {
        self.hints.retain(|hint| redact.redact(hint) == *hint);
        Some(self)
    }
}

impl From<Transcribe> for StreamMessage {
    fn from(Transcribe { mut event, hints }: Transcribe) -> Self {
        if !hints.is_empty() {
            event.data.insert("transcript_names".to_owned(), Value::from(hints));
        }
        Self(Private::new(event::written(&event)))
    }
}

/// A caller's sound at 16 kHz.
#[derive(Debug)]
pub(super) struct Heard(Private<Vec<i16>>);

impl Heard {
    pub(super) const fn new(sound: Vec<i16>) -> Self {
        Self(Private::new(sound))
    }
}

impl Payload for Heard {
    /// A voice cannot be had without whose it is.
    fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
        None
    }
}

impl From<Heard> for StreamMessage {
    fn from(heard: Heard) -> Self {
        let Value::Object(data) = json!({"rate": 16_000, "width": 2, "channels": 1}) else {
            // What is written as an object is one.
            return Self(Private::default());
        };
        let chunk = |samples: &[i16]| {
            let payload = samples.iter().flat_map(|s| s.to_le_bytes()).collect();
            event::written(&Event { name: "audio-chunk".to_owned(), data: data.clone(), payload })
        };
        Self(Private::new(heard.0.expose().chunks(CHUNK).flat_map(chunk).collect()))
    }
}

/// Words to be spoken.
#[derive(Debug)]
pub(super) struct Synthesize {
    event: Event,
    text: Arc<Private<String>>,
}

impl Synthesize {
    pub(super) fn new(text: Arc<Private<String>>, voice: Option<&str>, speaker: Option<&str>) -> Self {
        let mut data = Map::new();
        data.insert("text".to_owned(), Value::from(text.expose().trim()));
        if let Some(voice) = voice {
            let mut named = Map::new();
            named.insert("name".to_owned(), Value::from(voice));
            if let Some(speaker) = speaker {
                named.insert("speaker".to_owned(), Value::from(speaker));
            }
            data.insert("voice".to_owned(), Value::Object(named));
        }
        Self { event: Event { name: "synthesize".to_owned(), data, payload: Vec::new() }, text }
    }
}

impl Payload for Synthesize {
    /// What holds an identifier is left to the box's own voice, which may say it.
    fn redacted(self, redact: &dyn Redact) -> Option<Self> {
        let text = self.text.expose();
        (redact.redact(text) == *text).then_some(self)
    }
}

impl From<Synthesize> for StreamMessage {
    fn from(synthesize: Synthesize) -> Self {
        Self(Private::new(event::written(&synthesize.event)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::speech::lan::event::{EventReader, Said, SoundLayout};

    fn events(message: &StreamMessage) -> Vec<Event> {
        let mut reader = EventReader::default();
        reader.push(message.0.expose());
        std::iter::from_fn(|| reader.next_event().expect("our own events can be read")).collect()
    }

    #[test]
    fn sound_goes_in_events_of_a_second_and_none_is_lost() {
        let sound: Vec<i16> = (0..40_000).map(|n| (n % 3000) as i16).collect();
        let mut read = Vec::new();
        for event in events(&Heard::new(sound.clone()).into()) {
            let Said::AudioChunk(Some(layout), octets) = Said::from(event) else { panic!("sound with its layout") };
            assert_eq!(layout, SoundLayout { hz: 16_000, width: 2, channels: 1 });
            read.extend(octets.as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)));
        }
        assert_eq!(read, sound);
    }

    #[test]
    fn hints_go_as_they_are_or_without_those_that_hold_an_identifier() {
        struct NoDigits;
        impl Redact for NoDigits {
            fn redact(&self, text: &str) -> String {
                text.replace(|c: char| c.is_ascii_digit(), "")
            }
        }
        let hints = ["Surulere", "Adaeze 08055550188", "Ajah"].map(str::to_owned);
        let wish = || Transcribe::new(Some("small"), "en", &hints);
        let named = |wish: Transcribe| events(&wish.into()).remove(0).data["transcript_names"].clone();
        assert_eq!(named(wish()), json!(hints));
        assert_eq!(
            named(wish().redacted(&NoDigits).expect("it has no other word of anybody")),
            json!(["Surulere", "Ajah"])
        );
        let none = Transcribe::new(None, "en", &hints[1..2]).redacted(&NoDigits).expect("it needs no hint");
        assert_eq!(Value::Object(events(&none.into()).remove(0).data), json!({"language": "en"}));
    }

    #[test]
    fn the_fixed_events_are_events() {
        for (text, said) in [
            (SOUND_STARTS, Said::AudioStart(SoundLayout { hz: 16_000, width: 2, channels: 1 })),
            (SOUND_STOPS, Said::AudioStop),
        ] {
            let fixed = StreamMessage(Private::new(text.as_bytes().to_vec()));
            let read: Vec<Said> = events(&fixed).into_iter().map(Said::from).collect();
            assert_eq!(read, [said]);
        }
    }

    #[test]
    fn a_voice_and_its_speaker_are_named_when_the_configuration_names_them() {
        let text = Arc::new(Private::new(" Hello. ".to_owned()));
        let of = |voice, speaker| events(&Synthesize::new(Arc::clone(&text), voice, speaker).into()).remove(0).data;
        assert_eq!(Value::Object(of(None, Some("p"))), json!({"text": "Hello."}));
        assert_eq!(
            Value::Object(of(Some("joe"), Some("p"))),
            json!({"text": "Hello.", "voice": {"name": "joe", "speaker": "p"}})
        );
    }
}
