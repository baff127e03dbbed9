//! The register and the budget, held against what the far side's sockets saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use milu::egress::{Budget, HeldBack, Incoming, Money, Prices, SendError, Standing, Usage, WebSocketOpening};
use milu::residency::{DataClass, Host, Safeguards, Transfer, Verdict};
use milu::terms::Moment;

use crate::far::{Authority, Far, Identity, answer_always, until_closed};
use crate::near::{Near, Setting, abroad, bytes, call, get, host, id, on_site, post, refused, socket, sound, text};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

fn ears() -> Host {
    host("ears.example")
}

async fn http(identity: Identity) -> Far {
    Far::tls(identity, |stream| answer_always(stream, OK)).await
}

async fn echo(identity: Identity) -> Far {
    Far::tls(identity, |stream| async move {
        let Ok(mut peer) = tokio_tungstenite::accept_async(stream).await else { return };
        while let Some(Ok(message)) = peer.next().await {
            if message.is_text() || message.is_binary() {
                peer.send(message).await.unwrap_or_default();
            }
        }
    })
    .await
}

fn setting(authority: &Authority, far: &Far) -> Setting {
    Setting::new(vec![abroad("ears")]).at("ears.example", &[far.address]).trusting(authority)
}

/// Waits until the far side has seen as many bytes as the rows say were sent: its
/// task may be behind.
async fn agree(far: &Far, sent: u64) {
    let seen = async {
        while far.seen.received() < sent {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("the far side saw it");
    assert_eq!(far.seen.received(), sent);
}

#[tokio::test]
async fn a_requests_row_has_the_bytes_that_the_server_counted_tls_included() {
    let authority = Authority::new();
    let far = http(authority.identity(&["ears.example"])).await;
    let mut near = setting(&authority, &far).open();
    let safeguards = Safeguards { training_opt_out: true, ..Safeguards::default() };
    for n in 1..=3_u64 {
        let mut request = post(ears(), vec![b'a'; 1000]);
        request.safeguards = safeguards.clone();
        let mut answer = near.door.request(Some(call(n)), near.words("ears", request)).await.expect("an answer");
        answer.whole(100).await.expect("a body");
    }
    let rows = near.written();
    assert_eq!(rows.len(), 3, "one row for each request: {rows:?}");
    for (row, n) in rows.iter().zip(1..) {
        assert_eq!(row.call, Some(call(n)));
        assert_eq!((row.operator.as_str(), row.country.as_str()), ("ears Ltd", "US"));
        assert_eq!((row.classes(), row.verdict), (vec![DataClass::Transcript], Verdict::Raw));
        assert_eq!(row.rows, ["row-2"]);
        assert_eq!(row.safeguards, safeguards);
        assert!(row.bytes_sent > 1000, "{row:?}");
    }
    assert!(rows[0].bytes_sent > rows[1].bytes_sent + 100, "the first has the handshake");
    let (sent, received) = bytes(&rows);
    agree(&far, sent).await;
    assert_eq!(far.seen.sent(), received);
}

#[tokio::test]
async fn a_streams_rows_tell_its_kinds_apart_and_add_up_to_what_the_server_counted() {
    let authority = Authority::new();
    let far = echo(authority.identity(&["ears.example"])).await;
    let mut near = setting(&authority, &far).open();
    let opening = near.cleared(&[DataClass::CallAudio], "ears", socket(ears()));
    let (mut sender, mut receiver) = near.door.websocket(Some(call(1)), opening).await.expect("a WebSocket");
    for _ in 0..5 {
        sender.send(near.cleared(&[DataClass::CallAudio], "ears", sound(2000))).await.expect("sent");
        receiver.next().await.expect("an echo");
        sender.send(near.cleared(&[DataClass::Contact], "ears", text("a word"))).await.expect("sent");
        receiver.next().await.expect("an echo");
    }
    sender.close().await;
    assert!(matches!(receiver.next().await, Ok(Incoming::Closed { .. })));
    assert_eq!(near.written(), [], "nothing is due yet");
    drop(receiver);

    let rows = near.written();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let of = |class: DataClass| rows.iter().find(|row| row.classes() == [class]).expect("a row");
    let (audio, contact) = (of(DataClass::CallAudio), of(DataClass::Contact));
    assert_eq!((audio.verdict, contact.verdict), (Verdict::Raw, Verdict::Redacted));
    assert!(audio.bytes_sent > 5 * 2000 && audio.bytes_received > 5 * 2000, "{audio:?}");
    assert!(contact.bytes_sent < 1000, "{contact:?}");
    let (sent, received) = bytes(&rows);
    agree(&far, sent).await;
    assert_eq!(far.seen.sent(), received);
}

#[tokio::test]
async fn a_door_that_is_closed_gives_the_rows_of_idle_connections_and_lets_nothing_out() {
    let authority = Authority::new();
    let far = http(authority.identity(&["ears.example"])).await;
    let mut near = setting(&authority, &far).open();
    near.door.warm(Some(call(1)), near.warming("ears", ears())).await.expect("a connection");
    assert!(near.written().is_empty(), "it is kept for the next request");
    near.door.close().await;
    let row = near.rows.recv().await.expect("the row of the idle connection");
    assert_eq!(row.call, Some(call(1)));
    assert!(row.bytes_sent > 0);
    assert!(near.rows.recv().await.is_none(), "no more rows come");
    let late = refused(near.door.request(None, near.words("ears", post(ears(), "hi"))).await);
    assert!(matches!(late, SendError::HeldBack(HeldBack::Unrecorded { .. })), "{late:?}");
}

#[tokio::test]
async fn an_open_socket_of_a_door_that_is_closed_sends_nothing_that_would_not_be_written_down() {
    let authority = Authority::new();
    let far = echo(authority.identity(&["ears.example"])).await;
    let near = setting(&authority, &far).open();
    let (mut sender, mut receiver) =
        near.door.websocket(Some(call(1)), near.words("ears", socket(ears()))).await.expect("a WebSocket");
    sender.send(near.words("ears", sound(100))).await.expect("sent");
    receiver.next().await.expect("an echo");
    near.door.close().await;
    let late = refused(sender.send(near.words("ears", sound(100))).await);
    assert_eq!(late, SendError::HeldBack(HeldBack::Unrecorded { destination: id("ears") }));
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_written_down_although_nobody_takes_another() {
    let authority = Authority::new();
    let far = http(authority.identity(&["ears.example"])).await;
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = seconds.clone();
    let mut setting = setting(&authority, &far);
    setting.config.now = Arc::new(move || Moment::from_micros(clock.load(Ordering::Acquire) * 1_000_000));
    let mut near = setting.open();
    near.door.warm(None, near.warming("ears", ears())).await.expect("a connection");
    seconds.store(30, Ordering::Release);
    near.door.close_idle();
    assert!(near.written().is_empty(), "a request may still take it");
    seconds.store(60, Ordering::Release);
    near.door.close_idle();
    assert_eq!(near.written().len(), 1);
}

#[tokio::test]
async fn a_long_stream_writes_a_row_every_few_seconds() {
    let authority = Authority::new();
    let far = echo(authority.identity(&["ears.example"])).await;
    let seconds = Arc::new(AtomicU64::new(0));
    let clock = seconds.clone();
    let mut setting = setting(&authority, &far);
    setting.config.now = Arc::new(move || Moment::from_micros(clock.load(Ordering::Acquire) * 1_000_000));
    let mut near = setting.open();
    let opening = near.cleared(&[DataClass::CallAudio], "ears", socket(ears()));
    let (mut sender, mut receiver) = near.door.websocket(Some(call(1)), opening).await.expect("a WebSocket");
    let mut rows = Vec::new();
    for second in 0..=20_u64 {
        seconds.store(second, Ordering::Release);
        sender.send(near.cleared(&[DataClass::CallAudio], "ears", sound(800))).await.expect("sent");
        receiver.next().await.expect("an echo");
        rows.extend(near.written());
    }
    assert_eq!(rows.len(), 4, "one each five seconds: {rows:?}");
    drop((sender, receiver));
    rows.extend(near.written());
    let (sent, _) = bytes(&rows);
    agree(&far, sent).await;
}

#[tokio::test]
async fn what_was_only_a_handshake_is_a_row_without_a_datum() {
    let authority = Authority::new();
    let far = http(authority.identity(&["mind.example"])).await;
    let mut near = setting(&authority, &far).open();
    refused(near.door.request(Some(call(1)), near.words("ears", get(ears()))).await);
    let rows = near.written();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].carried.is_empty() && rows[0].bytes_sent > 0, "{:?}", rows[0]);
    agree(&far, rows[0].bytes_sent).await;

    let far = http(authority.identity(&["ears.example"])).await;
    let mut near = setting(&authority, &far).open();
    near.door.warm(Some(call(1)), near.warming("ears", ears())).await.expect("a connection");
    assert_eq!(near.written(), [], "its bytes are the next request's");
    near.door.set_policy(crate::near::policy(vec![abroad("ears")]));
    let rows = near.written();
    assert_eq!(rows.len(), 1, "it was closed unused");
    assert!(rows[0].carried.is_empty(), "{:?}", rows[0]);
}

#[tokio::test]
async fn a_request_that_is_abandoned_tells_what_it_sent() {
    let authority = Authority::new();
    let (asked, mut is_asked) = tokio::sync::mpsc::channel(1);
    let far = Far::tls(authority.identity(&["ears.example"]), move |mut stream| {
        let asked = asked.clone();
        async move {
            crate::far::asked(&mut stream).await;
            asked.send(()).await.unwrap_or_default();
            until_closed(&mut stream).await;
        }
    })
    .await;
    let mut near = setting(&authority, &far).open();
    let request = near.words("ears", post(ears(), vec![b'a'; 5000]));
    tokio::select! {
        answer = near.door.request(Some(call(1)), request) => panic!("{answer:?}"),
        _ = is_asked.recv() => {}
    }
    let rows = near.written();
    assert_eq!(rows.len(), 1);
    assert!(rows[0].bytes_sent > 5000 && rows[0].classes() == [DataClass::Transcript], "{:?}", rows[0]);
    agree(&far, rows[0].bytes_sent).await;
}

#[tokio::test]
async fn while_the_register_is_full_nothing_is_lost_and_nobody_waits() {
    let authority = Authority::new();
    let far = http(authority.identity(&["ears.example"])).await;
    let (register, rows) = tokio::sync::mpsc::channel(1);
    let mut near = setting(&authority, &far).open_with(Some(register), rows);
    for n in [1, 2, 2, 2] {
        let mut answer = near.door.request(Some(call(n)), near.words("ears", get(ears()))).await.expect("an answer");
        answer.whole(100).await.expect("a body");
    }
    let mut rows: Vec<Transfer> = near.rows.recv().await.into_iter().collect();
    tokio::join!(near.door.settle(), async { rows.extend(near.rows.recv().await) });
    assert_eq!(rows.iter().map(|row| row.call).collect::<Vec<_>>(), [Some(call(1)), Some(call(2))]);
    let (sent, received) = bytes(&rows);
    agree(&far, sent).await;
    assert_eq!(far.seen.sent(), received);
}

async fn ask(near: &Near, n: u64) -> Result<(), SendError> {
    let mut answer = near.door.request(Some(call(n)), near.words("ears", post(ears(), vec![b'a'; 10_000]))).await?;
    answer.whole(100).await?;
    Ok(())
}

#[tokio::test]
async fn a_call_that_has_spent_its_budget_sends_nothing_more_and_others_do() {
    let authority = Authority::new();
    let far = http(authority.identity(&["ears.example"])).await;
    let near = setting(&authority, &far).open();
    near.door.set_budget(Budget { call_bytes: Some(30_000), ..Budget::default() });
    assert_eq!(near.door.standing(Some(call(1))), Standing::Ample);
    ask(&near, 1).await.expect("an answer");
    ask(&near, 1).await.expect("an answer");
    assert_eq!(near.door.standing(Some(call(1))), Standing::Ample);
    ask(&near, 1).await.expect("an answer");
    assert_eq!(near.door.standing(Some(call(1))), Standing::Spent);
    let before = far.seen.received();
    assert_eq!(ask(&near, 1).await, Err(SendError::HeldBack(HeldBack::BudgetSpent { destination: id("ears") })));
    assert_eq!(far.seen.received(), before, "not a byte");
    ask(&near, 2).await.expect("another call has its own");
}

#[tokio::test]
async fn a_day_that_has_spent_its_budget_stops_open_sockets_too_and_lets_them_say_goodbye() {
    let authority = Authority::new();
    let far = echo(authority.identity(&["ears.example"])).await;
    let near = setting(&authority, &far).open();
    let (mut sender, mut receiver) =
        near.door.websocket(Some(call(1)), near.words("ears", socket(ears()))).await.expect("a WebSocket");
    near.door.set_budget(Budget { day_bytes: Some(1), ..Budget::default() });
    let error = refused(sender.send(near.words("ears", sound(100))).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::BudgetSpent { destination: id("ears") }));
    let again = near.words("ears", WebSocketOpening { ..socket(ears()) });
    let error = refused(near.door.websocket(Some(call(2)), again).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::BudgetSpent { destination: id("ears") }));
    sender.send_fixed(r#"{"type":"CloseStream"}"#).await.expect("sent");
    receiver.next().await.expect("an echo");
    sender.close().await;
    assert!(matches!(receiver.next().await, Ok(Incoming::Closed { .. })));
}

#[tokio::test]
async fn what_operators_ask_counts_and_the_businesss_own_network_does_not() {
    let far = Far::plain(|stream| answer_always(stream, OK)).await;
    let mut setting = Setting::new(vec![abroad("ears"), on_site("mind", far.address)]);
    setting.config.prices = Prices::parse("currency = \"USD\"\n[provider.ears]\naudio_minute = 0.5\n").expect("prices");
    setting.config.budget =
        Budget { day_bytes: Some(1), day_money: Some(Money::from_nanos(1_000_000_000)), ..Budget::default() };
    let near = setting.open();
    let at_home = near.words("mind", get(host(&far.address.to_string())));
    assert_eq!(near.door.request(None, at_home).await.map(|a| a.status), Ok(200));
    assert_eq!(near.door.standing(None), Standing::Ample, "no byte has crossed the uplink");
    near.door.used(None, &id("ears"), Usage::Audio(Duration::from_secs(96)));
    assert_eq!(near.door.standing(None), Standing::Near);
    near.door.used(None, &id("ears"), Usage::Audio(Duration::from_secs(24)));
    assert_eq!(near.door.standing(None), Standing::Spent);
    let sentence = near.door.budget_sentence();
    assert!(sentence.contains("ears 0.0 MB and 1.00 USD") && sentence.contains("spent"), "{sentence}");
}
