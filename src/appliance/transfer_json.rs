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

/// What left the box because of a call, one entry for each destination, datum, verdict
/// and leave; the `egress` of a call.
#[derive(Serialize)]
pub struct EgressJson {
    /// When it began.
    at: String,
    destination: String,
    /// One class of data, or [`CONNECTION`] where nothing else went there.
    data: &'static str,
    /// One of `raw`, `redacted`, `local`.
    verdict: &'static str,
    policy: Vec<String>,
    /// What several data went in together counts with the first of them.
    bytes: u64,
}

/// What was sent to a destination before any data of the call, and nothing after it.
const CONNECTION: &str = "connection";

impl EgressJson {
    /// From a call's rows, the newest first as the store gives them.
    pub fn of(transfers: &[Transfer]) -> Vec<Self> {
        let (with_data, bare): (Vec<_>, Vec<_>) = transfers.iter().rev().partition(|one| !one.carried.is_empty());
        let mut entries: Vec<Self> = Vec::new();
        for transfer in with_data {
            let mut bytes = transfer.bytes_sent;
            for carried in &transfer.carried {
                let data = (carried.class.name(), carried.verdict.name());
                let entry = Self::new(transfer, data, std::mem::take(&mut bytes));
                match entries.iter_mut().find(|known| known.is_alike(&entry)) {
                    Some(known) => known.bytes += entry.bytes,
                    None => entries.push(entry),
                }
            }
        }
        for transfer in bare {
            let entry = Self::new(transfer, (CONNECTION, transfer.verdict.name()), transfer.bytes_sent);
            match entries.iter_mut().find(|known| known.destination == entry.destination) {
                Some(known) => known.bytes += entry.bytes,
                None => entries.push(entry),
            }
        }
        entries
    }

    fn new(transfer: &Transfer, (data, verdict): (&'static str, &'static str), bytes: u64) -> Self {
        Self {
            at: transfer.at.to_string(),
            destination: transfer.destination.to_string(),
            data,
            verdict,
            policy: transfer.rows.clone(),
            bytes,
        }
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
    }

    #[test]
    fn each_datum_of_a_call_has_an_entry_and_what_was_sent_counts_once() {
        let words = Carried { class: DataClass::Transcript, verdict: Verdict::Redacted, ground: Ground::Contract };
        let facts = Carried { class: DataClass::Knowledge, verdict: Verdict::Raw, ground: Ground::LegitimateInterest };
        let both = transfer(vec![words, facts]);
        let told = |transfers: &[Transfer]| -> Vec<(&str, &str, u64)> {
            EgressJson::of(transfers).iter().map(|entry| (entry.data, entry.verdict, entry.bytes)).collect()
        };
        let sent = both.bytes_sent;
        let twice = [transfer(Vec::new()), both.clone(), both];
        assert_eq!(told(&twice), [("transcript", "redacted", 3 * sent), ("knowledge", "raw", 0)]);
        assert_eq!(told(&twice[..1]), [(CONNECTION, "redacted", sent)], "nothing else went there");
    }
}
