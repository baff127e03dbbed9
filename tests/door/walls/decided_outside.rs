//! A decision about a caller's datum is asked of that call's gate, which knows
//! what the caller wishes.

use milu::residency::{DataClass, DestinationId, Policy};

pub fn wrong(policy: &Policy, to: &DestinationId) -> bool {
    policy.decide(DataClass::CallAudio, to, &|_| true).rows.is_empty() //~ E0624
}
