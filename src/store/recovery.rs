//! After a crash: calls that have no end get one, from what the journal
//! promised and from the sound that is on the disk. Nothing is invented: what
//! is not known to have been kept is a gap.

use std::time::Duration;

use super::index::Index;
use super::journal::{Entry, Kind};
use super::keyring::{CallKey, Keyring};
use super::playback::{self, LegSound};
use super::recorder::LOSS_MAX_MS;
use super::records::{self, CallHeader, KeptRecording, ReadRowError, RowError};
use super::sound::{self, Leg, Place};
use crate::call::{
    CallRecord, Engines, Gap, GapReason, Latency, MediaFacts, Message, Outcome, Recording, Speaker, Turn, Wished,
};
use crate::terms::{CallId, EndCause};

/// Finishing the calls of a process that ended too early failed.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    #[error("finishing calls that a crash cut off: {0}")]
    Read(#[from] ReadRowError),
    #[error("finishing calls that a crash cut off: {0}")]
    Write(#[from] RowError),
}

/// Finishes every call without an end, and says which. What is wrong with one
/// call, or with the disk, must not keep the box from answering: such a call stays
/// as it is until the next start.
pub(super) async fn run(
    index: &Index,
    keyring: &Keyring,
    recordings: &std::path::Path,
) -> Result<Vec<CallId>, RecoveryError> {
    let mut finished = Vec::new();
    for call in records::unfinished(index).await? {
        match finish_one(index, keyring, recordings, call).await {
            Ok(Finished::Now) => finished.push(call),
            Ok(Finished::Not) => {}
            Err(error) => tracing::error!(%call, %error, "a cut-off call could not be finished; it stays as it is"),
        }
    }
    Ok(finished)
}

/// Whether a call was given its end.
enum Finished {
    Now,
    Not,
}

async fn finish_one(
    index: &Index,
    keyring: &Keyring,
    recordings: &std::path::Path,
    call: CallId,
) -> Result<Finished, RecoveryError> {
    let Some(keyed) = records::keyed_header(index, call).await? else { return Ok(Finished::Not) };
    let Ok(key) = keyring.open_call_key(call, keyed.epoch, &keyed.wrapped) else {
        tracing::error!(%call, "the key of a cut-off call does not open; it stays as it is");
        return Ok(Finished::Not);
    };
    let journal = records::journal(index, call, &key.words).await?;
    let recording = match records::recording(index, call).await? {
        Some(kept) => Some(cut_recording(index, keyring, recordings, &key, call, &kept, &journal).await?),
        None => None,
    };
    let record = cut_record(keyed.header, &journal, recording);
    // It is not heard again: the journal has neither when its caller spoke nor what the
    // box had asked, by which a number is known and taken out.
    records::finish(index, &key.words, &record, None).await?;
    tracing::warn!(%call, "a call was cut off by a crash or a power cut; its record is finished");
    Ok(Finished::Now)
}

async fn cut_recording(
    index: &Index,
    keyring: &Keyring,
    recordings: &std::path::Path,
    key: &CallKey,
    call: CallId,
    kept: &KeptRecording,
    journal: &[Entry],
) -> Result<Recording, RecoveryError> {
    let marks = records::marks(index, call).await?;
    let from_ms = kept.recording.from_ms;
    let mut ends = [from_ms; 2];
    for leg in Leg::BOTH {
        let place = Place { dir: sound::call_dir(recordings, call), owner: keyring.id().to_owned(), call, leg };
        match playback::read_leg(&place, &key.sound, &marks) {
            Ok(LegSound { samples, tampered, .. }) => {
                ends[leg.index()] = from_ms + sound::ms(samples.len() as u64, kept.rate);
                if tampered.is_some() {
                    tracing::error!(%call, leg = leg.name(), "sound that was safe on the disk is missing");
                }
            }
            Err(error) => tracing::error!(%call, %error, "the sound of a cut-off call cannot be read"),
        }
    }
    Ok(with_gap(from_ms, ends, last_ms_after_answer(journal)))
}

/// The gap begins where the shorter leg ends, and reaches to the last moment
/// at which the call is known, or may have been, alive.
fn with_gap(from_ms: u64, ends: [u64; 2], alive_ms: u64) -> Recording {
    let cut = ends[0].min(ends[1]);
    let to_ms = (cut + LOSS_MAX_MS).max(ends[0]).max(ends[1]).max(alive_ms);
    let gap = Gap { from_ms: cut, to_ms, reason: GapReason::PowerCut };
    Recording { from_ms, duration_ms: ends[0].max(ends[1]) - from_ms, gaps: vec![gap] }
}

fn answered_ms(journal: &[Entry]) -> Option<u64> {
    journal.iter().find(|entry| entry.kind == Kind::Answered).map(|entry| entry.at_ms)
}

fn last_ms_after_answer(journal: &[Entry]) -> u64 {
    let last = journal.last().map_or(0, |entry| entry.at_ms);
    last.saturating_sub(answered_ms(journal).unwrap_or(last))
}

fn cut_record(header: CallHeader, journal: &[Entry], recording: Option<Recording>) -> CallRecord {
    let answered = answered_ms(journal);
    let sound_end = recording.as_ref().map_or(0, |kept| answered.unwrap_or(0) + kept.from_ms + kept.duration_ms);
    let last = journal.last().map_or(0, |entry| entry.at_ms).max(sound_end);
    let has = |kind| journal.iter().any(|entry| entry.kind == kind);
    let outcome = match (has(Kind::MessageTaken), has(Kind::Transferred)) {
        (true, _) => Outcome::Message,
        (false, true) => Outcome::Transferred,
        (false, false) => Outcome::Failed,
    };
    let message = journal.iter().rev().find_map(Entry::message).map(|message| Message {
        // Sound that was not recorded is nowhere to be heard.
        sound: message.sound.filter(|_| recording.is_some()),
        ..message
    });
    CallRecord {
        id: header.id,
        line: header.line,
        from: header.from,
        started_at: header.started_at,
        answered_after: answered.map(Duration::from_millis),
        ended_at: records::after(header.started_at, last),
        end_cause: EndCause::TemporaryFailure,
        outcome,
        turns: journal.iter().filter_map(|entry| turn(entry, answered.unwrap_or(0))).collect(),
        message,
        recording,
        media: MediaFacts::default(),
        wishes: journal.iter().filter_map(|entry| wished(entry, answered.unwrap_or(0))).collect(),
        transferred: journal.iter().find_map(|entry| entry.transferred(answered.unwrap_or(0))),
    }
}

/// What the caller wished holds beyond the crash.
fn wished(entry: &Entry, answered_ms: u64) -> Option<Wished> {
    let Kind::Wished(wish) = entry.kind else { return None };
    Some(Wished { at_ms: entry.at_ms.saturating_sub(answered_ms), wish })
}

/// What the journal knows of a turn: who, what and when it was written down.
fn turn(entry: &Entry, answered_ms: u64) -> Option<Turn> {
    let who = match entry.kind {
        Kind::Heard => Speaker::Caller,
        Kind::Said => Speaker::Box,
        Kind::Offered
        | Kind::Answered
        | Kind::NoticePlayed
        | Kind::RecordingStarted
        | Kind::MessageTaken
        | Kind::TextPromised
        | Kind::Transferred
        | Kind::Listened
        | Kind::Wished(_)
        | Kind::Ended => return None,
    };
    let at = entry.at_ms.saturating_sub(answered_ms);
    Some(Turn {
        who,
        text: entry.words.clone()?,
        started_ms: at,
        ended_ms: at,
        interrupted: false,
        engines: Engines::default(),
        latency: Latency::default(),
        failovers: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::store::Vault;
    use crate::terms::{LineId, Moment};

    #[test]
    fn the_gap_of_a_cut_recording_begins_where_the_shorter_leg_ends() {
        let recording = with_gap(500, [3_500, 3_400], 0);
        assert_eq!(recording.duration_ms, 3_000);
        assert_eq!(recording.gaps, [Gap { from_ms: 3_400, to_ms: 3_650, reason: GapReason::PowerCut }]);
    }

    #[test]
    fn the_gap_reaches_to_the_last_promise_in_the_journal() {
        assert_eq!(with_gap(0, [0, 0], 9_000).gaps[0].to_ms, 9_000);
    }

    async fn open(dir: &Path) -> Vault {
        let keyring = Keyring::open_or_create(&dir.join("master.key"), Timestamp::UNIX_EPOCH).unwrap();
        Vault::open(&dir.join("vault"), keyring, Arc::new(|| Moment::START)).await.unwrap()
    }

    /// A vault in which three calls have no end.
    async fn cut_off(dir: &Path) -> (Vault, [CallId; 3]) {
        let vault = open(dir).await;
        let calls = [1_u8, 2, 3].map(|n| CallId::from_parts(u64::from(n), [n; 10]));
        for id in calls {
            let line = LineId::parse("front-desk").unwrap();
            let header = CallHeader { id, line, from: None, started_at: Timestamp::UNIX_EPOCH };
            vault.begin_call(&header).await.unwrap().journal(&Entry::plain(1, Kind::Answered)).await.unwrap();
        }
        (vault, calls)
    }

    #[tokio::test]
    async fn a_call_that_cannot_be_finished_keeps_neither_the_box_nor_the_others_from_starting() {
        for damage in [
            "UPDATE journal SET kind = 'what is this' WHERE number = 1",
            "UPDATE journal SET at_ms = -1 WHERE number = 1",
            "UPDATE calls SET line = '' WHERE id = (SELECT min(id) FROM calls)",
            // As a disk that takes no more.
            "CREATE TRIGGER refused BEFORE UPDATE ON calls WHEN NEW.id = (SELECT min(id) FROM calls)
             BEGIN SELECT RAISE(ABORT, 'no'); END",
        ] {
            let dir = tempfile::tempdir().unwrap();
            let (vault, calls) = cut_off(dir.path()).await;
            vault.do_to_index(damage).await;
            vault.close().await;
            drop(vault);
            let vault = open(dir.path()).await;
            assert_eq!(vault.recovered(), &calls[1..], "{damage}");
            vault.close().await;
        }
    }
}
