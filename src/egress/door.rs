use std::sync::Arc;

use crate::residency::{Cleared, Policy};
use crate::terms::CallId;

use super::{
    HttpAnswer, HttpRequest, SendError, StreamOpening, StreamReceiver, StreamSender, WebSocketOpening,
    WebSocketReceiver, WebSocketSender,
};

/// The door. Cheap to share.
#[derive(Clone, Debug)]
pub struct Door {
    policy: Arc<Policy>,
}

impl Door {
    pub const fn new(policy: Arc<Policy>) -> Self {
        Self { policy }
    }

    /// Sends a request and waits for the head of its answer. `call` is for the register.
    #[allow(clippy::unused_async)]
    pub async fn request<T: Into<HttpRequest>>(
        &self,
        call: Option<CallId>,
        cleared: Cleared<T>,
    ) -> Result<HttpAnswer, SendError> {
        drop(call);
        Err(SendError::WrongDestination { destination: cleared.clearance().destination().clone() })
    }

    #[allow(clippy::unused_async)]
    pub async fn websocket<T: Into<WebSocketOpening>>(
        &self,
        call: Option<CallId>,
        cleared: Cleared<T>,
    ) -> Result<(WebSocketSender, WebSocketReceiver), SendError> {
        drop(call);
        Err(SendError::WrongDestination { destination: cleared.clearance().destination().clone() })
    }

    #[allow(clippy::unused_async)]
    pub async fn stream<T: Into<StreamOpening>>(
        &self,
        call: Option<CallId>,
        cleared: Cleared<T>,
    ) -> Result<(StreamSender, StreamReceiver), SendError> {
        drop((call, &self.policy));
        Err(SendError::WrongDestination { destination: cleared.clearance().destination().clone() })
    }
}
