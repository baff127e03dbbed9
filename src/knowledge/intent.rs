//! What a caller's words ask for besides facts: a person, a message, a repeat,
//! a goodbye, a courtesy, in Nigerian English and Pidgin. Deterministic, and
//! shy of false hits: a "no" inside a longer question is part of the question.

use super::file::{KnowledgeBase, Person};
use super::finding::{Finding, Spoken};
use super::pidgin::in_english;
use super::sayings::{
    ANYONE, BACKCHANNEL, FILLERS, GOODBYE, GREETING, HEAR_ME, HELP, HOW_ARE_YOU, MESSAGE, NO, PUT_THROUGH, REPEAT,
    REPEAT_INSIDE, SLOWER, THANKS, WAIT, WHO, YES,
};

/// What became of the words.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Intent {
    Settled(Finding),
    /// None of these: the words that are the question, courtesies taken off.
    Question(Vec<String>),
}

/// A longer sentence than this is not just a request to repeat.
const SHORT: usize = 10;

pub(super) fn read(words: &[String], base: &KnowledgeBase) -> Intent {
    let core: Vec<&str> = words.iter().map(String::as_str).filter(|w| !FILLERS.contains(w)).collect();
    // "Please?" alone asks to hear it again in Nigerian English.
    if core.is_empty() {
        let asked = words.iter().any(|w| matches!(w.as_str(), "please" | "ma" | "sir"));
        return Intent::Settled(if asked { Finding::Repeat { slower: false } } else { Finding::Backchannel });
    }
    let mut rest: &[&str] = &core;
    let mut last = None;
    while !rest.is_empty() {
        if let Some(finding) = whole(rest, base) {
            // "No, that is all, thank you": the thanks do not undo the no.
            let thanked = matches!(finding, Finding::Courtesy(_)) && THANKS.contains(&rest.join(" ").as_str());
            return Intent::Settled(if last == Some(Finding::No) && thanked { Finding::No } else { finding });
        }
        let Some((finding, taken)) = opener(rest, base) else { break };
        last = Some(finding);
        rest = &rest[taken..];
    }
    match last {
        Some(finding) if rest.is_empty() => Intent::Settled(finding),
        _ => Intent::Question(in_english(rest)),
    }
}

/// The words as one saying, all of them.
fn whole(words: &[&str], base: &KnowledgeBase) -> Option<Finding> {
    let said = words.join(" ");
    let is = |table: &[&str]| table.contains(&said.as_str());
    let has = |table: &[&str]| table.iter().any(|phrase| contains_words(&said, phrase));
    if words.len() <= SHORT && has(SLOWER) {
        return Some(Finding::Repeat { slower: true });
    }
    let exact = [
        (YES, Finding::Yes),
        (NO, Finding::No),
        (GOODBYE, Finding::Goodbye),
        (WAIT, Finding::Wait),
        (BACKCHANNEL, Finding::Backchannel),
        (REPEAT, Finding::Repeat { slower: false }),
    ];
    if let Some((_, finding)) = exact.into_iter().find(|(table, _)| is(table)) {
        return Some(finding);
    }
    if let Some(reply) = courtesy(&said, base) {
        return Some(Finding::Courtesy(reply));
    }
    if words.len() <= SHORT && has(REPEAT_INSIDE) {
        return Some(Finding::Repeat { slower: false });
    }
    // "Can the doctor call me?", whoever it is.
    if has(MESSAGE) || words.len() > 2 && said.ends_with(" call me") {
        return Some(Finding::LeaveMessage);
    }
    person(&said, words, base)
}

/// Whether the words are those of somebody who waits for an answer: thanks, a greeting
/// or "can you hear me?", with nothing beside it but what listens. They ask for nothing
/// of their own, and end nothing either.
pub fn only_waits(words: &str) -> bool {
    /// The longest of these sayings has this many words.
    const LONGEST: usize = 5;
    /// Greetings of which one word is heard are also the time that one prefers.
    const TIMES: [&str; 3] = ["morning", "afternoon", "evening"];
    let words = super::words::tokens(words);
    let core: Vec<&str> = words.iter().map(String::as_str).filter(|w| !FILLERS.contains(w)).collect();
    let mut rest: &[&str] = &core;
    while !rest.is_empty() {
        let waits = |n: &usize| {
            let said = rest[..*n].join(" ");
            let is = |table: &&[&str]| table.contains(&said.as_str());
            !TIMES.contains(&said.as_str()) && [YES, BACKCHANNEL, THANKS, GREETING, HEAR_ME].iter().any(is)
        };
        let Some(taken) = (1..=rest.len().min(LONGEST)).rev().find(waits) else { return false };
        rest = &rest[taken..];
    }
    !core.is_empty()
}

/// A courtesy or a bare word with which a longer turn begins.
fn opener(words: &[&str], base: &KnowledgeBase) -> Option<(Finding, usize)> {
    /// The longest saying that opens a turn has this many words.
    const LONGEST: usize = 8;
    (1..=words.len().min(LONGEST)).rev().find_map(|n| {
        let said = words[..n].join(" ");
        let is = |table: &[&str]| table.contains(&said.as_str());
        let finding = if is(YES) && !is(&["it is", "i do", "i would", "that is it"]) {
            Finding::Yes
        } else if n > 1 && is(NO) && n < words.len() {
            Finding::No
        } else if is(&["no", "nope", "nah", "no thanks", "no thank you"]) {
            // "No parking?" is a question; "no, I want …" is not.
            let sentence = words.get(n).is_some_and(|w| NO_GOES_ON.contains(w));
            sentence.then_some(Finding::No)?
        } else if is(BACKCHANNEL) {
            Finding::Backchannel
        } else if is(WAIT) && n > 1 {
            Finding::Wait
        } else {
            Finding::Courtesy(courtesy(&said, base)?)
        };
        Some((finding, n))
    })
}

/// After "no", these begin what the caller really wants.
const NO_GOES_ON: &[&str] = &[
    "i", "what", "when", "where", "how", "who", "is", "are", "do", "does", "can", "could", "thank", "thanks", "bye",
    "goodbye", "but", "and", "my", "we", "please", "that", "it", "not", "tell", "let", "wetin", "una", "you", "will",
    "have", "okay",
];

fn contains_words(said: &str, phrase: &str) -> bool {
    said.match_indices(phrase).any(|(at, _)| {
        let end = at + phrase.len();
        (at == 0 || said.as_bytes()[at - 1] == b' ') && (end == said.len() || said.as_bytes()[end] == b' ')
    })
}

fn courtesy(said: &str, base: &KnowledgeBase) -> Option<Spoken> {
    let is = |table: &[&str]| table.contains(&said);
    let reply = if is(THANKS) {
        "You are welcome. Is there anything else?".to_owned()
    } else if matches!(said, "good morning" | "good afternoon" | "good evening" | "good day") {
        format!("{}{}. How may I help you?", said[..1].to_uppercase(), &said[1..])
    } else if is(GREETING) {
        "Hello. How may I help you?".to_owned()
    } else if matches!(
        said,
        "how far"
            | "how far na"
            | "how now"
            | "how body"
            | "how you dey"
            | "how una dey"
            | "wetin dey happen"
            | "wetin dey"
    ) {
        "I dey o, thank you. How may I help you?".to_owned()
    } else if is(HOW_ARE_YOU) {
        "I am fine, thank you. How may I help you?".to_owned()
    } else if is(HEAR_ME) {
        "Yes, I can hear you. How may I help you?".to_owned()
    } else if is(HELP) {
        "Of course. What would you like to know?".to_owned()
    } else if is(WHO) {
        format!(
            "I am the telephone assistant of {}, a computer. I can answer questions, take a message, or ask for a person for you.",
            base.name
        )
    } else {
        return None;
    };
    Some(Spoken { text: super::as_spoken(&reply).into(), entry: None })
}

fn person(said: &str, words: &[&str], base: &KnowledgeBase) -> Option<Finding> {
    let through = PUT_THROUGH.iter().filter_map(|p| said.match_indices(p).next().map(|(at, _)| at + p.len())).max();
    if let Some(end) = through {
        let wanted = said[end..].trim();
        let plain = ["speak", "talk", "transfer", "put", "connect"].iter().any(|v| said.contains(v));
        // "Can I get a report from the doctor?" asks for the report.
        let briefly = plain || wanted.split(' ').count() <= 3;
        if let Some(found) = base.person(wanted).filter(|_| briefly) {
            return Some(Finding::Person { name: Some(found.name.clone()) });
        }
        // "I want to speak with the pharmacist": somebody whom the file does not name.
        let to_talk = ["speak", "talk"].iter().any(|v| said.contains(v));
        let by_role = wanted.starts_with("the ") || wanted.starts_with("your ") || wanted.starts_with("a ");
        if to_talk && by_role && wanted.split(' ').count() <= 3 {
            return Some(Finding::Person { name: None });
        }
        let asked = ANYONE.iter().any(|a| contains_words(wanted, a));
        if asked && (plain || words.len() <= SHORT) || wanted.is_empty() && said.contains("put me through") {
            return Some(Finding::Person { name: None });
        }
    }
    let short = words.len() <= 4;
    if short
        && ["customer care", "real person", "human being", "operator", "an operator", "agent", "receptionist", "human"]
            .iter()
            .any(|p| contains_words(said, p))
    {
        return Some(Finding::Person { name: base.person(said).map(|p| p.name.clone()) });
    }
    // "Is Dr Amina around?"
    let around =
        ["around", "available", "there", "in", "on seat", "dey around", "dey"].iter().any(|w| contains_words(said, w));
    if around
        && words.len() <= 6
        && let Some(found) = base.people.iter().find(|p| named(p, said))
    {
        return Some(Finding::Person { name: Some(found.name.clone()) });
    }
    None
}

impl KnowledgeBase {
    /// The person whom a caller calls by a name, a role or a department.
    pub fn person(&self, wanted: &str) -> Option<&Person> {
        let wanted = super::words::tokens(wanted).join(" ");
        self.people.iter().find(|p| named(p, &wanted)).or_else(|| {
            self.people.iter().find(|p| {
                p.role.iter().chain(&p.also).any(|role| contains_words(&wanted, &super::words::tokens(role).join(" ")))
            })
        })
    }
}

/// Whether words have one of the person's names in them; titles are not names.
fn named(person: &Person, said: &str) -> bool {
    const TITLES: [&str; 14] = [
        "dr", "doctor", "mr", "mrs", "miss", "ms", "mister", "nurse", "pastor", "chief", "engineer", "prof", "alhaji",
        "alhaja",
    ];
    // A name that is also a day is not a name when the day may be meant.
    super::words::tokens(&person.name)
        .iter()
        .filter(|n| !TITLES.contains(&n.as_str()) && n.len() > 2 && super::when::weekday_named(n).is_none())
        .any(|n| contains_words(said, n))
}

#[cfg(test)]
mod tests {
    use super::super::words::tokens;
    use super::*;

    fn base() -> KnowledgeBase {
        KnowledgeBase::parse("clinic.toml", include_str!("../../firmware-config/knowledge/clinic.toml")).unwrap()
    }

    fn settled(text: &str) -> Option<Finding> {
        match read(&tokens(text), &base()) {
            Intent::Settled(finding) => Some(finding),
            Intent::Question(_) => None,
        }
    }

    fn question(text: &str) -> String {
        match read(&tokens(text), &base()) {
            Intent::Question(words) => words.join(" "),
            Intent::Settled(finding) => format!("{finding:?}"),
        }
    }

    #[test]
    fn bare_answers_are_bare_answers() {
        for text in ["Yes.", "Yes, please.", "yeah", "Na so.", "That's right, sir."] {
            assert_eq!(settled(text), Some(Finding::Yes), "{text}");
        }
        for text in ["No.", "No, thank you.", "That's all.", "No, that will be all, thanks."] {
            let found = settled(text);
            assert!(found == Some(Finding::No) || matches!(found, Some(Finding::Courtesy(_))), "{text}: {found:?}");
        }
        for text in ["Okay.", "Mm-hm.", "Ehen"] {
            assert_eq!(settled(text), Some(Finding::Backchannel), "{text}");
        }
    }

    #[test]
    fn a_question_behind_a_courtesy_is_the_question() {
        assert_eq!(question("Yes, and are you open Sunday?"), "are you open sunday");
        assert_eq!(question("Good morning, how much is a malaria test?"), "how much is a malaria test");
        assert_eq!(question("Thank you. Do you have parking?"), "do you have parking");
        assert_eq!(question("Is there no parking?"), "is there no parking");
        assert_eq!(question("No parking there?"), "no parking there");
    }

    #[test]
    fn a_question_in_pidgin_becomes_one_that_can_be_embedded() {
        assert_eq!(question("Abeg, una get parking?"), "do you have parking");
        assert_eq!(question("Una fit treat my pikin?"), "you can treat my child");
        assert_eq!(question("How much be scan?"), "how much is scan");
    }

    #[test]
    fn goodbyes_waits_and_repeats_are_known() {
        for text in ["Okay, thank you, bye.", "Bye bye", "Thanks, have a nice day!", "No thank you, bye"] {
            assert_eq!(settled(text), Some(Finding::Goodbye), "{text}");
        }
        for text in ["Hold on please", "one moment", "wait small"] {
            assert_eq!(settled(text), Some(Finding::Wait), "{text}");
        }
        for text in ["Pardon?", "Abeg, wetin you talk?", "Sorry, I didn't hear that", "Could you say that again please"]
        {
            assert_eq!(settled(text), Some(Finding::Repeat { slower: false }), "{text}");
        }
        assert_eq!(settled("Please speak more slowly"), Some(Finding::Repeat { slower: true }));
    }

    #[test]
    fn thanks_and_hellos_wait_for_an_answer_and_what_asks_or_ends_something_does_not() {
        for text in [
            "Okay, thank you.",
            "Thank you very much, sir.",
            "Hello?",
            "Hello, hello! Can you hear me?",
            "Yes, hello. Are you there?",
            "Good morning o",
            "You dey hear me?",
            "All right, no problem.",
        ] {
            assert!(only_waits(text), "{text}");
        }
        for text in [
            "",
            "Please?",
            "Okay, thank you, bye.",
            "That's all, thank you.",
            "No, thank you.",
            "Hold on.",
            "Hello, how much is it?",
            "Morning.",
            "Can I speak to somebody?",
            "Thank you. A message, please.",
            "Pardon?",
        ] {
            assert!(!only_waits(text), "{text}");
        }
    }

    #[test]
    fn people_are_asked_for_by_name_by_role_or_just_so() {
        assert_eq!(settled("I want to speak to a person"), Some(Finding::Person { name: None }));
        assert_eq!(settled("Abeg I wan talk to somebody"), Some(Finding::Person { name: None }));
        let amina = Some(Finding::Person { name: Some("Dr Amina Bello".to_owned()) });
        assert_eq!(settled("Can I speak with Dr. Amina please?"), amina);
        assert_eq!(settled("Is Dr Amina around?"), amina);
        assert_eq!(settled("Can I get a medical report from the doctor?"), None);
        assert_eq!(settled("I want to speak with the pharmacist"), Some(Finding::Person { name: None }));
        assert_eq!(settled("Can I talk to you about the scan?"), None);
        let accounts = Some(Finding::Person { name: Some("Chinedu Eze".to_owned()) });
        assert_eq!(settled("Put me through to accounts"), accounts);
    }

    #[test]
    fn messages_and_calls_back_are_known() {
        for text in
            ["I'd like to leave a message", "Can somebody call me back?", "make una call me", "Can the doctor call me?"]
        {
            assert_eq!(settled(text), Some(Finding::LeaveMessage), "{text}");
        }
    }

    #[test]
    fn pidgin_greetings_get_a_fitting_reply() {
        for text in ["How far?", "Good morning o", "Thank you sir", "Are you a robot?"] {
            assert!(matches!(settled(text), Some(Finding::Courtesy(_))), "{text}");
        }
        let Some(Finding::Courtesy(reply)) = settled("how far") else { panic!("no reply") };
        assert!(reply.text.expose().starts_with("I dey"));
    }
}
