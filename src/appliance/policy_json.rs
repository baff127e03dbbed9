//! What the policy says, as the outside sees it.

use serde::Serialize;

use crate::residency::{CallerWishes, DataClass, Destination, DestinationId, Policy, Safeguards, Verdict};

/// A decision with its reasons; the JSON of `milu policy explain`.
#[derive(Serialize)]
pub struct ExplanationJson {
    data: &'static str,
    to: String,
    caller: WishesJson,
    verdict: &'static str,
    rows: Vec<String>,
    /// None for what stays.
    ground: Option<&'static str>,
    /// None where the policy knows no such place.
    destination: Option<DestinationJson>,
    sentence: String,
}

#[derive(Serialize)]
struct WishesJson {
    consents: bool,
    objects: bool,
    restricts: bool,
}

/// A place where data may go.
#[derive(Serialize)]
pub struct DestinationJson {
    id: String,
    operator: String,
    hosts: Vec<String>,
    country: String,
    on_site: bool,
    contract: Option<ContractJson>,
    safeguards: SafeguardsJson,
    /// How many keys it may show; none leaves it to the public roots.
    pins: usize,
}

#[derive(Serialize)]
struct ContractJson {
    name: String,
    signed: String,
}

#[derive(Serialize)]
pub(super) struct SafeguardsJson {
    training_opt_out: bool,
    zero_retention: bool,
    inference_region: Option<String>,
}

impl ExplanationJson {
    /// Why a datum of this kind may or may not go there.
    pub fn of(policy: &Policy, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Self {
        let explained = policy.explain(class, to, wishes);
        let decision = explained.decision;
        Self {
            data: class.name(),
            to: to.to_string(),
            caller: WishesJson { consents: wishes.consents, objects: wishes.objects, restricts: wishes.restricts },
            verdict: decision.verdict.name(),
            ground: (decision.verdict != Verdict::Local).then(|| decision.ground.name()),
            rows: decision.rows,
            destination: policy.destination(to).map(DestinationJson::from),
            sentence: explained.sentence,
        }
    }
}

impl From<&Destination> for DestinationJson {
    fn from(destination: &Destination) -> Self {
        let contract = destination.contract.as_ref();
        Self {
            id: destination.id.to_string(),
            operator: destination.operator.clone(),
            hosts: destination.hosts.iter().map(ToString::to_string).collect(),
            country: destination.country.clone(),
            on_site: destination.on_site,
            contract: contract.map(|c| ContractJson { name: c.name.clone(), signed: c.signed.to_string() }),
            safeguards: SafeguardsJson::from(&destination.safeguards),
            pins: destination.pins.len(),
        }
    }
}

impl From<&Safeguards> for SafeguardsJson {
    fn from(safeguards: &Safeguards) -> Self {
        Self {
            training_opt_out: safeguards.training_opt_out,
            zero_retention: safeguards.zero_retention,
            inference_region: safeguards.inference_region.clone(),
        }
    }
}
