//! Calls as rows of the index, and back. Words, names and numbers that a caller
//! gave are sealed under the call's own key before they become a column.

use jiff::{SignedDuration, Timestamp};
use sqlx::{Connection, SqliteConnection};
use thiserror::Error;

mod reading;

pub use reading::ReadRowError;
pub(super) use reading::{KeptRecording, journal, keyed_header, list, listened, marks, record, recording, unfinished};

use super::catch_up::{self, HearAgain};
use super::index::{Index, IndexError};
use super::journal::{Entry, Kind};
use super::keyring::{Key, RandomFailed};
use super::{v1, v2, v3, v4};
use crate::call::{CallRecord, Failover, Message, Outcome, Recording, Turn, Wished};
use crate::media::SampleRate;
use crate::terms::{CallId, EndCause, LineId, PhoneNumber, Private};

/// What is known of a call when it is offered.
#[derive(Clone, Debug, PartialEq)]
pub struct CallHeader {
    pub id: CallId,
    pub line: LineId,
    /// The caller's number, if the line gave one.
    pub from: Option<PhoneNumber>,
    pub started_at: Timestamp,
}

/// A finished call in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSummary {
    pub id: CallId,
    pub line: LineId,
    pub from: Option<PhoneNumber>,
    pub started_at: Timestamp,
    pub ended_at: Timestamp,
    pub outcome: Outcome,
    pub end_cause: EndCause,
}

/// A row that could not be written.
#[derive(Debug, Error)]
pub enum RowError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("sealing the words of a call: {0}")]
    Random(#[from] RandomFailed),
    #[error("writing the facts of a call as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

pub(super) fn place(call: CallId, table: &str, number: i64) -> Vec<u8> {
    format!("milu/1/words/{call}/{table}/{number}").into_bytes()
}

pub(super) fn ns(at: Timestamp) -> i64 {
    // Nanoseconds fit 64 bits until the year 2262.
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

pub(super) async fn begin(
    index: &Index,
    header: &CallHeader,
    epoch: u32,
    wrapped_key: Vec<u8>,
) -> Result<(), IndexError> {
    sqlx::query(
        "INSERT INTO calls (id, line, from_number, started_at_ns, key_epoch, wrapped_key) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .bind(header.id.as_str())
    .bind(header.line.as_str())
    .bind(header.from.as_ref().map(PhoneNumber::expose))
    .bind(ns(header.started_at))
    .bind(epoch)
    .bind(wrapped_key)
    .execute(&index.write)
    .await
    .map_err(IndexError::sql("writing down that a call began"))?;
    Ok(())
}

/// The journal's place does not name the row, whose number is not known yet.
const JOURNAL_PLACE: i64 = 0;

pub(super) async fn add_entry(index: &Index, call: CallId, key: &Key, entry: &Entry) -> Result<(), RowError> {
    let seal = |words: &Private<String>| key.seal(words.expose().as_bytes(), &place(call, "journal", JOURNAL_PLACE));
    let sealed = entry.words.as_ref().map(seal).transpose()?;
    sqlx::query("INSERT INTO journal (call, at_ms, kind, sealed) VALUES (?, ?, ?, ?)")
        .bind(call.as_str())
        .bind(v1::integer(entry.at_ms))
        .bind(v4::kind_name(entry.kind))
        .bind(sealed)
        .execute(&index.write)
        .await
        .map_err(IndexError::sql("writing the journal of a call"))?;
    Ok(())
}

pub(super) async fn begin_recording(
    index: &Index,
    call: CallId,
    rate: SampleRate,
    from_ms: u64,
) -> Result<(), IndexError> {
    sqlx::query("INSERT INTO recordings (call, rate_hz, from_ms, gaps) VALUES (?, ?, ?, '[]')")
        .bind(call.as_str())
        .bind(rate.hz())
        .bind(v1::integer(from_ms))
        .execute(&index.write)
        .await
        .map_err(IndexError::sql("writing down that a recording began"))?;
    Ok(())
}

/// Writes the record of a call that has ended, all of it or nothing, and that the call
/// is to be heard again, if it is.
pub(super) async fn finish(
    index: &Index,
    key: &Key,
    record: &CallRecord,
    hear_again: Option<&HearAgain>,
) -> Result<(), RowError> {
    let acquiring = IndexError::sql("writing the record of a call");
    let mut connection = index.write.acquire().await.map_err(acquiring)?;
    let finished = finish_all(&mut connection, key, record, hear_again).await;
    if finished.is_err() {
        // SQLite rolls back by itself when the disk is full, and the library does
        // not see it: it would refuse every later transaction of this connection.
        connection.close_on_drop();
    }
    finished
}

async fn finish_all(
    connection: &mut SqliteConnection,
    key: &Key,
    record: &CallRecord,
    hear_again: Option<&HearAgain>,
) -> Result<(), RowError> {
    let doing = "writing the record of a call";
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    finish_call(&mut transaction, record).await?;
    for (number, turn) in (0_i64..).zip(&record.turns) {
        add_turn(&mut transaction, record.id, number, turn, key).await?;
    }
    if let Some(message) = &record.message {
        add_message(&mut transaction, record.id, message, key).await?;
    }
    if let Some(recording) = &record.recording {
        finish_recording(&mut transaction, record.id, recording).await?;
    }
    for (number, wished) in (0_i64..).zip(&record.wishes) {
        add_wish(&mut transaction, record.id, number, *wished).await?;
    }
    // The record now holds the words; the journal keeps only what happened when, and to
    // whom a caller was handed, which stands nowhere else.
    sqlx::query("UPDATE journal SET sealed = NULL WHERE call = ? AND kind != ?")
        .bind(record.id.as_str())
        .bind(v4::kind_name(Kind::Transferred))
        .execute(&mut *transaction)
        .await
        .map_err(IndexError::sql(doing))?;
    if let Some(hear_again) = hear_again
        && !catch_up::enqueue(&mut transaction, record.id, hear_again).await?
    {
        tracing::debug!(call = %record.id, "a call is not queued to be heard again");
    }
    transaction.commit().await.map_err(IndexError::sql(doing))?;
    Ok(())
}

async fn finish_call(connection: &mut SqliteConnection, record: &CallRecord) -> Result<(), RowError> {
    let media = serde_json::to_string(&v1::MediaRow::of(&record.media))?;
    sqlx::query(
        "UPDATE calls SET ended_at_ns = ?, answered_after_ns = ?, end_cause = ?, outcome = ?, media = ? WHERE id = ?",
    )
    .bind(ns(record.ended_at))
    .bind(record.answered_after.map(v1::duration_ns))
    .bind(v1::cause_name(record.end_cause))
    .bind(v1::outcome_name(record.outcome))
    .bind(media)
    .bind(record.id.as_str())
    .execute(connection)
    .await
    .map_err(IndexError::sql("writing the end of a call"))?;
    Ok(())
}

async fn add_turn(
    connection: &mut SqliteConnection,
    call: CallId,
    number: i64,
    turn: &Turn,
    key: &Key,
) -> Result<(), RowError> {
    let facts = serde_json::to_string(&v1::TurnFacts::of(&turn.engines, turn.latency))?;
    sqlx::query(
        "INSERT INTO turns (call, number, who, started_ms, ended_ms, interrupted, facts, sealed)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(call.as_str())
    .bind(number)
    .bind(v1::speaker_name(turn.who))
    .bind(v1::integer(turn.started_ms))
    .bind(v1::integer(turn.ended_ms))
    .bind(turn.interrupted)
    .bind(facts)
    .bind(key.seal(turn.text.expose().as_bytes(), &place(call, "turns", number))?)
    .execute(&mut *connection)
    .await
    .map_err(IndexError::sql("writing a turn of a call"))?;
    for (nth, failover) in (0_i64..).zip(&turn.failovers) {
        add_failover(connection, call, number, nth, failover).await?;
    }
    Ok(())
}

async fn add_failover(
    connection: &mut SqliteConnection,
    call: CallId,
    turn: i64,
    number: i64,
    failover: &Failover,
) -> Result<(), RowError> {
    sqlx::query(
        "INSERT INTO failovers (call, turn, number, stage, left_engine, next_engine, why, after_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(call.as_str())
    .bind(turn)
    .bind(number)
    .bind(v2::stage_name(failover.stage))
    .bind(&failover.from)
    .bind(&failover.to)
    .bind(v2::why_name(failover.why))
    .bind(i64::try_from(failover.after.as_millis()).unwrap_or(i64::MAX))
    .execute(connection)
    .await
    .map_err(IndexError::sql("writing an engine that was left"))?;
    Ok(())
}

async fn add_message(
    connection: &mut SqliteConnection,
    call: CallId,
    message: &Message,
    key: &Key,
) -> Result<(), RowError> {
    let text = zeroize::Zeroizing::new(serde_json::to_vec(&v1::SealedMessage::of(message))?);
    sqlx::query("INSERT INTO messages (call, sealed) VALUES (?, ?)")
        .bind(call.as_str())
        .bind(key.seal(&text, &place(call, "messages", 0))?)
        .execute(connection)
        .await
        .map_err(IndexError::sql("writing a message"))?;
    Ok(())
}

async fn add_wish(
    connection: &mut SqliteConnection,
    call: CallId,
    number: i64,
    wished: Wished,
) -> Result<(), RowError> {
    sqlx::query("INSERT INTO wishes (call, number, at_ms, wish) VALUES (?, ?, ?, ?)")
        .bind(call.as_str())
        .bind(number)
        .bind(v1::integer(wished.at_ms))
        .bind(v3::wish_name(wished.wish))
        .execute(connection)
        .await
        .map_err(IndexError::sql("writing a caller's wish"))?;
    Ok(())
}

async fn finish_recording(
    connection: &mut SqliteConnection,
    call: CallId,
    recording: &Recording,
) -> Result<(), RowError> {
    let gaps: Vec<v3::GapRow> = recording.gaps.iter().map(v3::GapRow::of).collect();
    sqlx::query("UPDATE recordings SET from_ms = ?, duration_ms = ?, gaps = ? WHERE call = ?")
        .bind(v1::integer(recording.from_ms))
        .bind(v1::integer(recording.duration_ms))
        .bind(serde_json::to_string(&gaps)?)
        .bind(call.as_str())
        .execute(connection)
        .await
        .map_err(IndexError::sql("writing the end of a recording"))?;
    Ok(())
}

/// A time of day some milliseconds after another.
pub(super) fn after(at: Timestamp, ms: u64) -> Timestamp {
    let span = SignedDuration::from_millis(v1::integer(ms));
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
