//! Version 3 of what stands on the disk: versions 1 and 2, with what operators
//! reported, what callers wished, and sound that was withheld. Frozen, as they are;
//! journal kinds stand in version 4.

use serde::{Deserialize, Serialize};

use super::v1::names;
use crate::call::{Gap, GapReason, Wish};
use crate::residency::{CallerWish, Reported};

names!(reason_name, reason, GapReason, {
    PowerCut = "power-cut", DiskFault = "disk-fault", Overload = "overload", Withheld = "withheld",
});

pub(super) const fn wish_name(wish: Wish) -> &'static str {
    match wish {
        Wish::OfData(CallerWish::Consents) => "consents",
        Wish::OfData(CallerWish::Withdraws) => "withdraws",
        Wish::OfData(CallerWish::Objects) => "objects",
        Wish::OfData(CallerWish::Restricts) => "restricts",
        Wish::Unrecorded => "unrecorded",
    }
}

pub(super) fn wish(name: &str) -> Option<Wish> {
    Wish::ALL.into_iter().find(|wish| wish_name(*wish) == name)
}

#[derive(Serialize, Deserialize)]
pub(super) struct GapRow {
    from_ms: u64,
    to_ms: u64,
    reason: String,
}

impl GapRow {
    pub(super) fn of(gap: &Gap) -> Self {
        Self { from_ms: gap.from_ms, to_ms: gap.to_ms, reason: reason_name(gap.reason).to_owned() }
    }

    pub(super) fn into_gap(self) -> Option<Gap> {
        Some(Gap { from_ms: self.from_ms, to_ms: self.to_ms, reason: reason(&self.reason)? })
    }
}

/// What an operator reported; a row of before has none of it.
#[derive(Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct ReportedRow {
    inference_region: Option<String>,
    audio_ms: u64,
    tokens_in: u64,
    tokens_in_kept: u64,
    tokens_in_to_keep: u64,
    tokens_out: u64,
    characters: u64,
}

impl ReportedRow {
    pub(super) fn of(reported: &Reported) -> Self {
        Self {
            inference_region: reported.inference_region.clone(),
            audio_ms: reported.audio_ms,
            tokens_in: reported.tokens_in,
            tokens_in_kept: reported.tokens_in_kept,
            tokens_in_to_keep: reported.tokens_in_to_keep,
            tokens_out: reported.tokens_out,
            characters: reported.characters,
        }
    }

    pub(super) fn into_reported(self) -> Reported {
        let Self { inference_region, audio_ms, tokens_in, tokens_in_kept, tokens_in_to_keep, tokens_out, characters } =
            self;
        Reported { inference_region, audio_ms, tokens_in, tokens_in_kept, tokens_in_to_keep, tokens_out, characters }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_disk_reads_back_as_what_it_stands_for() {
        for value in Wish::ALL {
            assert_eq!(wish(wish_name(value)), Some(value));
        }
        for value in [GapReason::PowerCut, GapReason::DiskFault, GapReason::Overload, GapReason::Withheld] {
            assert_eq!(reason(reason_name(value)), Some(value));
        }
        assert_eq!(wish("whatever"), None);
    }
}
