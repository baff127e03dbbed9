//! A whole box whose engines are outside: `milu run` over the stand-ins for
//! Deepgram, Anthropic and ElevenLabs, rung by our own caller over real SIP and
//! RTP. What the caller hears, what the record and the register say, and what
//! the vendors really received have to agree, in good days and bad ones.

#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

#[path = "providers/mod.rs"]
mod providers;
mod the_box;
#[path = "door/wall.rs"]
mod wall;

#[path = "cloud_box/canaries.rs"]
mod canaries;
#[path = "cloud_box/credentials.rs"]
mod credentials;
#[path = "cloud_box/faults.rs"]
mod faults;
#[path = "cloud_box/kept_voice.rs"]
mod kept_voice;
#[path = "cloud_box/keyed.rs"]
mod keyed;
#[path = "cloud_box/near.rs"]
mod near;
#[path = "cloud_box/outage.rs"]
mod outage;
#[path = "cloud_box/own_network.rs"]
mod own_network;
#[path = "cloud_box/search.rs"]
mod search;
#[path = "wyoming/server.rs"]
mod server;
#[path = "cloud_box/wishes.rs"]
mod wishes;
