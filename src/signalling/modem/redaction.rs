use super::at_row::{commands, without_at};
use super::identities::IDENTITIES;

/// Longer runs of digits are numbers of people, of SIMs or of modems.
const DIGITS_MAX: usize = 5;

/// Longer runs of hexadecimal digits are coded texts.
const CODED_MAX: usize = 15;

/// A row that is longer is cut.
const SHOWN_CHARS_MAX: usize = 160;

/// What stands before the time and the number of a call that nobody took, without a sign.
pub(super) const MISSED_CALL: &str = "MISSED_CALL";

/// Rows beside [`IDENTITIES`] whose fields are a person's: only short numbers of them are
/// shown.
const PRIVATE: &[&str] = &[
    "+CLIP",
    "+CCWA",
    "+CLCC",
    "^SLCC",
    "^DSCI",
    "+COLP",
    "+CUSD",
    "+CMGL",
    "+CMGR",
    "+CMGS",
    "+CMSS",
    "+CMGW",
    "+CMT",
    "+CDS",
    "+CBM",
    "+CPIN",
    "+CPIN2",
    "^CPIN",
    "+CLCK",
    "+CPWD",
    "+CPBR",
    "+CPBF",
    "+CPBW",
    "+CSCA",
    "+CCFC",
    MISSED_CALL,
    "+CSIM",
    "+CRSM",
    "+CGDCONT",
    "+CGAUTH",
    "+QICSGP",
    "+CGPADDR",
    "+VTS",
    "+QVTS",
    "^DTMF",
    "+RXDTMF",
    "+DTMF",
    "^DDTMF",
    "+QTONEDET",
    "+UUDTMFD",
];

/// Rows whose only field is a key or a PIN, however short.
const SECRET: &[&str] =
    &["+CPIN", "+CPIN2", "+VTS", "+QVTS", "^DTMF", "+RXDTMF", "+DTMF", "^DDTMF", "+QTONEDET", "+UUDTMFD"];

/// Values of `+CPIN` that are no PIN.
const PUBLIC_WORDS: &[&str] = &[
    "READY",
    "SIM PIN",
    "SIM PUK",
    "NOT INSERTED",
    "NOT READY",
    "SIM REMOVED",
    "PH-NET PIN",
    "PH-NET PUK",
    "PH-SIM PIN",
    "PH-SIM PUK",
    "PH_NET PIN",
    "PH_NET PUK",
    "PH_SIM PIN",
    "PH_SIM PUK",
    "SIM PIN2",
    "SIM PUK2",
];

/// A row to or from a modem without what belongs to a person.
pub(super) fn redacted(row: &str) -> String {
    // What spans rows is a text.
    let row = row.split(['\n', '\r']).next().unwrap_or_default();
    let row: String = row.chars().take(SHOWN_CHARS_MAX).filter(|c| !c.is_control()).collect();
    match without_at(&row) {
        Some(rest) => format!("{}{}", &row[..2], joined_redacted(rest)),
        None => one_redacted(&row),
    }
}

/// Commands that are joined in one row, each on its own. A semicolon within the quotes of
/// a private command hides what follows it, until they close.
fn joined_redacted(rest: &str) -> String {
    let mut hides = false;
    let mut shown = Vec::new();
    for part in rest.split(';') {
        let leaves_open = part.matches('"').count() % 2 == 1;
        if hides {
            shown.push("*".to_owned());
            hides = !leaves_open;
            continue;
        }
        let plain: String = part.chars().filter(|c| !c.is_whitespace()).collect();
        let found = commands(&plain);
        hides = leaves_open && found.iter().any(|command| is_private(command));
        shown.push(found.into_iter().map(command_redacted).collect());
    }
    without_long_runs(&shown.join(";"))
}

fn is_private(row: &str) -> bool {
    let (name_end, name) = name(row);
    IDENTITIES.contains(&name.as_str())
        || PRIVATE.contains(&name.as_str())
        || row[name_end..].to_ascii_lowercase().contains("\"ccinfo\"")
}

/// One command: a number that is dialled has no name before it.
fn command_redacted(command: &str) -> String {
    if command.starts_with(['D', 'd']) { format!("{}*", &command[..1]) } else { one_redacted(command) }
}

/// A row of the modem, or a command with a name.
fn one_redacted(row: &str) -> String {
    if !is_private(row) {
        return without_long_runs(row);
    }
    let (name_end, name) = name(row);
    let rest = &row[name_end..];
    // The modem's own `^CPIN` counts attempts.
    let secret = SECRET.contains(&name.as_str()) || (name == "^CPIN" && rest.starts_with('='));
    format!("{}{}", &row[..name_end], if secret { only_words(rest) } else { only_small_numbers(rest) })
}

/// The command's or the row's name, and where it ends.
fn name(row: &str) -> (usize, String) {
    if row.get(..MISSED_CALL.len()).is_some_and(|head| head.eq_ignore_ascii_case(MISSED_CALL)) {
        return (MISSED_CALL.len(), MISSED_CALL.to_owned());
    }
    let end = row.char_indices().find(|(at, c)| *at > 0 && !c.is_ascii_alphanumeric()).map_or(row.len(), |(at, _)| at);
    // A sign alone is no name.
    let signed = row.starts_with(['+', '^', '$', '*', '#', '&', '%']);
    if signed { (end, row[..end].to_ascii_uppercase()) } else { (0, String::new()) }
}

/// Between commas: numbers of up to three digits and words of the protocol stay.
fn only_small_numbers(rest: &str) -> String {
    let sign: String = rest.chars().take_while(|c| matches!(c, ':' | '=' | '?' | ' ')).collect();
    let fields = &rest[sign.len()..];
    if fields.is_empty() {
        return sign;
    }
    let shown: Vec<&str> = fields
        .split(',')
        .map(|field| {
            let bare = field.trim();
            let small = bare.len() <= 3 && bare.bytes().all(|b| b.is_ascii_digit() || b == b'-');
            let word = PUBLIC_WORDS.contains(&bare) || bare.eq_ignore_ascii_case("\"ccinfo\"");
            if bare.is_empty() || small || word { field } else { "*" }
        })
        .collect();
    format!("{sign}{}", shown.join(","))
}

/// Words of the protocol alone: any other value is a key or a PIN.
fn only_words(rest: &str) -> String {
    let sign: String = rest.chars().take_while(|c| matches!(c, ':' | '=' | '?' | ' ')).collect();
    let value = rest[sign.len()..].trim();
    if value.is_empty() || PUBLIC_WORDS.contains(&value) { rest.to_owned() } else { format!("{sign}*") }
}

/// Runs of digits as long as a telephone number's become a star, and coded texts too.
fn without_long_runs(row: &str) -> String {
    let mut shown = String::with_capacity(row.len());
    let mut run = String::new();
    for c in row.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_hexdigit() || (c == '+' && run.is_empty()) {
            run.push(c);
            continue;
        }
        shown.push_str(&run_shown(&run));
        run.clear();
        if c == '+' {
            run.push(c);
        } else if c != '\n' {
            shown.push(c);
        }
    }
    shown
}

fn run_shown(run: &str) -> String {
    let mut longest = 0;
    let mut digits = 0;
    for b in run.bytes() {
        digits = if b.is_ascii_digit() { digits + 1 } else { 0 };
        longest = longest.max(digits);
    }
    if longest > DIGITS_MAX || run.len() > CODED_MAX { "*".to_owned() } else { run.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_technician_needs_stays_and_what_is_a_persons_does_not() {
        for (row, shown) in [
            ("+CSQ: 24,99", "+CSQ: 24,99"),
            ("+CREG: 2,1,\"5E25\",\"605F\",2", "+CREG: 2,1,\"5E25\",\"605F\",2"),
            ("+COPS: 0,0,\"MTN NG\",7", "+COPS: 0,0,\"MTN NG\",7"),
            ("+CLIP: \"+2348031234567\",145,,,,0", "+CLIP: *,145,,,,0"),
            ("+CLCC: 1,1,4,0,0,\"08031234567\",129,\"Ada\"", "+CLCC: 1,1,4,0,0,*,129,*"),
            ("+QIND: \"ccinfo\",2,0,3,0,0,\"08031234567\",129", "+QIND: \"ccinfo\",2,0,3,0,0,*,129"),
            ("+QIND: \"csq\",27,99", "+QIND: \"csq\",27,99"),
            ("AT+CPIN=\"1234\"", "AT+CPIN=*"),
            ("AT+CPIN=123", "AT+CPIN=*"),
            ("AT+CPIN?", "AT+CPIN?"),
            ("AT+CSQ;+CPIN=\"1234\"", "AT+CSQ;+CPIN=*"),
            ("ATE0+CPIN=1234;+CSQ", "ATE0+CPIN=*;+CSQ"),
            ("at + cpin = \"1234\"", "at+cpin=*"),
            ("AT^CPIN=\"1234\"", "AT^CPIN=*"),
            ("AT^CPIN=123", "AT^CPIN=*"),
            ("^CPIN: READY,10,3,10,3", "^CPIN: READY,10,3,10,3"),
            ("ATE0X4D911;", "ATE0X4D*;"),
            ("AT+CUSD=1,\"a;b\",15", "AT+CUSD=1,*;*"),
            ("AT+CSQ=\"x;+CPIN=1234", "AT+CSQ=\"x;+CPIN=*"),
            ("+CPIN: SIM PIN", "+CPIN: SIM PIN"),
            ("+CPIN: NOT READY", "+CPIN: NOT READY"),
            ("+CPIN: PH_SIM PUK", "+CPIN: PH_SIM PUK"),
            ("AT+CMGS=23", "AT+CMGS=23"),
            ("AT+CLIP=1", "AT+CLIP=1"),
            ("+RXDTMF: 5", "+RXDTMF: *"),
            ("AT+VTS=\"5\"", "AT+VTS=*"),
            ("+CUSD: 0,\"Your balance is N5\",15", "+CUSD: 0,*,15"),
            ("ATD08031234567;", "ATD*;"),
            ("MISSED_CALL: 11:01AM 07712345678", "MISSED_CALL: *"),
            ("Missed_call: Ngozi rang", "Missed_call: *"),
            ("490154203237518", "*"),
            ("0791361907001003B17A0C913619397750320000AD11CD", "*"),
            ("^CEND:1,5,104,16", "^CEND:1,5,104,16"),
        ] {
            assert_eq!(redacted(row), shown, "{row}");
        }
    }

    proptest! {
        #[test]
        fn no_number_or_coded_text_stays_in_whatever_row_it_stands(
            before in "[A-Z+^:, \"]{0,20}",
            number in "[0-9]{7,16}",
            coded in "[0-9A-F]{20,60}",
            after in "[a-zA-Z,\" ]{0,20}",
        ) {
            for hidden in [&number, &coded] {
                let shown = redacted(&format!("{before}{hidden}{after}"));
                prop_assert!(!shown.contains(hidden.as_str()), "{shown}");
            }
        }

        #[test]
        fn no_pin_stays_in_whatever_joined_row_it_stands(
            pin in "[2-9]{4,8}",
            command in prop::sample::select(&["+CPIN=", "+cpin = ", "^CPIN=", "+CPIN2=", "+CLCK=\"SC\",1,", "+CPWD=\"SC\","][..]),
            before in prop::sample::select(&["", "E0", "E0X1 ", "+CSQ;", "+CMEE=1;E0", "I;;", "+X=\"y;"][..]),
            after in prop::sample::select(&["", ";+CSQ", ";", ",1"][..]),
            quotes in any::<bool>(),
        ) {
            let quote = if quotes { "\"" } else { "" };
            let row = format!("AT{before}{command}{quote}{pin}{quote}{after}");
            let shown = redacted(&row);
            prop_assert!(!shown.contains(&pin), "{row} as {shown}");
        }

        #[test]
        fn any_row_can_be_redacted(row in "\\PC{0,200}") {
            let shown = redacted(&row);
            prop_assert!(!shown.contains('\n'));
        }
    }
}
