//! The residency policy from the outside: what holds of every table, what becomes
//! of a changed file, the files that are shipped, and the command line with the
//! real solver.
#![allow(clippy::panic, reason = "what tests share stands outside of them")]

#[path = "residency/command.rs"]
mod command;
#[path = "residency/in_force.rs"]
mod in_force;
#[path = "residency/page.rs"]
mod page;
#[path = "residency/presets.rs"]
mod presets;
#[path = "residency/properties.rs"]
mod properties;
