use thiserror::Error;

/// What kind of datum it is. A payload of several kinds goes only where all of
/// them may go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum DataClass {
    /// The caller's voice.
    CallAudio,
    /// The caller's words, as the ears wrote them.
    Transcript,
    /// What the box says in one call; it may repeat the caller's words.
    Reply,
    /// The business's own page of facts: its words, no caller's.
    Knowledge,
    /// A name, a telephone number, an e-mail address.
    Contact,
    /// A card or account number, or what goes with one.
    Payment,
    /// A password, a PIN, an identity number (BVN, NIN).
    Credential,
    /// Health, belief, origin: what NDPA 2023 s. 30 and GDPR art. 9 call sensitive.
    Sensitive,
    /// Counters and states of the box, without anybody's datum in them.
    Telemetry,
}

/// The lawful ground of a send (NDPA 2023 s. 25, GDPR art. 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Ground {
    Consent,
    Contract,
    LegalObligation,
    VitalInterest,
    PublicInterest,
    LegitimateInterest,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("reading {what}: there is no `{given}`; the names are {known}")]
pub struct UnknownName {
    pub what: &'static str,
    pub given: String,
    pub known: String,
}

impl DataClass {
    pub const ALL: [Self; 9] = [
        Self::CallAudio,
        Self::Transcript,
        Self::Reply,
        Self::Knowledge,
        Self::Contact,
        Self::Payment,
        Self::Credential,
        Self::Sensitive,
        Self::Telemetry,
    ];

    /// The name in policies, records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallAudio => "call-audio",
            Self::Transcript => "transcript",
            Self::Reply => "reply",
            Self::Knowledge => "knowledge",
            Self::Contact => "contact",
            Self::Payment => "payment",
            Self::Credential => "credential",
            Self::Sensitive => "sensitive",
            Self::Telemetry => "telemetry",
        }
    }

    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        parse("a data class", name, &Self::ALL, Self::name)
    }
}

impl Ground {
    pub const ALL: [Self; 6] = [
        Self::Consent,
        Self::Contract,
        Self::LegalObligation,
        Self::VitalInterest,
        Self::PublicInterest,
        Self::LegitimateInterest,
    ];

    /// The name in policies, records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Contract => "contract",
            Self::LegalObligation => "legal-obligation",
            Self::VitalInterest => "vital-interest",
            Self::PublicInterest => "public-interest",
            Self::LegitimateInterest => "legitimate-interest",
        }
    }

    pub fn parse(name: &str) -> Result<Self, UnknownName> {
        parse("a lawful ground", name, &Self::ALL, Self::name)
    }
}

fn parse<T: Copy>(what: &'static str, given: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T, UnknownName> {
    all.iter().copied().find(|one| name(*one) == given).ok_or_else(|| UnknownName {
        what,
        given: given.to_owned(),
        known: all.iter().map(|one| name(*one)).collect::<Vec<_>>().join(", "),
    })
}
