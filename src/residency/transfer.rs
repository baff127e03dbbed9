use jiff::Timestamp;

use super::{DataClass, DestinationId, Ground, Safeguards, Verdict};
use crate::terms::CallId;

/// One row of the register of transfers: written from what was really sent.
/// A stream writes one row for each few seconds and verdict, with its bytes.
#[derive(Clone, PartialEq, Debug)]
pub struct Transfer {
    pub at: Timestamp,
    /// None for what belongs to no call.
    pub call: Option<CallId>,
    pub destination: DestinationId,
    pub operator: String,
    pub country: String,
    pub classes: Vec<DataClass>,
    pub verdict: Verdict,
    pub ground: Ground,
    pub rows: Vec<String>,
    /// What the requests really carried.
    pub safeguards: Safeguards,
    /// Bytes on the wire in both directions, TLS included.
    pub bytes_sent: u64,
    pub bytes_received: u64,
}
