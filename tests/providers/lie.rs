//! A mind that lies: the first price, time or number of its answer becomes another.

/// Numbers in words, each with what it becomes.
const SPOKEN: &[(&str, &str)] = &[
    ("one", "two"),
    ("two", "four"),
    ("three", "five"),
    ("four", "six"),
    ("five", "seven"),
    ("six", "nine"),
    ("seven", "ten"),
    ("eight", "eleven"),
    ("nine", "three"),
    ("ten", "seven"),
    ("eleven", "eight"),
    ("twelve", "nine"),
    ("fifteen", "nineteen"),
    ("twenty", "forty"),
    ("thirty", "fifty"),
    ("forty", "sixty"),
    ("fifty", "eighty"),
    ("hundred", "thousand"),
    ("thousand", "hundred"),
];

/// The same sentence with another number in it; with a number that it did not have, if it had none.
pub fn contradicted(text: &str) -> String {
    if let Some(at) = text.find(|c: char| c.is_ascii_digit()) {
        let end = text[at..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |n| at + n);
        let number: u64 = text[at..end].parse().unwrap_or(0);
        return format!("{}{}{}", &text[..at], number + 3, &text[end..]);
    }
    for word in text.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty()) {
        if let Some((_, other)) = SPOKEN.iter().find(|(number, _)| word.eq_ignore_ascii_case(number)) {
            return text.replacen(word, other, 1);
        }
    }
    format!("{text} It costs 9,999 naira, and we close at 11 at night.")
}
