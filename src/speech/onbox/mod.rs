//! Engines that run on the box itself, below the priority of the media clock.
//! Nothing here opens a network connection at run time.

pub mod models;
mod pool;

pub use pool::{Pool, PoolFull, PoolSize, Priority, StartPool, rten_companion};
