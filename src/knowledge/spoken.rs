//! Written text as people say it: prices, telephone numbers, times, dates,
//! percentages, addresses of the Internet. The voice gets words only.

use jiff::civil::{Date, Time};

use super::numbers::{MONTHS, cardinal, clock, day_and_month, digits, ordinal, phone, year};

/// The text as it is said. Every figure becomes words; what is no figure stays.
pub fn as_spoken(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut said: Vec<String> = Vec::with_capacity(words.len());
    let mut i = 0;
    while i < words.len() {
        let (spoken, taken) = several(&words[i..]).unwrap_or_else(|| (one(words[i]), 1));
        said.push(spoken);
        i += taken.max(1);
    }
    said.join(" ")
}

/// A word without the punctuation around it.
struct Bare<'a> {
    before: &'a str,
    core: &'a str,
    after: &'a str,
}

fn bare(word: &str) -> Bare<'_> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '₦' | '$' | '£' | '€' | '+' | '%' | '&' | '#' | '@');
    let start = word.find(inside).unwrap_or(word.len());
    let end = word.rfind(inside).map_or(start, |i| i + word[i..].chars().next().map_or(0, char::len_utf8));
    let end = end.max(start);
    Bare { before: &word[..start], core: &word[start..end], after: &word[end..] }
}

/// Readings that take more than one word.
fn several(words: &[&str]) -> Option<(String, usize)> {
    phone_number(words)
        .or_else(|| written_date(words))
        .or_else(|| time_with_half(words))
        .or_else(|| house_number(words))
}

/// "0803 555 0142", "+234 803 123 4567": groups of digits that make a number.
fn phone_number(words: &[&str]) -> Option<(String, usize)> {
    /// The longest number of E.164, and the longest way to group it.
    const MOST_GROUPS: usize = 6;
    let first = bare(words[0]);
    if !first.core.starts_with(['0', '+']) {
        return None;
    }
    let mut all = String::new();
    let mut best = None;
    for (n, word) in words.iter().take(MOST_GROUPS).enumerate() {
        let piece = bare(word);
        if figures_date(piece.core).is_some() {
            break;
        }
        let group = piece.core.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
        if piece.core.is_empty() || !group || (n > 0 && !piece.before.is_empty()) {
            break;
        }
        all.extend(piece.core.chars().filter(|c| c.is_ascii_digit()));
        if (8..=15).contains(&all.len()) {
            best = Some((n + 1, all.clone(), piece.after));
        }
        if !piece.after.is_empty() {
            break;
        }
    }
    let (taken, all, after) = best?;
    let plus = if first.core.starts_with('+') { "+" } else { "" };
    Some((format!("{}{}{after}", first.before, phone(&format!("{plus}{all}"))), taken))
}

/// "25 December 2026", "25th December", "December 25".
fn written_date(words: &[&str]) -> Option<(String, usize)> {
    let (a, b) = (bare(words[0]), bare(words.get(1)?));
    let (day, month) =
        if a.core.starts_with(|c: char| c.is_ascii_digit()) { (a.core, b.core) } else { (b.core, a.core) };
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month)).and_then(|m| i8::try_from(m + 1).ok())?;
    let figures = ["st", "nd", "rd", "th"].iter().find_map(|end| day.strip_suffix(end)).unwrap_or(day);
    let day: i8 = figures.parse().ok()?;
    // Any leap year has all the days.
    let date = Date::new(2024, month, day).ok()?;
    let with_year = words.get(2).map(|w| bare(w)).filter(|c| b.after.is_empty() && is_year(c.core));
    let (tail, taken, after) = match with_year {
        Some(c) => (format!(", {}", year(c.core.parse().ok()?)), 3, c.after),
        None => (String::new(), 2, b.after),
    };
    Some((format!("{}{}{tail}{after}", a.before, day_and_month(date)), taken))
}

fn is_year(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit()) && (text.starts_with("19") || text.starts_with("20"))
}

/// "5 pm", "8:30 a.m.".
fn time_with_half(words: &[&str]) -> Option<(String, usize)> {
    let (figure, half) = (bare(words[0]), bare(words.get(1)?));
    let (half, dotted) = match half.core.to_lowercase().as_str() {
        "am" => ("am", false),
        "pm" => ("pm", false),
        "a.m" => ("am", true),
        "p.m" => ("pm", true),
        _ => return None,
    };
    if !figure.after.is_empty() {
        return None;
    }
    let spoken = clock_of(&format!("{}{half}", figure.core))?;
    let after = bare(words[1]).after;
    // The dot of "p.m." ends the abbreviation; at the end of the text it also ends the sentence.
    let after = if dotted && words.len() > 2 { after.strip_prefix('.').unwrap_or(after) } else { after };
    Some((format!("{}{spoken}{after}", figure.before), 2))
}

/// "No. 14", "#3".
fn house_number(words: &[&str]) -> Option<(String, usize)> {
    let next = bare(words.get(1)?);
    let named = matches!(words[0], "No." | "no." | "Nr." | "№");
    (named && next.core.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| (format!("number {}{}", core_word(next.core), next.after), 2))
}

fn one(word: &str) -> String {
    let Bare { before, core, after } = bare(word);
    if core.is_empty() {
        return word.to_owned();
    }
    if let Some((full, keeps_dot)) = abbreviation(core) {
        let after = if keeps_dot { after } else { after.strip_prefix('.').unwrap_or(after) };
        return format!("{before}{full}{after}");
    }
    let before = before.strip_suffix('-').unwrap_or(before);
    format!("{before}{}{after}", core_word(core))
}

/// What stands for a written short form, and whether a dot after it is a full stop.
fn abbreviation(core: &str) -> Option<(&'static str, bool)> {
    Some(match core {
        "Dr" => ("Doctor", false),
        "Rd" => ("Road", false),
        "Ave" => ("Avenue", false),
        "approx" => ("about", false),
        "e.g" => ("for example", false),
        "i.e" => ("that is", false),
        "etc" => ("and so on", true),
        "&" => ("and", true),
        "24/7" => ("twenty-four hours a day, seven days a week", true),
        "e-mail" => ("email", true),
        _ => return None,
    })
}

fn core_word(core: &str) -> String {
    if core.contains('@') && core.len() > 2 || is_web(core) {
        return internet(core);
    }
    if !core.contains(|c: char| c.is_ascii_digit()) {
        return core.replace('₦', "naira ").trim().to_owned();
    }
    if let Some(spoken) = money(core).or_else(|| range(core)).or_else(|| said_date(core)).or_else(|| clock_of(core)) {
        return spoken;
    }
    number(core).unwrap_or_else(|| mixed(core))
}

fn is_web(core: &str) -> bool {
    let lower = core.to_lowercase();
    let address = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).unwrap_or(&lower);
    let host = address.split('/').next().unwrap_or_default();
    const ENDS: [&str; 8] = [".com", ".ng", ".org", ".net", ".africa", ".io", ".co", ".info"];
    address.len() < lower.len()
        || lower.starts_with("www.")
        || ENDS.iter().any(|end| host.ends_with(end) && host.len() > end.len())
}

/// "info@sunrise.ng" is "info at sunrise dot N G".
fn internet(core: &str) -> String {
    let address = core.strip_prefix("https://").or_else(|| core.strip_prefix("http://")).unwrap_or(core);
    let mut said = String::new();
    let mut part = String::new();
    for c in address.trim_end_matches('/').chars() {
        let mark = match c {
            '@' => "at",
            '.' => "dot",
            '/' => "slash",
            '-' => "dash",
            '_' => "underscore",
            _ => {
                part.push(c);
                continue;
            }
        };
        push_part(&mut said, &part);
        part.clear();
        push_piece(&mut said, mark);
    }
    push_part(&mut said, &part);
    said
}

fn push_part(said: &mut String, part: &str) {
    if part.is_empty() {
        return;
    }
    let letters = part.chars().all(char::is_alphabetic);
    let spelled = letters && part.len() <= 3 && !part.chars().any(|c| "aeiouAEIOU".contains(c));
    if part.chars().all(|c| c.is_ascii_digit()) {
        push_piece(said, &digits(part));
    } else if spelled {
        let letters: Vec<String> = part.chars().map(|c| c.to_uppercase().collect()).collect();
        push_piece(said, &letters.join(" "));
    } else {
        push_piece(said, &mixed(part));
    }
}

fn push_piece(said: &mut String, piece: &str) {
    if !said.is_empty() {
        said.push(' ');
    }
    said.push_str(piece);
}

/// Masks that a pharmacy sells (42 CFR 84). Any other figure behind an N is a price: that
/// of a mask which is an N100 is said wrongly, and a hundred naira are asked for every day.
const MASKS: [&str; 2] = ["N95", "N99"];

/// "₦15,000", "N2,500.50", "NGN500", "$20", "₦15k", "₦1.5m".
fn money(core: &str) -> Option<String> {
    let (rest, one, many, cents) = [
        ("₦", "naira", "naira", "kobo"),
        ("NGN", "naira", "naira", "kobo"),
        ("N", "naira", "naira", "kobo"),
        ("$", "dollar", "dollars", "cents"),
        ("£", "pound", "pounds", "pence"),
        ("€", "euro", "euros", "cents"),
    ]
    .into_iter()
    .find_map(|(sign, one, many, cents)| Some((core.strip_prefix(sign)?, one, many, cents)))?;
    if MASKS.contains(&core) {
        return None;
    }
    if let Some((low, high)) = rest.split_once(['-', '–']) {
        let high = money(high).or_else(|| money(&core.replace(rest, high)))?;
        return Some(format!("{} to {high}", amount(low)?));
    }
    let (figure, scale) = match rest.strip_suffix(['k', 'K']) {
        Some(figure) => (figure, 1_000),
        None => rest.strip_suffix(['m', 'M']).map_or((rest, 1), |figure| (figure, 1_000_000)),
    };
    let (whole, part) = split_figure(figure)?;
    if scale > 1 {
        let padded: String = part.chars().chain("000000".chars()).take(6).collect();
        let millionths: u64 = padded.parse().ok()?;
        let n = whole.checked_mul(scale)?.checked_add(millionths * scale / 1_000_000)?;
        return Some(format!("{} {many}", cardinal(n)));
    }
    let name = if whole == 1 { one } else { many };
    let small: u64 = part.chars().chain("00".chars()).take(2).collect::<String>().parse().ok()?;
    let head = format!("{} {name}", cardinal(whole));
    Some(if small == 0 { head } else { format!("{head}, {} {cents}", cardinal(small)) })
}

fn amount(figure: &str) -> Option<String> {
    split_figure(figure).map(|(whole, _)| cardinal(whole))
}

/// The whole part without its commas, and the digits after the point.
fn split_figure(figure: &str) -> Option<(u64, &str)> {
    let (whole, part) = figure.split_once('.').unwrap_or((figure, ""));
    let plain = whole.replace(',', "");
    let fits = !plain.is_empty() && plain.bytes().chain(part.bytes()).all(|b| b.is_ascii_digit());
    // 15 digits is more money than there is; longer runs are no amounts.
    if fits && plain.len() <= 15 { Some((plain.parse().ok()?, part)) } else { None }
}

/// "3-5", "8am-6pm", "8:00–18:00".
fn range(core: &str) -> Option<String> {
    let (low, high) = core.split_once(['-', '–'])?;
    let end = |t: &str| clock_of(t).or_else(|| number(t));
    // "3-5pm": both are in the afternoon.
    Some(format!("{} to {}", end(low)?, end(high)?))
}

/// "2026-12-25", or as people write it, the day first: "25-12-2026".
fn figures_date(core: &str) -> Option<Date> {
    let parts: Vec<&str> = core.split('-').collect();
    let [first, month, last] = parts[..] else { return None };
    let (year, day) = if first.len() == 4 { (first, last) } else { (last, first) };
    let fits = is_year(year) && day.len() == 2 && month.len() == 2;
    fits.then(|| Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()).flatten()
}

fn said_date(core: &str) -> Option<String> {
    let date = figures_date(core)?;
    Some(format!("{}, {}", day_and_month(date), year(u64::from(date.year().unsigned_abs()))))
}

/// "8:30", "18:00", "5pm", "8:30am"; a bare number is no time.
fn clock_of(core: &str) -> Option<String> {
    let lower = core.to_lowercase();
    let (figure, add) = match (lower.strip_suffix("am"), lower.strip_suffix("pm")) {
        (Some(figure), _) => (figure, Some(0)),
        (_, Some(figure)) => (figure, Some(12)),
        _ => (lower.as_str(), None),
    };
    let (hour, minute) = match figure.split_once([':', '.']) {
        Some((h, m)) if m.len() == 2 && (figure.contains(':') || add.is_some()) => (h, m.parse::<i8>().ok()?),
        None if add.is_some() => (figure, 0),
        _ => return None,
    };
    let hour: i8 = hour.parse().ok().filter(|h| (0..=24).contains(h))?;
    let hour = match add {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
        None => hour % 24,
    };
    Time::new(hour, minute, 0, 0).ok().map(clock)
}

/// "1,500", "2.5", "10%", "25th", "2026", "112", "15km".
fn number(core: &str) -> Option<String> {
    /// Numbers for help that are dialled, hence said digit by digit.
    const DIALLED: [&str; 4] = ["112", "199", "767", "911"];
    if DIALLED.contains(&core) {
        return Some(digits(core));
    }
    if let Some(figure) = core.strip_suffix('%') {
        return Some(format!("{} per cent", number(figure)?));
    }
    if let Some(figure) = ["st", "nd", "rd", "th"].iter().find_map(|end| core.strip_suffix(end)) {
        return figure.parse().ok().map(ordinal);
    }
    const UNITS: [(&str, &str); 8] = [
        ("km", "kilometres"),
        ("kg", "kilograms"),
        ("mg", "milligrams"),
        ("ml", "millilitres"),
        ("cm", "centimetres"),
        ("mins", "minutes"),
        ("hrs", "hours"),
        ("k", "thousand"),
    ];
    for (unit, name) in UNITS {
        if let Some(figure) = core.strip_suffix(unit)
            && split_figure(figure).is_some()
        {
            return Some(format!("{} {name}", number(figure)?));
        }
    }
    if is_year(core) {
        return core.parse().ok().map(year);
    }
    // A nought in front or more digits than an amount has: a number to dial or to type.
    if core.len() > 15 || core.len() > 1 && core.starts_with('0') && !core.contains('.') {
        return core.bytes().all(|b| b.is_ascii_digit()).then(|| digits(core));
    }
    let (whole, part) = split_figure(core)?;
    if part.is_empty() { Some(cardinal(whole)) } else { Some(format!("{} point {}", cardinal(whole), digits(part))) }
}

/// Letters and figures in one word ("14B", "A1"): each run by itself.
fn mixed(core: &str) -> String {
    let mut said = String::new();
    let mut run = String::new();
    let mut in_digits = false;
    for c in core.chars() {
        if c.is_ascii_digit() != in_digits && !run.is_empty() {
            push_run(&mut said, &run, in_digits);
            run.clear();
        }
        in_digits = c.is_ascii_digit();
        run.push(match c {
            '₦' | '#' | '+' | '_' | '*' => ' ',
            c => c,
        });
    }
    push_run(&mut said, &run, in_digits);
    said
}

fn push_run(said: &mut String, run: &str, in_digits: bool) {
    let run = run.trim();
    if run.is_empty() {
        return;
    }
    match run.parse::<u64>() {
        Ok(n) if in_digits && run.len() <= 3 && !run.starts_with('0') => push_piece(said, &cardinal(n)),
        _ if in_digits => push_piece(said, &digits(run)),
        _ => push_piece(said, run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prices_are_said_in_naira() {
        for (written, said) in [
            ("It costs ₦15,000.", "It costs fifteen thousand naira."),
            ("N2,500.50", "two thousand, five hundred naira, fifty kobo"),
            ("NGN500", "five hundred naira"),
            ("₦15k", "fifteen thousand naira"),
            ("₦1.5m", "one million, five hundred thousand naira"),
            ("₦2,000-₦3,000", "two thousand to three thousand naira"),
            ("$1", "one dollar"),
            ("N500", "five hundred naira"),
            ("N50", "fifty naira"),
            ("N95 masks", "N ninety-five masks"),
        ] {
            assert_eq!(as_spoken(written), said);
        }
    }

    #[test]
    fn telephone_numbers_keep_their_groups_across_blanks() {
        let said = "Ring oh eight oh three, one two three, four five six seven, or write.";
        assert_eq!(as_spoken("Ring 0803 123 4567, or write."), said);
        assert_eq!(as_spoken("Ring 08031234567, or write."), said);
        assert_eq!(as_spoken("Call 112 now."), "Call one one two now.");
    }

    #[test]
    fn times_and_dates_are_said() {
        for (written, said) in [
            ("until 4 pm.", "until four in the afternoon."),
            ("from 9am-5pm", "from nine in the morning to five in the evening"),
            ("at 18:30", "at half past six in the evening"),
            ("at 10 a.m. daily", "at ten in the morning daily"),
            ("on 25 December 2026.", "on the twenty-fifth of December, twenty twenty-six."),
            ("December 1", "the first of December"),
            ("on 01-12-2025.", "on the first of December, twenty twenty-five."),
            ("2026-12-25", "the twenty-fifth of December, twenty twenty-six"),
        ] {
            assert_eq!(as_spoken(written), said);
        }
    }

    #[test]
    fn other_figures_are_said() {
        for (written, said) in [
            ("3-5 days", "three to five days"),
            ("10% off", "ten per cent off"),
            ("2.5 hours", "two point five hours"),
            ("the 3rd floor", "the third floor"),
            ("14B Allen Ave.", "fourteen B Allen Avenue"),
            ("Dr. Bello", "Doctor Bello"),
            ("500 people", "five hundred people"),
        ] {
            assert_eq!(as_spoken(written), said);
        }
    }

    #[test]
    fn internet_addresses_are_said_with_their_marks() {
        assert_eq!(as_spoken("hello@sunriseclinic.ng."), "hello at sunriseclinic dot N G.");
        assert_eq!(as_spoken("see www.milu.com"), "see W W W dot milu dot com");
    }

    proptest! {
        #[test]
        fn no_figure_is_left_to_the_voice(text in "[ -~₦]{0,60}") {
            let said = as_spoken(&text);
            prop_assert!(!said.contains(|c: char| c.is_ascii_digit()), "{}", said);
        }
    }
}
