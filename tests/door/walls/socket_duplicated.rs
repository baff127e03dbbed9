//! A socket has one sender, so that what it carries is told to one account.

use milu::egress::WebSocketSender;

pub fn wrong(sender: &WebSocketSender) -> WebSocketSender {
    WebSocketSender::clone(sender) //~ E0277
}

fn main() {}
