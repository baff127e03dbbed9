//! What one modem is, as a test or a command row orders it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::Family;
use super::state::Ussd;

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "a modem is a board of switches")]
pub struct ModemOptions {
    pub family: Family,
    /// The SIM's own number.
    pub number: String,
    pub imei: String,
    pub imsi: String,
    pub iccid: String,
    pub operator: String,
    pub pin: Option<String>,
    pub sim_absent: bool,
    pub service: bool,
    /// Whether it echoes commands until it is told not to.
    pub echo: bool,
    /// 3 s on real networks.
    pub ring_every: Duration,
    /// How long it takes to answer any command.
    pub latency: Duration,
    /// Sound cannot be switched on after the first call, until a reset.
    pub second_call_deaf: bool,
    /// Sound by the modem's own USB card is taken for good, though no card is there: where
    /// the two switches for it differ. Otherwise it is refused (Quectel).
    pub takes_usb_sound: bool,
    /// Positions on the PCM port until they are switched off (Quectel).
    pub gps_text: bool,
    /// Places for texts.
    pub storage: u32,
    pub ussd: BTreeMap<String, Ussd>,
    /// `+CMS ERROR`s with which the next texts are refused.
    pub text_errors: VecDeque<u16>,
    /// So many of the next texts the network takes, and the modem says nothing of it.
    pub texts_unanswered: u32,
    /// So many of the next texts the network reports only when it is told to.
    pub reports_held: u32,
    /// Its firmware tells no report at once, and stores them in the memory of reports.
    pub stores_reports: bool,
    pub ppm: i32,
    /// So much sound of a call lies in the port after it, and comes first in the next (E1550).
    pub stale: Duration,
    /// From a reset to being back.
    pub reset_time: Duration,
    /// What it says when it is asked why the last call ended.
    pub last_cause: String,
}

impl Default for ModemOptions {
    fn default() -> Self {
        let balance = "Your account balance is N1,234.50. Valid till 31/12/2026.";
        let choices = BTreeMap::from([
            ("1".to_owned(), Ussd::Done("Data balance: 1.5GB, expires 30/11/2026.".to_owned())),
            ("2".to_owned(), Ussd::Done("You have no bonus.".to_owned())),
        ]);
        Self {
            family: Family::Quectel,
            number: "+2348031230001".to_owned(),
            imei: "356938035643809".to_owned(),
            imsi: "621300000000001".to_owned(),
            iccid: "8923430000000000001".to_owned(),
            operator: "MTN NG".to_owned(),
            pin: None,
            sim_absent: false,
            service: true,
            echo: true,
            ring_every: Duration::from_millis(300),
            latency: Duration::ZERO,
            second_call_deaf: false,
            takes_usb_sound: false,
            gps_text: true,
            storage: 30,
            ussd: BTreeMap::from([
                ("*310#".to_owned(), Ussd::Done(balance.to_owned())),
                ("*323#".to_owned(), Ussd::Menu("1. Data balance\n2. Bonus".to_owned(), choices)),
            ]),
            text_errors: VecDeque::new(),
            texts_unanswered: 0,
            reports_held: 0,
            stores_reports: false,
            ppm: 0,
            stale: Duration::ZERO,
            reset_time: Duration::from_millis(200),
            last_cause: "Normal call clearing".to_owned(),
        }
    }
}

impl ModemOptions {
    /// The `n`th modem of a rack: another IMEI, SIM and number.
    pub fn numbered(mut self, n: u32) -> Self {
        self.number = format!("+234803123{:04}", 1 + n % 9999);
        self.imei = format!("35693803564{:04}", 3809 + n % 6000);
        self.imsi = format!("6213000000{:05}", 1 + n);
        self.iccid = format!("892343000000{:07}", 1 + n);
        self
    }
}
