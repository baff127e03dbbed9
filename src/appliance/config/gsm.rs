//! The sections `[[gsm_line]]`: a modem each.

use std::path::PathBuf;

use serde::Deserialize;

use crate::line::gsm::{ModemPlace, Socket, Wanted};
use crate::line::sound_card::CardName;
use crate::signalling::modem::SoundPath;
use crate::terms::{LineId, Private};

/// A modem's line, checked.
#[derive(Clone, Debug)]
pub struct GsmLineConfig {
    pub id: LineId,
    /// The family of the modem, by the name of its profile; found by what is plugged
    /// in if none is named.
    pub profile: Option<String>,
    pub place: ModemPlace,
    /// Which way of sound to try first.
    pub sound: Option<SoundPath>,
    /// The card that the modem is wired to.
    pub card: Option<CardName>,
    /// The credential that holds the SIM's PIN.
    pub pin: Option<String>,
    /// The SIM that belongs here.
    pub iccid: Option<Private<String>>,
    pub country_code: String,
    pub texts_per_day: u32,
    pub resets_per_hour: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GsmLineText {
    id: String,
    profile: Option<String>,
    /// For a modem on a serial port that has a name of its own.
    port: Option<PathBuf>,
    sound_port: Option<PathBuf>,
    /// The socket, `1-1.4`: whatever modem is in it.
    usb_path: Option<String>,
    /// The modem, wherever it is plugged in.
    imei: Option<String>,
    iccid: Option<String>,
    sound: Option<SoundText>,
    sound_card: Option<String>,
    pin: Option<String>,
    #[serde(default = "super::default_country")]
    country_code: String,
    #[serde(default = "default_texts")]
    texts_per_day: u32,
    #[serde(default = "default_resets")]
    resets_per_hour: u8,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SoundText {
    Serial,
    Usb,
    Analog,
}

/// More than a small business texts in a day, and no bill that hurts.
const fn default_texts() -> u32 {
    50
}

/// A modem that needs more is broken.
const fn default_resets() -> u8 {
    6
}

/// A key and what is wrong with it.
pub(super) type Wrong = (&'static str, String);

impl GsmLineText {
    pub(super) fn checked(self) -> Result<GsmLineConfig, Wrong> {
        let id = LineId::parse(&self.id).map_err(|e| ("gsm_line.id", e.to_string()))?;
        if self.country_code.is_empty() || !self.country_code.bytes().all(|b| b.is_ascii_digit()) {
            return Err(("gsm_line.country_code", "it is the digits after '+', such as \"234\" for Nigeria".into()));
        }
        let digits = |key: &'static str, value: &Option<String>, least: usize, most: usize, what: &str| match value {
            Some(text) if !(least..=most).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_digit()) => {
                Err((key, what.to_owned()))
            }
            _ => Ok(()),
        };
        digits("gsm_line.imei", &self.imei, 15, 15, "an IMEI has 15 digits; the modem shows it with AT+CGSN")?;
        digits("gsm_line.iccid", &self.iccid, 18, 20, "an ICCID has 18 to 20 digits; it is printed on the SIM")?;
        let place = self.place()?;
        let card = self.sound_card.as_deref().map(CardName::parse).transpose();
        let card = card.map_err(|e| ("gsm_line.sound_card", e.to_string()))?;
        let sound = self.sound.map(|sound| match sound {
            SoundText::Serial => SoundPath::Serial,
            SoundText::Usb => SoundPath::UsbCard,
            SoundText::Analog => SoundPath::Analog,
        });
        if sound == Some(SoundPath::Analog) && card.is_none() {
            let what = "sound by wire needs the card that the wires go to, such as \"Device\"";
            return Err(("gsm_line.sound_card", what.into()));
        }
        Ok(GsmLineConfig {
            id,
            profile: self.profile,
            place,
            sound,
            card,
            pin: self.pin,
            iccid: self.iccid.map(Private::new),
            country_code: self.country_code,
            texts_per_day: self.texts_per_day,
            resets_per_hour: self.resets_per_hour,
        })
    }

    fn place(&self) -> Result<ModemPlace, Wrong> {
        let Some(at) = &self.port else {
            if self.sound_port.is_some() {
                return Err(("gsm_line.sound_port", "it goes with `port`; a modem on USB is found by itself".into()));
            }
            let socket = if self.usb_path.is_some() && self.imei.is_none() { Socket::This } else { Socket::Any };
            return Ok(ModemPlace::Usb(Wanted {
                usb_path: self.usb_path.clone(),
                socket,
                imei: self.imei.clone().map(Private::new),
                iccid: None,
            }));
        };
        if self.usb_path.is_some() || self.imei.is_some() {
            return Err((
                "gsm_line.port",
                "a modem is named by its `port`, or by `usb_path` or `imei`, not both".into(),
            ));
        }
        if self.profile.is_none() {
            return Err((
                "gsm_line.profile",
                "on a port of its own it cannot be seen which modem it is; name it".into(),
            ));
        }
        Ok(ModemPlace::Ports { at: at.clone(), sound: self.sound_port.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<GsmLineConfig, Wrong> {
        toml::from_str::<GsmLineText>(text).expect("keys that there are").checked()
    }

    #[test]
    fn the_smallest_modem_line_has_a_name_and_finds_its_modem() {
        let line = checked("id = \"front-desk\"").expect("enough");
        assert!(matches!(line.place, ModemPlace::Usb(Wanted { usb_path: None, imei: None, socket: Socket::Any, .. })));
        assert_eq!((line.country_code.as_str(), line.texts_per_day), ("234", 50));
    }

    #[test]
    fn a_socket_is_held_to_unless_the_modem_is_named_too() {
        let socket = |text: &str| match checked(text).expect("right").place {
            ModemPlace::Usb(wanted) => wanted.socket,
            ModemPlace::Ports { .. } => panic!("no port was named"),
        };
        assert_eq!(socket("id = \"a\"\nusb_path = \"1-1.4\""), Socket::This);
        assert_eq!(socket("id = \"a\"\nusb_path = \"1-1.4\"\nimei = \"356938035643809\""), Socket::Any);
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_its_key() {
        for (text, key) in [
            ("id = \"A\"", "gsm_line.id"),
            ("id = \"a\"\nimei = \"12\"", "gsm_line.imei"),
            ("id = \"a\"\nport = \"/dev/ttyS1\"", "gsm_line.profile"),
            ("id = \"a\"\nport = \"/dev/ttyS1\"\nprofile = \"generic\"\nusb_path = \"1-1\"", "gsm_line.port"),
            ("id = \"a\"\nsound_port = \"/dev/ttyS2\"", "gsm_line.sound_port"),
            ("id = \"a\"\nsound = \"analog\"", "gsm_line.sound_card"),
            ("id = \"a\"\ncountry_code = \"+234\"", "gsm_line.country_code"),
        ] {
            assert_eq!(checked(text).expect_err(text).0, key);
        }
    }
}
