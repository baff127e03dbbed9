//! Nor by its fields.

use milu::residency::{Clearance, Cleared};

pub fn wrong(payload: String, clearance: Clearance) -> Cleared<String> {
    Cleared { payload, clearance } //~ E0451
}

fn main() {}
