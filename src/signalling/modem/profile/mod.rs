//! What is particular to one family of modems, as data: which of its ports is
//! which, how it is set up, answered, given sound and healed. A profile never
//! decides anything; the machine does, by what stands in it.

mod mistake;
mod read;
mod values;

use std::time::Duration;

pub use mistake::{ProfileMistake, ProfileMistakes, ProfilePlace, ProfileWrong};

use super::output::SoundPath;
use super::ussd::UssdWay;

/// One family of modems. Read from `firmware-config/modems/*.toml` by [`Profile::parse`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Profile {
    /// `quectel_ec2x`, as in a line's settings.
    pub name: String,
    /// As people call it.
    pub title: String,
    pub proof: Proof,
    /// How it is found on USB; empty for what hangs on a plain serial port.
    pub usb: Vec<UsbMatch>,
    pub start: StartRows,
    pub sim: SimRows,
    pub calls: CallRows,
    /// Its ways of sound, the best first; never empty.
    pub sounds: Vec<SoundProfile>,
    pub watch: WatchRows,
    pub texts: TextRows,
    /// How codes of the network are written for this family; others are tried after it.
    pub ussd: UssdWay,
    pub reset: ResetRows,
    /// Beginnings of rows that this family must never be sent, each with its reason.
    pub never: Vec<NeverRow>,
}

/// Whether hardware has proved the profile.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    Hardware,
    /// Not proved; what has to be tried on a real modem first.
    ToTry(Vec<String>),
}

/// A USB device of the family, and which of its interfaces are which ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsbMatch {
    pub vendor: u16,
    /// Any product of the vendor if none.
    pub product: Option<u16>,
    /// The AT port, the best first.
    pub at: Vec<InterfaceRule>,
    /// The port with the sound, if sound has a port.
    pub sound: Vec<InterfaceRule>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InterfaceRule {
    /// `bInterfaceNumber`.
    Number(u8),
    /// Class, subclass and protocol of the interface.
    Class(u8, u8, u8),
}

/// A row that is sent while the modem is set up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetUpRow {
    pub row: String,
    pub need: Need,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Need {
    /// A refusal means that something is wrong.
    Must,
    /// Some firmware has it and some has not. Marked by '?' in front of the row.
    May,
    /// Sent only when the row before it was refused; it may be refused too. Marked by '|'
    /// in front of the row.
    Instead,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StartRows {
    /// Before anything is known of the SIM.
    pub first: Vec<SetUpRow>,
    /// Once the SIM is ready.
    pub after_sim: Vec<SetUpRow>,
    /// How firmware that can carry calls is told from firmware that cannot.
    pub voice: Option<VoiceProbe>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VoiceProbe {
    pub ask: String,
    /// A row that begins with this, blanks apart, proves it, however its answer ends; if it
    /// is empty, an OK does.
    pub has: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SimRows {
    /// Asks for the ICCID.
    pub iccid: Option<String>,
    /// Asks how many attempts are left for the PIN.
    pub pin_attempts: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallRows {
    /// Beginnings of rows that say that it rings.
    pub rings: Vec<String>,
    /// Beginnings of rows that say that the call is connected.
    pub begins: Vec<String>,
    /// Beginnings of rows that say that the call is over.
    pub ends: Vec<String>,
    /// Beginnings of rows that bring a key of the caller.
    pub digits: Vec<String>,
    pub digit_coding: DigitCoding,
    pub answer: String,
    /// Tried one after the other until the call is gone from the modem's list.
    pub hang_up: Vec<String>,
    /// Sends a waiting call away while another one is on.
    pub refuse_waiting: String,
    /// Sends a key; `<d>` is the key and `<id>` the call's number in the modem.
    pub digit: String,
    pub digit_gap: Duration,
    /// How often the modem's list of calls is asked while it rings.
    pub list_ringing: Duration,
    /// The same while a call is on.
    pub list_active: Duration,
}

/// How a row writes the key that was pressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigitCoding {
    /// As the key itself: `5`.
    Character,
    /// As the number of its character: `53`.
    Ascii,
}

/// One way of sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SoundProfile {
    pub path: SoundPath,
    /// Samples in a second.
    pub rate: u32,
    /// While the modem is set up.
    pub once: Vec<SetUpRow>,
    /// Turns the sound on; none where it is always there.
    pub on: Option<String>,
    pub when: SoundWhen,
    /// After the call is active and before `on` is sent.
    pub first_wait: Duration,
    pub retry_every: Duration,
    pub retries: u8,
    /// Turns it off after the call: writings of one command, of which the next is said when
    /// the one before was refused.
    pub off: Vec<String>,
    /// The row by which the modem stops what is sent to it.
    pub pause: Option<String>,
    pub resume: Option<String>,
    pub decay: Decay,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SoundWhen {
    BeforeAnswer,
    /// When the modem has said OK to the answer.
    AfterAnswer,
    /// When the call is active by the modem's list or by its own row.
    WhenActive,
}

/// Whether the sound gets worse from call to call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decay {
    Never,
    /// When turning it on fails at the first try, or the modem takes no sound in a call or
    /// has none at its end, it must be restarted before the next call.
    ShowsAtFirstTry,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WatchRows {
    pub signal: Option<String>,
    pub temperature: Option<String>,
    pub voltage: Option<String>,
    pub volte: Option<String>,
    /// Asks for the state of the registration: `AT+CREG?`, `AT+CEREG?`.
    pub registration: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextRows {
    /// Lists all texts in the modem.
    pub list: String,
    pub read: String,
    pub delete: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResetRows {
    /// The first restart, by AT: `AT+CFUN=1,1`.
    pub soft: String,
    /// The maker's own restart, if there is one: `AT+CRESET`.
    pub maker: Option<String>,
    /// Until it must be back.
    pub boot: Duration,
    /// Beginnings of rows by which it says that it has just started, in the order in
    /// which one start says them.
    pub boots: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeverRow {
    pub row: String,
    pub why: String,
}

impl Profile {
    /// Reads a profile's text; `file_name` stands in the mistakes.
    ///
    /// Any text may be handed in.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ProfileMistakes> {
        read::profile(text, file_name)
    }

    /// The memory of texts that its set-up chooses.
    pub(super) fn text_memory(&self) -> Option<&str> {
        let mut rows = self.start.after_sim.iter();
        rows.find_map(|row| row.row.strip_prefix("AT+CPMS=\"")?.split('"').next())
    }

    /// Why this row must not be sent to this family; none if it may be.
    pub fn forbids(&self, row: &str) -> Option<&str> {
        let row = row.to_ascii_uppercase();
        self.never.iter().find(|never| row.starts_with(&never.row.to_ascii_uppercase())).map(|never| never.why.as_str())
    }
}
