//! Version 1 of what stands on the disk. Frozen: these types and names belong to
//! the format, not to the program, and change only by a new version with a
//! migration. They convert from and to the nouns of `call`. What a later version
//! says otherwise stands there alone: gaps in version 3, journal kinds in version 4.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::call::{Engines, Latency, MediaFacts, Message, Outcome, Speaker};
use crate::residency::{DataClass, Ground, Verdict};
use crate::terms::{EndCause, InvalidPhoneNumber, PhoneNumber, Private};

/// A table of the names that stand for the variants of an enum on the disk.
macro_rules! names {
    ($to:ident, $from:ident, $kind:ty, { $($variant:ident = $name:literal),+ $(,)? }) => {
        pub(super) const fn $to(value: $kind) -> &'static str {
            match value { $(<$kind>::$variant => $name),+ }
        }

        pub(super) fn $from(name: &str) -> Option<$kind> {
            match name { $($name => Some(<$kind>::$variant),)+ _ => None }
        }
    };
}

pub(super) use names;

names!(outcome_name, outcome, Outcome, {
    Answered = "answered", Message = "message", Transferred = "transferred", Abandoned = "abandoned", Failed = "failed",
});

names!(speaker_name, speaker, Speaker, { Caller = "caller", Box = "box", Staff = "staff" });

names!(cause_name, cause, EndCause, {
    NormalClearing = "normal-clearing", UserBusy = "user-busy", NoAnswer = "no-answer", CallRejected = "call-rejected",
    UnallocatedNumber = "unallocated-number", InvalidNumberFormat = "invalid-number-format",
    NetworkOutOfOrder = "network-out-of-order", TemporaryFailure = "temporary-failure",
    SwitchingCongestion = "switching-congestion", IncompatibleDestination = "incompatible-destination",
    ProtocolError = "protocol-error", RecoveryOnTimerExpiry = "recovery-on-timer-expiry", Internal = "internal",
});

names!(class_name, class, DataClass, {
    CallAudio = "call-audio", Transcript = "transcript", Reply = "reply", Knowledge = "knowledge", Contact = "contact",
    Payment = "payment", Credential = "credential", Sensitive = "sensitive", Telemetry = "telemetry",
});

names!(verdict_name, verdict, Verdict, { Local = "local", Redacted = "redacted", Raw = "raw" });

names!(ground_name, ground, Ground, {
    Consent = "consent", Contract = "contract", LegalObligation = "legal-obligation",
    VitalInterest = "vital-interest", PublicInterest = "public-interest", LegitimateInterest = "legitimate-interest",
});

/// The part of a turn that is nobody's secret.
#[derive(Serialize, Deserialize)]
pub(super) struct TurnFacts {
    transcriber: Option<String>,
    responder: Option<String>,
    synthesizer: Option<String>,
    endpoint_ms: Option<u64>,
    transcribe_ms: Option<u64>,
    respond_first_ms: Option<u64>,
    synthesize_first_ms: Option<u64>,
    voice_to_voice_ms: Option<u64>,
}

impl TurnFacts {
    pub(super) fn of(engines: &Engines, latency: Latency) -> Self {
        Self {
            transcriber: engines.transcriber.clone(),
            responder: engines.responder.clone(),
            synthesizer: engines.synthesizer.clone(),
            endpoint_ms: latency.endpoint_ms,
            transcribe_ms: latency.transcribe_ms,
            respond_first_ms: latency.respond_first_ms,
            synthesize_first_ms: latency.synthesize_first_ms,
            voice_to_voice_ms: latency.voice_to_voice_ms,
        }
    }

    pub(super) fn into_parts(self) -> (Engines, Latency) {
        let engines =
            Engines { transcriber: self.transcriber, responder: self.responder, synthesizer: self.synthesizer };
        let latency = Latency {
            endpoint_ms: self.endpoint_ms,
            transcribe_ms: self.transcribe_ms,
            respond_first_ms: self.respond_first_ms,
            synthesize_first_ms: self.synthesize_first_ms,
            voice_to_voice_ms: self.voice_to_voice_ms,
        };
        (engines, latency)
    }
}

/// A message, as it is sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedMessage {
    name: Option<String>,
    callback: Option<String>,
    text: String,
    sound_from_ms: Option<u64>,
    sound_to_ms: Option<u64>,
}

impl SealedMessage {
    pub(super) fn of(message: &Message) -> Self {
        Self {
            name: message.name.as_ref().map(|name| name.expose().clone()),
            callback: message.callback.as_ref().map(|number| number.expose().to_owned()),
            text: message.text.expose().clone(),
            sound_from_ms: message.sound.map(|(from, _)| from),
            sound_to_ms: message.sound.map(|(_, to)| to),
        }
    }

    pub(super) fn into_message(self) -> Option<Message> {
        Some(Message {
            name: self.name.map(Private::new),
            callback: self.callback.as_deref().map(number).transpose().ok()?,
            text: Private::new(self.text),
            sound: self.sound_from_ms.zip(self.sound_to_ms),
        })
    }
}

impl SealedMessage {
    /// What can be read of it: a number that is none is left out.
    pub(super) fn into_message_at_least(self) -> Message {
        Message {
            name: self.name.map(Private::new),
            callback: self.callback.as_deref().and_then(|text| number(text).ok()),
            text: Private::new(self.text),
            sound: self.sound_from_ms.zip(self.sound_to_ms),
        }
    }
}

/// A number as it was written: complete, so no country code is needed.
pub(super) fn number(text: &str) -> Result<PhoneNumber, InvalidPhoneNumber> {
    PhoneNumber::parse(text, "")
}

#[derive(Serialize, Deserialize)]
pub(super) struct MediaRow {
    codec: Option<String>,
    packets_lost: u64,
    jitter_ms: f32,
    mos: Option<f32>,
}

impl MediaRow {
    pub(super) fn of(media: &MediaFacts) -> Self {
        Self {
            codec: media.codec.clone(),
            packets_lost: media.packets_lost,
            jitter_ms: media.jitter_ms,
            mos: media.mos,
        }
    }

    pub(super) fn into_media(self) -> MediaFacts {
        MediaFacts { codec: self.codec, packets_lost: self.packets_lost, jitter_ms: self.jitter_ms, mos: self.mos }
    }
}

/// SQLite's integers are signed; what does not fit is held at the largest.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The way back; a negative number was not written by us.
pub(super) fn natural(value: i64) -> Option<u64> {
    u64::try_from(value).ok()
}

pub(super) fn duration_ns(value: Duration) -> i64 {
    i64::try_from(value.as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_on_the_disk_reads_back_as_the_variant_it_stands_for() {
        for value in [Outcome::Answered, Outcome::Message, Outcome::Transferred, Outcome::Abandoned, Outcome::Failed] {
            assert_eq!(outcome(outcome_name(value)), Some(value));
        }
        for value in [EndCause::NormalClearing, EndCause::NoAnswer, EndCause::TemporaryFailure, EndCause::Internal] {
            assert_eq!(cause(cause_name(value)), Some(value));
        }
        assert_eq!(outcome("settled"), None);
    }

    #[test]
    fn a_message_survives_being_written_and_read() {
        let message = Message {
            name: Some(Private::new("Adaeze".to_owned())),
            callback: PhoneNumber::parse("08031234567", "234").ok(),
            text: Private::new("please ring me".to_owned()),
            sound: Some((4_000, 9_500)),
        };
        let text = serde_json::to_string(&SealedMessage::of(&message)).unwrap();
        let back: SealedMessage = serde_json::from_str(&text).unwrap();
        assert_eq!(back.into_message(), Some(message));
    }
}
