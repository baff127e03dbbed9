//! A box for the tests: the real program with the real engines, on ports that
//! the system chooses, in a directory of its own. Needs the models, in
//! `.models/` or where `MILU_MODELS` says.

#![allow(dead_code, reason = "each test file uses what it needs of it")]
#![allow(clippy::expect_used, clippy::panic, reason = "what tests share stands outside of them")]

pub mod callers;
pub mod sounds;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub const MILU: &str = env!("CARGO_BIN_EXE_milu");

/// Longer than anything here takes, even on a machine that does much else. It
/// bounds a failure; no test passes or fails by how fast something was.
pub const PATIENCE: Duration = Duration::from_secs(240);

/// Between two looks at something that tells nobody when it changes.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Events of a box that a test has not read yet.
const EVENTS: usize = 1024;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn models_dir() -> PathBuf {
    let dir = std::env::var_os("MILU_MODELS").map_or_else(|| root().join(".models"), PathBuf::from);
    assert!(dir.exists(), "{} is missing: `make test` fetches the models, or set MILU_MODELS", dir.display());
    std::path::absolute(dir).expect("a path")
}

pub fn bakery() -> PathBuf {
    root().join("firmware-config/knowledge/bakery.md")
}

/// Looks until `found` gives something.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(now() < deadline, "in vain: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

#[expect(clippy::disallowed_methods, reason = "the deadline of a test is in the test's own time")]
pub fn now() -> Instant {
    Instant::now()
}

/// What the configuration of a box says. The paths are those of the place in
/// which the box is started, where they are not set here.
pub struct Setup {
    pub knowledge: PathBuf,
    pub models: PathBuf,
    pub data_dir: Option<PathBuf>,
    pub bind: String,
    pub grace_period_s: u32,
    pub calls_heard_max: u32,
    pub rtp_timeout_ms: u32,
    /// More of it, as it stands in the file.
    pub more: &'static str,
    /// Whole sections of it, as they stand in the file.
    pub sections: String,
    /// The directory of credentials.
    pub credentials: Option<PathBuf>,
    /// The level of the log.
    pub log: &'static str,
    /// Somebody rings it, so that it needs the cores for itself.
    pub is_rung: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            knowledge: bakery(),
            models: models_dir(),
            data_dir: None,
            bind: "127.0.0.1:0".to_owned(),
            grace_period_s: 0,
            calls_heard_max: 4,
            rtp_timeout_ms: 30_000,
            more: "",
            sections: String::new(),
            credentials: None,
            log: "info",
            is_rung: true,
        }
    }
}

impl Setup {
    /// Writes the configuration into `place`, and says where it is.
    pub fn write(&self, place: &Path) -> PathBuf {
        let file = place.join("milu.toml");
        let data_dir = self.data_dir.clone().unwrap_or_else(|| place.join("data"));
        let text = format!(
            "[box]\nname = \"test\"\nknowledge = {knowledge:?}\ndata_dir = {data_dir:?}\nmodels_dir = {models:?}\n\
             models_manifest = {manifest:?}\ncontrol_socket = {socket:?}\ngrace_period_s = {grace}\n{more}\n\
             [speech]\ncalls_heard_max = {heard}\n\
             [[sip_line]]\nid = \"front-desk\"\nbind = \"{bind}\"\nrtp_ports = [20000, 29998]\nrtp_timeout_ms = {rtp}\n{sections}",
            knowledge = self.knowledge,
            models = self.models,
            manifest = root().join("firmware-config/models.toml"),
            socket = place.join("control.sock"),
            grace = self.grace_period_s,
            more = self.more,
            heard = self.calls_heard_max,
            bind = self.bind,
            rtp = self.rtp_timeout_ms,
            sections = self.sections,
        );
        std::fs::write(&file, text).expect("the configuration is written");
        file
    }
}

/// The right to run a box that is rung: one at a time on this machine, whichever test it is
/// for. Two would fight for the cores, and a box without cores rightly treats
/// its callers in other ways than the tests expect.
fn turn_to_run() -> File {
    let lock = File::create(std::env::temp_dir().join("milu-one-box-at-a-time")).expect("a file");
    lock.lock().expect("a lock");
    lock
}

/// A running box. Dropping it kills it.
pub struct TheBox {
    pub place: TempDir,
    child: Child,
    /// Where it takes calls: host and port.
    pub address: String,
    /// Held for as long as the box is.
    _turn: Option<File>,
}

impl TheBox {
    pub fn start(setup: &Setup) -> Self {
        Self::start_in(tempfile::tempdir().expect("a directory"), setup)
    }

    /// Starts in a place that a box may have used before.
    pub fn start_in(place: TempDir, setup: &Setup) -> Self {
        let config = setup.write(place.path());
        let mut command = Command::new(MILU);
        command.args(["run", "--config"]).arg(config);
        if let Some(credentials) = &setup.credentials {
            command.arg("--credentials").arg(credentials);
        }
        Self::start_by(&mut command, place, setup)
    }

    /// Starts by a command that becomes the box.
    pub fn start_by(command: &mut Command, place: TempDir, setup: &Setup) -> Self {
        let turn = setup.is_rung.then(turn_to_run);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(place.path().join("log")).expect("a log");
        let child = command
            .env("MILU_LOG", setup.log)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("milu runs");
        let mut started = Self { place, child, address: String::new(), _turn: turn };
        until("the box answers on its control socket", || {
            let ended = started.child.try_wait().expect("its state");
            assert!(ended.is_none(), "the box ended at its start:\n{}", started.log());
            std::os::unix::net::UnixStream::connect(started.socket()).ok()
        });
        let lines = started.json(&["lines", "--json"]);
        let address = lines["lines"][0]["address"].as_str().expect("a line has an address");
        started.address = address.rsplit(' ').next().expect("words").to_owned();
        started
    }

    pub fn path(&self) -> &Path {
        self.place.path()
    }

    pub fn socket(&self) -> PathBuf {
        self.path().join("control.sock")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// All that the box has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).expect("the log is text")
    }

    /// A command about this box.
    pub fn milu(&self, args: &[&str]) -> Output {
        Command::new(MILU).arg("--control").arg(self.socket()).args(args).output().expect("milu runs")
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.milu(args);
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("one JSON document")
    }

    /// The records of all calls that are over, newest first.
    pub fn records(&self) -> Vec<Value> {
        let list = self.json(&["calls", "--json"]);
        let calls = list["calls"].as_array().expect("a list");
        calls.iter().map(|call| self.json(&["calls", "show", text(&call["id"]), "--json"])).collect()
    }

    /// The record of the call of `number`, when the call is over.
    pub fn record_of(&self, number: &str) -> Value {
        let is_theirs = |record: &Value| record["from"].as_str().is_some_and(|from| from.ends_with(number));
        until("the call's record is kept", || self.records().into_iter().find(is_theirs))
    }

    pub fn watch(&self) -> Watch {
        Watch::start(&self.socket())
    }

    /// The number of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the box is there to be told");
    }

    /// How the box ended, when it ends.
    pub fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the box ends", || child.try_wait().expect("its state"))
    }

    /// Stops the box as its service does, and gives its place back.
    pub fn stop(mut self) -> TempDir {
        self.signal(Signal::TERM);
        let status = self.ended();
        assert!(status.success(), "{status}:\n{}", self.log());
        self.give_place()
    }

    /// Kills the box, as a power cut would, and gives its place back.
    pub fn kill(mut self) -> TempDir {
        self.signal(Signal::KILL);
        self.ended();
        self.give_place()
    }

    fn give_place(&mut self) -> TempDir {
        std::mem::replace(&mut self.place, tempfile::tempdir().expect("a directory"))
    }
}

impl Drop for TheBox {
    fn drop(&mut self) {
        // It may have ended before.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `milu calls watch`: what happens on a box while it happens.
pub struct Watch {
    child: Child,
    events: Receiver<Value>,
}

impl Watch {
    fn start(socket: &Path) -> Self {
        let mut child = Command::new(MILU)
            .arg("--control")
            .arg(socket)
            .args(["calls", "watch", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("milu runs");
        let rows = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, events) = sync_channel(EVENTS);
        let read = move || {
            for row in rows.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&row).expect("a row is JSON");
                if tell.send(event).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("watch".to_owned()).spawn(read).expect("a thread");
        Self { child, events }
    }

    /// The next event for which `wanted` is true.
    pub fn until(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = now() + PATIENCE;
        loop {
            match self.events.recv_timeout(deadline.saturating_duration_since(now())) {
                Ok(event) if wanted(&event) => return event,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("in vain: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the box went before: {what}"),
            }
        }
    }

    /// The next turn of the box in any call.
    pub fn box_turn(&self) -> Value {
        self.until("the box says something", |event| event["event"] == "turn" && event["turn"]["who"] == "box")
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended with its box.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the box, or the caller, said in a call.
pub fn said<'a>(record: &'a Value, who: &str) -> Vec<&'a str> {
    let turns = record["turns"].as_array().expect("turns");
    turns.iter().filter(|turn| turn["who"] == who).map(|turn| text(&turn["text"])).collect()
}
