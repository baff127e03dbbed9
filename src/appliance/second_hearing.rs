//! Calls that were heard on the box alone while better ears could not be had are
//! heard again later: a queue on the disk, and one task that works through it
//! while nobody is on the line. What was said and done in the call stays as it
//! was; the second hearing stands beside it.

mod allowed_then;
mod rest;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;

use super::outside::{OutsideEars, PolicyKeeper};
use crate::call::{CallRecord, Speaker, Turn, Wish};
use crate::egress::Room;
use crate::media::{Conversion, FRAME_MS, Frame, Resampler, SampleRate};
use crate::ops::{HealthFact, HealthState, Stop, SystemClock};
use crate::privacy::{Redactor, Side, Spoken};
use crate::residency::{CallGate, CallerWish, Destination};
use crate::speech::{CallSetting, EarsEvent, Hearing, Hints};
use crate::store::{HearAgain, HearingFault, IndexError, Leg, ReadError, SecondHearing, Vault, Waiting};
use crate::terms::{CallId, Moment, Private, RequestId};
use allowed_then::policy_of;
use rest::{LONGEST_WAIT, wait_after};
pub use rest::{Rest, TiredEars};

/// An outage that has just ended may come back; nothing is urgent here.
const DUE_AFTER: Duration = Duration::from_secs(60);

/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(20);

/// While the day's budget has no room, how long a call waits before it is asked
/// again: a budget is made larger by midnight or by an owner, and neither hurries.
const BUDGET_WAIT: Duration = Duration::from_secs(15 * 60);

/// After so many failures of the disk the record stays as it is, a day and a half of
/// tries: what is damaged would be read for ever.
const DISK_TRIES_MAX: u32 = 12;

/// After so many tries with ears that heard other calls meanwhile and failed on this one,
/// it is the call: a link that comes and goes seldom fails it so often and bears the others.
/// Ears that hear nothing give no call up: they may be cut off for weeks, and the wait
/// between two tries bounds what these cost.
const EARS_TRIES_MAX: u32 = 6;

/// Of one turn; what ears take at once.
const LONGEST_TURN_MS: u64 = 30_000;

/// From a turn's sound to its words.
const WORDS_WITHIN: Duration = Duration::from_secs(15);

/// Twenty milliseconds of sound go out every five: four times as fast as they
/// were spoken, which providers take and a metered line bears.
const FRAME_EVERY: Duration = Duration::from_millis(5);

/// Answers of ears that are asked once.
const ANSWERS: usize = 8;

/// Hears calls again with the ears outside the box.
pub struct SecondHearings {
    pub ears: Vec<OutsideEars>,
    /// The name of the ears whose words are worth another hearing.
    pub own_ears: &'static str,
    pub keeper: Arc<PolicyKeeper>,
    pub hints: Hints,
    pub vault: Vault,
    pub clock: SystemClock,
    pub stop: Stop,
    pub rest: Rest,
    pub tired: TiredEars,
    pub begun: Begun,
}

/// Why a call was not heard again this time.
enum NotYet {
    /// Somebody is on the line, whose own sound goes first, or the box stops.
    Caller,
    /// The ears failed.
    Ears,
    /// No ears may be sent it now that might be sent it as it ended.
    Policy,
    /// What is left of the day's budget is for callers.
    Budget,
    /// The ears that had room failed, and others have room on another day.
    EarsBesideBudget,
    /// It could not be read now, or the words could not be kept.
    Disk,
    /// It cannot be read any more: there is nothing to hear.
    Gone,
}

/// What was heard of a call before something came between: it is not sent and paid for
/// twice. Of one call, the last that was begun: most often the queue gives it next.
#[derive(Default)]
pub struct Begun {
    /// Held for moments.
    held: Mutex<Option<(CallId, Vec<SecondHearing>)>>,
}

impl Begun {
    /// A call of which nothing was heard does not take the place of another.
    fn keep(&self, call: CallId, heard: Vec<SecondHearing>) {
        if !heard.is_empty() {
            *self.held() = Some((call, heard));
        }
    }

    fn take(&self, call: CallId) -> Vec<SecondHearing> {
        let begun = self.held().take_if(|(of, _)| *of == call);
        begun.map(|(_, heard)| heard).unwrap_or_default()
    }

    fn call(&self) -> Option<CallId> {
        self.held().as_ref().map(|(call, _)| *call)
    }

    /// A poisoned lock still holds whole turns.
    fn held(&self) -> MutexGuard<'_, Option<(CallId, Vec<SecondHearing>)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SecondHearings {
    /// How a call is to be heard again that the box's own ears heard for want of better
    /// ones. Where its sound was not to go as it ended, it is not sent later either,
    /// whatever the policy is then: nobody told its caller so.
    pub fn to_hear_again(&self, record: &CallRecord, gate: &CallGate) -> Option<HearAgain> {
        let places: Vec<Destination> = self.ears.iter().filter_map(|ears| ears.place(gate)).collect();
        let is_due = !places.is_empty() && is_worth_it(record, self.own_ears);
        is_due.then(|| HearAgain { due_at: later(self.clock.wall(), DUE_AFTER), places })
    }

    /// Works through the queue until the box stops.
    pub async fn run(self: Arc<Self>) {
        while !self.stop.is_asked() {
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = self.stop.asked() => return,
            }
            self.forget_gone().await;
            while self.stop.callers() == 0 && !self.stop.is_asked() && self.one().await {}
        }
    }

    /// The queue need not give a call again of which something was heard: it may have
    /// been erased, and then its words are kept nowhere.
    async fn forget_gone(&self) {
        let Some(call) = self.begun.call() else { return };
        if let Err(error) = self.vault.show(call).await
            && is_gone(&error)
        {
            drop(self.begun.take(call));
        }
    }

    /// Hears one call again; false when there is none, or it did not work.
    async fn one(&self) -> bool {
        if self.rest.holds(self.clock.now()) {
            return false;
        }
        let now = self.clock.wall();
        let waiting = match self.vault.next_to_hear_again(now).await {
            Ok(Some(waiting)) => waiting,
            Ok(None) => return false,
            Err(error) => {
                tracing::warn!(%error, "the queue of second hearings could not be read");
                return false;
            }
        };
        let Waiting { call, tries, disk_tries, ears_tries, others_heard, places } = waiting;
        if let Some(rest) = places.as_ref().and_then(|places| self.tired.rest(places, self.clock.now())) {
            let written = self.vault.put_off_hearing(call, later(now, rest)).await;
            return self.written(call, written.map(|()| true));
        }
        let mut heard = self.begun.take(call);
        let done = match self.hear(call, places.clone(), &mut heard).await {
            Ok(()) => self.keep(call, &heard).await,
            Err(not_yet) => Err(not_yet),
        };
        let stays = match done {
            Ok(()) | Err(NotYet::Gone) => false,
            Err(NotYet::Caller | NotYet::Policy | NotYet::Budget | NotYet::EarsBesideBudget) => true,
            Err(NotYet::Ears) => !others_heard || ears_tries + 1 < EARS_TRIES_MAX,
            Err(NotYet::Disk) => disk_tries < DISK_TRIES_MAX,
        };
        match (&done, &places) {
            // Where they heard others since, it is the call that fails.
            (Err(NotYet::Ears), Some(places)) if stays && !others_heard => {
                self.tired.failed(places, self.clock.now(), LONGEST_WAIT);
            }
            // Others there may have room sooner.
            (Err(NotYet::EarsBesideBudget), Some(places)) => {
                self.tired.failed(places, self.clock.now(), BUDGET_WAIT);
            }
            (Ok(()), Some(places)) if !heard.is_empty() => self.tired.heard(places),
            _ => {}
        }
        if stays {
            self.begun.keep(call, heard);
        }
        let written = match done {
            Ok(()) => Ok(true),
            // It stays the next, and no try is counted.
            Err(NotYet::Caller) => return false,
            Err(NotYet::Ears) if stays => {
                // Behind the others, one of which finds out whether the ears hear again.
                let rest = places.and_then(|places| self.tired.rest(&places, self.clock.now())).unwrap_or_default();
                self.postpone(call, wait_after(tries).max(rest + LOOK_EVERY), HearingFault::Ears).await
            }
            Err(NotYet::Disk) if stays => self.postpone(call, wait_after(tries), HearingFault::Disk).await,
            Err(NotYet::Budget) => {
                tracing::debug!(%call, "a call waits for budget to be heard again");
                self.vault.put_off_hearing(call, later(now, BUDGET_WAIT)).await.map(|()| true)
            }
            Err(NotYet::EarsBesideBudget) => {
                self.vault.put_off_hearing(call, later(now, BUDGET_WAIT)).await.map(|()| false)
            }
            Err(NotYet::Policy) => {
                tracing::debug!(%call, "a call waits for a policy under which it may be heard again");
                self.vault.put_off_hearing(call, later(now, LONGEST_WAIT)).await.map(|()| true)
            }
            Err(NotYet::Ears | NotYet::Disk | NotYet::Gone) => {
                tracing::info!(%call, "a call that was to be heard again is given up; its record stays as it was");
                self.vault.hear_no_more(call).await.map(|()| true)
            }
        };
        self.written(call, written)
    }

    /// Whether the queue goes on after what was written into it.
    fn written(&self, call: CallId, written: Result<bool, IndexError>) -> bool {
        match written {
            Ok(goes_on) => {
                self.rest.end();
                goes_on
            }
            Err(error) => {
                tracing::warn!(%call, %error, "the queue of second hearings could not be written; it rests");
                self.rest.begin(self.clock.now());
                false
            }
        }
    }

    /// After a vain try; the next call would fail as this one did.
    async fn postpone(&self, call: CallId, wait: Duration, fault: HearingFault) -> Result<bool, IndexError> {
        let due = later(self.clock.wall(), wait);
        self.vault.postpone_hearing(call, due, fault).await.map(|()| false)
    }

    async fn keep(&self, call: CallId, heard: &[SecondHearing]) -> Result<(), NotYet> {
        self.vault.settle_hearing(call, heard).await.map_err(|error| {
            tracing::warn!(%call, %error, "a second hearing could not be kept");
            NotYet::Disk
        })
    }

    /// Hears what is not yet among what was heard of the call, with ears at `places`.
    async fn hear(
        &self,
        call: CallId,
        places: Option<Vec<Destination>>,
        heard: &mut Vec<SecondHearing>,
    ) -> Result<(), NotYet> {
        let Some(places) = places else {
            tracing::info!(%call, "nobody knows where the sound of a call might go as it ended; it is sent nowhere");
            return Err(NotYet::Gone);
        };
        let unread = |error: ReadError| {
            tracing::warn!(%call, %error, "a call cannot be heard again");
            if is_gone(&error) { NotYet::Gone } else { NotYet::Disk }
        };
        let record = self.vault.show(call).await.map_err(unread)?;
        if !record.may_be_heard_again() {
            heard.clear();
            return Ok(());
        }
        let gate = under_wishes(self.keeper.gate_within(&policy_of(places)), &record);
        let allowed: Vec<&OutsideEars> = self.ears.iter().filter(|ears| ears.may_hear(&gate)).collect();
        // Its sound is not read for nobody; what was heard before may still be kept.
        if allowed.is_empty() && heard.is_empty() {
            return Err(NotYet::Policy);
        }
        let from_ms = record.recording.as_ref().map_or(0, |recording| recording.from_ms);
        let (rate, sound) = self.vault.leg_sound(call, Leg::Caller).await.map_err(unread)?;
        let setting = CallSetting { call: Some(call), hints: self.hints.clone(), gate };
        let is_heard = |turn: usize| heard.iter().any(|hearing| hearing.turn == turn);
        let parts: Vec<(usize, Vec<i16>)> = for_better_ears(&record, self.own_ears)
            .filter(|(turn, _)| !is_heard(*turn))
            .map(|(turn, said)| {
                let [from, to] = [said.started_ms, said.ended_ms].map(|at| at.saturating_sub(from_ms));
                (turn, part(&sound, rate, from, to))
            })
            .filter(|(_, part)| !part.is_empty())
            .collect();
        // Words that only could not be kept need no room.
        let ears = if parts.is_empty() { WithRoom::default() } else { with_room(call, allowed, &parts)? };
        for (turn, part) in parts {
            let (words, engine) = self.words(&ears, &setting, &part).await?;
            let heard_at = self.clock.wall();
            heard.push(SecondHearing { turn, words, engine: engine.to_owned(), heard_at });
        }
        without_identifiers(&record.turns, heard);
        Ok(())
    }

    /// On a small uplink a caller's own ears would stall beside a hearing for which
    /// nobody waits; and what is sent after the stop would be in no register.
    fn yield_to_callers(&self) -> Result<(), NotYet> {
        if self.stop.callers() == 0 && !self.stop.is_asked() { Ok(()) } else { Err(NotYet::Caller) }
    }

    /// The words of a turn, from the first ears that give them.
    async fn words(
        &self,
        all: &WithRoom<'_>,
        setting: &CallSetting,
        sound: &[i16],
    ) -> Result<(Private<String>, &'static str), NotYet> {
        for OutsideEars { ears, .. } in &all.now {
            self.yield_to_callers()?;
            let (tell, told) = mpsc::channel(ANSWERS);
            let hearing = ears.open(setting, tell);
            if let Some(heard) = self.ask(hearing, told, sound).await? {
                return Ok(heard);
            }
        }
        Err(if all.others_later { NotYet::EarsBesideBudget } else { NotYet::Ears })
    }

    async fn ask(
        &self,
        mut hearing: Box<dyn Hearing>,
        mut told: mpsc::Receiver<EarsEvent>,
        sound: &[i16],
    ) -> Result<Option<(Private<String>, &'static str)>, NotYet> {
        let began = self.clock.now();
        hearing.line_answered(SampleRate::Hz16000);
        hearing.turn_began(began);
        let mut at: Moment = began;
        for samples in sound.chunks(SampleRate::Hz16000.frame_len()) {
            self.yield_to_callers()?;
            hearing.frame(&Frame::from_samples(SampleRate::Hz16000, samples), at);
            at = at + Duration::from_millis(u64::from(FRAME_MS));
            tokio::time::sleep(FRAME_EVERY).await;
            // What is told unasked must not take the place of the words.
            while told.try_recv().is_ok() {}
        }
        let request = RequestId::default();
        hearing.decode(request);
        let words = async {
            loop {
                match told.recv().await? {
                    EarsEvent::Heard(heard) if heard.request == request => return Some((heard.words, heard.engine)),
                    EarsEvent::Failed { .. } => return None,
                    EarsEvent::Heard(_)
                    | EarsEvent::TurnOver { .. }
                    | EarsEvent::WordsBegan { .. }
                    | EarsEvent::WordsEnded { .. }
                    | EarsEvent::Left(_) => {}
                }
            }
        };
        tokio::select! {
            heard = tokio::time::timeout(WORDS_WITHIN, words) => Ok(heard.ok().flatten()),
            () = self.stop.asked() => Err(NotYet::Caller),
        }
    }

    /// What `milu doctor` says of it.
    pub async fn fact(&self) -> HealthFact {
        let (state, sentence) = match self.vault.waiting_to_be_heard_again().await {
            Ok(0) => (HealthState::Well, "no call waits to be heard again.".to_owned()),
            Ok(count) => (HealthState::Well, format!("{count} calls wait to be heard again by better ears.")),
            Err(error) => (HealthState::Impaired, format!("the queue cannot be read: {error}.")),
        };
        HealthFact { name: "second hearings".to_owned(), state, sentence }
    }
}

/// Whether a call cannot be read any more, however often it is tried.
const fn is_gone(error: &ReadError) -> bool {
    match error {
        ReadError::Unknown(_) | ReadError::Key(_) | ReadError::NotRecorded(_) | ReadError::Tampered { .. } => true,
        ReadError::Row(_) | ReadError::Sound(_) | ReadError::ReaderEnded(_) => false,
    }
}

/// Whether a call was heard by the box's own ears for want of better ones, and
/// its caller has nothing against its being heard again.
fn is_worth_it(record: &CallRecord, own_ears: &str) -> bool {
    record.recording.is_some() && record.may_be_heard_again() && for_better_ears(record, own_ears).next().is_some()
}

/// The caller's turns that the box's own ears heard for want of better ones, each with its
/// place. What was said before the caller consented, the consent with it, was heard by them
/// for want of the consent: it stays.
fn for_better_ears<'r>(record: &'r CallRecord, own_ears: &str) -> impl Iterator<Item = (usize, &'r Turn)> {
    let consent = record.wishes.iter().find(|wished| wished.wish == Wish::OfData(CallerWish::Consents));
    let from_ms = consent.map_or(0, |wished| wished.at_ms);
    let by_own = |turn: &Turn| turn.who == Speaker::Caller && turn.engines.transcriber.as_deref() == Some(own_ears);
    record.turns.iter().enumerate().filter(move |(_, turn)| by_own(turn) && turn.started_ms >= from_ms)
}

/// A gate of later, for which what the caller wished in the call still holds.
fn under_wishes(gate: Arc<CallGate>, record: &CallRecord) -> Arc<CallGate> {
    for wished in &record.wishes {
        if let Wish::OfData(wish) = wished.wish {
            gate.wish(wish);
        }
    }
    gate
}

/// The ears to which the budget lets a call go.
#[derive(Default)]
struct WithRoom<'e> {
    now: Vec<&'e OutsideEars>,
    /// Whether there are others that have room on another day.
    others_later: bool,
}

/// Those ears to which the budget lets all of it go, before any of it goes: half a call
/// heard again would be paid for and thrown away.
fn with_room<'e>(
    call: CallId,
    allowed: Vec<&'e OutsideEars>,
    parts: &[(usize, Vec<i16>)],
) -> Result<WithRoom<'e>, NotYet> {
    if allowed.is_empty() {
        return Err(NotYet::Policy);
    }
    let samples: u64 = parts.iter().map(|(_, part)| part.len() as u64).sum();
    let sound = Duration::from_micros(samples.saturating_mul(1_000_000) / u64::from(SampleRate::Hz16000.hz()));
    let rooms: Vec<_> = allowed.into_iter().map(|ears| (ears, (ears.room)(call, sound, parts.len()))).collect();
    if rooms.iter().all(|(_, room)| *room == Room::Never) {
        tracing::warn!(%call, "a call has more sound than any day's budget lets be heard again");
        return Err(NotYet::Gone);
    }
    let others_later = rooms.iter().any(|(_, room)| *room == Room::AnotherDay);
    let now: Vec<_> = rooms.into_iter().filter(|(_, room)| *room == Room::Now).map(|(ears, _)| ears).collect();
    if now.is_empty() { Err(NotYet::Budget) } else { Ok(WithRoom { now, others_later }) }
}

/// As with the first hearing, identifiers are taken out before a word is kept:
/// with all turns in their order, so that what was asked and split is known.
fn without_identifiers(turns: &[Turn], heard: &mut [SecondHearing]) {
    let words_of = |n: usize, turn: &Turn| {
        let again = heard.iter().find(|hearing| hearing.turn == n);
        again.map_or_else(|| turn.text.clone(), |hearing| hearing.words.clone())
    };
    let words: Vec<Private<String>> = turns.iter().enumerate().map(|(n, turn)| words_of(n, turn)).collect();
    let spoken: Vec<Spoken<'_>> = turns
        .iter()
        .zip(&words)
        .map(|(turn, words)| {
            let side = if turn.who == Speaker::Caller { Side::Caller } else { Side::Box };
            Spoken { side, words: words.expose() }
        })
        .collect();
    let redacted = Redactor::new().redact_turns(&spoken);
    for hearing in heard {
        if let Some(text) = redacted.get(hearing.turn) {
            hearing.words = Private::new(text.clone());
        }
    }
}

fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// A stretch of the recording at the ears' 16 kHz.
fn part(sound: &[i16], rate: SampleRate, from_ms: u64, to_ms: u64) -> Vec<i16> {
    let to_ms = to_ms.min(from_ms.saturating_add(LONGEST_TURN_MS));
    let at = |ms: u64| {
        let sample = ms.saturating_mul(u64::from(rate.hz())) / 1000;
        usize::try_from(sample).unwrap_or(usize::MAX).min(sound.len())
    };
    let stretch = &sound[at(from_ms)..at(to_ms).max(at(from_ms))];
    match rate {
        SampleRate::Hz16000 => stretch.to_vec(),
        SampleRate::Hz8000 => {
            let mut widen = Resampler::new(Conversion::Hz8000ToHz16000);
            let frames = stretch.chunks(rate.frame_len());
            frames.flat_map(|f| widen.frame(&Frame::from_samples(rate, f)).samples().to_vec()).collect()
        }
    }
}

impl std::fmt::Debug for SecondHearings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondHearings").field("own_ears", &self.own_ears).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod queue_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::{Engines, Latency, MediaFacts, Outcome, Recording, Wished};
    use crate::terms::{EndCause, LineId};

    pub(super) fn record(wishes: &[Wish]) -> CallRecord {
        let mut heard = turn(Speaker::Caller, "When do you open?");
        heard.engines.transcriber = Some("whisper-onbox".to_owned());
        CallRecord {
            id: CallId::from_parts(1, [0; 10]),
            line: LineId::parse("front-desk").expect("a name"),
            from: None,
            started_at: Timestamp::UNIX_EPOCH,
            answered_after: None,
            ended_at: Timestamp::UNIX_EPOCH,
            end_cause: EndCause::NormalClearing,
            outcome: Outcome::Answered,
            turns: vec![heard],
            message: None,
            recording: Some(Recording::default()),
            media: MediaFacts::default(),
            wishes: wishes.iter().map(|wish| Wished { at_ms: 0, wish: *wish }).collect(),
            transferred: None,
        }
    }

    #[test]
    fn who_wished_for_less_is_not_heard_again_and_a_consent_holds_beyond_the_call() {
        let of_data = Wish::OfData;
        let is_worth = |wishes: &[Wish]| is_worth_it(&record(wishes), "whisper-onbox");
        assert!(is_worth(&[]) && is_worth(&[of_data(CallerWish::Consents)]));
        assert!(!is_worth_it(&record(&[]), "deepgram"), "better ears have heard it");
        for wish in [CallerWish::Objects, CallerWish::Restricts, CallerWish::Withdraws].map(of_data) {
            assert!(!is_worth(&[of_data(CallerWish::Consents), wish]), "{wish:?}");
        }
        assert!(!is_worth(&[Wish::Unrecorded]));
        let gate = under_wishes(Arc::new(CallGate::closed()), &record(&[of_data(CallerWish::Consents)]));
        assert!(gate.wishes().consents);
    }

    #[test]
    fn what_was_said_up_to_a_consent_and_what_better_ears_have_heard_is_not_heard_again() {
        let own = |started_ms| {
            let mut said = turn(Speaker::Caller, "Yes.");
            (said.started_ms, said.ended_ms) = (started_ms, started_ms + 900);
            said.engines.transcriber = Some("whisper-onbox".to_owned());
            said
        };
        let mut better = own(7_000);
        better.engines.transcriber = Some("deepgram".to_owned());
        let mut call = record(&[Wish::OfData(CallerWish::Consents)]);
        call.wishes[0].at_ms = 6_000;
        call.turns = vec![turn(Speaker::Box, "Do you agree?"), own(5_000), better];
        assert!(!is_worth_it(&call, "whisper-onbox"), "better ears heard all that was theirs to hear");
        call.turns.push(own(9_000));
        let again: Vec<usize> = for_better_ears(&call, "whisper-onbox").map(|(place, _)| place).collect();
        assert_eq!((again, is_worth_it(&call, "whisper-onbox")), (vec![3], true));
        // Without a consent nothing waited for one.
        call.wishes.clear();
        let again: Vec<usize> = for_better_ears(&call, "whisper-onbox").map(|(place, _)| place).collect();
        assert_eq!(again, [1, 3]);
    }

    pub(super) fn turn(who: Speaker, text: &str) -> Turn {
        Turn {
            who,
            text: Private::new(text.to_owned()),
            started_ms: 0,
            ended_ms: 0,
            interrupted: false,
            engines: Engines::default(),
            latency: Latency::default(),
            failovers: Vec::new(),
        }
    }

    #[test]
    fn what_better_ears_hear_is_kept_without_identifiers_too() {
        let turns = [
            turn(Speaker::Box, "What is your account number?"),
            turn(Speaker::Caller, "uh"),
            turn(Speaker::Caller, "When do you open?"),
        ];
        let heard = |turn, words: &str| SecondHearing {
            turn,
            words: Private::new(words.to_owned()),
            engine: "deepgram".to_owned(),
            heard_at: Timestamp::UNIX_EPOCH,
        };
        let mut again = [heard(1, "It is 0000014579."), heard(2, "When do you open on Sunday?")];
        without_identifiers(&turns, &mut again);
        assert!(!again[0].words.expose().contains("14579"), "{}", again[0].words.expose());
        assert_eq!(again[1].words.expose(), "When do you open on Sunday?");
    }

    #[test]
    fn a_stretch_of_a_narrow_recording_is_given_at_the_ears_rate_and_within_its_bounds() {
        let sound = vec![100; 8_000];
        assert_eq!(part(&sound, SampleRate::Hz8000, 0, 500).len(), 8_000);
        assert_eq!(part(&sound, SampleRate::Hz8000, 900, 5_000).len(), 1_600);
        assert!(part(&sound, SampleRate::Hz8000, 2_000, 1_000).is_empty());
        assert_eq!(part(&sound, SampleRate::Hz16000, 250, 500).len(), 4_000);
    }
}
