//! What the fuzzer feeds to the readers of voices and ears of others.

use milu::speech::cloud::elevenlabs::wire::{Message, SOUND_MAX, SoundDecoder, SoundFormat, read_message};
use milu::speech::lan::event::{EventReader, ReadEvent, Said, Samples, written};

/// Messages of a provider's voice, one in each row. A message that is read has no
/// more sound than one may have, and its octets are samples however they are cut.
pub fn elevenlabs_messages(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for row in text.lines() {
        let Ok(Message { sound: Some(sound), .. }) = read_message(row) else { continue };
        assert!(!sound.octets.is_empty() && sound.octets.len() <= SOUND_MAX, "{} octets", sound.octets.len());
        for format in [SoundFormat::MuLaw8000, SoundFormat::Pcm16000] {
            let whole = SoundDecoder::new(format).decode(&sound.octets);
            let (first, second) = sound.octets.split_at(sound.octets.len() / 2);
            let mut decoder = SoundDecoder::new(format);
            let halves = [decoder.decode(first), decoder.decode(second)].concat();
            assert_eq!(halves, whole, "a cut changes no sample");
        }
    }
}

/// A stream of Wyoming events. Cut in two anywhere it gives the same events and the
/// same error; an event that is written again is the same.
pub fn wyoming_events(bytes: &[u8]) {
    let whole = events(&[bytes]);
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(events(&[first, second]), whole, "a cut changes no event");
    let again: Vec<u8> = whole.0.iter().flat_map(written).collect();
    assert_eq!(events(&[&again]), (whole.0.clone(), None), "an event is the same when written again");
    for event in whole.0 {
        if let Said::AudioChunk(Some(layout), octets) = Said::from(event)
            && let Ok(mut samples) = Samples::new(layout)
        {
            assert!(samples.decode(&octets).len() <= octets.len(), "no sample has less than an octet");
        }
    }
}

fn events(pieces: &[&[u8]]) -> (Vec<milu::speech::lan::event::Event>, Option<ReadEvent>) {
    let mut reader = EventReader::default();
    let mut read = Vec::new();
    for piece in pieces {
        reader.push(piece);
        loop {
            match reader.next_event() {
                Ok(Some(event)) => read.push(event),
                Ok(None) => break,
                Err(error) => return (read, Some(error)),
            }
        }
    }
    (read, None)
}
