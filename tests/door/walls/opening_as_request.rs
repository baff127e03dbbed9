//! What was cleared as one kind of thing does not go as another.

use milu::egress::{Door, WebSocketOpening};
use milu::residency::Cleared;

pub async fn wrong(door: &Door, cleared: Cleared<WebSocketOpening>) {
    drop(door.request(None, cleared).await); //~ E0277
}

fn main() {}
