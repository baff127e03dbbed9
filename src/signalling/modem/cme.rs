use super::row::FinalResult;

/// What an error means for whoever gave the command (3GPP TS 27.007 section 9.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Meaning {
    /// It may work in a moment.
    TryAgain,
    /// The SIM wants its PIN, or more.
    Sim,
    /// The modem has no such command.
    Unsupported,
    Refused,
}

/// Words for numbers: some firmware says words whatever it is told.
const WORDS: &[(&str, u16)] = &[
    ("PHONE FAILURE", 0),
    ("NO CONNECTION TO PHONE", 1),
    ("OPERATION NOT ALLOWED", 3),
    ("OPERATION NOT SUPPORTED", 4),
    ("PH-SIM PIN REQUIRED", 5),
    ("SIM NOT INSERTED", 10),
    ("SIM PIN REQUIRED", 11),
    ("SIM PUK REQUIRED", 12),
    ("SIM FAILURE", 13),
    ("SIM BUSY", 14),
    ("SIM WRONG", 15),
    ("INCORRECT PASSWORD", 16),
    ("SIM PIN2 REQUIRED", 17),
    ("SIM PUK2 REQUIRED", 18),
    ("MEMORY FULL", 20),
    ("NOT FOUND", 22),
    ("NO NETWORK SERVICE", 30),
    ("NETWORK TIMEOUT", 31),
    ("NETWORK NOT ALLOWED", 32),
    ("INCORRECT PARAMETERS", 50),
    ("PLEASE WAIT, INIT OR COMMAND PROCESSING IN PROGRESS", 515),
    ("PLEASE WAIT", 515),
];

pub(super) const NOT_INSERTED: u16 = 10;
pub(super) const PIN_REQUIRED: u16 = 11;
pub(super) const PUK_REQUIRED: u16 = 12;
pub(super) const SIM_FAILURE: u16 = 13;
pub(super) const SIM_BUSY: u16 = 14;
pub(super) const SIM_WRONG: u16 = 15;
/// The first of eight, PIN and PUK in turn: the lock of a network, of a part of it, of a
/// provider and of a company.
const NETWORK_PIN_REQUIRED: u16 = 40;

/// Whether the modem is locked to other SIMs than the one that is in it.
pub(super) const fn is_lock(number: u16) -> bool {
    matches!(number, 5..=7 | NETWORK_PIN_REQUIRED..=47)
}

pub(super) fn number_of_words(upper: &str) -> Option<u16> {
    let known = WORDS.iter().find(|(words, _)| *words == upper).map(|(_, number)| *number);
    // Each firmware has words of its own for its locks; all of them mean one thing here.
    let names_lock = || {
        let names = ["PERSONALISATION", "PERSONALIZATION"].iter().any(|word| upper.contains(word));
        upper.starts_with("PH-") || names
    };
    known.or_else(|| names_lock().then_some(NETWORK_PIN_REQUIRED))
}

pub(super) const fn meaning(result: FinalResult) -> Meaning {
    match result {
        FinalResult::Cme(11 | 12 | 16..=18) => Meaning::Sim,
        FinalResult::Cme(NOT_INSERTED | SIM_BUSY | 30 | 31 | 262 | 515) => Meaning::TryAgain,
        FinalResult::Cme(3 | 4) | FinalResult::NotSupported => Meaning::Unsupported,
        _ => Meaning::Refused,
    }
}
