//! What the service manager is told: ready, stopping, a status, and that the
//! media clock still ticks. Without a service manager it says nothing.

use std::time::Duration;

use ::systemd::daemon;
use thiserror::Error;
use tracing::{error, warn};

use super::Stop;

/// A status is one short row in `systemctl status`.
const STATUS_MAX_CHARS: usize = 200;

#[derive(Debug, Error)]
#[error("telling the service manager that the box is {what}")]
pub struct NotifyError {
    what: &'static str,
    #[source]
    source: ::systemd::Error,
}

#[derive(Debug, Error)]
#[error("reading the watchdog's interval that the service manager set")]
pub struct WatchdogError(#[source] ::systemd::Error);

/// The service manager, if one started us (`NOTIFY_SOCKET` is set). Each call
/// gives whether it was told: false without one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Systemd;

impl Systemd {
    /// The box answers calls from now on.
    pub fn ready(self) -> Result<bool, NotifyError> {
        tell("ready", daemon::STATE_READY, "1")
    }

    /// The box takes no more calls and will end.
    pub fn stopping(self) -> Result<bool, NotifyError> {
        tell("stopping", daemon::STATE_STOPPING, "1")
    }

    /// One row for `systemctl status`: counts and states, nobody's number.
    pub fn status(self, row: &str) -> Result<bool, NotifyError> {
        // A line break would begin another assignment, and a zero ends the text.
        let row: String = row.chars().filter(|c| !c.is_control()).take(STATUS_MAX_CHARS).collect();
        tell("well", daemon::STATE_STATUS, &row)
    }

    /// The watchdog's interval (`WATCHDOG_USEC`); none if it is off.
    pub fn watchdog(self) -> Result<Option<Duration>, WatchdogError> {
        let micros = daemon::watchdog_enabled().map_err(WatchdogError)?;
        Ok((micros > 0).then(|| Duration::from_micros(micros)))
    }

    /// Feeds the watchdog until the stop has ended, three times in each
    /// `interval`, and only while the media clock's last tick is fresh:
    /// `tick_age` gives its age. A box whose clock stands still is deaf and
    /// mute to every caller, and is better started again.
    pub async fn feed_watchdog<A>(self, interval: Duration, tick_age: A, stop: Stop)
    where
        A: Fn() -> Duration + Send,
    {
        feed(interval, tick_age, stop, || {
            if let Err(error) = tell("alive", daemon::STATE_WATCHDOG, "1") {
                warn!(%error, "the watchdog was not fed");
            }
        })
        .await;
    }
}

async fn feed<A, W>(interval: Duration, tick_age: A, stop: Stop, mut pat: W)
where
    A: Fn() -> Duration + Send,
    W: FnMut() + Send,
{
    // A third, so that one late round is no restart; and a tick that is older
    // than a round missed some dozens of its 20 ms.
    let round = interval / 3;
    let mut was_fresh = true;
    loop {
        let is_fresh = tick_age() <= round;
        if is_fresh {
            pat();
        } else if was_fresh {
            error!("the media clock stands still; the watchdog is not fed");
        }
        was_fresh = is_fresh;
        tokio::select! {
            () = stop.ended() => return,
            () = tokio::time::sleep(round) => {}
        }
    }
}

fn tell(what: &'static str, key: &str, value: &str) -> Result<bool, NotifyError> {
    daemon::notify([(key, value)].iter()).map_err(|source| NotifyError { what, source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// The environment is the process's, so a child plays the daemon and the
    /// test the service manager.
    const CHILD: &str = "ops::systemd::tests::the_daemon_that_the_notify_test_starts";

    #[test]
    #[ignore = "the other half of what_the_daemon_tells_arrives_at_the_service_managers_socket"]
    fn the_daemon_that_the_notify_test_starts() {
        assert_eq!(Systemd.watchdog().expect("an interval"), Some(Duration::from_secs(2)));
        assert!(Systemd.ready().expect("told"));
        assert!(Systemd.status("2 callers\nREADY=0\0").expect("told"));
        assert!(Systemd.stopping().expect("told"));
    }

    #[test]
    fn what_the_daemon_tells_arrives_at_the_service_managers_socket() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let child = Command::new(std::env::current_exe().expect("our own path"))
            .args(["--exact", CHILD, "--ignored"])
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "2000000")
            .env_remove("WATCHDOG_PID")
            .output()
            .expect("the daemon runs");
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        socket.set_nonblocking(true).expect("non-blocking");
        let mut told = Vec::new();
        let mut buffer = [0; 512];
        while let Ok(len) = socket.recv(&mut buffer) {
            told.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
        }
        assert_eq!(told, ["READY=1", "STATUS=2 callersREADY=0", "STOPPING=1"]);
    }

    /// Runs the feeder for `rounds` looks at the media clock; gives how often it fed.
    async fn fed(age: Duration, rounds: u32) -> u32 {
        let stop = Stop::new(Duration::ZERO);
        let (looks, pats) = (AtomicU32::new(0), AtomicU32::new(0));
        let look = || {
            if looks.fetch_add(1, Ordering::Relaxed) + 1 == rounds {
                stop.end_now();
            }
            age
        };
        feed(Duration::from_millis(3), look, stop.clone(), || {
            pats.fetch_add(1, Ordering::Relaxed);
        })
        .await;
        pats.into_inner()
    }

    #[tokio::test]
    async fn the_watchdog_is_fed_each_round_while_the_media_clock_ticks() {
        assert_eq!(fed(Duration::ZERO, 4).await, 4);
    }

    #[tokio::test]
    async fn the_watchdog_starves_when_the_media_clock_stands_still() {
        assert_eq!(fed(Duration::from_secs(1), 4).await, 0);
    }
}
