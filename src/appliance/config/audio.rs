//! The configuration of sound-device lines, `[[audio_line]]`, and of the loudspeaker
//! through which a technician hears a call, `[monitor_speaker]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::line::audio::{AudioLineConfig, CallStart, EchoPath, KeyUse, MonitorConfig};
use crate::line::sound_card::CardName;
use crate::media::SampleRate;
use crate::terms::LineId;

/// A line of one sound card, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AudioLineSection {
    id: String,
    /// The word in brackets of `/proc/asound/cards`.
    card: String,
    /// What starts a call.
    #[serde(default)]
    start: StartText,
    /// The input device of the key; without one the control socket alone presses it.
    key: Option<PathBuf>,
    /// The kernel's code of the key that counts (linux/input-event-codes.h); any without it.
    key_code: Option<u16>,
    #[serde(default)]
    echo: EchoText,
    /// The line's rate.
    #[serde(default = "default_rate")]
    rate_hz: u32,
    /// The only rate at which the card may run.
    card_rate_hz: Option<u32>,
    #[serde(default = "default_quiet")]
    quiet_end_s: u32,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StartText {
    /// A press starts a call, the next one ends it.
    #[default]
    Bell,
    /// A press starts a call, in which the key is held to talk.
    HoldToTalk,
    /// A handset that is lifted and hung up.
    Hook,
    /// Whoever speaks, calls.
    Voice,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EchoText {
    /// Loudspeaker and microphone in one room.
    #[default]
    Room,
    Handset,
}

/// The monitor speaker, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorSpeakerSection {
    /// As a line's.
    card: String,
    /// The only rate at which the card may run.
    card_rate_hz: Option<u32>,
}

impl MonitorSpeakerSection {
    /// What the speaker needs, or the key that is wrong and why.
    pub(super) fn checked(self) -> Result<MonitorConfig, (&'static str, String)> {
        let card = CardName::parse(&self.card).map_err(|e| ("monitor_speaker.card", e.to_string()))?;
        let card_hz = checked_card_rate("monitor_speaker.card_rate_hz", self.card_rate_hz)?;
        Ok(MonitorConfig { card, card_hz })
    }
}

/// The upper half of the voice is worth having where no network takes it away.
const fn default_rate() -> u32 {
    16_000
}

/// Longer than anybody thinks about an answer; a door that is left open ends its call.
const fn default_quiet() -> u32 {
    30
}

impl AudioLineSection {
    /// What the line needs, or the key that is wrong and why.
    pub(super) fn checked(self) -> Result<AudioLineConfig, (&'static str, String)> {
        let id = LineId::parse(&self.id).map_err(|e| ("audio_line.id", e.to_string()))?;
        let card = CardName::parse(&self.card).map_err(|e| ("audio_line.card", e.to_string()))?;
        let rate = match self.rate_hz {
            8_000 => SampleRate::Hz8000,
            16_000 => SampleRate::Hz16000,
            _ => return Err(("audio_line.rate_hz", "it is 8000 or 16000".to_owned())),
        };
        let card_hz = checked_card_rate("audio_line.card_rate_hz", self.card_rate_hz)?;
        if !(3..=600).contains(&self.quiet_end_s) {
            return Err(("audio_line.quiet_end_s", "it is 3 to 600; 30 suits a door".to_owned()));
        }
        if self.key_code.is_some() && self.key.is_none() {
            return Err(("audio_line.key_code", "it is a code of the device in `key`, and there is none".to_owned()));
        }
        let start = match self.start {
            StartText::Bell => CallStart::Key(KeyUse::Toggle),
            StartText::HoldToTalk => CallStart::Key(KeyUse::HoldToTalk),
            StartText::Hook => CallStart::Key(KeyUse::Hook),
            StartText::Voice => CallStart::Voice,
        };
        Ok(AudioLineConfig {
            id,
            card,
            rate,
            card_hz,
            start,
            key: self.key.map(|path| (path, self.key_code)),
            echo: match self.echo {
                EchoText::Room => EchoPath::Room,
                EchoText::Handset => EchoPath::Handset,
            },
            quiet_end: Duration::from_secs(u64::from(self.quiet_end_s)),
        })
    }
}

/// A rate at which a card may be opened, if one is wanted.
fn checked_card_rate(key: &'static str, hz: Option<u32>) -> Result<Option<u32>, (&'static str, String)> {
    match hz {
        None | Some(8_000 | 16_000 | 48_000) => Ok(hz),
        Some(_) => Err((key, "it is 8000, 16000 or 48000; leave it out to let the box choose".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<AudioLineConfig, (&'static str, String)> {
        toml::from_str::<AudioLineSection>(text).expect("the keys are known").checked()
    }

    #[test]
    fn the_smallest_sound_line_is_a_name_and_a_card() {
        let line = checked("id = \"door\"\ncard = \"Device\"").unwrap();
        assert_eq!(line.rate, SampleRate::Hz16000);
        assert_eq!((line.start, line.echo), (CallStart::Key(KeyUse::Toggle), EchoPath::Room));
    }

    #[test]
    fn a_handset_has_a_hook_and_no_echo() {
        let text = "id = \"counter\"\ncard = \"Handset,1\"\nstart = \"hook\"\nkey = \"/dev/input/event3\"\nkey_code = 169\necho = \"handset\"";
        let line = checked(text).unwrap();
        assert_eq!(line.key, Some(("/dev/input/event3".into(), Some(169))));
        assert_eq!((line.start, line.echo), (CallStart::Key(KeyUse::Hook), EchoPath::Handset));
    }

    #[test]
    fn the_monitor_speaker_is_a_card_and_nothing_else() {
        let section = |text: &str| toml::from_str::<MonitorSpeakerSection>(text);
        let config = section("card = \"usb:1-1.4\"\ncard_rate_hz = 48000").unwrap().checked().unwrap();
        assert_eq!((config.card.to_string().as_str(), config.card_hz), ("usb:1-1.4", Some(48_000)));
        for (text, key) in [
            ("card = \"hw:0\"", "monitor_speaker.card"),
            ("card = \"Device\"\ncard_rate_hz = 44100", "monitor_speaker.card_rate_hz"),
        ] {
            assert_eq!(section(text).unwrap().checked().unwrap_err().0, key);
        }
        for text in ["", "card = \"Device\"\necho = \"room\""] {
            assert!(section(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key_that_is_wrong() {
        for (row, key) in [
            ("card = \"hw:0,0\"", "audio_line.card"),
            ("card = \"Device\"\nrate_hz = 44100", "audio_line.rate_hz"),
            ("card = \"Device\"\ncard_rate_hz = 44100", "audio_line.card_rate_hz"),
            ("card = \"Device\"\nquiet_end_s = 1", "audio_line.quiet_end_s"),
            ("card = \"Device\"\nkey_code = 28", "audio_line.key_code"),
        ] {
            assert_eq!(checked(&format!("id = \"door\"\n{row}")).unwrap_err().0, key);
        }
    }
}
