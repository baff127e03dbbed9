//! What a caller wishes of their voice and words, said in the call. The box knows
//! fixed ways of saying it, in English and in Nigerian Pidgin, and no model is
//! asked: a wish must not depend on one, and its words must not go to one first.
//! Whoever is misunderstood hears it, because each wish is confirmed aloud, and
//! gets less done with their data and never more: only a consent allows anything,
//! and that is taken from plain words alone.

use crate::residency::{CallerWish, CallerWishes};

/// What a caller can wish in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Of what leaves the box.
    OfData(CallerWish),
    /// The caller's voice is not to be recorded.
    Unrecorded,
}

impl Wish {
    pub const ALL: [Self; 5] = [
        Self::OfData(CallerWish::Consents),
        Self::OfData(CallerWish::Withdraws),
        Self::OfData(CallerWish::Objects),
        Self::OfData(CallerWish::Restricts),
        Self::Unrecorded,
    ];

    /// The name in records and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OfData(wish) => wish.name(),
            Self::Unrecorded => "unrecorded",
        }
    }

    /// Whether who wishes this wants fewer to have their voice, and so no person of
    /// the business's to listen unseen.
    pub const fn ends_listening(self) -> bool {
        match self {
            Self::OfData(CallerWish::Consents) => false,
            Self::OfData(CallerWish::Withdraws | CallerWish::Objects | CallerWish::Restricts) | Self::Unrecorded => {
                true
            }
        }
    }
}

/// A wish, and when in the call it was uttered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wished {
    /// Milliseconds after the answer.
    pub at_ms: u64,
    pub wish: Wish,
}

/// All wishes of data together.
pub(super) fn of_data(wishes: &[Wished]) -> CallerWishes {
    let of_data = wishes.iter().filter_map(|wished| match wished.wish {
        Wish::OfData(wish) => Some(wish),
        Wish::Unrecorded => None,
    });
    of_data.fold(CallerWishes::default(), CallerWishes::and)
}

/// A wish in what the caller said, and what else they said beside it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Uttered {
    pub(super) wish: Wish,
    /// Other sentences of the same turn; empty if there are none.
    pub(super) rest: String,
}

/// Words of one sentence that are looked at: nobody needs more for a wish, and a
/// long message that mentions one is still a message.
const SENTENCE_WORDS_MAX: usize = 24;

/// The wish in the words of a turn. The last one counts, a consent only if there
/// is no other.
pub(super) fn uttered(words: &str) -> Option<Uttered> {
    let mut found: Option<Wish> = None;
    let mut rest = String::new();
    for sentence in words.split_inclusive(['.', '?', '!', ';']) {
        match in_sentence(sentence) {
            Some(Wish::OfData(CallerWish::Consents)) if found.is_some() => {}
            Some(wish) => found = Some(wish),
            None => rest.push_str(sentence),
        }
    }
    let has_words = rest.split_whitespace().count() >= REST_WORDS_MIN;
    found.map(|wish| Uttered { wish, rest: if has_words { rest.trim().to_owned() } else { String::new() } })
}

/// "Hello." and "please" beside a wish ask for nothing.
const REST_WORDS_MIN: usize = 3;

fn in_sentence(sentence: &str) -> Option<Wish> {
    let words = plain(sentence);
    if words.len() > SENTENCE_WORDS_MAX {
        return None;
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if refuses(&words, RECORDS, |after| begins_with_any(after, TO_RECORD)) || stops(&words, RECORDING, &[]) {
        return Some(Wish::Unrecorded);
    }
    let sends = |after: &[&str]| {
        let near = &after[..after.len().min(OBJECT_WITHIN)];
        has_any(near, OWN_DATA) || begins_with_any(near, IT) && has_any(near, AWAY)
    };
    if refuses(&words, SENDS, sends) || stops(&words, SENDING, OWN_DATA) || keeps_here(&words) {
        return Some(Wish::OfData(CallerWish::Restricts));
    }
    if has_any(&words, OBJECTIONS) {
        return Some(Wish::OfData(CallerWish::Objects));
    }
    if has_any(&words, WITHDRAWALS) || is_one_of(&words, REFUSALS) {
        return Some(Wish::OfData(CallerWish::Withdraws));
    }
    is_one_of(&words, CONSENTS).then_some(Wish::OfData(CallerWish::Consents))
}

// ---- the words -------------------------------------------------------------

/// What makes the verb behind it a refusal; longer ones first.
const NOT: &[&[&str]] = &[&["do", "not"], &["must", "not"], &["dont"], &["never"], &["not"], &["no"], &["mustnt"]];

/// Words that may stand between the refusal and its verb: "I do not WANT YOU TO
/// record", "no LET THEM send". Nothing that turns it round: "I don't mind if".
const BETWEEN: &[&str] = &[
    "want", "wan", "like", "wish", "allow", "let", "make", "una", "you", "u", "them", "dem", "anyone", "anybody",
    "somebody", "to", "be", "ever", "please", "abeg", "should", "go", "even", "have", "the", "machine", "i", "me",
    "my", "voice", "call", "words", "data", "this",
];

/// Between a refusal and its verb lie at most so many words.
const BETWEEN_MAX: usize = 6;

const RECORDS: &[&str] = &["record", "recorded", "tape"];

/// Behind the verb: whom or what. Nothing at all is the caller too.
const TO_RECORD: &[&[&str]] = &[
    &["me"],
    &["my", "voice"],
    &["my", "call"],
    &["my", "words"],
    &["this"],
    &["the", "call"],
    &["us"],
    &["am"],
    &["it"],
    &["anything"],
    &["wetin", "i"],
    &["what", "i"],
    &["please"],
    &["abeg"],
    &["o"],
    &["sir"],
    &["ma"],
];

const RECORDING: &[&str] = &["recording", "record"];

const SENDS: &[&str] = &[
    "send",
    "sent",
    "share",
    "shared",
    "transfer",
    "transferred",
    "forward",
    "upload",
    "uploaded",
    "give",
    "pass",
    "carry",
];

const SENDING: &[&str] = &["sending", "sharing", "transferring", "uploading", "giving"];

/// A verb and what is sent lie so near each other.
const OBJECT_WITHIN: usize = 8;

const OWN_DATA: &[&[&str]] = &[
    &["my", "voice"],
    &["my", "words"],
    &["my", "data"],
    &["my", "information"],
    &["my", "info"],
    &["my", "details"],
    &["my", "call"],
    &["my", "recording"],
    &["my", "tok"],
    &["this", "call"],
    &["the", "call"],
    &["this", "recording"],
    &["what", "i", "say"],
    &["what", "i", "said"],
    &["wetin", "i", "talk"],
    &["wetin", "i", "dey", "talk"],
];

const IT: &[&[&str]] = &[&["it"], &["am"], &["this"], &["anything"], &["me"], &["to"], &["go"], &["out"], &["abroad"]];

const AWAY: &[&[&str]] = &[
    &["cloud"],
    &["abroad"],
    &["overseas"],
    &["out", "of", "the", "country"],
    &["out", "of", "nigeria"],
    &["outside"],
    &["oyinbo"],
    &["america"],
    &["internet"],
    &["third", "parties"],
    &["another", "company"],
    &["other", "companies"],
    &["any", "company"],
];

const OBJECTIONS: &[&[&str]] = &[
    &["i", "object", "to"],
    &["i", "am", "objecting"],
    &["i", "want", "to", "object"],
    &["i", "raise", "an", "objection"],
    &["no", "use", "my", "data"],
    &["do", "not", "use", "my", "data"],
    &["dont", "use", "my", "data"],
    &["do", "not", "process", "my", "data"],
    &["dont", "process", "my", "data"],
];

const WITHDRAWALS: &[&[&str]] = &[
    &["withdraw", "my", "consent"],
    &["take", "back", "my", "consent"],
    &["take", "my", "consent", "back"],
    &["i", "do", "not", "consent"],
    &["i", "dont", "consent"],
    &["i", "no", "longer", "consent"],
    &["i", "no", "longer", "agree"],
    &["i", "no", "gree", "again"],
    &["i", "no", "consent"],
];

/// Only as the whole sentence: one may disagree with a price.
const REFUSALS: &[&[&str]] = &[
    &["i", "do", "not", "agree"],
    &["i", "dont", "agree"],
    &["i", "no", "gree"],
    &["i", "no", "agree"],
    &["no", "i", "do", "not", "agree"],
    &["no", "i", "dont", "agree"],
    &["no", "i", "no", "gree"],
    &["i", "refuse"],
];

/// Only as the whole sentence: a consent is plain or it is none.
const CONSENTS: &[&[&str]] = &[
    &["i", "agree"],
    &["i", "consent"],
    &["i", "do", "agree"],
    &["i", "do", "consent"],
    &["i", "gree"],
    &["i", "don", "gree"],
    &["i", "give", "my", "consent"],
    &["yes", "i", "agree"],
    &["yes", "i", "consent"],
    &["yes", "i", "gree"],
    &["okay", "i", "agree"],
    &["ok", "i", "agree"],
];

/// Said beside anything and changing nothing.
const POLITE: &[&str] =
    &["please", "abeg", "sir", "ma", "madam", "o", "oo", "now", "well", "oh", "ah", "just", "hello"];

// ---- looking for them ------------------------------------------------------

/// In lower case, without what is neither letter nor digit: "don't" is "dont".
fn plain(sentence: &str) -> Vec<String> {
    let kept =
        |word: &str| -> String { word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    sentence.split([' ', '\t', '\n', ',', '-', ':']).map(kept).filter(|word| !word.is_empty()).collect()
}

fn begins_with_any(words: &[&str], beginnings: &[&[&str]]) -> bool {
    beginnings.iter().any(|beginning| words.starts_with(beginning))
}

fn has_any(words: &[&str], phrases: &[&[&str]]) -> bool {
    (0..words.len()).any(|at| begins_with_any(&words[at..], phrases))
}

fn is_one_of(words: &[&str], phrases: &[&[&str]]) -> bool {
    let plain: Vec<&str> = words.iter().copied().filter(|word| !POLITE.contains(word)).collect();
    phrases.iter().any(|phrase| plain == *phrase)
}

/// A refusal of one of `verbs`, with something behind it for which `object` holds.
fn refuses(words: &[&str], verbs: &[&str], object: impl Fn(&[&str]) -> bool) -> bool {
    (0..words.len()).any(|at| {
        let Some(not) = NOT.iter().find(|not| words[at..].starts_with(not)) else { return false };
        let behind = &words[at + not.len()..];
        let between = behind.iter().take(BETWEEN_MAX + 1).position(|word| verbs.contains(word));
        between.is_some_and(|verb| {
            let glue = &behind[..verb];
            let after = &behind[verb + 1..];
            // "I don't want my voice to be recorded": the thing stands before the verb.
            let before = has_any(glue, OWN_DATA);
            glue.iter().all(|word| BETWEEN.contains(word))
                && (before || object(after) || after.is_empty() && verbs == RECORDS)
        })
    })
}

/// "Stop recording", "stop sending my voice".
fn stops(words: &[&str], verbs: &[&str], objects: &[&[&str]]) -> bool {
    (0..words.len()).any(|at| {
        let Some(behind) = words[at..].strip_prefix(&["stop"]) else { return false };
        let behind = behind.strip_prefix(&["the"]).unwrap_or(behind);
        let Some((verb, after)) = behind.split_first() else { return false };
        verbs.contains(verb) && (objects.is_empty() || has_any(after, objects))
    })
}

/// "Keep my voice here", "let everything stay on the box".
fn keeps_here(words: &[&str]) -> bool {
    let keeps = has_any(words, &[&["keep", "my"], &["keep", "this"], &["let", "my"]]);
    keeps
        && has_any(words, OWN_DATA)
        && has_any(words, &[&["on", "the", "box"], &["in", "nigeria"], &["inside", "nigeria"], &["for", "nigeria"]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(words: &str) -> Option<Wish> {
        uttered(words).map(|uttered| uttered.wish)
    }

    const RESTRICTS: Wish = Wish::OfData(CallerWish::Restricts);
    const OBJECTS: Wish = Wish::OfData(CallerWish::Objects);
    const WITHDRAWS: Wish = Wish::OfData(CallerWish::Withdraws);
    const AGREES: Wish = Wish::OfData(CallerWish::Consents);

    #[test]
    fn who_does_not_want_to_be_recorded_is_understood_in_english_and_in_pidgin() {
        for words in [
            "Don't record me.",
            "Please do not record this call.",
            "I don't want you to record me, please.",
            "I do not want to be recorded.",
            "I don't want my voice to be recorded.",
            "You must not record me!",
            "Stop recording.",
            "Please stop the recording.",
            "No record me o.",
            "Abeg, no record my voice.",
            "Make una no record me.",
            "I no want make you record me.",
            "I no want make una record this call.",
            "Never record me.",
        ] {
            assert_eq!(wish(words), Some(Wish::Unrecorded), "{words}");
        }
    }

    #[test]
    fn who_wants_nothing_to_leave_is_understood_in_english_and_in_pidgin() {
        for words in [
            "Do not send my voice to the cloud.",
            "Please don't send my voice to the cloud!",
            "Don't share my data with anybody.",
            "I don't want you to send my voice abroad.",
            "I do not want my voice sent to America.",
            "Never give my information to another company.",
            "Don't send this call to the cloud",
            "Don't send it to the cloud.",
            "Stop sending my voice to the cloud.",
            "Make you no send my voice go cloud.",
            "I no want make una send my voice go outside.",
            "Abeg no send wetin I talk go abroad.",
            "No carry my voice go oyinbo people.",
            "Keep my voice on the box.",
        ] {
            assert_eq!(wish(words), Some(RESTRICTS), "{words}");
        }
    }

    #[test]
    fn objections_and_consents_are_plain_words() {
        for words in ["I object to that.", "I object to the use of my data.", "Don't use my data.", "No use my data o"]
        {
            assert_eq!(wish(words), Some(OBJECTS), "{words}");
        }
        for words in
            ["I agree.", "Yes, I agree.", "I consent.", "I gree.", "Okay, I agree please", "I don gree o", "Yes I gree"]
        {
            assert_eq!(wish(words), Some(AGREES), "{words}");
        }
        for words in
            ["I take back my consent.", "I do not consent", "I no gree.", "No, I don't agree.", "I no gree again o"]
        {
            assert_eq!(wish(words), Some(WITHDRAWS), "{words}");
        }
    }

    #[test]
    fn words_that_only_sound_like_a_wish_are_none() {
        for words in [
            "I don't mind if you record me.",
            "I don't know if you record this call.",
            "Why don't you record my appointment?",
            "You no dey record me?",
            "Do you record calls?",
            "Are you recording me?",
            "Don't send my parcel to Abuja.",
            "Don't send the rider yet.",
            "Please send my result to my email.",
            "Don't give my son the injection.",
            "I agree with the price.",
            "I don't agree with that price.",
            "I agree, but tell me the price first",
            "She said that I agree.",
            "Can you send my results abroad?",
            "I have no record of my last visit.",
            "There is no record card in my file.",
            "What is the object of this call?",
            "No, I want the record of my payment.",
            "Yes.",
            "No.",
            "",
        ] {
            assert_eq!(wish(words), None, "{words}");
        }
    }

    #[test]
    fn what_else_was_said_is_kept_apart_and_the_stricter_of_two_wishes_counts() {
        let both = uttered("Don't record me. When do you open on Sunday?").expect("a wish");
        assert_eq!((both.wish, both.rest.as_str()), (Wish::Unrecorded, "When do you open on Sunday?"));
        let polite = uttered("Hello. Please do not record me. Thank you.").expect("a wish");
        assert_eq!((polite.wish, polite.rest.as_str()), (Wish::Unrecorded, "Hello. Thank you."));
        assert_eq!(wish("Do not send my voice to the cloud. I agree."), Some(RESTRICTS));
    }

    #[test]
    fn wishes_of_a_call_add_up_to_what_a_gate_is_told() {
        let at = |wish| Wished { at_ms: 0, wish };
        let all = [at(AGREES), at(Wish::Unrecorded), at(OBJECTS), at(WITHDRAWS)];
        assert_eq!(of_data(&all), CallerWishes { objects: true, ..CallerWishes::default() });
    }
}
