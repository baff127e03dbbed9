//! What was cleared is what is sent.

use milu::residency::Cleared;

pub fn wrong(mut cleared: Cleared<String>) -> Cleared<String> {
    cleared.payload = "something else".to_owned(); //~ E0616
    cleared
}

fn main() {}
