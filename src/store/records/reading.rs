//! Calls read back from their rows.

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use std::time::Duration;
use thiserror::Error;

use super::{CallHeader, CallSummary, JOURNAL_PLACE, ns, place};
use crate::call::{CallRecord, Failover, Message, Recording, Transferred, Turn, Wished};
use crate::media::SampleRate;
use crate::store::index::{Index, IndexError};
use crate::store::journal::{Entry, Kind};
use crate::store::keyring::Key;
use crate::store::marks::Mark;
use crate::store::sound::Leg;
use crate::store::{v1, v2, v3, v4};
use crate::terms::{CallId, LineId, Private};

/// A row that says what this version cannot mean.
#[derive(Debug, Error)]
pub enum ReadRowError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("reading call {call}: its {what} cannot be read; the index is damaged or of another version")]
    Damaged { call: CallId, what: &'static str },
}

/// A call's header with its wrapped key.
pub(in crate::store) struct KeyedHeader {
    pub(in crate::store) header: CallHeader,
    pub(in crate::store) epoch: u32,
    pub(in crate::store) wrapped: Vec<u8>,
}

const fn damaged(call: CallId, what: &'static str) -> ReadRowError {
    ReadRowError::Damaged { call, what }
}

fn timestamp(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

pub(in crate::store) async fn journal(index: &Index, call: CallId, key: &Key) -> Result<Vec<Entry>, ReadRowError> {
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
    Some(Entry { at_ms: v1::natural(row.try_get("at_ms").ok()?)?, kind: v4::kind(&kind)?, words })
}

/// When somebody began to listen to the call while it lasted, in milliseconds after
/// its offer.
pub(in crate::store) async fn listened(index: &Index, call: CallId) -> Result<Vec<u64>, ReadRowError> {
    let times: Vec<i64> = sqlx::query_scalar("SELECT at_ms FROM journal WHERE call = ? AND kind = ? ORDER BY number")
        .bind(call.as_str())
        .bind(v4::kind_name(Kind::Listened))
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading who listened to a call"))?;
    times.into_iter().map(|at_ms| v1::natural(at_ms).ok_or(damaged(call, "journal"))).collect()
}

fn open_text(key: &Key, sealed: &[u8], place: &[u8]) -> Option<Private<String>> {
    let plain = key.open(sealed, place).ok()?;
    std::str::from_utf8(&plain).ok().map(|text| Private::new(text.to_owned()))
}

/// Headers of the calls that have no end: the process ended during them.
pub(in crate::store) async fn unfinished(index: &Index) -> Result<Vec<CallId>, ReadRowError> {
    let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM calls WHERE ended_at_ns IS NULL ORDER BY id")
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("looking for calls without an end"))?;
    Ok(ids.iter().filter_map(|id| CallId::parse(id).ok()).collect())
}

pub(in crate::store) async fn keyed_header(index: &Index, call: CallId) -> Result<Option<KeyedHeader>, ReadRowError> {
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
pub(in crate::store) async fn list(
    index: &Index,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<CallSummary>, ReadRowError> {
    let rows = sqlx::query(
        "SELECT id, line, from_number, started_at_ns, ended_at_ns, outcome, end_cause FROM calls
         WHERE ended_at_ns IS NOT NULL AND started_at_ns >= ? AND (? IS NULL OR started_at_ns < ?)
         ORDER BY started_at_ns DESC, id DESC LIMIT ?",
    )
    .bind(since.map_or(i64::MIN, ns))
    .bind(until.map(ns))
    .bind(until.map(ns))
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
pub(in crate::store) async fn record(
    index: &Index,
    header: CallHeader,
    key: &Key,
) -> Result<Option<CallRecord>, ReadRowError> {
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
    record.wishes = wishes(index, call).await?;
    record.transferred = transferred(index, &record, key).await?;
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
        wishes: Vec::new(),
        transferred: None,
    })
}

/// The journal alone has to whom a caller was handed.
async fn transferred(index: &Index, record: &CallRecord, key: &Key) -> Result<Option<Transferred>, ReadRowError> {
    let call = record.id;
    let row = sqlx::query("SELECT at_ms, kind, sealed FROM journal WHERE call = ? AND kind = ? ORDER BY number")
        .bind(call.as_str())
        .bind(v4::kind_name(Kind::Transferred))
        .fetch_optional(&index.read)
        .await
        .map_err(IndexError::sql("reading to whom a caller was handed"))?;
    let Some(row) = row else { return Ok(None) };
    let entry = entry(&row, call, key).ok_or(damaged(call, "journal"))?;
    let answered = record.answered_after.map_or(0, |after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX));
    Ok(entry.transferred(answered))
}

async fn wishes(index: &Index, call: CallId) -> Result<Vec<Wished>, ReadRowError> {
    let rows = sqlx::query("SELECT at_ms, wish FROM wishes WHERE call = ? ORDER BY number")
        .bind(call.as_str())
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading the wishes of a caller"))?;
    // A wish that cannot be read is not passed over: somebody asked for less.
    rows.iter().map(|row| wished(row).ok_or(damaged(call, "wishes"))).collect()
}

fn wished(row: &SqliteRow) -> Option<Wished> {
    let wish: String = row.try_get("wish").ok()?;
    Some(Wished { at_ms: v1::natural(row.try_get("at_ms").ok()?)?, wish: v3::wish(&wish)? })
}

async fn turns(index: &Index, call: CallId, key: &Key) -> Result<Vec<Turn>, ReadRowError> {
    let rows = sqlx::query("SELECT * FROM turns WHERE call = ? ORDER BY number")
        .bind(call.as_str())
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading the turns of a call"))?;
    let turns: Result<Vec<Turn>, _> =
        rows.iter().map(|row| turn(row, call, key).ok_or(damaged(call, "turns"))).collect();
    let mut turns = turns?;
    let rows = sqlx::query("SELECT * FROM failovers WHERE call = ? ORDER BY turn, number")
        .bind(call.as_str())
        .fetch_all(&index.read)
        .await
        .map_err(IndexError::sql("reading the engines that were left in a call"))?;
    for row in &rows {
        let (number, failover) = failover(row).ok_or(damaged(call, "failovers"))?;
        turns.get_mut(number).ok_or(damaged(call, "failovers"))?.failovers.push(failover);
    }
    Ok(turns)
}

/// An engine that was left, and the number of its turn: turns count from zero.
fn failover(row: &SqliteRow) -> Option<(usize, Failover)> {
    let (stage, why): (String, String) = (row.try_get("stage").ok()?, row.try_get("why").ok()?);
    let turn: i64 = row.try_get("turn").ok()?;
    let failover = Failover {
        stage: v2::stage(&stage)?,
        from: row.try_get("left_engine").ok()?,
        to: row.try_get("next_engine").ok()?,
        why: v2::why(&why)?,
        after: Duration::from_millis(v1::natural(row.try_get("after_ms").ok()?)?),
    };
    Some((usize::try_from(turn).ok()?, failover))
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
        failovers: Vec::new(),
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
pub(in crate::store) struct KeptRecording {
    pub(in crate::store) rate: SampleRate,
    pub(in crate::store) recording: Recording,
}

pub(in crate::store) async fn recording(index: &Index, call: CallId) -> Result<Option<KeptRecording>, ReadRowError> {
    let row = sqlx::query("SELECT rate_hz, from_ms, duration_ms, gaps FROM recordings WHERE call = ?")
        .bind(call.as_str())
        .fetch_optional(&index.read)
        .await
        .map_err(IndexError::sql("reading what is known of a recording"))?;
    row.map(|row| kept_recording(&row).ok_or(damaged(call, "recording"))).transpose()
}

fn kept_recording(row: &SqliteRow) -> Option<KeptRecording> {
    let gaps: String = row.try_get("gaps").ok()?;
    let gaps: Vec<v3::GapRow> = serde_json::from_str(&gaps).ok()?;
    let duration: Option<i64> = row.try_get("duration_ms").ok()?;
    let rate = match row.try_get::<u32, _>("rate_hz").ok()? {
        8_000 => SampleRate::Hz8000,
        16_000 => SampleRate::Hz16000,
        _ => return None,
    };
    let recording = Recording {
        from_ms: v1::natural(row.try_get("from_ms").ok()?)?,
        duration_ms: duration.and_then(v1::natural).unwrap_or(0),
        gaps: gaps.into_iter().map(v3::GapRow::into_gap).collect::<Option<_>>()?,
    };
    Some(KeptRecording { rate, recording })
}

pub(in crate::store) async fn marks(index: &Index, call: CallId) -> Result<Vec<Mark>, ReadRowError> {
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
