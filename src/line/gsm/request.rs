//! What the box wants of a modem besides calls, and what it is told.

use jiff::Timestamp;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use crate::signalling::modem::airtime::{AirtimeWarning, Kobo, Lesson};
use crate::signalling::modem::{
    CommandFailure, Force, IncomingText, ModemInput, PartFate, PinLeave, ProvenSound, SoundFault, StateChange,
    StorageSlot, SupportRow, TakenPart, TextFailure, TextReport, UssdFailure, UssdReply,
};
use crate::terms::{PhoneNumber, Private};

use super::status::{Board, GsmStatus};

/// Requests that wait: a technician and a few calls at once.
pub(super) const REQUESTS: usize = 32;

/// Events that nobody has taken: a modem's full storage of texts gives 255 at once, and
/// a quarter is kept for others.
pub(super) const EVENTS: usize = 400;

/// What a modem's line tells besides calls.
#[derive(Debug)]
pub enum GsmEvent {
    /// To be kept, and then said to be kept by [`GsmControl::text_kept`].
    TextArrived {
        text: IncomingText,
        slots: Vec<StorageSlot>,
    },
    /// A part of a text went out, or may have; it is billed.
    TextPart {
        id: u64,
        fate: PartFate,
        /// To be kept until the network tells of it.
        taken: Option<TakenPart>,
    },
    TextSent {
        id: u64,
        result: Result<(), TextFailure>,
    },
    /// What became of a part that was sent, in this run or in one before.
    TextReported(TextReport),
    UssdSaid {
        id: u64,
        result: Result<UssdReply, UssdFailure>,
    },
    CommandAnswered {
        id: u64,
        result: Result<Private<String>, CommandFailure>,
    },
    Changed(StateChange),
    /// Something is wrong with the sound of the call that is on.
    SoundTrouble(SoundFault),
    /// A way of sound works with this modem; it is to be kept, and handed in at the next start.
    SoundProven(ProvenSound),
    /// What was kept of this modem's ways of sound holds no more.
    SoundUnproven {
        imei: Private<String>,
    },
    /// The PIN is about to be tried; to be written down, and then said to be by
    /// [`GsmControl::pin_noted`], or to have been tried by [`GsmControl::pin_was_tried`].
    PinTrying {
        iccid: Option<Private<String>>,
        imei: Option<Private<String>>,
        /// The SIM has had a wrong PIN since the last right one, where it tells so.
        had_wrong: bool,
        leave: PinLeave,
    },
    /// The PIN was right.
    PinAccepted {
        iccid: Option<Private<String>>,
        imei: Option<Private<String>>,
    },
    /// A balance was read; it is to be kept, and handed in at the next start.
    AirtimeRead {
        at: Timestamp,
        airtime: Option<Kobo>,
        /// The SIM that it is of, where that told its number.
        iccid: Option<Private<String>>,
    },
    AirtimeWarned(AirtimeWarning),
    /// How answers of an operator are read; to be kept, and handed in at the next start.
    AnswerLearnt(Lesson),
    /// The modem of this line is known now: what it is to be found by from here on.
    Identified {
        usb_path: Option<String>,
        imei: Option<Private<String>>,
        iccid: Option<Private<String>>,
    },
}

pub(super) enum GsmRequest {
    SendText { id: u64, to: PhoneNumber, text: Private<String> },
    TextKept { slots: Vec<StorageSlot> },
    TextNotKept { slots: Vec<StorageSlot> },
    Ussd { id: u64, code: Private<String> },
    UssdAnswer { id: u64, text: Private<String> },
    UssdCancel { id: u64 },
    Command { id: u64, row: String, force: Force },
    Day(i32),
    Clock(Timestamp),
    PinNoted,
    PinWasTried,
    Release,
    Support(oneshot::Sender<Vec<SupportRow>>),
}

impl GsmRequest {
    /// As the machine takes it; none for what the driver answers itself.
    pub(super) fn into_input(self) -> Result<ModemInput<'static>, oneshot::Sender<Vec<SupportRow>>> {
        Ok(match self {
            Self::SendText { id, to, text } => ModemInput::SendText { id, to, text },
            Self::TextKept { slots } => ModemInput::TextKept { slots },
            Self::TextNotKept { slots } => ModemInput::TextNotKept { slots },
            Self::Ussd { id, code } => ModemInput::Ussd { id, code },
            Self::UssdAnswer { id, text } => ModemInput::UssdAnswer { id, text },
            Self::UssdCancel { id } => ModemInput::UssdCancel { id },
            Self::Command { id, row, force } => ModemInput::Command { id, row, force },
            Self::Day(day) => ModemInput::Day(day),
            Self::Clock(now) => ModemInput::Clock(now),
            Self::PinNoted => ModemInput::PinNoted,
            Self::PinWasTried => ModemInput::PinWasTried,
            Self::Release => ModemInput::Release,
            Self::Support(reply) => return Err(reply),
        })
    }
}

impl GsmEvent {
    /// The answer to what is asked of a line that has no modem; none for what needs none.
    pub(super) const fn without_modem(input: &ModemInput<'_>) -> Option<Self> {
        Some(match *input {
            ModemInput::SendText { id, .. } => Self::TextSent { id, result: Err(TextFailure::ModemGone) },
            ModemInput::Ussd { id, .. } => Self::UssdSaid { id, result: Err(UssdFailure::ModemGone) },
            ModemInput::UssdAnswer { id, .. } | ModemInput::UssdCancel { id } => {
                Self::UssdSaid { id, result: Err(UssdFailure::NotOpen) }
            }
            ModemInput::Command { id, .. } => Self::CommandAnswered { id, result: Err(CommandFailure::ModemGone) },
            _ => return None,
        })
    }
}

/// A request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum GsmRefusal {
    #[error("asking the modem: as many requests wait already as it takes")]
    Busy,
    #[error("asking the modem: its line is not served")]
    NotServed,
}

/// A handle to a modem's line that is being served. Clones are the same line.
#[derive(Clone, Debug)]
pub struct GsmControl {
    pub(super) requests: mpsc::Sender<GsmRequest>,
    pub(super) board: Board,
}

impl GsmControl {
    fn ask(&self, request: GsmRequest) -> Result<(), GsmRefusal> {
        self.requests.try_send(request).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => GsmRefusal::Busy,
            mpsc::error::TrySendError::Closed(_) => GsmRefusal::NotServed,
        })
    }

    /// What became of it comes as [`GsmEvent::TextSent`] with the same id.
    pub fn send_text(&self, id: u64, to: PhoneNumber, text: Private<String>) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::SendText { id, to, text })
    }

    /// The text was stored durably: the modem may forget it.
    pub fn text_kept(&self, slots: Vec<StorageSlot>) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::TextKept { slots })
    }

    /// The text could not be stored: the modem's next look brings it again.
    pub fn text_not_kept(&self, slots: Vec<StorageSlot>) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::TextNotKept { slots })
    }

    pub fn ussd(&self, id: u64, code: Private<String>) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::Ussd { id, code })
    }

    /// Answers the menu of the dialogue with this id.
    pub fn ussd_answer(&self, id: u64, text: Private<String>) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::UssdAnswer { id, text })
    }

    pub fn ussd_cancel(&self, id: u64) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::UssdCancel { id })
    }

    /// A row by hand; its answer comes as [`GsmEvent::CommandAnswered`].
    pub fn command(&self, id: u64, row: String, force: Force) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::Command { id, row, force })
    }

    /// A new day in the business's time zone, as days since 1970-01-01.
    pub fn day(&self, day: i32) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::Day(day))
    }

    /// The calendar's time was corrected.
    pub fn clock(&self, now: Timestamp) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::Clock(now))
    }

    /// It was written down durably that the PIN is going to be tried.
    pub fn pin_noted(&self) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::PinNoted)
    }

    /// This SIM has had the PIN in vain, or may have had it.
    pub fn pin_was_tried(&self) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::PinWasTried)
    }

    /// A person has looked after a quarantined modem, or a SIM that refused its PIN.
    pub fn release(&self) -> Result<(), GsmRefusal> {
        self.ask(GsmRequest::Release)
    }

    /// How the line is now.
    pub fn status(&self) -> GsmStatus {
        self.board.read()
    }

    /// The last rows to and from the modem, and those that led to its last transitions, redacted.
    pub async fn support_rows(&self) -> Result<Vec<SupportRow>, GsmRefusal> {
        let (reply, rows) = oneshot::channel();
        self.ask(GsmRequest::Support(reply))?;
        rows.await.map_err(|_| GsmRefusal::NotServed)
    }
}
