//! Only the door opens it.

use milu::residency::Cleared;

pub fn wrong(cleared: Cleared<String>) -> String {
    cleared.into_parts().0 //~ E0624
}

fn main() {}
