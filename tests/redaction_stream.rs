//! Redaction of text that comes in pieces and over turns: the same as of the
//! whole, and never a piece of an identifier before its rest was heard.

#![allow(clippy::expect_used, clippy::panic, reason = "the helpers of tests are tests too")]

#[path = "redaction/corpus.rs"]
#[allow(dead_code, reason = "shared with the other tests of redaction")]
mod corpus;
#[path = "redaction/speakers.rs"]
#[allow(dead_code, reason = "shared with the other tests of redaction")]
mod speakers;

use corpus::{cases, marked, read, sentences};
use milu::privacy::{CAREFUL_MAX, Redactor, Side, Spoken, StreamRedactor};
use proptest::prelude::*;

const ALL: [&str; 6] = ["written", "spoken", "pidgin", "email", "calls", "later"];

/// What comes out when `text` is fed in chunks that end at `cuts`.
fn streamed(text: &str, cuts: &[usize]) -> Vec<String> {
    let mut stream = StreamRedactor::new();
    let mut released = Vec::new();
    let mut from = 0;
    for cut in cuts.iter().copied().chain([text.len()]) {
        released.push(stream.push(&text[from..cut]));
        from = cut;
    }
    released.push(stream.finish());
    released
}

/// Places between characters.
fn places(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).skip(1).collect()
}

#[test]
fn a_text_cut_at_any_place_comes_out_as_the_whole_does() {
    let texts = ALL.iter().flat_map(|file| cases(file)).map(|case| case.text).chain(sentences("whole"));
    for text in texts {
        let whole = Redactor::new().redact(&text);
        for cut in places(&text) {
            assert_eq!(streamed(&text, &[cut]).concat(), whole, "cut at {cut}: {text}");
        }
        assert_eq!(streamed(&text, &places(&text)).concat(), whole, "letter by letter: {text}");
    }
}

#[test]
fn no_piece_of_an_identifier_comes_out_while_it_is_being_said() {
    for case in ALL.into_iter().flat_map(cases) {
        let whole = Redactor::new().redact(&case.text);
        let mut stream = StreamRedactor::new();
        let mut so_far = String::new();
        for (at, c) in case.text.char_indices() {
            so_far += &stream.push(c.encode_utf8(&mut [0; 4]));
            assert!(whole.starts_with(&so_far), "after {at}: {so_far} is no beginning of {whole}");
            let is_within = case.private.iter().any(|(_, span)| span.contains(&at) && span.start < at);
            if is_within {
                // Nothing since the identifier began: what came out ends before it.
                let begin = case.private.iter().filter(|(_, span)| span.contains(&at)).map(|(_, span)| span.start);
                assert!(begin.clone().all(|begin| so_far.len() <= begin + labels_longer(&so_far)), "{so_far}");
            }
        }
    }
}

/// Octets by which labels may have made the text longer.
fn labels_longer(text: &str) -> usize {
    text.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(label, _)| label.len() + 2).sum()
}

#[test]
fn plain_talk_is_held_back_by_a_few_words_only() {
    let talk = "Good morning, I want to know whether you sell brown bread and whether the big cake is ready today";
    let mut stream = StreamRedactor::new();
    let out = stream.push(talk);
    let held = talk.len() - out.len();
    assert!(talk.starts_with(&out));
    assert!(talk[out.len()..].split_whitespace().count() <= 5, "{held} octets are held: {}", &talk[out.len()..]);
}

#[test]
fn a_hypothesis_shows_nothing_of_a_number_that_is_still_being_said() {
    let stream = StreamRedactor::new();
    for words in
        ["My", "My number is", "My number is oh eight", "My number is 0803 one two", "My number is 0803 123 4567"]
    {
        let shown = stream.so_far(words);
        assert!(!shown.contains(char::is_numeric) && !shown.contains("eight"), "{shown}");
    }
    assert!(
        stream
            .so_far("My number is 0803 123 4567 and I want to buy some bread and cake from you")
            .contains("[phone number]")
    );
}

struct Call {
    turns: Vec<(Side, corpus::Case)>,
    late: usize,
}

fn calls() -> Vec<Call> {
    let file = read("turns");
    let calls = file["call"].as_array().expect("a list of calls");
    let turn = |row: &toml::Value| {
        let side = if row[0].as_str() == Some("box") { Side::Box } else { Side::Caller };
        (side, marked(row[1].as_str().expect("words")))
    };
    let call = |call: &toml::Value| Call {
        turns: call["turns"].as_array().expect("turns").iter().map(turn).collect(),
        late: call.get("late").map_or(0, |n| usize::try_from(n.as_integer().expect("a number")).expect("a count")),
    };
    calls.iter().map(call).collect()
}

#[test]
fn a_number_split_over_turns_goes_from_each_of_them() {
    for call in calls() {
        let turns: Vec<Spoken<'_>> =
            call.turns.iter().map(|(side, case)| Spoken { side: *side, words: &case.text }).collect();
        let redacted = Redactor::new().redact_turns(&turns);
        for ((_, case), given) in call.turns.iter().zip(&redacted) {
            assert_eq!(speakers::digits_left(given), speakers::digits_left(&case.redacted), "{} -> {given}", case.text);
            assert_eq!(given.contains('['), case.redacted.contains('['), "{} -> {given}", case.text);
        }
    }
}

#[test]
fn of_a_number_split_over_turns_no_more_goes_out_at_once_than_could_be_known() {
    for call in calls() {
        let mut caller = StreamRedactor::new();
        let mut late = 0;
        for (side, case) in &call.turns {
            if *side == Side::Box {
                caller.asked(&case.text);
                continue;
            }
            let given = caller.push(&case.text) + &caller.end_turn();
            late += speakers::digits_left(&given).saturating_sub(speakers::digits_left(&case.redacted));
        }
        let said: Vec<&str> = call.turns.iter().map(|(_, case)| case.text.as_str()).collect();
        assert!(late <= call.late, "{late} digits went out: {said:?}");
    }
}

#[test]
fn behind_what_a_turn_can_hold_every_number_goes() {
    let sentence = "I want 12 loaves for 500 naira. ";
    let text = sentence.repeat(2 * CAREFUL_MAX / sentence.len());
    let redacted = Redactor::new().redact(&text);
    assert!(redacted.starts_with(sentence));
    let tail = &redacted[CAREFUL_MAX + 200..];
    assert_eq!(speakers::digits_left(tail), 0, "{tail}");
    assert_eq!(streamed(&text, &places(&text)).concat(), redacted);
    // The next turn is read with care again.
    let mut stream = StreamRedactor::new();
    stream.push(&text);
    stream.end_turn();
    assert_eq!(stream.push(sentence) + &stream.end_turn(), sentence);
}

#[test]
fn what_hangs_together_without_end_goes_as_a_whole_and_is_not_held() {
    for piece in ["7", "7 ", "one ", "a.", "a dot ", "x@", "double ", "((((", "email ", "+ ", "at dot "] {
        let text = piece.repeat(50_000 / piece.len());
        let mut stream = StreamRedactor::new();
        let mut held_most = 0;
        let mut fed = 0;
        let mut out = 0;
        for chunk in text.as_bytes().chunks(100).map(|chunk| std::str::from_utf8(chunk).expect("ASCII")) {
            fed += chunk.len();
            out += stream.push(chunk).len();
            held_most = held_most.max(fed.saturating_sub(out));
        }
        let rest = stream.finish();
        assert!(rest.len() < 40_000, "{} octets of {piece:?} were held", rest.len());
        if piece.contains(['7', 'o']) && !piece.contains('@') && !piece.contains("dot") && !piece.contains("double") {
            let redacted = Redactor::new().redact(&text);
            assert_eq!(speakers::digits_left(&redacted), 0, "{piece:?}");
        }
    }
}

proptest! {
    #[test]
    fn any_talk_in_any_chunks_comes_out_as_the_whole_does(
        text in speakers::talk(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let places = places(&text);
        let mut cuts: Vec<usize> =
            cuts.iter().filter(|_| !places.is_empty()).map(|cut| places[cut.index(places.len())]).collect();
        cuts.sort_unstable();
        prop_assert_eq!(streamed(&text, &cuts).concat(), Redactor::new().redact(&text));
    }

    #[test]
    fn no_chunk_of_a_number_said_at_random_lets_a_digit_out(
        spoken in speakers::number(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let places = places(&spoken.sentence);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| places[cut.index(places.len())]).collect();
        cuts.sort_unstable();
        for piece in streamed(&spoken.sentence, &cuts) {
            prop_assert_eq!(speakers::digits_left(&piece), 0, "{} of {}", piece, spoken.sentence);
        }
    }

    #[test]
    fn a_number_said_at_random_over_turns_is_not_stored(
        spoken in speakers::number(),
        cut in any::<prop::sample::Index>(),
    ) {
        // Between words, as turns are.
        let spaces: Vec<usize> = spoken.sentence.match_indices(' ').map(|(at, _)| at).collect();
        prop_assume!(!spaces.is_empty());
        let (one, two) = spoken.sentence.split_at(spaces[cut.index(spaces.len())]);
        let turns = [one, two].map(|words| Spoken { side: Side::Caller, words });
        let redacted = Redactor::new().redact_turns(&turns);
        prop_assert_eq!(speakers::digits_left(&redacted.concat()), 0, "{:?}", redacted);
    }

    #[test]
    fn nothing_that_is_said_over_turns_ends_the_redactor(turns in prop::collection::vec((any::<bool>(), speakers::talk()), 0..5)) {
        let turns: Vec<Spoken<'_>> = turns
            .iter()
            .map(|(is_box, words)| Spoken { side: if *is_box { Side::Box } else { Side::Caller }, words })
            .collect();
        prop_assert_eq!(Redactor::new().redact_turns(&turns).len(), turns.len());
    }
}
