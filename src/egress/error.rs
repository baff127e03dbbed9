use std::time::Duration;

use thiserror::Error;

use crate::residency::{DestinationId, Host};
use crate::terms::Private;

/// Why the box itself sends nothing. It says nothing about who would have been sent
/// it: the next call, or the next day, may be another matter.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HeldBack {
    #[error("sending to {destination}: the policy names no such destination")]
    UnknownDestination { destination: DestinationId },
    #[error("sending to {destination}: {host} is none of its hosts")]
    ForeignHost { destination: DestinationId, host: Host },
    #[error("sending to {destination}: the policy now names another operator, country or place for it")]
    OtherPlace { destination: DestinationId },
    #[error("sending to {destination}: the policy now names keys that {host} may not have shown")]
    OtherKeys { destination: DestinationId, host: Host },
    #[error("sending to {destination}: the request lacks a safeguard that the policy asks for")]
    SafeguardMissing { destination: DestinationId },
    /// The caller's wishes or the policy, as they are by now.
    #[error("sending to {destination}: what may leave has become less since it was cleared")]
    Lapsed { destination: DestinationId },
    #[error("sending to {destination}: it was cleared for another destination")]
    WrongDestination { destination: DestinationId },
    /// Nothing leaves that is not written down.
    #[error("sending to {destination}: the register of transfers cannot be written")]
    Unrecorded { destination: DestinationId },
    /// The policy calls it the business's own, and only for such hosts may a
    /// connection go without TLS, and a country without a transfer.
    #[error(
        "connecting to {host}: the policy says that it stands on the business's own network, and its address is none of a private network"
    )]
    NotOnSite { host: Host },
    #[error("sending to {destination}: the budget of the uplink is spent, for the day or for this call")]
    BudgetSpent { destination: DestinationId },
}

/// What the world, or the door itself, says instead of an answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    #[error(transparent)]
    HeldBack(#[from] HeldBack),
    #[error("sending to {destination}: the request cannot be written as HTTP")]
    Malformed { destination: DestinationId },
    #[error("connecting to {host}: the name could not be resolved")]
    Resolve { host: Host },
    #[error("connecting to {host}: {kind}")]
    Connect { host: Host, kind: std::io::ErrorKind },
    #[error("connecting to {host}: its certificate is not one that we trust")]
    Certificate { host: Host },
    #[error("connecting to {host}: it took longer than {} ms", .within.as_millis())]
    ConnectTimedOut { host: Host, within: Duration },
    #[error("waiting for {host} to answer: it took longer than {} ms", .within.as_millis())]
    AnswerTimedOut { host: Host, within: Duration },
    #[error("opening a WebSocket to {host}: it answered with status {status}")]
    Handshake {
        host: Host,
        status: u16,
        /// At most 4 KiB of what it said.
        body: Private<Vec<u8>>,
        /// `retry-after`, in seconds.
        retry_after: Option<Duration>,
    },
    #[error("sending to {host}: it wants us to go elsewhere, which we do not")]
    Redirect { host: Host },
    #[error("talking to {host}: what it sends breaks the protocol")]
    Protocol { host: Host },
    #[error("talking to {host}: it sends more than {limit} bytes in one piece")]
    TooLarge { host: Host, limit: usize },
    #[error("talking to {host}: the connection broke off")]
    Closed { host: Host },
}
