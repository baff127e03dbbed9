use crate::knowledge::facts::{begins_days, could_name_a_fact};

/// A sentence that does not end is cut here: nobody listens to a longer one.
const SENTENCE_MAX: usize = 400;

/// The least that is said before its sentence is whole: less sounds chopped.
const CLAUSE_WORDS: usize = 4;

/// A piece of text to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece {
    pub text: String,
    /// Whether its sentence ends with it.
    pub ends: Ends,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ends {
    Sentence,
    /// Only a clause; the rest follows.
    Clause,
}

/// Words after which a sentence that began as one of the box's own is taken for it.
/// Fewer are a way in which many sentences begin: "Yes, we are".
const QUOTED_WORDS: usize = 4;

/// Cuts a growing text into what can be said at once: whole sentences, and the
/// first clause of the first one if it names nothing that must be checked
/// against its end. A sentence that the box would say itself is whole as soon as it
/// is known for that.
#[derive(Debug)]
pub struct Sentences {
    text: String,
    /// What the box would answer, sentence by sentence, as far as it was not said.
    quotable: Vec<String>,
    /// The present sentence was said ahead, as the box has it: how the model ends it
    /// changes nothing.
    is_quoted: bool,
    /// Whether a clause may still go ahead of its sentence.
    may_split: bool,
    /// A yes or no is a claim of its own.
    verdicts: Verdicts,
}

/// Whether "yes" and "no" may go ahead of their sentence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdicts {
    Free,
    Held,
}

impl Sentences {
    pub const fn new(verdicts: Verdicts) -> Self {
        Self { text: String::new(), quotable: Vec::new(), is_quoted: false, may_split: true, verdicts }
    }

    /// The same where the box would answer with `own`, and is sure of it.
    pub fn quoting(own: &str, verdicts: Verdicts) -> Self {
        Self { quotable: whole_sentences(own), ..Self::new(verdicts) }
    }

    /// Takes more of the text; gives what is complete by it.
    pub fn push(&mut self, more: &str) -> Vec<Piece> {
        self.text.push_str(more);
        let mut pieces = Vec::new();
        while let Some(piece) = self.next() {
            pieces.extend(piece);
        }
        pieces
    }

    /// What is left when the text is over; it is no whole sentence if the text
    /// was broken off.
    pub fn rest(&mut self) -> Option<Piece> {
        let text = plain(&std::mem::take(&mut self.text));
        let is_said = std::mem::take(&mut self.is_quoted);
        (!is_said && !text.is_empty()).then_some(Piece { text, ends: Ends::Sentence })
    }

    /// The next piece if there is one; it may turn out to hold no word.
    fn next(&mut self) -> Option<Option<Piece>> {
        if let Some(quoted) = self.quoted() {
            self.may_split = false;
            return Some(Some(Piece { text: quoted, ends: Ends::Sentence }));
        }
        if let Some(end) = sentence_end(&self.text) {
            return Some(self.take(end, Ends::Sentence));
        }
        if let Some(end) = self.clause_end() {
            self.may_split = false;
            return Some(self.take(end, Ends::Clause));
        }
        if let Some((most, _)) = self.text.char_indices().nth(SENTENCE_MAX) {
            let cut = self.text[..most].rfind([',', ' ']).map_or(most, |at| at + 1);
            return Some(self.take(cut, Ends::Sentence));
        }
        None
    }

    fn take(&mut self, end: usize, ends: Ends) -> Option<Piece> {
        let rest = self.text.split_off(end);
        let text = plain(&std::mem::replace(&mut self.text, rest));
        if ends == Ends::Sentence && std::mem::take(&mut self.is_quoted) || text.is_empty() {
            return None;
        }
        self.quotable.retain(|own| *own != text);
        self.may_split = false;
        Some(Piece { text, ends })
    }

    /// The sentence of the box's own that the present one begins as, if there is one
    /// and no other begins so.
    fn quoted(&mut self) -> Option<String> {
        let begun = self.text.trim_start();
        if self.is_quoted || self.quotable.is_empty() {
            return None;
        }
        // All that is left may be much, and is looked at for each piece of it.
        if begun.split_whitespace().take(QUOTED_WORDS + 1).count() <= QUOTED_WORDS {
            return None;
        }
        // The last word may still grow.
        let words = begun.rsplit_once(char::is_whitespace).map_or("", |(words, _)| words);
        let mut alike = self.quotable.iter().enumerate().filter(|(_, own)| begins_as(own, words));
        let (at, _) = alike.next().filter(|_| alike.next().is_none())?;
        self.is_quoted = true;
        Some(self.quotable.remove(at))
    }

    /// Where the first clause ends, if it can be said now.
    fn clause_end(&self) -> Option<usize> {
        if !self.may_split || self.is_quoted {
            return None;
        }
        let end = self.text.match_indices([',', ';', ':', '–', '—']).map(|(at, mark)| at + mark.len()).find(|end| {
            let (clause, rest) = self.text.split_at(*end);
            rest.starts_with(char::is_whitespace) && clause.split_whitespace().count() >= CLAUSE_WORDS
        })?;
        let clause = &self.text[..end];
        let verdict = self.verdicts == Verdicts::Held && begins_with_verdict(clause);
        (!could_name_a_fact(clause) && !verdict).then_some(end)
    }
}

/// Whether a sentence begins with these words and goes on.
fn begins_as(sentence: &str, words: &str) -> bool {
    let mut own = sentence.split_whitespace();
    words.split_whitespace().all(|word| own.next() == Some(word)) && own.next().is_some()
}

/// The sentences of a text, as they are said one by one when a model tells it.
pub fn whole_sentences(text: &str) -> Vec<String> {
    let mut sentences = Sentences { may_split: false, ..Sentences::new(Verdicts::Held) };
    let mut pieces = sentences.push(text);
    pieces.extend(sentences.rest());
    pieces.into_iter().map(|piece| piece.text).collect()
}

/// What is left of an answer of the box's own for a caller who has heard `heard`,
/// which may hold some of its sentences; none if nothing is left.
pub fn left_unsaid(own: &str, heard: &str) -> Option<String> {
    let heard = whole_sentences(heard);
    let sentences = whole_sentences(own);
    if !sentences.iter().any(|sentence| heard.contains(sentence)) {
        return Some(own.to_owned());
    }
    let left: Vec<String> = sentences.into_iter().filter(|sentence| !heard.contains(sentence)).collect();
    (!left.is_empty()).then(|| left.join(" "))
}

fn begins_with_verdict(text: &str) -> bool {
    let first = text.trim_start().split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    ["yes", "yeah", "yep", "sure", "no", "nope"].iter().any(|v| v.eq_ignore_ascii_case(first))
}

/// Where the first sentence ends, once what follows shows that it does.
fn sentence_end(text: &str) -> Option<usize> {
    // The end of a run of marks behind which no sentence ends, whichever of them is asked:
    // to look from each of them to there would take the square of its length.
    let mut passed = 0;
    for (at, mark) in text.match_indices(['.', '!', '?', '…', '\n', '。']) {
        if at < passed {
            continue;
        }
        let mut end = at + mark.len();
        if mark == "\n" {
            return Some(end);
        }
        let closing = |c: char| matches!(c, '"' | '\'' | ')' | '”' | '’' | '!' | '?' | '.' | '…' | '*');
        end += text[end..].find(|c| !closing(c)).unwrap_or(text.len() - end);
        let after = &text[end..];
        // Only what follows tells a full stop from the dot of "2.5".
        if !after.starts_with(char::is_whitespace) {
            passed = end;
            continue;
        }
        match ends_here(&text[..at], mark, after.trim_start()) {
            Some(true) => return Some(end),
            Some(false) => {}
            None => return None,
        }
    }
    None
}

/// Whether the mark between `before` and `after` ends a sentence; none if that shows
/// only when more has come.
fn ends_here(before: &str, mark: &str, after: &str) -> Option<bool> {
    if mark != "." {
        return Some(true);
    }
    let last = before.rsplit(|c: char| c.is_whitespace() || c == '(').next().unwrap_or_default();
    let next = after.chars().next();
    match last.to_lowercase().as_str() {
        "dr" | "mr" | "mrs" | "ms" | "prof" | "st" | "e.g" | "i.e" | "approx" | "rev" | "engr" | "vs" => Some(false),
        // "No. 14" is a number, "no." an answer.
        "no" | "nr" => next.map(|c| !c.is_ascii_digit()),
        "etc" => next.map(char::is_uppercase),
        "a.m" | "p.m" => next.and_then(|c| if c.is_uppercase() { ends_with_time(before, after) } else { Some(false) }),
        // "1. Bread": a list that should not be there.
        figure if !figure.is_empty() && figure.len() <= 2 && figure.bytes().all(|b| b.is_ascii_digit()) => {
            Some(before.trim_start().len() > figure.len())
        }
        _ => Some(true),
    }
}

/// Whether a sentence ends with the "p.m." of its time. "We are open until 6 p.m. Monday to
/// Friday" goes on with its days; where it has named some already, those are another's.
fn ends_with_time(before: &str, after: &str) -> Option<bool> {
    let not_alphabetic = |c: char| !c.is_alphabetic();
    // The word may still grow.
    let end = after.find(not_alphabetic)?;
    let is_day = |word: &str| begins_days(&word.to_lowercase());
    Some(!is_day(&after[..end]) || before.split(not_alphabetic).any(is_day))
}

/// The words without the marks of a written page, which nobody can say.
fn plain(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let start = text.trim_start().trim_start_matches(['-', '•', '*', '#', '>', ' ', '–']);
    for c in start.chars() {
        match c {
            '*' | '`' | '#' | '_' | '~' | '|' => {}
            c if c.is_control() || c.is_whitespace() => said.push(' '),
            // Pictures, and the marks that join and colour them.
            '\u{2190}'..='\u{2BFF}' | '\u{1F000}'..='\u{1FAFF}' | '\u{FE00}'..='\u{FE0F}' | '\u{200B}'..='\u{200F}' => {
            }
            c => said.push(c),
        }
    }
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let has_words = said.chars().any(char::is_alphanumeric);
    if has_words { said } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(pieces: &[&str], verdicts: Verdicts) -> Vec<(String, Ends)> {
        let mut sentences = Sentences::new(verdicts);
        let mut found: Vec<Piece> = pieces.iter().flat_map(|piece| sentences.push(piece)).collect();
        found.extend(sentences.rest());
        found.into_iter().map(|p| (p.text, p.ends)).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        cut(&[text], Verdicts::Held).into_iter().map(|(text, _)| text).collect()
    }

    const OWN: &str = "Yes, we test for malaria here. The test is three thousand naira and takes half an hour.";

    /// What is given at each piece of the text, and then the rest.
    fn quoted(pieces: &[&str]) -> Vec<Vec<String>> {
        let mut sentences = Sentences::quoting(OWN, Verdicts::Held);
        let said = |pieces: Vec<Piece>| pieces.into_iter().map(|piece| piece.text).collect::<Vec<_>>();
        let mut all: Vec<Vec<String>> = pieces.iter().map(|piece| said(sentences.push(piece))).collect();
        all.push(said(sentences.rest().into_iter().collect()));
        all
    }

    #[test]
    fn a_sentence_that_the_box_would_say_is_said_as_soon_as_it_is_known_for_it() {
        let own = whole_sentences(OWN);
        let begun = ["Yes, we test for", " malaria", " here. The test is three", " thousand naira"];
        let expected = [vec![], vec![own[0].clone()], vec![], vec![own[1].clone()], vec![]];
        assert_eq!(quoted(&begun), expected);
        let ended = [
            "Certainly. Yes, we test for ma",
            "laria here.",
            " The test is three thousand",
            " dollars, and more. Come!",
        ];
        let certainly = vec!["Certainly.".to_owned(), own[0].clone()];
        let expected = [certainly, vec![], vec![own[1].clone()], vec![], vec!["Come!".to_owned()]];
        assert_eq!(quoted(&ended), expected, "how the model ends it changes nothing");
    }

    #[test]
    fn a_sentence_that_only_begins_alike_is_the_models() {
        assert_eq!(quoted(&["Yes, we test you now. ", "The"]), [vec!["Yes, we test you now."], vec![], vec!["The"]]);
        let twice = ["Yes, we test for malaria here. Yes, we test for malaria here."];
        let own = whole_sentences(OWN);
        assert_eq!(quoted(&twice), [vec![own[0].clone()], vec![own[0].clone()]], "it is said ahead once");
    }

    #[test]
    fn of_an_answer_what_was_heard_is_not_left() {
        let own = whole_sentences(OWN);
        assert_eq!(left_unsaid(OWN, "Yes, we test you now.").as_deref(), Some(OWN));
        assert_eq!(left_unsaid(OWN, "Certainly. Yes, we test for malaria here. And").as_ref(), Some(&own[1]));
        assert_eq!(left_unsaid(OWN, &own[1]).as_ref(), Some(&own[0]), "whichever it was");
        assert_eq!(left_unsaid(OWN, &format!("{OWN} Come!")), None);
    }

    #[test]
    fn sentences_end_where_people_end_them() {
        let text = "We are at No. 14 Bode St. in Yaba. Dr. Bello comes at 10 a.m. daily. It is ₦2.50! Really? Yes";
        let expected = [
            "We are at No. 14 Bode St. in Yaba.",
            "Dr. Bello comes at 10 a.m. daily.",
            "It is ₦2.50!",
            "Really?",
            "Yes",
        ];
        assert_eq!(texts(text), expected);
        assert_eq!(texts("We close at 6 p.m. Please come early."), ["We close at 6 p.m.", "Please come early."]);
        assert_eq!(texts("No. We do not."), ["No.", "We do not."]);
    }

    #[test]
    fn a_sentence_does_not_end_before_the_days_of_its_time() {
        for days in ["Monday to Saturday", "Weekdays", "Every day", "Daily", "Public holidays"] {
            let text = format!("We are open from 8 a.m. to 6 p.m. {days}.");
            assert_eq!(texts(&format!("{text} Please come.")), [text.as_str(), "Please come."]);
            assert_eq!(texts(text.trim_end_matches('.')), [text.trim_end_matches('.')]);
        }
        let text = "On Saturday we open at 9 a.m. Sundays we rest.";
        assert_eq!(texts(text), ["On Saturday we open at 9 a.m.", "Sundays we rest."], "it has its day");
        let mut sentences = Sentences::new(Verdicts::Held);
        for more in ["We close at 6 p.m.", " M", "onday", " to Friday", "."] {
            assert_eq!(sentences.push(more), [], "{more}");
        }
        let piece = |text: &str| Piece { text: text.to_owned(), ends: Ends::Sentence };
        assert_eq!(sentences.push(" We close at 2 p.m. Mo"), [piece("We close at 6 p.m. Monday to Friday.")]);
        assert_eq!(sentences.push("st"), []);
        assert_eq!(sentences.push(" come"), [piece("We close at 2 p.m.")]);
        assert_eq!(sentences.rest(), Some(piece("Most come")));
    }

    #[test]
    fn a_sentence_goes_as_soon_as_its_end_is_sure() {
        let mut sentences = Sentences::new(Verdicts::Held);
        assert_eq!(sentences.push("It is ₦2."), []);
        assert_eq!(sentences.push("50"), []);
        assert_eq!(sentences.push("."), []);
        let piece = Piece { text: "It is ₦2.50.".to_owned(), ends: Ends::Sentence };
        assert_eq!(sentences.push(" T"), [piece]);
    }

    #[test]
    fn the_first_clause_goes_ahead_unless_it_names_a_fact() {
        let pieces = [
            "Our laboratory does blood tests, urine te",
            "sts, and it takes samples until four. Then, well, it stops.",
        ];
        let found = cut(&pieces, Verdicts::Free);
        assert_eq!(found[0], ("Our laboratory does blood tests,".to_owned(), Ends::Clause));
        assert_eq!(found[1].0, "urine tests, and it takes samples until four.");
        assert_eq!(found[2], ("Then, well, it stops.".to_owned(), Ends::Sentence), "only the first sentence is cut");
        assert_eq!(texts("On every Monday of the month, we bake.").len(), 1);
        assert_eq!(texts("A test costs more, I think.").len(), 1);
        assert_eq!(texts("Well, yes.").len(), 1, "too short to go alone");
    }

    #[test]
    fn a_verdict_is_held_where_the_box_has_one() {
        let pieces = ["Yes of course we are, any ", "time you like."];
        assert_eq!(cut(&pieces, Verdicts::Held).len(), 1);
        assert_eq!(cut(&pieces, Verdicts::Free).len(), 2);
    }

    #[test]
    fn what_nobody_can_say_is_left_out() {
        let text = "**Prices**\n\n- A scan: `₦10,000` 😀\n- # Bread\n1. Cake\n---\n";
        assert_eq!(texts(text), ["Prices", "A scan: ₦10,000", "Bread", "1. Cake"]);
    }

    #[test]
    fn a_long_run_of_marks_is_passed_over_in_one_step() {
        // From each of them to the end of the run, it would be looked at for minutes.
        assert!(texts(&".".repeat(1 << 16)).is_empty());
        assert_eq!(texts("It is open...now. Dr... Yes?! No"), ["It is open...now.", "Dr...", "Yes?!", "No"]);
    }

    #[test]
    fn a_text_without_any_end_is_cut() {
        let found = texts(&"word ".repeat(300));
        assert!(found.len() >= 3 && found.iter().all(|s| s.len() <= SENTENCE_MAX + 5), "{found:?}");
    }

    proptest! {
        #[test]
        fn no_word_is_lost_or_made_up_whatever_the_split(
            words in prop::collection::vec(prop::sample::select(vec!["We", "are,", "open.", "2.5", "a.m.", "Dr.", "No.", "yes!", "six", "well;", "\n", "₦3,500", "x?\""]), 0..40),
            at in any::<prop::sample::Index>(),
        ) {
            let text = words.join(" ");
            let cuts: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
            let (head, tail) = text.split_at(cuts[at.index(cuts.len())]);
            let whole = cut(&[&text], Verdicts::Held);
            let joined = whole.iter().map(|(t, _)| t.as_str()).collect::<Vec<_>>().join(" ");
            let bare = |t: &str| t.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            prop_assert_eq!(bare(&joined), bare(&text));
            prop_assert_eq!(bare(&cut(&[head, tail], Verdicts::Held).into_iter().map(|(t, _)| t).collect::<String>()), bare(&text));
        }
    }
}
