//! The 7-bit alphabets: characters to septets and back. A character without a
//! place is none here, never another one that looks like it.

use super::tables::{ESCAPE, locking, single};

/// A language with tables of its own, by its identifier in a text's header
/// (3GPP TS 23.038 section 6.2.1.2.4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Language {
    Turkish = 1,
    /// It has a single shift table only.
    Spanish = 2,
    Portuguese = 3,
    Bengali = 4,
    Gujarati = 5,
    Hindi = 6,
    Kannada = 7,
    Malayalam = 8,
    Oriya = 9,
    Punjabi = 10,
    Tamil = 11,
    Telugu = 12,
    Urdu = 13,
}

impl Language {
    pub const ALL: [Self; 13] = [
        Self::Turkish,
        Self::Spanish,
        Self::Portuguese,
        Self::Bengali,
        Self::Gujarati,
        Self::Hindi,
        Self::Kannada,
        Self::Malayalam,
        Self::Oriya,
        Self::Punjabi,
        Self::Tamil,
        Self::Telugu,
        Self::Urdu,
    ];

    pub fn of_identifier(identifier: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.identifier() == identifier)
    }

    pub const fn identifier(self) -> u8 {
        self as u8
    }
}

/// Which tables a text is written in; the default alphabet where no language is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Alphabet {
    pub locking: Option<Language>,
    pub single: Option<Language>,
}

impl Alphabet {
    /// The default alphabet with its extension table.
    pub const DEFAULT: Self = Self { locking: None, single: None };

    /// The text of `septets`. An escape before a place that the shift table does
    /// not fill shows the character of the locking table, a second escape a
    /// space, and a place without a character the mark for what is unknown, as
    /// the standard wants them shown.
    pub fn text(self, septets: &[u8]) -> String {
        let (locked, shifted) = (locking(self.locking), single(self.single));
        let place = |table: &[char; 128], septet: u8| table.get(usize::from(septet)).copied().filter(|c| *c != '\0');
        let mut text = String::with_capacity(septets.len());
        let mut rest = septets.iter().copied();
        while let Some(septet) = rest.next() {
            let shown = if septet != ESCAPE {
                place(locked, septet)
            } else {
                match rest.next() {
                    Some(ESCAPE) => Some(' '),
                    Some(next) => place(shifted, next).or_else(|| place(locked, next)),
                    // Half a pair says nothing.
                    None => break,
                }
            };
            text.push(shown.unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        text
    }

    /// The septets of one character, one or an escape and one; none without a place.
    pub fn septets(self, c: char) -> Option<Septets> {
        let place = |table: &[char; 128]| {
            let at = table.iter().position(|held| *held == c && c != '\0')?;
            u8::try_from(at).ok()
        };
        place(locking(self.locking)).map(Septets::One).or_else(|| place(single(self.single)).map(Septets::Escaped))
    }

    /// The septets of a text; none when a character has no place.
    pub fn all_septets(self, text: &str) -> Option<Vec<u8>> {
        let mut septets = Vec::with_capacity(text.len());
        for c in text.chars() {
            septets.extend(self.septets(c)?.iter());
        }
        Some(septets)
    }
}

/// What one character takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Septets {
    One(u8),
    /// Behind an escape, from which it is never parted.
    Escaped(u8),
}

impl Septets {
    pub fn iter(self) -> impl Iterator<Item = u8> {
        let (escape, septet) = match self {
            Self::One(septet) => (None, septet),
            Self::Escaped(septet) => (Some(ESCAPE), septet),
        };
        escape.into_iter().chain([septet])
    }

    pub const fn count(self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Escaped(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: [Option<Language>; 14] = {
        let mut every = [None; 14];
        let mut i = 0;
        while i < 13 {
            every[i + 1] = Some(Language::ALL[i]);
            i += 1;
        }
        every
    };

    #[test]
    fn every_character_of_every_pair_of_tables_comes_back_as_it_was() {
        for locking in EVERY {
            for single in EVERY {
                let alphabet = Alphabet { locking, single };
                for septet in 0..128 {
                    for septets in [vec![septet], vec![ESCAPE, septet]] {
                        let text = alphabet.text(&septets);
                        let strange = text.contains(char::REPLACEMENT_CHARACTER) || septet == ESCAPE;
                        let again = alphabet.all_septets(&text).map(|again| alphabet.text(&again));
                        assert!(strange || again.as_deref() == Some(&*text), "{alphabet:?} {septets:?} {text:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_extension_needs_two_septets_and_the_rest_one() {
        let count = |c| Alphabet::DEFAULT.septets(c).map(Septets::count);
        for c in "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ aZ09¿äöñüà§".chars() {
            assert_eq!(count(c), Some(1), "{c}");
        }
        for c in "^{}\\[~]|€\u{c}".chars() {
            assert_eq!(count(c), Some(2), "{c}");
        }
        // Neither the naira sign nor the dotted letters of Yoruba and Igbo have a place.
        for c in "₦ọẹṣịụç`’“–\u{0}\u{1b}".chars() {
            assert_eq!(count(c), None, "{c:?}");
        }
    }

    #[test]
    fn an_escape_without_sense_is_shown_as_the_standard_says() {
        assert_eq!(Alphabet::DEFAULT.text(&[ESCAPE, b'a']), "a");
        assert_eq!(Alphabet::DEFAULT.text(&[b'a', ESCAPE, ESCAPE, b'b']), "a b");
        assert_eq!(Alphabet::DEFAULT.text(&[b'a', ESCAPE]), "a");
    }

    #[test]
    fn a_language_without_a_locking_table_has_the_default_one() {
        let spanish = Alphabet { locking: Some(Language::Spanish), single: Some(Language::Spanish) };
        assert_eq!(spanish.text(b"Ma\x1bnana Mar\x1bia"), "Manana Mar\u{ed}a");
    }
}
