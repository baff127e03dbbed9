use super::clause;
use super::policy::Parts;
use super::widening::takes_a_pin_for_a_certificate;
use super::{Destination, Policy, Safeguards};

impl Policy {
    /// The policy that allows what `old` and `new` allow both, and nothing else:
    /// what is in force while a wider `new` is announced. It is spoken of in the
    /// rows of `new`.
    #[must_use]
    pub fn in_common(old: &Self, new: &Self) -> Self {
        let of_both = |n: &Destination| old.destination(&n.id).and_then(|o| place_in_common(o, n));
        let destinations: Vec<Destination> = new.destinations.iter().filter_map(of_both).collect();
        let mut clauses = clause::in_common(&old.clauses, &new.clauses);
        clauses.retain(|c| destinations.iter().any(|d| d.id == c.destination));
        let parts = Parts {
            destinations,
            rows: new.rows.clone(),
            notice_period_days: old.notice_period_days.max(new.notice_period_days),
            owner_keys: new.owner_keys.iter().copied().filter(|key| old.owner_keys.contains(key)).collect(),
            serial: old.serial.max(new.serial),
            text: new.text.clone(),
        };
        Self::with_clauses(parts, clauses)
    }
}

/// The destination as both describe it; none if they speak of different places.
fn place_in_common(old: &Destination, new: &Destination) -> Option<Destination> {
    let same = old.operator == new.operator && old.country == new.country && old.on_site == new.on_site;
    let hosts: Vec<_> = new.hosts.iter().filter(|host| old.hosts.contains(host)).cloned().collect();
    // A destination without hosts is one for tests; where there were some, one must stay.
    let reachable = !hosts.is_empty() || (old.hosts.is_empty() && new.hosts.is_empty());
    let pins: Vec<[u8; 32]> = match (&old.pins[..], &new.pins[..]) {
        ([], some) | (some, []) => some.to_vec(),
        (some, others) => others.iter().copied().filter(|pin| some.contains(pin)).collect(),
    };
    let none_fits = pins.is_empty() && !(old.pins.is_empty() && new.pins.is_empty());
    let safeguards = both_asked(&old.safeguards, &new.safeguards)?;
    // Neither what the one asks of a server nor what the other does is asked by both.
    let by_other_proof = takes_a_pin_for_a_certificate(old, new) || takes_a_pin_for_a_certificate(new, old);
    (same && reachable && !none_fits && !by_other_proof).then(|| Destination {
        hosts,
        pins,
        safeguards,
        contract: new.contract.clone().filter(|_| old.contract.is_some()),
        ..new.clone()
    })
}

/// Everything that either asks for; none if no request can carry it all.
fn both_asked(old: &Safeguards, new: &Safeguards) -> Option<Safeguards> {
    let inference_region = match (&old.inference_region, &new.inference_region) {
        (Some(one), Some(other)) if one != other => return None,
        (one, other) => other.clone().or_else(|| one.clone()),
    };
    Some(Safeguards {
        training_opt_out: old.training_opt_out || new.training_opt_out,
        zero_retention: old.zero_retention || new.zero_retention,
        inference_region,
    })
}
