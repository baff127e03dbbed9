//! Rows of the register of transfers as the outside sees them.

use serde::Serialize;

use super::policy_json::SafeguardsJson;
use crate::residency::{Carried, DataClass, Reported, Transfer};

/// What went to one destination on one leave; the JSON of `milu policy register`.
#[derive(Serialize)]
pub struct TransferJson {
    at: String,
    call: Option<String>,
    destination: String,
    operator: String,
    country: String,
    data: Vec<&'static str>,
    /// One for all data, or one for each of them: `redacted+raw`.
    verdict: String,
    ground: String,
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
            data: transfer.classes().into_iter().map(DataClass::name).collect(),
            verdict: verdict(transfer),
            ground: of_each(transfer, |carried| carried.ground.name(), transfer.ground.name()),
            policy: transfer.rows.clone(),
            safeguards: SafeguardsJson::from(&transfer.safeguards),
            bytes_sent: transfer.bytes_sent,
            bytes_received: transfer.bytes_received,
            reported: ReportedJson::from(&transfer.reported),
            cost_nanos: transfer.cost_nanos,
        }
    }
}

fn verdict(transfer: &Transfer) -> String {
    of_each(transfer, |carried| carried.verdict.name(), transfer.verdict.name())
}

/// What is said of each datum, in their order; once, if it is the same of all.
fn of_each(transfer: &Transfer, said: fn(&Carried) -> &'static str, of_all: &str) -> String {
    let each: Vec<&str> = transfer.carried.iter().map(said).collect();
    match each.first() {
        None => of_all.to_owned(),
        Some(first) if each.iter().all(|one| one == first) => (*first).to_owned(),
        Some(_) => each.join("+"),
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
    verdict: String,
    policy: Vec<String>,
    bytes: u64,
}

impl EgressJson {
    /// From a call's rows, the newest first as the store gives them.
    pub fn of(transfers: &[Transfer]) -> Vec<Self> {
        let mut entries: Vec<Self> = Vec::new();
        for transfer in transfers.iter().rev() {
            let data: Vec<&str> = transfer.classes().into_iter().map(DataClass::name).collect();
            let entry = Self {
                at: transfer.at.to_string(),
                destination: transfer.destination.to_string(),
                data: data.join("+"),
                verdict: verdict(transfer),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{DestinationId, Ground, Safeguards, Verdict};

    fn transfer(carried: Vec<Carried>) -> Transfer {
        Transfer {
            at: jiff::Timestamp::UNIX_EPOCH,
            call: None,
            destination: DestinationId::parse("anthropic").unwrap(),
            operator: "Anthropic, PBC".to_owned(),
            country: "US".to_owned(),
            carried,
            verdict: Verdict::Redacted,
            ground: Ground::Contract,
            rows: Vec::new(),
            safeguards: Safeguards::default(),
            bytes_sent: 1,
            bytes_received: 1,
            reported: Reported::default(),
            cost_nanos: 0,
        }
    }

    #[test]
    fn what_went_on_several_grounds_is_told_on_each() {
        let words = Carried { class: DataClass::Transcript, verdict: Verdict::Redacted, ground: Ground::Contract };
        let facts = Carried { class: DataClass::Knowledge, verdict: Verdict::Raw, ground: Ground::LegitimateInterest };
        let told = |carried| {
            let json = TransferJson::from(&transfer(carried));
            (json.data.join("+"), json.verdict, json.ground)
        };
        let of = |texts: [&str; 3]| texts.map(str::to_owned).into();
        assert_eq!(
            told(vec![words, facts]),
            of(["transcript+knowledge", "redacted+raw", "contract+legitimate-interest"])
        );
        let answer = Carried { class: DataClass::Reply, ..words };
        assert_eq!(told(vec![words, answer]), of(["transcript+reply", "redacted", "contract"]));
        assert_eq!(told(Vec::new()), of(["", "redacted", "contract"]), "what set the connection up");
        assert_eq!(EgressJson::of(&[transfer(vec![words, facts])])[0].verdict, "redacted+raw");
    }
}
