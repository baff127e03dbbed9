//! The vault from outside: what is kept comes back, what is written is
//! unreadable without the key, and a crash loses little and invents nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use milu::call::{
    CallRecord, Engines, Gap, GapReason, Latency, MediaFacts, Message, Outcome, Recording, Speaker, Turn,
};
use milu::media::SampleRate;
use milu::store::journal::{Entry, Kind};
use milu::store::{CallHeader, Clock, Keyring, Leg, OpenError, ReadError, RenderingKey, Rendition, Vault};
use milu::terms::{CallId, EndCause, LineId, Moment, PhoneNumber, Private};

const CANARY: &str = "the heron stands on the jollof";
const NUMBER: &str = "+2348031234567";

/// A clock that moves 10 ms whenever it is looked at: commits follow from work done.
fn clock() -> Clock {
    let looks = Arc::new(AtomicU64::new(0));
    Arc::new(move || Moment::from_micros(looks.fetch_add(1, Ordering::Relaxed) * 10_000))
}

fn call(n: u8) -> CallId {
    CallId::from_parts(1_795_471_200_000 + u64::from(n), [n; 10])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_471_200 + second).unwrap()
}

fn header(n: u8) -> CallHeader {
    CallHeader {
        id: call(n),
        line: LineId::parse("front-desk").unwrap(),
        from: PhoneNumber::parse(NUMBER, "234").ok(),
        started_at: at(i64::from(n)),
    }
}

fn turn(who: Speaker, text: &str) -> Turn {
    Turn {
        who,
        text: Private::new(text.to_owned()),
        started_ms: 1_200,
        ended_ms: 2_600,
        interrupted: who == Speaker::Box,
        engines: Engines { transcriber: Some("whisper-onbox".to_owned()), ..Engines::default() },
        latency: Latency { voice_to_voice_ms: Some(812), ..Latency::default() },
    }
}

fn record(n: u8) -> CallRecord {
    let CallHeader { id, line, from, started_at } = header(n);
    CallRecord {
        id,
        line,
        from: from.clone(),
        started_at,
        answered_after: Some(Duration::from_micros(412_345)),
        ended_at: at(90),
        end_cause: EndCause::NormalClearing,
        outcome: Outcome::Message,
        turns: vec![turn(Speaker::Caller, CANARY), turn(Speaker::Box, "good day")],
        message: Some(Message {
            name: Some(Private::new("Adaeze".to_owned())),
            callback: from,
            text: Private::new(CANARY.to_owned()),
            sound: Some((2_000, 4_000)),
        }),
        recording: None,
        media: MediaFacts { codec: Some("PCMA".to_owned()), packets_lost: 3, jitter_ms: 1.5, mos: Some(4.25) },
    }
}

fn keyring(dir: &Path) -> Keyring {
    Keyring::open_or_create(&dir.join("master.key"), at(0)).unwrap()
}

async fn open(dir: &Path) -> Vault {
    Vault::open(&dir.join("vault"), keyring(dir), clock()).await.unwrap()
}

/// A sound that tells every millisecond from every other, loud enough for A-law.
fn tone(leg: Leg, from: usize, len: usize) -> Vec<i16> {
    let step = if leg == Leg::Caller { 977 } else { 1_231 };
    (from..from + len).map(|n| i16::try_from((n * step) % 50_000).map_or(20_000, |v| v) - 10_000).collect()
}

/// Left and right of a stereo WAV.
fn legs_of(wav: Vec<u8>) -> [Vec<i16>; 2] {
    let mut reader = hound::WavReader::new(std::io::Cursor::new(wav)).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    [0, 1].map(|side| samples.iter().skip(side).step_by(2).copied().collect())
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test]
async fn a_call_comes_back_as_it_was_kept() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.journal(&Entry::plain(400, Kind::Answered)).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 700).await.unwrap();
    let sound = Leg::BOTH.map(|leg| tone(leg, 0, 16_000));
    for leg in Leg::BOTH {
        sound[usize::from(leg == Leg::Box)].chunks(320).for_each(|frame| memory.sound(leg, frame));
    }
    let kept = memory.finish(record(1)).await.unwrap();
    assert_eq!(kept.recording, Some(Recording { from_ms: 700, duration_ms: 1_000, gaps: vec![] }));
    vault.close().await;

    drop(vault);
    let vault = open(dir.path()).await;
    assert_eq!(vault.recovered(), []);
    assert_eq!(vault.show(call(1)).await.unwrap(), kept);
    assert_eq!(legs_of(vault.play(call(1)).await.unwrap()), sound);
}
