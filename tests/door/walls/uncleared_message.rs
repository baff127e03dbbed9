//! A message that nobody has cleared, on a socket that was.

use milu::egress::{WebSocketMessage, WebSocketSender};

pub async fn wrong(sender: &mut WebSocketSender, words: String) {
    drop(sender.send(WebSocketMessage::Text(words.into())).await); //~ E0308
}

fn main() {}
