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

/// With these, and "you" behind one of [`OF_THE_PAST`], somebody asks about what the caller did.
const INTERROGATIVES: &[&str] = &["what", "when", "where", "who", "how", "why", "which"];
const OF_THE_PAST: &[&str] = &["did", "have"];

/// A question that makes one of what stands before it.
const TAGS: &[&[&str]] = &[
    &["right"],
    &["correct"],
    &["yes"],
    &["is", "that", "right"],
    &["is", "that", "correct"],
    &["is", "it", "right"],
    &["is", "it", "correct"],
    &["am", "i", "right"],
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
    /// It offers or asks for something: "Shall I note it for twelve people?"
    Offered,
    /// Its verb comes first: "Is it for twelve people?"
    Inverted,
    /// It says what the caller wants: "You want it for twelve people, is that right?"
    OfCaller,
    /// It asks whether this is what the caller said.
    Questioned,
}

/// How a question of these words brings up `item`, which stands in its last clause or not.
pub(super) fn echo(tokens: &[Token], item: &Item, is_last: bool) -> Echo {
    let before = &tokens[..item.from.min(tokens.len())];
    let clause = before.iter().rposition(|token| token.pause).map_or(0, |at| at + 1);
    let lead = unhesitating(&tokens[clause..]);
    let agrees = AGREES.iter().any(|phrase| begins(unhesitating(tokens), phrase));
    let repeats = REPEATS_WHAT_WAS_SAID.iter().any(|phrase| begins(lead, phrase));
    let is_end = is_last || only_a_tag_follows(tokens, item);
    if asks_what_was(lead) || repeats && is_end && !agrees {
        Echo::Questioned
    } else if lead.first().is_some_and(|token| matches!(token.word.as_str(), "you" | "your")) {
        Echo::OfCaller
    } else if agrees {
        Echo::Said
    } else if lead.first().is_some_and(|token| matches!(token.word.as_str(), "is" | "are" | "was" | "were" | "did")) {
        Echo::Inverted
    } else if is_offer(lead) {
        Echo::Offered
    } else if is_last {
        Echo::Intoned
    } else {
        Echo::Said
    }
}

/// "Did you say five thousand naira?", "When did you pay the five thousand naira?"
fn asks_what_was(lead: &[Token]) -> bool {
    let is_of_the_past = |[what, verb, who]: [&Token; 3]| {
        INTERROGATIVES.contains(&what.word.as_str()) && OF_THE_PAST.contains(&verb.word.as_str()) && who.word == "you"
    };
    let is_past = matches!(lead, [what, verb, who, ..] if is_of_the_past([what, verb, who]));
    is_past || ASKS_WHAT_WAS_SAID.iter().any(|phrase| begins(lead, phrase))
}

/// Whether nothing stands behind the clause of `item` but "is that right?" or the like.
fn only_a_tag_follows(tokens: &[Token], item: &Item) -> bool {
    let last = item.to.saturating_sub(1).min(tokens.len());
    let Some(pause) = tokens[last..].iter().position(|token| token.pause) else { return false };
    let behind = &tokens[last + pause + 1..];
    TAGS.iter().any(|tag| behind.len() == tag.len() && begins(behind, tag))
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

/// "Shall I note it for twelve people"; but "do come at nine" and "have it ready" ask nothing.
fn is_offer(tokens: &[Token]) -> bool {
    const VERBS: &[&str] = &["does", "can", "could", "will", "would", "shall", "should", "may", "must"];
    const OF_WHOM: &[&str] = &["you", "i", "we", "they", "your"];
    match tokens {
        [verb, who, ..] if matches!(verb.word.as_str(), "do" | "have") => OF_WHOM.contains(&who.word.as_str()),
        [verb, ..] => VERBS.contains(&verb.word.as_str()),
        [] => false,
    }
}
