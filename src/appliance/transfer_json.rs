//! Rows of the register of transfers as the outside sees them.

use serde::Serialize;

use super::policy_json::SafeguardsJson;
use crate::residency::{Reported, Transfer};

/// What went to one destination on one leave; the JSON of `milu policy register`.
#[derive(Serialize)]
pub struct TransferJson {
    at: String,
    call: Option<String>,
    destination: String,
    operator: String,
    country: String,
    data: Vec<&'static str>,
    verdict: &'static str,
    ground: &'static str,
    policy: Vec<String>,
    safeguards: SafeguardsJson,
    bytes_sent: u64,
    bytes_received: u64,
    /// What the answers said of what was done with it.
    reported: ReportedJson,
    /// In billionths of the price list's currency.
    cost_nanos: u64,
}

#[derive(Serialize)]
struct ReportedJson {
    inference_region: Option<String>,
    audio_ms: u64,
    tokens_in: u64,
    tokens_in_kept: u64,
    tokens_in_to_keep: u64,
    tokens_out: u64,
    characters: u64,
}

impl From<&Transfer> for TransferJson {
    fn from(transfer: &Transfer) -> Self {
        Self {
            at: transfer.at.to_string(),
            call: transfer.call.map(|id| id.to_string()),
            destination: transfer.destination.to_string(),
            operator: transfer.operator.clone(),
            country: transfer.country.clone(),
            data: transfer.classes.iter().map(|class| class.name()).collect(),
            verdict: transfer.verdict.name(),
            ground: transfer.ground.name(),
            policy: transfer.rows.clone(),
            safeguards: SafeguardsJson::from(&transfer.safeguards),
            bytes_sent: transfer.bytes_sent,
            bytes_received: transfer.bytes_received,
            reported: ReportedJson::from(&transfer.reported),
            cost_nanos: transfer.cost_nanos,
        }
    }
}

impl From<&Reported> for ReportedJson {
    fn from(reported: &Reported) -> Self {
        Self {
            inference_region: reported.inference_region.clone(),
            audio_ms: reported.audio_ms,
            tokens_in: reported.tokens_in,
            tokens_in_kept: reported.tokens_in_kept,
            tokens_in_to_keep: reported.tokens_in_to_keep,
            tokens_out: reported.tokens_out,
            characters: reported.characters,
        }
    }
}

/// What left the box because of a call, one entry for each destination, data and
/// leave; the `egress` of a call.
#[derive(Serialize)]
pub struct EgressJson {
    /// When it began.
    at: String,
    destination: String,
    data: String,
    verdict: &'static str,
    policy: Vec<String>,
    bytes: u64,
}

impl EgressJson {
    /// From a call's rows, the newest first as the store gives them.
    pub fn of(transfers: &[Transfer]) -> Vec<Self> {
        let mut entries: Vec<Self> = Vec::new();
        for transfer in transfers.iter().rev() {
            let data: Vec<&str> = transfer.classes.iter().map(|class| class.name()).collect();
            let entry = Self {
                at: transfer.at.to_string(),
                destination: transfer.destination.to_string(),
                data: data.join("+"),
                verdict: transfer.verdict.name(),
                policy: transfer.rows.clone(),
                bytes: transfer.bytes_sent,
            };
            match entries.iter_mut().find(|known| known.is_alike(&entry)) {
                Some(known) => known.bytes += entry.bytes,
                None => entries.push(entry),
            }
        }
        entries
    }

    fn is_alike(&self, other: &Self) -> bool {
        self.destination == other.destination
            && self.data == other.data
            && self.verdict == other.verdict
            && self.policy == other.policy
    }
}
