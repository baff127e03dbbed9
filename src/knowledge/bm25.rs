//! Lexical retrieval: BM25 over the stems of each fact's questions and answer
//! (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009,
//! with weighted fields as in BM25F). It knows words, not meanings.

use std::collections::BTreeMap;

use super::words::{content_stems, tokens};

/// Saturation of repeated words; the usual value.
const K1: f32 = 1.2;
/// How much a long text is held against it; answers differ little in length.
const B: f32 = 0.4;
/// A word in a question says more of what is asked than one in the answer.
const QUESTION_WEIGHT: f32 = 1.0;
const ANSWER_WEIGHT: f32 = 0.5;

pub(super) struct Lexicon {
    /// For each stem, the texts that have it and its weighted count there.
    postings: BTreeMap<String, Vec<(usize, f32)>>,
    lengths: Vec<f32>,
    mean_length: f32,
}

/// One text to be found: the ways to ask it and its answer.
pub(super) struct Document {
    pub(super) questions: Vec<String>,
    pub(super) answer: String,
}

impl Document {
    /// Its words as they are written, one by one.
    pub(super) fn words(&self) -> Vec<String> {
        self.questions.iter().chain([&self.answer]).flat_map(|text| tokens(text)).collect()
    }
}

impl Lexicon {
    pub(super) fn new(documents: &[Document]) -> Self {
        let mut postings: BTreeMap<String, Vec<(usize, f32)>> = BTreeMap::new();
        let mut lengths = Vec::with_capacity(documents.len());
        for (i, document) in documents.iter().enumerate() {
            let mut counts: BTreeMap<String, f32> = BTreeMap::new();
            let fields = document.questions.iter().map(|q| (q, QUESTION_WEIGHT));
            for (text, weight) in fields.chain([(&document.answer, ANSWER_WEIGHT)]) {
                for stem in content_stems(&tokens(text)) {
                    *counts.entry(stem).or_default() += weight;
                }
            }
            lengths.push(counts.values().sum());
            for (stem, count) in counts {
                postings.entry(stem).or_default().push((i, count));
            }
        }
        let mean_length = if lengths.is_empty() { 1.0 } else { lengths.iter().sum::<f32>() / count(lengths.len()) };
        Self { postings, lengths, mean_length: mean_length.max(1.0) }
    }

    pub(super) fn knows(&self, stem: &str) -> bool {
        self.postings.contains_key(stem)
    }

    /// Whether the text at this index has the stem.
    pub(super) fn has(&self, document: usize, stem: &str) -> bool {
        self.postings.get(stem).is_some_and(|having| having.iter().any(|(i, _)| *i == document))
    }

    /// For each text, how much of what the query says it says too: from 0 to
    /// about 1, where rare words weigh more and a word that no text has weighs most.
    pub(super) fn coverage(&self, stems: &[String]) -> Vec<f32> {
        let mut scores = vec![0.0; self.lengths.len()];
        let mut ideal = 0.0;
        for stem in stems {
            let postings = self.postings.get(stem).map_or(&[][..], Vec::as_slice);
            let idf = self.idf(postings.len());
            ideal += idf;
            for (i, tf) in postings {
                let length = 1.0 - B + B * self.lengths[*i] / self.mean_length;
                scores[*i] += idf * (tf * (K1 + 1.0) / (tf + K1 * length)).min(1.5) / 1.5;
            }
        }
        if ideal > 0.0 {
            scores.iter_mut().for_each(|s| *s /= ideal);
        }
        scores
    }

    fn idf(&self, having: usize) -> f32 {
        let (all, having) = (count(self.lengths.len()), count(having));
        (1.0 + (all - having + 0.5) / (having + 0.5)).ln()
    }
}

/// Counts here are at most some thousands, which an f32 holds exactly.
fn count(n: usize) -> f32 {
    f32::from(u16::try_from(n).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lexicon() -> Lexicon {
        let document = |q: &str, a: &str| Document { questions: vec![q.to_owned()], answer: a.to_owned() };
        Lexicon::new(&[
            document("Do you have parking?", "Yes, behind the building."),
            document("How much is a malaria test?", "The test is cheap."),
            document("Do you test eyes?", "On Fridays."),
        ])
    }

    fn stems(text: &str) -> Vec<String> {
        content_stems(&tokens(text))
    }

    #[test]
    fn the_text_with_the_rare_word_wins() {
        let scores = lexicon().coverage(&stems("price of tests for malaria"));
        assert!(scores[1] > scores[2] && scores[2] > scores[0], "{scores:?}");
    }

    #[test]
    fn forms_of_a_word_meet() {
        let scores = lexicon().coverage(&stems("where can I park"));
        assert!(scores[0] > 0.5, "{scores:?}");
    }

    #[test]
    fn words_that_no_text_has_lower_every_score() {
        let lexicon = lexicon();
        let sure = lexicon.coverage(&stems("malaria"))[1];
        let unsure = lexicon.coverage(&stems("malaria helicopter"))[1];
        assert!(unsure < sure * 0.7);
        assert!(lexicon.coverage(&[]).iter().all(|s| *s == 0.0));
    }
}
