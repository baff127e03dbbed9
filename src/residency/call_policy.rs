use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CallerWish, CallerWishes, DataClass, Decision, DestinationId, Policy, Verdict};

/// Decisions that are kept. A call sends some eight classes to some four
/// destinations in one or two states of its caller's wishes; when there are
/// more, all are forgotten and asked for again.
const DECISIONS_MAX: usize = 64;

/// The policy as it holds for one call: what its caller wishes is heeded, and it only
/// gets narrower. Shared by the call's gate and the leaves that this gave, which ask
/// it once more when time has passed.
pub(super) struct CallPolicy {
    /// Held for a copy.
    wishes: Mutex<CallerWishes>,
    /// Held for a look, never while the policy is asked.
    under: Mutex<Under>,
}

/// The policy that the call is under, and what it decided. Fifty frames of sound
/// a second ask the same.
struct Under {
    policy: Arc<Policy>,
    decided: Vec<Kept>,
}

struct Kept {
    class: DataClass,
    to: DestinationId,
    wishes: CallerWishes,
    decision: Decision,
}

impl CallPolicy {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        Self { wishes: Mutex::default(), under: Mutex::new(Under { policy, decided: Vec::new() }) }
    }

    pub(super) fn wish(&self, wish: CallerWish) {
        let mut wishes = held(&self.wishes);
        *wishes = wishes.and(wish);
    }

    pub(super) fn wishes(&self) -> CallerWishes {
        *held(&self.wishes)
    }

    pub(super) fn policy(&self) -> Arc<Policy> {
        held(&self.under).policy.clone()
    }

    pub(super) fn narrow_to(&self, newer: &Policy) {
        let both = Arc::new(Policy::in_common(&self.policy(), newer));
        *held(&self.under) = Under { policy: both, decided: Vec::new() };
    }

    /// For a caller of these wishes: several classes may be asked for under the same.
    pub(super) fn decide(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Decision {
        self.of_decision(class, to, wishes, Decision::clone)
    }

    /// As [`CallPolicy::decide`], without a copy of what else was decided: each frame of
    /// sound asks for this alone.
    pub(super) fn verdict(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Verdict {
        self.of_decision(class, to, wishes, |decision| decision.verdict)
    }

    fn of_decision<T>(
        &self,
        class: DataClass,
        to: &DestinationId,
        wishes: CallerWishes,
        part: impl Fn(&Decision) -> T,
    ) -> T {
        let is_it = |kept: &&Kept| kept.class == class && kept.wishes == wishes && kept.to == *to;
        let policy = {
            let under = held(&self.under);
            if let Some(kept) = under.decided.iter().find(is_it) {
                return part(&kept.decision);
            }
            under.policy.clone()
        };
        let decision = policy.decide(class, to, wishes);
        let asked_for = part(&decision);
        let mut under = held(&self.under);
        // It may have been narrowed meanwhile; then this is not to be kept.
        if Arc::ptr_eq(&under.policy, &policy) {
            if under.decided.len() >= DECISIONS_MAX {
                under.decided.clear();
            }
            under.decided.push(Kept { class, to: to.clone(), wishes, decision });
        }
        asked_for
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for CallPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallPolicy").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::gate::tests::cloud;
    use crate::residency::{Ground, Row};

    #[test]
    fn what_is_kept_of_decisions_is_bounded_and_still_right() {
        let id = |name: &str| DestinationId::parse(name).unwrap();
        let (class, to) = (DataClass::CallAudio, id("cloud"));
        let row = Row {
            id: "row-1".to_owned(),
            class,
            destination: to.clone(),
            ground: Ground::Contract,
            verdict: Verdict::Raw,
        };
        let call = CallPolicy::new(Arc::new(Policy::new(vec![cloud()], vec![row])));
        let verdict = |to: &DestinationId| call.verdict(class, to, CallerWishes::default());
        for n in 0..3 * DECISIONS_MAX {
            assert_eq!(verdict(&id(&format!("nobody-{n}"))), Verdict::Local);
            assert_eq!(verdict(&to), Verdict::Raw);
            assert!(held(&call.under).decided.len() <= DECISIONS_MAX);
        }
    }
}
