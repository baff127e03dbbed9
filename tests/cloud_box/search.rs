//! A search for identifiers in everything that left the box or was logged, in
//! any form that a program or a speaker could have given them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Digits in a row that only this identifier has: a part that is shorter than
/// this tells nobody's number.
const DIGITS_IN_A_ROW: usize = 7;

/// Characters that are shown before and after what was found.
const AROUND: usize = 80;

const DIGIT_NAMES: [&str; 10] = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];

/// An identifier, and every form in which it is looked for.
#[derive(Clone)]
pub struct Canary {
    pub name: &'static str,
    /// Looked for where letters and digits alone are left, in lower case.
    squeezed: Vec<String>,
    /// Looked for as it is.
    exact: Vec<String>,
}

impl Canary {
    /// A number, with the ways in which it is said.
    pub fn number(name: &'static str, number: &str, said: &[&str]) -> Self {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let mut canary = Self { name, squeezed: Vec::new(), exact: Vec::new() };
        for part in digits.as_bytes().windows(DIGITS_IN_A_ROW.min(digits.len())) {
            let part = String::from_utf8_lossy(part);
            let names = part.bytes().map(|digit| DIGIT_NAMES[usize::from(digit - b'0')]);
            canary.squeezed.extend([part.to_string(), names.collect()]);
        }
        canary.written(number);
        canary.written(&digits);
        said.iter().for_each(|said| canary.written(said));
        canary
    }

    /// A name, an address: letters, with the ways in which it is said.
    pub fn text(name: &'static str, written: &str, said: &[&str]) -> Self {
        let mut canary = Self { name, squeezed: Vec::new(), exact: Vec::new() };
        canary.written(written);
        said.iter().for_each(|said| canary.written(said));
        canary
    }

    /// A text as it stands, in hexadecimal octets, and in base64 at each of its
    /// offsets. Escapes are taken out of what is searched.
    fn written(&mut self, text: &str) {
        self.squeezed.push(squeezed(text));
        self.squeezed.push(text.bytes().map(|byte| format!("{byte:02x}")).collect());
        for offset in 0..3 {
            let padded = [&b"   "[..offset], text.as_bytes()].concat();
            for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                // Its first and last characters hold bits of what stands beside it.
                let sure = encoded.len().saturating_sub(1);
                self.exact.extend(encoded.get([0, 2, 3][offset]..sure).map(str::to_owned));
            }
        }
    }

    /// The form in which it is there, with what stands around it.
    pub fn found_in(&self, bytes: &Haystack) -> Option<String> {
        let around = |whole: &str, form: &String| {
            let at = whole.find(form.as_str()).filter(|_| !form.is_empty())?;
            let before = whole[..at].chars().rev().take(AROUND).collect::<Vec<_>>().into_iter().rev();
            let after = whole[at..].chars().take(form.chars().count() + AROUND);
            Some(format!("{form} in: {}", before.chain(after).collect::<String>()))
        };
        let squeezed = self.squeezed.iter();
        let mut found =
            squeezed.filter_map(|form| around(&bytes.squeezed, form).or_else(|| around(&bytes.unescaped, form)));
        found.next().or_else(|| self.exact.iter().find_map(|form| around(&bytes.exact, form)))
    }
}

/// What is searched, prepared once for all canaries.
pub struct Haystack {
    exact: String,
    squeezed: String,
    /// Without the escapes of URLs and of JSON.
    unescaped: String,
}

impl Haystack {
    pub fn new(bytes: &[u8]) -> Self {
        let exact = String::from_utf8_lossy(bytes).into_owned();
        Self { squeezed: squeezed(&exact), unescaped: squeezed(&unescaped(&exact)), exact }
    }

    /// The names of those canaries that are in it.
    pub fn finds<'a>(&self, canaries: &'a [Canary]) -> Vec<&'a str> {
        canaries.iter().filter(|canary| canary.found_in(self).is_some()).map(|canary| canary.name).collect()
    }
}

/// Lower case, and letters and digits alone.
fn squeezed(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Without the escapes of URLs (`%34`) and of JSON (`\u0034`) for ASCII.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['%', '\\']) {
        out.push_str(&rest[..at]);
        let (mark, digits) = if rest[at..].starts_with('%') { (1, 2) } else { (2, 4) };
        let is_escape = mark == 1 || rest[at..].starts_with("\\u");
        let code = rest.get(at + mark..at + mark + digits).filter(|_| is_escape);
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii) {
            Some(code) => {
                out.push(char::from(code));
                rest = &rest[at + mark + digits..];
            }
            None => rest = &rest[at + 1..],
        }
    }
    out.push_str(rest);
    out
}

#[test]
fn an_identifier_is_found_in_any_form() {
    let card = Canary::number("card", "4111 1111 1111 1111", &[]);
    let mail = Canary::text("mail", "ngozi.eze@example.com", &["ngozi dot eze at example dot com"]);
    let canaries = [card, mail];
    let encoded = |text: &str, before: &str| STANDARD_NO_PAD.encode(format!("{before}{text} and more"));
    for (row, name) in [
        ("it is 4111111111111111.".to_owned(), "card"),
        ("4111-1111 1111, 1111".to_owned(), "card"),
        ("four one one one, one one one, one one one one".to_owned(), "card"),
        (r#"{"text":"\u0034\u0031\u0031\u0031 \u0031\u0031\u0031\u0031"}"#.to_owned(), "card"),
        ("?q=%34%31%31%31%31%31%31%31".to_owned(), "card"),
        ("?q=4111%201111%201111%201111".to_owned(), "card"),
        (encoded("4111111111111111", ""), "card"),
        (encoded("4111 1111 1111 1111", "my card is "), "card"),
        (encoded("4111 1111 1111 1111", "a card is "), "card"),
        ("write to NGOZI.EZE@example.com".to_owned(), "mail"),
        ("n g o z i dot e z e at example dot com".to_owned(), "mail"),
        ("ngozi.eze%40example.com".to_owned(), "mail"),
        (r"ngozi\u002eeze\u0040example.com".to_owned(), "mail"),
        (encoded("ngozi.eze@example.com", "x"), "mail"),
        (encoded("ngozi dot eze at example dot com", "xy"), "mail"),
    ] {
        assert_eq!(Haystack::new(row.as_bytes()).finds(&canaries), [name], "{row}");
    }
    let innocent = b"A small loaf is \xe2\x82\xa6900, 0805 555 0171, 1764171426000, ngozi, example.com";
    assert_eq!(Haystack::new(innocent).finds(&canaries), [""; 0]);
}
