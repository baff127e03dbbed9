//! What a call has been about, and what of that is only guessed.

use super::super::finding::Finding;
use super::super::say::HoursQuestion;
use super::super::topic::Topic;
use super::super::when::When;

/// What a call has been about, for "and on Sunday?" and "how much is it?".
///
/// [`KnowledgeIndex::find`](super::KnowledgeIndex::find) never changes it: it hands back
/// the new one, to be kept when the answer was really said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recollection {
    pub(super) topic: Option<Topic>,
    pub(super) hours: Option<HoursQuestion>,
    pub(super) when: Option<When>,
    doubt: Option<Doubt>,
}

/// "Did you mean …?" was asked, and the topic is what was meant if the caller says yes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Doubt {
    /// What is asked after a no.
    or_else: Option<Topic>,
    /// What was spoken of before, and is again after the last no.
    before: Option<Topic>,
}

impl Recollection {
    pub(super) const fn of_hours(kind: HoursQuestion, when: Option<When>) -> Self {
        Self { topic: Some(Topic::Hours), hours: Some(kind), when, doubt: None }
    }

    /// After an answer on this topic.
    pub(super) const fn answered(&self, topic: Topic) -> Self {
        Self { topic: Some(topic), hours: None, when: self.when, doubt: None }
    }

    /// After a question whether this topic is meant, or else another one.
    pub(super) fn guessed(&self, topic: Topic, or_else: Option<Topic>) -> Self {
        // What was only guessed has not been spoken of.
        let before = self.doubt.map_or(self.topic, |doubt| doubt.before);
        Self { doubt: Some(Doubt { or_else, before }), ..self.answered(topic) }
    }

    /// After words that ask nothing of the file.
    pub(super) fn settled(&self, finding: &Finding) -> Self {
        match (finding, self.doubt) {
            (Finding::Yes, _) => Self { doubt: None, ..self.clone() },
            (Finding::No, Some(Doubt { or_else: Some(other), before })) => {
                Self { topic: Some(other), doubt: Some(Doubt { or_else: None, before }), ..self.clone() }
            }
            (Finding::No, Some(Doubt { or_else: None, before })) => Self { topic: before, doubt: None, ..self.clone() },
            _ => self.clone(),
        }
    }
}
