use jiff::Timestamp;
use thiserror::Error;

use crate::terms::{EndCause, PhoneNumber, Private};

use super::airtime::{AirtimeWarning, Kobo, Lesson};
use super::input::StorageSlot;
use super::settings::ProvenSound;
use super::sound_watch::SoundFault;
use super::state::StateChange;

/// What a modem's line wants of the world.
#[derive(Clone, PartialEq, Debug)]
pub enum ModemOutput {
    /// To the AT port.
    Write(Private<Vec<u8>>),
    /// Open the call's sound. It stays open until `CloseSound`.
    OpenSound(SoundPath),
    /// Read what lies in the sound's port and throw it away: it is old.
    FlushSound,
    /// The modem takes no sound for now.
    PauseUplink,
    ResumeUplink,
    CloseSound,
    /// A call is there. One at a time: a second one is refused by the machine itself.
    Offered {
        from: Option<PhoneNumber>,
    },
    /// The caller hears what is played from here on.
    Connected,
    /// Comes exactly once for each `Offered`, and before the next one. Where nobody said why
    /// a call failed or was not answered, the modem is asked first: for a second at most.
    Ended(EndCause),
    /// Something is wrong with the call's sound. What helps is done already.
    SoundTrouble(SoundFault),
    /// A call was heard both ways by a way of sound that was not known to work. It is the
    /// owner's to keep for the next start.
    SoundProven(ProvenSound),
    /// What was kept of this modem's ways of sound holds no more.
    SoundUnproven {
        imei: Private<String>,
    },
    /// The caller pressed a key, by the modem's own detector.
    Digit(char),
    TextArrived {
        text: IncomingText,
        /// To be named in `TextKept` once the text is kept.
        slots: Vec<StorageSlot>,
    },
    /// A part of a text went out, or may have: the network bills it. It comes before
    /// the `TextSent` of its text.
    TextPart {
        id: u64,
        fate: PartFate,
        /// By what the network will name it in its report, if it said so.
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
    /// The PIN is about to be entered into this SIM, if it told its number. To be written
    /// down durably, and then said to be by `PinNoted`; it comes again until it is. One
    /// that this SIM has had in vain is said to be by `PinWasTried`.
    PinTrying {
        /// The SIM, where it tells its number before the PIN.
        iccid: Option<Private<String>>,
        imei: Option<Private<String>>,
        /// The SIM has had a wrong PIN since the last right one, where it tells so.
        had_wrong: bool,
        leave: PinLeave,
    },
    /// The PIN was right: that SIM may have it again.
    PinAccepted {
        iccid: Option<Private<String>>,
        imei: Option<Private<String>>,
    },
    /// A balance was read. It is the owner's to keep for the next start.
    AirtimeRead {
        at: Timestamp,
        airtime: Option<Kobo>,
        /// The SIM that it is of, where that told its number.
        iccid: Option<Private<String>>,
    },
    /// How answers of an operator are read from here on. It is the owner's to keep.
    AnswerLearnt(Lesson),
    /// Airtime or data runs out.
    AirtimeWarned(AirtimeWarning),
    CommandAnswered {
        id: u64,
        result: Result<Private<String>, CommandFailure>,
    },
    /// What the driver must do, or has to expect, to heal the modem.
    Reset(ResetStep),
    /// Every transition, with its reason.
    Changed(StateChange),
}

/// How the sound of a call travels.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SoundPath {
    /// Raw 16-bit samples on a second serial port of the modem.
    Serial,
    /// The modem is a USB sound card.
    UsbCard,
    /// Wires between the modem and a sound card of the box.
    Analog,
}

impl SoundPath {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serial => "serial",
            Self::UsbCard => "usb",
            Self::Analog => "analog",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Serial, Self::UsbCard, Self::Analog].into_iter().find(|path| path.name() == name)
    }
}

/// By whose leave a PIN is tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PinLeave {
    /// It is set, and each SIM has one try.
    Setting,
    /// A person has said that it is the right one for the SIM that is in.
    Person,
}

/// One step of the ladder that heals a modem, the mildest first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum ResetStep {
    /// Close the AT port and open it again.
    Reopen,
    /// The modem was told to restart by AT; its ports may vanish and come back.
    SoftReset,
    /// Take the power off its USB port and give it back.
    PowerCycle,
}

/// A text that came in, whole or with what there was of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncomingText {
    pub from: TextSender,
    pub text: Private<String>,
    /// When the network took it, by the network's clock.
    pub sent_at: Option<Timestamp>,
    /// Parts that never came, although a day was waited for them.
    pub missing_parts: u8,
    /// It is for a program of a telephone, as settings are, or for nobody, as what a network
    /// looks for a telephone with, and not for a person.
    pub for_program: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextSender {
    Number(PhoneNumber),
    /// A name in place of a number, as banks and networks use them.
    Name(Private<String>),
    Unknown,
}

/// Why a text was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TextFailure {
    #[error("the parts of texts that this line may send in a day (`texts_a_day`) are used up")]
    DailyCeiling,
    #[error("as many texts wait already as the queue holds")]
    QueueFull,
    #[error("the text is empty, or longer than ten parts")]
    Length,
    #[error("a text cannot be sent to this number")]
    Number,
    #[error("the network refused it for good (CMS error {0})")]
    Refused(u16),
    #[error("the SIM or its settings need somebody (CMS error {0})")]
    NeedsOwner(u16),
    #[error("the network took part of it, or the modem did not say what it took, so that it may have arrived")]
    Unknown,
    #[error("the modem is not there")]
    ModemGone,
    #[error("it could not be sent within its time")]
    TriedInVain,
}

/// What became of one part that was given to the modem.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartFate {
    Taken,
    /// The modem had it and said nothing; it is counted, for it may be billed.
    Unknown,
}

/// A part that the network has, as its report will name it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TakenPart {
    /// The network's own number of it; it counts to 255.
    pub reference: u8,
    pub to: PhoneNumber,
    /// Parts of the whole text.
    pub parts: u32,
}

/// What the network tells of a part that it had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextReport {
    pub reference: u8,
    /// Whom the part was for, where the report names a telephone.
    pub to: Option<PhoneNumber>,
    pub delivery: Delivery,
}

/// What became of a text that was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Delivery {
    Delivered,
    /// The network still tries.
    Pending,
    Failed,
}

/// What the network said to a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UssdReply {
    pub text: Private<String>,
    pub then: UssdThen,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UssdThen {
    Over,
    /// It is a menu: answer it or cancel it.
    AwaitsAnswer,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum UssdFailure {
    #[error("no such dialogue is open")]
    NotOpen,
    #[error("as many codes wait already as the queue holds")]
    QueueFull,
    #[error("this cannot be sent to a network: it is empty, too long, or has characters that no code has")]
    Code,
    #[error("a code or an answer is on its way already")]
    Busy,
    #[error("the network did not answer in 45 seconds")]
    TimedOut,
    #[error("the network ended it")]
    EndedByNetwork,
    #[error("the network does not know this code")]
    NotSupported,
    #[error("the modem or the network refused it")]
    Refused,
    #[error("the modem was reset or taken away")]
    ModemGone,
    #[error("it was cancelled")]
    Cancelled,
    #[error("nobody answered the menu")]
    MenuUnanswered,
    #[error("the menu goes on without an end")]
    TooManySteps,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CommandFailure {
    #[error("this is no row for a modem: it begins with AT and has up to 200 printable characters")]
    NotACommand,
    #[error("this {0}; say --force if it is meant")]
    Dangerous(&'static str),
    #[error("as many rows wait already as the queue holds")]
    QueueFull,
    #[error("a call is on")]
    CallRunning,
    #[error("the modem did not answer")]
    TimedOut,
    #[error("the modem is not there")]
    ModemGone,
}
