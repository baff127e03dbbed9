//! Bytes that nobody has cleared, on a stream that was.

use milu::egress::{StreamMessage, StreamSender};

pub async fn wrong(sender: &mut StreamSender, sound: Vec<u8>) {
    drop(sender.send(StreamMessage(sound.into())).await); //~ E0308
}

fn main() {}
