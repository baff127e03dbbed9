use std::time::Duration;

use crate::terms::Private;

/// What the owner has said of one modem's line.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// Completes national numbers, digits without '+': `234`.
    pub country_code: String,
    /// The SIM's PIN, from the credential store. It is tried once.
    pub pin: Option<Private<String>>,
    /// The SIM that belongs here; any if nothing is said.
    pub expected_sim: ExpectedSim,
    /// The ICCID that was here last time, as the driver remembered it from
    /// [`super::ModemHealth::iccid`].
    pub known_iccid: Option<Private<String>>,
    /// Which of the profile's ways of sound to use first; the profile's own order if none.
    pub sound: Option<super::SoundPath>,
    /// Parts of texts that may be sent in one day of the calendar.
    pub texts_per_day: u32,
    /// Days since 1970-01-01 in the business's own time zone when the line is
    /// made. A new one comes as [`super::ModemInput::Day`].
    pub day: i32,
    /// Resets of every kind within any hour. Beyond it the line is quarantined.
    pub resets_per_hour: u8,
    /// How airtime is asked for; never, if none.
    pub airtime: Option<AirtimeSettings>,
}

impl Default for LineSettings {
    fn default() -> Self {
        Self {
            country_code: "234".to_owned(),
            pin: None,
            expected_sim: ExpectedSim::default(),
            known_iccid: None,
            sound: None,
            texts_per_day: 50,
            day: 0,
            resets_per_hour: 6,
            airtime: None,
        }
    }
}

/// The SIM that belongs to a line. What is not said may be anything.
#[derive(Clone, Debug, Default)]
pub struct ExpectedSim {
    pub iccid: Option<Private<String>>,
    /// Mobile country and network code, with which the IMSI begins: `62130`.
    pub operator: Option<String>,
}

/// When and by what code the balance is asked.
#[derive(Clone, Debug)]
pub struct AirtimeSettings {
    /// `*310#` in Nigeria since 2023.
    pub balance_code: String,
    /// `*323#`; none where data does not matter.
    pub data_code: Option<String>,
    pub every: Duration,
}
