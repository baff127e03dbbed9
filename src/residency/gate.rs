use std::sync::Arc;

use thiserror::Error;

use super::call_policy::CallPolicy;
use super::clearance::Lasts;
use super::{
    AskedHost, CallerWish, CallerWishes, Carried, Clearance, Cleared, DataClass, Decision, DestinationId, Host, Party,
    Payload, Policy, Redact, Verdict,
};

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
    call: Arc<CallPolicy>,
}

impl CallGate {
    pub fn new(policy: Arc<Policy>, redact: Arc<dyn Redact + Send + Sync>) -> Self {
        Self { redact, call: Arc::new(CallPolicy::new(policy)) }
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
        self.call.wish(wish);
    }

    /// What this caller wishes, by now.
    pub fn wishes(&self) -> CallerWishes {
        self.call.wishes()
    }

    /// The policy that this call is under.
    pub fn policy(&self) -> Arc<Policy> {
        self.call.policy()
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
        self.call.narrow_to(newer);
    }

    /// What the policy says of data of these kinds together: the strictest.
    pub fn decide(&self, classes: &[DataClass], to: &DestinationId) -> Option<Decision> {
        self.decide_each(classes, to).into_iter().map(|(_, decision)| decision).reduce(Decision::and)
    }

    fn decide_each(&self, classes: &[DataClass], to: &DestinationId) -> Vec<(DataClass, Decision)> {
        let wishes = self.wishes();
        classes.iter().map(|class| (*class, self.call.decide(*class, to, wishes))).collect()
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
        let may_stay = if decision.verdict == Verdict::Raw { self.may_stay_in(classes, to) } else { Vec::new() };
        let payload = match decision.verdict {
            Verdict::Local => return Err(local()),
            Verdict::Raw if are_words(classes) => {
                payload.redacted(&But { redact: &*self.redact, may_stay: may_stay.clone() })
            }
            Verdict::Raw => Some(payload),
            Verdict::Redacted => payload.redacted(&*self.redact),
        };
        let payload = payload.ok_or_else(|| Refused::NotRedactable { class, destination: to.clone() })?;
        let carried = |(class, own): &(DataClass, Decision)| {
            let verdict = if class.is_words() { decision.verdict } else { own.verdict };
            Carried { class: *class, verdict, ground: own.ground }
        };
        let carried: Vec<_> = each.iter().map(carried).collect();
        let of_classes = carried.iter().map(|one| (one.class, one.verdict));
        let needs = of_classes.chain(may_stay.into_iter().map(|class| (class, Verdict::Raw))).collect();
        let clearance = Clearance {
            destination: to.clone(),
            carried,
            verdict: decision.verdict,
            ground: decision.ground,
            rows: decision.rows,
            safeguards: decision.safeguards,
            lasts: Lasts { call: self.call.clone(), needs },
        };
        Ok(Cleared::new(payload, clearance))
    }

    /// The identifiers that may go there as they are, in data of these kinds.
    fn may_stay_in(&self, classes: &[DataClass], to: &DestinationId) -> Vec<DataClass> {
        let wishes = self.wishes();
        let is_raw = |class: &DataClass| self.call.verdict(*class, to, wishes) == Verdict::Raw;
        if are_words(classes) { DataClass::IN_WORDS.into_iter().filter(is_raw).collect() } else { Vec::new() }
    }
}

fn are_words(classes: &[DataClass]) -> bool {
    classes.iter().any(|class| class.is_words())
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

impl std::fmt::Debug for CallGate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallGate").finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(super) mod tests {
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

    pub fn cloud() -> Destination {
        Destination {
            id: id("cloud"),
            operator: "Cloud, Inc.".to_owned(),
            hosts: Vec::new(),
            country: "US".to_owned(),
            on_site: false,
            contract: Some(Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        }
    }

    fn gate_of(rows: &[(DataClass, Ground, Verdict)], redact: Arc<dyn Redact + Send + Sync>) -> CallGate {
        let rows = rows.iter().enumerate().map(|(n, (class, ground, verdict))| Row {
            id: format!("row-{}", n + 1),
            class: *class,
            destination: id("cloud"),
            ground: *ground,
            verdict: *verdict,
        });
        CallGate::new(Arc::new(Policy::new(vec![cloud()], rows.collect())), redact)
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
    fn a_leave_lapses_with_what_was_needed_for_it_and_with_nothing_else() {
        let rows = [
            (DataClass::Transcript, Ground::Contract, Verdict::Raw),
            (DataClass::Transcript, Ground::LegitimateInterest, Verdict::Raw),
            (DataClass::Contact, Ground::Consent, Verdict::Raw),
            (DataClass::Reply, Ground::LegitimateInterest, Verdict::Raw),
            (DataClass::Knowledge, Ground::LegitimateInterest, Verdict::Redacted),
        ];
        let words = |text: &str| Said(text.to_owned());
        let holds_after = |gate: &CallGate, class, wish| {
            let cleared = gate.clear(&[class], &id("cloud"), words("my phone")).unwrap();
            assert!(cleared.clearance().still_holds());
            gate.wish(wish);
            cleared.clearance().still_holds()
        };
        let new = || gate_of(&rows, Arc::new(ByWord));
        for (class, wish, holds) in [
            (DataClass::Transcript, CallerWish::Consents, true),
            (DataClass::Transcript, CallerWish::Withdraws, true),
            // On the contract they go still.
            (DataClass::Transcript, CallerWish::Objects, true),
            (DataClass::Reply, CallerWish::Objects, false),
            (DataClass::Knowledge, CallerWish::Objects, false),
            (DataClass::Transcript, CallerWish::Restricts, false),
        ] {
            assert_eq!(holds_after(&new(), class, wish), holds, "{class:?} after {wish:?}");
        }

        // The number went along as it is, which it may no more.
        let consenting = new();
        consenting.wish(CallerWish::Consents);
        assert!(!holds_after(&consenting, DataClass::Transcript, CallerWish::Withdraws));

        // What went without identifiers may still do so where it might have gone as it is.
        let gate = new();
        let redacted = gate_of(&[(DataClass::Transcript, Ground::Contract, Verdict::Redacted)], Arc::new(ByWord));
        let (raw, without) = [&gate, &redacted]
            .map(|gate| gate.clear(&[DataClass::Transcript], &id("cloud"), words("my phone")).unwrap())
            .into();
        for gate in [&gate, &redacted] {
            gate.narrow_to(&redacted.policy());
        }
        assert!(!raw.clearance().still_holds() && without.clearance().still_holds());

        // Facts of the page go as they are beside words that do not.
        let facts = |verdict| {
            let words = (DataClass::Transcript, Ground::Contract, Verdict::Redacted);
            gate_of(&[words, (DataClass::Knowledge, Ground::Contract, verdict)], Arc::new(ByWord))
        };
        let gate = facts(Verdict::Raw);
        let both = [DataClass::Knowledge, DataClass::Transcript];
        let cleared = gate.clear(&both, &id("cloud"), words("my phone")).unwrap();
        assert!(cleared.clearance().still_holds());
        gate.narrow_to(&facts(Verdict::Redacted).policy());
        assert!(!cleared.clearance().still_holds());
    }
}
