//! Plain streams, to servers in the business's own network.

use milu::egress::{HeldBack, SendError, StreamMessage, StreamOpening};
use milu::residency::Safeguards;
use milu::terms::Private;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::far::Far;
use crate::near::{Setting, WITHIN, abroad, host, on_site, refused};

fn message(bytes: &[u8]) -> StreamMessage {
    StreamMessage(Private::new(bytes.to_vec()))
}

#[tokio::test]
async fn bytes_go_both_ways_and_the_far_sides_end_is_an_end() {
    let far = Far::plain(|mut socket| async move {
        let mut asked = [0; 11];
        socket.read_exact(&mut asked).await.expect("eleven bytes");
        socket.write_all(&asked).await.expect("written");
    })
    .await;
    let near = Setting::new(vec![on_site("ears", far.address)]).open();
    let opening =
        StreamOpening { host: host(&far.address.to_string()), safeguards: Safeguards::default(), within: WITHIN };
    let (mut sender, mut receiver) = near.door.stream(None, near.words("ears", opening)).await.expect("a stream");
    sender.send_fixed("head ").await.expect("sent");
    sender.send(near.words("ears", message(b"sounds"))).await.expect("sent");
    let mut heard = Vec::new();
    while let Some(bytes) = receiver.next().await.expect("bytes") {
        heard.extend(bytes);
    }
    assert_eq!(heard, b"head sounds");
}

#[tokio::test]
async fn a_stream_to_elsewhere_is_refused_before_a_byte() {
    let far = Far::plain(|socket| async move { drop(socket) }).await;
    let near = Setting::new(vec![abroad("ears")]).at("ears.example", &[far.address]).open();
    let opening = StreamOpening { host: host("ears.example"), safeguards: Safeguards::default(), within: WITHIN };
    let error = refused(near.door.stream(None, near.words("ears", opening)).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::NotOnSite { host: host("ears.example") }));
    assert_eq!(far.seen.connections(), 0);
}
