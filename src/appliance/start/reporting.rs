//! What a running box looks at every few seconds and says of itself: its disk, its parts, the
//! file of its policy and the engines outside. It stops nothing, and no call waits for it.

use std::sync::Arc;
use std::time::Duration;

use crate::appliance::config::Config;
use crate::appliance::outside::{Chains, Outside};
use crate::appliance::second_hearing::SecondHearings;
use crate::ops::{Health, HealthFact, HealthState, Stop, Supervisor};
use crate::store::Vault;

/// Less free disk than this (an hour of both legs, several times over) is said.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// A policy that was changed is seen this long after, at the latest.
const OUTSIDE_EVERY: Duration = Duration::from_secs(5);

/// Then it is looked at again, and is in force: a file that comes over a far uplink comes
/// in pieces, a round trip apart.
const SETTLES_WITHIN: Duration = Duration::from_secs(2);

/// Health changes slowly; a technician looks once in a while.
const HEALTH_EVERY: Duration = Duration::from_secs(10);

pub(super) fn report_health(supervisor: &Supervisor, health: &Health, vault: &Vault, config: &Config, stop: Stop) {
    let (health, vault) = (health.clone(), vault.clone());
    let data_dir = config.data_dir.display().to_string();
    let own = supervisor.clone();
    drop(supervisor.spawn("health", async move {
        while !stop.is_ended() {
            health.state(disk_fact(&vault, &data_dir));
            health.state(tasks_fact(&own));
            tokio::select! {
                () = tokio::time::sleep(HEALTH_EVERY) => {}
                () = stop.ended() => return,
            }
        }
    }));
}

/// Looks at the policy's file and at the engines outside, and says how they are.
pub(super) fn report_outside(
    supervisor: &Supervisor,
    health: &Health,
    outside: Option<Outside>,
    chains: Option<Arc<Chains>>,
    second_hearing: Option<Arc<SecondHearings>>,
    stop: Stop,
) {
    if let Some(second_hearing) = second_hearing.clone() {
        drop(supervisor.spawn("second-hearings", second_hearing.run()));
    }
    let Some(outside) = outside else { return };
    let health = health.clone();
    let (mut unlooked, mut uncounted) = (LastFailure::default(), LastFailure::default());
    drop(supervisor.spawn("outside", async move {
        while !stop.is_ended() {
            if let Some(error) = unlooked.new_in(&outside.keeper.look_again(&outside.door).await) {
                tracing::warn!(
                    %error,
                    "the residency policy's file, or its signature, is not taken over, or what is in force not kept"
                );
            }
            health.state(outside.keeper.fact());
            let policy = outside.keeper.in_force();
            chains.iter().flat_map(|chains| chains.facts(&policy)).for_each(|fact| health.state(fact));
            if let Some(error) = uncounted.new_in(&outside.count_today().await) {
                tracing::warn!(%error, "what was spent earlier today could not be counted");
            }
            health.state(outside.budget_fact());
            health.state(outside.register_fact());
            outside.door.close_idle();
            if let Some(second) = &second_hearing {
                health.state(second.fact().await);
            }
            let wait = if outside.keeper.is_unsettled() { SETTLES_WITHIN } else { OUTSIDE_EVERY };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.ended() => return,
            }
        }
    }));
}

/// What a thing that is done every few seconds failed of last: the log has it once,
/// until it is another.
#[derive(Default)]
struct LastFailure(Option<String>);

impl LastFailure {
    /// The failure, if the log has yet to be told of it.
    fn new_in<'e, E: std::fmt::Display>(&mut self, outcome: &'e Result<(), E>) -> Option<&'e E> {
        let failure = outcome.as_ref().err();
        let said = failure.map(ToString::to_string);
        let is_new = said != self.0;
        self.0 = said;
        failure.filter(|_| is_new)
    }
}

fn disk_fact(vault: &Vault, data_dir: &str) -> HealthFact {
    let (state, sentence) = match vault.free_bytes() {
        Ok(free) if free < FREE_BYTES_MIN => (
            HealthState::Impaired,
            format!("{} MB are free for {data_dir}; make room, or calls will not be recorded.", free >> 20),
        ),
        Ok(free) => (HealthState::Well, format!("{} GB are free for {data_dir}.", free >> 30)),
        Err(error) => (HealthState::Failed, format!("{data_dir} cannot be looked at ({error}); check the disk.")),
    };
    HealthFact { name: "disk".to_owned(), state, sentence }
}

fn tasks_fact(supervisor: &Supervisor) -> HealthFact {
    let panics = supervisor.panics();
    let (state, sentence) = match panics {
        0 => (HealthState::Well, "no part has failed since the start.".to_owned()),
        n => (
            HealthState::Impaired,
            format!("{n} parts have failed since the start; the log says which. Please report it."),
        ),
    };
    HealthFact { name: "program".to_owned(), state, sentence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_is_told_once_until_it_is_another_or_comes_back() {
        let mut last = LastFailure::default();
        let failed = |why: &'static str| Err::<(), _>(why);
        assert_eq!(last.new_in(&failed("full")), Some(&"full"));
        assert_eq!(last.new_in(&failed("full")), None);
        assert_eq!(last.new_in(&failed("damaged")), Some(&"damaged"));
        assert_eq!(last.new_in(&Ok::<(), &str>(())), None);
        assert_eq!(last.new_in(&failed("damaged")), Some(&"damaged"));
    }
}
