//! The leave of one payload is not another's.

use milu::residency::{Clearance, Cleared};

pub fn wrong<T>(cleared: &Cleared<T>) -> Clearance {
    cleared.clearance().clone() //~ E0308
}

fn main() {}
