//! Nobody puts a payload and a leave together but the gate.

use milu::residency::{Cleared, DataClass, Decision, DestinationId};

pub fn wrong(to: DestinationId, decision: &Decision) -> Cleared<String> {
    Cleared::new("a card number".to_owned(), to, &[DataClass::Telemetry], decision) //~ E0624
}
