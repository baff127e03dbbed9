//! Whom the door believes.

use milu::egress::SendError;
use milu::residency::Destination;
use tokio::io::AsyncReadExt;

use crate::far::{Authority, Far, Identity, Validity, answer_always, say, self_signed, until_closed};
use crate::near::{Near, Setting, abroad, get, host, on_site, refused};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

async fn far(identity: Identity) -> Far {
    Far::tls(identity, |stream| answer_always(stream, OK)).await
}

fn near(destination: Destination, authority: &Authority, far: &Far) -> Near {
    Setting::new(vec![destination]).at("ears.example", &[far.address]).trusting(authority).open()
}

async fn status(near: &Near) -> Result<u16, SendError> {
    let request = near.words("ears", get(host("ears.example")));
    near.door.request(None, request).await.map(|answer| answer.status)
}

#[tokio::test]
async fn a_certificate_that_a_root_vouches_for_is_believed_with_tls_1_3_and_1_2() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let identity = authority.identity(&["ears.example"]);
        let far = Far::tls_of(identity, &[version], |stream| answer_always(stream, OK)).await;
        assert_eq!(status(&near(abroad("ears"), &authority, &far)).await, Ok(200), "{version:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_another_time_or_an_unknown_authority_is_not_believed() {
    let authority = Authority::new();
    for identity in [
        authority.identity(&["mind.example"]),
        authority.identity_at(&["ears.example"], &Validity::Past),
        authority.identity_at(&["ears.example"], &Validity::Future),
        Authority::new().identity(&["ears.example"]),
        self_signed(&["ears.example"]),
    ] {
        let far = far(identity).await;
        let near = near(abroad("ears"), &authority, &far);
        assert_eq!(status(&near).await, Err(SendError::Certificate { host: host("ears.example") }));
    }
}

#[tokio::test]
async fn a_destination_with_pins_must_show_one_of_its_keys_and_a_certificate() {
    let authority = Authority::new();
    let pinned = |pins: Vec<[u8; 32]>| Destination { pins, ..abroad("ears") };

    let identity = authority.identity(&["ears.example"]);
    let pin = identity.pin;
    let its = far(identity).await;
    assert_eq!(status(&near(pinned(vec![[0; 32], pin]), &authority, &its)).await, Ok(200), "one of two");
    let wrong = status(&near(pinned(vec![[0; 32]]), &authority, &its)).await;
    assert_eq!(wrong, Err(SendError::Certificate { host: host("ears.example") }), "another key");

    let unknown = self_signed(&["ears.example"]);
    let pin = unknown.pin;
    let its = far(unknown).await;
    let alone = status(&near(pinned(vec![pin]), &authority, &its)).await;
    assert_eq!(alone, Err(SendError::Certificate { host: host("ears.example") }), "a pin is no certificate");
}

#[tokio::test]
async fn in_the_businesss_own_network_a_pinned_key_alone_is_enough_and_another_is_not() {
    let identity = self_signed(&["nobody-knows-me"]);
    let pin = identity.pin;
    let far = far(identity).await;
    let at_home = |pins| Destination { pins, ..on_site("ears", far.address) };
    let host = host(&far.address.to_string());
    for (pins, expected) in [(vec![pin], Ok(200)), (vec![[9; 32]], Err(SendError::Certificate { host: host.clone() }))]
    {
        let near = Setting::new(vec![at_home(pins)]).open();
        let answer = near.door.request(None, near.words("ears", get(host.clone()))).await;
        assert_eq!(answer.map(|a| a.status), expected);
    }
}

/// Reads a ClientHello and answers that TLS 1.1 it shall be.
#[tokio::test]
async fn tls_1_1_is_neither_offered_nor_taken() {
    let authority = Authority::new();
    let far = Far::plain(|mut socket| async move {
        let mut hello = vec![0; 16 * 1024];
        let n = socket.read(&mut hello).await.unwrap_or_default();
        // Extension 43, supported_versions: six bytes, 1.3 and 1.2 and no other.
        let offered = [0x00, 0x2b, 0x00, 0x05, 0x04, 0x03, 0x04, 0x03, 0x03];
        let is_offered = hello[..n].windows(offered.len()).any(|window| window == offered);
        // ServerHello: version 3.2, a random, no session, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA.
        let mut body = vec![0x03, 0x02];
        body.extend([0x11; 32]);
        body.extend([0x00, 0xc0, 0x13, 0x00]);
        let mut record = vec![0x16, 0x03, 0x02, 0x00, u8::try_from(body.len() + 4).expect("short")];
        record.extend([0x02, 0x00, 0x00, u8::try_from(body.len()).expect("short")]);
        record.extend(body);
        if is_offered {
            say(&mut socket, record).await;
        }
        until_closed(&mut socket).await;
    })
    .await;
    let near = near(abroad("ears"), &authority, &far);
    assert_eq!(refused(status(&near).await), SendError::Protocol { host: host("ears.example") });
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_gets_no_request() {
    let authority = Authority::new();
    let far = Far::plain(|stream| answer_always(stream, OK)).await;
    let near = near(abroad("ears"), &authority, &far);
    // What it answers to a ClientHello, if anything, is no TLS.
    let request = get(host("ears.example"));
    let within = milu::egress::Within { connect: std::time::Duration::from_millis(500), ..request.within };
    let request = near.words("ears", milu::egress::HttpRequest { within, ..request });
    let error = refused(near.door.request(None, request).await);
    assert!(matches!(error, SendError::Protocol { .. } | SendError::ConnectTimedOut { .. }), "{error}");
}
