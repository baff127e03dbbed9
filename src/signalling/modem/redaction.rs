/// Longer runs of digits are numbers of people, of SIMs or of modems.
const DIGITS_MAX: usize = 5;

/// Longer runs of hexadecimal digits are coded texts.
const CODED_MAX: usize = 15;

/// A row that is longer is cut.
const SHOWN_CHARS_MAX: usize = 160;

/// Rows whose fields are a person's: only short numbers of them are shown.
const PRIVATE: &[&str] = &[
    "+CLIP",
    "+CCWA",
    "+CLCC",
    "^SLCC",
    "^DSCI",
    "+COLP",
    "+CNUM",
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
    "+CLCK",
    "+CPWD",
    "+CPBR",
    "+CPBF",
    "+CPBW",
    "+CSCA",
    "+CCFC",
    "+CGSN",
    "+GSN",
    "+CIMI",
    "+CCID",
    "+QCCID",
    "+CICCID",
    "+ICCID",
    "^ICCID",
    "MISSED_CALL",
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
    "D",
];

/// Rows whose only field is a key or a PIN, however short.
const SECRET: &[&str] =
    &["+CPIN", "+CPIN2", "+VTS", "+QVTS", "^DTMF", "+RXDTMF", "+DTMF", "^DDTMF", "+QTONEDET", "+UUDTMFD", "D"];

/// Values of `+CPIN` that are no PIN.
const PUBLIC_WORDS: &[&str] = &["READY", "SIM PIN", "SIM PUK", "NOT INSERTED", "PH-NET PIN", "PH-SIM PIN", "SIM PIN2"];

/// A row to or from a modem without what belongs to a person.
pub(super) fn redacted(row: &str) -> String {
    // What spans rows is a text.
    let row = row.split(['\n', '\r']).next().unwrap_or_default();
    let row: String = row.chars().take(SHOWN_CHARS_MAX).filter(|c| !c.is_control()).collect();
    let (name_end, name) = name(&row);
    let rest = &row[name_end..];
    let is_private = PRIVATE.contains(&name.as_str()) || rest.to_ascii_lowercase().contains("\"ccinfo\"");
    if is_private {
        let secret = SECRET.contains(&name.as_str());
        return format!("{}{}", &row[..name_end], if secret { only_words(rest) } else { only_small_numbers(rest) });
    }
    without_long_runs(&row)
}

/// The command's or the row's name, and where it ends.
fn name(row: &str) -> (usize, String) {
    let from = if row.get(..2).is_some_and(|at| at.eq_ignore_ascii_case("AT")) { 2 } else { 0 };
    let rest = &row[from..];
    if rest.get(..1).is_some_and(|d| d.eq_ignore_ascii_case("D")) && from == 2 {
        return (3, "D".to_owned());
    }
    if rest.starts_with("MISSED_CALL") {
        return (from + "MISSED_CALL".len(), "MISSED_CALL".to_owned());
    }
    let end =
        rest.char_indices().find(|(at, c)| *at > 0 && !c.is_ascii_alphanumeric()).map_or(rest.len(), |(at, _)| at);
    // A sign alone is no name.
    let signed = rest.starts_with(['+', '^', '$', '*', '#', '&', '%']);
    if signed { (from + end, rest[..end].to_ascii_uppercase()) } else { (from, String::new()) }
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
            ("+CPIN: SIM PIN", "+CPIN: SIM PIN"),
            ("AT+CMGS=23", "AT+CMGS=23"),
            ("AT+CLIP=1", "AT+CLIP=1"),
            ("+RXDTMF: 5", "+RXDTMF: *"),
            ("AT+VTS=\"5\"", "AT+VTS=*"),
            ("+CUSD: 0,\"Your balance is N5\",15", "+CUSD: 0,*,15"),
            ("ATD08031234567;", "ATD*"),
            ("MISSED_CALL: 11:01AM 07712345678", "MISSED_CALL: *"),
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
        fn any_row_can_be_redacted(row in "\\PC{0,200}") {
            let shown = redacted(&row);
            prop_assert!(!shown.contains('\n'));
        }
    }
}
