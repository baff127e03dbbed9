//! Calls as rows of the index, and back. Words, names and numbers that a caller
//! gave are sealed under the call's own key before they become a column.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::time::Duration;
use thiserror::Error;

use super::index::{Index, IndexError};
use super::journal::Entry;
use super::keyring::{Key, RandomFailed};
use super::marks::Mark;
use super::sound::Leg;
use super::v1;
use crate::call::{CallRecord, Message, Outcome, Recording, Turn};
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

/// A row that says what this version cannot mean.
#[derive(Debug, Error)]
pub enum ReadRowError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("reading call {call}: its {what} cannot be read; the index is damaged or of another version")]
    Damaged { call: CallId, what: &'static str },
}

/// A call's header with its wrapped key.
pub(super) struct KeyedHeader {
    pub(super) header: CallHeader,
    pub(super) epoch: u32,
    pub(super) wrapped: Vec<u8>,
}

const fn damaged(call: CallId, what: &'static str) -> ReadRowError {
    ReadRowError::Damaged { call, what }
}

fn place(call: CallId, table: &str, number: i64) -> Vec<u8> {
    format!("milu/1/words/{call}/{table}/{number}").into_bytes()
}

fn ns(at: Timestamp) -> i64 {
    // Nanoseconds fit 64 bits until the year 2262.
    i64::try_from(at.as_nanosecond()).unwrap_or(i64::MAX)
}

fn timestamp(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
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
        .bind(v1::kind_name(entry.kind))
        .bind(sealed)
        .execute(&index.write)
        .await
        .map_err(IndexError::sql("writing the journal of a call"))?;
    Ok(())
}

pub(super) async fn journal(index: &Index, call: CallId, key: &Key) -> Result<Vec<Entry>, ReadRowError> {
    let rows = sqlx::query("SELECT at_ms, kind, sealed FROM journal WHERE call = ? ORDER BY number")
        .bind(call.as_str())
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading the journal of a call"))?;
    rows.iter().map(|row| entry(row, call, key).ok_or(damaged(call, "journal"))).collect()
}

fn entry(row: &SqliteRow, call: CallId, key: &Key) -> Option<Entry> {
    let sealed: Option<Vec<u8>> = row.try_get("sealed").ok()?;
    let words = match sealed {
        Some(sealed) => Some(open_text(key, &sealed, &place(call, "journal", JOURNAL_PLACE))?),
        None => None,
    };
    let kind: String = row.try_get("kind").ok()?;
    Some(Entry { at_ms: v1::natural(row.try_get("at_ms").ok()?)?, kind: v1::kind(&kind)?, words })
}

fn open_text(key: &Key, sealed: &[u8], place: &[u8]) -> Option<Private<String>> {
    let plain = key.open(sealed, place).ok()?;
    std::str::from_utf8(&plain).ok().map(|text| Private::new(text.to_owned()))
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

/// Writes the record of a call that has ended, all of it or nothing.
pub(super) async fn finish(index: &Index, key: &Key, record: &CallRecord) -> Result<(), RowError> {
    let doing = "writing the record of a call";
    let mut transaction = index.write.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
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
    // The record now holds the words; the journal keeps only what happened when.
    sqlx::query("UPDATE journal SET sealed = NULL WHERE call = ?")
        .bind(record.id.as_str())
        .execute(&mut *transaction)
        .await
        .map_err(IndexError::sql(doing))?;
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
    .execute(connection)
    .await
    .map_err(IndexError::sql("writing a turn of a call"))?;
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

async fn finish_recording(
    connection: &mut SqliteConnection,
    call: CallId,
    recording: &Recording,
) -> Result<(), RowError> {
    let gaps: Vec<v1::GapRow> = recording.gaps.iter().map(v1::GapRow::of).collect();
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

/// Headers of the calls that have no end: the process ended during them.
pub(super) async fn unfinished(index: &Index) -> Result<Vec<CallId>, ReadRowError> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM calls WHERE ended_at_ns IS NULL ORDER BY id")
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("looking for calls without an end"))?;
    Ok(ids.iter().filter_map(|id| CallId::parse(id).ok()).collect())
}

pub(super) async fn keyed_header(index: &Index, call: CallId) -> Result<Option<KeyedHeader>, ReadRowError> {
    let row =
        sqlx::query("SELECT id, line, from_number, started_at_ns, key_epoch, wrapped_key FROM calls WHERE id = ?")
            .bind(call.as_str())
            .fetch_optional(&index.read)
            .await
            .map_err(IndexError::sql("reading a call"))?;
    row.map(|row| keyed(&row).ok_or(damaged(call, "header"))).transpose()
}

fn keyed(row: &SqliteRow) -> Option<KeyedHeader> {
    Some(KeyedHeader {
        header: header(row)?,
        epoch: row.try_get("key_epoch").ok()?,
        wrapped: row.try_get("wrapped_key").ok()?,
    })
}

fn header(row: &SqliteRow) -> Option<CallHeader> {
    let (id, line): (String, String) = (row.try_get("id").ok()?, row.try_get("line").ok()?);
    let from: Option<String> = row.try_get("from_number").ok()?;
    Some(CallHeader {
        id: CallId::parse(&id).ok()?,
        line: LineId::parse(&line).ok()?,
        from: from.as_deref().map(v1::number).transpose().ok()?,
        started_at: timestamp(row.try_get("started_at_ns").ok()?)?,
    })
}

/// Finished calls, newest first.
pub(super) async fn list(
    index: &Index,
    since: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<CallSummary>, ReadRowError> {
    let rows = sqlx::query(
        "SELECT id, line, from_number, started_at_ns, ended_at_ns, outcome, end_cause FROM calls
         WHERE ended_at_ns IS NOT NULL AND started_at_ns >= ? ORDER BY started_at_ns DESC, id DESC LIMIT ?",
    )
    .bind(since.map_or(i64::MIN, ns))
    .bind(limit)
    .fetch_all(&index.read)
    .await
    .map_err(IndexError::sql("listing calls"))?;
    let mut calls = Vec::with_capacity(rows.len());
    for row in &rows {
        match summary(row) {
            Some(call) => calls.push(call),
            // One damaged row must not hide all others.
            None => tracing::error!("a call in the index cannot be read"),
        }
    }
    Ok(calls)
}

fn summary(row: &SqliteRow) -> Option<CallSummary> {
    let CallHeader { id, line, from, started_at } = header(row)?;
    let (outcome, cause): (String, String) = (row.try_get("outcome").ok()?, row.try_get("end_cause").ok()?);
    Some(CallSummary {
        id,
        line,
        from,
        started_at,
        ended_at: timestamp(row.try_get("ended_at_ns").ok()?)?,
        outcome: v1::outcome(&outcome)?,
        end_cause: v1::cause(&cause)?,
    })
}

/// The record of a call, or none if the call has not ended.
pub(super) async fn record(index: &Index, header: CallHeader, key: &Key) -> Result<Option<CallRecord>, ReadRowError> {
    let call = header.id;
    let row = sqlx::query(
        "SELECT ended_at_ns, answered_after_ns, end_cause, outcome, media FROM calls
         WHERE id = ? AND ended_at_ns IS NOT NULL",
    )
    .bind(call.as_str())
    .fetch_optional(&index.read)
    .await
    .map_err(IndexError::sql("reading a call"))?;
    let Some(row) = row else { return Ok(None) };
    let mut record = ended(&row, header).ok_or(damaged(call, "end"))?;
    record.turns = turns(index, call, key).await?;
    record.message = message(index, call, key).await?;
    record.recording = recording(index, call).await?.map(|kept| kept.recording);
    Ok(Some(record))
}

fn ended(row: &SqliteRow, header: CallHeader) -> Option<CallRecord> {
    let answered: Option<i64> = row.try_get("answered_after_ns").ok()?;
    let (cause, outcome): (String, String) = (row.try_get("end_cause").ok()?, row.try_get("outcome").ok()?);
    let media: String = row.try_get("media").ok()?;
    let media: v1::MediaRow = serde_json::from_str(&media).ok()?;
    Some(CallRecord {
        id: header.id,
        line: header.line,
        from: header.from,
        started_at: header.started_at,
        answered_after: answered.and_then(v1::natural).map(Duration::from_nanos),
        ended_at: timestamp(row.try_get("ended_at_ns").ok()?)?,
        end_cause: v1::cause(&cause)?,
        outcome: v1::outcome(&outcome)?,
        turns: Vec::new(),
        message: None,
        recording: None,
        media: media.into_media(),
    })
}

async fn turns(index: &Index, call: CallId, key: &Key) -> Result<Vec<Turn>, ReadRowError> {
    let rows = sqlx::query("SELECT * FROM turns WHERE call = ? ORDER BY number")
        .bind(call.as_str())
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading the turns of a call"))?;
    rows.iter().map(|row| turn(row, call, key).ok_or(damaged(call, "turns"))).collect()
}

fn turn(row: &SqliteRow, call: CallId, key: &Key) -> Option<Turn> {
    let (who, facts): (String, String) = (row.try_get("who").ok()?, row.try_get("facts").ok()?);
    let sealed: Vec<u8> = row.try_get("sealed").ok()?;
    let facts: v1::TurnFacts = serde_json::from_str(&facts).ok()?;
    let (engines, latency) = facts.into_parts();
    Some(Turn {
        who: v1::speaker(&who)?,
        text: open_text(key, &sealed, &place(call, "turns", row.try_get("number").ok()?))?,
        started_ms: v1::natural(row.try_get("started_ms").ok()?)?,
        ended_ms: v1::natural(row.try_get("ended_ms").ok()?)?,
        interrupted: row.try_get("interrupted").ok()?,
        engines,
        latency,
    })
}

async fn message(index: &Index, call: CallId, key: &Key) -> Result<Option<Message>, ReadRowError> {
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("SELECT sealed FROM messages WHERE call = ?")
        .bind(call.as_str())
        .fetch_optional(&index.read)
        .await
        .map_err(IndexError::sql("reading the message of a call"))?;
    let Some(sealed) = sealed else { return Ok(None) };
    let wrong = || damaged(call, "message");
    let plain = key.open(&sealed, &place(call, "messages", 0)).map_err(|_| wrong())?;
    let message: v1::SealedMessage = serde_json::from_slice(&plain).map_err(|_| wrong())?;
    message.into_message().map(Some).ok_or_else(wrong)
}

/// A recording as the index knows it.
pub(super) struct KeptRecording {
    pub(super) rate: SampleRate,
    pub(super) recording: Recording,
}

pub(super) async fn recording(index: &Index, call: CallId) -> Result<Option<KeptRecording>, ReadRowError> {
    let row = sqlx::query("SELECT rate_hz, from_ms, duration_ms, gaps FROM recordings WHERE call = ?")
        .bind(call.as_str())
        .fetch_optional(&index.read)
        .await
        .map_err(IndexError::sql("reading what is known of a recording"))?;
    row.map(|row| kept_recording(&row).ok_or(damaged(call, "recording"))).transpose()
}

fn kept_recording(row: &SqliteRow) -> Option<KeptRecording> {
    let gaps: String = row.try_get("gaps").ok()?;
    let gaps: Vec<v1::GapRow> = serde_json::from_str(&gaps).ok()?;
    let duration: Option<i64> = row.try_get("duration_ms").ok()?;
    let rate = match row.try_get::<u32, _>("rate_hz").ok()? {
        8_000 => SampleRate::Hz8000,
        16_000 => SampleRate::Hz16000,
        _ => return None,
    };
    let recording = Recording {
        from_ms: v1::natural(row.try_get("from_ms").ok()?)?,
        duration_ms: duration.and_then(v1::natural).unwrap_or(0),
        gaps: gaps.into_iter().map(v1::GapRow::into_gap).collect::<Option<_>>()?,
    };
    Some(KeptRecording { rate, recording })
}

pub(super) async fn marks(index: &Index, call: CallId) -> Result<Vec<Mark>, ReadRowError> {
    let rows = sqlx::query("SELECT leg, number, safe_bytes, complete FROM sound_files WHERE call = ?")
        .bind(call.as_str())
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading the high-water marks of a recording"))?;
    rows.iter().map(|row| mark(row, call).ok_or(damaged(call, "high-water marks"))).collect()
}

fn mark(row: &SqliteRow, call: CallId) -> Option<Mark> {
    let leg: String = row.try_get("leg").ok()?;
    Some(Mark {
        call,
        leg: Leg::BOTH.into_iter().find(|known| known.name() == leg)?,
        number: row.try_get("number").ok()?,
        safe_bytes: v1::natural(row.try_get("safe_bytes").ok()?)?,
        complete: row.try_get("complete").ok()?,
    })
}

/// A time of day some milliseconds after another.
pub(super) fn after(at: Timestamp, ms: u64) -> Timestamp {
    let span = SignedDuration::from_millis(v1::integer(ms));
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}
