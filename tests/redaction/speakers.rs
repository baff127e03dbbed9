//! People who say numbers in every way that they are said, at random.

use proptest::prelude::*;

const DIGITS: [&[&str]; 10] = [
    &["zero", "oh", "o", "nought", "ziro"],
    &["one", "wan"],
    &["two", "tu"],
    &["three", "tree", "tri", "thri"],
    &["four", "fo", "foh"],
    &["five", "faif", "fayv"],
    &["six", "siks", "sikis"],
    &["seven", "sevin", "sebun"],
    &["eight", "ait", "et", "eit"],
    &["nine", "nain", "niner"],
];
const TEENS: [&str; 10] =
    ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// What stands between two groups.
const PAUSES: [&str; 10] = [" ", " ", ", ", " ", " er ", ". ", " and then ", " - ", ", okay, ", "… "];

const LEADS: [&str; 12] = [
    "",
    "my number na ",
    "My number is ",
    "call me on ",
    "It's ",
    "abeg write am down: ",
    "I want bread. ",
    "My card number is ",
    "my BVN na ",
    "Account number ",
    "yes, ",
    "e be ",
];
const TAILS: [&str; 6] = ["", " thank you", ". Good bye.", " abeg", ", and I want bread", " is what I have"];

#[derive(Clone, Debug)]
pub struct Spoken {
    pub sentence: String,
}

/// The digits of an identifier that is long enough to need no word beside it.
fn digits() -> impl Strategy<Value = String> {
    prop_oneof![
        "0[789][01][0-9]{8}",
        "234[789][01][0-9]{8}",
        "009234[789][01][0-9]{8}",
        "0[1-9][0-9]{7}",
        "22[0-9]{9}",
        "[0-9]{11}",
        "[0-9]{10}",
        "[45][0-9]{15}",
        "506[0-9]{13,16}",
        "3[47][0-9]{13}",
    ]
}

/// One way to say one group of digits.
fn group(digits: &str, way: usize, choice: usize) -> String {
    let values: Vec<usize> = digits.bytes().map(|b| usize::from(b - b'0')).collect();
    let word = |value: usize| DIGITS[value][choice % DIGITS[value].len()];
    let all_same = values.windows(2).all(|w| w[0] == w[1]);
    match (way % 5, values.as_slice()) {
        (0, _) => digits.to_owned(),
        (1, [a, _]) if all_same => format!("double {}", word(*a)),
        (1, [a, _, _]) if all_same => format!("triple {}", word(*a)),
        (2, [1, b]) => TEENS[*b].to_owned(),
        (2, [a, 0]) if *a >= 2 => TENS[*a].to_owned(),
        (2, [a, b]) if *a >= 2 => format!("{}-{}", TENS[*a], DIGITS[*b][0]),
        (3, _) => values.iter().map(|value| value.to_string()).collect::<Vec<_>>().join("-"),
        _ => values.iter().map(|value| word(*value)).collect::<Vec<_>>().join(" "),
    }
}

/// A sentence with one identifier in it, said in groups of one to four digits.
pub fn number() -> impl Strategy<Value = Spoken> {
    let choices = prop::collection::vec((1_usize..5, 0_usize..5, 0_usize..8, 0_usize..PAUSES.len()), 20);
    (digits(), choices, 0_usize..LEADS.len(), 0_usize..TAILS.len()).prop_map(|(digits, choices, lead, tail)| {
        let mut sentence = LEADS[lead].to_owned();
        let mut rest = digits.as_str();
        for (i, (length, way, choice, pause)) in choices.into_iter().enumerate() {
            if rest.is_empty() {
                break;
            }
            let (head, tail) = rest.split_at(length.min(rest.len()));
            if i > 0 {
                sentence.push_str(PAUSES[pause]);
            }
            sentence.push_str(&group(head, way, choice));
            rest = tail;
        }
        sentence.push_str(TAILS[tail]);
        Spoken { sentence }
    })
}

/// Digits, in figures or words, that stand in the text.
pub fn digits_left(text: &str) -> usize {
    let is_word = |word: &&str| {
        DIGITS.iter().any(|words| words.contains(word)) || TEENS.contains(word) || TENS[2..].contains(word)
    };
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphabetic()).filter(is_word).count();
    text.chars().filter(char::is_ascii_digit).count() + words
}

/// A sentence with a price, a time, a date or a count in it.
pub fn harmless() -> impl Strategy<Value = String> {
    let price = (1_u32..2_000_000).prop_flat_map(|n| {
        let grouped = grouped(n);
        prop_oneof![
            Just(format!("It costs ₦{n}")),
            Just(format!("it is {grouped} naira")),
            Just(format!("I paid N{n} for it")),
            Just(format!("{n} naira only")),
            Just(format!("that will be {} naira", cardinal(n))),
            Just(format!("between {} and {} naira", grouped, grouped)),
        ]
    });
    let time = (0_u32..24, 0_u32..60).prop_flat_map(|(hour, minute)| {
        prop_oneof![
            Just(format!("we open at {hour}:{minute:02} and close at {}:{minute:02}", (hour + 8) % 24)),
            Just(format!("come by {hour}.{minute:02} or {}.{minute:02}", (hour + 1) % 24)),
            Just(format!("at {hour:02}{minute:02}, not later")),
        ]
    });
    let date = (1_u32..32, 1_u32..13, 1950_u32..2050).prop_flat_map(|(day, month, year)| {
        prop_oneof![
            Just(format!("on {day:02}/{month:02}/{year} please")),
            Just(format!("the date is {year}-{month:02}-{day:02}")),
            Just(format!("since {day}.{month}.{year}, I think")),
        ]
    });
    let count = (1_u32..10_000, 1_u32..100).prop_flat_map(|(many, few)| {
        prop_oneof![
            Just(format!("I need {few} loaves and {many} rolls")),
            Just(format!("there are {} people in {few} cars", cardinal(many))),
            Just(format!("house number {few}, plot {many}")),
            Just(format!("order number {many} for {few} people")),
        ]
    });
    prop_oneof![price, time, date, count]
}

fn grouped(n: u32) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A whole number as it is said.
fn cardinal(n: u32) -> String {
    let below_hundred = |n: u32| match n {
        0..10 => DIGITS[n as usize][0].to_owned(),
        10..20 => TEENS[(n - 10) as usize].to_owned(),
        _ if n.is_multiple_of(10) => TENS[(n / 10) as usize].to_owned(),
        _ => format!("{}-{}", TENS[(n / 10) as usize], DIGITS[(n % 10) as usize][0]),
    };
    let below_thousand = |n: u32| match (n / 100, n % 100) {
        (0, rest) => below_hundred(rest),
        (hundreds, 0) => format!("{} hundred", below_hundred(hundreds)),
        (hundreds, rest) => format!("{} hundred and {}", below_hundred(hundreds), below_hundred(rest)),
    };
    let mut parts = Vec::new();
    let mut rest = n;
    for (scale, name) in [(1_000_000, "million"), (1_000, "thousand")] {
        if rest >= scale {
            parts.push(format!("{} {name}", below_thousand(rest / scale)));
            rest %= scale;
        }
    }
    if rest > 0 || parts.is_empty() {
        parts.push(below_thousand(rest));
    }
    parts.join(", ")
}

/// Anything: words of the redactor's lexicon, marks and figures, in any order.
pub fn talk() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "oh", "zero", "one", "double", "triple", "forty", "twelve", "hundred", "thousand", "zeros", "plus", "to",
            "for", "and", "er", "my", "number", "card", "pin", "is", "na", "email", "at", "dot", "com", "gmail", "ada",
            "underscore", "a", "d", "naira", "o'clock", "code", "the", "bread", "bank", "till", "point", "co", "uk",
        ]).prop_map(str::to_owned),
        2 => "[0-9]{1,6}",
        2 => prop::sample::select(vec![",", ".", "-", "@", "_", "(", ")", "+", "/", ":", "₦", "?", "'", "\n", "é", "日"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,3}",
    ];
    prop::collection::vec((piece, prop::sample::select(vec![" ", "", "  "])), 0..60)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, space)| piece + space).collect())
}

const NAMES: [&str; 8] = ["chidinma", "tunde", "obi", "okonkwo", "bakes", "sunrise", "emeka", "adaeze"];
const JOINTS: [&str; 5] = [" dot ", " underscore ", " dash ", ".", "_"];
const HOSTS: [&str; 10] = [
    "gmail dot com",
    "yahoo dot co dot uk",
    "g mail dot com",
    "golden crust dot com dot ng",
    "unilag dot edu dot ng",
    "gmail.com",
    "hotmail . com",
    "outlook, dot, com",
    "proton dot me",
    "icloud dot c o m",
];
const MAIL_LEADS: [&str; 7] = [
    "",
    "my email is ",
    "send it to ",
    "you can reach me on ",
    "my email address na ",
    "Yes. It is ",
    "I want bread and this is ",
];

/// An e-mail address as somebody says it, and the names in it.
pub fn address() -> impl Strategy<Value = (String, Vec<&'static str>)> {
    let part = (prop::sample::select(NAMES.to_vec()), 0_usize..4, "[0-9]{0,3}");
    let parts = prop::collection::vec((part, prop::sample::select(JOINTS.to_vec())), 1..4);
    (parts, 0_usize..HOSTS.len(), 0_usize..MAIL_LEADS.len(), any::<bool>(), 0_usize..TAILS.len()).prop_map(
        |(parts, host, lead, is_sign, tail)| {
            let mut sentence = MAIL_LEADS[lead].to_owned();
            let mut names = Vec::new();
            for (i, ((name, way, digits), joint)) in parts.iter().enumerate() {
                if i > 0 {
                    sentence.push_str(joint);
                }
                match way {
                    0 => sentence.extend(name.chars().flat_map(|c| [c, ' '])),
                    1 => sentence.push_str(&name.to_uppercase()),
                    _ => sentence.push_str(name),
                }
                names.push(*name);
                if !digits.is_empty() {
                    sentence.push_str(&format!(" {digits}"));
                }
            }
            let at = if is_sign { " @ " } else { " at " };
            sentence.push_str(at);
            sentence.push_str(HOSTS[host]);
            sentence.push_str(TAILS[tail]);
            (sentence, names)
        },
    )
}
