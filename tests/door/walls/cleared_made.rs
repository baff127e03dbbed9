//! Nobody puts a payload and a leave together but the gate.

use milu::residency::{Cleared, Decision, DestinationId};

pub fn wrong(to: DestinationId, decision: &Decision) -> Cleared<String> {
    Cleared::new("a card number".to_owned(), to, Vec::new(), decision) //~ E0624
}

fn main() {}
