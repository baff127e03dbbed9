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
    /// A person's name, telephone number or e-mail address.
    Contact,
    /// A person's card or account number, or what goes with one.
    Payment,
    /// A person's password, PIN or identity number (BVN, NIN).
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

    /// How a sentence for the business's people speaks of it.
    pub const fn plain(self) -> &'static str {
        match self {
            Self::CallAudio => "the caller's voice",
            Self::Transcript => "the caller's words",
            Self::Reply => "what the box says to the caller",
            Self::Knowledge => "the business's own page of facts",
            Self::Contact => "a name, telephone number or e-mail address",
            Self::Payment => "a card or account number",
            Self::Credential => "a password, PIN or identity number",
            Self::Sensitive => "a sensitive datum such as one of health or belief",
            Self::Telemetry => "counters and states of the box",
        }
    }

    /// Whether its name in sentences is of many, with which verbs and pronouns agree.
    pub const fn is_plural(self) -> bool {
        match self {
            Self::Transcript | Self::Telemetry => true,
            Self::CallAudio
            | Self::Reply
            | Self::Knowledge
            | Self::Contact
            | Self::Payment
            | Self::Credential
            | Self::Sensitive => false,
        }
    }

    /// What is looked for in words that may go as they are, and goes on its own rows.
    pub const IN_WORDS: [Self; 3] = [Self::Contact, Self::Payment, Self::Credential];

    /// Whether it is somebody's words, in which an identifier may stand. The
    /// business's own page of facts is its own, and a voice cannot be looked through.
    pub const fn is_words(self) -> bool {
        match self {
            Self::Transcript | Self::Reply | Self::Contact | Self::Payment | Self::Credential | Self::Sensitive => true,
            Self::CallAudio | Self::Knowledge | Self::Telemetry => false,
        }
    }

    /// What no table can send as it is, whatever its rows say.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Payment | Self::Credential)
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

    /// How a sentence for the business's people speaks of it.
    pub const fn plain(self) -> &'static str {
        match self {
            Self::Consent => "the caller's consent",
            Self::Contract => "a contract that the caller has or asks for",
            Self::LegalObligation => "a duty that the law lays on the business",
            Self::VitalInterest => "somebody's life or health being at stake",
            Self::PublicInterest => "a task in the public interest",
            Self::LegitimateInterest => "a legitimate interest of the business",
        }
    }

    /// Whether it holds only while the caller has said yes.
    pub const fn asks_consent(self) -> bool {
        matches!(self, Self::Consent)
    }

    /// Whether a caller can object to it (NDPA 2023 s. 36, GDPR art. 21).
    pub const fn yields_to_objection(self) -> bool {
        matches!(self, Self::LegitimateInterest | Self::PublicInterest)
    }

    /// Whether sensitive data can go on it: neither NDPA 2023 s. 30 nor GDPR art. 9
    /// knows a contract or a legitimate interest.
    pub const fn bears_sensitive(self) -> bool {
        !matches!(self, Self::Contract | Self::LegitimateInterest)
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
