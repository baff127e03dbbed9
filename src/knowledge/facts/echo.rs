//! Whether a sentence asks the caller for a fact that they named, or says it: a question
//! mark alone tells nothing, for "It is five thousand naira, okay?" says it.

use super::read::{Fact, FactKind, Item, PRICED, Token};

/// Words with which people begin, and that are no part of what they say.
const HESITATIONS: &[&str] =
    &["sorry", "please", "pardon", "excuse", "me", "abeg", "and", "so", "but", "oh", "ah", "er", "then"];

/// Beginnings of a question for what the caller said, whatever comes behind it.
const ASKS_WHAT_WAS_SAID: &[&[&str]] = &[
    &["did", "you", "say"],
    &["did", "you", "mean"],
    &["did", "you", "ask"],
    &["do", "you", "mean"],
    &["have", "you", "said"],
    &["are", "you", "saying"],
    &["are", "you", "asking"],
    &["did", "i", "hear"],
];

/// The same, as long as nothing is said behind it.
const REPEATS_WHAT_WAS_SAID: &[&[&str]] = &[&["you", "mean"], &["you", "said"], &["you", "say"]];

/// With these a sentence agrees, and what it then asks is something else.
const AGREES: &[&[&str]] = &[
    &["yes"],
    &["yeah"],
    &["yep"],
    &["yah"],
    &["sure"],
    &["surely"],
    &["correct"],
    &["exactly"],
    &["certainly"],
    &["definitely"],
    &["absolutely"],
    &["indeed"],
    &["true"],
    &["of", "course"],
    &["that", "right"],
    &["that", "is", "right"],
    &["that", "correct"],
    &["that", "is", "correct"],
    &["na", "so"],
    &["na", "true"],
];

/// How a sentence that ends with a question mark brings up a fact that the caller named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Echo {
    /// It says it, whatever it asks then.
    Said,
    /// By the mark alone: "So it is five thousand naira?"
    Intoned,
    /// Its verb comes first: "Is it for twelve people?"
    Inverted,
    /// It asks whether this is what the caller said.
    Questioned,
}

/// How a question of these words brings up `item`, which stands in its last clause or not.
pub(super) fn echo(tokens: &[Token], item: &Item, is_last: bool) -> Echo {
    if AGREES.iter().any(|phrase| begins(unhesitating(tokens), phrase)) {
        return Echo::Said;
    }
    let before = &tokens[..item.from.min(tokens.len())];
    let clause = before.iter().rposition(|token| token.pause).map_or(0, |at| at + 1);
    let lead = unhesitating(&tokens[clause..]);
    let asks = ASKS_WHAT_WAS_SAID.iter().any(|phrase| begins(lead, phrase));
    let repeats = REPEATS_WHAT_WAS_SAID.iter().any(|phrase| begins(lead, phrase));
    if asks || repeats && is_last {
        Echo::Questioned
    } else if is_inverted(lead) {
        Echo::Inverted
    } else if is_last {
        Echo::Intoned
    } else {
        Echo::Said
    }
}

/// Whether the fact is what something costs or how long it takes: "Shall I book it for five
/// thousand naira?" asks nothing about the price, and says it.
pub(super) fn is_taken_for_granted(fact: &Fact) -> bool {
    match fact.kind() {
        FactKind::Price | FactKind::Share | FactKind::Duration => true,
        // The naira is often left out.
        _ => matches!(fact, Fact::Number { thousandths } if *thousandths >= PRICED),
    }
}

/// The words from the first on that is no hesitation.
fn unhesitating(tokens: &[Token]) -> &[Token] {
    let first = tokens.iter().position(|token| !HESITATIONS.contains(&token.word.as_str()));
    &tokens[first.unwrap_or(tokens.len())..]
}

fn begins(tokens: &[Token], phrase: &[&str]) -> bool {
    tokens.len() >= phrase.len() && tokens.iter().zip(phrase).all(|(token, word)| token.word == *word)
}

/// "Is it for twelve people"; but "do come at nine" and "have it ready" ask nothing.
fn is_inverted(tokens: &[Token]) -> bool {
    const VERBS: &[&str] =
        &["is", "are", "was", "were", "did", "does", "can", "could", "will", "would", "shall", "should", "may", "must"];
    const OF_WHOM: &[&str] = &["you", "i", "we", "they", "your"];
    match tokens {
        [verb, who, ..] if matches!(verb.word.as_str(), "do" | "have") => OF_WHOM.contains(&who.word.as_str()),
        [verb, ..] => VERBS.contains(&verb.word.as_str()),
        [] => false,
    }
}
