//! Rings a telephone of the business for a caller and joins the two. It decides
//! nothing of either: the call says when, and what becomes of it.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::line::sip::{RingError, RingOptions, SipCaller, SoundGoes};
use crate::line::{Leg, LegCommand, LegEvent, MediaClock, Mouth, ReadClock, Rhythm};
use crate::media::{Frame, RingingTone, SampleRate};
use crate::ops::Supervisor;
use crate::signalling::sip::Encoding;
use crate::terms::{CallId, EndCause, HandsetId, Moment, PhoneNumber};

use super::bridge::{Way, keep_ready};
use super::config::HandsetConfig;

/// Whom the telephone shows where the caller's number is not known.
const NO_NUMBER: &str = "anonymous";

/// The telephones of the business, and what rings them.
pub struct Reception {
    ringer: SipCaller,
    addresses: BTreeMap<HandsetId, String>,
}

#[derive(Debug, Error)]
enum CannotRing {
    #[error("ringing handset {0}: there is none of that name")]
    Unknown(HandsetId),
    #[error(transparent)]
    Ring(#[from] RingError),
}

impl CannotRing {
    const fn cause(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "there is none of that name",
            Self::Ring(RingError::Address { .. }) => "its address is none",
            Self::Ring(RingError::Transport { .. }) => "its transport is not spoken",
            Self::Ring(RingError::Host { .. } | RingError::NoHost { .. }) => "its host is not known",
            Self::Ring(RingError::Bind { .. }) => "no port for SIP",
            Self::Ring(RingError::Connect { .. }) => "no connection over TCP",
            Self::Ring(RingError::Rtp { .. }) => "no port for the sound",
        }
    }
}

/// Who is put through.
pub struct PutThrough {
    pub call: CallId,
    pub number: Option<PhoneNumber>,
    pub rate: SampleRate,
    pub rhythm: Rhythm,
}

impl Reception {
    /// None where the business has no telephone that is rung.
    pub fn new(handsets: &[HandsetConfig], clock: ReadClock, media_clock: MediaClock) -> Option<Arc<Self>> {
        let addresses: BTreeMap<_, _> =
            handsets.iter().map(|one| (one.handset.id.clone(), one.address.to_string())).collect();
        (!addresses.is_empty()).then(|| Arc::new(Self { ringer: SipCaller::new(clock, media_clock), addresses }))
    }

    /// Waits until all that it rang has been told goodbye.
    pub async fn close(&self) {
        self.ringer.finish().await;
    }

    /// Begins to ring for `rings` at most; what comes of it is told by and by.
    pub fn ring(
        self: &Arc<Self>,
        handset: &HandsetId,
        rings: Duration,
        who: &PutThrough,
        supervisor: &Supervisor,
    ) -> HandOver {
        let number = who.number.as_ref().map_or(NO_NUMBER, PhoneNumber::expose);
        let options = RingOptions {
            from_user: number.to_owned(),
            patience: rings,
            codecs: codecs(who.rate),
            sound: SoundGoes::OnSite,
            ..RingOptions::default()
        };
        let (rung, dialled) = oneshot::channel();
        let (reception, handset, call) = (self.clone(), handset.clone(), who.call);
        // In a task of its own: a telephone over TCP is connected to first, and the
        // call waits for nobody.
        drop(supervisor.spawn_passing("handset", async move {
            match reception.dial(&handset, options).await {
                // Where the call has let go meanwhile, dropping the leg takes the ringing back.
                Ok(leg) => drop(rung.send(leg)),
                // Its address may have somebody's name or number in it, and so do the sentences.
                Err(error) => {
                    let cause = error.cause();
                    tracing::warn!(%call, %handset, cause, "a person's telephone cannot be rung");
                }
            }
        }));
        let PutThrough { call, rate, rhythm, .. } = *who;
        let tone = RingingTone::new(rate);
        HandOver { call, rate, rhythm, tone, dialled: Some(dialled), leg: None, person_rate: None, ways: None }
    }

    async fn dial(&self, handset: &HandsetId, options: RingOptions) -> Result<Leg, CannotRing> {
        let address = self.addresses.get(handset).ok_or_else(|| CannotRing::Unknown(handset.clone()))?;
        Ok(self.ringer.ring(address, options).await?)
    }
}

/// The caller's own rate first: what need not be converted sounds best.
fn codecs(rate: SampleRate) -> Vec<Encoding> {
    match rate {
        SampleRate::Hz8000 => vec![Encoding::Pcma, Encoding::Pcmu, Encoding::G722],
        SampleRate::Hz16000 => vec![Encoding::G722, Encoding::Pcma, Encoding::Pcmu],
    }
}

/// A person who is being rung, or spoken to. Dropping it takes the ringing back or
/// hangs up.
pub struct HandOver {
    call: CallId,
    /// The caller's.
    rate: SampleRate,
    rhythm: Rhythm,
    tone: RingingTone,
    dialled: Option<oneshot::Receiver<Leg>>,
    leg: Option<Leg>,
    /// The person's, once they have answered.
    person_rate: Option<SampleRate>,
    ways: Option<Ways>,
}

/// Both directions, once they speak.
struct Ways {
    to_person: Way,
    to_caller: Way,
}

/// What happens at the person's telephone.
#[allow(clippy::large_enum_variant, reason = "a frame is passed on at once; a box for each would allocate every 20 ms")]
pub enum PersonEvent {
    Answered {
        at: Moment,
    },
    Gone {
        cause: EndCause,
    },
    Said(Frame),
    Played,
    /// Nothing that matters to anybody.
    Other,
}

impl HandOver {
    /// Waits for the next thing; for ever once the telephone is gone.
    pub async fn next(&mut self) -> PersonEvent {
        if let Some(dialled) = &mut self.dialled {
            let rung = dialled.await;
            self.dialled = None;
            match rung {
                Ok(leg) => self.leg = Some(leg),
                Err(_) => return PersonEvent::Gone { cause: EndCause::TemporaryFailure },
            }
        }
        let Some(leg) = &mut self.leg else { return pending().await };
        let event = tokio::select! {
            event = leg.events.recv() => event,
            Some(ear) = leg.ears.recv() => return PersonEvent::Said(ear.frame),
            Some(_) = leg.mouth.sent.recv() => return PersonEvent::Played,
            // Nobody asks how far a person was heard.
            Some(_) = leg.mouth.events.recv() => return PersonEvent::Other,
        };
        match event {
            Some(LegEvent::Answered { at, rate, .. }) => {
                self.person_rate = Some(rate);
                PersonEvent::Answered { at }
            }
            Some(LegEvent::Ended { cause, .. }) => self.gone(cause),
            Some(LegEvent::MediaLost { .. }) => self.gone(EndCause::TemporaryFailure),
            None => self.gone(EndCause::NetworkOutOfOrder),
            // Whoever is put on hold hears that by themselves, and no key of the person's
            // is meant for the caller.
            Some(LegEvent::Digit { .. } | LegEvent::Held { .. } | LegEvent::Resumed { .. }) => PersonEvent::Other,
        }
    }

    fn gone(&mut self, cause: EndCause) -> PersonEvent {
        self.leg = None;
        PersonEvent::Gone { cause }
    }

    /// From here on both hear each other.
    pub fn connect(&mut self, caller: &Mouth) {
        let (Some(leg), Some(person_rate)) = (&self.leg, self.person_rate) else { return };
        let rhythms = [self.rhythm, leg.rhythm];
        let mut to_person = Way::new(self.rate, person_rate, rhythms);
        let mut to_caller = Way::new(person_rate, self.rate, rhythms);
        to_person.begin(&leg.mouth);
        to_caller.begin(caller);
        self.ways = Some(Ways { to_person, to_caller });
    }

    /// The caller said this in 20 ms; it is heard if somebody has answered.
    pub fn caller_said(&mut self, frame: &Frame) {
        if let (Some(ways), Some(leg)) = (&mut self.ways, &self.leg) {
            ways.to_person.pass(frame, &leg.mouth);
        }
    }

    /// 20 ms were played to the caller: the person's voice goes on, or the ringing tone.
    pub fn caller_heard(&mut self, caller: &Mouth) {
        match &mut self.ways {
            Some(ways) => ways.to_caller.played(caller),
            None => keep_ready(caller, || self.tone.next_frame()),
        }
    }

    /// The person said this in 20 ms.
    pub fn person_said(&mut self, frame: &Frame, caller: &Mouth) {
        if let Some(ways) = &mut self.ways {
            ways.to_caller.pass(frame, caller);
        }
    }

    /// 20 ms were played to the person.
    pub fn person_heard(&mut self) {
        if let (Some(ways), Some(leg)) = (&mut self.ways, &self.leg) {
            ways.to_person.played(&leg.mouth);
        }
    }

    /// A key of the caller's, for the person.
    pub fn send_digit(&self, digit: char) {
        if let Some(leg) = &self.leg
            && leg.commands.try_send(LegCommand::SendDigit(digit)).is_err()
        {
            tracing::warn!(call = %self.call, "a person's telephone took no digit");
        }
    }

    /// The person is wanted no more.
    pub fn let_go(self) {
        let Some(Ways { to_person, to_caller }) = &self.ways else { return };
        let (there, back) = (to_person.counts(), to_caller.counts());
        tracing::info!(
            call = %self.call,
            late = there.late + back.late,
            ran_empty = there.ran_empty + back.ran_empty,
            dropped = there.dropped + back.dropped,
            "caller and person have spoken"
        );
    }
}

#[cfg(test)]
#[path = "put_through_tests.rs"]
mod tests;
