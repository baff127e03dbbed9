use jiff::civil::Date;

use crate::terms::{Moment, Private};

use super::airtime::{AirtimeWarning, Forecast, Volume};
use super::state::ModemState;
use super::ussd::UssdWay;

/// What is known of a modem's line, for `milu lines`, `milu modem` and `milu doctor`.
#[derive(Clone, Debug)]
pub struct ModemHealth {
    pub state: ModemState,
    /// Since when it is in this state.
    pub since: Moment,
    /// One sentence for each thing that is wrong, the worst first.
    pub troubles: Vec<String>,
    pub maker: Option<String>,
    pub model: Option<String>,
    pub firmware: Option<String>,
    pub imei: Option<Private<String>>,
    pub iccid: Option<Private<String>>,
    /// Mobile country and network code of the SIM: `62130`.
    pub sim_operator: Option<String>,
    pub registration: Registration,
    pub operator: Option<String>,
    pub technology: Option<Technology>,
    /// Received power in dBm.
    pub signal_dbm: Option<i16>,
    pub volte: Volte,
    /// Degrees Celsius of the modem's hottest sensor.
    pub temperature: Option<i16>,
    pub millivolts: Option<u16>,
    pub counters: Counters,
    /// Parts of texts that were sent today.
    pub parts_today: u32,
    pub texts_waiting: usize,
    /// What is known of the SIM's airtime.
    pub airtime: Option<Forecast>,
    /// What was read last of its data.
    pub data: Option<Volume>,
    /// The first day on which something on it expires.
    pub expires: Option<Date>,
    /// What the owner was told of it and is not over.
    pub airtime_warnings: Vec<AirtimeWarning>,
    /// The way of codes that works with this modem, to be remembered.
    pub ussd_way: Option<UssdWay>,
}

/// Numbers that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    pub calls: u64,
    pub calls_without_sound: u64,
    pub second_calls_refused: u64,
    pub resets: u64,
    /// The port vanished while a call or a transmission was on, or the modem started anew
    /// in a call.
    pub drops_under_load: u64,
    pub unreadable_texts: u64,
    pub timeouts: u64,
    pub resynchronised: u64,
    /// Rows that nobody knows.
    pub unknown_rows: u64,
    /// Octets that are no text.
    pub garbage_bytes: u64,
    /// Rows longer than any modem's.
    pub long_rows: u64,
    /// Results that came although nothing was asked.
    pub stray_results: u64,
}

/// What the network says of the SIM (3GPP TS 27.007, `+CREG`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Registration {
    #[default]
    Unknown,
    NotSearching,
    Searching,
    Home,
    Roaming,
    Denied,
    /// Texts alone, no calls.
    TextsOnly,
    EmergencyOnly,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Technology {
    G2,
    G3,
    G4,
    G5,
}

impl Technology {
    pub const fn name(self) -> &'static str {
        match self {
            Self::G2 => "2G",
            Self::G3 => "3G",
            Self::G4 => "4G",
            Self::G5 => "5G",
        }
    }
}

/// Whether calls can be carried over LTE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Volte {
    #[default]
    Unknown,
    Off,
    /// Switched on, but the network has not taken it up.
    Waiting,
    Up,
}
