//! Nor is it one of a stream's.

use milu::egress::StreamSender;

pub async fn wrong(sender: &mut StreamSender, words: String) {
    drop(sender.send_fixed(&words).await); //~ E0597
}

fn main() {}
