//! A GSM modem's line without its ports: rows, commands, calls, the SIM, texts
//! and health. Octets, measurements, wishes and times come in, and what is
//! wanted of the world goes out. Nothing here opens a port, waits or reads a clock.

pub mod airtime;
mod at_row;
mod call_list;
mod cme;
mod command;
mod engine;
mod facts;
mod health;
mod identities;
mod input;
mod ladder;
mod machine;
mod news;
mod output;
mod profile;
mod reader;
mod redaction;
mod registration;
mod row;
mod settings;
pub mod sms;
mod sound_watch;
mod state;
mod support;
pub mod ussd;

pub use health::{Counters, ModemHealth, Registration, Technology, Volte};
pub use input::{Force, ModemInput, NamedMemory, SoundFacts, StorageSlot, TextMemory};
pub use machine::{ModemLine, parts_of_text};
pub use output::{
    CommandFailure, Delivery, IncomingText, ModemOutput, PartFate, PinLeave, ResetStep, SoundPath, TakenPart,
    TextFailure, TextReport, TextSender, UssdFailure, UssdReply, UssdThen,
};
pub use profile::{
    InterfaceRule, Profile, ProfileMistake, ProfileMistakes, ProfilePlace, ProfileWrong, Proof, SoundProfile, UsbMatch,
};
pub use settings::{AirtimeSettings, Attachment, ExpectedSim, LineSettings, ProvenSound};
pub use sound_watch::SoundFault;
pub use state::{Degradation, ModemState, Reason, SimTrouble, StateChange};
pub use support::{SUPPORT_ROWS_MAX, SupportRow, SupportWay};
