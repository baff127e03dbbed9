//! Conversations with names, in the simulated world: what one caller of the
//! clinic lives through when all is well, and when one thing is not.

#![allow(dead_code, reason = "the world is shared with the laws, which use more of it")]

#[path = "conversations/answers.rs"]
mod answers;
#[path = "simulated_world/caller.rs"]
mod caller;
#[path = "conversations/clinic.rs"]
mod clinic;
#[path = "simulated_world/ears.rs"]
mod ears;
#[path = "conversations/failing_disk.rs"]
mod failing_disk;
#[path = "conversations/faults.rs"]
mod faults;
#[path = "simulated_world/handset.rs"]
mod handset;
#[path = "conversations/hold.rs"]
mod hold;
#[path = "conversations/interruptions.rs"]
mod interruptions;
#[path = "conversations/keys.rs"]
mod keys;
#[path = "simulated_world/laws.rs"]
mod laws;
#[path = "conversations/messages.rs"]
mod messages;
#[path = "simulated_world/mind.rs"]
mod mind;
#[path = "conversations/people.rs"]
mod people;
#[path = "simulated_world/random.rs"]
mod random;
#[path = "conversations/secret_keys.rs"]
mod secret_keys;
#[path = "conversations/sentences.rs"]
mod sentences;
#[path = "simulated_world/voice.rs"]
mod voice;
#[path = "conversations/wishes.rs"]
mod wishes;
#[path = "simulated_world/world.rs"]
mod world;
