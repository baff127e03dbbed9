//! What does not say how it looks without identifiers is not cleared: a bare
//! request could be about anything.

use milu::egress::HttpRequest;
use milu::residency::{CallGate, DataClass, DestinationId};

pub fn wrong(gate: &CallGate, to: &DestinationId, request: HttpRequest) {
    drop(gate.clear(&[DataClass::Transcript], to, request)); //~ E0277
}

fn main() {}
