//! The door in a network of its own, whose every packet is recorded: none goes
//! to a host that the policy does not name, whatever is asked of the door.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use milu::egress::{Door, DoorConfig, HeldBack, HttpRequest, SendError, Within};
use milu::residency::Destination;

use crate::far::{Authority, Far, answer_always, asked, say};
use crate::near::{Setting, WITHIN, abroad, get, host, policy, post, refused, socket};
use crate::wall;

/// Where `ears.example` is, which the policy names.
const DECLARED: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 10);

/// Where `mind.example` is, which it does not; somebody listens there.
const UNDECLARED: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 66);

/// Addresses that are far away: an undeclared host's other address, and one that
/// is greeted on purpose, to see that the recorder sees (RFC 5737).
const FAR_AWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const GREETED: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// Where `voice.example` is too, which the policy names, and nobody answers.
const DEAD: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// What the recorder says when the machine lets nobody make networks.
const CANNOT: i32 = 77;

#[test]
fn no_packet_goes_to_a_host_that_the_policy_does_not_name() {
    let report = tempfile::NamedTempFile::new().expect("a file");
    let ended = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/door/recorded.py"))
        .arg("--report")
        .arg(report.path())
        .args(["--local", &DECLARED.to_string(), "--local", &UNDECLARED.to_string()])
        .args(["--may-reach", &GREETED.to_string(), "--may-reach", &DEAD.to_string()])
        .arg("--")
        .arg(std::env::current_exe().expect("our own path"))
        .args(["--exact", "recorded::all_that_a_door_is_asked", "--ignored", "--nocapture"])
        .status()
        .expect("python3 runs");
    if ended.code() == Some(CANNOT) {
        wall::left_out("this machine does not let us make a network of our own");
        return;
    }
    assert!(ended.success(), "{ended}");
    let report = std::fs::read_to_string(report.path()).expect("a report");
    let reached: BTreeSet<String> = report
        .lines()
        .map(|row| serde_json::from_str::<serde_json::Value>(row).expect("a row of JSON"))
        .map(|packet| packet["to"].as_str().expect("an address").to_owned())
        // The kernel's own greetings of the neighbours.
        .filter(|to| !to.starts_with("ff02:") && !to.starts_with("224."))
        .collect();
    let expected = BTreeSet::from([DECLARED.to_string(), DEAD.to_string(), GREETED.to_string()]);
    assert_eq!(reached, expected, "to the declared hosts, and to the one that was greeted on purpose");
}

#[test]
fn on_a_machine_without_networks_nothing_is_recorded_and_that_fails_where_it_is_required() {
    let place = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink("/bin/false", place.path().join("unshare")).expect("an `unshare` that may not");
    let path = format!("{}:{}", place.path().display(), std::env::var("PATH").expect("a path"));
    let walled = concat!(env!("CARGO_MANIFEST_DIR"), "/packaging/walled");
    let ourselves = std::env::current_exe().expect("our own path");
    let test = "recorded::no_packet_goes_to_a_host_that_the_policy_does_not_name";
    for (wall, passes) in [("", true), ("required", false)] {
        let ends_well = |command: &mut Command| {
            let output = command.env("PATH", &path).env("MILU_WALL", wall).output().expect("it runs");
            output.status.success()
        };
        assert_eq!(ends_well(Command::new(walled).arg("true")), passes, "{walled}: {wall}");
        assert_eq!(ends_well(Command::new(&ourselves).args(["--exact", test])), passes, "{test}: {wall}");
    }
}

/// Run by the first test, within the recorded network.
#[tokio::test]
#[ignore = "it is run within a recorded network"]
async fn all_that_a_door_is_asked() {
    let authority = Authority::new();
    let both = authority.identity(&["ears.example", "voice.example"]);
    let ears = Far::tls_at(DECLARED, both, |mut stream| async move {
        let Some(first) = asked(&mut stream).await else { return };
        if first.head.contains("/away") {
            let away = "HTTP/1.1 307 There\r\nlocation: https://mind.example/\r\ncontent-length: 0\r\n\r\n";
            say(&mut stream, away).await;
        } else {
            say(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
            answer_always(stream, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
        }
    })
    .await;
    let mind = Far::tls_at(UNDECLARED, authority.identity(&["mind.example"]), |stream| async move {
        drop(tokio_tungstenite::accept_async(stream).await);
    })
    .await;
    let far_away = SocketAddr::new(FAR_AWAY.into(), 443);
    let near = Setting::new(vec![abroad("ears"), abroad("voice")])
        .at("ears.example", &[ears.address])
        .at("voice.example", &[SocketAddr::new(DEAD.into(), 443), ears.address])
        .at("mind.example", &[mind.address, far_away])
        .at("ears.example:8443", &[far_away])
        .trusting(&authority)
        .open();

    // What may be.
    near.door.warm(None, near.warming("ears", host("ears.example"))).await.expect("a connection");
    for _ in 0..3 {
        let request = near.words("ears", post(host("ears.example"), vec![b'a'; 2000]));
        let mut answer = near.door.request(None, request).await.expect("an answer");
        answer.whole(100).await.expect("a body");
    }
    // An address that takes no connection leaves time for the next.
    let within = Within { connect: Duration::from_secs(6), ..WITHIN };
    let request = HttpRequest { within, ..get(host("voice.example")) };
    near.door.request(None, near.words("voice", request)).await.expect("an answer");
    // A host of nobody, another port, and where the far side would have us go.
    for foreign in ["mind.example", "ears.example:8443", "192.0.2.66", "localhost"] {
        let error = refused(near.door.request(None, near.words("ears", get(host(foreign)))).await);
        assert!(matches!(error, SendError::HeldBack(HeldBack::ForeignHost { .. })), "{error}");
        let error = refused(near.door.websocket(None, near.words("ears", socket(host(foreign)))).await);
        assert!(matches!(error, SendError::HeldBack(HeldBack::ForeignHost { .. })), "{error}");
        let error = refused(near.door.warm(None, near.warming("ears", host(foreign))).await);
        assert!(matches!(error, SendError::HeldBack(HeldBack::ForeignHost { .. })), "{error}");
    }
    near.door.set_policy(policy(vec![abroad("ears")]));
    let mut away = get(host("ears.example"));
    away.target = "/away".to_owned().into();
    let error = refused(near.door.request(None, near.words("ears", away)).await);
    assert!(matches!(error, SendError::Redirect { .. }), "{error}");

    // A destination that the policy has no more; its name is not even resolved,
    // which the system's resolver would do over the network.
    let door = Door::new(policy(vec![abroad("voice")]), DoorConfig::default());
    let error = refused(door.request(None, near.words("ears", get(host("ears.example")))).await);
    assert!(matches!(error, SendError::HeldBack(HeldBack::UnknownDestination { .. })), "{error}");

    // On site by the policy, far away by its address.
    let lan = Destination { on_site: true, hosts: vec![host("lan.example:80")], ..abroad("lan") };
    let near = Setting::new(vec![lan]).at("lan.example:80", &[far_away]).open();
    let error = refused(near.door.request(None, near.words("lan", get(host("lan.example:80")))).await);
    assert!(matches!(error, SendError::HeldBack(HeldBack::NotOnSite { .. })), "{error}");

    greet(SocketAddr::new(GREETED.into(), 443));
    assert_eq!(mind.seen.connections(), 0);
}

/// Sends the first packet of a connection, which nobody answers.
#[allow(clippy::disallowed_methods, reason = "to see that the recorder sees what leaves")]
fn greet(stranger: SocketAddr) {
    assert!(TcpStream::connect_timeout(&stranger, Duration::from_millis(300)).is_err());
}
