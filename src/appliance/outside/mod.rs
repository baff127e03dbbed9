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

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use thiserror::Error;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
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
    vault: Vault,
    /// Whose midnight ends the budget's day.
    zone: TimeZone,
    /// What writes the register; it ends after the door's last row.
    register: TaskTracker,
    /// Whether the disk takes no row of it.
    is_stuck: watch::Receiver<bool>,
}

impl Outside {
    /// Opens the door under the policy that is in force.
    pub async fn open(
        config: &Config,
        policy: &Path,
        credentials: Credentials,
        vault: &Vault,
        clock: SystemClock,
        zone: TimeZone,
    ) -> Result<Self, OutsideError> {
        let keeper = PolicyKeeper::open(policy.to_owned(), vault.clone(), clock.as_fn(), clock.wall_fn()).await?;
        let (rows, written) = mpsc::channel(ROWS);
        // Not with the tasks that the stop waits for first: they may still send.
        let register = TaskTracker::new();
        let (tell, is_stuck) = watch::channel(false);
        let writing = register::write(written, vault.clone(), tell, register::TRY_AGAIN_AFTER);
        register.spawn_on(writing, &Handle::current());
        let today = clock.wall().to_zoned_datetime(zone.clone()).date();
        let door = Door::new(
            keeper.in_force(),
            DoorConfig {
                roots: roots(config.privacy.extra_roots.as_deref())?,
                register: Some(rows),
                is_register_stuck: is_stuck.clone(),
                budget: budget(&config.outside.budget),
                prices: prices(config.outside.budget.prices.as_deref())?,
                spent: Some(spent_on(today, vault, &zone, &keeper.places().newest).await?),
                zone: zone.clone(),
                now: clock.as_fn(),
                wall: clock.wall_fn(),
                ..DoorConfig::default()
            },
        );
        Ok(Self { keeper: Arc::new(keeper), door, credentials, vault: vault.clone(), zone, register, is_stuck })
    }

    /// Ends what leaves the box, and waits until the last row of the register is on
    /// the disk. For the stop, before the vault is closed.
    pub async fn close(&self) {
        self.door.close().await;
        self.register.close();
        self.register.wait().await;
    }

    /// Counts what went out earlier today, where the clock was set or midnight has
    /// passed. To be called every few seconds: until then the day has what was sent
    /// since alone.
    pub async fn count_today(&self) -> Result<(), RegisterError> {
        count_today(&self.door, &self.vault, &self.zone, &self.keeper.places().newest).await
    }

    /// What `milu doctor` says of the register of transfers.
    pub fn register_fact(&self) -> HealthFact {
        let (state, sentence) = if *self.is_stuck.borrow() {
            let stuck = "the disk takes no row of it, so nothing leaves the box and its own engines serve all calls; the log says why.";
            (HealthState::Impaired, stuck)
        } else {
            (HealthState::Well, "each transfer is written down.")
        };
        HealthFact { name: "register of transfers".to_owned(), state, sentence: sentence.to_owned() }
    }

    /// What `milu doctor` says of the budget: what was spent, what is saved on, and
    /// whether all of the day is counted. To be asked after [`Self::count_today`].
    pub fn budget_fact(&self) -> HealthFact {
        budget_fact(&self.door)
    }
}

fn budget_fact(door: &Door) -> HealthFact {
    let is_counted = door.uncounted_day().is_none();
    let mut sentence = door.budget_sentence();
    if !is_counted {
        sentence.push_str(
            " What was spent earlier today is not counted: the register of transfers could not be read; the log says \
             why.",
        );
    }
    let state = match (door.standing(None), door.calls_near()) {
        (Standing::Ample, 0) if is_counted => HealthState::Well,
        // Of its calls some, or all from now on, are worse served than they should be.
        (Standing::Ample | Standing::Near | Standing::Spent, _) => HealthState::Impaired,
    };
    HealthFact { name: "budget".to_owned(), state, sentence }
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

/// What is fine about the policy and the engines outside the box.
pub struct CheckedOutside {
    pub policy: Arc<Policy>,
    /// A sentence for each engine to which it never lets go what calls need.
    pub kept: Vec<String>,
}

/// Reads all that engines outside the box would need, and opens nothing.
pub fn check_outside(
    config: &Config,
    credentials: &Credentials,
    clock: SystemClock,
) -> Result<Option<CheckedOutside>, Vec<OutsideError>> {
    let Some(path) = &config.privacy.policy else { return Ok(None) };
    let policy = Arc::new(policy_keeper::read(path, clock.wall()).map_err(|error| vec![error.into()])?);
    let checked = chains::check(&config.outside, &Places::of(policy.clone()), &policy, credentials);
    let (kept, mut amiss) = checked.map_or_else(|amiss| (Vec::new(), amiss), |kept| (kept, Vec::new()));
    amiss.extend(roots(config.privacy.extra_roots.as_deref()).err());
    amiss.extend(prices(config.outside.budget.prices.as_deref()).err());
    if amiss.is_empty() { Ok(Some(CheckedOutside { policy, kept })) } else { Err(amiss) }
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

async fn count_today(door: &Door, vault: &Vault, zone: &TimeZone, policy: &Policy) -> Result<(), RegisterError> {
    if let Some(day) = door.uncounted_day() {
        door.count(spent_on(day, vault, zone, policy).await?);
    }
    Ok(())
}

/// What went out on a day and what it cost, from the register: its budget goes on
/// where it stood when the box went down, or its clock was set. Rows of later days
/// were written by a clock that was ahead, and are not this day's for weeks.
async fn spent_on(day: Date, vault: &Vault, zone: &TimeZone, policy: &Policy) -> Result<Spent, RegisterError> {
    // The calendar ends somewhere, and there nothing is left out.
    let since = beginning(day, zone).unwrap_or(Timestamp::UNIX_EPOCH);
    let until = day.tomorrow().ok().and_then(|next| beginning(next, zone)).unwrap_or(Timestamp::MAX);
    Ok(spent_of(day, vault.transfer_totals(since, until).await?, policy))
}

fn beginning(day: Date, zone: &TimeZone) -> Option<Timestamp> {
    let midnight = day.to_zoned_datetime(zone.clone()).and_then(|at| at.start_of_day());
    midnight.ok().map(|start| start.timestamp())
}

fn spent_of(day: Date, totals: Vec<TransferTotal>, policy: &Policy) -> Spent {
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
    use std::sync::atomic::{AtomicI64, Ordering};

    use jiff::civil::date;

    use super::*;
    use crate::egress::Usage;
    use crate::residency::{
        Carried, Contract, DataClass, Destination, Ground, Reported, Safeguards, Transfer, Verdict,
    };
    use crate::store::Keyring;
    use crate::terms::CallId;

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

    #[test]
    fn a_call_at_its_own_ceiling_is_told_to_who_looks_after_the_box() {
        let fact = |call_bytes| {
            let budget = Budget { call_bytes: Some(call_bytes), ..Budget::default() };
            let day = SystemClock::new().wall().to_zoned_datetime(TimeZone::UTC).date();
            let mut spent = Spent::nothing(day);
            let (ears, call) = (DestinationId::parse("deepgram").unwrap(), CallId::from_parts(1, [7; 10]));
            spent.add(day, &ears, Some(call), Sum { bytes: 1_000_000, money: Money::NONE });
            let policy = Policy::new(vec![to("deepgram", false)], Vec::new());
            let config = DoorConfig { budget, spent: Some(spent), ..DoorConfig::default() };
            budget_fact(&Door::new(Arc::new(policy), config))
        };
        let far = fact(20_000_000);
        assert_eq!(far.state, HealthState::Well, "{}", far.sentence);
        let near = fact(1_000_000);
        assert_eq!(near.state, HealthState::Impaired, "{}", near.sentence);
        assert!(near.sentence.contains("1 call came near its own ceiling of 1.0 MB"), "{}", near.sentence);
    }

    fn transfer(at: Timestamp, bytes: u64) -> Transfer {
        Transfer {
            at,
            call: None,
            destination: DestinationId::parse("deepgram").unwrap(),
            operator: "Somebody Ltd".to_owned(),
            country: "IE".to_owned(),
            carried: vec![Carried { class: DataClass::CallAudio, verdict: Verdict::Raw, ground: Ground::Contract }],
            verdict: Verdict::Raw,
            ground: Ground::Contract,
            rows: vec!["row-1".to_owned()],
            safeguards: Safeguards::default(),
            bytes_sent: bytes,
            bytes_received: 0,
            reported: Reported::default(),
            cost_nanos: 0,
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_set_forgets_nothing_of_the_day_that_it_is_set_to() {
        let dir = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let keyring = Keyring::create(&dir.path().join("key"), clock.wall()).unwrap();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.unwrap();
        let [stale, today, tomorrow, ahead]: [Timestamp; 4] =
            ["2026-11-05T08:00:00Z", "2026-11-26T20:00:00Z", "2026-11-27T20:00:00Z", "2027-11-26T20:00:00Z"]
                .map(|at| at.parse().unwrap());
        // The rows of a clock that was a year ahead are no day's of this year.
        vault.register(&[transfer(stale, 10), transfer(today, 90), transfer(ahead, 900)]).await.unwrap();

        let zone = TimeZone::UTC;
        let policy = Policy::new(vec![to("deepgram", false)], Vec::new());
        let second = Arc::new(AtomicI64::new(stale.as_second()));
        let read = second.clone();
        let set_clock = |now: Timestamp| second.store(now.as_second(), Ordering::Relaxed);
        let config = DoorConfig {
            budget: Budget { day_bytes: Some(100), ..Budget::default() },
            spent: Some(spent_on(date(2026, 11, 5), &vault, &zone, &policy).await.unwrap()),
            wall: Arc::new(move || Timestamp::from_second(read.load(Ordering::Relaxed)).unwrap()),
            ..DoorConfig::default()
        };
        let door = Door::new(Arc::new(policy.clone()), config);
        let count = async || count_today(&door, &vault, &zone, &policy).await.unwrap();
        count().await;
        assert_eq!(door.standing(None), Standing::Ample, "ten bytes, and not what came later");
        set_clock(today);
        count().await;
        assert_eq!(door.standing(None), Standing::Near);
        // Forward and back, with something used in between.
        set_clock(tomorrow);
        door.used(None, &DestinationId::parse("deepgram").unwrap(), Usage::Characters(1));
        assert_eq!(door.standing(None), Standing::Ample);
        set_clock(today);
        for _ in 0..2 {
            count().await;
            assert_eq!(door.spent().total(date(2026, 11, 26)).bytes, 90);
        }
        vault.close().await;
    }

    #[tokio::test]
    async fn a_day_of_which_the_register_cannot_be_read_is_said_to_be_counted_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let keyring = Keyring::create(&dir.path().join("key"), clock.wall()).unwrap();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.unwrap();
        let now: Timestamp = "2026-11-26T20:00:00Z".parse().unwrap();
        let policy = Policy::new(vec![to("deepgram", false)], Vec::new());
        let config = DoorConfig {
            spent: Some(Spent::nothing(date(2026, 11, 25))),
            wall: Arc::new(move || now),
            ..DoorConfig::default()
        };
        let door = Door::new(Arc::new(policy.clone()), config);
        let count = async || count_today(&door, &vault, &TimeZone::UTC, &policy).await;
        vault.do_to_index("ALTER TABLE transfers RENAME TO unreadable").await;
        count().await.unwrap_err();
        let fact = budget_fact(&door);
        assert_eq!(fact.state, HealthState::Impaired, "{}", fact.sentence);
        assert!(fact.sentence.contains("spent earlier today is not counted"), "{}", fact.sentence);
        vault.do_to_index("ALTER TABLE unreadable RENAME TO transfers").await;
        count().await.unwrap();
        let fact = budget_fact(&door);
        assert_eq!(fact.state, HealthState::Well, "{}", fact.sentence);
        vault.close().await;
    }
}
