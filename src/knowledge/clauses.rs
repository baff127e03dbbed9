//! A caller's turn taken apart: people give a reason first and then ask, or ask
//! and then explain. The whole says what it is about, its last and its longest
//! clause often say what is asked, so each may find the answer.

use super::pidgin::in_english;
use super::sayings::FILLERS;
use super::words::tokens;

/// The whole turn, its last clause and its longest: each costs the embedder
/// some 5 ms, and more clauses found nothing more.
pub(super) const MAX_TEXTS: usize = 3;

/// A shorter clause says nothing alone ("my mother", "this week").
const LEAST_WORDS: usize = 3;

/// What people say before the question itself; the longer ones first.
const LEAD_INS: [&[&str]; 20] = [
    &["i", "would", "like", "to", "know"],
    &["i", "am", "calling", "to", "know"],
    &["i", "am", "calling", "to", "ask"],
    &["i", "am", "calling", "to", "find", "out"],
    &["can", "you", "tell", "me"],
    &["could", "you", "tell", "me"],
    &["can", "i", "know"],
    &["may", "i", "know"],
    &["do", "you", "know"],
    &["i", "want", "to", "know"],
    &["i", "want", "to", "find", "out"],
    &["i", "want", "to", "ask"],
    &["i", "need", "to", "know"],
    &["let", "me", "know"],
    &["let", "me", "ask"],
    &["tell", "me"],
    &["i", "was", "wondering"],
    &["i", "wanted", "to", "ask"],
    &["i", "wanted", "to", "know"],
    &["if"],
];

/// Two words with which a question begins, also in the middle of a turn that
/// speech recognition wrote without a comma.
const ASKING: [[&str; 2]; 24] = [
    ["can", "i"],
    ["can", "you"],
    ["can", "we"],
    ["can", "somebody"],
    ["can", "someone"],
    ["do", "you"],
    ["do", "i"],
    ["does", "it"],
    ["is", "there"],
    ["is", "it"],
    ["are", "there"],
    ["are", "you"],
    ["will", "you"],
    ["will", "i"],
    ["should", "i"],
    ["must", "i"],
    ["how", "much"],
    ["how", "long"],
    ["how", "many"],
    ["how", "do"],
    ["what", "is"],
    ["what", "do"],
    ["where", "can"],
    ["when", "can"],
];

/// The question (courtesies off, in English), then the clauses of the turn
/// that are worth a look of their own.
pub(super) fn texts(turn: &str, question: &[String]) -> Vec<String> {
    let whole = without_lead_in(question);
    let mut texts = vec![whole.join(" ")];
    let clauses = clauses(turn);
    let last = clauses.last();
    // The later of two equally long ones: the question comes after its reason.
    let longest = clauses.iter().max_by_key(|c| c.len());
    for clause in last.into_iter().chain(longest) {
        let text = clause.join(" ");
        if texts.len() < MAX_TEXTS && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// From the nearness of each text to each topic to that of the turn: half the
/// whole, half whichever of the whole and its clauses is nearest. A clause
/// leaves out what may matter, so it counts a little less. None without texts.
pub(super) fn weigh(near: &[Vec<f32>]) -> Option<Vec<f32>> {
    const OF_A_CLAUSE: f32 = 0.06;
    let (whole, clauses) = near.split_first()?;
    let best = |topic: usize, whole: f32| {
        clauses.iter().filter_map(|c| c.get(topic)).fold(whole, |best, near| best.max(near - OF_A_CLAUSE))
    };
    Some(whole.iter().enumerate().map(|(topic, near)| f32::midpoint(*near, best(topic, *near))).collect())
}

fn clauses(turn: &str) -> Vec<Vec<String>> {
    let mut clauses = Vec::new();
    for part in turn.split_inclusive([',', '.', '?', '!', ';']).flat_map(at_mark) {
        let said = tokens(part);
        let said: Vec<&str> = said.iter().map(String::as_str).filter(|w| !FILLERS.contains(w)).collect();
        for clause in at_asking(&in_english(&said)) {
            let clause = without_lead_in(clause);
            if clause.len() >= LEAST_WORDS {
                clauses.push(clause.to_vec());
            }
        }
    }
    clauses
}

/// A part without its mark; a mark inside a number or an abbreviation has
/// already made a part too short to be a clause.
fn at_mark(part: &str) -> Option<&str> {
    let part = part.trim_end_matches([',', '.', '?', '!', ';']).trim();
    (!part.is_empty()).then_some(part)
}

fn at_asking(words: &[String]) -> Vec<&[String]> {
    let asks = |i: usize| words.get(i..i + 2).is_some_and(|w| ASKING.iter().any(|a| a[0] == w[0] && a[1] == w[1]));
    match (LEAST_WORDS..words.len()).find(|i| asks(*i)) {
        Some(at) => vec![&words[..at], &words[at..]],
        None => vec![words],
    }
}

fn without_lead_in(words: &[String]) -> &[String] {
    let mut rest = words;
    while let Some(lead) = LEAD_INS.iter().find(|l| rest.len() >= l.len() + LEAST_WORDS && starts_with(rest, l)) {
        rest = &rest[lead.len()..];
    }
    rest
}

fn starts_with(words: &[String], phrase: &[&str]) -> bool {
    words.iter().zip(phrase).all(|(w, p)| w == p)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts_of(turn: &str) -> Vec<String> {
        texts(turn, &tokens(turn))
    }

    #[test]
    fn a_reason_before_the_question_is_a_clause_of_its_own() {
        assert_eq!(
            texts_of("My son has a fever, can somebody look at him today?"),
            ["my son has a fever can somebody look at him today", "can somebody look at him today"]
        );
        // As speech recognition may write it.
        assert_eq!(texts_of("my son has a fever can somebody look at him")[1], "can somebody look at him");
    }

    #[test]
    fn what_leads_in_is_not_part_of_the_question() {
        assert_eq!(texts_of("I want to know if you have a car park"), ["you have a car park"]);
        assert_eq!(texts_of("Can you tell me?"), ["can you tell me"]);
    }

    #[test]
    fn a_clause_that_is_nearer_than_the_whole_turn_lifts_its_topic_only() {
        let weighed = weigh(&[vec![0.2, 0.5], vec![0.8, 0.1]]).unwrap();
        assert!(weighed[0] > 0.2 && weighed[0] < 0.8, "{weighed:?}");
        assert!((weighed[1] - 0.5).abs() < 1e-6, "{weighed:?}");
        assert_eq!(weigh(&[]), None);
    }

    #[test]
    fn nothing_makes_more_texts_than_are_paid_for() {
        for turn in ["", ",,,", "a b c, d e f g, h i j, k l m n o, p q r", "Dr. Bello, 3.5, ok"] {
            assert!(texts_of(turn).len() <= MAX_TEXTS, "{turn}");
        }
    }
}
