//! After the goodbye there is nothing to send with.

use milu::egress::{WebSocketMessage, WebSocketSender};
use milu::residency::Cleared;

pub async fn wrong<M: Into<WebSocketMessage>>(mut sender: WebSocketSender, message: Cleared<M>) {
    sender.close().await;
    drop(sender.send(message).await); //~ E0382
}

fn main() {}
