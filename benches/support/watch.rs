//! What happens on a box under test, for a benchmark that waits for it.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::the_box::MILU;

/// What happens on the box, as it happens. Dropping it ends it.
pub struct Watch {
    child: Child,
    rows: Lines<BufReader<ChildStdout>>,
}

impl Watch {
    /// `socket` is the box's control socket.
    pub fn of(socket: &Path) -> Self {
        let mut child = Command::new(MILU)
            .arg("--control")
            .arg(socket)
            .args(["calls", "watch", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("milu runs");
        let rows = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, rows }
    }

    /// Waits for so many events for which `wanted` is true. It waits for ever for
    /// what never happens: a benchmark is watched by who runs it.
    pub fn wait_for(&mut self, count: usize, wanted: impl Fn(&Value) -> bool) {
        let events = self.rows.by_ref().map_while(Result::ok).filter_map(|row| serde_json::from_str(&row).ok());
        let seen = events.filter(|event: &Value| wanted(event)).take(count).count();
        assert_eq!(seen, count, "the box ended before");
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended with its box.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
