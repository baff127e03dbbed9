//! The machine in a simulated world: its whole behaviour, by what it wants.

mod by_hand;
mod calls;
mod codes;
mod decay;
mod healing;
mod health;
mod identities;
mod properties;
mod reports;
mod sim;
mod sound;
mod support;
mod text_memory;
mod text_parts;
mod text_queue;
mod texts;
mod world;
