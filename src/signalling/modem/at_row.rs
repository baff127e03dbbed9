//! The commands of one row by hand, taken apart as V.250 section 5.2 joins them: basic
//! commands follow each other without a sign, extended ones end at a semicolon.

/// The row's commands without its `AT`; a row that has none is nothing.
pub(super) fn without_at(row: &str) -> Option<&str> {
    row.get(..2).filter(|at| at.eq_ignore_ascii_case("AT")).and_then(|_| row.get(2..))
}

/// The commands between two semicolons. Without blanks around it each command is
/// `E0`, `&D2`, `S0=1`, `D` with all that follows, or an extended one with all that follows.
pub(super) fn commands(part: &str) -> Vec<&str> {
    let mut rest = part;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (command, behind) = rest.split_at(length(first, rest));
        found.push(command);
        rest = behind;
    }
    found
}

/// Octets of the command that the text begins with.
fn length(first: char, text: &str) -> usize {
    let behind = text.get(1..).unwrap_or_default();
    match first.to_ascii_uppercase() {
        // A number to be dialled ends with the part.
        'D' => text.len(),
        'S' => {
            let register = digits(behind);
            match behind.get(register..).and_then(|behind| behind.chars().next()) {
                Some('=') => 2 + register + digits(behind.get(register + 1..).unwrap_or_default()),
                Some('?') => 2 + register,
                _ => 1 + register,
            }
        }
        'A'..='Z' => 1 + digits(behind),
        '&' => {
            let letter = behind.chars().next().map_or(0, char::len_utf8);
            1 + letter + digits(behind.get(letter..).unwrap_or_default())
        }
        _ => text.len(),
    }
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn basic_commands_need_no_sign_between_them() {
        assert_eq!(commands("E0V1D08031234567"), ["E0", "V1", "D08031234567"]);
        assert_eq!(commands("S0=1&D2S3?+CPIN=\"1234\""), ["S0=1", "&D2", "S3?", "+CPIN=\"1234\""]);
        assert_eq!(commands("i9x4"), ["i9", "x4"]);
        assert_eq!(commands(""), [""; 0]);
        assert_eq!(without_at("at+csq"), Some("+csq"));
        assert_eq!(without_at("+CSQ: 1"), None);
    }

    proptest! {
        #[test]
        fn nothing_of_a_part_is_lost(part in "\\PC{0,60}") {
            prop_assert_eq!(commands(&part).concat(), part);
        }
    }
}
