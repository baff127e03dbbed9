use std::time::Duration;

use crate::call::WhyLeft;
use crate::speech::{Again, Awaited, AwaitedWords, EarsError, MindError, TryAgain, VoiceError, Waited};

/// What a failure says about the engine's health.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Weight {
    /// The engine is well; only this piece of work is none for it.
    Nothing,
    /// It counts, and the engine may have named a time before which it wants to
    /// be left alone.
    Counts { not_before: Option<Duration> },
    /// Asking at once again is of no use: a key, an account, a request or a clock is
    /// wrong. Nobody may be there to repair it, and nobody may have to: it is tried
    /// again after the longest rest.
    UntilRepaired,
    /// The provider itself says that nothing comes before the month is over or a
    /// person has acted; trying again may cost the account.
    ForGood,
}

/// A failure, as far as the choice of the next engine depends on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault {
    /// None if the engine is passed over without a word: the policy, the
    /// caller's wish or the budget keeps the data on the box, or the box was too slow
    /// with its own part.
    pub why: Option<WhyLeft>,
    pub weight: Weight,
}

impl Fault {
    /// The engine did not keep a deadline of ours.
    pub const fn late(why: WhyLeft) -> Self {
        Self { why: Some(why), weight: Weight::Counts { not_before: None } }
    }

    const KEPT: Self = Self { why: None, weight: Weight::Nothing };

    const fn new(why: WhyLeft, weight: Weight) -> Self {
        Self { why: Some(why), weight }
    }
}

const fn weight_of(again: Again) -> Weight {
    match again {
        Again::Soon => Weight::Counts { not_before: None },
        Again::After(time) => Weight::Counts { not_before: Some(time) },
        Again::OtherWords => Weight::Nothing,
        Again::OnceRepaired => Weight::UntilRepaired,
    }
}

impl From<&EarsError> for Fault {
    fn from(error: &EarsError) -> Self {
        let why = match error {
            EarsError::Kept => return Self::KEPT,
            EarsError::Overloaded | EarsError::Busy { .. } => WhyLeft::Busy,
            EarsError::Engine(_) => WhyLeft::Broken,
            EarsError::NotServed(_) => WhyLeft::Rejected,
            EarsError::Stalled { waiting_for: AwaitedWords::Connection, .. } => WhyLeft::ConnectDeadline,
            EarsError::Stalled { .. } => WhyLeft::WordsDeadline,
            EarsError::Lost(_) => WhyLeft::Unreachable,
        };
        Self::new(why, weight_of(error.again()))
    }
}

impl From<&MindError> for Fault {
    fn from(error: &MindError) -> Self {
        let why = match error {
            MindError::Policy | MindError::BoxBusy => return Self::KEPT,
            MindError::Overloaded | MindError::Busy { .. } => WhyLeft::Busy,
            MindError::TooLate(Waited::Connection, _) => WhyLeft::ConnectDeadline,
            MindError::TooLate(Waited::FirstToken, _) => WhyLeft::FirstTokenDeadline,
            MindError::TooLate(Waited::NextToken | Waited::Whole, _) => WhyLeft::TokenGapDeadline,
            MindError::Spent => WhyLeft::Spent,
            MindError::Rejected { .. } => WhyLeft::Rejected,
            MindError::Declined => WhyLeft::Declined,
            MindError::Unreachable => WhyLeft::Unreachable,
            MindError::Broken(_) => WhyLeft::Broken,
        };
        let weight = match error.try_again() {
            TryAgain::NextQuestion => Weight::Nothing,
            TryAgain::Later(not_before) => Weight::Counts { not_before },
            TryAgain::OnceRepaired => Weight::UntilRepaired,
            TryAgain::Never => Weight::ForGood,
        };
        Self::new(why, weight)
    }
}

impl From<&VoiceError> for Fault {
    fn from(error: &VoiceError) -> Self {
        let why = match error {
            VoiceError::Kept => return Self::KEPT,
            VoiceError::Overloaded | VoiceError::Busy { .. } => WhyLeft::Busy,
            VoiceError::Engine(_) => WhyLeft::Broken,
            VoiceError::NotServed(_) => WhyLeft::Rejected,
            VoiceError::Stalled { waiting_for: Awaited::Connection, .. } => WhyLeft::ConnectDeadline,
            VoiceError::Stalled { waiting_for: Awaited::FirstSound, .. } => WhyLeft::FirstSoundDeadline,
            VoiceError::Stalled { waiting_for: Awaited::NextSound, .. } => WhyLeft::SoundGapDeadline,
            VoiceError::Lost(_) => WhyLeft::Unreachable,
        };
        Self::new(why, weight_of(error.again()))
    }
}
