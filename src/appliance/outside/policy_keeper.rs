use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tokio::sync::watch;

use super::Places;
use super::identifiers;
use crate::egress::Door;
use crate::ops::{HealthFact, HealthState, MomentSource, WallSource};
use crate::privacy::{Redactor, Side, Spoken};
use crate::residency::{
    Adopted, CallGate, DataClass, InForce, InvalidOwner, NotAdopted, OwnerSignature, POLICY_BYTES_MAX, Party, Policy,
    PolicyMistakes, Redact,
};
use crate::store::{IndexError, KeptPolicies, Vault};
use crate::terms::Moment;

/// An owner's signature lies beside the policy: `residency.toml.sig`.
const SIGNATURE_ENDING: &str = "sig";

/// By so much two clocks do not part by themselves within a notice period: the
/// calendar's was set.
const WAS_SET: Duration = Duration::from_secs(300);

/// What the clock says is kept so often while a wider policy waits: the writes are small,
/// and when the box stopped is known to this.
const LOOK_KEPT_EVERY: Duration = Duration::from_secs(300);

/// A clock that starts no longer than this after the look that was kept may have stood
/// still since: what passed between two of these, and a slow start.
const STOOD_STILL: Duration = Duration::from_secs(900);

/// So long after a start a clock that stood still is set by the network's time, if ever.
const SPARED_FOR: Duration = Duration::from_secs(3600);

/// Why a policy could not be taken over. What was in force stays so.
#[derive(Debug, Error)]
pub enum KeepPolicy {
    #[error("reading the residency policy {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("reading the signature {path}: {source}")]
    Signature { path: PathBuf, source: InvalidOwner },
    #[error("{0}")]
    Mistakes(#[from] PolicyMistakes),
    #[error("{0}")]
    NotAdopted(#[from] NotAdopted),
    #[error("keeping the residency policy: {0}")]
    Keep(#[from] IndexError),
}

/// The policy in force: read at the start, looked at again while the box runs,
/// kept so that a restart shortens no notice period.
pub struct PolicyKeeper {
    path: PathBuf,
    vault: Vault,
    monotonic: MomentSource,
    wall: WallSource,
    state: Mutex<State>,
    /// Told when another policy holds.
    changed: watch::Sender<()>,
}

/// A policy's text, and the signature beside it, which may be there and be none.
type Found = (String, Result<Option<OwnerSignature>, KeepPolicy>);

struct State {
    in_force: InForce,
    /// The day for which its texts were read: a contract counts from its date on.
    read_on: Date,
    /// When the two clocks were last set beside each other.
    together: (Moment, Timestamp),
    /// The end of a notice period that began before this start, and the moment of this
    /// start, until the calendar's clock is first set ahead; none if that clock went on
    /// while the box was off.
    began_before: Option<(Timestamp, Moment)>,
    /// What the disk has of it.
    kept: KeptPolicies,
    /// The file and its signature as they were last looked at, taken over or not.
    seen: Option<(String, Option<OwnerSignature>)>,
    /// They were other ones at the look before: somebody may be writing still, and half of
    /// a table can be a narrower one, which only a notice or an owner makes wider again.
    is_unsettled: bool,
    refused: Option<Refused>,
    /// Of the calls that go on.
    gates: Vec<Weak<CallGate>>,
}

/// What becomes of a file that is another one than at the look before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unsettled {
    TakenOver,
    LookedAtAgain,
}

/// What came of a look at the file.
struct Looked {
    is_taken: bool,
    /// What does not count, unless it was the same at the look before.
    outcome: Result<(), KeepPolicy>,
}

/// What does not count of what was last looked at, and why.
#[derive(PartialEq, Eq)]
enum Refused {
    /// The file is not what holds.
    File(String),
    /// The file was looked at as if no signature lay beside it.
    Signature(String),
}

impl PolicyKeeper {
    /// Reads what was in force before, and the policy's file. A file with a mistake
    /// is refused; it fails the start only where nothing was in force before.
    pub async fn open(
        path: PathBuf,
        vault: Vault,
        monotonic: MomentSource,
        wall: WallSource,
    ) -> Result<Self, KeepPolicy> {
        let (moment, now) = (monotonic(), wall());
        let kept = vault.policies().await?;
        let mut in_force = match restored(&kept, now) {
            Some(before) => before,
            None => InForce::first(read(&path, now)?),
        };
        in_force.tick(now);
        let stood_still = kept.looked_at.is_some_and(|looked| stood_still(looked, now));
        let began_before = in_force.waiting().filter(|_| stood_still).map(|waiting| (waiting.until, moment));
        let mut state = State {
            read_on: today(now),
            together: (moment, now),
            began_before,
            in_force,
            kept,
            seen: None,
            is_unsettled: false,
            refused: None,
            gates: Vec::new(),
        };
        // The engines are built of what is announced now.
        let Looked { outcome, .. } = state.look_at(&path, found(&path), Unsettled::TakenOver, now);
        if let Err(error) = outcome {
            tracing::warn!(%error, "the residency policy's file, or its signature, is not taken over");
        }
        let keeper = Self { path, vault, monotonic, wall, state: Mutex::new(state), changed: watch::Sender::new(()) };
        match keeper.keep(now).await {
            // Of a box that was never told of a policy, nothing is forgotten.
            Err(error) if keeper.lock().kept.texts.is_empty() => return Err(error),
            Err(error) => tracing::error!(%error, "the residency policy is in force and not kept; it is tried again"),
            Ok(()) => {}
        }
        Ok(keeper)
    }

    /// What holds now.
    pub fn in_force(&self) -> Arc<Policy> {
        self.lock().in_force.effective().clone()
    }

    /// By what the sections of the configuration are understood.
    pub(super) fn places(&self) -> Places {
        let state = self.lock();
        Places { in_force: state.in_force.effective().clone(), newest: state.in_force.newest().clone() }
    }

    /// Tells when another policy holds: who waits for a wider one then asks for a
    /// new [`Self::gate`].
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// A gate for a call that begins.
    pub fn gate(&self) -> Arc<CallGate> {
        self.gate_of(Arc::clone)
    }

    /// A gate for what is left of a call that is over: it lets go what the policy in force
    /// and the one of `then` allow both.
    pub fn gate_within(&self, then: &Policy) -> Arc<CallGate> {
        self.gate_of(|in_force| Arc::new(Policy::in_common(then, in_force)))
    }

    /// It is made under the lock, so that nothing that narrows it passes it by.
    fn gate_of(&self, policy: impl FnOnce(&Arc<Policy>) -> Arc<Policy>) -> Arc<CallGate> {
        let mut state = self.lock();
        let policy = policy(state.in_force.effective());
        let gate = Arc::new(CallGate::new(policy, Arc::new(Identifiers(Redactor::new()))));
        state.gates.retain(|gate| gate.strong_count() > 0);
        state.gates.push(Arc::downgrade(&gate));
        gate
    }

    /// Looks at the file and at the date again. A file that says something else is taken
    /// over when the next look finds it the same. One with a mistake changes nothing; why
    /// is told once, and by [`Self::fact`].
    pub async fn look_again(&self, door: &Door) -> Result<(), KeepPolicy> {
        let (moment, now) = ((self.monotonic)(), (self.wall)());
        let found = found(&self.path);
        let (changed, looked) = {
            let mut state = self.lock();
            state.follow_clock(moment, now);
            let read_anew = state.read_anew(now);
            let changed = state.in_force.tick(now) || read_anew;
            (changed, state.look_at(&self.path, found, Unsettled::LookedAtAgain, now))
        };
        // The date moves what holds, whatever became of the file.
        if changed || looked.is_taken {
            self.spread(door);
        }
        let kept = self.keep(now).await;
        looked.outcome.and(kept)
    }

    /// Whether the file was another one at the last look than at the look before.
    pub fn is_unsettled(&self) -> bool {
        self.lock().is_unsettled
    }

    /// The door holds to it at once, calls that go on are narrowed, and who waits for
    /// it is told.
    fn spread(&self, door: &Door) {
        let state = self.lock();
        let policy = state.in_force.effective();
        door.set_policy(policy.clone());
        for gate in state.gates.iter().filter_map(Weak::upgrade) {
            gate.narrow_to(policy);
        }
        self.changed.send_replace(());
    }

    /// Writes down what is in force, if the disk does not have it yet: one that was
    /// full gets it at a later look.
    async fn keep(&self, now: Timestamp) -> Result<(), KeepPolicy> {
        let to_keep = {
            let state = self.lock();
            Some(state.to_keep(now)).filter(|to_keep| *to_keep != state.kept)
        };
        if let Some(to_keep) = to_keep {
            self.vault.keep_policies(&to_keep).await?;
            self.lock().kept = to_keep;
        }
        Ok(())
    }

    /// What `milu doctor` says of it.
    pub fn fact(&self) -> HealthFact {
        let path = self.path.display();
        let state = self.lock();
        let holds = match state.in_force.waiting() {
            Some(waiting) if !waiting.widenings.is_empty() => {
                let named: Vec<String> = waiting.widenings.iter().map(crate::residency::Widening::name).collect();
                let owners = state.in_force.effective().owner_keys();
                let or_signed = if owners.is_empty() { "" } else { ", or with an owner's signature" };
                let named = named.join(", ");
                format!(
                    "{path} allows more than before ({named}); that part holds from {} on{or_signed}.",
                    waiting.until
                )
            }
            Some(_) | None => format!("{path} is in force."),
        };
        let (grade, sentence) = match &state.refused {
            Some(Refused::File(why)) => {
                (HealthState::Impaired, format!("{path} is not in force, the policy before it is. {why}"))
            }
            Some(Refused::Signature(why)) => {
                (HealthState::Impaired, format!("{holds} The signature beside it does not count. {why}"))
            }
            None => (HealthState::Well, holds),
        };
        HealthFact { name: "residency policy".to_owned(), state: grade, sentence }
    }

    /// Held for moments; a poisoned lock still holds a whole policy.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Looks at the file and at the signature beside it.
    fn look_at(
        &mut self,
        path: &Path,
        found: Result<Found, KeepPolicy>,
        unsettled: Unsettled,
        now: Timestamp,
    ) -> Looked {
        if let Ok((text, signature)) = &found {
            let seen = Some((text.clone(), signature.as_ref().copied().unwrap_or_default()));
            let is_other = self.seen != seen;
            if is_other {
                self.seen = seen;
                self.is_unsettled = true;
            }
            if is_other && unsettled == Unsettled::LookedAtAgain {
                return Looked { is_taken: false, outcome: Ok(()) };
            }
        }
        let (taken, fault) = match found {
            Ok((text, Ok(signature))) => (self.take_over(path, &text, signature, now), None),
            // A signature can only let more go: one that is none holds back nothing that the text narrows.
            Ok((text, Err(fault))) => (self.take_over(path, &text, None, now), Some(fault)),
            Err(error) => {
                // What is refused is looked at again in any case.
                self.is_unsettled = false;
                (Err(error), None)
            }
        };
        let is_taken = matches!(taken, Ok(true));
        let refused = match (taken, fault) {
            (Err(error), _) => Some((Refused::File(error.to_string()), error)),
            (Ok(_), Some(fault)) => Some((Refused::Signature(fault.to_string()), fault)),
            (Ok(_), None) => None,
        };
        let (refused, error) = refused.unzip();
        let is_new = self.refused != refused;
        self.refused = refused;
        Looked { is_taken, outcome: error.filter(|_| is_new).map_or(Ok(()), Err) }
    }

    /// Takes the file over if it says what it did not say before, or was refused when it
    /// was last looked at: a clock that was set may have put it right. Says whether it did.
    fn take_over(
        &mut self,
        path: &Path,
        text: &str,
        signature: Option<OwnerSignature>,
        now: Timestamp,
    ) -> Result<bool, KeepPolicy> {
        if self.refused.is_none() && !self.is_unsettled {
            return Ok(false);
        }
        self.is_unsettled = false;
        let is_newest = self.in_force.texts().last() == Some(text);
        // A text that waits holds as soon as an owner's signature lies beside it.
        let may_be_signed = self.in_force.waiting().is_some() && signature.is_some();
        if is_newest && !may_be_signed {
            return Ok(false);
        }
        adopt(&mut self.in_force, path, text, signature.as_ref(), now)?;
        Ok(true)
    }

    /// Moves the end of a notice period by as much as the calendar's clock was set
    /// ahead, for people are told in days that go by. One that began before this start
    /// stays where it is the first time, if the clock had stood still: a box without a
    /// clock of its own starts on the day on which it stopped, and the days that it was
    /// off went by too.
    fn follow_clock(&mut self, moment: Moment, now: Timestamp) {
        let (earlier, wall_earlier) = self.together;
        let went_by = SignedDuration::try_from(moment.since(earlier)).unwrap_or(SignedDuration::MAX);
        let ahead = now.duration_since(wall_earlier).saturating_sub(went_by);
        if ahead.unsigned_abs() < WAS_SET {
            return;
        }
        self.together = (moment, now);
        if ahead.is_negative() {
            return;
        }
        let began_before = self.began_before.take().filter(|(_, started)| moment.since(*started) <= SPARED_FOR);
        let Some(until) = self.in_force.waiting().map(|waiting| waiting.until) else { return };
        if began_before.is_some_and(|(end, _)| end == until) {
            return;
        }
        self.in_force.put_off(ahead);
        tracing::info!(
            ahead_s = ahead.as_secs(),
            "the clock was set ahead while a wider residency policy waits; its notice period ends as much later"
        );
    }

    /// On another day than its texts were read for, another contract may be signed:
    /// a box without a clock of its own starts on a day that is long over. Says
    /// whether anything is otherwise.
    fn read_anew(&mut self, now: Timestamp) -> bool {
        if self.read_on == today(now) {
            return false;
        }
        let Some(anew) = restored(&self.to_keep(now), now) else { return false };
        self.read_on = today(now);
        let before = std::mem::replace(&mut self.in_force, anew);
        before.effective().destinations() != self.in_force.effective().destinations()
    }

    fn to_keep(&self, now: Timestamp) -> KeptPolicies {
        let waiting_until = self.in_force.waiting().map(|waiting| waiting.until);
        let is_new = |looked: &Timestamp| now.duration_since(*looked).unsigned_abs() < LOOK_KEPT_EVERY;
        let looked_at = waiting_until.map(|_| self.kept.looked_at.filter(is_new).unwrap_or(now));
        KeptPolicies { texts: self.in_force.texts().map(str::to_owned).collect(), waiting_until, looked_at }
    }
}

/// Whether a clock that says `now` at the start may have stood still since it said
/// `looked`, or gone back.
fn stood_still(looked: Timestamp, now: Timestamp) -> bool {
    let later = now.duration_since(looked);
    later.is_negative() || later.unsigned_abs() <= STOOD_STILL
}

/// What was in force; none if nothing was. What was taken over then needs no
/// second examination: a promise that it breaks today, because the clock stands
/// before a contract's date, is kept by the policy itself. A text that cannot be
/// read any more, because a later version takes less, may have allowed nothing:
/// all of the file is then wider and is announced.
fn restored(kept: &KeptPolicies, now: Timestamp) -> Option<InForce> {
    let read = |text: &String| Policy::parse_kept("the policy in force", text, today(now));
    match kept.texts.iter().map(read).collect::<Result<Vec<_>, _>>() {
        Ok(texts) => InForce::restore(texts, kept.waiting_until),
        Err(mistakes) => {
            tracing::error!(%mistakes, "the policy that was in force cannot be read any more; nothing leaves for now");
            Some(InForce::first(Policy::nothing_leaves()))
        }
    }
}

/// The redactor as the gate wants it.
struct Identifiers(Redactor);

impl Redact for Identifiers {
    fn redact(&self, text: &str) -> String {
        self.0.redact(text)
    }

    fn redact_turns(&self, turns: &[(Party, &str)]) -> Vec<String> {
        self.0.redact_turns(&spoken(turns))
    }

    fn redact_but(&self, text: &str, may_stay: &[DataClass]) -> String {
        self.0.redact_of(text, |kind| !identifiers::may_stay(kind, may_stay))
    }

    fn redact_turns_but(&self, turns: &[(Party, &str)], may_stay: &[DataClass]) -> Vec<String> {
        self.0.redact_turns_of(&spoken(turns), |kind| !identifiers::may_stay(kind, may_stay))
    }
}

fn spoken<'a>(turns: &[(Party, &'a str)]) -> Vec<Spoken<'a>> {
    let side = |party: Party| match party {
        Party::Caller => Side::Caller,
        Party::Box => Side::Box,
    };
    turns.iter().map(|(party, words)| Spoken { side: side(*party), words }).collect()
}

fn today(now: Timestamp) -> Date {
    now.to_zoned_datetime(TimeZone::UTC).date()
}

fn found(path: &Path) -> Result<Found, KeepPolicy> {
    Ok((text(path)?, signature(path)))
}

fn text(path: &Path) -> Result<String, KeepPolicy> {
    let failed = |source| KeepPolicy::File { path: path.to_owned(), source };
    // One byte more than a policy may have, so that a longer one is told from it.
    let most = POLICY_BYTES_MAX as u64 + 1;
    let mut file = Vec::new();
    std::fs::File::open(path).map_err(failed)?.take(most).read_to_end(&mut file).map_err(failed)?;
    Ok(Policy::text_in(&path.display().to_string(), &file)?.to_owned())
}

/// The policy in a file, for those who only look at it.
pub(super) fn read(path: &Path, now: Timestamp) -> Result<Policy, KeepPolicy> {
    Ok(Policy::parse(&path.display().to_string(), &text(path)?, today(now))?)
}

fn adopt(
    in_force: &mut InForce,
    path: &Path,
    text: &str,
    signature: Option<&OwnerSignature>,
    now: Timestamp,
) -> Result<(), KeepPolicy> {
    match in_force.offer(&path.display().to_string(), text, signature, now)? {
        Adopted::AtOnce => tracing::info!("a new residency policy is in force"),
        Adopted::Signed(_) => tracing::info!("a wider residency policy is in force, signed by an owner"),
        Adopted::Announced(waiting) => {
            tracing::info!(until = %waiting.until, "a wider residency policy waits for its notice period");
        }
    }
    Ok(())
}

fn signature(policy: &Path) -> Result<Option<OwnerSignature>, KeepPolicy> {
    let mut path = policy.as_os_str().to_owned();
    path.push(".");
    path.push(SIGNATURE_ENDING);
    let path = PathBuf::from(path);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(KeepPolicy::File { path, source }),
    };
    OwnerSignature::parse(&bytes).map(Some).map_err(|source| KeepPolicy::Signature { path, source })
}

impl std::fmt::Debug for PolicyKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PolicyKeeper").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
