//! The vault from outside: what is kept comes back, what is written is
//! unreadable without the key, and a crash loses little and invents nothing.
//!
//! Every test closes its vault at the end: libcrypto cleans up when a process
//! exits, and a thread of the index that still works then crashes it.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the helpers of tests are tests too")]

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
    CallRecord, EngineStage, Engines, Failover, Gap, GapReason, Latency, MediaFacts, Message, Outcome, Recording,
    Speaker, Transferred, Turn, WhyLeft, Wish, Wished,
};
use milu::media::SampleRate;
use milu::residency::{CallerWish, Destination, DestinationId, Host, Safeguards};
use milu::store::journal::{Entry, Kind};
use milu::store::{
    CallHeader, Clock, HearAgain, HearingFault, KeptText, Keyring, Leg, OpenError, OutgoingText, ReadError,
    RenderingKey, Rendition, SecondHearing, TextEnd, TextTry, Vault, Waiting,
};
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

fn failover(stage: EngineStage) -> Failover {
    let (from, to) = ("anthropic".to_owned(), "knowledge-onbox".to_owned());
    Failover { stage, from, to, why: WhyLeft::FirstTokenDeadline, after: Duration::from_millis(1300) }
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
        failovers: if who == Speaker::Box {
            vec![failover(EngineStage::Mind), failover(EngineStage::Voice)]
        } else {
            Vec::new()
        },
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
        wishes: Vec::new(),
        transferred: None,
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

/// The whole recording of the first call, as it is read piece by piece.
async fn play(vault: &Vault) -> Result<Vec<u8>, ReadError> {
    let mut wav = vault.wav(call(1), &Leg::BOTH).await?;
    let mut whole = Vec::new();
    while let Some(piece) = wav.next().await {
        whole.extend(piece?);
    }
    assert_eq!(whole.len() as u64, wav.bytes());
    Ok(whole)
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
    assert_eq!(legs_of(play(&vault).await.unwrap()), sound);
    vault.close().await;
}

#[tokio::test]
async fn calls_are_listed_newest_first_and_an_unfinished_one_is_not_listed() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    for n in 1..=3 {
        vault.begin_call(&header(n)).await.unwrap().finish(record(n)).await.unwrap();
    }
    let _unfinished = vault.begin_call(&header(4)).await.unwrap();
    let ids = async |since, until, limit| -> Vec<CallId> {
        vault.list(since, until, limit).await.unwrap().into_iter().map(|call| call.id).collect()
    };
    assert_eq!(ids(None, None, 10).await, [call(3), call(2), call(1)]);
    assert_eq!(ids(None, None, 1).await, [call(3)]);
    assert_eq!(ids(Some(at(2)), None, 10).await, [call(3), call(2)]);
    assert_eq!(ids(None, Some(at(3)), 10).await, [call(2), call(1)], "what began at that time is not before it");
    assert_eq!(ids(Some(at(2)), Some(at(3)), 10).await, [call(2)]);
    assert!(matches!(vault.show(call(4)).await, Err(ReadError::Unknown(_))));
    assert!(matches!(play(&vault).await, Err(ReadError::NotRecorded(_))));
    vault.close().await;
}

#[tokio::test]
async fn no_word_or_number_of_a_caller_can_be_read_in_any_file_of_the_vault() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    let said = Entry { at_ms: 900, kind: Kind::Heard, words: Some(Private::new(CANARY.to_owned())) };
    memory.journal(&said).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 0).await.unwrap();
    // The canary as sound: kept bit for bit, so it would be found.
    let spoken: Vec<i16> = CANARY.as_bytes().chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
    (0..2_000).for_each(|_| memory.sound(Leg::Caller, &spoken));
    let key = RenderingKey::of(&Rendition {
        text: Private::new(CANARY.to_owned()),
        voice: "ada".to_owned(),
        rate: SampleRate::Hz16000,
        pace: 1.0,
    });
    assert!(vault.keep_rendering(&key, &spoken).await.unwrap());
    assert_eq!(vault.rendering(&key).await.unwrap(), Some(spoken));
    memory.finish(record(1)).await.unwrap();

    // Looked at while the write-ahead log is still there, too.
    let files = files_below(&dir.path().join("vault"));
    assert!(files.iter().any(|path| path.to_string_lossy().ends_with("-wal")), "{files:?}");
    for path in files {
        let bytes = fs::read(&path).unwrap();
        for secret in [CANARY, NUMBER, "Adaeze", "whisper-onbox", "CREATE TABLE"] {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} stands in {}", path.display());
        }
    }
    vault.close().await;
}

#[tokio::test]
async fn everything_in_the_vault_is_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.start_recording(SampleRate::Hz8000, 0).await.unwrap();
    memory.sound(Leg::Caller, &tone(Leg::Caller, 0, 8_000));
    memory.finish(record(1)).await.unwrap();
    let root = dir.path().join("vault");
    for path in files_below(&root) {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    for path in [&root, &root.join("recordings"), &root.join("recordings").join(call(1).as_str())] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700, "{}", path.display());
    }
    vault.close().await;
}

#[tokio::test]
async fn a_vault_does_not_open_with_the_keyring_of_another_box() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    open(dir.path()).await.close().await;
    let refused = Vault::open(&dir.path().join("vault"), keyring(other.path()), clock()).await.unwrap_err();
    assert!(matches!(refused, OpenError::OtherKeyring { .. }), "{refused}");
    // Without the note of whose it is, the index itself refuses the key.
    fs::remove_file(dir.path().join("vault/keyring")).unwrap();
    let refused = Vault::open(&dir.path().join("vault"), keyring(other.path()), clock()).await.unwrap_err();
    assert!(refused.to_string().contains("another key"), "{refused}");
}

#[tokio::test]
async fn a_damaged_or_unencrypted_index_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await.close().await;
    let index = dir.path().join("vault/index.db");
    let good = fs::read(&index).unwrap();
    let mut damaged = good.clone();
    damaged[20..400].fill(0x55);
    fs::write(&index, damaged).unwrap();
    let refused = Vault::open(&dir.path().join("vault"), keyring(dir.path()), clock()).await.unwrap_err();
    assert!(refused.to_string().contains("damaged"), "{refused}");
    let mut plain = good;
    plain[..16].copy_from_slice(b"SQLite format 3\0");
    fs::write(&index, plain).unwrap();
    let refused = Vault::open(&dir.path().join("vault"), keyring(dir.path()), clock()).await.unwrap_err();
    assert!(refused.to_string().contains("not encrypted"), "{refused}");
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let lock = dir.path().join("vault/lock");
    let other = |lock: &Path| Command::new("flock").arg("-n").arg(lock).arg("true").status().unwrap();
    assert!(!other(&lock).success());
    vault.close().await;
    drop(vault);
    let mut holder = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo held; read _"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let refused = Vault::open(&dir.path().join("vault"), keyring(dir.path()), clock()).await.unwrap_err();
    assert!(matches!(refused, OpenError::InUse(_)), "{refused}");
    holder.stdin.take().unwrap().write_all(b"\n").unwrap();
    holder.wait().unwrap();
    open(dir.path()).await.close().await;
}

#[tokio::test]
async fn a_call_cut_off_by_a_crash_gets_its_end_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    let words = |at_ms, kind| Entry { at_ms, kind, words: Some(Private::new(CANARY.to_owned())) };
    for entry in [
        Entry::plain(0, Kind::Offered),
        Entry::plain(400, Kind::Answered),
        words(900, Kind::Said),
        Entry::plain(1_000, Kind::RecordingStarted),
        words(4_400, Kind::Heard),
        words(9_400, Kind::MessageTaken),
    ] {
        memory.journal(&entry).await.unwrap();
    }
    memory.start_recording(SampleRate::Hz8000, 600).await.unwrap();
    memory.sound(Leg::Caller, &tone(Leg::Caller, 0, 32_000));
    vault.close().await;
    drop((memory, vault));

    let vault = open(dir.path()).await;
    assert_eq!(vault.recovered(), [call(1)]);
    let record = vault.show(call(1)).await.unwrap();
    assert_eq!((record.end_cause, record.outcome), (EndCause::TemporaryFailure, Outcome::Message));
    assert_eq!(record.answered_after, Some(Duration::from_millis(400)));
    assert_eq!(record.turns.iter().map(|turn| turn.who).collect::<Vec<_>>(), [Speaker::Box, Speaker::Caller]);
    assert_eq!(record.turns[1].text.expose(), CANARY);
    assert_eq!(record.message.unwrap().text.expose(), CANARY);
    let recording = record.recording.unwrap();
    // The box's leg never had a sample, so the gap begins with the recording.
    assert_eq!(recording.gaps, [Gap { from_ms: 600, to_ms: 9_000, reason: GapReason::PowerCut }]);
    vault.close().await;
    drop(vault);
    let vault = open(dir.path()).await;
    assert_eq!(vault.recovered(), []);
    vault.close().await;
}

#[tokio::test]
async fn a_message_keeps_its_name_its_number_and_its_place_in_the_sound_through_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let taken = record(1).message.unwrap();
    for n in [1, 2] {
        let mut memory = vault.begin_call(&header(n)).await.unwrap();
        memory.journal(&Entry::plain(0, Kind::Answered)).await.unwrap();
        if n == 1 {
            memory.start_recording(SampleRate::Hz8000, 0).await.unwrap();
        }
        memory.journal(&Entry::message_taken(9_400, &taken)).await.unwrap();
    }
    vault.close().await;
    drop(vault);

    let vault = open(dir.path()).await;
    assert_eq!(vault.show(call(1)).await.unwrap().message, Some(taken.clone()));
    // Of a call that was not recorded there is no sound to point into.
    assert_eq!(vault.show(call(2)).await.unwrap().message, Some(Message { sound: None, ..taken }));
    vault.close().await;
}

const CHILD: &str = "MILU_STORE_TEST_CHILD";

/// The process to be killed: feeds both legs at the pace of a call and says how far it is.
async fn feed_until_killed(dir: &Path) {
    let vault = open(dir).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.start_recording(SampleRate::Hz8000, 0).await.unwrap();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for frame in 0.. {
        pace.tick().await;
        for leg in Leg::BOTH {
            memory.sound(leg, &tone(leg, frame * 160, 160));
        }
        println!("fed {}", (frame + 1) * 20);
    }
}

#[tokio::test]
async fn a_killed_process_loses_at_most_250_ms_of_sound_and_invents_none() {
    if let Some(dir) = std::env::var_os(CHILD) {
        feed_until_killed(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_process_loses_at_most_250_ms_of_sound_and_invents_none", "--nocapture"])
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let fed = |line: Result<String, _>| line.unwrap().split("fed ").nth(1).and_then(|ms| ms.parse::<u64>().ok());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reached = lines.by_ref().filter_map(fed).find(|ms| *ms >= 2_500).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let vault = open(dir.path()).await;
    let recording = vault.show(call(1)).await.unwrap().recording.unwrap();
    assert_eq!(recording.gaps.len(), 1);
    let gap = &recording.gaps[0];
    assert!(gap.from_ms + 250 >= reached, "fed {reached} ms, kept {} ms", gap.from_ms);
    let legs = legs_of(play(&vault).await.unwrap());
    for (leg, kept) in Leg::BOTH.into_iter().zip(legs) {
        assert!(kept.len() as u64 / 8 >= gap.from_ms);
        let whole = usize::try_from(gap.from_ms).unwrap() * 8;
        for (kept, sent) in kept[..whole].iter().zip(tone(leg, 0, whole)) {
            // A-law's steps are 1/32 of the value.
            assert!((i32::from(*kept) - i32::from(sent)).abs() <= 16 + i32::from(sent).abs() / 32);
        }
    }
    vault.close().await;
}

/// A vault with one finished call of two seconds, and the caller's only sound file.
async fn with_one_recording(dir: &Path) -> PathBuf {
    let vault = open(dir).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 0).await.unwrap();
    for leg in Leg::BOTH {
        memory.sound(leg, &tone(leg, 0, 32_000));
    }
    memory.finish(record(1)).await.unwrap();
    let files = vault.sound_files(call(1)).await.unwrap();
    vault.close().await;
    files[0].path.clone()
}

#[tokio::test]
async fn sound_taken_away_or_changed_after_it_was_safe_is_tampering() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_one_recording(dir.path()).await;
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[5_000] ^= 1;
    for bad in [Some(&flipped[..]), Some(&good[..512 * 7]), Some(&good[..good.len() - 1]), None] {
        match bad {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let vault = open(dir.path()).await;
        let refused = play(&vault).await.unwrap_err();
        assert!(matches!(refused, ReadError::Tampered { leg: "caller", number: 0, .. }), "{refused}");
        vault.close().await;
    }
    fs::write(&path, &good).unwrap();
    let vault = open(dir.path()).await;
    assert!(play(&vault).await.is_ok());
    vault.close().await;
}

#[tokio::test]
async fn a_recording_is_read_a_minute_at_a_time_and_a_leg_that_ends_early_is_silent_then() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 0).await.unwrap();
    // A little more than one file of the caller, and less than one of the box: as much
    // as the recorder's queue takes at once.
    let lens = [Leg::Caller, Leg::Box].map(|leg| (leg, if leg == Leg::Caller { 65 * 16_000 } else { 10 * 16_000 }));
    for (leg, len) in lens {
        for from in (0..len).step_by(16_000) {
            memory.sound(leg, &tone(leg, from, 16_000));
        }
    }
    memory.finish(record(1)).await.unwrap();
    let mut wav = vault.wav(call(1), &Leg::BOTH).await.unwrap();
    let mut pieces = Vec::new();
    while let Some(piece) = wav.next().await {
        pieces.push(piece.unwrap());
    }
    let minute = 60 * 16_000 * 2 * 2;
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [44, minute, minute / 12]);
    let [caller, boxed] = legs_of(pieces.concat());
    assert_eq!(caller, tone(Leg::Caller, 0, 65 * 16_000));
    assert_eq!(boxed[..160_000], tone(Leg::Box, 0, 160_000));
    assert!(boxed[160_000..].iter().all(|sample| *sample == 0) && boxed.len() == caller.len());
    // One leg alone has one channel.
    let alone = vault.wav(call(1), &[Leg::Box]).await.unwrap();
    assert_eq!(alone.bytes(), 44 + 2 * 160_000);
    vault.close().await;
}

#[tokio::test]
async fn one_leg_is_read_without_the_other_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = with_one_recording(dir.path()).await;
    fs::remove_file(path).unwrap();
    let vault = open(dir.path()).await;
    let (rate, sound) = vault.leg_sound(call(1), Leg::Box).await.unwrap();
    assert_eq!((rate, sound), (SampleRate::Hz16000, tone(Leg::Box, 0, 32_000)));
    let refused = vault.leg_sound(call(1), Leg::Caller).await.unwrap_err();
    assert!(matches!(refused, ReadError::Tampered { leg: "caller", number: 0, .. }), "{refused}");
    vault.close().await;
}

#[tokio::test]
async fn a_crash_does_not_excuse_sound_that_is_missing_below_the_high_water_mark() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.start_recording(SampleRate::Hz16000, 0).await.unwrap();
    for leg in Leg::BOTH {
        memory.sound(leg, &tone(leg, 0, 32_000));
    }
    vault.close().await;
    drop((memory, vault));
    let vault = open(dir.path()).await;
    let file = vault.sound_files(call(1)).await.unwrap().remove(0);
    assert!(play(&vault).await.is_ok());
    let bytes = fs::read(&file.path).unwrap();
    fs::write(&file.path, &bytes[..bytes.len() - file.segment_bytes]).unwrap();
    let refused = play(&vault).await.unwrap_err();
    assert!(matches!(refused, ReadError::Tampered { leg: "caller", number: 0, .. }), "{refused}");
    vault.close().await;
}

/// Ears in the business's own network.
fn ears_server() -> Destination {
    Destination {
        id: DestinationId::parse("server").unwrap(),
        operator: "our own".to_owned(),
        hosts: vec![Host::parse("192.168.1.20:10300").unwrap()],
        country: "on-site".to_owned(),
        on_site: true,
        contract: None,
        safeguards: Safeguards::default(),
        pins: Vec::new(),
    }
}

#[tokio::test]
async fn a_call_to_be_heard_again_waits_through_a_restart_until_its_words_are_kept() {
    let due = |second| HearAgain { due_at: at(second), places: vec![ears_server()] };
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    for n in 1..=2 {
        let mut memory = vault.begin_call(&header(n)).await.unwrap();
        memory.start_recording(SampleRate::Hz8000, 0).await.unwrap();
        memory.hear_again(due(i64::from(n) * 100));
        memory.finish(record(n)).await.unwrap();
        assert_eq!(vault.waiting_to_be_heard_again().await.unwrap(), u64::from(n));
    }
    // There is no sound of the third, and the fourth is cut off.
    let mut unrecorded = vault.begin_call(&header(3)).await.unwrap();
    unrecorded.hear_again(due(50));
    unrecorded.finish(record(3)).await.unwrap();
    let mut cut_off = vault.begin_call(&header(4)).await.unwrap();
    cut_off.start_recording(SampleRate::Hz8000, 0).await.unwrap();
    cut_off.hear_again(due(50));
    vault.close().await;
    drop((cut_off, vault));

    let vault = open(dir.path()).await;
    assert_eq!(vault.recovered(), [call(4)]);
    assert_eq!(vault.waiting_to_be_heard_again().await.unwrap(), 2);
    assert_eq!(vault.next_to_hear_again(at(99)).await.unwrap(), None);
    let waiting = |n, tries, disk_tries, ears_tries, others_heard| {
        Some(Waiting { call: call(n), tries, disk_tries, ears_tries, others_heard, places: Some(vec![ears_server()]) })
    };
    assert_eq!(vault.next_to_hear_again(at(300)).await.unwrap(), waiting(1, 0, 0, 0, false));
    vault.postpone_hearing(call(1), at(300), HearingFault::Ears).await.unwrap();
    vault.postpone_hearing(call(1), at(400), HearingFault::Disk).await.unwrap();
    assert_eq!(vault.next_to_hear_again(at(300)).await.unwrap(), waiting(2, 0, 0, 0, false));
    let heard = SecondHearing {
        turn: 0,
        words: Private::new(CANARY.to_owned()),
        engine: "deepgram".to_owned(),
        heard_at: at(301),
    };
    vault.settle_hearing(call(2), std::slice::from_ref(&heard)).await.unwrap();
    assert_eq!(vault.second_hearings(call(2)).await.unwrap(), [heard]);
    assert_eq!(vault.waiting_to_be_heard_again().await.unwrap(), 1);
    assert_eq!(vault.next_to_hear_again(at(400)).await.unwrap(), waiting(1, 2, 1, 0, true));
    // The disk's fault says nothing of the ears.
    for (fault, disk_tries, ears_tries, others_heard) in
        [(HearingFault::Disk, 2, 0, true), (HearingFault::Ears, 2, 1, false), (HearingFault::Ears, 2, 1, false)]
    {
        vault.postpone_hearing(call(1), at(400), fault).await.unwrap();
        let next = vault.next_to_hear_again(at(400)).await.unwrap().unwrap();
        assert_eq!((next.disk_tries, next.ears_tries, next.others_heard), (disk_tries, ears_tries, others_heard));
    }
    vault.settle_hearing(call(1), &[]).await.unwrap();
    assert_eq!(vault.waiting_to_be_heard_again().await.unwrap(), 0);
    vault.close().await;
    for path in files_below(dir.path()) {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()), "{}", path.display());
    }
}

#[tokio::test]
async fn a_call_that_was_queued_while_the_clock_stood_ahead_is_due_once_it_is_right_and_not_before_others() {
    const DAY_S: i64 = 24 * 3600;
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    for (n, due_at) in [(1, at(3650 * DAY_S)), (2, at(10)), (3, at(DAY_S / 2))] {
        let mut memory = vault.begin_call(&header(n)).await.unwrap();
        memory.start_recording(SampleRate::Hz8000, 0).await.unwrap();
        memory.hear_again(HearAgain { due_at, places: vec![ears_server()] });
        memory.finish(record(n)).await.unwrap();
    }
    for next in [Some(call(2)), Some(call(1)), None] {
        let due = vault.next_to_hear_again(at(20)).await.unwrap().map(|waiting| waiting.call);
        assert_eq!(due, next);
        if let Some(due) = due {
            vault.settle_hearing(due, &[]).await.unwrap();
        }
    }
    vault.close().await;
}

#[tokio::test]
async fn a_promised_text_message_waits_through_a_restart_and_is_forgotten_once_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let text = OutgoingText {
        call: Some(call(1)),
        to: PhoneNumber::parse(NUMBER, "234").unwrap(),
        text: Private::new("Sunrise Family Clinic: 14 Akinwunmi Street".to_owned()),
    };
    {
        let vault = open(dir.path()).await;
        vault.begin_call(&header(1)).await.unwrap();
        vault.texts().enqueue(&text, at(10)).await.unwrap().expect("there is room");
        vault.close().await;
    }
    let vault = open(dir.path()).await;
    assert_eq!(vault.texts().due(at(9), 1).await.unwrap(), [], "it is not due yet");
    let waiting = vault.texts().due(at(10), 1).await.unwrap().pop().expect("it waits");
    assert_eq!((&waiting.text, waiting.tries), (&text, 0));
    vault.texts().postpone(waiting.id, at(60), TextTry::Failed, "the network was busy").await.unwrap();
    assert_eq!(vault.texts().due(at(59), 1).await.unwrap(), [], "it is due later");
    let again = vault.texts().due(at(60), 1).await.unwrap().pop().expect("it waits");
    assert_eq!((again.tries, again.unknown, again.why.as_deref()), (1, 0, Some("the network was busy")));
    vault.texts().postpone(again.id, at(70), TextTry::NotBegun, "no line is ready").await.unwrap();
    assert_eq!(vault.texts().due(at(70), 1).await.unwrap()[0].tries, 1, "it was not tried");
    vault.texts().settle(again.id, &TextEnd::Sent, at(71)).await.unwrap();
    assert_eq!(vault.texts().waiting_count().await.unwrap(), 0);
    assert_eq!(vault.texts().ended(10).await.unwrap(), [], "what was sent is forgotten");
    vault.close().await;
}

#[tokio::test]
async fn a_text_that_a_modem_had_when_the_power_went_is_known_to_be_unknown_and_one_that_had_none_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let text = |words: &str| OutgoingText {
        call: None,
        to: PhoneNumber::parse(NUMBER, "234").unwrap(),
        text: Private::new(words.to_owned()),
    };
    {
        let vault = open(dir.path()).await;
        let given = vault.texts().enqueue(&text("with the modem"), at(1)).await.unwrap().unwrap();
        vault.texts().enqueue(&text("on the disk"), at(2)).await.unwrap().unwrap();
        vault.texts().give(given).await.unwrap();
        vault.close().await;
    }
    let vault = open(dir.path()).await;
    assert_eq!(vault.texts().take_back(at(9), "the box stopped").await.unwrap(), 1);
    assert_eq!(vault.texts().take_back(at(9), "the box stopped").await.unwrap(), 0, "once");
    let waiting = vault.texts().waiting(10).await.unwrap();
    let shown: Vec<_> = waiting.iter().map(|w| (w.text.text.expose().as_str(), w.unknown, w.promised_at)).collect();
    assert_eq!(shown, [("on the disk", 0, at(2)), ("with the modem", 1, at(1))]);
    let twice = TextEnd::MayBeTwice { why: "the box stopped".to_owned() };
    vault.texts().settle(waiting[1].id, &twice, at(12)).await.unwrap();
    let given_up = TextEnd::GivenUp { why: "refused for good".to_owned() };
    vault.texts().settle(waiting[0].id, &given_up, at(13)).await.unwrap();
    let ended = vault.texts().ended(10).await.unwrap();
    assert_eq!(
        ended.iter().map(|e| (e.ended_at, e.end.clone())).collect::<Vec<_>>(),
        [(at(13), given_up), (at(12), twice)]
    );
    vault.close().await;
}

#[tokio::test]
async fn parts_of_text_messages_are_counted_for_the_line_that_sent_them() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let (front, back) = (LineId::parse("front").unwrap(), LineId::parse("back").unwrap());
    for second in [61, 62, 63] {
        vault.texts().count_part(&front, at(second)).await.unwrap();
    }
    vault.texts().count_part(&back, at(63)).await.unwrap();
    assert_eq!(vault.texts().parts_since(&front, at(62)).await.unwrap(), 2);
    assert_eq!(vault.texts().parts_since(&back, at(0)).await.unwrap(), 1);
    vault.close().await;
}

#[tokio::test]
async fn text_messages_that_came_are_kept_newest_first() {
    let dir = tempfile::tempdir().unwrap();
    let kept = |n: i64| KeptText {
        line: LineId::parse("sim").unwrap(),
        from: Private::new(NUMBER.to_owned()),
        text: Private::new(format!("text {n}")),
        received_at: at(n),
        for_program: false,
    };
    {
        let vault = open(dir.path()).await;
        for n in 1..=3 {
            vault.texts().keep(&kept(n)).await.unwrap();
        }
        vault.close().await;
    }
    let vault = open(dir.path()).await;
    assert_eq!(vault.texts().received(2).await.unwrap(), [kept(3), kept(2)]);
    vault.close().await;
}

/// All that a caller can wish, each at its time.
fn all_wishes() -> Vec<Wished> {
    (0..).zip(Wish::ALL).map(|(n, wish)| Wished { at_ms: 1_000 * n, wish }).collect()
}

#[tokio::test]
async fn what_a_caller_wished_and_what_was_withheld_come_back_with_the_record() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let mut memory = vault.begin_call(&header(1)).await.unwrap();
    memory.start_recording(SampleRate::Hz8000, 700).await.unwrap();
    for leg in Leg::BOTH {
        memory.sound(leg, &tone(leg, 0, 8_000));
    }
    let withheld = Gap { from_ms: 900, to_ms: 1_200, reason: GapReason::Withheld };
    let recording = Recording { from_ms: 700, duration_ms: 1_000, gaps: vec![withheld] };
    let record = CallRecord { wishes: all_wishes(), recording: Some(recording.clone()), ..record(1) };
    let kept = memory.finish(record).await.unwrap();
    assert_eq!(kept.recording, Some(recording));
    assert_eq!(vault.show(call(1)).await.unwrap(), kept);
    assert_eq!(kept.wishes, all_wishes());
    vault.close().await;
}

#[tokio::test]
async fn a_wish_outlives_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let memory = vault.begin_call(&header(1)).await.unwrap();
    memory.journal(&Entry::plain(400, Kind::Answered)).await.unwrap();
    let restricts = Wish::OfData(CallerWish::Restricts);
    memory.journal(&Entry::plain(5_400, Kind::Wished(restricts))).await.unwrap();
    vault.close().await;
    drop((memory, vault));
    let vault = open(dir.path()).await;
    let record = vault.show(call(1)).await.unwrap();
    assert_eq!(record.wishes, [Wished { at_ms: 5_000, wish: restricts }]);
    assert!(!record.may_be_heard_again());
    vault.close().await;
}

#[tokio::test]
async fn that_a_person_listened_is_known_after_the_call_and_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let memory = vault.begin_call(&header(1)).await.unwrap();
    for entry in [
        Entry::plain(400, Kind::Answered),
        Entry::plain(5_400, Kind::Listened),
        Entry::plain(9_000, Kind::MessageTaken),
        Entry::plain(9_400, Kind::Listened),
    ] {
        memory.journal(&entry).await.unwrap();
    }
    let cut_off = vault.begin_call(&header(2)).await.unwrap();
    cut_off.journal(&Entry::plain(700, Kind::Listened)).await.unwrap();
    memory.finish(record(1)).await.unwrap();
    assert_eq!(vault.listened(call(1)).await.unwrap(), [5_400, 9_400]);
    vault.close().await;
    drop((cut_off, vault));
    let vault = open(dir.path()).await;
    assert_eq!(vault.recovered(), [call(2)]);
    assert_eq!(vault.listened(call(2)).await.unwrap(), [700]);
    assert_eq!(vault.listened(call(3)).await.unwrap(), [0; 0]);
    vault.close().await;
}

#[tokio::test]
async fn to_whom_a_caller_was_handed_is_known_after_the_call_and_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let vault = open(dir.path()).await;
    let to = || Private::new("Sister Ngozi Eze".to_owned());
    let handed = |at_ms| Entry { at_ms, kind: Kind::Transferred, words: Some(to()) };
    let mut memories = Vec::new();
    for n in [1, 2] {
        let memory = vault.begin_call(&header(n)).await.unwrap();
        memory.journal(&Entry::plain(412, Kind::Answered)).await.unwrap();
        memory.journal(&handed(9_412)).await.unwrap();
        memories.push(memory);
    }
    let cut_off = memories.pop();
    memories.remove(0).finish(record(1)).await.unwrap();
    let transferred = Some(Transferred { at_ms: 9_000, to: to() });
    assert_eq!(vault.show(call(1)).await.unwrap(), CallRecord { transferred: transferred.clone(), ..record(1) });
    vault.close().await;
    drop((cut_off, vault));
    let vault = open(dir.path()).await;
    let record = vault.show(call(2)).await.unwrap();
    assert_eq!((record.outcome, record.transferred), (Outcome::Transferred, transferred));
    vault.close().await;
}
