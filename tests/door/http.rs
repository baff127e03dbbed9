//! Requests, and every way in which an answer goes wrong.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use milu::egress::{Door, DoorConfig, HeldBack, HttpRequest, Resolver, Roots, SendError, Within};
use milu::residency::{CallerWish, Destination, Policy, Safeguards};
use milu::terms::Private;
use tokio::sync::{Notify, mpsc};

use crate::far::{Asked, Authority, Far, Socket, answer_always, asked, say, until_closed};
use crate::near::{Near, Setting, abroad, get, host, on_site, policy, post, refused};

type Tls = tokio_rustls::server::TlsStream<Socket>;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-kind: small\r\n\r\nhi";

/// A door to `ears.example`, which is served by `serve`.
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

fn ears() -> milu::residency::Host {
    host("ears.example")
}

#[tokio::test]
async fn a_request_arrives_as_it_was_written_and_its_answer_comes_back() {
    let heard: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let by_far = heard.clone();
    let (near, _far) = open(move |mut stream| {
        let heard = by_far.clone();
        async move {
            while let Some(request) = asked(&mut stream).await {
                heard.lock().expect("unpoisoned").push(request);
                say(&mut stream, OK).await;
            }
        }
    })
    .await;

    let mut answer =
        near.door.request(None, near.words("ears", post(ears(), "what is said"))).await.expect("an answer");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-kind"), Some("small"));
    assert_eq!(answer.header("x-other"), None);
    assert_eq!(answer.whole(100).await, Ok(b"hi".to_vec()));
    assert_eq!(answer.chunk().await, Ok(None), "after the end there is nothing");

    let heard = heard.lock().expect("unpoisoned");
    let head = heard[0].head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/things?of=mine http/1.1\r\n"), "{head}");
    for row in ["host: ears.example\r\n", "authorization: bearer of-a-key\r\n", "content-length: 12\r\n"] {
        assert!(head.contains(row), "{head}");
    }
    assert_eq!(heard[0].body, b"what is said");
}

#[tokio::test]
async fn a_piece_of_a_body_comes_before_the_next_is_made() {
    let read = Arc::new(tokio::sync::Notify::new());
    let is_read = read.clone();
    let (near, _far) = open(move |mut stream| {
        let is_read = is_read.clone();
        async move {
            asked(&mut stream).await;
            say(&mut stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nevent1\r\n").await;
            is_read.notified().await;
            say(&mut stream, "6\r\nevent2\r\n0\r\n\r\n").await;
            until_closed(&mut stream).await;
        }
    })
    .await;
    let mut answer = near.door.request(None, near.words("ears", get(ears()))).await.expect("an answer");
    assert_eq!(answer.chunk().await, Ok(Some(b"event1".to_vec())));
    read.notify_one();
    assert_eq!(answer.chunk().await, Ok(Some(b"event2".to_vec())));
    assert_eq!(answer.chunk().await, Ok(None));
}

#[tokio::test]
async fn a_redirect_is_refused_wherever_it_leads() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let answer = format!("HTTP/1.1 {status}\r\nlocation: https://ears.example/x\r\ncontent-length: 0\r\n\r\n");
        let (near, far) = open(move |stream| answer_always(stream, answer.clone())).await;
        let error = refused(near.door.request(None, near.words("ears", get(ears()))).await);
        assert_eq!(error, SendError::Redirect { host: ears() });
        assert_eq!(far.seen.connections(), 1, "nothing was followed");
    }
}

#[tokio::test]
async fn a_host_that_does_not_finish_connecting_is_given_up_in_time() {
    // It takes the connection and never says a word of TLS.
    let far = Far::plain(|mut socket| async move { until_closed(&mut socket).await }).await;
    let near = Setting::new(vec![abroad("ears")]).at("ears.example", &[far.address]).open();
    let within = Within { connect: Duration::from_millis(300), answer: Duration::from_secs(30) };
    let request = HttpRequest { within, ..get(ears()) };
    let error = refused(near.door.request(None, near.words("ears", request)).await);
    assert_eq!(error, SendError::ConnectTimedOut { host: ears(), within: within.connect });
}

#[tokio::test]
async fn a_host_that_takes_the_request_and_is_silent_is_given_up_in_time() {
    let (near, _far) = open(|mut stream| async move { until_closed(&mut stream).await }).await;
    let within = Within { connect: Duration::from_secs(30), answer: Duration::from_millis(300) };
    let request = HttpRequest { within, ..get(ears()) };
    let error = refused(near.door.request(None, near.words("ears", request)).await);
    assert_eq!(error, SendError::AnswerTimedOut { host: ears(), within: within.answer });
}

#[tokio::test]
async fn a_large_request_on_a_slow_uplink_has_its_time_counted_from_its_last_byte() {
    const MIB: usize = 1 << 20;
    // The far side takes the first half so slowly that the whole takes longer
    // than the answer may; what the kernel holds back is less than the second.
    let (near, _far) = open(|mut stream| async move {
        use tokio::io::AsyncReadExt;
        let mut piece = vec![0; 16 * 1024];
        let (mut read, mut paused) = (0, 0);
        while read < 24 * MIB {
            match stream.read(&mut piece).await {
                Ok(n) if n > 0 => read += n,
                _ => return,
            }
            if read < 12 * MIB && read / (64 * 1024) > paused {
                paused = read / (64 * 1024);
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        }
        say(&mut stream, OK).await;
        until_closed(&mut stream).await;
    })
    .await;
    let within = Within { connect: Duration::from_secs(30), answer: Duration::from_millis(2500) };
    let request = HttpRequest { within, ..post(ears(), vec![0x41; 24 * MIB]) };
    let answer = near.door.request(None, near.words("ears", request)).await;
    assert_eq!(answer.map(|a| a.status), Ok(200));
}

#[tokio::test]
async fn an_answer_that_is_cut_or_breaks_the_protocol_is_an_error_and_never_an_end() {
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", SendError::Closed { host: ears() }),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwhole\r\n", SendError::Closed { host: ears() }),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nwh", SendError::Closed { host: ears() }),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n", SendError::Protocol { host: ears() }),
        ("HTTP/1.1 200 OK\r\ncontent-le", SendError::Closed { host: ears() }),
        ("", SendError::Closed { host: ears() }),
        ("220 mail.example ESMTP\r\n\r\n", SendError::Protocol { host: ears() }),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", SendError::Protocol { host: ears() }),
    ] {
        let (near, _far) = open(move |mut stream| async move {
            asked(&mut stream).await;
            say(&mut stream, answer).await;
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap_or_default();
        })
        .await;
        let got = match near.door.request(None, near.words("ears", get(ears()))).await {
            Ok(mut head) => head.whole(1000).await,
            Err(error) => Err(error),
        };
        assert_eq!(got, Err(expected), "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_lasts_until_the_end_of_the_connection_ends_with_tlss_own_goodbye_alone() {
    for (goodbye, expected) in [(true, Ok(b"abc".to_vec())), (false, Err(SendError::Closed { host: ears() }))] {
        let (near, _far) = open(move |mut stream| async move {
            asked(&mut stream).await;
            say(&mut stream, "HTTP/1.1 200 OK\r\n\r\nabc").await;
            if goodbye {
                tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap_or_default();
            }
        })
        .await;
        let mut answer = near.door.request(None, near.words("ears", get(ears()))).await.expect("a head");
        assert_eq!(answer.whole(100).await, expected, "whoever cuts the wire does not end a sentence");
    }
}

#[tokio::test]
async fn a_head_that_does_not_end_and_a_body_larger_than_wanted_are_refused() {
    let (near, _far) = open(|mut stream| async move {
        asked(&mut stream).await;
        say(&mut stream, "HTTP/1.1 200 OK\r\n").await;
        for _ in 0..4000 {
            say(&mut stream, "x-more: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n").await;
        }
        until_closed(&mut stream).await;
    })
    .await;
    let error = refused(near.door.request(None, near.words("ears", get(ears()))).await);
    assert_eq!(error, SendError::Protocol { host: ears() });

    let (near, _far) = open(|stream| answer_always(stream, OK)).await;
    let mut answer = near.door.request(None, near.words("ears", get(ears()))).await.expect("an answer");
    assert_eq!(answer.whole(1).await, Err(SendError::TooLarge { host: ears(), limit: 1 }));
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other_and_a_closed_one_is_replaced() {
    let (near, far) = open(|stream| answer_always(stream, OK)).await;
    for _ in 0..3 {
        let mut answer = near.door.request(None, near.words("ears", get(ears()))).await.expect("an answer");
        answer.whole(100).await.expect("a body");
    }
    assert_eq!(far.seen.connections(), 1);

    let (near, far) = open(|mut stream| async move {
        asked(&mut stream).await;
        say(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi").await;
        tokio::io::AsyncWriteExt::shutdown(&mut stream).await.unwrap_or_default();
    })
    .await;
    for _ in 0..3 {
        let mut answer = near.door.request(None, near.words("ears", get(ears()))).await.expect("an answer");
        answer.whole(100).await.expect("a body");
    }
    assert_eq!(far.seen.connections(), 3);
}

#[tokio::test]
async fn on_a_kept_connection_that_closes_in_the_moment_of_use_only_a_question_is_asked_again() {
    for (request, expected) in [(get(ears()), Ok(200)), (post(ears(), "once"), Err(SendError::Closed { host: ears() }))]
    {
        // Each connection answers one request, and closes when the second has come.
        let (near, far) = open(|mut stream| async move {
            asked(&mut stream).await;
            say(&mut stream, OK).await;
            asked(&mut stream).await;
        })
        .await;
        let mut first = near.door.request(None, near.words("ears", request.clone())).await.expect("an answer");
        first.whole(100).await.expect("a body");
        let second = near.door.request(None, near.words("ears", request)).await;
        assert_eq!(second.map(|a| a.status), expected);
        assert_eq!(far.seen.connections(), 1 + usize::from(expected.is_ok()));
    }
}

#[tokio::test]
async fn an_answer_that_nobody_reads_to_its_end_takes_its_connection_with_it() {
    let (closed, mut is_closed) = tokio::sync::mpsc::channel(1);
    let (near, _far) = open(move |mut stream| {
        let closed = closed.clone();
        async move {
            asked(&mut stream).await;
            say(&mut stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nand\r\n").await;
            until_closed(&mut stream).await;
            closed.send(()).await.unwrap_or_default();
        }
    })
    .await;
    let mut answer = near.door.request(None, near.words("ears", get(ears()))).await.expect("an answer");
    assert_eq!(answer.chunk().await, Ok(Some(b"and".to_vec())));
    drop(answer);
    let closed = tokio::time::timeout(Duration::from_secs(20), is_closed.recv()).await;
    assert_eq!(closed, Ok(Some(())), "the far side is told to stop");
}

#[tokio::test]
async fn a_warmed_connection_is_the_one_that_the_request_takes() {
    let (near, far) = open(|stream| answer_always(stream, OK)).await;
    near.door.warm(None, near.warming("ears", ears())).await.expect("a connection");
    near.door.warm(None, near.warming("ears", ears())).await.expect("the same");
    let answer = near.door.request(None, near.words("ears", get(ears()))).await;
    assert_eq!(answer.map(|a| a.status), Ok(200));
    assert_eq!(far.seen.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_is_about_to_be_given_up_is_not_warm() {
    let authority = Authority::new();
    let far = Far::tls(authority.identity(&["ears.example"]), |stream| answer_always(stream, OK)).await;
    let seconds = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(100));
    let mut setting = Setting::new(vec![abroad("ears")]).at("ears.example", &[far.address]).trusting(&authority);
    let clock = seconds.clone();
    setting.config.now = std::sync::Arc::new(move || {
        milu::terms::Moment::from_micros(clock.load(std::sync::atomic::Ordering::SeqCst) * 1_000_000)
    });
    let near = setting.open();
    for (second, connections) in [(100, 1), (139, 1), (140, 2), (141, 2)] {
        seconds.store(second, std::sync::atomic::Ordering::SeqCst);
        near.door.warm(None, near.warming("ears", ears())).await.expect("a connection");
        assert_eq!(far.seen.connections(), connections, "at {second} s");
    }
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_does_not_answer() {
    let authority = Authority::new();
    let far = Far::tls(authority.identity(&["ears.example"]), |stream| answer_always(stream, OK)).await;
    // Nobody listens on port 1 of loopback.
    let dead = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    let near = Setting::new(vec![abroad("ears")]).at("ears.example", &[dead, far.address]).trusting(&authority).open();
    let answer = near.door.request(None, near.words("ears", get(ears()))).await;
    assert_eq!(answer.map(|a| a.status), Ok(200));

    let near = Setting::new(vec![abroad("ears")]).at("ears.example", &[dead]).open();
    let error = refused(near.door.request(None, near.words("ears", get(ears()))).await);
    assert_eq!(error, SendError::Connect { host: ears(), kind: std::io::ErrorKind::ConnectionRefused });
}

#[tokio::test]
async fn a_destination_a_host_or_a_safeguard_that_does_not_fit_stops_the_request_before_a_byte() {
    let (near, far) = open(|stream| answer_always(stream, OK)).await;
    let ask = async |to: &str, request: HttpRequest| refused(near.door.request(None, near.words(to, request)).await);

    let destination = crate::near::id("ears");
    let foreign = host("mind.example");
    let error = ask("ears", get(foreign.clone())).await;
    assert_eq!(error, SendError::HeldBack(HeldBack::ForeignHost { destination: destination.clone(), host: foreign }));
    let elsewhere = host("ears.example:8443");
    let error = ask("ears", get(elsewhere.clone())).await;
    assert_eq!(error, SendError::HeldBack(HeldBack::ForeignHost { destination: destination.clone(), host: elsewhere }));
    let error = ask("mind", get(ears())).await;
    assert_eq!(
        error,
        SendError::HeldBack(HeldBack::ForeignHost { destination: crate::near::id("mind"), host: ears() })
    );

    // The policy asks for a safeguard.
    let safeguards = Safeguards { training_opt_out: true, zero_retention: false, inference_region: Some("us".into()) };
    let strict = policy(vec![Destination { safeguards: safeguards.clone(), ..abroad("ears") }]);
    let gate = crate::near::gate(strict.clone());
    let clear = |safeguards: Safeguards| {
        let request = crate::near::Own(HttpRequest { safeguards, ..get(ears()) });
        gate.clear(&[milu::residency::DataClass::Transcript], &destination, request).expect("a clearance")
    };
    near.door.set_policy(strict.clone());
    let missing = SendError::HeldBack(HeldBack::SafeguardMissing { destination: destination.clone() });
    for lacking in [
        Safeguards::default(),
        Safeguards { training_opt_out: false, ..safeguards.clone() },
        Safeguards { inference_region: Some("global".into()), ..safeguards.clone() },
    ] {
        assert_eq!(near.door.request(None, clear(lacking)).await.map(|a| a.status), Err(missing.clone()));
    }
    // A clearance of the laxer policy does not help under the stricter.
    assert_eq!(ask("ears", get(ears())).await, missing);
    assert_eq!(far.seen.connections(), 0, "nothing has left");
    assert_eq!(near.door.request(None, clear(safeguards)).await.map(|a| a.status), Ok(200));

    near.door.set_policy(policy(vec![abroad("mind")]));
    let error = ask("ears", get(ears())).await;
    assert_eq!(error, SendError::HeldBack(HeldBack::UnknownDestination { destination }));
}

/// What becomes of a request to `ears` if this happens while its connection is being made.
async fn asked_while(happens: impl FnOnce(&Near)) -> Result<u16, SendError> {
    let authority = Authority::new();
    let far = Far::tls(authority.identity(&["ears.example"]), |stream| answer_always(stream, OK)).await;
    // The connection waits for an address until it has happened.
    let (is_asked, is_changed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (asked_for, changed, address) = (is_asked.clone(), is_changed.clone(), far.address);
    let resolver = Resolver::new(move |_| {
        let (asked_for, changed) = (asked_for.clone(), changed.clone());
        Box::pin(async move {
            asked_for.notify_one();
            changed.notified().await;
            Ok(vec![address])
        })
    });
    let roots = Roots::public().and_der(authority.der.clone()).expect("a root");
    let with_ears = policy(vec![abroad("ears")]);
    let door = Door::new(with_ears.clone(), DoorConfig { roots, resolver, ..DoorConfig::default() });
    let near = Near { door, gate: crate::near::gate(with_ears), rows: mpsc::channel(1).1 };

    let change = async {
        is_asked.notified().await;
        happens(&near);
        is_changed.notify_one();
    };
    let request = near.door.request(None, near.words("ears", post(ears(), "said before")));
    let (answer, ()) = tokio::join!(request, change);
    answer.map(|answer| answer.status)
}

/// As if the policy came to name this destination in its stead.
async fn asked_while_the_policy_becomes(now: Destination) -> SendError {
    let answer = asked_while(|near| near.door.set_policy(policy(vec![now]))).await;
    answer.expect_err("it is held back")
}

#[tokio::test]
async fn a_request_that_waits_for_its_connection_does_not_leave_for_a_host_that_was_taken_out_meanwhile() {
    let elsewhere = Destination { hosts: vec![host("elsewhere.example")], ..abroad("ears") };
    let held = HeldBack::ForeignHost { destination: crate::near::id("ears"), host: ears() };
    assert_eq!(asked_while_the_policy_becomes(elsewhere).await, SendError::HeldBack(held));
}

#[tokio::test]
async fn a_request_that_waits_for_its_connection_leaves_for_no_other_place_nor_without_a_safeguard_of_meanwhile() {
    let destination = crate::near::id("ears");
    let safeguards = Safeguards { zero_retention: true, ..Safeguards::default() };
    let other_place = HeldBack::OtherPlace { destination: destination.clone() };
    for (now, held) in [
        (Destination { operator: "Cumulus Ltd".to_owned(), ..abroad("ears") }, other_place.clone()),
        (Destination { country: "CN".to_owned(), ..abroad("ears") }, other_place.clone()),
        (Destination { on_site: true, ..abroad("ears") }, other_place),
        (Destination { safeguards, ..abroad("ears") }, HeldBack::SafeguardMissing { destination }),
    ] {
        assert_eq!(asked_while_the_policy_becomes(now).await, SendError::HeldBack(held));
    }
}

#[tokio::test]
async fn a_request_that_waits_for_its_connection_does_not_leave_when_its_caller_says_no_meanwhile() {
    let lapsed = SendError::HeldBack(HeldBack::Lapsed { destination: crate::near::id("ears") });
    assert_eq!(asked_while(|near| near.gate.wish(CallerWish::Restricts)).await, Err(lapsed.clone()));
    assert_eq!(asked_while(|near| near.gate.narrow_to(&Policy::nothing_leaves())).await, Err(lapsed));
    // Neither a consent nor an objection touches what rests on a contract.
    for wish in [CallerWish::Consents, CallerWish::Objects] {
        assert_eq!(asked_while(|near| near.gate.wish(wish)).await, Ok(200), "{wish:?}");
    }
}

#[tokio::test]
async fn a_request_that_would_say_more_than_its_fields_is_not_written() {
    let (near, far) = open(|stream| answer_always(stream, OK)).await;
    let said = |text: &str| Private::new(text.to_owned());
    let with = |name: &'static str, value: &str| HttpRequest { headers: vec![(name, said(value))], ..get(ears()) };
    for request in [
        with("x-key", "a\r\nx-other: b"),
        with("x key", "a"),
        with("host", "mind.example"),
        with("content-length", "3"),
        with("transfer-encoding", "chunked"),
        HttpRequest { target: said("https://mind.example/"), ..get(ears()) },
        HttpRequest { target: said("/a b"), ..get(ears()) },
        HttpRequest { target: said("/a\r\nx-other: b"), ..get(ears()) },
        HttpRequest { target: said(""), ..get(ears()) },
    ] {
        let error = refused(near.door.request(None, near.words("ears", request)).await);
        assert_eq!(error, SendError::Malformed { destination: crate::near::id("ears") });
    }
    assert_eq!(far.seen.connections(), 0, "nothing has left");
}

#[tokio::test]
async fn without_tls_the_door_speaks_in_the_businesss_own_network_alone() {
    let far = Far::plain(|stream| answer_always(stream, OK)).await;
    let near = Setting::new(vec![on_site("ears", far.address)]).open();
    let here = host(&far.address.to_string());
    let answer = near.door.request(None, near.words("ears", get(here))).await;
    assert_eq!(answer.map(|a| a.status), Ok(200));

    // The policy calls it on site, and its name leads to an address that is not
    // (RFC 5737: nobody has it).
    let lan = Destination { on_site: true, hosts: vec![host("ears.lan:8080")], ..abroad("ears") };
    let near = Setting::new(vec![lan]).at("ears.lan:8080", &["192.0.2.7:8080".parse().expect("an address")]).open();
    let error = refused(near.door.request(None, near.words("ears", get(host("ears.lan:8080")))).await);
    assert_eq!(error, SendError::HeldBack(HeldBack::NotOnSite { host: host("ears.lan:8080") }));
    assert!(error.to_string().contains("none of a private network"), "{error}");
}

#[tokio::test]
async fn no_error_and_no_debug_shows_what_was_asked() {
    let (near, _far) = open(|stream| answer_always(stream, OK)).await;
    let request = post(ears(), "Adaeze from Surulere");
    let shown = format!("{request:?}");
    let answer = near.door.request(None, near.words("ears", request)).await.expect("an answer");
    for shown in [shown, format!("{answer:?}"), format!("{:?}", near.door)] {
        for secret in ["Adaeze", "of-a-key", "of=mine"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
