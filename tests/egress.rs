//! The door over real sockets: TLS servers that behave, and servers that do not.
//! Nothing here leaves the machine.
#![allow(clippy::panic, reason = "what tests share stands outside of them")]

#[path = "door/far.rs"]
mod far;
#[path = "door/hostile.rs"]
mod hostile;
#[path = "door/http.rs"]
mod http;
#[path = "door/names.rs"]
mod names;
#[path = "door/near.rs"]
mod near;
#[path = "door/recorded.rs"]
mod recorded;
#[path = "door/register.rs"]
mod register;
#[path = "door/stream.rs"]
mod stream;
#[path = "door/trust.rs"]
mod trust;
#[path = "door/wall.rs"]
mod wall;
#[path = "door/websocket.rs"]
mod websocket;
