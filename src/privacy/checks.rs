//! Check digits. They raise suspicion and never lower it: a number that was
//! misheard by one digit is as private as the right one.

/// ISO/IEC 7812-1 annex B, over ASCII digits; false for none.
pub fn luhn(digits: &str) -> bool {
    let mut sum = 0;
    for (i, digit) in values(digits).rev().enumerate() {
        sum += match (i % 2, digit) {
            (0, d) => d,
            (_, d) if d > 4 => 2 * d - 9,
            (_, d) => 2 * d,
        };
    }
    !digits.is_empty() && sum % 10 == 0
}

/// Digits of the longest telephone number (E.164), and with "00" before it.
const PHONE_MAX: usize = 15;
const PHONE_ABROAD_MAX: usize = PHONE_MAX + 2;

/// What the cards of 14 and 15 digits begin with. Telephone numbers of the
/// countries with these codes are shorter.
const SHORT_CARDS: &[&str] = &["34", "37", "30", "36", "38"];

/// Whether keyed digits are rather a card's number than a telephone's: longer
/// than any of those, or a shorter card's with its check digit.
pub fn is_card_like(digits: &str) -> bool {
    let longest = if digits.starts_with("00") { PHONE_ABROAD_MAX } else { PHONE_MAX };
    let is_short_card = digits.len() >= 14 && SHORT_CARDS.iter().any(|begin| digits.starts_with(begin)) && luhn(digits);
    digits.len() > longest || is_short_card
}

/// Multiplication in the dihedral group D5 (Verhoeff 1969).
const D5: [[u8; 10]; 10] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
    [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
    [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
    [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
    [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
    [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
    [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
    [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
    [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
];

/// The permutation and its powers.
const POWERS: [[u8; 10]; 8] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
    [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
    [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
    [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
    [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
    [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
    [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
];

/// Verhoeff's check, the last digit being the check digit; false for none.
pub fn verhoeff(digits: &str) -> bool {
    let mut check = 0;
    for (i, digit) in values(digits).rev().enumerate() {
        check = D5[usize::from(check)][usize::from(POWERS[i % 8][usize::from(digit)])];
    }
    !digits.is_empty() && check == 0
}

/// A bank's code of three digits with a ten-digit account number of it (NUBAN):
/// weights 3, 7, 3 repeated over code and serial, and the check digit makes the
/// sum a multiple of ten.
pub fn nuban(bank: &str, account: &str) -> bool {
    if bank.len() != 3 || account.len() != 10 {
        return false;
    }
    let Some((serial, check)) = account.split_at_checked(9) else { return false };
    let weighed: u32 =
        values(bank).chain(values(serial)).zip([3, 7, 3].into_iter().cycle()).map(|(d, w)| u32::from(d) * w).sum();
    values(check).next().is_some_and(|check| (weighed + u32::from(check)).is_multiple_of(10))
}

fn values(digits: &str) -> impl DoubleEndedIterator<Item = u8> {
    digits.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cards_for_tests_pass_and_a_changed_digit_does_not() {
        // Published by the card schemes for testing.
        for card in ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117", "30569309025904"] {
            assert!(luhn(card), "{card}");
            assert!(!luhn(&card.replacen(&card[..1], "9", 1)), "{card}");
        }
        assert!(!luhn(""));
    }

    #[test]
    fn keyed_cards_are_told_from_keyed_telephone_numbers() {
        for card in ["4111111111111111", "378282246310005", "5061000000000000001", "999999999999999999"] {
            assert!(is_card_like(card), "{card}");
        }
        for phone in ["08031234567", "2348031234567", "002348031234567", "00447700900123", "4915112345678", ""] {
            assert!(!is_card_like(phone), "{phone}");
        }
    }

    #[test]
    fn the_published_example_of_verhoeff_passes() {
        // 236 has the check digit 3.
        assert!(verhoeff("2363"));
        assert!(!verhoeff("2364"));
        assert!(!verhoeff("2633"), "two digits changed places");
    }

    #[test]
    fn the_worked_examples_of_account_numbers_pass() {
        assert!(nuban("011", "0000014579"));
        assert!(nuban("011", "0000000220"), "a check digit of nought");
        assert!(!nuban("058", "0000014579"), "another bank's");
        assert!(!nuban("011", "000001457"));
    }

    proptest! {
        #[test]
        fn each_check_finds_every_single_wrong_digit(digits in "[0-9]{2,30}", at in 0_usize..30, by in 1_u8..10) {
            let at = at % digits.len();
            let mut changed = digits.clone().into_bytes();
            changed[at] = b'0' + (changed[at] - b'0' + by) % 10;
            let changed = String::from_utf8(changed).unwrap();
            prop_assert!(!(luhn(&digits) && luhn(&changed)));
            prop_assert!(!(verhoeff(&digits) && verhoeff(&changed)));
        }

        #[test]
        fn every_serial_has_one_check_digit_at_a_bank(bank in "[0-9]{3}", serial in "[0-9]{9}") {
            let fitting = (0..10).filter(|check| nuban(&bank, &format!("{serial}{check}"))).count();
            prop_assert_eq!(fitting, 1);
        }
    }
}
