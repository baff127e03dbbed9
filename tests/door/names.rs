//! Names whose addresses are in doubt, and resolvers that are silent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use milu::egress::{Door, DoorConfig, HttpRequest, Resolver, Roots, SendError, Within};
use tokio::sync::mpsc;

use crate::far::{Authority, Far, answer_always, until_closed};
use crate::near::{Near, WITHIN, abroad, gate, get, host, policy, refused};

/// Each request gets a connection of its own.
const OK: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";

fn ears() -> milu::residency::Host {
    host("ears.example")
}

/// A door whose resolver gives these answers, one to each question, and is silent then;
/// and how often it was asked.
fn resolved(authority: &Authority, answers: Vec<Vec<SocketAddr>>) -> (Near, Arc<AtomicUsize>) {
    let questions = Arc::new(AtomicUsize::new(0));
    let counted = questions.clone();
    let resolver = Resolver::new(move |_| {
        let answer = answers.get(counted.fetch_add(1, Ordering::AcqRel)).cloned();
        Box::pin(async move {
            match answer {
                Some(addresses) => Ok(addresses),
                None => std::future::pending().await,
            }
        })
    });
    let roots = Roots::public().and_der(authority.der.clone()).expect("a root");
    let policy = policy(vec![abroad("ears")]);
    let door = Door::new(policy.clone(), DoorConfig { roots, resolver, ..DoorConfig::default() });
    (Near { door, gate: gate(policy), rows: mpsc::channel(1).1 }, questions)
}

async fn ask(near: &Near, within: Within) -> Result<u16, SendError> {
    let request = HttpRequest { within, ..get(ears()) };
    near.door.request(None, near.words("ears", request)).await.map(|answer| answer.status)
}

#[tokio::test]
async fn after_a_refused_connection_the_name_is_asked_for_again_and_then_no_more() {
    let authority = Authority::new();
    let far = Far::tls(authority.identity(&["ears.example"]), |stream| answer_always(stream, OK)).await;
    // Nobody listens on port 1 of loopback.
    let dead = SocketAddr::from(([127, 0, 0, 1], 1));
    let (near, questions) = resolved(&authority, vec![vec![dead], vec![far.address]]);
    let error = refused(ask(&near, WITHIN).await);
    assert_eq!(error, SendError::Connect { host: ears(), kind: std::io::ErrorKind::ConnectionRefused });
    for _ in 0..2 {
        assert_eq!(ask(&near, WITHIN).await, Ok(200));
        assert_eq!(questions.load(Ordering::Acquire), 2);
    }
    assert_eq!(far.seen.connections(), 2);
}

#[tokio::test]
async fn while_the_resolver_is_silent_addresses_in_doubt_are_tried_and_a_connection_ends_the_doubt() {
    let authority = Authority::new();
    let served = Arc::new(AtomicUsize::new(0));
    let far = Far::tls(authority.identity(&["ears.example"]), move |mut stream| {
        let is_first = served.fetch_add(1, Ordering::AcqRel) == 0;
        async move {
            if is_first {
                until_closed(&mut stream).await;
            } else {
                answer_always(stream, OK).await;
            }
        }
    })
    .await;
    let (near, questions) = resolved(&authority, vec![vec![far.address]]);
    let within = Within { answer: Duration::from_millis(300), ..WITHIN };
    let late = SendError::AnswerTimedOut { host: ears(), within: within.answer };
    assert_eq!(ask(&near, within).await, Err(late));
    // A third of it goes by in silence.
    let within = Within { connect: Duration::from_secs(3), ..WITHIN };
    for _ in 0..2 {
        assert_eq!(ask(&near, within).await, Ok(200));
        assert_eq!(questions.load(Ordering::Acquire), 2);
    }
    assert_eq!(far.seen.connections(), 3);
}
