//! Whoever makes a door says where its register is, or that there is none.

use std::sync::Arc;

use milu::egress::Door;
use milu::residency::Policy;

pub fn wrong(policy: Arc<Policy>) -> Door {
    Door::new(policy) //~ E0061
}

fn main() {}
