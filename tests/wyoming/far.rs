//! A server of the test's own, which says what the test wants it to say.

use std::time::Duration;

use milu::speech::lan::event::{Event, EventReader, written};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Far {
    listener: TcpListener,
    pub port: u16,
}

impl Far {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        Self { listener, port }
    }

    pub async fn connection(&self) -> Connection {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.expect("it connects").expect("a connection");
        Connection { stream, reader: EventReader::default() }
    }
}

pub struct Connection {
    stream: TcpStream,
    reader: EventReader,
}

impl Connection {
    /// The next event; none when the client has closed.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.reader.next_event().expect("our client's events can be read") {
                return Some(event);
            }
            let mut piece = [0; 16_384];
            let read = timeout(PATIENCE, self.stream.read(&mut piece)).await.expect("something comes");
            let len = read.ok().filter(|len| *len > 0)?;
            self.reader.push(&piece[..len]);
        }
    }

    pub async fn event(&mut self, name: &str) -> Event {
        let event = self.next().await.expect("the client is there");
        assert_eq!(event.name, name);
        event
    }

    /// Reads a turn to its end: samples of 16 kHz.
    pub async fn turn(&mut self) -> usize {
        self.event("audio-start").await;
        let mut octets = 0;
        loop {
            let event = self.next().await.expect("the client is there");
            match event.name.as_str() {
                "audio-chunk" => octets += event.payload.len(),
                "audio-stop" => return octets / 2,
                other => panic!("{other} within a turn"),
            }
        }
    }

    pub async fn say(&mut self, name: &str, data: Value, payload: &[u8]) {
        let Value::Object(data) = data else { panic!("data is an object") };
        let event = Event { name: name.to_owned(), data, payload: payload.to_vec() };
        self.raw(&written(&event)).await;
    }

    pub async fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the client listens");
    }
}
