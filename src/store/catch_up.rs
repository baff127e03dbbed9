//! The queue of calls to be heard again, and what the second hearing gave. It
//! survives a power cut: a call leaves the queue in the transaction that keeps
//! its words.

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use super::index::{Index, IndexError};
use super::keyring::Key;
use super::records::{ReadRowError, RowError, ns, place};
use super::v1;
use super::v5::PlaceRow;
use crate::residency::Destination;
use crate::terms::{CallId, Private};

/// Calls that wait: a box that is cut off for weeks answers some thousands. What
/// does not fit is not heard again; its record stands as it was.
const WAITING_MAX: i64 = 5_000;

/// Places that a call keeps: a box has two kinds of ears outside of it, each at one. One
/// of them takes some hundred bytes.
const PLACES_MAX: usize = 4;

/// No call is put off by more than six hours: what is due later than in a day was put off
/// while the box's clock stood ahead, as one does that wakes without power and network.
const LATEST_DUE: SignedDuration = SignedDuration::from_hours(24);

/// How a call comes into the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HearAgain {
    /// When it is due.
    pub due_at: Timestamp,
    /// Where its caller's sound might go as it ended, as the policy described the places.
    pub places: Vec<Destination>,
}

/// A call that waits to be heard again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub call: CallId,
    /// How often it has been tried in vain.
    pub tries: u32,
    /// How many of these the disk was to blame for.
    pub disk_tries: u32,
    /// In how many of them ears failed that had heard other calls since the try before.
    pub ears_tries: u32,
    /// Whether another call was heard since the last try, whose sound might go to the same
    /// places: it is not for want of ears if the next one fails.
    pub others_heard: bool,
    /// Where its caller's sound might go as it ended; none where nobody knows.
    pub places: Option<Vec<Destination>>,
}

/// What made a try vain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HearingFault {
    /// No ears gave words.
    Ears,
    /// It could not be read, or its words could not be kept.
    Disk,
}

/// The words of one turn of the caller, heard again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecondHearing {
    /// The turn's place in the record, from 0.
    pub turn: usize,
    pub words: Private<String>,
    /// The engine that heard them.
    pub engine: String,
    pub heard_at: Timestamp,
}

/// Puts a call into the queue: in the transaction of its record, for nobody looks for it
/// afterwards. False when the queue is full.
pub(super) async fn enqueue(
    connection: &mut SqliteConnection,
    call: CallId,
    hear_again: &HearAgain,
) -> Result<bool, RowError> {
    let places: Vec<PlaceRow> = hear_again.places.iter().take(PLACES_MAX).map(PlaceRow::of).collect();
    let done = sqlx::query(
        "INSERT INTO catch_up (call, due_at_ns, tries, places) SELECT ?, ?, 0, ?
         WHERE (SELECT count(*) FROM catch_up) < ? ON CONFLICT (call) DO NOTHING",
    )
    .bind(call.as_str())
    .bind(ns(hear_again.due_at))
    .bind(serde_json::to_string(&places)?)
    .bind(WAITING_MAX)
    .execute(connection)
    .await
    .map_err(IndexError::sql("queueing a call to be heard again"))?;
    Ok(done.rows_affected() == 1)
}

/// The call that has waited longest among those that are due; then one that is due later
/// than any honest clock could have said.
pub(super) async fn next_due(index: &Index, now: Timestamp) -> Result<Option<Waiting>, IndexError> {
    let latest = now.saturating_add(LATEST_DUE).unwrap_or(Timestamp::MAX);
    let row = sqlx::query(
        "SELECT call, tries, disk_tries, ears_tries, others_heard, places FROM catch_up
         WHERE due_at_ns <= ?1 OR due_at_ns > ?2 ORDER BY due_at_ns > ?1, due_at_ns, call LIMIT 1",
    )
    .bind(ns(now))
    .bind(ns(latest))
    .fetch_optional(&index.read)
    .await
    .map_err(IndexError::sql("looking for a call to be heard again"))?;
    Ok(row.as_ref().and_then(waiting))
}

fn waiting(row: &SqliteRow) -> Option<Waiting> {
    let call: String = row.try_get("call").ok()?;
    let places: Option<String> = row.try_get("places").ok()?;
    Some(Waiting {
        call: CallId::parse(&call).ok()?,
        tries: row.try_get("tries").ok()?,
        disk_tries: row.try_get("disk_tries").ok()?,
        ears_tries: row.try_get("ears_tries").ok()?,
        others_heard: row.try_get::<i64, _>("others_heard").ok()? == 1,
        places: places.as_deref().and_then(read_places),
    })
}

fn read_places(text: &str) -> Option<Vec<Destination>> {
    let rows: Vec<PlaceRow> = serde_json::from_str(text).ok()?;
    rows.into_iter().map(PlaceRow::into_place).collect()
}

/// How many calls wait.
pub(super) async fn waiting_count(index: &Index) -> Result<u64, IndexError> {
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM catch_up")
        .fetch_one(&index.read)
        .await
        .map_err(IndexError::sql("counting the calls to be heard again"))?;
    Ok(v1::natural(count).unwrap_or(0))
}

/// It did not work; it is due again at `due_at`.
pub(super) async fn postpone(
    index: &Index,
    call: CallId,
    due_at: Timestamp,
    fault: HearingFault,
) -> Result<(), IndexError> {
    let (of_disk, of_ears): (i64, i64) = match fault {
        HearingFault::Disk => (1, 0),
        HearingFault::Ears => (0, 1),
    };
    sqlx::query(
        "UPDATE catch_up SET due_at_ns = ?, tries = tries + 1, disk_tries = disk_tries + ?,
         ears_tries = ears_tries + others_heard * ?, others_heard = others_heard * ? WHERE call = ?",
    )
    .bind(ns(due_at))
    .bind(of_disk)
    .bind(of_ears)
    .bind(of_disk)
    .bind(call.as_str())
    .execute(&index.write)
    .await
    .map_err(IndexError::sql("postponing a call to be heard again"))?;
    Ok(())
}

/// It was not tried: it is due again at `due_at`, and that counts as no try.
pub(super) async fn put_off(index: &Index, call: CallId, due_at: Timestamp) -> Result<(), IndexError> {
    sqlx::query("UPDATE catch_up SET due_at_ns = ? WHERE call = ?")
        .bind(ns(due_at))
        .bind(call.as_str())
        .execute(&index.write)
        .await
        .map_err(IndexError::sql("putting off a call to be heard again"))?;
    Ok(())
}

/// Takes a call out of the queue that is given up.
pub(super) async fn remove(index: &Index, call: CallId) -> Result<(), IndexError> {
    sqlx::query("DELETE FROM catch_up WHERE call = ?")
        .bind(call.as_str())
        .execute(&index.write)
        .await
        .map_err(IndexError::sql("giving a call up that was to be heard again"))?;
    Ok(())
}

/// Takes a call out of the queue and keeps what was heard. Those that were tried in vain,
/// and might go to the same places, now wait though the ears there hear.
pub(super) async fn settle(index: &Index, call: CallId, key: &Key, heard: &[SecondHearing]) -> Result<(), RowError> {
    let acquiring = IndexError::sql("keeping a second hearing");
    let mut connection = index.write.acquire().await.map_err(acquiring)?;
    let settled = settle_all(&mut connection, call, key, heard).await;
    if settled.is_err() {
        // As with the record: after a full disk the connection is of no more use.
        connection.close_on_drop();
    }
    settled
}

async fn settle_all(
    connection: &mut SqliteConnection,
    call: CallId,
    key: &Key,
    heard: &[SecondHearing],
) -> Result<(), RowError> {
    let doing = "keeping a second hearing";
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    for hearing in heard {
        let turn = v1::integer(hearing.turn as u64);
        let sealed = key.seal(hearing.words.expose().as_bytes(), &place(call, "second_hearings", turn))?;
        sqlx::query(
            "INSERT INTO second_hearings (call, turn, engine, heard_at_ns, sealed) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (call, turn) DO UPDATE SET
             engine = excluded.engine, heard_at_ns = excluded.heard_at_ns, sealed = excluded.sealed",
        )
        .bind(call.as_str())
        .bind(turn)
        .bind(&hearing.engine)
        .bind(ns(hearing.heard_at))
        .bind(sealed)
        .execute(&mut *all)
        .await
        .map_err(IndexError::sql(doing))?;
    }
    if !heard.is_empty() {
        sqlx::query(
            "UPDATE catch_up SET others_heard = 1
             WHERE tries > 0 AND places = (SELECT places FROM catch_up WHERE call = ?)",
        )
        .bind(call.as_str())
        .execute(&mut *all)
        .await
        .map_err(IndexError::sql(doing))?;
    }
    sqlx::query("DELETE FROM catch_up WHERE call = ?")
        .bind(call.as_str())
        .execute(&mut *all)
        .await
        .map_err(IndexError::sql(doing))?;
    all.commit().await.map_err(IndexError::sql(doing))?;
    Ok(())
}

/// What a second hearing gave for a call, by turn.
pub(super) async fn hearings(index: &Index, call: CallId, key: &Key) -> Result<Vec<SecondHearing>, ReadRowError> {
    let rows =
        sqlx::query("SELECT turn, engine, heard_at_ns, sealed FROM second_hearings WHERE call = ? ORDER BY turn")
            .bind(call.as_str())
            .fetch_all(&index.read)
            .await
            .map_err(IndexError::sql("reading a second hearing"))?;
    let damaged = ReadRowError::Damaged { call, what: "second hearing" };
    rows.iter().map(|row| hearing(row, call, key)).collect::<Option<_>>().ok_or(damaged)
}

fn hearing(row: &SqliteRow, call: CallId, key: &Key) -> Option<SecondHearing> {
    let (turn, heard_at_ns): (i64, i64) = (row.try_get("turn").ok()?, row.try_get("heard_at_ns").ok()?);
    let sealed: Vec<u8> = row.try_get("sealed").ok()?;
    let plain = key.open(&sealed, &place(call, "second_hearings", turn)).ok()?;
    Some(SecondHearing {
        turn: usize::try_from(turn).ok()?,
        words: Private::new(std::str::from_utf8(&plain).ok()?.to_owned()),
        engine: row.try_get("engine").ok()?,
        heard_at: Timestamp::from_nanosecond(i128::from(heard_at_ns)).ok()?,
    })
}
