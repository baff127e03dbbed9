use std::ops::Range;

/// What an identifier is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// A payment card's number (ISO/IEC 7812).
    Card,
    /// The three or four digits on a card's back or front.
    CardCode,
    /// When a card ends.
    CardExpiry,
    /// A bank verification number.
    Bvn,
    /// A national identification number.
    Nin,
    /// A bank account's number.
    Account,
    /// A telephone number.
    Phone,
    /// An e-mail address.
    Email,
    /// A personal identification number or a password of digits.
    Pin,
    /// A code that was sent to be used once.
    OneTimeCode,
    /// Digits that are somebody's, and of which nothing more is known.
    Number,
}

impl Kind {
    pub const ALL: [Self; 11] = [
        Self::Card,
        Self::CardCode,
        Self::CardExpiry,
        Self::Bvn,
        Self::Nin,
        Self::Account,
        Self::Phone,
        Self::Email,
        Self::Pin,
        Self::OneTimeCode,
        Self::Number,
    ];

    /// What stands in the text instead of the identifier: the sentence around it
    /// stays readable to people and to language models.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Card => "[card number]",
            Self::CardCode => "[security code]",
            Self::CardExpiry => "[expiry date]",
            Self::Bvn => "[BVN]",
            Self::Nin => "[NIN]",
            Self::Account => "[account number]",
            Self::Phone => "[phone number]",
            Self::Email => "[e-mail address]",
            Self::Pin => "[PIN]",
            Self::OneTimeCode => "[one-time code]",
            Self::Number => "[number]",
        }
    }

    /// The name in records, counters and tests.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::CardCode => "card-code",
            Self::CardExpiry => "card-expiry",
            Self::Bvn => "bvn",
            Self::Nin => "nin",
            Self::Account => "account",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Pin => "pin",
            Self::OneTimeCode => "one-time-code",
            Self::Number => "number",
        }
    }
}

/// An identifier, and where it stands: octets from the beginning of the text.
/// It does not hold the identifier, so it may be printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    pub kind: Kind,
    pub span: Range<usize>,
}
