//! The listening sockets, all on the loopback, and which vendor answers on which.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::serve::Listener;
use rustls::ServerConfig;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use super::ears_words::{KnownWords, ReadWords};
use super::facts::{Facts, ReadFacts};
use super::metered::Metered;
use super::tls::{self, Authority, MakeTls};
use super::wire::Switched;
use super::world::{EARS_KEY, MIND_KEY, VOICE_KEY};
use super::{Options, Provider, World, control, ears_http, lan_mind, mind_http, voice_http};

/// Connections that wait to be served; more wait in the socket's own queue.
const WAITING: usize = 64;

/// A client that says nothing after connecting is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);

const CA_FILE: &str = "ca.pem";
const PORTS_FILE: &str = "ports.json";

#[derive(Debug, Error)]
pub enum StartStandIns {
    #[error("listening on the loopback")]
    Listen(#[source] std::io::Error),
    #[error("writing {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Tls(#[from] MakeTls),
    #[error(transparent)]
    Words(#[from] ReadWords),
    #[error(transparent)]
    Facts(#[from] ReadFacts),
    #[error("starting the stand-ins: their thread")]
    Thread(#[source] std::io::Error),
    #[error("starting the stand-ins: they ended while they started")]
    Ended,
}

/// Where everything is, as `ports.json` says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ports {
    /// TLS, as `api.deepgram.com` and its regions.
    pub ears: u16,
    /// TLS, as `api.anthropic.com`.
    pub mind: u16,
    /// TLS, as `api.elevenlabs.io` and its regions.
    pub voice: u16,
    /// Plain HTTP: an OpenAI-compatible server on the LAN.
    pub lan_mind: u16,
    /// Plain HTTP: faults and what was seen.
    pub control: u16,
    /// TLS for all vendors' names, from an authority that nobody trusts: whoever
    /// sends a request here has not checked the certificate.
    pub impostor: u16,
    /// What clients must trust.
    pub ca: PathBuf,
    pub ears_key: String,
    pub mind_key: String,
    pub voice_key: String,
}

/// Opens all sockets and serves them on the present runtime.
pub async fn start(options: Options) -> Result<(Arc<World>, Ports), StartStandIns> {
    make_dir(&options.dir)?;
    let cache = options.voice_cache.clone().unwrap_or_else(|| options.dir.join("speech"));
    make_dir(&cache)?;
    let known = options.known_words.as_deref().map(KnownWords::read).transpose()?;
    let facts = options.knowledge.as_deref().map(Facts::read).transpose()?;
    let authority = Authority::new("Stand-in vendors")?;
    let nobody = Authority::new("Nobody")?;
    let ca = options.dir.join(CA_FILE);
    write(&ca, authority.pem().as_bytes())?;
    let ports_file = options.dir.join(PORTS_FILE);
    let world = World::new(options, known, facts, cache);

    let all_hosts: Vec<&str> = [tls::EARS_HOSTS, tls::MIND_HOSTS, tls::VOICE_HOSTS].concat();
    let ports = Ports {
        ears: serve(&world, Provider::Ears, Some(authority.server(tls::EARS_HOSTS)?), ears_http::routes()).await?,
        mind: serve(&world, Provider::Mind, Some(authority.server(tls::MIND_HOSTS)?), mind_http::routes()).await?,
        voice: serve(&world, Provider::Voice, Some(authority.server(tls::VOICE_HOSTS)?), voice_http::routes()).await?,
        lan_mind: serve(&world, Provider::LanMind, None, lan_mind::routes()).await?,
        control: control::serve(&world).await.map_err(StartStandIns::Listen)?,
        impostor: serve(&world, Provider::Ears, Some(nobody.server(&all_hosts)?), ears_http::routes()).await?,
        ca: std::path::absolute(&ca).unwrap_or(ca),
        ears_key: EARS_KEY.to_owned(),
        mind_key: MIND_KEY.to_owned(),
        voice_key: VOICE_KEY.to_owned(),
    };
    write(&ports_file, &serde_json::to_vec_pretty(&ports).unwrap_or_default())?;
    Ok((world, ports))
}

fn make_dir(path: &Path) -> Result<(), StartStandIns> {
    std::fs::create_dir_all(path).map_err(|source| StartStandIns::Write { path: path.to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StartStandIns> {
    std::fs::write(path, bytes).map_err(|source| StartStandIns::Write { path: path.to_owned(), source })
}

async fn serve(
    world: &Arc<World>,
    provider: Provider,
    tls: Option<Arc<ServerConfig>>,
    routes: Router<Arc<World>>,
) -> Result<u16, StartStandIns> {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(StartStandIns::Listen)?;
    let local = socket.local_addr().map_err(StartStandIns::Listen)?;
    let (ready, accepted) = mpsc::channel(WAITING);
    world.spawn(accept(Arc::clone(world), provider, socket, tls.map(TlsAcceptor::from), ready));
    let noted = from_fn_with_state((Arc::clone(world), provider), note);
    let routes = routes.layer(noted).with_state(Arc::clone(world));
    world.spawn(async move {
        if let Err(error) = axum::serve(Accepted { accepted, local }, routes).await {
            tracing::error!(%error, "a stand-in has ended");
        }
    });
    Ok(local.port())
}

/// Writes a request's head down, and whether it was refused.
async fn note(State((world, provider)): State<(Arc<World>, Provider)>, request: Request, next: Next) -> Response {
    let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_owned();
    world.seen.head(provider, request.method().as_str(), &path, request.headers());
    let response = next.run(request).await;
    if response.status().as_u16() >= 400 {
        world.seen.count(provider, |received| received.refused += 1);
    }
    response
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Connection = Switched<Box<dyn Stream>>;

async fn accept(
    world: Arc<World>,
    provider: Provider,
    socket: TcpListener,
    tls: Option<TlsAcceptor>,
    ready: mpsc::Sender<(Connection, SocketAddr)>,
) {
    loop {
        let (stream, peer) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let (world_of_it, tls, ready) = (Arc::clone(&world), tls.clone(), ready.clone());
        world.spawn(async move {
            let Some(stream) = handshake(stream, &world_of_it, provider, tls).await else { return };
            let wire = world_of_it.faults.accepted(provider);
            world_of_it.seen.count(provider, |received| received.connections += 1);
            // Nobody takes it only when the stand-ins end.
            drop(ready.send((Switched::new(stream, wire), peer)).await);
        });
    }
}

async fn handshake(
    stream: TcpStream,
    world: &Arc<World>,
    provider: Provider,
    tls: Option<TlsAcceptor>,
) -> Option<Box<dyn Stream>> {
    // Small messages one after another: they must not wait for each other.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection delays small messages");
    }
    let stream = Metered::new(stream, Arc::clone(world), provider);
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    match tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
        Ok(Ok(stream)) => Some(Box::new(stream)),
        // A client that does not trust us, or a probe: its own affair.
        Ok(Err(_)) | Err(_) => None,
    }
}

struct Accepted {
    accepted: mpsc::Receiver<(Connection, SocketAddr)>,
    local: SocketAddr,
}

impl Listener for Accepted {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.accepted.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.local)
    }
}
