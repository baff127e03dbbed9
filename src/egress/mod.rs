//! The single door out. Nothing passes without a `Cleared`, and what passes is
//! written to the register of transfers. No other module opens an outgoing HTTP
//! or WebSocket connection, and this one decides nothing about a datum.

mod answer;
mod door;
mod request;

pub use answer::{HttpAnswer, Incoming, SendError, StreamReceiver, StreamSender, WebSocketReceiver, WebSocketSender};
pub use door::Door;
pub use request::{HttpRequest, Method, StreamMessage, StreamOpening, WebSocketMessage, WebSocketOpening, Within};
