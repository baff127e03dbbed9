//! A message opens nothing.

use milu::egress::{Door, WebSocketMessage};
use milu::residency::Cleared;

pub async fn wrong(door: &Door, cleared: Cleared<WebSocketMessage>) {
    drop(door.websocket(None, cleared).await); //~ E0277
}

fn main() {}
