//! Whether the engines outside the box can tell their operators what the policy
//! wants every request to tell. An engine that cannot is never used: the door lets
//! none of its requests out.

use super::OutsideError;
use crate::ops::{HealthFact, HealthState};
use crate::residency::{DestinationId, Policy, Safeguards};

/// Of the safeguards that a policy asks for, those that an engine's requests tell.
type Carries = Box<dyn Fn(&Safeguards) -> Safeguards + Send + Sync>;

/// One engine outside the box.
pub(super) struct Carrier {
    /// Of the configuration.
    section: &'static str,
    destination: DestinationId,
    carries: Carries,
}

impl Carrier {
    pub(super) fn new(
        section: &'static str,
        destination: &DestinationId,
        carries: impl Fn(&Safeguards) -> Safeguards + Send + Sync + 'static,
    ) -> Self {
        Self { section, destination: destination.clone(), carries: Box::new(carries) }
    }

    /// An engine whose protocol has no word for any safeguard.
    pub(super) fn mute(section: &'static str, destination: &DestinationId) -> Self {
        Self::new(section, destination, |_| Safeguards::default())
    }

    /// Whether its requests tell all that `policy` asks for.
    pub(super) fn check(&self, policy: &Policy) -> Result<(), OutsideError> {
        let Some(known) = policy.destination(&self.destination) else { return Ok(()) };
        let lacking = (self.carries)(&known.safeguards).lacking(&known.safeguards);
        if lacking.is_empty() {
            return Ok(());
        }
        let destination = self.destination.to_string();
        Err(OutsideError::Untold { section: self.section, destination, asked: lacking.join(" and ") })
    }
}

/// What `milu doctor` says of them.
pub(super) fn fact(carriers: &[Carrier], policy: &Policy) -> HealthFact {
    let untold: Vec<String> =
        carriers.iter().filter_map(|carrier| carrier.check(policy).err()).map(|error| error.to_string()).collect();
    let (state, sentence) = if untold.is_empty() {
        (HealthState::Well, "the engines outside can tell what the policy asks their requests to tell.".to_owned())
    } else {
        (HealthState::Impaired, format!("{}.", untold.join(". ")))
    };
    HealthFact { name: "safeguards".to_owned(), state, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{Contract, Destination, Host};
    use crate::speech::cloud::anthropic::AnthropicConfig;
    use crate::speech::cloud::deepgram::{Api, DeepgramConfig};
    use crate::speech::cloud::elevenlabs::ElevenLabsConfig;

    fn id() -> DestinationId {
        DestinationId::parse("cloud").unwrap()
    }

    fn asks(safeguards: Safeguards) -> Policy {
        let cloud = Destination {
            id: id(),
            operator: "Cloud, Inc.".to_owned(),
            hosts: Vec::new(),
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
        let host = Host::parse("api.example").unwrap();
        let deepgram = DeepgramConfig::new(id(), host.clone(), Api::V1, Default::default());
        let anthropic = AnthropicConfig::new(id(), host.clone(), Default::default());
        let elevenlabs = ElevenLabsConfig::new(id(), host, "voice".to_owned(), Default::default());
        [
            Carrier::new("deepgram", &id(), move |asked| deepgram.carries(asked)),
            Carrier::new("anthropic", &id(), move |asked| anthropic.carries(asked)),
            Carrier::new("elevenlabs", &id(), move |asked| elevenlabs.carries(asked)),
            Carrier::mute("openai", &id()),
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
    fn ears_in_a_region_of_their_own_tell_it_with_the_opt_out() {
        let host = Host::parse("api.eu.deepgram.com").unwrap();
        let ears = DeepgramConfig::new(id(), host, Api::V1, Default::default());
        let carrier = Carrier::new("deepgram", &id(), move |asked| ears.carries(asked));
        assert!(carrier.check(&asks(Safeguards { training_opt_out: true, ..region() })).is_ok());
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
