//! Only the policy gives leave.

use milu::residency::{Clearance, DestinationId, Ground, Safeguards, Verdict};

pub fn wrong(destination: DestinationId) -> Clearance {
    Clearance { destination, carried: Vec::new(), verdict: Verdict::Raw, ground: Ground::Consent, rows: Vec::new(), safeguards: Safeguards::default() } //~ E0451
}

fn main() {}
