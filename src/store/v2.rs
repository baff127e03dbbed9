//! Version 2 of what stands on the disk: version 1, and the engines that were
//! left in a turn. Frozen, as version 1 is.

use super::v1::names;
use crate::call::{EngineStage, WhyLeft};

names!(stage_name, stage, EngineStage, { Ears = "ears", Mind = "mind", Voice = "voice" });

names!(why_name, why, WhyLeft, {
    ConnectDeadline = "connect-deadline", WordsDeadline = "words-deadline",
    FirstTokenDeadline = "first-token-deadline", TokenGapDeadline = "token-gap-deadline",
    FirstSoundDeadline = "first-sound-deadline", SoundGapDeadline = "sound-gap-deadline", Busy = "busy",
    Spent = "spent", Rejected = "rejected", Unreachable = "unreachable", Broken = "broken", Declined = "declined",
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_disk_reads_back_as_the_variant_it_stands_for() {
        for value in EngineStage::ALL {
            assert_eq!(stage(stage_name(value)), Some(value));
        }
        for value in WhyLeft::ALL {
            assert_eq!(why(why_name(value)), Some(value));
        }
        assert_eq!(why("tired"), None);
    }
}
