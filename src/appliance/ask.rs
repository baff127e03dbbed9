//! One question put to what a business knows, without a call, for `milu knowledge ask`.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use crate::knowledge::{Finding, Found, KnowledgeBase, KnowledgeIndex, Recollection};
use crate::speech::onbox::{EmbedError, Embedder};

/// What the box would answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    pub question: String,
    /// The kind of finding: `answer`, `maybe`, `unknown`, …
    pub finding: &'static str,
    pub text: Option<String>,
    /// The entry of the file that it comes from.
    pub entry: Option<String>,
    /// How near the nearest entry was, 0 to about 1.
    pub score: f32,
    /// False when there were no models and words alone decided.
    pub by_meaning: bool,
}

#[derive(Debug, Error)]
pub enum AskError {
    #[error("asking the knowledge file: the model could not understand a sentence: {0}")]
    Embed(#[from] EmbedError),
}

/// Asks `base` a question at the time `now`.
pub fn ask_knowledge(
    base: KnowledgeBase,
    models_dir: &Path,
    question: &str,
    now: Timestamp,
) -> Result<Answer, AskError> {
    let embedder = Embedder::load(models_dir).ok();
    let vectors = match &embedder {
        Some(embedder) => {
            let texts: Vec<String> = base.passages().into_iter().map(|p| p.text).collect();
            Some(embedder.embed_all(&texts)?)
        }
        None => None,
    };
    let local = now.to_zoned_datetime(base.hours.time_zone().clone());
    let index = KnowledgeIndex::new(base, vectors);
    let asked = match &embedder {
        Some(embedder) => embedder.embed_all(&index.texts_to_embed(question))?,
        None => Vec::new(),
    };
    let found = index.find(question, &asked, &Recollection::default(), &local);
    Ok(Answer::of(question.to_owned(), found, embedder.is_some()))
}

impl Answer {
    pub(super) fn of(question: String, found: Found, by_meaning: bool) -> Self {
        let (finding, spoken) = match found.finding {
            Finding::Answer(spoken) => ("answer", Some(spoken)),
            Finding::Maybe(guess) => ("maybe", Some(guess.question)),
            Finding::Courtesy(spoken) => ("courtesy", Some(spoken)),
            Finding::Unknown => ("unknown", None),
            Finding::TextMe(written) => ("text-message", written.map(|written| written.aloud)),
            Finding::Person { .. } => ("person", None),
            Finding::LeaveMessage => ("leave-message", None),
            Finding::Repeat { .. } => ("repeat", None),
            Finding::Yes => ("yes", None),
            Finding::No => ("no", None),
            Finding::Goodbye => ("goodbye", None),
            Finding::Wait => ("wait", None),
            Finding::Backchannel => ("backchannel", None),
        };
        let (text, entry) = spoken.map_or((None, None), |s| (Some(s.text.into_exposed()), s.entry));
        Self { question, finding, text, entry, score: found.score, by_meaning }
    }
}
