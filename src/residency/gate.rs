use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::{Cleared, DataClass, Decision, DestinationId, Ground, Payload, Policy, Redact, Verdict};

/// What one caller has said of their data, or has on file. It overrides the
/// table, and only ever makes it stricter, consent apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallerWish {
    /// Yes to what rests on consent.
    Consents,
    /// No consent, or taken back.
    Withdraws,
    /// Against what rests on legitimate or public interest (NDPA s. 36, GDPR art. 21).
    Objects,
    /// Nothing of this caller leaves (NDPA s. 34, GDPR art. 18).
    Restricts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wishes {
    consents: bool,
    objects: bool,
    restricts: bool,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Refused {
    #[error("sending {class} to {destination}: the policy keeps it on the box")]
    Local { class: &'static str, destination: DestinationId },
    #[error("sending {class} to {destination}: it may go only without identifiers, and cannot be had so")]
    NotRedactable { class: &'static str, destination: DestinationId },
}

/// One call's way to a clearance: the policy, and what this caller wishes.
/// Shared by the call's engines; a wish takes effect with the next payload.
pub struct CallGate {
    policy: Arc<Policy>,
    redact: Arc<dyn Redact + Send + Sync>,
    /// Held for a copy.
    wishes: Mutex<Wishes>,
}

impl CallGate {
    pub fn new(policy: Arc<Policy>, redact: Arc<dyn Redact + Send + Sync>) -> Self {
        Self { policy, redact, wishes: Mutex::default() }
    }

    /// A gate through which nothing goes: for what the box does by itself.
    pub fn closed() -> Self {
        struct Everything;
        impl Redact for Everything {
            fn redact(&self, _text: &str) -> String {
                String::new()
            }
        }
        Self::new(Arc::new(Policy::new(Vec::new(), Vec::new())), Arc::new(Everything))
    }

    pub fn wish(&self, wish: CallerWish) {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        match wish {
            CallerWish::Consents => wishes.consents = true,
            CallerWish::Withdraws => wishes.consents = false,
            CallerWish::Objects => wishes.objects = true,
            CallerWish::Restricts => wishes.restricts = true,
        }
    }

    /// What the policy says of data of these kinds together: the strictest.
    pub fn decide(&self, classes: &[DataClass], to: &DestinationId) -> Option<Decision> {
        let wishes = *self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let permitted = |ground: Ground| match ground {
            _ if wishes.restricts => false,
            Ground::Consent => wishes.consents,
            Ground::LegitimateInterest | Ground::PublicInterest => !wishes.objects,
            Ground::Contract | Ground::LegalObligation | Ground::VitalInterest => true,
        };
        let decisions = classes.iter().map(|class| self.policy.decide(*class, to, &permitted));
        decisions.reduce(|mut one, mut other| {
            let mut rows = std::mem::take(&mut one.rows);
            rows.append(&mut other.rows);
            rows.dedup();
            let mut strictest = if other.verdict < one.verdict { other } else { one };
            strictest.rows = rows;
            strictest
        })
    }

    /// Whether data of these kinds may go there now, in any form.
    pub fn may_go(&self, classes: &[DataClass], to: &DestinationId) -> bool {
        self.decide(classes, to).is_some_and(|d| d.verdict != Verdict::Local)
    }

    /// Clears `payload`, which holds data of `classes` and of no other kind.
    pub fn clear<T: Payload>(
        &self,
        classes: &[DataClass],
        to: &DestinationId,
        payload: T,
    ) -> Result<Cleared<T>, Refused> {
        let class = classes.first().map_or("nothing", |c| c.name());
        let local = || Refused::Local { class, destination: to.clone() };
        let decision = self.decide(classes, to).ok_or_else(local)?;
        let payload = match decision.verdict {
            Verdict::Local => return Err(local()),
            Verdict::Raw => payload,
            Verdict::Redacted => payload
                .redacted(&*self.redact)
                .ok_or_else(|| Refused::NotRedactable { class, destination: to.clone() })?,
        };
        Ok(Cleared::new(payload, to.clone(), classes, &decision))
    }
}

impl std::fmt::Debug for CallGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallGate").finish_non_exhaustive()
    }
}
