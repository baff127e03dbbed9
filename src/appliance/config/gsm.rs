//! The configuration of GSM lines: `[[gsm_line]]`.

use std::path::PathBuf;

use jiff::SignedDuration;
use serde::Deserialize;

use crate::line::gsm::{ModemPlace, Socket, Wanted};
use crate::line::sound_card::CardName;
use crate::signalling::modem::airtime::{AirtimePlan, Kobo};
use crate::signalling::modem::{ExpectedSim, SoundPath};
use crate::terms::{LineId, Private};

/// Parts of texts that a line may send in a day, if nothing is said: more than a shop's
/// callers ask for, and a fault that sends without end costs a known sum. A part is what
/// a network bills: 160 letters, or 70 where one of them is in no telephone's alphabet.
const TEXTS_A_DAY: u32 = 100;

/// A month's airtime of a small business in an hour: more is a mistake.
const TEXTS_A_DAY_MAX: u32 = 10_000;

/// A line with a modem and a SIM, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GsmLineSection {
    id: String,
    /// The modem's family: the name of a file in `box.modem_profiles`.
    profile: Option<String>,
    /// The USB socket in which the modem always is, such as `1-1.4`.
    usb_path: Option<String>,
    /// The modem itself, wherever it is plugged in.
    imei: Option<String>,
    /// The port for commands of a modem that is not found by USB.
    port: Option<PathBuf>,
    /// The port for its sound.
    sound_port: Option<PathBuf>,
    /// Which of the family's ways of sound is used first.
    sound: Option<SoundText>,
    /// The card to which a modem with sound by wire is connected.
    sound_card: Option<String>,
    /// The credential with the SIM's PIN.
    sim_pin_credential: Option<String>,
    /// The SIM that belongs here.
    iccid: Option<String>,
    /// The network that belongs here, by its number: `62130`.
    operator: Option<String>,
    country_code: Option<String>,
    /// Parts of texts; a text that has no room any more waits whole for the next day.
    #[serde(default = "default_texts")]
    texts_a_day: u32,
    #[serde(default = "default_resets")]
    resets_per_hour: u8,
    /// How often the network is asked for the balance; 0 for never.
    #[serde(default = "default_airtime_hours")]
    airtime_every_h: u32,
    #[serde(default = "default_warn_naira")]
    airtime_warn_below_naira: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SoundText {
    /// On a second serial port.
    Serial,
    /// The modem is a USB sound card.
    Usb,
    /// By wires to a card of the box.
    Analog,
}

/// A line with a modem and a SIM, checked.
#[derive(Clone, Debug)]
pub struct GsmLineSettings {
    pub id: LineId,
    /// The family; any that fits what is plugged in without it.
    pub profile: Option<String>,
    pub place: ModemPlace,
    pub sound: Option<SoundPath>,
    pub card: Option<CardName>,
    pub pin_credential: Option<String>,
    pub expected_sim: ExpectedSim,
    /// The business's own, if the line says none.
    pub country_code: Option<String>,
    /// Parts of texts in a day of the business's calendar.
    pub texts_a_day: u32,
    pub resets_per_hour: u8,
    /// None when the balance is never asked for.
    pub airtime: Option<AirtimePlan>,
}

impl GsmLineSettings {
    /// The key in which this line and another name the same modem; none if they do not.
    pub(super) fn shares_modem(&self, other: &Self) -> Option<&'static str> {
        match (&self.place, &other.place) {
            (ModemPlace::Ports { at, .. }, ModemPlace::Ports { at: other, .. }) => {
                (at == other).then_some("gsm_line.port")
            }
            (ModemPlace::Usb(own), ModemPlace::Usb(other)) => {
                if own.imei.is_some() && own.imei == other.imei {
                    return Some("gsm_line.imei");
                }
                (own.usb_path.is_some() && own.usb_path == other.usb_path).then_some("gsm_line.usb_path")
            }
            (ModemPlace::Ports { .. }, ModemPlace::Usb(_)) | (ModemPlace::Usb(_), ModemPlace::Ports { .. }) => None,
        }
    }

    /// Whether nothing was said of where its modem is.
    pub const fn place_is_open(&self) -> bool {
        matches!(&self.place, ModemPlace::Usb(Wanted { usb_path: None, imei: None, .. }))
    }
}

const fn default_texts() -> u32 {
    TEXTS_A_DAY
}

/// A modem that needs more is broken.
const fn default_resets() -> u8 {
    6
}

/// In the morning and in the evening.
const fn default_airtime_hours() -> u32 {
    12
}

/// Some twenty minutes of calls or fifty texts.
const fn default_warn_naira() -> u32 {
    200
}

fn is_digits(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// The number of a SIM: some operators' have hexadecimal digits.
fn is_card_number(text: &str) -> bool {
    (18..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `1-1.4`: the bus, then the ports on the way.
fn is_usb_path(text: &str) -> bool {
    text.split_once('-').is_some_and(|(bus, ports)| {
        is_digits(bus, 1..=3) && ports.len() <= 24 && ports.split('.').all(|port| is_digits(port, 1..=3))
    })
}

type Wrong = (&'static str, String);

impl GsmLineSection {
    /// What the line needs, or the key that is wrong and why.
    pub(super) fn checked(self) -> Result<GsmLineSettings, Wrong> {
        let id = LineId::parse(&self.id).map_err(|e| ("gsm_line.id", e.to_string()))?;
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
        self.check_numbers()?;
        let place = self.place()?;
        let expected_sim = ExpectedSim { iccid: self.iccid.map(Private::new), operator: self.operator };
        let airtime = (self.airtime_every_h > 0).then(|| AirtimePlan {
            every: SignedDuration::from_hours(i64::from(self.airtime_every_h)),
            warn_below: Kobo(i64::from(self.airtime_warn_below_naira) * 100),
            ..AirtimePlan::default()
        });
        Ok(GsmLineSettings {
            id,
            profile: self.profile,
            place,
            sound,
            card,
            pin_credential: self.sim_pin_credential,
            expected_sim,
            country_code: self.country_code,
            texts_a_day: self.texts_a_day,
            resets_per_hour: self.resets_per_hour,
            airtime,
        })
    }

    fn check_numbers(&self) -> Result<(), Wrong> {
        let fits = |text: &Option<String>, fits: fn(&str) -> bool| text.as_deref().is_none_or(fits);
        if !fits(&self.imei, |text| is_digits(text, 15..=15)) {
            return Err(("gsm_line.imei", "it has the 15 digits that stand on the modem".into()));
        }
        if !fits(&self.iccid, is_card_number) {
            let what = "it has the 18 to 20 digits that stand on the SIM, letters from A to F among them on some";
            return Err(("gsm_line.iccid", what.into()));
        }
        if !fits(&self.operator, |text| is_digits(text, 5..=6)) {
            let what = "it is the network's number, five or six digits, such as \"62130\" for MTN Nigeria";
            return Err(("gsm_line.operator", what.into()));
        }
        if !fits(&self.country_code, |text| is_digits(text, 1..=3)) {
            return Err(("gsm_line.country_code", "it is the digits after '+', such as \"234\" for Nigeria".into()));
        }
        if self.texts_a_day > TEXTS_A_DAY_MAX {
            return Err(("gsm_line.texts_a_day", format!("it is at most {TEXTS_A_DAY_MAX}; 100 suits a shop")));
        }
        if self.airtime_every_h > 24 * 7 {
            return Err(("gsm_line.airtime_every_h", "it is at most 168, a week; 0 never asks".into()));
        }
        Ok(())
    }

    fn place(&self) -> Result<ModemPlace, Wrong> {
        match (&self.port, &self.usb_path, &self.imei) {
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                Err(("gsm_line.port", "a modem has a `port` of its own, or is found by USB: name one of both".into()))
            }
            (Some(port), None, None) => {
                if self.profile.is_none() {
                    let what = "a modem on a `port` of its own does not say what it is; name its family, such as \
                                \"simcom_sim800\"";
                    return Err(("gsm_line.profile", what.into()));
                }
                Ok(ModemPlace::Ports { at: port.clone(), sound: self.sound_port.clone() })
            }
            (None, usb_path, imei) => {
                if self.sound_port.is_some() {
                    return Err(("gsm_line.sound_port", "it belongs to a `port`, and there is none".into()));
                }
                if usb_path.as_deref().is_some_and(|path| !is_usb_path(path)) {
                    let what = "it is a USB socket as the kernel names it, such as \"1-1.4\"; `milu lines` shows it";
                    return Err(("gsm_line.usb_path", what.into()));
                }
                Ok(ModemPlace::Usb(Wanted {
                    usb_path: usb_path.clone(),
                    socket: if usb_path.is_some() { Socket::This } else { Socket::Any },
                    imei: imei.clone().map(Private::new),
                    ..Wanted::default()
                }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<GsmLineSettings, Wrong> {
        toml::from_str::<GsmLineSection>(&format!("id = \"sim\"\n{text}")).expect("the keys are known").checked()
    }

    #[test]
    fn the_smallest_gsm_line_is_a_name_and_takes_the_modem_that_is_there() {
        let line = checked("").unwrap();
        assert!(matches!(line.place, ModemPlace::Usb(Wanted { usb_path: None, socket: Socket::Any, .. })));
        assert_eq!((line.texts_a_day, line.country_code), (100, None));
        assert_eq!(line.airtime.map(|plan| (plan.every.as_hours(), plan.warn_below)), Some((12, Kobo(20_000))));
    }

    #[test]
    fn a_modem_is_named_by_its_socket_by_its_imei_or_by_its_ports() {
        let line = checked("usb_path = \"1-1.4\"\nimei = \"356938035643809\"").unwrap();
        let ModemPlace::Usb(wanted) = line.place else { panic!("it is on USB") };
        assert_eq!((wanted.usb_path.as_deref(), wanted.socket), (Some("1-1.4"), Socket::This));
        assert!(wanted.imei.is_some());
        let line = checked("port = \"/dev/ttyS1\"\nprofile = \"simcom_sim800\"\nsound_card = \"Device\"").unwrap();
        assert!(matches!(line.place, ModemPlace::Ports { sound: None, .. }) && line.card.is_some());
        assert!(checked("iccid = \"898600700907A6019125\"").is_ok(), "a SIM's number may have letters");
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_key_that_is_wrong() {
        for (row, key) in [
            ("imei = \"1234\"", "gsm_line.imei"),
            ("iccid = \"none\"", "gsm_line.iccid"),
            ("iccid = \"898600700907G6019125\"", "gsm_line.iccid"),
            ("operator = \"MTN\"", "gsm_line.operator"),
            ("usb_path = \"/dev/ttyUSB2\"", "gsm_line.usb_path"),
            ("port = \"/dev/ttyS1\"", "gsm_line.profile"),
            ("port = \"/dev/ttyS1\"\nusb_path = \"1-1\"", "gsm_line.port"),
            ("sound_port = \"/dev/ttyS1\"", "gsm_line.sound_port"),
            ("texts_a_day = 100000", "gsm_line.texts_a_day"),
            ("airtime_every_h = 1000", "gsm_line.airtime_every_h"),
            ("country_code = \"+234\"", "gsm_line.country_code"),
            ("sound_card = \"hw:0\"", "gsm_line.sound_card"),
            ("sound = \"analog\"", "gsm_line.sound_card"),
        ] {
            assert_eq!(checked(row).unwrap_err().0, key, "{row}");
        }
    }

    #[test]
    fn lines_that_name_the_same_modem_are_known_by_the_key_that_does() {
        let port = |name: &str| format!("profile = \"simcom_sim800\"\nport = \"{name}\"");
        let (imei, socket) = ("imei = \"356938035643809\"", "usb_path = \"1-1.4\"");
        for (one, other, key) in [
            (port("/dev/ttyS1"), port("/dev/ttyS1"), Some("gsm_line.port")),
            (port("/dev/ttyS1"), port("/dev/ttyS2"), None),
            (imei.to_owned(), imei.to_owned(), Some("gsm_line.imei")),
            (socket.to_owned(), socket.to_owned(), Some("gsm_line.usb_path")),
            (imei.to_owned(), socket.to_owned(), None),
            (String::new(), String::new(), None),
        ] {
            let (one, other) = (checked(&one).unwrap(), checked(&other).unwrap());
            assert_eq!(one.shares_modem(&other), key);
        }
    }

    #[test]
    fn neither_the_modem_nor_the_sim_is_shown() {
        let line = checked("imei = \"356938035643809\"\niccid = \"8923401000001234567\"").unwrap();
        let shown = format!("{line:?}");
        assert!(!shown.contains("356938035643809") && !shown.contains("8923401000001234567"), "{shown}");
    }
}
