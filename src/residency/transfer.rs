use jiff::Timestamp;

use super::{DataClass, DestinationId, Ground, Safeguards, Verdict};
use crate::terms::CallId;

/// One row of the register of transfers: written from what was really sent.
/// A stream writes one row for each few seconds and verdict, with its bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct Transfer {
    pub at: Timestamp,
    /// None for what belongs to no call.
    pub call: Option<CallId>,
    pub destination: DestinationId,
    pub operator: String,
    pub country: String,
    /// What it holds; nothing for what only set a connection up.
    pub carried: Vec<Carried>,
    /// Of all of it together: the strictest, on its ground.
    pub verdict: Verdict,
    pub ground: Ground,
    pub rows: Vec<String>,
    /// What the requests really carried.
    pub safeguards: Safeguards,
    /// Bytes on the wire in both directions, TLS included.
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// What the answers said of what was done with it.
    pub reported: Reported,
    /// What the uplink and the operator ask for it, by the price list at the time:
    /// billionths of the list's currency.
    pub cost_nanos: u64,
}

/// One class of data in what is sent: a payload of several goes on the rows of
/// each, and each on a ground of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Carried {
    pub class: DataClass,
    /// Words are redacted together, as the strictest of them must be; sound and the
    /// business's own facts stand beside them as they may.
    pub verdict: Verdict,
    pub ground: Ground,
}

impl Transfer {
    /// The kinds of data in it.
    pub fn classes(&self) -> Vec<DataClass> {
        self.carried.iter().map(|carried| carried.class).collect()
    }
}

/// What an operator's answers say that it used, and where. Engines that are
/// told nothing count it themselves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reported {
    /// Where the computing happened (Anthropic `usage.inference_geo`).
    pub inference_region: Option<String>,
    /// Sound that was heard, in milliseconds.
    pub audio_ms: u64,
    pub tokens_in: u64,
    /// Tokens in that were kept from an earlier request.
    pub tokens_in_kept: u64,
    /// Tokens in that are kept for a later request.
    pub tokens_in_to_keep: u64,
    pub tokens_out: u64,
    /// Characters that were spoken.
    pub characters: u64,
}

impl Reported {
    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds a later report; the later place counts.
    pub fn add(&mut self, later: Self) {
        let Self { inference_region, audio_ms, tokens_in, tokens_in_kept, tokens_in_to_keep, tokens_out, characters } =
            later;
        self.inference_region = inference_region.or(self.inference_region.take());
        for (sum, more) in [
            (&mut self.audio_ms, audio_ms),
            (&mut self.tokens_in, tokens_in),
            (&mut self.tokens_in_kept, tokens_in_kept),
            (&mut self.tokens_in_to_keep, tokens_in_to_keep),
            (&mut self.tokens_out, tokens_out),
            (&mut self.characters, characters),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    /// Whether both may stand in one row: no row says two places.
    pub fn is_of_one_place(&self, other: &Self) -> bool {
        match (&self.inference_region, &other.inference_region) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        }
    }
}
