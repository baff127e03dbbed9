//! Only the policy gives leave: none is widened.

use milu::residency::{Clearance, Verdict};

pub fn wrong(leave: Clearance) -> Clearance {
    Clearance { verdict: Verdict::Raw, ..leave } //~ E0451
}

fn main() {}
