//! A WebSocket that nobody has cleared.

pub async fn wrong(door: &milu::egress::Door, opening: milu::egress::WebSocketOpening) {
    drop(door.websocket(None, opening).await); //~ E0308
}

fn main() {}
