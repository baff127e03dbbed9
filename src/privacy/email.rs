//! E-mail addresses, written, said and spelled: "ada.obi@gmail.com", "ada dot obi
//! at gmail dot com", "a d a underscore 5 at yahoo dot co dot u k".

use std::ops::Range;

use super::lexicon::{Cue, Means, folded, is_sure_domain, is_top_domain};
use super::memory::Memory;
use super::runs::{Reader, begins_group};

/// Plain words before the "at" that may be one name: "golden crust bakery at …".
pub(super) const NAME_WORDS: usize = 3;

/// Words of one label of a domain: "the golden crust dot com".
pub(super) const LABEL_WORDS: usize = 4;

/// Labels of a domain: "mail dot lagos dot gov dot ng".
const LABELS_MAX: usize = 6;

/// Letters of a top domain that is spelled: "c o m".
const SPELLED_MAX: usize = 4;

/// Letters of a country's top domain (ISO 3166-1).
const COUNTRY_LETTERS: usize = 2;

/// Words after "my e-mail is" that may all belong to the address.
pub(super) const CUE_WORDS: u8 = 10;

/// Letters in a row that are an address being spelled, when one was spoken of.
const SPELLED_MIN: usize = 3;

/// The addresses among the tokens from `begin` on, in their order.
pub(super) fn addresses(reader: &Reader<'_>, begin: usize, memory: &Memory) -> Vec<Range<usize>> {
    let end = reader.tokens.len();
    let announced = memory.email_words();
    let mut found: Vec<Range<usize>> = Vec::new();
    for at in begin..end {
        let from = found.last().map_or(begin, |range| range.end);
        if at < from {
            continue;
        }
        let address = match reader.means(at) {
            Some(Means::At) => around(reader, from, at, end, announced.filter(|_| found.is_empty())),
            Some(Means::MailHost) => without_at(reader, from, at, end, announced.filter(|_| found.is_empty())),
            _ => None,
        };
        found.extend(address);
    }
    spelled(reader, begin, announced, &mut found);
    found
}

fn is_word(means: Means) -> bool {
    !matches!(
        means,
        Means::Space | Means::Mark(_) | Means::Dot | Means::Dash | Means::Underscore | Means::Plus | Means::At
    ) && means != Means::Currency
}

/// The address around the "at" or "@" at `at`. `announced`: words since an
/// address was spoken of, before the token `from`.
fn around(reader: &Reader<'_>, from: usize, at: usize, end: usize, announced: Option<u8>) -> Option<Range<usize>> {
    let is_sign = !reader.text(at).eq_ignore_ascii_case("at");
    let first = local(reader, from, at, announced)?;
    // Nothing but an address is said with "dot" and with "underscore" before the "at".
    let is_surely_one = (first..at).any(|i| joins(reader, i));
    let last = domain(reader, at + 1, end, is_sign, is_surely_one)?;
    Some(first..last + 1)
}

/// "ada dot obi gmail dot com": the "at" was not heard.
fn without_at(
    reader: &Reader<'_>,
    from: usize,
    host: usize,
    end: usize,
    announced: Option<u8>,
) -> Option<Range<usize>> {
    let dot = after_dot(reader, host + 1)?;
    let last = top(reader, dot.0, end, dot.1)?;
    let first = local(reader, from, host, announced)?;
    Some(first..last + 1)
}

/// How a dot between two labels was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dot {
    /// "gmail dot com".
    Said,
    /// "gmail.com".
    Tight,
    /// "gmail. com", "gmail point com": perhaps none.
    Loose,
}

/// The token behind a dot that begins at `at`, perhaps behind a space.
fn after_dot(reader: &Reader<'_>, at: usize) -> Option<(usize, Dot)> {
    let dot = skip_pause(reader, at);
    if reader.means(dot) != Some(Means::Dot) {
        return None;
    }
    let next = skip_pause(reader, dot + 1);
    // "At this point in time" has no domain: "point" is a dot only before a sure one.
    let is_said = reader.text(dot).to_ascii_lowercase().starts_with("dot") && !is_on_the_dot(reader, dot);
    let is_tight = next == dot + 1 && dot == at && reader.text(dot).len() == 1;
    let dot = match (is_said, is_tight) {
        (true, _) => Dot::Said,
        (false, true) => Dot::Tight,
        (false, false) => Dot::Loose,
    };
    Some((next, dot))
}

/// "At five on the dot".
fn is_on_the_dot(reader: &Reader<'_>, dot: usize) -> bool {
    reader.before(dot).is_some_and(|i| reader.text(i).eq_ignore_ascii_case("the"))
}

/// The first token from `at` on that is neither space nor comma.
fn skip_pause(reader: &Reader<'_>, at: usize) -> usize {
    let mut at = at;
    while matches!(reader.means(at), Some(Means::Space | Means::Mark(','))) {
        at += 1;
    }
    at
}

/// The last token of the domain that begins at `from`. Where an address is sure, any word
/// behind a said dot may end it: there are more top domains than anybody lists.
fn domain(reader: &Reader<'_>, from: usize, end: usize, is_sign: bool, is_surely_one: bool) -> Option<usize> {
    let is_written = is_sign && reader.means(from).is_some_and(is_word);
    let mut at = skip_pause(reader, from);
    let mut last = None;
    for label in 0..LABELS_MAX {
        let place = match label {
            _ if is_written => Label::Written,
            0 => Label::First,
            _ => Label::Further,
        };
        let host = mail_host(reader, at).filter(|_| place == Label::First);
        let Some(label_last) = host.or_else(|| label_end(reader, at, end, place)) else { break };
        if is_written || host.is_some() {
            last = Some(label_last);
        }
        let Some((next, dot)) = after_dot(reader, label_last + 1).filter(|(next, _)| *next < end) else { break };
        let unlisted = (dot == Dot::Said && may_be_top(reader, next, is_surely_one)).then_some(next);
        match top(reader, next, end, dot).or(unlisted) {
            Some(top) => {
                last = Some(top);
                at = next;
                // A further label may follow: ".co.uk", ".com.ng".
                if after_dot(reader, top + 1).is_none() {
                    break;
                }
            }
            None if dot == Dot::Loose => break,
            None => at = next,
        }
    }
    last.filter(|last| *last < end)
}

/// The last token of the name of a host that everybody knows.
fn mail_host(reader: &Reader<'_>, from: usize) -> Option<usize> {
    if reader.means(from) == Some(Means::MailHost) {
        return Some(from);
    }
    // "G mail", "gee mail", "hot mail".
    let head = reader.text(from).to_ascii_lowercase();
    let tail = skip_hyphen(reader, from + 1);
    let is_it = matches!(head.as_str(), "g" | "gee" | "hot" | "proton" | "yahoo" | "y" | "jee" | "ji")
        && reader.text(tail).eq_ignore_ascii_case("mail");
    is_it.then_some(tail)
}

fn skip_hyphen(reader: &Reader<'_>, at: usize) -> usize {
    let at = reader.skip_space(at);
    if reader.means(at) == Some(Means::Dash) { reader.skip_space(at + 1) } else { at }
}

/// Where a label stands, by which it ends at a space or goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    /// Right behind an "@".
    Written,
    /// The first after a said "at": of several words perhaps.
    First,
    /// One word, or letters.
    Further,
}

/// The last token of the label that begins at `from`.
fn label_end(reader: &Reader<'_>, from: usize, end: usize, label: Label) -> Option<usize> {
    let (mut at, mut last, mut words) = (from, None, 0);
    while at < end {
        let means = reader.means(at)?;
        match means {
            Means::Space if label == Label::Written => break,
            Means::Space if label == Label::Further && last.is_some() && !is_letter(reader, at - 1) => break,
            Means::Space => {}
            Means::Dash => {}
            _ if is_word(means) => {
                let is_tight = last.is_some_and(|last: usize| last + 1 == at);
                words += usize::from(!is_tight && !is_letter(reader, at));
                if words > LABEL_WORDS {
                    break;
                }
                last = Some(at);
            }
            _ => break,
        }
        at += 1;
    }
    last
}

/// The last token of the top domain that begins at `from`, if it is one.
fn top(reader: &Reader<'_>, from: usize, end: usize, dot: Dot) -> Option<usize> {
    if from >= end {
        return None;
    }
    let word = folded(reader.text(from))?;
    let word = word.as_str();
    let is_known = match dot {
        Dot::Loose => is_sure_domain(word),
        Dot::Tight | Dot::Said => is_top_domain(word),
    };
    if is_known {
        return Some(from);
    }
    let mut letters = String::new();
    let mut at = from;
    while at < end && letters.len() < SPELLED_MAX && is_letter(reader, at) {
        letters.push_str(&reader.text(at).to_ascii_lowercase());
        let is_known = is_sure_domain(&letters) || dot == Dot::Said && letters.len() == COUNTRY_LETTERS;
        if is_known && !is_letter(reader, reader.skip_space(at + 1)) {
            return Some(at);
        }
        at = reader.skip_space(at + 1);
    }
    None
}

/// Whether the word at `at` may be a top domain that no list here has.
fn may_be_top(reader: &Reader<'_>, at: usize, is_surely_one: bool) -> bool {
    let is_plain = reader.means(at) == Some(Means::Plain);
    let is_country = is_country(reader, at);
    if is_surely_one { is_plain || is_country } else { is_plain && is_country }
}

/// Nearly all pairs of letters are some country's.
fn is_country(reader: &Reader<'_>, at: usize) -> bool {
    let text = reader.text(at);
    text.len() == COUNTRY_LETTERS && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A letter said alone.
fn is_letter(reader: &Reader<'_>, at: usize) -> bool {
    let text = reader.text(at);
    text.len() == 1 && text.as_bytes()[0].is_ascii_alphabetic()
}

/// The first token of what stands before the "at", not before `from`.
fn local(reader: &Reader<'_>, from: usize, at: usize, announced: Option<u8>) -> Option<usize> {
    let cue = cue_start(reader, from, at, announced);
    let is_written = at > from && reader.text(at) == "@" && reader.means(at - 1).is_some_and(is_word);
    let mut names = NAME_WORDS;
    let (mut first, mut next) = (None, at);
    while let Some(word) = (from..next).rev().find(|i| !is_gap(reader, *i)) {
        let means = reader.means(word)?;
        if let Some(cue) = cue {
            if word < cue {
                break;
            }
        } else if let Some(letter) = explained(reader, from, word) {
            (first, next) = (Some(letter), letter);
            continue;
        } else if !is_bound(reader, from, word, next, first) || is_written && is_apart(reader, word, next) {
            let is_name = matches!(means, Means::Plain | Means::MailHost | Means::Unit | Means::Bank(_))
                || is_office(reader, word, first);
            if !is_name || is_written || names == 0 || !is_in_sentence(reader, word, next) {
                break;
            }
            names -= 1;
        }
        (first, next) = (Some(word), word);
    }
    first.filter(|first| (*first..at).any(|i| reader.means(i).is_some_and(is_word)))
}

/// Whether a space and no sign stands between a token and what follows it.
fn is_apart(reader: &Reader<'_>, word: usize, next: usize) -> bool {
    word + 1 != next && !is_sign(reader, next) && !is_sign(reader, word)
}

/// Whether the token at `word` belongs to the part of the address behind it,
/// which begins at `first` if any of it was read.
fn is_bound(reader: &Reader<'_>, from: usize, word: usize, next: usize, first: Option<usize>) -> bool {
    let Some(means) = reader.means(word) else { return false };
    let sign_before = || reader.before(word).is_some_and(|i| i >= from && is_sign(reader, i));
    match means {
        Means::Dot if !is_sign(reader, word) => {
            // "A. D. A." is spelled; any other full stop ends a sentence.
            let before = reader.before(word).filter(|i| *i >= from);
            before.is_some_and(|i| is_letter(reader, i)) && first.is_some_and(|i| is_letter(reader, i))
        }
        _ if is_part(means) || is_letter(reader, word) || is_number_and(reader, word, next) => true,
        _ if is_word(means) => word + 1 == next || first.is_some_and(|i| is_sign(reader, i)) || sign_before(),
        _ => false,
    }
}

/// What is passed over between the parts of an address.
fn is_gap(reader: &Reader<'_>, at: usize) -> bool {
    match reader.means(at) {
        Some(Means::Space) => true,
        Some(Means::Mark(c)) => matches!(c, ',' | '(' | ')' | ';' | ':' | '\u{200B}'),
        _ => false,
    }
}

/// Whether no sentence ends between a word and what follows it.
fn is_in_sentence(reader: &Reader<'_>, word: usize, next: usize) -> bool {
    (word + 1..next).all(|i| reader.means(i) == Some(Means::Space) || reader.means(i) == Some(Means::Mark(',')))
}

/// A mark that joins parts of an address. A full stop with a space behind it
/// joins nothing but letters.
fn is_sign(reader: &Reader<'_>, at: usize) -> bool {
    match reader.means(at) {
        Some(Means::Underscore | Means::Dash | Means::Plus | Means::Mark('\'' | '%')) => true,
        Some(Means::Dot) => {
            let is_said = reader.text(at).chars().all(char::is_alphabetic);
            is_said || reader.means(at + 1) != Some(Means::Space)
        }
        _ => false,
    }
}

/// Signs, digits and their words.
fn is_part(means: Means) -> bool {
    matches!(
        means,
        Means::Underscore | Means::Dash | Means::Plus | Means::Dot | Means::Mark('\'' | '%') | Means::Letter(_)
    ) || begins_group(means)
        || matches!(means, Means::Scale(_))
}

/// Words that are cues elsewhere, and the names of a business's addresses.
const OFFICES: &[&str] = &["accounts", "contact", "orders", "mail", "order"];

/// Whether the word at `word`, right before the "at", is such a name.
fn is_office(reader: &Reader<'_>, word: usize, first: Option<usize>) -> bool {
    first.is_none() && OFFICES.iter().any(|office| reader.text(word).eq_ignore_ascii_case(office))
}

/// The "and" of "two thousand and five".
fn is_number_and(reader: &Reader<'_>, word: usize, next: usize) -> bool {
    reader.text(word).eq_ignore_ascii_case("and")
        && reader.means(next).is_some_and(begins_group)
        && reader.before(word).is_some_and(|i| matches!(reader.means(i), Some(Means::Scale(_))))
}

/// "D for dog", "B as in boy": the letter, if the word at `word` explains one.
fn explained(reader: &Reader<'_>, from: usize, word: usize) -> Option<usize> {
    let initial = reader.text(word).chars().next()?.to_ascii_lowercase();
    let mut link = reader.before(word).filter(|i| *i >= from)?;
    if reader.text(link).eq_ignore_ascii_case("in") {
        link = reader.before(link).filter(|i| *i >= from)?;
    }
    if !["for", "as", "like"].iter().any(|w| reader.text(link).eq_ignore_ascii_case(w)) {
        return None;
    }
    let letter = reader.before(link).filter(|i| *i >= from)?;
    let is_it = is_letter(reader, letter) && reader.text(letter).to_ascii_lowercase().starts_with(initial);
    is_it.then_some(letter)
}

/// Where the address begins if one was announced: behind "my e-mail is".
fn cue_start(reader: &Reader<'_>, from: usize, at: usize, announced: Option<u8>) -> Option<usize> {
    let said = (from..at).rev().find(|i| is_cue(reader, *i));
    let begin = match said {
        Some(cue) => cue + 1,
        None if announced.is_some_and(|words| words < CUE_WORDS) => from,
        None => return None,
    };
    // What was asked before is not the answer.
    let is_asked = |i: &usize| matches!(reader.means(*i), Some(Means::Mark('?' | '!')));
    let begin = (begin..at).rev().find(is_asked).map_or(begin, |i| i + 1);
    let words = (begin..at).filter(|i| reader.means(*i).is_some_and(is_word)).count();
    let begins = (begin..at).find(|i| {
        reader
            .means(*i)
            .is_some_and(|means| is_word(means) && !matches!(means, Means::Link | Means::Filler | Means::Cue(_)))
            || is_letter(reader, *i)
    });
    begins.filter(|_| words <= usize::from(CUE_WORDS))
}

fn is_cue(reader: &Reader<'_>, at: usize) -> bool {
    // "[e-mail address]" is our own label.
    let is_label = at >= 3 && reader.means(at - 3) == Some(Means::Mark('['));
    !is_label && reader.means(at) == Some(Means::Cue(Cue::Email))
}

/// Letters and signs in a row where an address was announced, and its end not heard.
fn spelled(reader: &Reader<'_>, begin: usize, announced: Option<u8>, found: &mut Vec<Range<usize>>) {
    let end = reader.tokens.len();
    let mut since_cue = announced;
    let mut at = begin;
    while at < end {
        if let Some(address) = found.iter().find(|range| range.contains(&at)) {
            (at, since_cue) = (address.end, None);
            continue;
        }
        if is_cue(reader, at) {
            since_cue = Some(0);
        } else if let Some(run) = since_cue.and_then(|_| spelled_from(reader, at, end)) {
            (at, since_cue) = (run.end, None);
            found.push(run);
            continue;
        } else if reader.means(at).is_some_and(is_word) {
            since_cue = since_cue.map(|words| words + 1).filter(|words| *words <= CUE_WORDS);
        }
        at += 1;
    }
    found.sort_by_key(|range| range.start);
}

fn spelled_from(reader: &Reader<'_>, from: usize, end: usize) -> Option<Range<usize>> {
    let is_start = |at: usize| is_letter(reader, at) || reader.means(at) == Some(Means::Plain);
    if !is_start(from) {
        return None;
    }
    let (mut at, mut last, mut letters, mut signs, mut after_sign) = (from, from, 0, 0, false);
    while at < end {
        let means = reader.means(at)?;
        match means {
            Means::Space | Means::Mark(',') => {}
            Means::Underscore | Means::Dash | Means::Dot if is_sign(reader, at) => {
                // "Well-known" is no address.
                signs += usize::from(means != Means::Dash);
                after_sign = true;
                at += 1;
                continue;
            }
            _ if is_letter(reader, at) => {
                letters += 1;
                last = at;
            }
            _ if begins_group(means) && (letters > 1 || signs > 0) => last = at,
            Means::Plain | Means::Unit if at == from || after_sign => last = at,
            _ => break,
        }
        after_sign &= matches!(means, Means::Space);
        at += 1;
    }
    (letters >= SPELLED_MIN || signs > 0 && last > from).then_some(from..last + 1)
}

/// The first token from `begin` on that may still become part of an address,
/// with what comes.
pub(super) fn held_from(reader: &Reader<'_>, begin: usize, memory: &Memory) -> usize {
    cued_from(reader, begin, memory).min(joined_from(reader, begin))
}

/// Whether the words end within an address that is not known for one before its end is
/// heard: "chinedu dot okafor", "c h i n e d u", "chinedu at".
pub(super) fn is_begun(reader: &Reader<'_>, begin: usize, memory: &Memory) -> bool {
    let found = addresses(reader, begin, memory);
    let held = held_from(reader, begin, memory)..reader.tokens.len();
    let is_open = |at: &usize| !found.iter().any(|range| range.contains(at));
    let last: Vec<usize> = held.clone().rev().filter(|at| is_said(reader, *at)).take(SPELLED_MIN).collect();
    let ends_in_at = last.first().is_some_and(|at| reader.means(*at) == Some(Means::At));
    let spells = last.len() == SPELLED_MIN && last.iter().all(|at| is_letter(reader, *at) && is_open(at));
    ends_in_at || spells || held.filter(is_open).any(|at| joins(reader, at))
}

/// Whether it is heard: a word or figures.
fn is_said(reader: &Reader<'_>, at: usize) -> bool {
    reader.text(at).chars().any(char::is_alphanumeric)
}

/// Whether it joins parts of an address, and is seldom said or written for anything else:
/// neither the dash of "well-known" nor the dot of "12.30" and "a.m.".
fn joins(reader: &Reader<'_>, at: usize) -> bool {
    let is = |word: &str| reader.text(at).eq_ignore_ascii_case(word);
    match reader.means(at) {
        Some(Means::Underscore) => true,
        Some(Means::At) => !is("at"),
        Some(Means::Dash) => is("dash") || is("hyphen"),
        Some(Means::Dot) if is_said(reader, at) => is("dot") || is("doti"),
        Some(Means::Dot) => {
            let sides = [at.checked_sub(1), Some(at + 1)].map(|side| side.filter(|side| is_said(reader, *side)));
            let is_name = |side: usize| reader.means(side) != Some(Means::Numeral) && !is_letter(reader, side);
            sides.iter().all(Option::is_some) && sides.into_iter().flatten().any(is_name)
        }
        _ => false,
    }
}

/// From the cue on, while it counts.
fn cued_from(reader: &Reader<'_>, begin: usize, memory: &Memory) -> usize {
    let end = reader.tokens.len();
    let words_from = |from: usize| (from..end).filter(|i| reader.means(*i).is_some_and(is_word)).count();
    if let Some(words) = memory.email_words()
        && usize::from(words) + words_from(begin) <= usize::from(CUE_WORDS)
    {
        return begin;
    }
    let mut words = 0;
    for at in (begin..end).rev() {
        if is_cue(reader, at) {
            return at;
        }
        words += usize::from(reader.means(at).is_some_and(is_word));
        if words > usize::from(CUE_WORDS) {
            break;
        }
    }
    end
}

/// From the first of the parts that hang together at the end.
fn joined_from(reader: &Reader<'_>, begin: usize) -> usize {
    let end = reader.tokens.len();
    let (mut names, mut next) = (NAME_WORDS, end);
    while let Some(word) = (begin..next).rev().find(|i| !is_gap(reader, *i)) {
        let Some(means) = reader.means(word) else { break };
        if let Some(letter) = explained(reader, begin, word) {
            next = letter;
            continue;
        }
        let is_explaining = matches!(means, Means::Sounds(_) | Means::Link | Means::Filler)
            && reader.before(word).is_some_and(|i| is_letter(reader, i) || reader.text(i).eq_ignore_ascii_case("as"));
        let sign_behind = reader.tokens.get(next).is_some() && is_sign(reader, next);
        let sign_before = reader.before(word).is_some_and(|i| is_sign(reader, i));
        let is_tight = next < end && word + 1 == next;
        if means == Means::At {
            names = NAME_WORDS;
        } else if !(next == end // A sign may follow whatever it is: "me dot ada".
            || is_part(means)
            || is_letter(reader, word)
            || means == Means::MailHost
            || is_explaining
            || is_number_and(reader, word, next)
            || sign_behind
            || sign_before
            || is_tight)
        {
            let is_name = matches!(means, Means::Plain | Means::Unit | Means::Bank(_));
            let is_name = is_name || OFFICES.iter().any(|office| reader.text(word).eq_ignore_ascii_case(office));
            if !(is_name && names > 0 || is_in_label(reader, word)) {
                break;
            }
            names = names.saturating_sub(1);
        }
        next = word;
    }
    next
}

/// Whether an "at" stands so few words before that this may be a part of a domain.
fn is_in_label(reader: &Reader<'_>, word: usize) -> bool {
    let mut words = (0..word).rev().filter(|i| reader.means(*i) != Some(Means::Space)).take(LABEL_WORDS);
    words.any(|i| reader.means(i) == Some(Means::At))
}
