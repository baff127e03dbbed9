use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

use super::Places;
use crate::egress::Door;
use crate::ops::{HealthFact, HealthState, WallSource};
use crate::privacy::{Redactor, Side, Spoken};
use crate::residency::{
    Adopted, CallGate, InForce, InvalidOwner, NotAdopted, OwnerSignature, POLICY_BYTES_MAX, Party, Policy,
    PolicyMistakes, Redact,
};
use crate::store::{IndexError, KeptPolicies, Vault};

/// An owner's signature lies beside the policy: `residency.toml.sig`.
const SIGNATURE_ENDING: &str = "sig";

/// Why a policy could not be taken over. What was in force stays so.
#[derive(Debug, Error)]
pub enum KeepPolicy {
    #[error("reading the residency policy {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("reading the residency policy {0}: it is longer than a policy may be")]
    Long(PathBuf),
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
    wall: WallSource,
    state: Mutex<State>,
}

struct State {
    in_force: InForce,
    /// The file and its signature as they were last looked at, taken over or not.
    seen: (String, Option<OwnerSignature>),
    /// Why the file is not what holds.
    refused: Option<String>,
    /// Of the calls that go on.
    gates: Vec<Weak<CallGate>>,
}

impl PolicyKeeper {
    /// Reads the policy's file, and what was in force before. At the start a file
    /// with a mistake is refused.
    pub async fn open(path: PathBuf, vault: Vault, wall: WallSource) -> Result<Self, KeepPolicy> {
        let now = wall();
        let kept = vault.policies().await?;
        let before = kept
            .texts
            .iter()
            .map(|text| Policy::parse("the policy in force", text, today(now)))
            .collect::<Result<Vec<_>, _>>()
            .unwrap_or_else(|_| {
                // A later version may refuse what an earlier one took: then the file says what holds.
                tracing::warn!("the policy that was in force cannot be read any more");
                Vec::new()
            });
        let restored = InForce::restore(before, kept.waiting_until);
        let (text, signature) = (text(&path)?, signature(&path)?);
        let in_force = match restored {
            None => InForce::first(read(&path, now)?),
            Some(mut in_force) => {
                in_force.tick(now);
                if in_force.texts().last() != Some(text.as_str()) {
                    adopt(&mut in_force, &path, &text, signature.as_ref(), now)?;
                }
                in_force
            }
        };
        let state = Mutex::new(State { in_force, seen: (text, signature), refused: None, gates: Vec::new() });
        let keeper = Self { path, vault, wall, state };
        keeper.keep().await?;
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

    /// A gate for a call that begins.
    pub fn gate(&self) -> Arc<CallGate> {
        let mut state = self.lock();
        let gate = Arc::new(CallGate::new(state.in_force.effective().clone(), Arc::new(Identifiers(Redactor::new()))));
        state.gates.retain(|gate| gate.strong_count() > 0);
        state.gates.push(Arc::downgrade(&gate));
        gate
    }

    /// Looks at the file and at the date again. A file with a mistake changes nothing.
    pub async fn look_again(&self, door: &Door) -> Result<(), KeepPolicy> {
        let now = (self.wall)();
        let changed = self.lock().in_force.tick(now);
        let offered = self.offered(now);
        let refusal = offered.as_ref().err().map(ToString::to_string);
        let adopted = match offered {
            Ok(adopted) => adopted,
            Err(error) => {
                self.lock().refused = refusal;
                return Err(error);
            }
        };
        if changed || adopted {
            self.lock().refused = None;
            self.spread(door);
            self.keep().await?;
        }
        Ok(())
    }

    /// Whether the file was taken over as new.
    fn offered(&self, now: Timestamp) -> Result<bool, KeepPolicy> {
        let path = &self.path;
        let seen = (text(path)?, signature(path)?);
        let mut state = self.lock();
        if state.seen == seen {
            return Ok(false);
        }
        state.seen.clone_from(&seen);
        adopt(&mut state.in_force, path, &seen.0, seen.1.as_ref(), now)?;
        Ok(true)
    }

    /// The door holds to it at once, and calls that go on are narrowed.
    fn spread(&self, door: &Door) {
        let state = self.lock();
        let policy = state.in_force.effective();
        door.set_policy(policy.clone());
        for gate in state.gates.iter().filter_map(Weak::upgrade) {
            gate.narrow_to(policy);
        }
    }

    async fn keep(&self) -> Result<(), KeepPolicy> {
        let kept = {
            let state = self.lock();
            KeptPolicies {
                texts: state.in_force.texts().map(str::to_owned).collect(),
                waiting_until: state.in_force.waiting().map(|waiting| waiting.until),
            }
        };
        Ok(self.vault.keep_policies(&kept).await?)
    }

    /// What `milu doctor` says of it.
    pub fn fact(&self) -> HealthFact {
        let path = self.path.display();
        let state = self.lock();
        let (grade, sentence) = match (&state.refused, state.in_force.waiting()) {
            (Some(why), _) => {
                (HealthState::Impaired, format!("{path} is not in force, the policy before it is. {why}"))
            }
            (None, Some(waiting)) => {
                let named: Vec<String> = waiting.widenings.iter().map(crate::residency::Widening::name).collect();
                let sentence = format!(
                    "{path} allows more than before ({}); that part holds from {} on, or with an owner's signature.",
                    named.join(", "),
                    waiting.until
                );
                (HealthState::Well, sentence)
            }
            (None, None) => (HealthState::Well, format!("{path} is in force.")),
        };
        HealthFact { name: "residency policy".to_owned(), state: grade, sentence }
    }

    /// Held for moments; a poisoned lock still holds a whole policy.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The redactor as the gate wants it.
struct Identifiers(Redactor);

impl Redact for Identifiers {
    fn redact(&self, text: &str) -> String {
        self.0.redact(text)
    }

    fn redact_turns(&self, turns: &[(Party, &str)]) -> Vec<String> {
        let side = |party: Party| match party {
            Party::Caller => Side::Caller,
            Party::Box => Side::Box,
        };
        let turns: Vec<Spoken<'_>> = turns.iter().map(|(party, words)| Spoken { side: side(*party), words }).collect();
        self.0.redact_turns(&turns)
    }
}

fn today(now: Timestamp) -> jiff::civil::Date {
    now.to_zoned_datetime(TimeZone::UTC).date()
}

fn text(path: &Path) -> Result<String, KeepPolicy> {
    let failed = |source| KeepPolicy::File { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > POLICY_BYTES_MAX as u64 {
        return Err(KeepPolicy::Long(path.to_owned()));
    }
    std::fs::read_to_string(path).map_err(failed)
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
