//! Whether the policy has the engines outside the box with the hosts that they ask,
//! and they can tell their operators what it wants every request to tell. An engine
//! of which that is not so is never used: the door lets none of its requests out. Nor is one
//! in calls whose data stay on the box, which may be meant and is told all the same.

use super::OutsideError;
use crate::ops::{HealthFact, HealthState};
use crate::residency::{
    AskedHost, CallerWish, CallerWishes, DataClass, DestinationId, Host, Policy, Safeguards, Verdict,
};

/// Of the safeguards that a policy asks for, those that an engine's requests to a
/// host tell.
type Carries = Box<dyn Fn(&Host, &Safeguards) -> Safeguards + Send + Sync>;

/// One engine outside the box.
pub(super) struct Carrier {
    /// Of the configuration.
    section: &'static str,
    destination: DestinationId,
    host: AskedHost,
    /// What it must be sent to do its work.
    needs: &'static [DataClass],
    /// What it is sent for its fixed sentences, whether it does its work in calls or not.
    for_fixed: &'static [DataClass],
    carries: Carries,
}

impl Carrier {
    pub(super) fn new(
        section: &'static str,
        (destination, host): (DestinationId, AskedHost),
        needs: &'static [DataClass],
        carries: impl Fn(&Host, &Safeguards) -> Safeguards + Send + Sync + 'static,
    ) -> Self {
        Self { section, destination, host, needs, for_fixed: &[], carries: Box::new(carries) }
    }

    /// An engine whose protocol has no word for any safeguard.
    pub(super) fn mute(section: &'static str, place: (DestinationId, AskedHost), needs: &'static [DataClass]) -> Self {
        Self::new(section, place, needs, |_, _| Safeguards::default())
    }

    /// A voice in which the fixed sentences are kept too.
    pub(super) fn with_fixed(self, for_fixed: &'static [DataClass]) -> Self {
        Self { for_fixed, ..self }
    }

    /// Whether `policy` has its host, and its requests tell all that is asked for there.
    pub(super) fn check(&self, policy: &Policy) -> Result<(), OutsideError> {
        let (section, destination) = (self.section, self.destination.to_string());
        let Some(known) = policy.destination(&self.destination) else {
            return Err(OutsideError::NotInForce { section, destination });
        };
        let host = self.host.at(Some(known));
        if !known.hosts.contains(host) {
            return Err(OutsideError::ForeignHost { section, host: host.to_string(), destination });
        }
        let lacking = (self.carries)(host, &known.safeguards).lacking(&known.safeguards);
        if lacking.is_empty() {
            return Ok(());
        }
        Err(OutsideError::Untold { section, destination, asked: lacking.join(" and ") })
    }

    /// Says so where `policy` keeps a datum on the box, whatever the caller wishes, without
    /// which it cannot work in calls. That is no mistake: an owner may mean it, or wait with it.
    pub(super) fn kept(&self, policy: &Policy) -> Option<String> {
        let stays =
            |class: DataClass, wishes| policy.decide(class, &self.destination, wishes).verdict == Verdict::Local;
        // No wish lets more go than consent does.
        let widest = CallerWishes::default().and(CallerWish::Consents);
        let stay = self.needs.iter().filter(|class| stays(**class, widest));
        let stay: Vec<String> = stay.map(|class| format!("no {}", class.name())).collect();
        // The fixed sentences are of no call, and nobody wishes anything.
        let renders = self.for_fixed.iter().any(|class| !stays(*class, CallerWishes::default()));
        let asked = if renders { "is asked for the fixed sentences alone" } else { "is never asked" };
        let (section, destination) = (self.section, &self.destination);
        let what = stay.join(" and ");
        (!stay.is_empty()).then(|| format!("[{section}] {asked}: the policy sends {what} to `{destination}`"))
    }
}

/// What `milu doctor` says of them.
pub(super) fn fact(carriers: &[Carrier], policy: &Policy) -> HealthFact {
    let amiss: Vec<String> =
        carriers.iter().filter_map(|carrier| carrier.check(policy).err()).map(|error| error.to_string()).collect();
    let (state, sentence) = if amiss.is_empty() {
        let fine = "the engines outside have their hosts in the policy, and can tell what it asks of requests";
        let kept = carriers.iter().filter_map(|carrier| carrier.kept(policy));
        let all: Vec<String> = std::iter::once(fine.to_owned()).chain(kept).collect();
        (HealthState::Well, format!("{}.", all.join(". ")))
    } else {
        (HealthState::Impaired, format!("{}.", amiss.join(". ")))
    };
    HealthFact { name: "safeguards".to_owned(), state, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{Contract, Destination, Ground, Row};
    use crate::speech::cloud::anthropic::AnthropicConfig;
    use crate::speech::cloud::deepgram::DeepgramConfig;
    use crate::speech::cloud::elevenlabs::ElevenLabsConfig;

    fn id() -> DestinationId {
        DestinationId::parse("cloud").unwrap()
    }

    fn host(name: &str) -> Host {
        Host::parse(name).unwrap()
    }

    fn asks(safeguards: Safeguards) -> Policy {
        asks_at("api.example", safeguards)
    }

    fn asks_at(name: &str, safeguards: Safeguards) -> Policy {
        let cloud = Destination {
            id: id(),
            operator: "Cloud, Inc.".to_owned(),
            hosts: vec![host(name)],
            country: "IE".to_owned(),
            on_site: false,
            contract: Some(Contract { name: "DPA".to_owned(), signed: jiff::civil::date(2026, 1, 5) }),
            safeguards,
            pins: Vec::new(),
        };
        Policy::new(vec![cloud], Vec::new())
    }

    fn training() -> Safeguards {
        Safeguards { training_opt_out: true, ..Safeguards::default() }
    }

    fn retention() -> Safeguards {
        Safeguards { zero_retention: true, ..Safeguards::default() }
    }

    fn region() -> Safeguards {
        Safeguards { inference_region: Some("eu".to_owned()), ..Safeguards::default() }
    }

    fn carriers() -> [Carrier; 4] {
        let named = || (id(), AskedHost::Named(host("api.example")));
        let anthropic = AnthropicConfig::new(id(), host("api.example"), Default::default());
        let elevenlabs = ElevenLabsConfig::new(id(), host("api.example"), "voice".to_owned(), Default::default());
        [
            Carrier::new("deepgram", named(), &[], DeepgramConfig::carries),
            Carrier::new("anthropic", named(), &[], move |_, asked| anthropic.carries(asked)),
            Carrier::new("elevenlabs", named(), &[], move |_, asked| elevenlabs.carries(asked)),
            Carrier::mute("openai", named(), &[]),
        ]
    }

    #[test]
    fn each_engine_is_asked_for_what_its_protocol_has_a_word_for_and_for_nothing_else() {
        for (asked, tell) in [
            (Safeguards::default(), vec!["deepgram", "anthropic", "elevenlabs", "openai"]),
            (training(), vec!["deepgram"]),
            (region(), vec!["anthropic"]),
            (retention(), vec!["elevenlabs"]),
            (Safeguards { zero_retention: true, ..training() }, vec![]),
        ] {
            let policy = asks(asked);
            let can: Vec<&str> =
                carriers().iter().filter(|carrier| carrier.check(&policy).is_ok()).map(|c| c.section).collect();
            assert_eq!(can, tell);
        }
    }

    #[test]
    fn ears_in_a_region_of_their_own_tell_it_and_the_opt_out_with_it() {
        let eu = "api.eu.deepgram.com";
        let ears = Carrier::new("deepgram", (id(), AskedHost::First(host(eu))), &[], DeepgramConfig::carries);
        let both = || Safeguards { training_opt_out: true, ..region() };
        assert!(ears.check(&asks_at(eu, both())).is_ok() && ears.check(&asks_at(eu, region())).is_ok());
        // They ask whichever host the policy has now, and that is no region of Europe.
        let moved = ears.check(&asks_at("api.deepgram.com", both()));
        assert!(matches!(moved, Err(OutsideError::Untold { .. })), "{moved:?}");
    }

    #[test]
    fn an_engine_whose_host_or_destination_has_left_the_policy_is_named_with_what_to_do() {
        let of = |asked| [Carrier::mute("openai", (id(), asked), &[])];
        let (named, first) = (of(AskedHost::Named(host("api.example"))), of(AskedHost::First(host("api.example"))));
        let moved = asks_at("new.example", Safeguards::default());
        assert_eq!(fact(&first, &moved).state, HealthState::Well, "it asks the new one");
        for (carriers, policy, words) in [
            (&named, moved, ["[openai]: `api.example:443` is none of the hosts", "name one that is, or no `host`"]),
            (&first, Policy::nothing_leaves(), ["[openai]: the residency policy in force has no", "add it there, or"]),
        ] {
            let told = fact(carriers, &policy);
            assert_eq!(told.state, HealthState::Impaired);
            assert!(words.iter().all(|words| told.sentence.contains(*words)), "{}", told.sentence);
        }
    }

    #[test]
    fn an_engine_whose_data_stay_is_well_and_said_to_be_never_asked() {
        let row = |class, ground, verdict| Row {
            id: format!("row-{}", DataClass::name(class)),
            class,
            destination: id(),
            ground,
            verdict,
        };
        let told = |rows: Vec<Row>| {
            let policy = Policy::new(asks(Safeguards::default()).destinations().to_vec(), rows);
            let needs = &[DataClass::Transcript, DataClass::Reply, DataClass::Knowledge];
            let fact = fact(&[Carrier::mute("openai", (id(), AskedHost::First(host("api.example"))), needs)], &policy);
            assert_eq!(fact.state, HealthState::Well, "{}", fact.sentence);
            fact.sentence
        };
        let words = row(DataClass::Transcript, Ground::Consent, Verdict::Redacted);
        let answer = row(DataClass::Reply, Ground::LegitimateInterest, Verdict::Raw);
        let facts = |verdict| row(DataClass::Knowledge, Ground::Contract, verdict);
        let sentence = told(vec![words.clone(), facts(Verdict::Local)]);
        let kept = "[openai] is never asked: the policy sends no reply and no knowledge to `cloud`.";
        assert!(sentence.ends_with(kept), "{sentence}");
        // Who consents and does not object has it asked.
        let sentence = told(vec![words, answer, facts(Verdict::Raw)]);
        assert!(!sentence.contains("never asked"), "{sentence}");
    }

    #[test]
    fn a_voice_that_is_sent_the_fixed_sentences_is_not_said_to_be_never_asked() {
        let place = (id(), AskedHost::First(host("api.example")));
        let voice = Carrier::mute("wyoming_voice", place, &[DataClass::Reply]).with_fixed(&[DataClass::Knowledge]);
        let row = |class| Row {
            id: format!("row-{}", DataClass::name(class)),
            class,
            destination: id(),
            ground: Ground::Contract,
            verdict: Verdict::Raw,
        };
        let told = |rows| voice.kept(&Policy::new(asks(Safeguards::default()).destinations().to_vec(), rows));
        let (knowledge, reply) = (row(DataClass::Knowledge), row(DataClass::Reply));
        let [nothing, fixed, both] = [vec![], vec![knowledge.clone()], vec![knowledge, reply]].map(told);
        let why = "the policy sends no reply to `cloud`";
        assert_eq!(nothing, Some(format!("[wyoming_voice] is never asked: {why}")));
        assert_eq!(fixed, Some(format!("[wyoming_voice] is asked for the fixed sentences alone: {why}")));
        assert_eq!(both, None);
    }

    #[test]
    fn what_cannot_be_told_is_named_with_its_section() {
        let policy = asks(Safeguards { zero_retention: true, ..training() });
        let told = fact(&carriers(), &policy);
        assert_eq!(told.state, HealthState::Impaired);
        for words in ["[openai]", "training_opt_out and zero_retention", "[deepgram]: the policy asks zero_retention "]
        {
            assert!(told.sentence.contains(words), "{words}: {}", told.sentence);
        }
        assert_eq!(fact(&carriers(), &asks(Safeguards::default())).state, HealthState::Well);
    }
}
