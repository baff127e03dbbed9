use std::fmt;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::account::Account;
use super::leave::Leave;
use super::wire::Wire;
use super::{SendError, StreamMessage};
use crate::residency::{Cleared, Host};

/// Bytes handed over at once: some 0.5 s of 16 kHz sound.
const PIECE: usize = 16 * 1024;

pub(super) fn over(wire: Wire, account: Account, leave: Leave, host: Host) -> (StreamSender, StreamReceiver) {
    let (from, to) = tokio::io::split(wire);
    let account = Arc::new(account);
    let sender = StreamSender { to, account: account.clone(), leave, host: host.clone() };
    (sender, StreamReceiver { from, account, host })
}

/// The half that sends. Dropping it and the receiver closes the connection.
pub struct StreamSender {
    to: WriteHalf<Wire>,
    account: Arc<Account>,
    leave: Leave,
    host: Host,
}

impl StreamSender {
    /// Sends cleared bytes; their clearance must be for this stream's
    /// destination. A send that is left half-way leaves half of them sent.
    pub async fn send<M: Into<StreamMessage>>(&mut self, message: Cleared<M>) -> Result<(), SendError> {
        let (message, clearance) = message.into_parts();
        self.leave.extend(&clearance, &self.account)?;
        let StreamMessage(bytes) = message.into();
        self.put(bytes.expose()).await
    }

    /// Sends a word of the protocol, part of the program.
    pub async fn send_fixed(&mut self, text: &'static str) -> Result<(), SendError> {
        self.put(text.as_bytes()).await
    }

    async fn put(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        let sent = async {
            self.to.write_all(bytes).await?;
            self.to.flush().await
        }
        .await;
        self.account.tick();
        sent.map_err(|_| SendError::Closed { host: self.host.clone() })
    }
}

impl fmt::Debug for StreamSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSender").field("host", &self.host).finish_non_exhaustive()
    }
}

/// The half that receives.
pub struct StreamReceiver {
    from: ReadHalf<Wire>,
    account: Arc<Account>,
    host: Host,
}

impl StreamReceiver {
    /// The next bytes as they come; none when the far side has closed. It may be
    /// left while it waits; nothing is lost.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, SendError> {
        let mut piece = vec![0; PIECE];
        let read = self.from.read(&mut piece).await;
        self.account.tick();
        match read {
            Ok(0) => Ok(None),
            Ok(bytes) => {
                piece.truncate(bytes);
                Ok(Some(piece))
            }
            Err(_) => Err(SendError::Closed { host: self.host.clone() }),
        }
    }
}

impl fmt::Debug for StreamReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReceiver").field("host", &self.host).finish_non_exhaustive()
    }
}
