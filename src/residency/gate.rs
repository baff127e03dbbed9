use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::{
    AskedHost, CallerWish, CallerWishes, Carried, Cleared, DataClass, Decision, DestinationId, Host, Party, Payload,
    Policy, Redact, Verdict,
};

/// Decisions that a gate keeps. A call sends some eight classes to some four
/// destinations in one or two states of its caller's wishes; when there are
/// more, all are forgotten and asked for again.
const DECISIONS_MAX: usize = 64;

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
    redact: Arc<dyn Redact + Send + Sync>,
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

impl CallGate {
    pub fn new(policy: Arc<Policy>, redact: Arc<dyn Redact + Send + Sync>) -> Self {
        Self { redact, wishes: Mutex::default(), under: Mutex::new(Under { policy, decided: Vec::new() }) }
    }

    /// A gate through which nothing goes: for what the box does by itself.
    pub fn closed() -> Self {
        struct Everything;
        impl Redact for Everything {
            fn redact(&self, _text: &str) -> String {
                String::new()
            }
        }
        Self::new(Arc::new(Policy::nothing_leaves()), Arc::new(Everything))
    }

    pub fn wish(&self, wish: CallerWish) {
        let mut wishes = held(&self.wishes);
        *wishes = wishes.and(wish);
    }

    /// What this caller wishes, by now.
    pub fn wishes(&self) -> CallerWishes {
        *held(&self.wishes)
    }

    /// The policy that this call is under.
    pub fn policy(&self) -> Arc<Policy> {
        held(&self.under).policy.clone()
    }

    /// The host to ask there, by the policy that this call is under.
    pub fn host(&self, to: &DestinationId, asked: &AskedHost) -> Host {
        asked.at(self.policy().destination(to)).clone()
    }

    /// Whether that host is one of those to which the door would connect for it.
    pub fn has_host(&self, to: &DestinationId, asked: &AskedHost) -> bool {
        self.policy().destination(to).is_some_and(|known| known.hosts.contains(asked.at(Some(known))))
    }

    /// Takes a newer policy into a call that goes on. What it narrows holds from
    /// the next payload; nothing gets wider than when the call began.
    pub fn narrow_to(&self, newer: &Policy) {
        let both = Arc::new(Policy::in_common(&self.policy(), newer));
        *held(&self.under) = Under { policy: both, decided: Vec::new() };
    }

    /// What the policy says of data of these kinds together: the strictest.
    pub fn decide(&self, classes: &[DataClass], to: &DestinationId) -> Option<Decision> {
        self.decide_each(classes, to).into_iter().map(|(_, decision)| decision).reduce(Decision::and)
    }

    fn decide_each(&self, classes: &[DataClass], to: &DestinationId) -> Vec<(DataClass, Decision)> {
        let wishes = self.wishes();
        classes.iter().map(|class| (*class, self.decide_one(*class, to, wishes))).collect()
    }

    fn decide_one(&self, class: DataClass, to: &DestinationId, wishes: CallerWishes) -> Decision {
        let is_it = |kept: &&Kept| kept.class == class && kept.wishes == wishes && kept.to == *to;
        let policy = {
            let under = held(&self.under);
            if let Some(kept) = under.decided.iter().find(is_it) {
                return kept.decision.clone();
            }
            under.policy.clone()
        };
        let decision = policy.decide(class, to, wishes);
        let mut under = held(&self.under);
        // It may have been narrowed meanwhile; then this is not to be kept.
        if Arc::ptr_eq(&under.policy, &policy) {
            if under.decided.len() >= DECISIONS_MAX {
                under.decided.clear();
            }
            under.decided.push(Kept { class, to: to.clone(), wishes, decision: decision.clone() });
        }
        decision
    }

    /// Whether data of these kinds may go there now, in any form.
    pub fn may_go(&self, classes: &[DataClass], to: &DestinationId) -> bool {
        self.decide(classes, to).is_some_and(|d| d.verdict != Verdict::Local)
    }

    /// Clears `payload`, which holds data of `classes` and of no other kind. Words
    /// may hold identifiers besides: those that may not go as they are stay here
    /// even if the words may.
    pub fn clear<T: Payload>(
        &self,
        classes: &[DataClass],
        to: &DestinationId,
        payload: T,
    ) -> Result<Cleared<T>, Refused> {
        let class = classes.first().map_or("nothing", |c| c.name());
        let local = || Refused::Local { class, destination: to.clone() };
        let each = self.decide_each(classes, to);
        let together = each.iter().map(|(_, decision)| decision.clone()).reduce(Decision::and);
        let decision = together.ok_or_else(local)?;
        let are_words = classes.iter().any(|class| class.is_words());
        let payload = match decision.verdict {
            Verdict::Local => return Err(local()),
            Verdict::Raw if are_words => payload.redacted(&self.identifiers_to(to)),
            Verdict::Raw => Some(payload),
            Verdict::Redacted => payload.redacted(&*self.redact),
        };
        let payload = payload.ok_or_else(|| Refused::NotRedactable { class, destination: to.clone() })?;
        let carried = |(class, own): &(DataClass, Decision)| {
            let verdict = if class.is_words() { decision.verdict } else { own.verdict };
            Carried { class: *class, verdict, ground: own.ground }
        };
        Ok(Cleared::new(payload, to.clone(), each.iter().map(carried).collect(), &decision))
    }

    /// Takes out the identifiers that may not go there as they are.
    fn identifiers_to(&self, to: &DestinationId) -> But<'_> {
        let wishes = self.wishes();
        let is_raw = |class: &DataClass| self.decide_one(*class, to, wishes).verdict == Verdict::Raw;
        But { redact: &*self.redact, may_stay: DataClass::IN_WORDS.into_iter().filter(is_raw).collect() }
    }
}

/// Takes out all identifiers but some.
struct But<'a> {
    redact: &'a dyn Redact,
    may_stay: Vec<DataClass>,
}

impl Redact for But<'_> {
    fn redact(&self, text: &str) -> String {
        self.redact.redact_but(text, &self.may_stay)
    }

    fn redact_turns(&self, turns: &[(Party, &str)]) -> Vec<String> {
        self.redact.redact_turns_but(turns, &self.may_stay)
    }
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for CallGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallGate").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{Contract, Destination, Ground, Row, Safeguards};

    #[derive(Debug)]
    struct Words(&'static str);
    impl Payload for Words {
        fn redacted(self, redact: &dyn Redact) -> Option<Self> {
            redact.redact(self.0).is_empty().then_some(Self(""))
        }
    }

    #[derive(Debug)]
    struct Sound;
    impl Payload for Sound {
        fn redacted(self, _redact: &dyn Redact) -> Option<Self> {
            None
        }
    }

    struct Everything;
    impl Redact for Everything {
        fn redact(&self, _text: &str) -> String {
            String::new()
        }
    }

    fn id(name: &str) -> DestinationId {
        DestinationId::parse(name).unwrap()
    }

    fn gate(rows: &[(DataClass, Ground, Verdict)]) -> CallGate {
        gate_of(rows, Arc::new(Everything))
    }

    fn gate_of(rows: &[(DataClass, Ground, Verdict)], redact: Arc<dyn Redact + Send + Sync>) -> CallGate {
        let cloud = Destination {
            id: id("cloud"),
            operator: "Cloud, Inc.".to_owned(),
            hosts: Vec::new(),
            country: "US".to_owned(),
            on_site: false,
            contract: Some(Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        };
        let rows = rows.iter().enumerate().map(|(n, (class, ground, verdict))| Row {
            id: format!("row-{}", n + 1),
            class: *class,
            destination: id("cloud"),
            ground: *ground,
            verdict: *verdict,
        });
        CallGate::new(Arc::new(Policy::new(vec![cloud], rows.collect())), redact)
    }

    #[test]
    fn a_wish_takes_effect_with_the_next_payload() {
        let gate = gate(&[(DataClass::CallAudio, Ground::Consent, Verdict::Raw)]);
        let goes = || gate.clear(&[DataClass::CallAudio], &id("cloud"), Sound).is_ok();
        assert!(!goes());
        gate.wish(CallerWish::Consents);
        assert!(goes() && goes());
        gate.wish(CallerWish::Withdraws);
        assert!(!goes());
        gate.wish(CallerWish::Consents);
        gate.wish(CallerWish::Restricts);
        assert!(!goes());
    }

    #[test]
    fn a_caller_is_to_be_asked_only_where_a_consent_would_let_more_go() {
        let asks = |rows: &[(DataClass, Ground, Verdict)]| gate(rows).policy().rests_on_consent();
        let audio = DataClass::CallAudio;
        assert!(asks(&[(audio, Ground::Consent, Verdict::Raw)]));
        assert!(asks(&[(audio, Ground::Contract, Verdict::Redacted), (audio, Ground::Consent, Verdict::Raw)]));
        assert!(!asks(&[(audio, Ground::Contract, Verdict::Raw), (audio, Ground::Consent, Verdict::Raw)]));
        assert!(!asks(&[(audio, Ground::Consent, Verdict::Local)]));
        assert!(!asks(&[]));
    }

    #[test]
    fn a_payload_of_two_kinds_goes_as_the_stricter_kind_may_and_names_both_rows() {
        let rows = [
            (DataClass::Transcript, Ground::Contract, Verdict::Redacted),
            (DataClass::Knowledge, Ground::LegitimateInterest, Verdict::Raw),
        ];
        let gate = gate(&rows);
        let both = [DataClass::Knowledge, DataClass::Transcript];
        let cleared = gate.clear(&both, &id("cloud"), Words("my number is")).unwrap();
        assert_eq!(cleared.clearance().verdict(), Verdict::Redacted);
        assert_eq!(cleared.clearance().ground(), Ground::Contract);
        assert_eq!(cleared.clearance().rows(), ["row-1", "row-2"]);
        let of = |class, verdict, ground| Carried { class, verdict, ground };
        let facts = of(DataClass::Knowledge, Verdict::Raw, Ground::LegitimateInterest);
        let words = of(DataClass::Transcript, Verdict::Redacted, Ground::Contract);
        assert_eq!(cleared.clearance().carried(), [facts, words], "each on its own ground");
        assert_eq!(cleared.into_parts().0.0, "");
        gate.wish(CallerWish::Objects);
        let decision = gate.decide(&both, &id("cloud")).unwrap();
        assert_eq!((decision.verdict, decision.rows.len()), (Verdict::Local, 0));
    }

    #[test]
    fn words_of_which_one_kind_is_redacted_are_all_registered_so() {
        let gate = gate(&[
            (DataClass::Transcript, Ground::Contract, Verdict::Raw),
            (DataClass::Reply, Ground::VitalInterest, Verdict::Redacted),
        ]);
        let cleared = gate.clear(&[DataClass::Transcript, DataClass::Reply], &id("cloud"), Words("hm")).unwrap();
        let each: Vec<_> = cleared.clearance().carried().iter().map(|one| (one.verdict, one.ground)).collect();
        assert_eq!(each, [(Verdict::Redacted, Ground::Contract), (Verdict::Redacted, Ground::VitalInterest)]);
    }

    /// Words of which one is somebody's telephone number, one a card, one a PIN.
    #[derive(Debug)]
    struct Said(String);
    impl Payload for Said {
        fn redacted(self, redact: &dyn Redact) -> Option<Self> {
            let turns = redact.redact_turns(&[(Party::Caller, &self.0)]);
            assert_eq!(turns, [redact.redact(&self.0)]);
            Some(Self(redact.redact(&self.0)))
        }
    }

    struct ByWord;
    impl Redact for ByWord {
        fn redact(&self, text: &str) -> String {
            self.redact_but(text, &[])
        }
        fn redact_but(&self, text: &str, may_stay: &[DataClass]) -> String {
            [("phone", DataClass::Contact), ("card", DataClass::Payment), ("pin", DataClass::Credential)]
                .into_iter()
                .filter(|(_, class)| !may_stay.contains(class))
                .fold(text.to_owned(), |text, (word, _)| text.replace(word, "_"))
        }
        fn redact_turns_but(&self, turns: &[(Party, &str)], may_stay: &[DataClass]) -> Vec<String> {
            turns.iter().map(|(_, text)| self.redact_but(text, may_stay)).collect()
        }
    }

    #[test]
    fn what_may_not_go_as_it_is_stays_out_of_words_that_may() {
        let raw = |class| (class, Ground::Contract, Verdict::Raw);
        let said = |gate: &CallGate, class| {
            let cleared = gate.clear(&[class], &id("cloud"), Said("my phone card pin".to_owned())).unwrap();
            cleared.into_parts().0.0
        };
        let sent = |rows: &[(DataClass, Ground, Verdict)], class| said(&gate_of(rows, Arc::new(ByWord)), class);
        let (words, answer) = (raw(DataClass::Transcript), raw(DataClass::Reply));
        assert_eq!(sent(&[words], DataClass::Transcript), "my _ _ _");
        assert_eq!(sent(&[answer], DataClass::Reply), "my _ _ _");
        assert_eq!(sent(&[words, raw(DataClass::Contact)], DataClass::Transcript), "my phone _ _");
        let all = [words, raw(DataClass::Contact), raw(DataClass::Payment), raw(DataClass::Credential)];
        assert_eq!(sent(&all, DataClass::Transcript), "my phone _ _", "no row sends those as they are");
        let redacted = (DataClass::Contact, Ground::Contract, Verdict::Redacted);
        assert_eq!(sent(&[words, redacted], DataClass::Transcript), "my _ _ _");
        assert_eq!(sent(&[raw(DataClass::Knowledge)], DataClass::Knowledge), "my phone card pin", "its own facts");

        let on_consent = [words, (DataClass::Contact, Ground::Consent, Verdict::Raw)];
        let gate = gate_of(&on_consent, Arc::new(ByWord));
        assert_eq!(said(&gate, DataClass::Transcript), "my _ _ _");
        gate.wish(CallerWish::Consents);
        assert_eq!(said(&gate, DataClass::Transcript), "my phone _ _");
    }

    #[test]
    fn words_that_cannot_be_had_without_an_identifier_do_not_go_even_where_words_may() {
        struct Nobody;
        impl Redact for Nobody {
            fn redact(&self, text: &str) -> String {
                format!("not {text}")
            }
        }
        let gate = gate_of(&[(DataClass::Reply, Ground::Contract, Verdict::Raw)], Arc::new(Nobody));
        let refused = gate.clear(&[DataClass::Reply], &id("cloud"), Words("your number is")).unwrap_err();
        assert!(matches!(refused, Refused::NotRedactable { class: "reply", .. }));
    }

    #[test]
    fn sound_that_may_go_only_redacted_does_not_go() {
        let gate = gate(&[(DataClass::CallAudio, Ground::Contract, Verdict::Redacted)]);
        let refused = gate.clear(&[DataClass::CallAudio], &id("cloud"), Sound).unwrap_err();
        assert!(matches!(refused, Refused::NotRedactable { class: "call-audio", .. }));
    }

    #[test]
    fn a_payload_of_no_kind_and_a_closed_gate_let_nothing_through() {
        let gate = gate(&[(DataClass::CallAudio, Ground::Contract, Verdict::Raw)]);
        assert!(gate.clear(&[], &id("cloud"), Sound).is_err());
        assert!(CallGate::closed().clear(&[DataClass::Telemetry], &id("cloud"), Sound).is_err());
    }

    #[test]
    fn a_call_that_goes_on_gets_narrower_with_the_policy_and_never_wider() {
        let narrow = gate(&[(DataClass::Transcript, Ground::Contract, Verdict::Redacted)]).policy();
        let wide = gate(&[
            (DataClass::Transcript, Ground::Contract, Verdict::Raw),
            (DataClass::Reply, Ground::Contract, Verdict::Raw),
        ]);
        let verdict = |class| wide.decide(&[class], &id("cloud")).unwrap().verdict;
        assert_eq!([DataClass::Transcript, DataClass::Reply].map(verdict), [Verdict::Raw, Verdict::Raw]);
        let as_begun = wide.policy();
        wide.narrow_to(&narrow);
        assert_eq!([DataClass::Transcript, DataClass::Reply].map(verdict), [Verdict::Redacted, Verdict::Local]);
        wide.narrow_to(&as_begun);
        assert_eq!([DataClass::Transcript, DataClass::Reply].map(verdict), [Verdict::Redacted, Verdict::Local]);
    }

    #[test]
    fn what_is_kept_of_decisions_is_bounded_and_still_right() {
        let gate = gate(&[(DataClass::CallAudio, Ground::Contract, Verdict::Raw)]);
        for n in 0..3 * DECISIONS_MAX {
            assert!(!gate.may_go(&[DataClass::CallAudio], &id(&format!("nobody-{n}"))));
            assert!(gate.may_go(&[DataClass::CallAudio], &id("cloud")));
            assert!(held(&gate.under).decided.len() <= DECISIONS_MAX);
        }
    }
}
