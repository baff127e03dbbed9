//! Cuts a text to be spoken into clauses: what the voice makes in one breath.
//! It knows punctuation and where a point is no stop; it never changes words.

use std::time::Duration;

/// About seven seconds of speech. The voice's encoder needs memory and time in
/// proportion (436 MB at its peak for a sentence of ten seconds).
const PIECE_MAX: usize = 120;

/// Pieces are joined into one breath up to this many characters, since a voice
/// that stops at every comma sounds like a list being read.
const BREATH_MAX: usize = 100;

/// The first breath is shorter: the caller waits for all of its encoding
/// before the first sound (about 0.1 s for sixty characters).
const FIRST_BREATH_MAX: usize = 60;

/// Words that a point follows without ending anything. Lower case, no points.
const ABBREVIATIONS: &[&str] =
    &["dr", "mr", "mrs", "ms", "prof", "rev", "engr", "hon", "st", "ave", "rd", "vs", "approx", "ext", "e.g", "i.e"];

/// As above, but only where a number follows: `No. 5`, but not `No. We do not.`
const BEFORE_NUMBERS: &[&str] = &["no", "nos", "tel", "pp", "fig"];

/// As above, but they end a sentence where a capital follows: `8 a.m. On Sunday`.
const BEFORE_CAPITALS: &[&str] = &["a.m", "p.m", "etc", "ltd", "inc", "co"];

/// What ends a piece of speech.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Comma,
    Semicolon,
    Colon,
    Stop,
    Question,
    Exclamation,
}

impl Mark {
    /// The symbol as it stands among a voice's phonemes.
    pub const fn symbol(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Colon => ':',
            Self::Stop => '.',
            Self::Question => '?',
            Self::Exclamation => '!',
        }
    }

    pub const fn ends_sentence(self) -> bool {
        matches!(self, Self::Stop | Self::Question | Self::Exclamation)
    }

    /// The silence after it, as unhurried speakers of English leave it.
    pub const fn pause(self) -> Duration {
        Duration::from_millis(match self {
            Self::Comma => 150,
            Self::Semicolon | Self::Colon => 220,
            Self::Stop | Self::Question | Self::Exclamation => 350,
        })
    }
}

/// Words without punctuation between them, and what ends them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    pub words: String,
    pub mark: Mark,
}

/// One breath: never empty, never of more than one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    pub pieces: Vec<Piece>,
}

impl Clause {
    pub fn pause(&self) -> Duration {
        self.pieces.last().map_or(Duration::ZERO, |piece| piece.mark.pause())
    }
}

/// The clauses of `text` in order. Text without a letter or digit has none.
pub fn clauses(text: &str) -> Vec<Clause> {
    breaths(pieces(text).iter().flat_map(shortened))
}

fn breaths(pieces: impl Iterator<Item = Piece>) -> Vec<Clause> {
    let mut clauses: Vec<Clause> = Vec::new();
    let (mut open, mut len) = (false, 0);
    for piece in pieces {
        let chars = piece.words.chars().count();
        let max = if clauses.len() <= 1 { FIRST_BREATH_MAX } else { BREATH_MAX };
        let ends = piece.mark.ends_sentence();
        match clauses.last_mut() {
            Some(clause) if open && len + chars <= max => {
                clause.pieces.push(piece);
                len += chars;
            }
            _ => {
                clauses.push(Clause { pieces: vec![piece] });
                len = chars;
            }
        }
        open = !ends;
    }
    clauses
}

fn pieces(text: &str) -> Vec<Piece> {
    let chars: Vec<char> = text.chars().collect();
    let mut found: Vec<Piece> = Vec::new();
    let mut words = String::new();
    for (at, &c) in chars.iter().enumerate() {
        match mark_at(&chars, at) {
            Some(mark) => close(&mut found, &mut words, mark),
            None if c.is_whitespace() => words.push(' '),
            None => words.push(c),
        }
    }
    close(&mut found, &mut words, Mark::Stop);
    found
}

/// Ends the piece at hand. Without words of its own, a mark can only make the
/// one before it stronger: `(on Sundays).`
fn close(found: &mut Vec<Piece>, words: &mut String, mark: Mark) {
    let spoken = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words.clear();
    if spoken.chars().any(char::is_alphanumeric) {
        found.push(Piece { words: spoken, mark });
    } else if let Some(last) = found.last_mut()
        && mark.ends_sentence()
        && !last.mark.ends_sentence()
    {
        last.mark = mark;
    }
}

fn mark_at(chars: &[char], at: usize) -> Option<Mark> {
    let before = at.checked_sub(1).and_then(|i| chars.get(i)).copied();
    let after = chars.get(at + 1).copied();
    let in_number = before.is_some_and(|c| c.is_ascii_digit()) && after.is_some_and(|c| c.is_ascii_digit());
    let ends_word = after.is_none_or(|c| c.is_whitespace() || "\"')]”’.!?".contains(c));
    let spaced = before.is_some_and(char::is_whitespace) && after.is_some_and(char::is_whitespace);
    match chars[at] {
        '.' if ends_word && !is_abbreviation(chars, at) => Some(Mark::Stop),
        '…' | '\n' => Some(Mark::Stop),
        '?' => Some(Mark::Question),
        '!' => Some(Mark::Exclamation),
        ';' => Some(Mark::Semicolon),
        ':' if ends_word => Some(Mark::Colon),
        ',' if !in_number => Some(Mark::Comma),
        '-' if spaced => Some(Mark::Comma),
        '–' | '—' if !in_number => Some(Mark::Comma),
        '(' | ')' | '[' | ']' => Some(Mark::Comma),
        _ => None,
    }
}

/// Whether the point at `at` belongs to the word before it.
fn is_abbreviation(chars: &[char], at: usize) -> bool {
    let start = chars[..at].iter().rposition(|c| !c.is_alphanumeric() && *c != '.').map_or(0, |i| i + 1);
    let original: String = chars[start..at].iter().collect();
    let word = original.to_lowercase();
    let next = chars[at + 1..].iter().find(|c| !c.is_whitespace());
    let initial = original.chars().count() == 1 && original.chars().all(char::is_uppercase) && original != "I";
    next.is_some_and(|next| {
        ABBREVIATIONS.contains(&word.as_str())
            || (initial && next.is_uppercase())
            || (BEFORE_NUMBERS.contains(&word.as_str()) && next.is_numeric())
            || (BEFORE_CAPITALS.contains(&word.as_str()) && !next.is_uppercase())
    })
}

/// A piece too long for one breath, cut between words; a word too long for a
/// breath (no language has one) is cut anywhere.
fn shortened(piece: &Piece) -> Vec<Piece> {
    let mut rest: Vec<char> = piece.words.chars().collect();
    let mut cut = Vec::new();
    while rest.len() > PIECE_MAX {
        let space = rest[..PIECE_MAX].iter().rposition(|c| *c == ' ').filter(|at| *at > 0);
        let tail = rest.split_off(space.unwrap_or(PIECE_MAX));
        let words = rest.iter().collect::<String>().trim().to_owned();
        if words.chars().any(char::is_alphanumeric) {
            cut.push(Piece { words, mark: Mark::Comma });
        }
        rest = tail;
    }
    let words = rest.iter().collect::<String>().trim().to_owned();
    cut.push(Piece { words, mark: piece.mark });
    cut
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spoken(text: &str) -> Vec<String> {
        let told = |clause: &Clause| {
            let pieces: Vec<_> = clause.pieces.iter().map(|p| format!("{}{}", p.words, p.mark.symbol())).collect();
            pieces.join(" ")
        };
        clauses(text).iter().map(told).collect()
    }

    #[test]
    fn every_sentence_is_a_breath_of_its_own() {
        assert_eq!(
            spoken("Good morning! This is the clinic. How may I help?"),
            ["Good morning!", "This is the clinic.", "How may I help?"]
        );
    }

    #[test]
    fn a_point_in_a_number_a_title_or_an_address_is_no_stop() {
        assert_eq!(spoken("Dr. Ada sees you at 8.30, room no. 5"), ["Dr. Ada sees you at 8.30, room no. 5."]);
        assert_eq!(spoken("Write to info@clinic.example.com"), ["Write to info@clinic.example.com."]);
        assert_eq!(spoken("We open at 8 a.m. on Monday"), ["We open at 8 a.m. on Monday."]);
        assert_eq!(spoken("We open at 8 a.m. On Sunday we rest"), ["We open at 8 a.m.", "On Sunday we rest."]);
        assert_eq!(spoken("No. We do not."), ["No.", "We do not."]);
    }

    #[test]
    fn commas_and_colons_within_numbers_do_not_part_them() {
        assert_eq!(spoken("It is 15,000 naira at 8:30"), ["It is 15,000 naira at 8:30."]);
    }

    #[test]
    fn short_pieces_share_a_breath_and_long_ones_do_not() {
        assert_eq!(spoken("Yes, we do, every day"), ["Yes, we do, every day."]);
        let long = "We are open from eight in the morning until six in the evening, and on Saturdays until two.";
        assert_eq!(clauses(long).len(), 2, "{:?}", spoken(long));
    }

    #[test]
    fn brackets_and_dashes_are_spoken_as_commas_and_a_stop_wins_over_them() {
        assert_eq!(
            spoken("Come by bus (number two) – or walk (slowly)."),
            ["Come by bus, number two, or walk, slowly."]
        );
    }

    #[test]
    fn text_without_words_is_silence() {
        assert_eq!(clauses(" ... !? \n - "), []);
    }

    proptest! {
        #[test]
        fn no_letter_or_digit_is_lost_or_moved(text in "[a-zA-Z0-9 .,:;?!()\\n–é-]{0,400}") {
            let kept = |s: &str| s.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
            let said: String = clauses(&text).iter().flat_map(|c| &c.pieces).map(|p| p.words.as_str()).collect();
            prop_assert_eq!(kept(&said), kept(&text));
        }

        #[test]
        fn every_piece_has_words_and_fits_a_breath(text in "\\PC{0,600}") {
            for clause in clauses(&text) {
                prop_assert!(!clause.pieces.is_empty());
                let total: usize = clause.pieces.iter().map(|p| p.words.chars().count()).sum();
                prop_assert!(total <= PIECE_MAX);
                for piece in &clause.pieces {
                    prop_assert!(!piece.words.is_empty());
                }
            }
        }
    }
}
