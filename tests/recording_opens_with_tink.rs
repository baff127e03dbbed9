//! Google's Tink is the judge of our sound files: it opens one with the call's
//! key and refuses it damaged, cut, with swapped segments or in another place.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the helpers of tests are tests too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use milu::call::{CallRecord, MediaFacts, Outcome};
use milu::media::SampleRate;
use milu::store::{CallHeader, Keyring, Leg, SoundFile, Vault};
use milu::terms::{CallId, EndCause, LineId, Moment};

/// Version, encoding, two zeros, rate and position stand before the samples.
const HEADER_LEN: usize = 16;

/// The Python of the test environment, which the set-up of `make test` makes.
fn python() -> PathBuf {
    let path = std::env::var_os("MILU_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-python/bin/python"), PathBuf::from);
    assert!(
        path.exists(),
        "{} is missing: make it with tests/python/setup, or name another in MILU_TEST_PYTHON",
        path.display()
    );
    path
}

struct Sealed {
    key: String,
    file: SoundFile,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Sealed {
    fn open_with_tink(&self, associated_data: &[u8], bytes: &[u8]) -> Output {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stream");
        fs::write(&path, bytes).unwrap();
        Command::new(python())
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/open_with_tink.py"))
            .args([&self.key, &hex(associated_data), &self.file.segment_bytes.to_string()])
            .arg(path)
            .output()
            .unwrap()
    }

    fn opens(&self, bytes: &[u8]) -> Vec<u8> {
        let output = self.open_with_tink(&self.file.associated_data, bytes);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A refusal by Tink, told apart from a script that failed for another reason.
    fn refuses(&self, what: &str, associated_data: &[u8], bytes: &[u8]) {
        let output = self.open_with_tink(associated_data, bytes);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{what}: {said}");
        assert!(said.starts_with("refused:"), "{what}: {said}");
        assert!(output.stdout.is_empty(), "{what}");
    }
}

/// One kept call at 16 kHz: the caller's file and the samples in it.
async fn sealed(dir: &Path, samples: &[i16]) -> Sealed {
    let looks = AtomicU64::new(0);
    let clock = Arc::new(move || Moment::from_micros(looks.fetch_add(1, Ordering::Relaxed) * 10_000));
    let keyring = Keyring::create(&dir.join("master.key"), Timestamp::UNIX_EPOCH).unwrap();
    let vault = Vault::open(&dir.join("vault"), keyring, clock).await.unwrap();
    let (id, line) = (CallId::from_parts(1, [1; 10]), LineId::parse("front-desk").unwrap());
    let header = CallHeader { id, line: line.clone(), from: None, started_at: Timestamp::UNIX_EPOCH };
    let mut memory = vault.begin_call(&header).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 0).await.unwrap();
    memory.sound(Leg::Caller, samples);
    let record = CallRecord {
        id,
        line,
        from: None,
        started_at: Timestamp::UNIX_EPOCH,
        answered_after: None,
        ended_at: Timestamp::UNIX_EPOCH,
        end_cause: EndCause::NormalClearing,
        outcome: Outcome::Answered,
        turns: vec![],
        message: None,
        recording: None,
        media: MediaFacts::default(),
        wishes: Vec::new(),
        transferred: None,
    };
    memory.finish(record).await.unwrap();
    let key = hex(vault.sound_key(id).await.unwrap().expose());
    let file = vault.sound_files(id).await.unwrap().into_iter().find(|file| file.leg == Leg::Caller).unwrap();
    vault.close().await;
    Sealed { key, file }
}

#[tokio::test]
async fn tink_opens_a_recording_and_refuses_one_that_is_not_whole_and_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let samples: Vec<i16> = (0..48_000_i32).map(|n| i16::try_from(n * 31 % 30_000).unwrap()).collect();
    let sealed = sealed(dir.path(), &samples).await;
    let good = fs::read(&sealed.file.path).unwrap();
    let size = sealed.file.segment_bytes;

    let content = sealed.opens(&good);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert_eq!(content[HEADER_LEN..], bytes);

    let place = &sealed.file.associated_data;
    let mut flipped = good.clone();
    flipped[size * 3 + 5] ^= 0x20;
    sealed.refuses("a flipped bit", place, &flipped);
    sealed.refuses("a cut at the edge of a segment", place, &good[..size * 4]);
    sealed.refuses("a cut inside a segment", place, &good[..size * 4 + 100]);
    let mut swapped = good.clone();
    swapped[size..size * 2].copy_from_slice(&good[size * 2..size * 3]);
    swapped[size * 2..size * 3].copy_from_slice(&good[size..size * 2]);
    sealed.refuses("two swapped segments", place, &swapped);
    let elsewhere = String::from_utf8(place.clone()).unwrap().replace("/caller/", "/box/");
    sealed.refuses("the other leg's place", elsewhere.as_bytes(), &good);
}
