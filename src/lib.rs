//! Milu: a box at a business site that answers its telephone.
//!
//! This file is the map. Imports go downward only; modules of floor 1 do not
//! import each other, and drivers (floor 3) do not import each other.
//! `tests/tidy.rs` reads the `use` lines and fails on a breach.
//!
//! | floor | modules |
//! |---|---|
//! | 0 | [`terms`]: the nouns that everyone shares |
//! | 1 | [`media`] [`signalling`] [`conversation`] [`knowledge`] [`residency`] [`privacy`]: pure machines, one subject each |
//! | 2 | [`call`]: one call from offer to record, pure · [`ops`]: running things |
//! | 3 | [`store`] [`line`] [`speech`] [`egress`]: drivers that touch the disk, the network and the models |
//! | 4 | [`appliance`]: builds the box from its configuration and keeps it running | · [`caller`]: the other end of the wire, to test with

pub mod appliance;
pub mod call;
pub mod caller;
pub mod conversation;
pub mod egress;
pub mod knowledge;
pub mod line;
pub mod media;
pub mod ops;
pub mod privacy;
pub mod residency;
pub mod signalling;
pub mod speech;
pub mod store;
pub mod terms;
