//! The far side: an authority, certificates, and a TCP or TLS server whose every
//! connection is given to a test's own function. It counts what passes its
//! sockets, so that what the door says it sent can be held against it.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// The versions of TLS that there are.
const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Somebody whose word on certificates is taken.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub der: CertificateDer<'static>,
}

/// When a certificate is good.
pub enum Validity {
    Now,
    Past,
    Future,
}

/// A certificate and its key.
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
    /// SHA-256 of the public key, as a policy pins it.
    pub pin: [u8; 32],
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let der = params.self_signed(&key).expect("a certificate").der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    pub fn identity(&self, names: &[&str]) -> Identity {
        self.identity_at(names, &Validity::Now)
    }

    pub fn identity_at(&self, names: &[&str], validity: &Validity) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let params = params(names, validity);
        let der = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        identity(der, &key)
    }
}

/// Vouched for by nobody but itself.
pub fn self_signed(names: &[&str]) -> Identity {
    let key = KeyPair::generate().expect("a key");
    let der = params(names, &Validity::Now).self_signed(&key).expect("a certificate").der().clone();
    identity(der, &key)
}

fn params(names: &[&str], validity: &Validity) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).expect("names");
    let (from, to) = match validity {
        Validity::Now => (2020, 2120),
        Validity::Past => (2020, 2021),
        Validity::Future => (2119, 2120),
    };
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(to, 1, 1);
    params
}

fn identity(der: CertificateDer<'static>, key: &KeyPair) -> Identity {
    let digest = ring::digest::digest(&ring::digest::SHA256, &key.subject_public_key_info());
    Identity {
        chain: vec![der],
        key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        pin: digest.as_ref().try_into().expect("32 bytes"),
    }
}

/// What passed the server's sockets.
#[derive(Default)]
pub struct Seen {
    pub received: AtomicU64,
    pub sent: AtomicU64,
    pub connections: AtomicUsize,
}

impl Seen {
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Acquire)
    }

    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Acquire)
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }
}

/// A socket that is counted.
pub struct Socket {
    stream: TcpStream,
    seen: Arc<Seen>,
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.seen.received.fetch_add((buf.filled().len() - before) as u64, Ordering::AcqRel);
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let Poll::Ready(Ok(bytes)) = written {
            self.seen.sent.fetch_add(bytes as u64, Ordering::AcqRel);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A server. It stops when it is dropped.
pub struct Far {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

impl Drop for Far {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Far {
    /// Speaks TCP; each connection goes to `serve` in a task of its own.
    pub async fn plain<F, S>(serve: F) -> Self
    where
        F: Fn(Socket) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::plain_at(Ipv4Addr::LOCALHOST, serve).await
    }

    #[allow(clippy::disallowed_methods, reason = "a test's server has no supervisor")]
    async fn plain_at<F, S>(ip: Ipv4Addr, serve: F) -> Self
    where
        F: Fn(Socket) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind((ip, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Seen::default());
        let counted = seen.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.connections.fetch_add(1, Ordering::AcqRel);
                tokio::spawn(serve(Socket { stream, seen: counted.clone() }));
            }
        });
        Self { address, seen, accepting }
    }

    /// Speaks TLS.
    pub async fn tls<F, S>(identity: Identity, serve: F) -> Self
    where
        F: Fn(TlsStream<Socket>) -> S + Clone + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::tls_of(identity, BOTH, serve).await
    }

    /// Speaks TLS at an address of this machine.
    pub async fn tls_at<F, S>(ip: Ipv4Addr, identity: Identity, serve: F) -> Self
    where
        F: Fn(TlsStream<Socket>) -> S + Clone + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::tls_of_at(ip, identity, BOTH, serve).await
    }

    pub async fn tls_of<F, S>(identity: Identity, versions: &[&'static SupportedProtocolVersion], serve: F) -> Self
    where
        F: Fn(TlsStream<Socket>) -> S + Clone + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        Self::tls_of_at(Ipv4Addr::LOCALHOST, identity, versions, serve).await
    }

    async fn tls_of_at<F, S>(
        ip: Ipv4Addr,
        identity: Identity,
        versions: &[&'static SupportedProtocolVersion],
        serve: F,
    ) -> Self
    where
        F: Fn(TlsStream<Socket>) -> S + Clone + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .expect("a certificate that fits its key");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::plain_at(ip, move |socket| {
            let (acceptor, serve) = (acceptor.clone(), serve.clone());
            async move {
                // A client that does not believe us goes away.
                if let Ok(stream) = acceptor.accept(socket).await {
                    serve(stream).await;
                }
            }
        })
        .await
    }
}

/// A request as it came.
#[derive(Debug, Default)]
pub struct Asked {
    pub head: String,
    pub body: Vec<u8>,
}

/// Reads one request; none if the client has gone.
pub async fn asked(stream: &mut (impl AsyncRead + Unpin)) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
    };
    let mut body = bytes.split_off(end);
    let head = String::from_utf8(bytes).expect("a head in ASCII");
    let length = head
        .lines()
        .find_map(|row| row.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>()))
        .map_or(0, |n| n.expect("a length"));
    while body.len() < length {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(n) => body.extend_from_slice(&piece[..n]),
        }
    }
    Some(Asked { head, body })
}

/// Writes; a client that has gone does not hear it.
pub async fn say(stream: &mut (impl AsyncWrite + Unpin), bytes: impl AsRef<[u8]>) {
    if stream.write_all(bytes.as_ref()).await.is_ok() {
        stream.flush().await.unwrap_or_default();
    }
}

/// Answers every request of a connection with the same.
pub async fn answer_always(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: impl AsRef<[u8]>) {
    while asked(&mut stream).await.is_some() {
        say(&mut stream, &answer).await;
    }
}

/// Reads until the client closes.
pub async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) {
    let mut piece = vec![0; 64 * 1024];
    while matches!(stream.read(&mut piece).await, Ok(n) if n > 0) {}
}
