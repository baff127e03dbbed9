//! What a string of digits can be by its length, its beginning and its check digit.

use super::checks::{luhn, nuban, verhoeff};
use super::kind::Kind;

/// Telephone numbers have at most 15 digits (E.164), and up to 4 before them
/// when they are dialled.
const PHONE_MAX: usize = 15;

/// Card numbers (ISO/IEC 7812-1); Verve's have 16 to 19.
pub(super) const CARD_MIN: usize = 13;
pub(super) const CARD_MAX: usize = 19;

/// NUBAN: nine of the serial and a check digit (CBN, 2010).
pub(super) const ACCOUNT: usize = 10;

/// From so many digits on, a number is somebody's whatever stands around it,
/// unless it is an amount of money: an account number is the shortest that
/// nobody asks a shop about.
pub(super) const ALWAYS: usize = 10;

/// BVN and NIN.
pub(super) const IDENTITY: usize = 11;

/// The beginning of a Nigerian mobile number with its trunk prefix: 070, 071, 080,
/// 081, 090, 091. Three digits are enough to tell.
pub(super) fn begins_mobile(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'0', b'7'..=b'9', b'0' | b'1', ..])
}

/// A subscriber's number without trunk prefix: ten digits for a mobile.
fn is_national(digits: &str) -> bool {
    match digits.as_bytes() {
        [b'7'..=b'9', b'0' | b'1', ..] => digits.len() == 10,
        // Landlines: area code and six or seven digits; in the newer plan with a 2 before it, ten in all.
        [b'1'..=b'9', ..] => {
            (7..=8).contains(&digits.len()) || digits.starts_with('2') && (9..=10).contains(&digits.len())
        }
        _ => false,
    }
}

/// Whether the digits are a whole telephone number, as written or dialled.
pub(super) fn is_phone(digits: &str, has_plus: bool) -> bool {
    let abroad = |rest: &str| (8..=PHONE_MAX).contains(&rest.len()) && !rest.starts_with('0');
    if has_plus {
        // With the trunk prefix kept by mistake: +234 0803 …
        return (7..=PHONE_MAX + 1).contains(&digits.len());
    }
    // "009" is dialled for abroad from Nigeria, "00" from elsewhere.
    if let Some(rest) = digits.strip_prefix("009")
        && abroad(rest)
    {
        return true;
    }
    if let Some(rest) = digits.strip_prefix("00") {
        return abroad(rest);
    }
    if let Some(rest) = digits.strip_prefix("0234").or_else(|| digits.strip_prefix("234")) {
        let rest = rest.strip_prefix('0').unwrap_or(rest);
        if is_national(rest) {
            return true;
        }
    }
    match digits.strip_prefix('0') {
        Some(rest) => is_national(rest) || begins_mobile(digits) && digits.len() == 11,
        None => false,
    }
}

/// What is known besides the digits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hint {
    /// What the words around them say they are.
    pub(super) said: Option<Kind>,
    /// The code of the bank that was named.
    pub(super) bank: Option<u16>,
    pub(super) has_plus: bool,
}

/// Whether the digits are one whole identifier by their form alone.
pub(super) fn is_whole(digits: &str, hint: &Hint) -> bool {
    let fits = match hint.said {
        Some(Kind::Account) => digits.len() == ACCOUNT,
        Some(Kind::Bvn | Kind::Nin) => digits.len() == IDENTITY,
        Some(Kind::Phone) => digits.len() == 10 && is_national(digits),
        _ => false,
    };
    fits || is_phone(digits, hint.has_plus) && digits.len() >= 9 || is_card(digits)
}

pub(super) fn is_card(digits: &str) -> bool {
    (CARD_MIN..=CARD_MAX).contains(&digits.len()) && luhn(digits)
}

/// The first digits of the schemes' cards: Visa 4, Mastercard 2 and 5, Verve 506
/// and 650, American Express 3.
fn begins_card(digits: &str) -> bool {
    matches!(digits.as_bytes(), [b'2'..=b'6', ..])
}

/// What the digits most likely are. Whoever calls it has decided that they go.
pub(super) fn kind(digits: &str, hint: &Hint) -> Kind {
    let len = digits.len();
    if let Some(code) = hint.bank
        && nuban(&format!("{code:03}"), digits)
    {
        return Kind::Account;
    }
    match (hint.said, len) {
        (Some(Kind::Card), CARD_MIN..=CARD_MAX) => return Kind::Card,
        (Some(said @ (Kind::Bvn | Kind::Nin)), IDENTITY) => return said,
        (Some(Kind::Account), ACCOUNT) => return Kind::Account,
        _ => {}
    }
    if is_phone(digits, hint.has_plus) && len >= 7 {
        return Kind::Phone;
    }
    match (hint.said, len) {
        (_, CARD_MIN..=CARD_MAX) if luhn(digits) || len >= 15 && begins_card(digits) => Kind::Card,
        (Some(Kind::Phone), 7..) => Kind::Phone,
        (_, IDENTITY) if digits.starts_with("22") => Kind::Bvn,
        (_, IDENTITY) if verhoeff(digits) => Kind::Nin,
        (_, ACCOUNT) if matches!(digits.as_bytes(), [b'7'..=b'9', b'0' | b'1', ..]) => Kind::Phone,
        (None | Some(Kind::Number), ACCOUNT) => Kind::Account,
        (Some(said), _) => said,
        (None, _) if begins_mobile(digits) && len <= IDENTITY => Kind::Phone,
        (None, _) => Kind::Number,
    }
}

/// Whether an identifier of this kind has all its digits.
pub(super) fn is_complete(kind: Kind, digits: usize) -> bool {
    match kind {
        Kind::Card => digits >= CARD_MIN,
        Kind::Bvn | Kind::Nin => digits >= IDENTITY,
        Kind::Account | Kind::Phone | Kind::Number => digits >= 10,
        Kind::Pin => digits >= 4,
        Kind::OneTimeCode => digits >= 6,
        Kind::CardCode => digits >= 3,
        Kind::CardExpiry | Kind::Email => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_numbers_of_nigeria_are_known_in_all_forms() {
        for digits in [
            "08031234567",
            "2348031234567",
            "23408031234567",
            "02348031234567",
            "002348031234567",
            "0092348031234567",
            "014601234",
            "02014601234",
            "064631234",
            "23414601234",
            "009447911123456",
        ] {
            assert!(is_phone(digits, false), "{digits}");
        }
        for digits in ["8031234567", "0803", "22234567890", "4111111111111111", "00", ""] {
            assert!(!is_phone(digits, false), "{digits}");
        }
        assert!(is_phone("447911123456", true) && is_phone("24740123", true));
    }

    #[test]
    fn what_is_said_of_a_number_names_it_if_the_digits_allow() {
        let said = |kind| Hint { said: Some(kind), ..Hint::default() };
        for (digits, hint, expected) in [
            ("12345678901", said(Kind::Nin), Kind::Nin),
            ("12345678901", said(Kind::Bvn), Kind::Bvn),
            ("08031234567", said(Kind::Card), Kind::Phone),
            ("0123456789", said(Kind::Phone), Kind::Phone),
            ("0123456789", Hint::default(), Kind::Account),
            ("22234567890", Hint::default(), Kind::Bvn),
            ("12345678902", Hint::default(), Kind::Nin),
            ("12345678901", Hint::default(), Kind::Number),
            ("4111111111111112", Hint::default(), Kind::Card),
            ("0000014579", Hint { bank: Some(11), ..said(Kind::Phone) }, Kind::Account),
        ] {
            assert_eq!(kind(digits, &hint), expected, "{digits} {hint:?}");
        }
    }
}
