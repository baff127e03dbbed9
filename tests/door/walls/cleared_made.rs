//! Nobody puts a payload and a leave together but the gate.

use milu::residency::{Clearance, Cleared};

pub fn wrong(leave_of_another: Clearance) -> Cleared<String> {
    Cleared::new("a card number".to_owned(), leave_of_another) //~ E0624
}

fn main() {}
