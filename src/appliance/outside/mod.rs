//! The box's relations with engines outside of it: the policy in force, the door,
//! the register of transfers, and the chains of engines in which the box's own
//! come last. Without a policy nothing of this sends a byte.

mod chains;
mod identifiers;
mod policy_keeper;
mod register;
mod safeguards;

use std::path::Path;
use std::sync::Arc;

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub use chains::{Chains, OutsideEars, OwnEngines};
#[cfg(test)]
pub(super) use chains::{room, words_room};
pub use policy_keeper::{KeepPolicy, PolicyKeeper};

use super::config::{BudgetSection, Config};
use super::credentials::{CredentialError, Credentials};
use crate::egress::{Budget, Door, DoorConfig, InvalidPrices, InvalidRoot, Money, Prices, Roots, Spent, Standing, Sum};
use crate::ops::{HealthFact, HealthState, SystemClock};
use crate::residency::{AskedHost, DestinationId, Host, InvalidDestination, Policy};
use crate::store::{RegisterError, TransferTotal, Vault};

/// Rows of the register on their way to the disk; the door keeps what does not fit.
const ROWS: usize = 256;

/// Why engines outside the box cannot be used as the configuration asks.
#[derive(Debug, Error)]
pub enum OutsideError {
    #[error(transparent)]
    Policy(#[from] KeepPolicy),
    #[error(transparent)]
    Credential(#[from] CredentialError),
    #[error("reading {what} {path}: {source}")]
    File { what: &'static str, path: String, source: std::io::Error },
    #[error("reading the extra roots {path}: {source}")]
    Roots { path: String, source: InvalidRoot },
    #[error("reading the prices: {0}")]
    Prices(#[from] InvalidPrices),
    #[error("adding up what was spent today: {0}")]
    Register(#[from] RegisterError),
    #[error("[{section}]: {source}")]
    Destination { section: &'static str, source: InvalidDestination },
    #[error(
        "[{section}]: the residency policy has no destination `{destination}`; add it there with its operator, hosts and contract"
    )]
    Unknown { section: &'static str, destination: String },
    #[error(
        "[{section}]: `{host}` is none of the hosts of `{destination}` in the residency policy, so it is never asked; name one that is, or no `host`, and then the first is asked"
    )]
    ForeignHost { section: &'static str, host: String, destination: String },
    #[error(
        "[{section}]: the residency policy in force has no destination `{destination}`, so nothing goes to it; add it there, or wait until the file that is announced holds"
    )]
    NotInForce { section: &'static str, destination: String },
    #[error("[{section}]: the residency policy names no host for `{destination}`")]
    NoHost { section: &'static str, destination: String },
    #[error(
        "[{section}]: the policy asks {asked} of every request to `{destination}`, which no request of this engine can tell, so it is never used; take one of the two out"
    )]
    Untold { section: &'static str, destination: String, asked: String },
}

/// What stands between the box and the engines outside.
#[derive(Clone)]
pub struct Outside {
    pub keeper: Arc<PolicyKeeper>,
    pub door: Door,
    credentials: Credentials,
    /// What writes the register; it ends after the door's last row.
    register: TaskTracker,
}

impl Outside {
    /// Opens the door under the policy that is in force.
    pub async fn open(
        config: &Config,
        policy: &Path,
        credentials: Credentials,
        vault: &Vault,
        clock: SystemClock,
        zone: jiff::tz::TimeZone,
    ) -> Result<Self, OutsideError> {
        let keeper = PolicyKeeper::open(policy.to_owned(), vault.clone(), clock.as_fn(), clock.wall_fn()).await?;
        let (rows, written) = mpsc::channel(ROWS);
        // Not with the tasks that the stop waits for first: they may still send.
        let register = TaskTracker::new();
        register.spawn_on(register::write(written, vault.clone()), &Handle::current());
        let door = Door::new(
            keeper.in_force(),
            DoorConfig {
                roots: roots(config.privacy.extra_roots.as_deref())?,
                register: Some(rows),
                budget: budget(&config.outside.budget),
                prices: prices(config.outside.budget.prices.as_deref())?,
                spent: Some(spent_today(vault, clock, &zone, &keeper.places().newest).await?),
                zone,
                now: clock.as_fn(),
                wall: clock.wall_fn(),
                ..DoorConfig::default()
            },
        );
        Ok(Self { keeper: Arc::new(keeper), door, credentials, register })
    }

    /// Ends what leaves the box, and waits until the last row of the register is on
    /// the disk. For the stop, before the vault is closed.
    pub async fn close(&self) {
        self.door.close().await;
        self.register.close();
        self.register.wait().await;
    }

    /// What `milu doctor` says of the budget: what was spent, and what is saved on.
    pub fn budget_fact(&self) -> HealthFact {
        let state = match self.door.standing(None) {
            Standing::Ample => HealthState::Well,
            Standing::Near | Standing::Spent => HealthState::Impaired,
        };
        HealthFact { name: "budget".to_owned(), state, sentence: self.door.budget_sentence() }
    }
}

/// The policies by which the sections of the configuration are understood: what
/// holds, and what will hold when its notice is over. An engine of an announced
/// destination is built at once; until then gate and door let nothing go to it.
struct Places {
    in_force: Arc<Policy>,
    newest: Arc<Policy>,
}

impl Places {
    fn of(policy: Arc<Policy>) -> Self {
        Self { in_force: policy.clone(), newest: policy }
    }

    /// The destination that a section means, and which of its hosts is asked: the one
    /// that the section names, or else whichever is the policy's first.
    fn asked(
        &self,
        section: &'static str,
        name: &str,
        host: Option<&str>,
    ) -> Result<(DestinationId, AskedHost), OutsideError> {
        let (id, found) = self.find(section, name, host)?;
        Ok((id, if host.is_some() { AskedHost::Named(found) } else { AskedHost::First(found) }))
    }

    /// The destination that a section means, and the host to ask there: one that
    /// holds already if there is any.
    fn find(
        &self,
        section: &'static str,
        name: &str,
        host: Option<&str>,
    ) -> Result<(DestinationId, Host), OutsideError> {
        let id = DestinationId::parse(name).map_err(|source| OutsideError::Destination { section, source })?;
        let host = host.map(Host::parse).transpose();
        let host = host.map_err(|source| OutsideError::Destination { section, source })?;
        let host = host_of(&self.in_force, section, &id, host.clone())
            .or_else(|_| host_of(&self.newest, section, &id, host))?;
        Ok((id, host))
    }
}

/// The host to ask at a destination: the one that is wanted, or its first.
fn host_of(
    policy: &Policy,
    section: &'static str,
    id: &DestinationId,
    wanted: Option<Host>,
) -> Result<Host, OutsideError> {
    let destination = id.as_str().to_owned();
    let Some(known) = policy.destination(id) else { return Err(OutsideError::Unknown { section, destination }) };
    match wanted {
        None => known.hosts.first().cloned().ok_or(OutsideError::NoHost { section, destination }),
        Some(host) if known.hosts.contains(&host) => Ok(host),
        Some(host) => Err(OutsideError::ForeignHost { section, host: host.to_string(), destination }),
    }
}

/// Reads all that engines outside the box would need, and opens nothing.
pub fn check_outside(
    config: &Config,
    credentials: &Credentials,
    clock: SystemClock,
) -> Result<Option<Arc<Policy>>, Vec<OutsideError>> {
    let Some(path) = &config.privacy.policy else { return Ok(None) };
    let policy = Arc::new(policy_keeper::read(path, clock.wall()).map_err(|error| vec![error.into()])?);
    let mut amiss = chains::check(&config.outside, &Places::of(policy.clone()), &policy, credentials);
    amiss.extend(roots(config.privacy.extra_roots.as_deref()).err());
    amiss.extend(prices(config.outside.budget.prices.as_deref()).err());
    if amiss.is_empty() { Ok(Some(policy)) } else { Err(amiss) }
}

fn roots(extra: Option<&Path>) -> Result<Roots, OutsideError> {
    let Some(path) = extra else { return Ok(Roots::public()) };
    let shown = path.display().to_string();
    let pem = std::fs::read(path).map_err(|source| OutsideError::File {
        what: "the extra roots",
        path: shown.clone(),
        source,
    })?;
    Roots::public().and_pem(&pem).map_err(|source| OutsideError::Roots { path: shown, source })
}

fn prices(path: Option<&Path>) -> Result<Prices, OutsideError> {
    let Some(path) = path else { return Ok(Prices::delivered()?) };
    let read = std::fs::read_to_string(path);
    let text =
        read.map_err(|source| OutsideError::File { what: "the prices", path: path.display().to_string(), source })?;
    Ok(Prices::parse(&text)?)
}

/// Megabytes are 10^6 bytes, as carriers sell them.
fn budget(section: &BudgetSection) -> Budget {
    let bytes = |mb: u32| u64::from(mb) * 1_000_000;
    Budget {
        day_bytes: section.day_mb.map(bytes),
        call_bytes: section.call_mb.map(bytes),
        day_money: section.day_money.map(nanos).map(Money::from_nanos),
    }
}

/// A price list's unit is the currency's billionth part.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped; a budget of 18 billion is none")]
fn nanos(money: f64) -> u64 {
    (money.clamp(0.0, 1.8e10) * 1e9) as u64
}

/// What went out since midnight and what it cost, from the register: the day's
/// budget goes on where it stood when the box went down.
async fn spent_today(
    vault: &Vault,
    clock: SystemClock,
    zone: &jiff::tz::TimeZone,
    policy: &Policy,
) -> Result<Spent, OutsideError> {
    let now = clock.wall().to_zoned_datetime(zone.clone());
    let midnight = now.start_of_day().map_or_else(|_| clock.wall(), |start| start.timestamp());
    Ok(spent_of(now.date(), vault.transfer_totals(midnight).await?, policy))
}

fn spent_of(day: jiff::civil::Date, totals: Vec<TransferTotal>, policy: &Policy) -> Spent {
    let sums = totals.into_iter().map(|total| {
        // What stays in the business's own network crosses no uplink.
        let on_site = policy.destination(&total.destination).is_some_and(|to| to.on_site);
        let bytes = if on_site { 0 } else { total.bytes_sent.saturating_add(total.bytes_received) };
        (total.destination, Sum { bytes, money: Money::from_nanos(total.cost_nanos) })
    });
    Spent::restore(day, sums)
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::residency::Destination;
    use crate::residency::{Contract, Safeguards};

    fn to(name: &str, on_site: bool) -> Destination {
        Destination {
            id: DestinationId::parse(name).unwrap(),
            operator: "Somebody Ltd".to_owned(),
            hosts: Vec::new(),
            country: "IE".to_owned(),
            on_site,
            contract: Some(Contract { name: "DPA".to_owned(), signed: date(2026, 1, 5) }),
            safeguards: Safeguards::default(),
            pins: Vec::new(),
        }
    }

    fn total(name: &str, bytes: u64, cost_nanos: u64) -> TransferTotal {
        let destination = DestinationId::parse(name).unwrap();
        TransferTotal { destination, bytes_sent: bytes, bytes_received: 1, cost_nanos }
    }

    #[test]
    fn after_a_restart_the_budget_stands_where_it_stood_in_bytes_and_in_money() {
        let day = date(2026, 11, 26);
        let policy = Policy::new(vec![to("deepgram", false), to("lan-ears", true)], Vec::new());
        // A destination that is not in the policy any more was paid for all the same.
        let totals = vec![total("deepgram", 79, 300), total("lan-ears", 5_000, 0), total("gone", 9, 100)];
        let spent = spent_of(day, totals, &policy);
        assert_eq!(spent.total(day), Sum { bytes: 80 + 10, money: Money::from_nanos(400) });
        let of_money = Budget { day_money: Some(Money::from_nanos(500)), ..Budget::default() };
        assert_eq!(spent.standing(&of_money, day, None), Standing::Near);
        let of_bytes = Budget { day_bytes: Some(90), ..Budget::default() };
        assert_eq!(spent.standing(&of_bytes, day, None), Standing::Spent);
    }
}
