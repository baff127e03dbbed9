//! The desk takes offered calls from the lines and gives each a task of its
//! own. What one call does wrong costs that call alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::{mpsc, oneshot};

use crate::call::phrases::Recorded;
use crate::call::{Call, CallFacts, Consent, Ears, Engines, Handsets, Keeps, Texts};
use crate::knowledge::KeypadMenu;
use crate::line::{LegCommand, Offer};
use crate::ops::{Admitted, Ended, Stop, Supervisor, SystemClock};
use crate::residency::CallGate;
use crate::speech::failover::EarsChain;
use crate::speech::{CallSetting, Hints, Responder, Synthesizer, Transcriber};
use crate::store::{CallHeader, CallMemory, Vault};
use crate::terms::{CallId, EndCause};

use super::call_task::CallTask;
use super::listening::{Listening, Overheard};
use super::outside::Outside;
use super::put_through::Reception;
use super::renderings::Renderings;
use super::second_hearing::SecondHearings;
use super::texts::TextQueue;
use super::watch::Watch;

/// Offers waiting for the desk; a line refuses what does not fit.
pub const OFFERS: usize = 16;

/// Answers of one call's engines that wait to be read: the call has at most one
/// decode, one judgement and one question in flight, and what the ears tell unasked comes
/// about once a second.
const ENGINE_ANSWERS: usize = 16;

/// How long a caller is left to ring for a disk that stalls: less than the pause
/// between two rings.
const DISK_PATIENCE: Duration = Duration::from_secs(1);

/// What every call on this box shares.
pub struct Desk {
    pub business: Business,
    pub transcriber: Arc<dyn Transcriber>,
    pub responder: Arc<dyn Responder>,
    pub synthesizer: Arc<dyn Synthesizer>,
    pub renderings: Arc<Renderings>,
    /// None when no line sends text messages.
    pub texts: Option<Arc<TextQueue>>,
    /// None when no person can be rung.
    pub reception: Option<Arc<Reception>>,
    pub second_hearing: Option<Arc<SecondHearings>>,
    /// None on a box that sends nothing.
    pub outside: Option<Outside>,
    pub vault: Vault,
    pub watch: Watch,
    /// Who is heard through the monitor speaker.
    pub listening: Listening,
    pub clock: SystemClock,
    pub stop: Stop,
    pub grace: Duration,
    pub supervisor: Supervisor,
    pub random: SystemRandom,
    /// How many calls the box's own ears can listen to at once.
    pub heard_max: u32,
    /// Ears outside, if there are any, which take that load while they can.
    pub ears: Option<Arc<EarsChain>>,
    /// How many calls are listened to.
    pub heard_now: Arc<AtomicU32>,
}

/// What the telephony half of a small box carries: ears outside take the load.
const HEARD_OUTSIDE: u32 = 40;

/// What calls say of the business.
#[derive(Clone, Debug)]
pub struct Business {
    pub name: String,
    pub greeting: String,
    pub country_code: String,
    pub time_zone: jiff::tz::TimeZone,
    pub recorded: Recorded,
    pub menu: KeypadMenu,
    /// Who can be rung, and when.
    pub handsets: Handsets,
    pub hints: Hints,
}

/// A place at the ears, given back when the call is over.
pub struct EarsPlace(Arc<AtomicU32>);

impl Drop for EarsPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Desk {
    /// Takes calls until the box is told to stop and the lines are gone.
    pub async fn serve(self: Arc<Self>, mut offers: mpsc::Receiver<Offer>) {
        while let Some(offer) = offers.recv().await {
            match self.stop.admit() {
                Ok(admitted) => self.take(offer, admitted),
                Err(_) => refuse(&offer, EndCause::TemporaryFailure),
            }
        }
    }

    /// Each in a task of its own from the first on: a disk that stalls with one
    /// call's beginning must keep no other from the desk.
    fn take(self: &Arc<Self>, offer: Offer, admitted: Admitted) {
        let desk = self.clone();
        drop(self.supervisor.spawn_passing("call", async move {
            desk.answer(offer).await;
            drop(admitted);
        }));
    }

    async fn answer(&self, offer: Offer) {
        let Some(id) = self.new_id() else {
            tracing::error!("the system gave no random bytes; a call is refused");
            return refuse(&offer, EndCause::TemporaryFailure);
        };
        let gate = self.gate();
        let place = self.ears_place(&gate);
        let facts = self.facts(id, &offer, place.is_some(), &gate);
        let header =
            CallHeader { id, line: offer.line.clone(), from: offer.from.clone(), started_at: facts.started_at };
        let memory = self.begin_memory(header).await;
        // What is not kept is not promised, and nobody is told that it is recorded.
        let facts = if memory.is_some() { facts } else { facts.unkept() };
        self.watch.offered(id, &offer.line);
        if let (Some(texts), Some(caller), Texts::Possible) = (&self.texts, &offer.from, facts.texts) {
            texts.call_began(id, caller.clone());
        }
        let overheard = self.listening.call_began(id, &offer.line);
        let task = self.task(offer, facts, memory, overheard, place, gate);
        self.see_through(id, task).await;
    }

    /// The memory of a call; none where the disk is full, is broken or stalls:
    /// that must not leave callers unanswered.
    async fn begin_memory(&self, header: CallHeader) -> Option<CallMemory> {
        let call = header.id;
        let vault = self.vault.clone();
        let (begun, memory) = oneshot::channel();
        // In a task of its own, which sees a beginning that comes late to its end:
        // what it has begun is then closed at the next start, as after a crash.
        drop(self.supervisor.spawn_passing("call-memory", async move {
            if begun.send(vault.begin_call(&header).await).is_err() {
                tracing::warn!(%call, "the disk took a call too late; the next start gives it its end");
            }
        }));
        match tokio::time::timeout(DISK_PATIENCE, memory).await {
            Ok(Ok(Ok(memory))) => return Some(memory),
            Ok(Ok(Err(error))) => tracing::error!(%call, %error, "nothing of this call can be kept"),
            Ok(Err(_)) => tracing::error!(%call, "nothing of this call can be kept: its beginning broke off"),
            Err(_) => tracing::error!(%call, "the disk stalls: nothing of this call can be kept"),
        }
        None
    }

    /// Runs the call; a fault of ours in it ends that call alone.
    async fn see_through(&self, id: CallId, task: CallTask) {
        let (done, mut record) = mpsc::channel(1);
        let call = self.supervisor.spawn_passing("call-task", async move {
            if let Some(record) = task.run().await {
                // The desk waits for it; nobody else can have closed the channel.
                done.send(record).await.unwrap_or_default();
            }
        });
        let ended = call.ended().await;
        if let Some(texts) = &self.texts {
            texts.call_ended(id);
        }
        match record.recv().await {
            Some(record) => self.watch.ended(&record),
            None => {
                tracing::error!(call = %id, fault = matches!(ended, Ended::Panicked), "a call broke off");
            }
        }
    }

    fn new_id(&self) -> Option<CallId> {
        let mut random = [0; 10];
        self.random.fill(&mut random).ok()?;
        let ms = self.clock.wall().as_millisecond();
        Some(CallId::from_parts(u64::try_from(ms).unwrap_or(0), random))
    }

    /// What leaves the box on a call's behalf passes this.
    fn gate(&self) -> Arc<CallGate> {
        self.outside.as_ref().map_or_else(|| Arc::new(CallGate::closed()), |outside| outside.keeper.gate())
    }

    /// Whether the caller can be sent a text.
    fn texts_to(&self, offer: &Offer) -> Texts {
        match &offer.from {
            Some(from) if self.texts.is_some() && TextQueue::reaches(from) => Texts::Possible,
            _ => Texts::Impossible,
        }
    }

    /// With the uplink down, the budget spent or a policy that keeps the sound on the
    /// box, more calls than it can hear are better served by the keys.
    fn ears_place(&self, gate: &CallGate) -> Option<EarsPlace> {
        let outside = self.ears.as_ref().is_some_and(|ears| ears.hears_outside(gate));
        let most = if outside { self.heard_max.max(HEARD_OUTSIDE) } else { self.heard_max };
        let taken =
            self.heard_now.fetch_update(Ordering::AcqRel, Ordering::Acquire, |now| (now < most).then_some(now + 1));
        taken.ok().map(|_| EarsPlace(self.heard_now.clone()))
    }

    fn facts(&self, id: CallId, offer: &Offer, heard: bool, gate: &CallGate) -> CallFacts {
        CallFacts {
            id,
            line: offer.line.clone(),
            from: offer.from.clone(),
            offered_at: self.clock.now(),
            started_at: self.clock.wall(),
            business: self.business.name.clone(),
            greeting: self.business.greeting.clone(),
            country_code: self.business.country_code.clone(),
            recorded: self.business.recorded,
            texts: self.texts_to(offer),
            ears: if heard { Ears::Listening } else { Ears::KeypadOnly },
            keeps: Keeps::Promises,
            consent: if gate.policy().rests_on_consent() { Consent::Asked } else { Consent::NotNeeded },
            engines: Engines {
                transcriber: Some(self.transcriber.name().to_owned()),
                responder: Some(self.responder.name().to_owned()),
                synthesizer: Some(self.synthesizer.name().to_owned()),
            },
            menu: self.business.menu.clone(),
            handsets: self.business.handsets.clone(),
        }
    }

    fn task(
        &self,
        offer: Offer,
        facts: CallFacts,
        memory: Option<CallMemory>,
        overheard: Overheard,
        ears_place: Option<EarsPlace>,
        gate: Arc<CallGate>,
    ) -> CallTask {
        let (ears_in, ears_events) = mpsc::channel(ENGINE_ANSWERS);
        let (mind_in, mind_events) = mpsc::channel(ENGINE_ANSWERS);
        let (offered_at, caller) = (facts.offered_at, facts.from.clone());
        let setting = CallSetting { call: Some(facts.id), hints: self.business.hints.clone(), gate };
        let hearing = ears_place.is_some().then(|| self.transcriber.open(&setting, ears_in));
        CallTask {
            id: facts.id,
            call: Call::new(facts),
            leg: offer.leg,
            hearing,
            ears_place,
            ears_events,
            thinking: self.responder.open(&setting, mind_in),
            mind_events,
            synthesizer: self.synthesizer.clone(),
            setting,
            renderings: self.renderings.clone(),
            texts: self.texts.clone(),
            reception: self.reception.clone(),
            second_hearing: self.second_hearing.clone(),
            caller,
            memory,
            offered_at,
            time_zone: self.business.time_zone.clone(),
            watch: self.watch.clone(),
            overheard,
            clock: self.clock,
            stop: self.stop.clone(),
            grace: self.grace,
            supervisor: self.supervisor.clone(),
        }
    }
}

fn refuse(offer: &Offer, cause: EndCause) {
    if offer.leg.commands.try_send(LegCommand::Reject(cause)).is_err() {
        tracing::warn!("a refused call's line was already gone");
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
