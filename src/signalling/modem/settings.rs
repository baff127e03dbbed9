use std::sync::Arc;

use jiff::Timestamp;

use super::airtime::{AirtimePlan, Kobo, Operators};
use super::ussd::UssdWay;
use crate::terms::Private;

/// What the owner has said of one modem's line.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// How the modem hangs on the box: the driver says it, when it has found the modem.
    pub attachment: Attachment,
    /// Completes national numbers, digits without '+': `234`.
    pub country_code: String,
    /// The SIM's PIN, from the credential store. It is tried once in each SIM, and whether
    /// it was is the owner's to know: [`super::ModemOutput::PinTrying`] asks.
    pub pin: Option<Private<String>>,
    /// The SIM that belongs here; any if nothing is said.
    pub expected_sim: ExpectedSim,
    /// The ICCID that was here last time, as the driver remembered it from
    /// [`super::ModemHealth::iccid`].
    pub known_iccid: Option<Private<String>>,
    /// Which of the profile's ways of sound to use first; the profile's own order if none.
    pub sound: Option<super::SoundPath>,
    /// Ways of sound that were found to work, each with a modem of its own.
    pub proven_sounds: Vec<ProvenSound>,
    /// Parts of texts that may be sent in one day of the calendar: what a network bills.
    /// A text whose parts have no room any more is not begun.
    pub texts_per_day: u32,
    /// Parts that the line has sent on this day before, as the owner counted them.
    pub parts_today: u32,
    /// Days since 1970-01-01 in the business's own time zone when the line is
    /// made. A new one comes as [`super::ModemInput::Day`].
    pub day: i32,
    /// The calendar's time when the line is made. A correction comes as
    /// [`super::ModemInput::Clock`].
    pub clock: Timestamp,
    /// Resets of every kind within any hour. Beyond it the line is quarantined.
    pub resets_per_hour: u8,
    /// The way of codes that worked before, from [`super::ModemHealth::ussd_way`].
    pub ussd_way: Option<UssdWay>,
    /// How airtime is asked for; never, if none.
    pub airtime: Option<AirtimeSettings>,
}

impl Default for LineSettings {
    fn default() -> Self {
        Self {
            attachment: Attachment::default(),
            country_code: "234".to_owned(),
            pin: None,
            expected_sim: ExpectedSim::default(),
            known_iccid: None,
            sound: None,
            proven_sounds: Vec::new(),
            texts_per_day: 50,
            parts_today: 0,
            day: 0,
            clock: Timestamp::UNIX_EPOCH,
            resets_per_hour: 6,
            ussd_way: None,
            airtime: None,
        }
    }
}

/// How a modem hangs on the box. A family that is known by USB may be on a serial port too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Attachment {
    /// Its ports go with it.
    #[default]
    Usb,
    /// Its port stays, whatever becomes of it.
    SerialPort,
}

/// The way of sound that worked with one modem, as [`super::ModemOutput::SoundProven`]
/// told it. It holds while the modem has the same ways to choose from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvenSound {
    pub imei: Private<String>,
    /// All ways of the modem in the order in which they are tried, with what switches
    /// them: where any of it is changed, another way may work, and is tried first.
    pub ways: String,
    pub path: super::SoundPath,
}

/// The SIM that belongs to a line. What is not said may be anything.
#[derive(Clone, Debug, Default)]
pub struct ExpectedSim {
    pub iccid: Option<Private<String>>,
    /// Mobile country and network code, with which the IMSI begins: `62130`.
    pub operator: Option<String>,
}

/// How the balance is watched. It is asked by the network's own code, when no
/// call is on.
#[derive(Clone, Debug)]
pub struct AirtimeSettings {
    pub plan: AirtimePlan,
    /// Which code asks at which network, and how its answer is read.
    pub operators: Arc<Operators>,
    /// What was read before of the SIM that was here last time
    /// ([`LineSettings::known_iccid`]), the oldest first. Of another one nothing is taken
    /// from it.
    pub readings: Vec<(Timestamp, Kobo)>,
}
