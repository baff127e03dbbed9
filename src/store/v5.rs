//! Version 5 of what stands on the disk: versions 1 to 4, with the places where a
//! call's sound might go as it ended. Frozen, as they are.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::residency::{Contract, Destination, DestinationId, Host, Safeguards};

/// A place as the policy described it.
#[derive(Serialize, Deserialize)]
pub(super) struct PlaceRow {
    id: String,
    operator: String,
    hosts: Vec<String>,
    country: String,
    on_site: bool,
    contract: Option<ContractRow>,
    training_opt_out: bool,
    zero_retention: bool,
    inference_region: Option<String>,
    pins: Vec<[u8; 32]>,
}

#[derive(Serialize, Deserialize)]
struct ContractRow {
    name: String,
    signed: Date,
}

impl PlaceRow {
    pub(super) fn of(place: &Destination) -> Self {
        let contract = place.contract.as_ref();
        Self {
            id: place.id.as_str().to_owned(),
            operator: place.operator.clone(),
            hosts: place.hosts.iter().map(ToString::to_string).collect(),
            country: place.country.clone(),
            on_site: place.on_site,
            contract: contract.map(|paper| ContractRow { name: paper.name.clone(), signed: paper.signed }),
            training_opt_out: place.safeguards.training_opt_out,
            zero_retention: place.safeguards.zero_retention,
            inference_region: place.safeguards.inference_region.clone(),
            pins: place.pins.clone(),
        }
    }

    /// None if it is damaged.
    pub(super) fn into_place(self) -> Option<Destination> {
        let hosts = self.hosts.iter().map(|host| Host::parse(host));
        Some(Destination {
            id: DestinationId::parse(&self.id).ok()?,
            hosts: hosts.collect::<Result<_, _>>().ok()?,
            operator: self.operator,
            country: self.country,
            on_site: self.on_site,
            contract: self.contract.map(|paper| Contract { name: paper.name, signed: paper.signed }),
            safeguards: Safeguards {
                training_opt_out: self.training_opt_out,
                zero_retention: self.zero_retention,
                inference_region: self.inference_region,
            },
            pins: self.pins,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_on_the_disk_reads_back_as_the_policy_described_it() {
        let cloud = Destination {
            id: DestinationId::parse("cloud").unwrap(),
            operator: "Cloud, Inc.".to_owned(),
            hosts: ["api.cloud.example", "eu.cloud.example:8443"].map(|host| Host::parse(host).unwrap()).to_vec(),
            country: "IE".to_owned(),
            on_site: false,
            contract: Some(Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards: Safeguards {
                training_opt_out: true,
                zero_retention: true,
                inference_region: Some("eu".to_owned()),
            },
            pins: vec![[7; 32]],
        };
        let own = Destination {
            on_site: true,
            contract: None,
            safeguards: Safeguards::default(),
            pins: Vec::new(),
            ..cloud.clone()
        };
        for place in [cloud.clone(), own] {
            let written = serde_json::to_string(&PlaceRow::of(&place)).unwrap();
            let read: PlaceRow = serde_json::from_str(&written).unwrap();
            assert_eq!(read.into_place(), Some(place));
        }
        // As the first box of this version wrote it.
        let pin = ["7"; 32].join(",");
        let kept = format!(
            r#"{{"id":"cloud","operator":"Cloud, Inc.","hosts":["api.cloud.example:443","eu.cloud.example:8443"],
            "country":"IE","on_site":false,"contract":{{"name":"DPA","signed":"2026-01-05"}},
            "training_opt_out":true,"zero_retention":true,"inference_region":"eu","pins":[[{pin}]]}}"#
        );
        assert_eq!(serde_json::from_str::<PlaceRow>(&kept).unwrap().into_place(), Some(cloud));
        let foreign = r#"{"id":"No name","operator":"","hosts":[],"country":"","on_site":false,"contract":null,
            "training_opt_out":false,"zero_retention":false,"inference_region":null,"pins":[]}"#;
        assert_eq!(serde_json::from_str::<PlaceRow>(foreign).unwrap().into_place(), None);
    }
}
