//! The far side: a server on loopback whose sockets and requests are given to the
//! test, which says what it answers. It reads only what the protocol's documents
//! say that a client sends.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

/// Long enough for the slowest machine under the heaviest load.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What came in: its head, and the connection on which to answer.
pub struct Asked {
    pub head: String,
    pub body: String,
    stream: TcpStream,
}

pub struct Far {
    pub port: u16,
    asked: mpsc::Receiver<Asked>,
    task: JoinHandle<()>,
}

impl Drop for Far {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Far {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (hand, asked) = mpsc::channel(64);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(asked) = read(stream).await {
                    hand.send(asked).await.expect("the test takes what comes");
                }
            }
        });
        Self { port, asked, task }
    }

    /// The next that is asked for, whatever it is.
    pub async fn asked(&mut self) -> Asked {
        timeout(PATIENCE, self.asked.recv()).await.expect("something is asked for").expect("the server runs")
    }

    /// The next socket, opened.
    pub async fn socket(&mut self) -> FarSocket {
        let asked = self.asked().await;
        assert!(asked.wants_socket(), "a socket is asked for, and not: {}", asked.head);
        asked.accept().await
    }

    pub fn is_left_alone(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

async fn read(mut stream: TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        let mut piece = [0; 4096];
        let len = stream.read(&mut piece).await.ok().filter(|len| *len > 0)?;
        bytes.extend_from_slice(&piece[..len]);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let length: usize = header(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        let mut piece = [0; 4096];
        let len = stream.read(&mut piece).await.ok().filter(|len| *len > 0)?;
        bytes.extend_from_slice(&piece[..len]);
    }
    let body = String::from_utf8(bytes[end..].to_vec()).ok()?;
    Some(Asked { head, body, stream })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|row| row.split_once(':'))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

impl Asked {
    pub fn wants_socket(&self) -> bool {
        self.header("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    /// Method, path and query.
    pub fn target(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// Whether the query has this part.
    pub fn has(&self, part: &str) -> bool {
        let target = self.target().split_whitespace().nth(1).unwrap_or_default();
        target.split_once('?').is_some_and(|(_, query)| query.split('&').any(|p| p == part))
    }

    pub async fn accept(mut self) -> FarSocket {
        let key = self.header("sec-websocket-key").expect("a key of the handshake");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {}\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        self.stream.write_all(answer.as_bytes()).await.expect("it listens");
        let Self { head, body, stream } = self;
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        drop(body);
        FarSocket { head, socket }
    }

    /// Answers with a status and a body that ends with the connection.
    pub async fn answer(mut self, status: &str, headers: &str, body: &[&[u8]]) {
        let head = format!("HTTP/1.1 {status}\r\n{headers}connection: close\r\n\r\n");
        self.stream.write_all(head.as_bytes()).await.expect("it listens");
        for piece in body {
            self.stream.write_all(piece).await.expect("it listens");
            self.stream.flush().await.expect("it listens");
        }
        self.stream.shutdown().await.expect("it listens");
    }
}

pub struct FarSocket {
    pub head: String,
    socket: WebSocketStream<TcpStream>,
}

impl FarSocket {
    pub fn has(&self, part: &str) -> bool {
        let target = self.head.split_whitespace().nth(1).unwrap_or_default();
        target.split_once('?').is_some_and(|(_, query)| query.split('&').any(|p| p == part))
    }

    /// The next message; none when the client has closed.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("something comes") {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(text.as_str()).expect("JSON")),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// The next sign of life; anything else is not expected.
    pub async fn pinged(&mut self) {
        let came = timeout(PATIENCE, self.socket.next()).await.expect("something comes");
        assert!(matches!(came, Some(Ok(Message::Ping(_)))), "no sign of life: {came:?}");
    }

    pub async fn message(&mut self) -> Value {
        self.next().await.expect("the client is there")
    }

    pub async fn say(&mut self, message: &Value) {
        self.raw(&message.to_string()).await;
    }

    pub async fn raw(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the client listens");
    }

    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: CloseCode::from(code), reason: "".into() };
        self.socket.send(Message::Close(Some(frame))).await.expect("the client listens");
        // The client's own goodbye.
        while self.socket.next().await.is_some_and(|came| came.is_ok()) {}
    }

    /// Reads the words of a context that has just begun: its name, and its text.
    pub async fn begun(&mut self) -> (String, String) {
        let opening = self.message().await;
        assert_eq!(opening["text"], " ", "a context begins with its settings: {opening}");
        assert!(opening["voice_settings"]["speed"].is_number(), "{opening}");
        let context = opening["context_id"].as_str().expect("its name").to_owned();
        (context.clone(), self.words(&context).await)
    }

    /// Further words of a context.
    pub async fn words(&mut self, context: &str) -> String {
        let words = self.message().await;
        assert_eq!(words["context_id"], context);
        assert_eq!(words["flush"], true);
        assert!(words["voice_settings"].is_null(), "settings are told once");
        let text = words["text"].as_str().expect("words");
        assert!(text.ends_with(' '), "text ends with a space");
        text.to_owned()
    }

    pub async fn expect_close(&mut self, context: &str) {
        let close = self.message().await;
        assert_eq!(close, serde_json::json!({"context_id": context, "close_context": true}));
    }
}
