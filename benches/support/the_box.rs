//! A box to measure, and a caller to measure it with.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use milu::ops::SystemClock;
use serde_json::Value;

use super::tables::{models_dir, root};

/// The program under measurement, built with the profile of the benchmark.
pub const MILU: &str = env!("CARGO_BIN_EXE_milu");

/// A box takes at most this long to start on the slowest machine that we build on.
const START_WITHIN: Duration = Duration::from_secs(60);

/// What a box's configuration says of engines outside.
#[derive(Default)]
pub struct Outside {
    /// Whole sections, as they stand in the file.
    pub sections: String,
    pub credentials: Option<PathBuf>,
}

/// A running box with the example clinic. Dropping it ends it.
pub struct BoxUnderTest {
    child: Child,
    place: tempfile::TempDir,
    pub address: String,
    /// From the start of the process to its first sign of life on the control socket.
    pub started_after: Duration,
}

impl BoxUnderTest {
    pub fn start(speech: &str) -> Self {
        let place = tempfile::tempdir().expect("a directory for the box");
        Self::start_in(place, speech)
    }

    /// Starts in a place that an earlier box has used, so that its greeting is rendered.
    pub fn start_in(place: tempfile::TempDir, speech: &str) -> Self {
        Self::start_with(place, speech, &Outside::default())
    }

    /// The same with engines outside the box.
    pub fn start_with(place: tempfile::TempDir, speech: &str, outside: &Outside) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let config = place.path().join("milu.toml");
        let text = config_text(place.path(), &address, speech) + &outside.sections;
        std::fs::write(&config, text).expect("the configuration");
        let clock = SystemClock::new();
        let began = clock.now();
        let mut command = Command::new(MILU);
        command.args(["run", "--config"]).arg(&config);
        if let Some(credentials) = &outside.credentials {
            command.arg("--credentials").arg(credentials);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the box starts");
        let mut started = Self { child, place, address, started_after: Duration::ZERO };
        while std::os::unix::net::UnixStream::connect(started.socket()).is_err() {
            assert!(clock.now().since(began) < START_WITHIN, "the box did not start");
            assert!(started.child.try_wait().expect("its state").is_none(), "the box ended at its start");
            std::thread::sleep(Duration::from_millis(5));
        }
        started.started_after = clock.now().since(began);
        started
    }

    pub fn socket(&self) -> PathBuf {
        self.place.path().join("control.sock")
    }

    /// Stops the box and gives its place back for another start.
    pub fn stop(mut self) -> tempfile::TempDir {
        self.end();
        std::mem::replace(&mut self.place, tempfile::tempdir().expect("a directory"))
    }

    fn end(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.child);
        if rustix::process::kill_process(pid, rustix::process::Signal::TERM).is_ok() {
            self.child.wait().expect("the box ends");
        }
    }

    /// Resident memory now, in megabytes.
    pub fn resident_mb(&self) -> f64 {
        self.status("VmRSS:")
    }

    /// The most that was ever resident, in megabytes.
    pub fn peak_mb(&self) -> f64 {
        self.status("VmHWM:")
    }

    fn status(&self, key: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let row = status.lines().find_map(|row| row.strip_prefix(key)).expect("the row");
        row.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
    }

    /// CPU seconds used so far.
    pub fn cpu_s(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("its stat");
        let after_name = stat.rsplit_once(')').expect("the name").1;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        // User and system time are the 14th and 15th field of the file, in ticks of 10 ms.
        let ticks = |i: usize| fields[i].parse::<f64>().expect("ticks");
        (ticks(11) + ticks(12)) / 100.0
    }

    /// Waits until every fixed sentence is rendered, as on a box that has been up
    /// for some minutes.
    pub fn warmed_up(&self) {
        loop {
            let doctor = self.ask(&["doctor", "--json"]);
            let facts = doctor["facts"].as_array().cloned().unwrap_or_default();
            let voice = facts.iter().find(|f| f["name"] == "voice").and_then(|f| f["sentence"].as_str());
            let counts: Vec<u32> = voice.unwrap_or("0 of 1").split(' ').filter_map(|w| w.parse().ok()).collect();
            if counts.first() == counts.get(1) {
                return;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// The record of the newest call.
    pub fn newest_record(&self) -> Value {
        let list = self.ask(&["calls", "--json"]);
        let id = list["calls"][0]["id"].as_str().expect("a call").to_owned();
        self.ask(&["calls", "show", &id, "--json"])
    }

    /// The record of the call of `number`, which is over for its caller; nothing where
    /// none is kept within a minute.
    pub fn record_of(&self, number: &str) -> Value {
        // The box writes the record after its caller has left.
        for _ in 0..600 {
            let list = self.ask(&["calls", "--json"]);
            let mut calls = list["calls"].as_array().into_iter().flatten();
            let theirs = calls.find(|call| call["from"].as_str().is_some_and(|from| from.ends_with(&number[1..])));
            if let Some(id) = theirs.and_then(|call| call["id"].as_str()) {
                return self.ask(&["calls", "show", id, "--json"]);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Value::Null
    }

    fn ask(&self, args: &[&str]) -> Value {
        let out = Command::new(MILU).arg("--control").arg(self.socket()).args(args).output().expect("milu runs");
        serde_json::from_slice(&out.stdout).expect("JSON")
    }

    /// A call of our own test caller; `steps` as on its command line.
    pub fn ring(&self, steps: &[String]) -> Call {
        self.ring_by("piper", steps)
    }

    /// The same with a voice of the test caller's.
    pub fn ring_by(&self, voice: &str, steps: &[String]) -> Call {
        let child = Command::new(MILU)
            .args([
                "call",
                &format!("sip:clinic@{}", self.address),
                "--json",
                "--no-transcript",
                "--voice",
                voice,
                "--models",
            ])
            .arg(models_dir())
            .args(steps)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the caller rings");
        Call(child)
    }
}

impl Drop for BoxUnderTest {
    fn drop(&mut self) {
        self.end();
    }
}

/// A call that is going on.
pub struct Call(Child);

impl Call {
    /// What the caller measured, when the call is over.
    pub fn ended(self) -> Value {
        let out = self.0.wait_with_output().expect("the caller ends");
        serde_json::from_slice(&out.stdout).expect("JSON of the call")
    }
}

fn config_text(place: &Path, address: &str, speech: &str) -> String {
    let root = root();
    let port: u16 = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    let first_rtp = 20_000 + (port % 100) * 200;
    format!(
        "[box]\nname = \"bench\"\nknowledge = \"{root}/firmware-config/knowledge/clinic.toml\"\n\
         data_dir = \"{place}/data\"\nmodels_dir = \"{models}\"\n\
         models_manifest = \"{root}/firmware-config/models.toml\"\n\
         control_socket = \"{place}/control.sock\"\ngrace_period_s = 0\n\
         [speech]\n{speech}\n\
         [[sip_line]]\nid = \"bench\"\nbind = \"{address}\"\nrtp_ports = [{first_rtp}, {last_rtp}]\ncalls_max = 40\n",
        root = root.display(),
        place = place.display(),
        models = models_dir().display(),
        last_rtp = first_rtp + 199,
    )
}

fn free_port() -> u16 {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("its address").port()
}

/// The value below which a share `p` of the values lies (nearest rank).
pub fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (p * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}
