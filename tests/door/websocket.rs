//! WebSockets, and every way in which they go wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use milu::egress::{HeldBack, Incoming, SendError, WebSocketOpening, WebSocketReceiver, WebSocketSender, Within};
use milu::residency::{Destination, Host, Safeguards};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};

use crate::far::{Authority, Far, Socket, asked, say, until_closed};
use crate::near::{Near, Setting, abroad, host, refused, socket, sound, text};

type Tls = tokio_rustls::server::TlsStream<Socket>;
type Peer = WebSocketStream<Tls>;

fn ears() -> Host {
    host("ears.example")
}

async fn open<F, S>(serve: F) -> (Near, Far)
where
    F: Fn(Tls) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let authority = Authority::new();
    let far = Far::tls(authority.identity(&["ears.example"]), serve).await;
    let near = Setting::new(vec![abroad("ears"), abroad("mind")])
        .at("ears.example", &[far.address])
        .trusting(&authority)
        .open();
    (near, far)
}

/// A door to a far side that agrees to the WebSocket and then does `talk`.
async fn talking<F, S>(talk: F) -> (Near, Far)
where
    F: Fn(Peer) -> S + Clone + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    open(move |stream| {
        let talk = talk.clone();
        async move {
            if let Ok(peer) = tokio_tungstenite::accept_async(stream).await {
                talk(peer).await;
            }
        }
    })
    .await
}

async fn connect(near: &Near) -> (WebSocketSender, WebSocketReceiver) {
    near.door.websocket(None, near.words("ears", socket(ears()))).await.expect("a WebSocket")
}

fn words(incoming: Result<Incoming, SendError>) -> String {
    match incoming {
        Ok(Incoming::Text(text)) => text.into_exposed(),
        other => panic!("no text: {other:?}"),
    }
}

async fn put(peer: &mut Peer, message: Message) {
    peer.send(message).await.unwrap_or_default();
}

/// Echoes texts and binaries until the client closes.
async fn echo(mut peer: Peer) {
    while let Some(Ok(message)) = peer.next().await {
        if message.is_text() || message.is_binary() {
            put(&mut peer, message).await;
        }
    }
}

#[tokio::test]
async fn messages_go_both_ways_and_a_goodbye_is_answered() {
    let (near, _far) = talking(echo).await;
    let (mut sender, mut receiver) = connect(&near).await;
    sender.send(near.words("ears", text("Good afternoon"))).await.expect("sent");
    assert_eq!(words(receiver.next().await), "Good afternoon");
    sender.send(near.words("ears", sound(320))).await.expect("sent");
    assert!(matches!(receiver.next().await, Ok(Incoming::Binary(bytes)) if bytes.expose().len() == 320));
    sender.send_fixed(r#"{"type":"KeepAlive"}"#).await.expect("sent");
    assert_eq!(words(receiver.next().await), r#"{"type":"KeepAlive"}"#);
    sender.close().await;
    assert!(matches!(receiver.next().await, Ok(Incoming::Closed { code: Some(1000) })));
    assert_eq!(refused(receiver.next().await), SendError::Closed { host: ears() });
}

#[tokio::test]
async fn the_opening_carries_its_headers_and_target() {
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let by_far = heads.clone();
    let (near, _far) = open(move |mut stream| {
        let heads = by_far.clone();
        async move {
            let request = asked(&mut stream).await.unwrap_or_default();
            heads.lock().expect("unpoisoned").push(request.head);
            say(&mut stream, "HTTP/1.1 403 No\r\ncontent-length: 0\r\n\r\n").await;
        }
    })
    .await;
    refused(near.door.websocket(None, near.words("ears", socket(ears()))).await);
    let head = heads.lock().expect("unpoisoned")[0].to_ascii_lowercase();
    assert!(head.starts_with("get /v1/listen?model=one http/1.1\r\n"), "{head}");
    for row in [
        "host: ears.example\r\n",
        "upgrade: websocket\r\n",
        "connection: upgrade\r\n",
        "sec-websocket-version: 13\r\n",
        "sec-websocket-key: ",
        "authorization: token of-a-key\r\n",
    ] {
        assert!(head.contains(row), "{head}");
    }
}

#[tokio::test]
async fn a_refused_handshake_says_why_and_when_to_come_back() {
    for (answer, status, retry_after) in [
        ("HTTP/1.1 401 Unauthorized\r\ncontent-length: 7\r\n\r\nno key!", 401, None),
        ("HTTP/1.1 429 Too Many\r\nretry-after: 17\r\ncontent-length: 7\r\n\r\nno key!", 429, Some(17)),
        ("HTTP/1.1 402 Pay\r\ntransfer-encoding: chunked\r\n\r\n3\r\nno \r\n4\r\nkey!\r\n0\r\n\r\n", 402, None),
        ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\nno key!", 200, None),
    ] {
        let (near, _far) = open(move |mut stream| async move {
            asked(&mut stream).await;
            // In two pieces: the body is waited for.
            let (head, body) = answer.split_at(answer.find("\r\n\r\n").unwrap_or(0) + 4);
            say(&mut stream, head).await;
            tokio::task::yield_now().await;
            say(&mut stream, body).await;
            until_closed(&mut stream).await;
        })
        .await;
        let error = refused(near.door.websocket(None, near.words("ears", socket(ears()))).await);
        let SendError::Handshake { host, status: told, body, retry_after: after } = error else {
            panic!("{error}");
        };
        assert_eq!((host, told, after), (ears(), status, retry_after.map(Duration::from_secs)));
        assert_eq!(body.expose(), b"no key!");
    }
}

#[tokio::test]
async fn of_a_long_refusal_the_beginning_is_kept() {
    let (near, _far) = open(|mut stream| async move {
        asked(&mut stream).await;
        say(&mut stream, "HTTP/1.1 500 Oh\r\ncontent-length: 1000000\r\n\r\n").await;
        for _ in 0..1000 {
            say(&mut stream, [b'x'; 1000]).await;
        }
    })
    .await;
    let error = refused(near.door.websocket(None, near.words("ears", socket(ears()))).await);
    assert!(matches!(error, SendError::Handshake { status: 500, body, .. } if body.expose().len() == 4096));
}

#[tokio::test]
async fn a_handshake_that_agrees_to_something_else_is_none() {
    for (answer, expected) in [
        // No Sec-WebSocket-Accept, and a wrong one.
        ("HTTP/1.1 101 Go\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", SendError::Protocol { host: ears() }),
        (
            "HTTP/1.1 101 Go\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
            SendError::Protocol { host: ears() },
        ),
        ("HTTP/1.1 101 Go\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", SendError::Protocol { host: ears() }),
        (
            "HTTP/1.1 302 There\r\nlocation: wss://mind.example\r\ncontent-length: 0\r\n\r\n",
            SendError::Redirect { host: ears() },
        ),
        ("", SendError::Closed { host: ears() }),
    ] {
        let (near, _far) = open(move |mut stream| async move {
            asked(&mut stream).await;
            say(&mut stream, answer).await;
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap_or_default();
        })
        .await;
        let error = refused(near.door.websocket(None, near.words("ears", socket(ears()))).await);
        assert_eq!(error, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn a_host_that_does_not_answer_the_handshake_is_given_up_in_time() {
    let (near, _far) = open(|mut stream| async move { until_closed(&mut stream).await }).await;
    let within = Within { connect: Duration::from_secs(30), answer: Duration::from_millis(300) };
    let opening = WebSocketOpening { within, ..socket(ears()) };
    let error = refused(near.door.websocket(None, near.words("ears", opening)).await);
    assert_eq!(error, SendError::AnswerTimedOut { host: ears(), within: within.answer });
}

#[tokio::test]
async fn the_code_with_which_the_far_side_closes_is_told() {
    for (frame, code) in [
        (Some(CloseFrame { code: CloseCode::Policy, reason: "settings changed".into() }), Some(1008)),
        (Some(CloseFrame { code: CloseCode::Error, reason: "".into() }), Some(1011)),
        (Some(CloseFrame { code: CloseCode::Library(4009), reason: "".into() }), Some(4009)),
        (None, None),
    ] {
        let (near, _far) = talking(move |mut peer| {
            let frame = frame.clone();
            async move {
                put(&mut peer, Message::Close(frame)).await;
                // The same word comes back.
                assert!(matches!(peer.next().await, Some(Ok(Message::Close(_)))));
            }
        })
        .await;
        let (_sender, mut receiver) = connect(&near).await;
        assert!(matches!(receiver.next().await, Ok(Incoming::Closed { code: told }) if told == code), "{code:?}");
        assert_eq!(refused(receiver.next().await), SendError::Closed { host: ears() });
    }
}

#[tokio::test]
async fn a_connection_that_ends_without_a_goodbye_is_an_error_for_both_halves() {
    let (near, _far) = talking(|peer| async move { drop(peer) }).await;
    let (mut sender, mut receiver) = connect(&near).await;
    assert_eq!(refused(receiver.next().await), SendError::Closed { host: ears() });
    // A few sends may still find room in the kernel.
    let sent = async {
        loop {
            if let Err(error) = sender.send(near.words("ears", sound(1000))).await {
                return error;
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(20), sent).await.expect("an error");
    assert_eq!(error, SendError::Closed { host: ears() });
}

#[tokio::test]
async fn pings_are_answered_while_somebody_waits_and_fragments_come_as_one_message() {
    let (near, _far) = talking(|mut peer| async move {
        put(&mut peer, Message::Ping("are you there".into())).await;
        match peer.next().await {
            Some(Ok(Message::Pong(said))) if said == "are you there" => {}
            other => panic!("no pong: {other:?}"),
        }
        let piece = |text: &'static str, code: Data, is_final: bool| {
            Message::Frame(Frame::message(text, OpCode::Data(code), is_final))
        };
        put(&mut peer, piece("Good ", Data::Text, false)).await;
        put(&mut peer, Message::Ping("".into())).await;
        put(&mut peer, piece("after", Data::Continue, false)).await;
        put(&mut peer, piece("noon", Data::Continue, true)).await;
        while peer.next().await.is_some() {}
    })
    .await;
    let (_sender, mut receiver) = connect(&near).await;
    assert_eq!(words(receiver.next().await), "Good afternoon");
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_the_socket_however_it_is_cut() {
    const LIMIT: usize = 4 << 20;
    let (near, _far) = talking(|mut peer| async move {
        put(&mut peer, Message::Binary(vec![1; LIMIT + 1].into())).await;
        while peer.next().await.is_some_and(|m| m.is_ok()) {}
    })
    .await;
    let (_sender, mut receiver) = connect(&near).await;
    assert_eq!(refused(receiver.next().await), SendError::TooLarge { host: ears(), limit: LIMIT });
    assert_eq!(refused(receiver.next().await), SendError::Closed { host: ears() });

    let (near, _far) = talking(|mut peer| async move {
        // More than may be, and an end: whoever does not stop it sees it close.
        for n in 0..8 {
            let code = if n == 0 { Data::Binary } else { Data::Continue };
            let piece = Frame::message(vec![1; 1 << 20], OpCode::Data(code), false);
            if peer.send(Message::Frame(piece)).await.is_err() {
                return;
            }
        }
    })
    .await;
    let (mut sender, mut receiver) = connect(&near).await;
    assert_eq!(refused(receiver.next().await), SendError::TooLarge { host: ears(), limit: LIMIT });
    let error = refused(sender.send(near.words("ears", sound(LIMIT + 1))).await);
    assert_eq!(error, SendError::TooLarge { host: ears(), limit: LIMIT });
}

#[tokio::test]
async fn bytes_that_are_no_websocket_are_an_error() {
    for garbage in [
        // Reserved bits; a text that is no UTF-8; a control frame of 126 bytes; a masked frame.
        vec![0xF1, 0x00],
        vec![0x81, 0x02, 0xFF, 0xFE],
        [vec![0x89, 0x7E, 0x00, 0x7E], vec![0; 126]].concat(),
        vec![0x81, 0x81, 1, 2, 3, 4, 5],
        vec![0x80, 0x01, 0x00],
    ] {
        let (near, _far) = talking(move |mut peer| {
            let garbage = garbage.clone();
            async move {
                say(peer.get_mut(), garbage).await;
                until_closed(peer.get_mut()).await;
            }
        })
        .await;
        let (_sender, mut receiver) = connect(&near).await;
        assert_eq!(refused(receiver.next().await), SendError::Protocol { host: ears() });
    }
}

#[tokio::test]
async fn a_message_for_another_destination_or_without_a_safeguard_does_not_pass_an_open_socket() {
    let (near, _far) = talking(echo).await;
    let (mut sender, mut receiver) = connect(&near).await;
    let error = refused(sender.send(near.words("mind", text("not for you"))).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::WrongDestination { destination: crate::near::id("mind") }));

    // Meanwhile the policy asks for what the opening did not carry.
    let safeguards = Safeguards { training_opt_out: true, ..Safeguards::default() };
    let strict = crate::near::policy(vec![Destination { safeguards, ..abroad("ears") }]);
    let own = crate::near::Own(text("not any more"));
    let cleared =
        crate::near::gate(strict).clear(&[milu::residency::DataClass::Transcript], &crate::near::id("ears"), own);
    let error = refused(sender.send(cleared.expect("a clearance")).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::SafeguardMissing { destination: crate::near::id("ears") }));

    sender.send(near.words("ears", text("for you"))).await.expect("sent");
    assert_eq!(words(receiver.next().await), "for you", "the others never left");
}

#[tokio::test]
async fn an_open_socket_carries_nothing_more_to_a_place_a_host_or_keys_that_the_policy_has_not_any_more() {
    let (near, _far) = talking(echo).await;
    let (mut sender, mut receiver) = connect(&near).await;
    let (destination, ears_alone) = (crate::near::id("ears"), abroad("ears"));
    let elsewhere = Destination { hosts: vec![host("elsewhere.example")], ..ears_alone.clone() };
    let pinned = Destination { pins: vec![[9; 32]], ..ears_alone.clone() };
    let other_operator = Destination { operator: "Cumulus Ltd".to_owned(), ..ears_alone.clone() };
    let safeguards = Safeguards { zero_retention: true, ..Safeguards::default() };
    let stricter = Destination { safeguards, ..ears_alone.clone() };
    for (now, held) in [
        (elsewhere, HeldBack::ForeignHost { destination: destination.clone(), host: ears() }),
        (pinned, HeldBack::OtherKeys { destination: destination.clone(), host: ears() }),
        (other_operator, HeldBack::OtherPlace { destination: destination.clone() }),
        (stricter, HeldBack::SafeguardMissing { destination: destination.clone() }),
        (abroad("mind"), HeldBack::UnknownDestination { destination }),
    ] {
        near.door.set_policy(crate::near::policy(vec![now]));
        // The call's gate still lets it go to the destination.
        let error = refused(sender.send(near.words("ears", text("not any more"))).await);
        assert_eq!(error, SendError::HeldBack(held));
    }
    // A host beside it takes nothing from the one that is there.
    let both = Destination { hosts: vec![host("elsewhere.example"), ears()], ..ears_alone };
    near.door.set_policy(crate::near::policy(vec![both]));
    sender.send(near.words("ears", text("for you"))).await.expect("sent");
    assert_eq!(words(receiver.next().await), "for you", "the others never left");
}

#[tokio::test]
async fn a_foreign_host_and_a_missing_safeguard_stop_the_opening_before_a_byte() {
    let (near, far) = talking(echo).await;
    let error = refused(near.door.websocket(None, near.words("mind", socket(ears()))).await);
    assert_eq!(
        error,
        SendError::HeldBack(HeldBack::ForeignHost { destination: crate::near::id("mind"), host: ears() })
    );
    let safeguards = Safeguards { zero_retention: true, ..Safeguards::default() };
    near.door.set_policy(crate::near::policy(vec![Destination { safeguards, ..abroad("ears") }]));
    let error = refused(near.door.websocket(None, near.words("ears", socket(ears()))).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::SafeguardMissing { destination: crate::near::id("ears") }));
    assert_eq!(far.seen.connections(), 0);
}

#[tokio::test]
async fn a_warmed_connection_becomes_the_websocket() {
    let (near, far) = talking(echo).await;
    near.door.warm(None, near.warming("ears", ears())).await.expect("a connection");
    let (mut sender, mut receiver) = connect(&near).await;
    sender.send(near.words("ears", text("quick"))).await.expect("sent");
    assert_eq!(words(receiver.next().await), "quick");
    assert_eq!(far.seen.connections(), 1);
}
