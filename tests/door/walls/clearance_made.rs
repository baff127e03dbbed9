//! Only the policy gives leave.

use milu::residency::{Clearance, DataClass, DestinationId, Ground, Safeguards, Verdict};

pub fn wrong(destination: DestinationId) -> Clearance {
    Clearance { destination, classes: vec![DataClass::Payment], verdict: Verdict::Raw, ground: Ground::Consent, rows: Vec::new(), safeguards: Safeguards::default() } //~ E0451
}
