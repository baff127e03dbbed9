use std::time::Duration;

use super::{Expectation, SilenceNth};

/// Two prompts and a goodbye, each after a silence; a caller who says something
/// real begins the count anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SilencePolicy {
    next: Option<SilenceNth>,
}

impl SilencePolicy {
    pub(crate) const fn new() -> Self {
        Self { next: Some(SilenceNth::FirstPrompt) }
    }

    /// The silence after which the next step is due; none after the goodbye.
    pub(crate) fn patience(self, expectation: Expectation) -> Option<Duration> {
        self.next.map(|_| match expectation {
            // Six seconds: the answer of a person who has understood comes
            // within three, and dead air makes callers hang up.
            Expectation::Anything | Expectation::YesNo => Duration::from_secs(6),
            // A number must be looked up, a name spelled, a message thought out.
            Expectation::Digits | Expectation::Name | Expectation::Email | Expectation::Message => {
                Duration::from_secs(9)
            }
            // "Hold on": half a minute to fetch a card or a person.
            Expectation::Return => Duration::from_secs(30),
        })
    }

    /// The step that is due, which moves on to the one after it.
    pub(crate) fn take(&mut self) -> Option<SilenceNth> {
        let due = self.next?;
        self.next = match due {
            SilenceNth::FirstPrompt => Some(SilenceNth::SecondPrompt),
            SilenceNth::SecondPrompt => Some(SilenceNth::Goodbye),
            SilenceNth::Goodbye => None,
        };
        Some(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_caller_is_prompted_twice_and_then_taken_leave_of() {
        let mut policy = SilencePolicy::new();
        let steps: Vec<_> = std::iter::from_fn(|| policy.take()).collect();
        assert_eq!(steps, [SilenceNth::FirstPrompt, SilenceNth::SecondPrompt, SilenceNth::Goodbye]);
        assert_eq!(policy.patience(Expectation::Anything), None);
    }

    #[test]
    fn a_caller_who_went_to_fetch_something_is_given_time() {
        let policy = SilencePolicy::new();
        assert!(policy.patience(Expectation::Return) > policy.patience(Expectation::Message));
        assert!(policy.patience(Expectation::Message) > policy.patience(Expectation::YesNo));
    }
}
