//! Nigerian Pidgin and turns of phrase of Nigerian English as the English that the
//! embedder knows: what carries the question is kept, its grammar is translated. It
//! translates no more than a question needs, and is never spoken.

/// Each with its meaning; of those that begin alike the longer ones come first. Words that
/// are also English ones of another meaning ("go", "am", "small") stand in phrases alone.
const PHRASES: &[(&[&str], &[&str])] = &[
    // Who is spoken to, and whether something is so.
    (&["where", "una", "dey"], &["where", "are", "you"]),
    (&["where", "you", "dey"], &["where", "are", "you"]),
    (&["una", "people", "get"], &["do", "you", "have"]),
    (&["una", "get"], &["do", "you", "have"]),
    (&["you", "get"], &["you", "have"]),
    (&["no", "get"], &["do", "not", "have"]),
    (&["una", "own"], &["your"]),
    (&["una", "dey"], &["do", "you"]),
    (&["una", "people"], &["you"]),
    (&["una"], &["you"]),
    (&["you", "people"], &["you"]),
    (&["you", "guys"], &["you"]),
    (&["e", "get"], &["there", "is"]),
    (&["e", "go"], &["it", "will"]),
    (&["e", "dey"], &["it", "is"]),
    (&["e", "be"], &["it", "is"]),
    (&["i", "be"], &["i", "am"]),
    // What is asked.
    (&["how", "much", "be"], &["how", "much", "is"]),
    (&["how", "much", "na"], &["how", "much", "is"]),
    (&["na", "how", "much"], &["how", "much", "is", "it"]),
    (&["wetin", "be"], &["what", "is"]),
    (&["wetin"], &["what"]),
    (&["which", "kind"], &["what", "kind", "of"]),
    (&["which", "kain"], &["what", "kind", "of"]),
    (&["which", "time"], &["what", "time"]),
    (&["for", "where"], &["where"]),
    (&["wey"], &["that"]),
    // What is wanted and what can be done.
    (&["i", "wan"], &["i", "want", "to"]),
    (&["i", "dey", "find"], &["i", "need"]),
    (&["make", "i"], &["let", "me"]),
    (&["go", "fit"], &["can"]),
    (&["no", "fit"], &["can", "not"]),
    (&["fit"], &["can"]),
    (&["wan"], &["want", "to"]),
    (&["sabi"], &["know"]),
    (&["yarn"], &["talk"]),
    (&["go", "carry", "come"], &["should", "bring"]),
    (&["carry", "come"], &["bring"]),
    (&["carry", "go"], &["take"]),
    (&["waka", "come"], &["come"]),
    (&["waka"], &["walk"]),
    (&["comot"], &["take", "out"]),
    (&["chop"], &["eat"]),
    // Places, people and things.
    (&["for", "my", "house"], &["at", "my", "home"]),
    (&["for", "house"], &["at", "home"]),
    (&["pikin", "dem"], &["children"]),
    (&["pikin"], &["child"]),
    (&["pickin"], &["child"]),
    // As speech recognition writes it.
    (&["small", "picking"], &["small", "child"]),
    (&["my", "picking"], &["my", "child"]),
    (&["get", "belle"], &["am", "pregnant"]),
    (&["belle", "dey", "pain"], &["stomach", "pains"]),
    (&["belle"], &["pregnancy"]),
    (&["body", "dey", "hot"], &["body", "is", "hot", "with", "fever"]),
    (&["moto"], &["car"]),
    (&["motor"], &["car"]),
    (&["pesin"], &["person"]),
    (&["moni"], &["money"]),
    (&["next", "tomorrow"], &["the", "day", "after", "tomorrow"]),
    (&["sharp", "sharp"], &["quickly"]),
    (&["quick", "quick"], &["quickly"]),
    (&["now", "now"], &["immediately"]),
    (&["dem"], &["they"]),
    (&["dis"], &["this"]),
    (&["dat"], &["that"]),
    // What is left of it says only that something goes on.
    (&["dey", "do"], &["do"]),
    (&["dey"], &[]),
];

pub(super) fn in_english(words: &[&str]) -> Vec<String> {
    let mut english = Vec::with_capacity(words.len());
    let mut i = 0;
    while i < words.len() {
        match PHRASES.iter().find(|(phrase, _)| words[i..].starts_with(phrase)) {
            Some((phrase, meaning)) => {
                english.extend(meaning.iter().map(|w| (*w).to_owned()));
                i += phrase.len();
            }
            None => {
                english.push(words[i].to_owned());
                i += 1;
            }
        }
    }
    english
}

#[cfg(test)]
mod tests {
    use super::*;

    fn english(pidgin: &str) -> String {
        in_english(&pidgin.split(' ').collect::<Vec<_>>()).join(" ")
    }

    #[test]
    fn a_question_in_pidgin_becomes_one_in_english() {
        assert_eq!(english("wetin be the price"), "what is the price");
        assert_eq!(english("una get doctor for small pikin"), "do you have doctor for small child");
        assert_eq!(english("which papers i go carry come"), "which papers i should bring");
        assert_eq!(english("where una dey"), "where are you");
        assert_eq!(english("una dey open next tomorrow"), "do you open the day after tomorrow");
        assert_eq!(english("i fit chop before the test"), "i can eat before the test");
    }

    #[test]
    fn english_stays_as_it_is() {
        for words in ["can i go home", "i am coming to see the doctor", "a small scan", "picking up my results"] {
            assert_eq!(english(words), words);
        }
    }

    #[test]
    fn no_phrase_is_hidden_by_a_shorter_one_before_it() {
        for (i, (phrase, _)) in PHRASES.iter().enumerate() {
            assert!(PHRASES[..i].iter().all(|(earlier, _)| !phrase.starts_with(earlier)), "{phrase:?}");
        }
    }
}
