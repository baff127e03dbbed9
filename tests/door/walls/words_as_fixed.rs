//! What somebody said is no word of the protocol.

use milu::egress::WebSocketSender;

pub async fn wrong(sender: &mut WebSocketSender, words: &str) {
    drop(sender.send_fixed(words).await); //~ E0521
}

fn main() {}
