//! "Text me your address": whether words ask for a text message, and of what.

/// Ways to say that something is wanted in writing, the longest first where one
/// begins as another does. What stands around them is what is wanted.
const WAYS: &[&[&str]] = &[
    &["send", "me", "a", "text", "message", "with"],
    &["send", "me", "a", "text", "message"],
    &["send", "me", "a", "text", "with"],
    &["send", "me", "a", "text"],
    &["send", "me", "an", "sms", "with"],
    &["send", "me", "an", "sms"],
    &["by", "text", "message"],
    &["as", "a", "text", "message"],
    &["in", "a", "text", "message"],
    &["in", "a", "text"],
    &["as", "a", "text"],
    &["by", "text"],
    &["by", "sms"],
    &["as", "sms"],
    &["to", "my", "phone"],
    &["to", "my", "number"],
    &["text", "it", "to", "me"],
    &["text", "that", "to", "me"],
    &["text", "me"],
    &["text", "am", "give", "me"],
    &["message", "me"],
    &["sms", "me"],
];

/// Ways that say so only together with sending.
const WITH_SENDING: &[&[&str]] = &[&["to", "my", "phone"], &["to", "my", "number"]];

/// Around the way and what is wanted, these say nothing.
const AROUND: &[&str] = &[
    "please", "can", "could", "you", "will", "would", "kindly", "just", "abeg", "una", "fit", "i", "want", "to", "me",
    "send", "it", "that", "this", "them", "with", "the", "your", "of", "for", "and", "also", "then", "so", "ok",
    "okay", "yes", "have", "get", "like", "now", "about", "wan",
];

/// What the caller wants in writing: the words for it, none if it is what was
/// spoken of last. `None` if no text message is asked for.
pub(super) fn wanted(words: &[String]) -> Option<Vec<String>> {
    let (at, way) = WAYS.iter().find_map(|way| place(words, way).map(|at| (at, *way)))?;
    if WITH_SENDING.contains(&way) && !words.iter().any(|word| word == "send") {
        return None;
    }
    let mut subject: Vec<String> = words[..at].iter().chain(&words[at + way.len()..]).cloned().collect();
    let empty = |word: Option<&String>| word.is_some_and(|word| AROUND.contains(&word.as_str()));
    while empty(subject.last()) {
        subject.pop();
    }
    while empty(subject.first()) {
        subject.remove(0);
    }
    Some(subject)
}

fn place(words: &[String], way: &[&str]) -> Option<usize> {
    words.windows(way.len()).position(|window| window.iter().zip(way).all(|(word, wanted)| word == wanted))
}

#[cfg(test)]
mod tests {
    use super::super::words::tokens;
    use super::*;

    fn asked(words: &str) -> Option<String> {
        wanted(&tokens(words)).map(|subject| subject.join(" "))
    }

    #[test]
    fn what_is_wanted_in_writing_is_what_stands_around_the_way_to_ask_for_it() {
        for words in [
            "Can you text me your address?",
            "Please send me your address by SMS.",
            "Send me a text with the address, please.",
            "Could you send the address to my phone?",
            "Abeg, text me the address.",
        ] {
            assert!(asked(words).is_some_and(|subject| subject.contains("address")), "{words}");
        }
    }

    #[test]
    fn what_was_spoken_of_last_is_wanted_when_nothing_else_is_named() {
        for words in
            ["Text me that, please.", "Can you send it to my phone?", "Please text it to me.", "Send me an SMS"]
        {
            assert_eq!(asked(words).as_deref(), Some(""), "{words}");
        }
    }

    #[test]
    fn other_words_about_messages_and_telephones_ask_for_none() {
        for words in [
            "I want to leave a message",
            "Can someone call me on my phone?",
            "Do you repair phones?",
            "Is it in the textbook?",
            "I will come to my number seven appointment",
        ] {
            assert_eq!(asked(words), None, "{words}");
        }
    }
}
