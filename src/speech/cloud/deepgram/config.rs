use std::time::Duration;

use super::query::told;
use crate::conversation::PAUSE_REPORTED_AFTER;
use crate::egress::Within;
use crate::residency::{AskedHost, DestinationId, Host, Safeguards};
use crate::terms::Private;

/// Which of the provider's two ways of listening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Api {
    /// `/v1/listen`: Nova. It writes words; whether a turn is over, its silences
    /// alone say.
    V1,
    /// `/v2/listen`: Flux. It writes words and judges turns.
    Flux,
}

/// How much of the uplink the sound may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Uplink {
    /// All that the line has: 32 kB a second from a wide line, 8 kB from a narrow
    /// one (mu-law, which loses nothing of it).
    Linear16,
    /// 8 kB a second, from any line.
    Mulaw,
    /// 3 kB a second: for a metered uplink near its ceiling.
    Opus,
}

/// The provider, as the box uses it.
#[derive(Clone, Debug)]
pub struct DeepgramConfig {
    /// The name under which the policy knows it.
    pub destination: DestinationId,
    /// `api.deepgram.com`, `api.eu.deepgram.com`, `api.au.deepgram.com`, or the
    /// business's own.
    pub host: AskedHost,
    pub api: Api,
    pub model: String,
    /// A BCP 47 tag; the call's language if there is none.
    pub language: Option<String>,
    pub key: Private<String>,
    pub uplink: Uplink,
    /// v1: silence that ends a piece of speech.
    pub endpointing: Duration,
    /// Flux, 0.3 to 0.9: from here on a turn is probably over.
    pub eager_eot_threshold: f32,
    /// Flux, 0.5 to 1, and not below the eager one: from here on it is over.
    pub eot_threshold: f32,
    /// Flux, 0.5 to 60 s: so much silence ends a turn in any case.
    pub eot_timeout: Duration,
    pub bounds: Bounds,
}

/// How long the provider may take. A healthy one needs a quarter of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    pub opening: Within,
    /// Of a turn's sound, from its beginning, before there is any sign that it
    /// is listened to.
    pub first_partial: Duration,
    /// From a pause on, final words are waited for; then words that cover the
    /// sound are taken as they are.
    pub settled: Duration,
    /// From a pause on: words must have come.
    pub words: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self {
            // The greeting and the notice take longer than both together.
            opening: Within { connect: ms(2000), answer: ms(2000) },
            // Interim words come about every second in v1, four times in Flux.
            first_partial: ms(3000),
            // The published median from a pause to final words is 247 ms; waiting
            // on would be heard.
            settled: ms(400),
            words: ms(1500),
        }
    }
}

impl Bounds {
    /// For what is heard when nobody is on the line: final words are worth the wait,
    /// and a slow uplink or a busy provider is no reason to do without them.
    pub fn unhurried() -> Self {
        let s = Duration::from_secs;
        Self { opening: Within { connect: s(5), answer: s(5) }, first_partial: s(12), settled: s(5), words: s(12) }
    }
}

impl DeepgramConfig {
    /// Of the safeguards that a policy asks for, those that requests to `host` can tell.
    pub fn carries(host: &Host, asked: &Safeguards) -> Safeguards {
        told(host, asked)
    }

    /// The usual model and bounds of `api`.
    pub fn new(destination: DestinationId, host: impl Into<AskedHost>, api: Api, key: Private<String>) -> Self {
        Self {
            destination,
            host: host.into(),
            api,
            model: match api {
                Api::V1 => "nova-3".to_owned(),
                Api::Flux => "flux-general-en".to_owned(),
            },
            language: None,
            key,
            uplink: Uplink::Linear16,
            endpointing: PAUSE_REPORTED_AFTER + Duration::from_millis(100),
            // The box's own bar: what is above it ends a turn that can still go on.
            eager_eot_threshold: 0.5,
            eot_threshold: 0.7,
            eot_timeout: Duration::from_secs(5),
            bounds: Bounds::default(),
        }
    }
}
