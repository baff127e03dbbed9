//! The far side of a mind: it answers each question as the test has written,
//! and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};

use crate::far::{asked, say, until_closed};

/// One answer.
#[derive(Clone)]
pub enum Answer {
    /// Status 200 and a stream of events, to its end.
    Stream(Vec<String>),
    /// The same, and then nothing more, on an open connection.
    Stall(Vec<String>),
    /// The same, and then the connection is closed in the middle.
    Cut(Vec<String>),
    /// Another status.
    Status(u16, &'static str, Value),
    /// Not even a head.
    Silence,
}

/// A question as it came.
pub struct Request {
    pub head: String,
    pub text: String,
    pub body: Value,
}

#[derive(Clone)]
pub struct Provider {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    /// If it is there: it has read the knowledge when it is told so.
    has_read: Option<Arc<Notify>>,
    requests: Arc<Mutex<Vec<Request>>>,
    warmings: mpsc::Sender<Value>,
    closed: mpsc::Sender<()>,
}

/// What a test hears from its provider.
pub struct Heard {
    /// Each time that the knowledge is read to it.
    pub warmings: mpsc::Receiver<Value>,
    /// Each time that the box closes a stream that is not over.
    pub closed: mpsc::Receiver<()>,
}

impl Provider {
    pub fn new(answers: Vec<Answer>, has_read: Option<Arc<Notify>>) -> (Self, Heard) {
        let (warmings, warmed) = mpsc::channel(64);
        let (closed, closings) = mpsc::channel(64);
        let answers = Arc::new(Mutex::new(answers.into()));
        let provider = Self { answers, has_read, requests: Arc::default(), warmings, closed };
        (provider, Heard { warmings: warmed, closed: closings })
    }

    pub fn requests(&self) -> std::sync::MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap()
    }

    /// Serves one connection.
    pub async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        while let Some(request) = asked(&mut stream).await {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            if body["max_tokens"] == 1 {
                self.warmings.send(body).await.unwrap_or_default();
                if let Some(has_read) = &self.has_read {
                    tokio::select! {
                        () = has_read.notified() => {}
                        () = until_closed(&mut stream) => {
                            self.closed.send(()).await.unwrap_or_default();
                            return;
                        }
                    }
                }
                say(&mut stream, whole(&claude(&["."], "max_tokens"))).await;
                continue;
            }
            let text = String::from_utf8(request.body).unwrap();
            self.requests.lock().unwrap().push(Request { head: request.head, text, body });
            let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Silence);
            match answer {
                Answer::Stream(events) => say(&mut stream, whole(&events)).await,
                Answer::Stall(events) => {
                    say(&mut stream, HEAD).await;
                    for event in events {
                        say(&mut stream, chunk(&event)).await;
                    }
                    until_closed(&mut stream).await;
                    self.closed.send(()).await.unwrap_or_default();
                    return;
                }
                Answer::Cut(events) => {
                    say(&mut stream, HEAD).await;
                    for event in events {
                        say(&mut stream, chunk(&event)).await;
                    }
                    return;
                }
                Answer::Status(status, headers, body) => {
                    let body = body.to_string();
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status} No\r\n{headers}content-length: {length}\r\n\r\n");
                    say(&mut stream, format!("{head}{body}")).await;
                }
                Answer::Silence => {
                    until_closed(&mut stream).await;
                    self.closed.send(()).await.unwrap_or_default();
                    return;
                }
            }
        }
    }
}

const HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn whole(events: &[String]) -> String {
    let chunks: String = events.iter().map(|event| chunk(event)).collect();
    format!("{HEAD}{chunks}0\r\n\r\n")
}

pub fn event(kind: &str, rest: Value) -> String {
    let mut data = rest;
    data["type"] = json!(kind);
    format!("event: {kind}\ndata: {data}\n\n")
}

/// The beginning of every answer of Claude, computed in `geo`.
pub fn start_in(geo: &str) -> String {
    let usage = json!({
        "input_tokens": 31, "output_tokens": 1, "cache_read_input_tokens": 4096,
        "cache_creation_input_tokens": 0, "inference_geo": geo,
    });
    event("message_start", json!({ "message": { "id": "msg_1", "role": "assistant", "content": [], "usage": usage } }))
}

/// One block of text in pieces.
pub fn text(index: u64, pieces: &[&str]) -> Vec<String> {
    let mut events =
        vec![event("content_block_start", json!({ "index": index, "content_block": { "type": "text", "text": "" } }))];
    events.extend(pieces.iter().map(|piece| {
        event("content_block_delta", json!({ "index": index, "delta": { "type": "text_delta", "text": piece } }))
    }));
    events.push(event("content_block_stop", json!({ "index": index })));
    events
}

pub fn thinking(index: u64) -> Vec<String> {
    let block = json!({ "type": "thinking", "thinking": "", "signature": "" });
    let piece = |delta: Value| event("content_block_delta", json!({ "index": index, "delta": delta }));
    vec![
        event("content_block_start", json!({ "index": index, "content_block": block })),
        piece(json!({ "type": "thinking_delta", "thinking": "A holiday?" })),
        piece(json!({ "type": "signature_delta", "signature": "c2lnbmVk" })),
        event("content_block_stop", json!({ "index": index })),
    ]
}

pub fn tool(index: u64, name: &str, input: &Value) -> Vec<String> {
    let block = json!({ "type": "tool_use", "id": format!("toolu_{index}"), "name": name, "input": {} });
    let input = input.to_string();
    let (head, tail) = input.split_at(input.len() / 2);
    let piece = |json: &str| {
        event(
            "content_block_delta",
            json!({ "index": index, "delta": { "type": "input_json_delta", "partial_json": json } }),
        )
    };
    vec![
        event("content_block_start", json!({ "index": index, "content_block": block })),
        piece(head),
        piece(tail),
        event("content_block_stop", json!({ "index": index })),
    ]
}

pub fn end(reason: &str) -> Vec<String> {
    let delta = json!({ "delta": { "stop_reason": reason }, "usage": { "output_tokens": 24 } });
    vec![event("message_delta", delta), event("message_stop", json!({}))]
}

/// An answer of Claude that is one text.
pub fn claude(pieces: &[&str], reason: &str) -> Vec<String> {
    [vec![start_in("us"), event("ping", json!({}))], text(0, pieces), end(reason)].concat()
}
