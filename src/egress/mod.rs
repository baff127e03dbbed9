//! The single door out. Nothing passes without a `Cleared`, and what passes is
//! written to the register of transfers. No other module opens an outgoing HTTP
//! or WebSocket connection, and this one decides nothing about a datum.
//!
//! Before a byte leaves, the door asks that the clearance's destination is one of
//! the policy's, that the host is one of its hosts, that the request carries the
//! safeguards, that the register keeps up and that the budget is not spent. It
//! starts no task: a connection is moved by whoever waits for it.

mod account;
mod books;
mod budget;
mod connect;
mod door;
mod error;
mod http;
mod leave;
mod link;
mod names;
mod prices;
mod register;
mod reports;
mod request;
mod stream;
mod trust;
mod websocket;
mod wire;

pub use budget::{Budget, Room, Spent, Standing, Sum};
pub use door::{Door, DoorConfig};
pub use error::{HeldBack, SendError};
pub use http::HttpAnswer;
pub use names::Resolver;
pub use prices::{InvalidPrices, Money, Place, Prices, Usage};
pub use request::{
    HttpRequest, Method, StreamMessage, StreamOpening, Warming, WebSocketMessage, WebSocketOpening, Within,
};
pub use stream::{StreamReceiver, StreamSender};
pub use trust::{InvalidRoot, Roots};
pub use websocket::{Incoming, WebSocketReceiver, WebSocketSender};
