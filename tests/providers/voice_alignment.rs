//! Which character of a text is heard when: the clause's length is known, and
//! its characters share it evenly.

use std::time::Duration;

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Each character with its beginning and its length, in milliseconds.
    chars: Vec<(char, u64, u64)>,
}

/// Spreads a text over the time in which it is spoken.
pub fn align(text: &str, total: Duration) -> Alignment {
    let count = text.chars().count().max(1) as u64;
    let total = u64::try_from(total.as_millis()).unwrap_or(u64::MAX);
    let start = |n: u64| n * total / count;
    Alignment { chars: (0..).zip(text.chars()).map(|(n, c)| (c, start(n), start(n + 1) - start(n))).collect() }
}

impl Alignment {
    /// The characters that begin between two times, counted from the first of
    /// them; all that are left, without a second.
    pub fn between(&self, from: Duration, until: Option<Duration>) -> Self {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (from, until) = (millis(from), until.map_or(u64::MAX, millis));
        let within = |start: u64| (from..until).contains(&start);
        let inside = self.chars.iter().filter(|(_, start, _)| within(*start));
        Self { chars: inside.map(|(c, start, length)| (*c, start - from, *length)).collect() }
    }

    pub fn to_json(&self) -> Value {
        json!({
            "chars": self.chars.iter().map(|(c, ..)| c.to_string()).collect::<Vec<_>>(),
            "charStartTimesMs": self.chars.iter().map(|(_, start, _)| start).collect::<Vec<_>>(),
            "charDurationsMs": self.chars.iter().map(|(.., length)| length).collect::<Vec<_>>(),
        })
    }
}
