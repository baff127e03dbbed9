use std::time::Duration;

use jiff::Timestamp;

use crate::terms::{EndCause, PhoneNumber, Private};

/// What happens to a modem's line, and what is wanted of it.
#[derive(Clone, Debug)]
pub enum ModemInput<'a> {
    /// The deadline that [`super::ModemLine::deadline`] named has come.
    Tick,
    /// The AT port was opened.
    PortOpened,
    /// The AT port is gone: a read of nothing or an I/O error.
    PortGone,
    /// From the AT port, cut anywhere.
    Bytes(&'a [u8]),
    /// Some times a second while the sound is open.
    SoundMeasured(SoundFacts),
    /// The way of sound that was asked for cannot be opened.
    SoundFailed,
    /// Take the call that was offered.
    Answer,
    /// Refuse the call that was offered.
    Reject(EndCause),
    HangUp(EndCause),
    /// 0-9, '*', '#', A-D to the caller.
    SendDigit(char),
    SendText {
        id: u64,
        to: PhoneNumber,
        text: Private<String>,
    },
    /// An incoming text was stored durably: it may be deleted from the modem now.
    TextKept {
        slots: Vec<StorageSlot>,
    },
    /// An incoming text could not be stored: it stays in the modem, and is told again.
    TextNotKept {
        slots: Vec<StorageSlot>,
    },
    Ussd {
        id: u64,
        /// It may hold the number of a recharge card.
        code: Private<String>,
    },
    /// The answer to a menu.
    UssdAnswer {
        id: u64,
        text: Private<String>,
    },
    UssdCancel {
        id: u64,
    },
    /// A row by hand, from a technician.
    Command {
        id: u64,
        row: String,
        force: Force,
    },
    /// A new day of the calendar in the business's time zone, as days since 1970-01-01.
    Day(i32),
    /// The calendar's time was corrected.
    Clock(Timestamp),
    /// It was written down durably that the PIN is going to be tried.
    PinNoted,
    /// The PIN was tried in this SIM before, or may have been, and was not right.
    PinWasTried,
    /// A person looked after a quarantined modem, or a SIM that refused its PIN: it may
    /// be tried again at once.
    Release,
    /// The line lets its modem go: texts that wait are given back, and the one that is
    /// on its way has its answer first. Codes are given back, and an open menu is ended.
    Leave,
}

/// Whether a command that costs money or can lock a SIM is sent all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Force {
    No,
    Yes,
}

/// What a call's sound was like in the time between two measurements.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SoundFacts {
    /// The time that was measured, some tenths of a second.
    pub over: Duration,
    /// Octets that came from the modem.
    pub down_bytes: u32,
    /// Octets that the modem took.
    pub up_bytes: u32,
    /// The caller's level in dBFS; -100 or less for digital silence.
    pub down_dbfs: f32,
}

/// A memory of texts by its name (3GPP TS 27.005 section 3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum NamedMemory {
    Sim,
    /// The modem's own.
    Modem,
}

impl NamedMemory {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sim => "SM",
            Self::Modem => "ME",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        [Self::Sim, Self::Modem].into_iter().find(|memory| name.eq_ignore_ascii_case(memory.name()))
    }
}

/// A memory of texts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TextMemory {
    /// The one that the modem is set to.
    Chosen,
    /// One that it is not set to.
    Other(NamedMemory),
}

/// Where a part of a text lies in the modem.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StorageSlot {
    pub memory: TextMemory,
    pub index: u16,
    /// Which of the memories that had this name: one that is read in its stead, or another
    /// SIM, is the next, and its places are others.
    pub(super) era: u32,
}

impl StorageSlot {
    /// In the memory that the modem is set to.
    pub const fn chosen(index: u16) -> Self {
        Self { memory: TextMemory::Chosen, index, era: 0 }
    }

    /// In a memory that the modem is not set to.
    pub const fn other(memory: NamedMemory, index: u16) -> Self {
        Self { memory: TextMemory::Other(memory), index, era: 0 }
    }
}
