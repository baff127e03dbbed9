//! Far sides that send whatever comes to mind: each ends in an answer or in an
//! error, and never in a panic or in waiting for ever.

use std::time::Duration;

use milu::egress::{Incoming, SendError};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::far::{Far, asked, say};
use crate::near::{Setting, get, host, on_site, socket};

/// More than any of these needs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pieces of answers, whole and broken, in any order.
fn answers() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n".to_vec()),
        Just(b"HTTP/1.1 103 Early\r\n\r\n".to_vec()),
        Just(b"HTTP/1.1 999 What\r\n".to_vec()),
        Just(b"content-length: 5\r\n".to_vec()),
        Just(b"content-length: 99999999999999999999\r\n".to_vec()),
        Just(b"transfer-encoding: chunked\r\n".to_vec()),
        Just(b"retry-after: -1\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"5\r\nhello\r\n".to_vec()),
        Just(b"ffffffffffffffff\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..64),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// Frames, whole and broken, after a handshake that went well.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let head = (any::<u8>(), 0..=127_u8);
    let frame = (head, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|((first, second), payload)| {
        let mut frame = vec![first, second];
        frame.extend(payload);
        frame
    });
    let closing = Just(vec![0x88, 0x02, 0x03, 0xe8]);
    prop::collection::vec(prop_oneof![4 => frame, 1 => closing], 0..6).prop_map(|frames| frames.concat())
}

fn try_all<S: Strategy<Value = Vec<u8>>>(strategy: S, one: impl AsyncFn(Vec<u8>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
    let tried = runner.run(&strategy, |bytes| {
        let in_time = runtime.block_on(async { tokio::time::timeout(PATIENCE, one(bytes)).await });
        prop_assert!(in_time.is_ok(), "it waits for ever");
        Ok(())
    });
    tried.expect("every case ends");
}

#[test]
fn whatever_answers_a_request_ends_it() {
    try_all(answers(), async |bytes| {
        let far = Far::plain(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                asked(&mut stream).await;
                say(&mut stream, bytes).await;
            }
        })
        .await;
        let near = Setting::new(vec![on_site("ears", far.address)]).open();
        let here = host(&far.address.to_string());
        if let Ok(mut answer) = near.door.request(None, near.words("ears", get(here))).await {
            drop(answer.whole(1000).await);
        }
    });
}

#[test]
fn whatever_answers_a_handshake_ends_it() {
    try_all(answers(), async |bytes| {
        let far = Far::plain(move |mut stream| {
            let bytes = bytes.clone();
            async move {
                asked(&mut stream).await;
                say(&mut stream, bytes).await;
            }
        })
        .await;
        let near = Setting::new(vec![on_site("ears", far.address)]).open();
        let here = host(&far.address.to_string());
        let opened = near.door.websocket(None, near.words("ears", socket(here))).await;
        assert!(opened.is_err(), "nobody guesses what the key asks for");
    });
}

#[test]
fn whatever_comes_over_a_websocket_comes_to_an_end() {
    try_all(frames(), async |bytes| {
        let far = Far::plain(move |stream| {
            let bytes = bytes.clone();
            async move {
                if let Ok(mut peer) = tokio_tungstenite::accept_async(stream).await {
                    say(peer.get_mut(), bytes).await;
                }
            }
        })
        .await;
        let near = Setting::new(vec![on_site("ears", far.address)]).open();
        let here = host(&far.address.to_string());
        let (_sender, mut receiver) =
            near.door.websocket(None, near.words("ears", socket(here.clone()))).await.expect("a WebSocket");
        while matches!(receiver.next().await, Ok(Incoming::Text(_) | Incoming::Binary(_))) {}
        assert_eq!(receiver.next().await.expect_err("it has ended"), SendError::Closed { host: here });
    });
}
