//! BERT's tokenizer: from a text to the ids of its word pieces. The parts are
//! those of rten-text; its own way of joining them is not used, because it
//! panics on accented text (it loses count of the original's offsets, which
//! nobody here wants).

use std::collections::HashMap;

use rten_text::models::{Model, WordPiece, WordPieceOptions};
use rten_text::normalizers::{Bert as Lowercase, BertOptions, Normalizer};
use rten_text::pre_tokenizers::{Bert as SplitWords, PreTokenizer};
use serde::Deserialize;
use thiserror::Error;

/// Why a `tokenizer.json` is of no use here.
#[derive(Debug, Error)]
pub enum ReadWordPieces {
    #[error("it is not the JSON that was expected")]
    Json(#[source] serde_json::Error),
    #[error("it is of another kind than BERT's, or keeps capitals")]
    Kind,
    #[error("the mark {0} is missing in its vocabulary")]
    Mark(&'static str),
}

/// The text could not be split; with BERT's rules this cannot happen.
#[derive(Debug, PartialEq, Eq)]
pub struct SplitFailed;

pub struct WordPieces {
    lowercase: Lowercase,
    split: SplitWords,
    pieces: WordPiece,
    /// `[CLS]`, before every text.
    start: u32,
    /// `[SEP]`, after it.
    end: u32,
    /// `[UNK]`, for a word with a letter that the vocabulary has not.
    unknown: u32,
}

#[derive(Deserialize)]
struct File {
    normalizer: Kind,
    pre_tokenizer: Kind,
    model: Vocabulary,
}

#[derive(Deserialize)]
struct Kind {
    r#type: String,
    #[serde(default)]
    lowercase: bool,
}

#[derive(Deserialize)]
struct Vocabulary {
    r#type: String,
    vocab: HashMap<String, u32>,
}

impl WordPieces {
    /// Reads a Hugging Face `tokenizer.json` of an uncased BERT.
    pub fn from_json(json: &[u8]) -> Result<Self, ReadWordPieces> {
        let file: File = serde_json::from_slice(json).map_err(ReadWordPieces::Json)?;
        let is_bert = file.normalizer.r#type == "BertNormalizer"
            && file.normalizer.lowercase
            && file.pre_tokenizer.r#type == "BertPreTokenizer"
            && file.model.r#type == "WordPiece";
        if !is_bert {
            return Err(ReadWordPieces::Kind);
        }
        let vocabulary = file.model.vocab;
        let mark = |text: &'static str| vocabulary.get(text).copied().ok_or(ReadWordPieces::Mark(text));
        let (start, end, unknown) = (mark("[CLS]")?, mark("[SEP]")?, mark("[UNK]")?);
        Ok(Self {
            lowercase: Lowercase::new(BertOptions { lowercase: true, strip_accents: true }),
            split: SplitWords::new(),
            pieces: WordPiece::from_vocab(vocabulary, WordPieceOptions::default()),
            start,
            end,
            unknown,
        })
    }

    /// The ids of `text` between the marks for start and end, `max` in all; the
    /// rest of a longer text is cut. Text that looks like a mark is text: no
    /// caller writes the model's marks.
    pub fn ids(&self, text: &str, max: usize) -> Result<Vec<u32>, SplitFailed> {
        let (plain, _) = self.lowercase.normalize(&clean(text)).map_err(|_| SplitFailed)?;
        let mut ids = vec![self.start];
        for word in self.split.pre_tokenize(&plain).map_err(|_| SplitFailed)? {
            let first = ids.len();
            self.pieces.encode_with_offsets(word, &mut |_, id| ids.push(id)).map_err(|_| SplitFailed)?;
            if ids[first..].contains(&self.unknown) {
                ids.truncate(first);
                ids.push(self.unknown);
            }
            if ids.len() >= max {
                break;
            }
        }
        ids.truncate(max.saturating_sub(1));
        ids.push(self.end);
        Ok(ids)
    }
}

/// BERT's cleaning of a text: control and format characters go, blanks are
/// spaces, and a Chinese character is a word of its own.
fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_whitespace() => out.push(' '),
            '\u{FFFD}'
            | '\u{AD}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' => {}
            c if c.is_control() => {}
            '\u{4E00}'..='\u{9FFF}' | '\u{3400}'..='\u{4DBF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{2CEAF}' => {
                out.extend([' ', c, ' ']);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A vocabulary in which the ids say what happened.
    fn small() -> WordPieces {
        let json = r###"{
            "normalizer": {"type": "BertNormalizer", "lowercase": true},
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "model": {"type": "WordPiece", "vocab": {
                "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "open": 10, "##ing": 11, "e": 12, "##u": 13, "?": 14, "日": 15, "cafe": 16
            }}
        }"###;
        WordPieces::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn words_are_lower_case_without_accents_and_in_pieces() {
        assert_eq!(small().ids("Opening?  CAFÉ", 256), Ok(vec![1, 10, 11, 14, 16, 2]));
    }

    #[test]
    fn a_word_with_an_unknown_part_is_unknown_as_a_whole() {
        assert_eq!(small().ids("openinx open", 256), Ok(vec![1, 3, 10, 2]));
    }

    #[test]
    fn a_chinese_character_is_a_word_and_an_invisible_one_is_nothing() {
        assert_eq!(small().ids("open日open\u{200B}ing\u{7}", 256), Ok(vec![1, 10, 15, 10, 11, 2]));
    }

    #[test]
    fn a_long_text_is_cut_and_keeps_its_end_mark() {
        assert_eq!(small().ids(&"open ".repeat(300), 5), Ok(vec![1, 10, 10, 10, 2]));
    }

    #[test]
    fn a_tokenizer_of_another_kind_is_refused() {
        let cased = r#"{"normalizer": {"type": "BertNormalizer", "lowercase": false},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": {"type": "WordPiece", "vocab": {}}}"#;
        assert!(matches!(WordPieces::from_json(cased.as_bytes()), Err(ReadWordPieces::Kind)));
        assert!(matches!(WordPieces::from_json(b"<html>"), Err(ReadWordPieces::Json(_))));
    }

    proptest! {
        #[test]
        fn any_text_has_ids_between_its_marks_and_within_the_limit(text: String) {
            let ids = small().ids(&text, 16).unwrap();
            prop_assert!((2..=16).contains(&ids.len()));
            prop_assert_eq!((ids.first(), ids.last()), (Some(&1), Some(&2)));
        }
    }
}
