//! Where the sound of a call might go as it ended, as a policy. It lets nothing go by
//! itself: what the policy in force lets go later is narrowed to it.

use crate::residency::{DataClass, Destination, Ground, Policy, Row, Verdict};

/// What ears are sent: the caller's sound, and the business's own words by which they hear
/// better. Of those no caller was told anything, so the policy in force alone decides.
const TO_EARS: [DataClass; 2] = [DataClass::CallAudio, DataClass::Knowledge];

/// The policy under which all that ears are sent may go to these places and nowhere else.
pub(super) fn policy_of(places: Vec<Destination>) -> Policy {
    let to_ears = |place: &Destination| {
        TO_EARS.map(|class| Row {
            id: format!("{}-{}", class.name(), place.id),
            class,
            destination: place.id.clone(),
            ground: Ground::Contract,
            verdict: Verdict::Raw,
        })
    };
    let rows: Vec<Row> = places.iter().flat_map(to_ears).collect();
    Policy::new(places, rows)
}
