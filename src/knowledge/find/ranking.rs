//! How near each topic is to a question: meaning and words weighed together. What
//! is done with the nearest is not decided here.

use super::super::clauses;
use super::{KnowledgeIndex, Question};

/// How near is near enough. The numbers are measured: see `judge`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bands {
    /// Scores and leads over the next topic; from any of these pairs on the
    /// answer is said. The farther ahead of all others, the less near it must be.
    answer: [(f32, f32); 3],
    /// The same for asking whether this is meant.
    maybe: [(f32, f32); 2],
}

/// With embeddings: nearness of meaning plus a share of lexical coverage.
const WITH_VECTORS: Bands =
    Bands { answer: [(0.55, 0.06), (0.40, 0.12), (0.30, 0.20)], maybe: [(0.33, 0.0), (0.25, 0.10)] };
/// Lexical coverage alone, which knows less and must be surer.
const WORDS_ALONE: Bands = Bands { answer: [(0.60, 0.12); 3], maybe: [(0.34, 0.0); 2] };
/// What full lexical coverage adds to nearness of meaning.
const LEXICAL_SHARE: f32 = 0.20;

/// What a question loses whose words the file has none of: the subject of most
/// questions out of scope is a word that the business never wrote.
const UNKNOWN_WORDS: f32 = 0.20;

impl Bands {
    pub(super) fn suffice(&self, score: f32, lead: f32) -> bool {
        reaches(&self.answer, score, lead)
    }

    pub(super) fn suffice_to_ask(&self, score: f32, lead: f32) -> bool {
        reaches(&self.maybe, score, lead)
    }

    /// Whether a second topic is asked back too, when the first was not meant.
    pub(super) fn is_runner_up(&self, score: f32, best: f32) -> bool {
        score >= self.maybe[0].0 - BEHIND && score >= best - BEHIND
    }
}

fn reaches(pairs: &[(f32, f32)], score: f32, lead: f32) -> bool {
    pairs.iter().any(|(least, ahead)| score >= *least && lead >= *ahead)
}

/// How far behind the nearest topic, and behind what is asked back at all, a second
/// one may be.
const BEHIND: f32 = 0.10;

/// Passages of different topics may not be this alike: nothing is nearer.
pub(super) const NO_MATCH: f32 = -1.0;

/// How near each topic is to a question.
pub(super) struct Ranking {
    /// Indices of topics with their scores, the best first.
    pub(super) ranked: Vec<(usize, f32)>,
    pub(super) bands: Bands,
}

impl KnowledgeIndex {
    pub(super) fn rank(&self, question: &Question, vectors: &[Vec<f32>]) -> Ranking {
        let lexical = self.lexicon.coverage(&question.content);
        let semantic = self.similarities(vectors);
        let (scores, bands): (Vec<f32>, Bands) = match semantic {
            Some(semantic) => {
                let strange = UNKNOWN_WORDS * self.unknown_share(question);
                let fused = semantic.iter().zip(&lexical).map(|(s, l)| s + LEXICAL_SHARE * l - strange).collect();
                (fused, WITH_VECTORS)
            }
            None => (lexical, WORDS_ALONE),
        };
        let mut ranked: Vec<(usize, f32)> = scores.into_iter().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ranking { ranked, bands }
    }

    /// How many of the question's subject words the file never uses, from 0 to 1.
    fn unknown_share(&self, question: &Question) -> f32 {
        let all = question.content.len();
        let unknown = question.content.iter().filter(|s| !self.lexicon.knows(s)).count();
        // At most as many as a turn has words, which an f32 holds exactly.
        if all == 0 { 0.0 } else { unknown as f32 / all as f32 }
    }

    /// For each topic its nearness to the question, the clauses heard out too;
    /// none without vectors or with one of another length.
    fn similarities(&self, questions: &[Vec<f32>]) -> Option<Vec<f32>> {
        let passages = self.vectors.as_ref()?;
        let texts = questions.iter().take(clauses::MAX_TEXTS);
        let near = texts.map(|q| nearness(passages, q, self.topics.len())).collect::<Option<Vec<_>>>()?;
        clauses::weigh(&near)
    }
}

/// For each topic the nearness of one text: half that of its nearest passage and
/// half the mean of its three nearest, so that one chance likeness weighs less;
/// and less a share of what the whole file has in common with this text, which
/// says nothing of the topic.
fn nearness(passages: &[(usize, Vec<f32>)], text: &[f32], topics: usize) -> Option<Vec<f32>> {
    /// Nearest passages of a topic that are heard.
    const NEAREST: usize = 3;
    const IN_COMMON: f32 = 0.3;
    let mut nearest = vec![[NO_MATCH; NEAREST]; topics];
    let (mut sum, mut count) = (0.0, 0.0);
    for (topic, vector) in passages {
        if vector.len() != text.len() {
            return None;
        }
        let cosine: f32 = vector.iter().zip(text).map(|(a, b)| a * b).sum();
        (sum, count) = (sum + cosine, count + 1.0);
        let best = &mut nearest[*topic];
        if cosine > best[NEAREST - 1] {
            best[NEAREST - 1] = cosine;
            best.sort_by(|a, b| b.total_cmp(a));
        }
    }
    let common = if count > 0.0 { IN_COMMON * sum / count } else { 0.0 };
    Some(nearest.iter().map(|best| near_topic(best) - common).collect())
}

/// From a topic's nearest passages, the best first; it may have fewer.
fn near_topic(best: &[f32]) -> f32 {
    let (sum, count) = best.iter().filter(|c| **c > NO_MATCH).fold((0.0, 0.0), |(s, n), c| (s + c, n + 1.0));
    if count > 0.0 { f32::midpoint(best[0], sum / count) } else { NO_MATCH }
}
