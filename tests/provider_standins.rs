//! The stand-ins themselves.
#[path = "providers/mod.rs"]
mod providers;
