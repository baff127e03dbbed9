//! What reached the stand-ins: counters, and everything that was received, in
//! the clear, so that a test can search it for what should never have come.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use serde::Serialize;

use super::Provider;

/// Entries of one list; a test's calls have some hundred.
const ENTRIES_MAX: usize = 20_000;

/// Bytes of one vendor's raw log: half an hour of sound at 32 kB/s.
const RAW_MAX: usize = 64 << 20;

/// Samples of the ears' sound that are kept: ten minutes at 16 kHz.
const SOUND_MAX: usize = 10 * 60 * 16_000;

/// Everything of one vendor.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Received {
    /// Requests and WebSocket openings, refused ones included.
    pub requests: u64,
    pub refused: u64,
    /// Connections of which TLS has been agreed on.
    pub connections: u64,
    pub websockets: u64,
    pub websockets_open: u64,
    /// WebSocket messages from the client.
    pub messages: u64,
    /// Streamed answers that the client did not take to the end.
    pub abandoned: u64,
    /// Bytes of requests and messages from the client.
    pub bytes: u64,
    /// Bytes from the client as the wire carries them, TLS included.
    pub wire_bytes: u64,
    /// Milliseconds of sound from the client.
    pub sound_ms: u64,
    /// Paths with their queries, as they came, in order.
    pub queries: Vec<String>,
    /// Names of headers, with how often they came.
    pub headers: BTreeMap<String, u64>,
    /// `Host` headers, with how often they came.
    pub hosts: BTreeMap<String, u64>,
    /// Every text in every decoded payload.
    pub texts: Vec<String>,
    /// What the ears made of the sound they got.
    pub heard: Vec<String>,
    /// What went back to the client as words: answers, spoken texts.
    pub answered: Vec<String>,
}

#[derive(Default)]
pub struct Seen {
    received: Mutex<BTreeMap<Provider, Received>>,
    raw: Mutex<BTreeMap<Provider, Vec<u8>>>,
    /// What the ears got, decoded, at 16 kHz.
    sound: Mutex<Vec<i16>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep(list: &mut Vec<String>, text: &str) {
    if list.len() < ENTRIES_MAX {
        list.push(text.to_owned());
    }
}

impl Seen {
    pub fn of(&self, provider: Provider) -> Received {
        lock(&self.received).get(&provider).cloned().unwrap_or_default()
    }

    pub fn all(&self) -> BTreeMap<Provider, Received> {
        let all = lock(&self.received);
        Provider::ALL.into_iter().map(|p| (p, all.get(&p).cloned().unwrap_or_default())).collect()
    }

    /// Bytes from clients after TLS: heads and bodies of requests, and the
    /// payloads of WebSocket messages without their masks.
    pub fn raw(&self, provider: Provider) -> Vec<u8> {
        lock(&self.raw).get(&provider).cloned().unwrap_or_default()
    }

    /// Sound that came to the ears.
    pub fn sound(&self, samples: &[i16]) {
        let mut sound = lock(&self.sound);
        let room = SOUND_MAX.saturating_sub(sound.len()).min(samples.len());
        sound.extend_from_slice(&samples[..room]);
    }

    /// All of it since it was last forgotten.
    pub fn all_sound(&self) -> Vec<i16> {
        lock(&self.sound).clone()
    }

    pub fn forget(&self) {
        lock(&self.sound).clear();
        lock(&self.received).clear();
        lock(&self.raw).clear();
    }

    pub fn count(&self, provider: Provider, change: impl FnOnce(&mut Received)) {
        change(lock(&self.received).entry(provider).or_default());
    }

    /// A request's head.
    pub fn head(&self, provider: Provider, method: &str, path: &str, headers: &HeaderMap) {
        let mut raw = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
        self.count(provider, |received| {
            received.requests += 1;
            keep(&mut received.queries, path);
            for (name, value) in headers {
                *received.headers.entry(name.as_str().to_owned()).or_default() += 1;
                raw.extend_from_slice(name.as_str().as_bytes());
                raw.extend_from_slice(b": ");
                raw.extend_from_slice(value.as_bytes());
                raw.extend_from_slice(b"\r\n");
            }
            let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
            *received.hosts.entry(host.to_owned()).or_default() += 1;
        });
        self.log(provider, &raw);
    }

    /// A request's body, or a WebSocket message.
    pub fn payload(&self, provider: Provider, bytes: &[u8]) {
        self.count(provider, |received| received.bytes += bytes.len() as u64);
        self.log(provider, bytes);
    }

    /// Every text of a decoded payload, keys of objects included.
    pub fn texts(&self, provider: Provider, value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => self.count(provider, |received| keep(&mut received.texts, text)),
            serde_json::Value::Array(values) => values.iter().for_each(|value| self.texts(provider, value)),
            serde_json::Value::Object(fields) => {
                for (key, value) in fields {
                    self.count(provider, |received| keep(&mut received.texts, key));
                    self.texts(provider, value);
                }
            }
            serde_json::Value::Number(n) => self.count(provider, |received| keep(&mut received.texts, &n.to_string())),
            serde_json::Value::Bool(_) | serde_json::Value::Null => {}
        }
    }

    pub fn heard(&self, words: &str) {
        self.count(Provider::Ears, |received| keep(&mut received.heard, words));
    }

    pub fn answered(&self, provider: Provider, words: &str) {
        self.count(provider, |received| keep(&mut received.answered, words));
    }

    fn log(&self, provider: Provider, bytes: &[u8]) {
        let mut raw = lock(&self.raw);
        let log = raw.entry(provider).or_default();
        if log.len() + bytes.len() < RAW_MAX {
            log.extend_from_slice(bytes);
            log.push(b'\n');
        }
    }
}
