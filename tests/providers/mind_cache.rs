//! The prompt cache: which prefixes of requests were seen before, as the usage
//! figures of the answers report it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use milu::terms::Moment;
use ring::digest::{Context, SHA256};

/// Shorter prefixes are not cached; models differ between 1 024 and 4 096.
const LEAST_TOKENS: u64 = 1_024;

/// Prefixes that are remembered: each call of a test has some two.
const PREFIXES_MAX: usize = 1_000;

/// The end of a block in the order tools, system, messages.
#[derive(Clone, Debug)]
pub struct Boundary {
    /// Of everything until here.
    digest: Vec<u8>,
    /// Until here.
    tokens: u64,
    /// How long the prefix is to be kept, where a client marked it.
    keep: Option<Duration>,
}

/// Collects the blocks of a request.
pub struct Prefix {
    context: Context,
    tokens: u64,
    pub boundaries: Vec<Boundary>,
}

impl Prefix {
    pub fn new() -> Self {
        Self { context: Context::new(&SHA256), tokens: 0, boundaries: Vec::new() }
    }

    pub fn block(&mut self, text: &str, keep: Option<Duration>) {
        self.context.update(text.as_bytes());
        self.context.update(&[0]);
        self.tokens += tokens(text);
        let digest = self.context.clone().finish().as_ref().to_vec();
        self.boundaries.push(Boundary { digest, tokens: self.tokens, keep });
    }

    /// Marks the last block, as a mark on the whole request does.
    pub fn mark_last(&mut self, keep: Duration) {
        if let Some(last) = self.boundaries.last_mut() {
            last.keep = Some(keep);
        }
    }

    pub const fn tokens(&self) -> u64 {
        self.tokens
    }
}

/// English has some four characters a token.
pub fn tokens(text: &str) -> u64 {
    text.chars().count().div_ceil(4) as u64
}

/// What the cache did for one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    pub read: u64,
    pub created_5m: u64,
    pub created_1h: u64,
    /// Neither read nor written.
    pub plain: u64,
}

#[derive(Default)]
pub struct PromptCache {
    prefixes: Mutex<BTreeMap<Vec<u8>, (Moment, Duration)>>,
}

impl PromptCache {
    pub fn look(&self, prefix: &Prefix, now: Moment) -> CacheUse {
        let mut prefixes = self.prefixes.lock().unwrap_or_else(PoisonError::into_inner);
        prefixes.retain(|_, (until, _)| *until > now);
        let last_mark = prefix.boundaries.iter().rposition(|boundary| boundary.keep.is_some());
        let Some(marked) = last_mark.map(|at| &prefix.boundaries[..=at]) else {
            return CacheUse { plain: prefix.tokens, ..CacheUse::default() };
        };
        let hit = marked.iter().rev().find(|boundary| prefixes.contains_key(&boundary.digest));
        if let Some((until, keep)) = hit.and_then(|boundary| prefixes.get_mut(&boundary.digest)) {
            // Reading renews.
            *until = now + *keep;
        }
        let read = hit.map_or(0, |boundary| boundary.tokens);
        let mut used = CacheUse { read, ..CacheUse::default() };
        let mut until = read;
        for boundary in marked.iter().filter(|boundary| boundary.tokens >= LEAST_TOKENS && boundary.tokens > read) {
            let Some(keep) = boundary.keep else { continue };
            let created = boundary.tokens - until;
            if keep > Duration::from_secs(300) {
                used.created_1h += created;
            } else {
                used.created_5m += created;
            }
            until = boundary.tokens;
            if prefixes.len() < PREFIXES_MAX {
                prefixes.insert(boundary.digest.clone(), (now + keep, keep));
            }
        }
        used.plain = prefix.tokens - until;
        used
    }
}
