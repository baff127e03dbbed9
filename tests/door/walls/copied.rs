//! Nor can it be copied for another.

use milu::residency::Cleared;

pub fn wrong<T: Clone>(cleared: &Cleared<T>) -> (Cleared<T>, Cleared<T>) {
    let copy = || Cleared::clone(cleared); //~ E0277
    (copy(), copy())
}

fn main() {}
