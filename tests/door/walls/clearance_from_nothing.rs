//! There is no leave by default.

pub fn wrong() -> milu::residency::Clearance {
    Default::default() //~ E0277
}

fn main() {}
