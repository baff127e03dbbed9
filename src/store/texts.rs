//! Text messages on the disk: a queue of those to be sent, which survives a power
//! cut, and those that came. It never sends anything itself.

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, Sqlite, SqliteConnection};

use super::index::{Index, IndexError};
use super::records::ns;
use super::v1;
use crate::terms::{CallId, LineId, PhoneNumber, Private};

/// Texts that wait: some days of promises while no line can send. What does not
/// fit is refused, and the caller is told so.
const WAITING_MAX: i64 = 1_000;

/// Texts that are kept: the oldest goes when another comes. An advertiser's
/// flood does not fill the disk, and a business reads its texts within weeks.
const KEPT_MAX: i64 = 10_000;

/// Texts that ended otherwise than by being sent: what a person looks through.
const ENDED_MAX: i64 = 500;

/// When parts were sent is asked of one day; a week is kept, for a clock that was wrong.
const SENT_KEPT_NS: i64 = 7 * 24 * 3600 * 1_000_000_000;

/// A text message to be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutgoingText {
    /// The call in which it was promised, if one was.
    pub call: Option<CallId>,
    pub to: PhoneNumber,
    pub text: Private<String>,
}

/// One that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingText {
    pub id: i64,
    pub text: OutgoingText,
    pub promised_at: Timestamp,
    pub due_at: Timestamp,
    /// How often it has been tried in vain.
    pub tries: u32,
    /// How often nobody could say whether it went out.
    pub unknown: u32,
    /// Why it has not gone out yet: one sentence, without anybody's number or words.
    pub why: Option<String>,
}

/// One that left the queue and is told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndedText {
    /// The call in which it was promised; its record says to whom.
    pub call: Option<CallId>,
    pub ended_at: Timestamp,
    pub tries: u32,
    pub end: TextEnd,
}

/// A text message that came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeptText {
    pub line: LineId,
    /// A telephone number, or the name of a sender that has none.
    pub from: Private<String>,
    pub text: Private<String>,
    pub received_at: Timestamp,
    /// It is for a program of a telephone, as settings are, or for nobody: kept, and shown to
    /// nobody.
    pub for_program: bool,
}

/// What became of a text that leaves the queue.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TextEnd {
    Sent,
    /// It was sent, and a try before it may have been one too.
    MayBeTwice {
        why: String,
    },
    GivenUp {
        why: String,
    },
}

/// Whether a try that failed counts: what waits for a line or for another day was not
/// tried at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextTry {
    Failed,
    NotBegun,
    /// Nobody can say whether it went out.
    Unknown,
}

/// The texts of a vault.
pub struct Texts<'a> {
    pub(super) index: &'a Index,
}

impl<'a> Texts<'a> {
    pub(super) const fn new(index: &'a Index) -> Self {
        Self { index }
    }

    /// Puts a text into the queue, due at `due_at`. Its id; none when the queue is full.
    pub async fn enqueue(&self, text: &OutgoingText, due_at: Timestamp) -> Result<Option<i64>, IndexError> {
        let done = sqlx::query(
            "INSERT INTO outgoing_texts (call, recipient, text, promised_at_ns, due_at_ns, tries)
             SELECT ?1, ?2, ?3, ?4, ?4, 0 WHERE (SELECT count(*) FROM outgoing_texts) < ?5",
        )
        .bind(text.call.as_ref().map(CallId::as_str))
        .bind(text.to.expose())
        .bind(text.text.expose())
        .bind(ns(due_at))
        .bind(WAITING_MAX)
        .execute(&self.index.write)
        .await
        .map_err(IndexError::sql("queueing a text message"))?;
        Ok((done.rows_affected() == 1).then_some(done.last_insert_rowid()))
    }

    /// The `limit` texts that have waited longest among those that are due.
    pub async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<WaitingText>, IndexError> {
        let rows = sqlx::query("SELECT * FROM outgoing_texts WHERE due_at_ns <= ? ORDER BY due_at_ns, id LIMIT ?")
            .bind(ns(now))
            .bind(limit)
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("looking for text messages to send"))?;
        Ok(rows.iter().filter_map(waiting).collect())
    }

    /// The first `limit` texts that wait, due or not.
    pub async fn waiting(&self, limit: u32) -> Result<Vec<WaitingText>, IndexError> {
        let rows = sqlx::query("SELECT * FROM outgoing_texts ORDER BY due_at_ns, id LIMIT ?")
            .bind(limit)
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("reading the text messages that wait"))?;
        Ok(rows.iter().filter_map(waiting).collect())
    }

    /// How many wait.
    pub async fn waiting_count(&self) -> Result<u64, IndexError> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM outgoing_texts")
            .fetch_one(&self.index.read)
            .await
            .map_err(IndexError::sql("counting the text messages that wait"))?;
        Ok(v1::natural(count).unwrap_or(0))
    }

    /// A modem has it from here on: after a power cut nobody can say whether it went out.
    pub async fn give(&self, id: i64) -> Result<(), IndexError> {
        sqlx::query("UPDATE outgoing_texts SET with_modem = 1 WHERE id = ?")
            .bind(id)
            .execute(&self.index.write)
            .await
            .map_err(IndexError::sql("giving a text message to a modem"))?;
        Ok(())
    }

    /// What modems had when the box ended without hearing of it: how many those are.
    pub async fn take_back(&self, due_at: Timestamp, why: &str) -> Result<u64, IndexError> {
        let done = sqlx::query(
            "UPDATE outgoing_texts SET with_modem = 0, unknown = unknown + 1, tries = tries + 1, due_at_ns = ?, why = ?
             WHERE with_modem = 1",
        )
        .bind(ns(due_at))
        .bind(why)
        .execute(&self.index.write)
        .await
        .map_err(IndexError::sql("taking text messages back from modems"))?;
        Ok(done.rows_affected())
    }

    /// It has not gone out, for all that is known; it is due again at `due_at`.
    pub async fn postpone(&self, id: i64, due_at: Timestamp, tried: TextTry, why: &str) -> Result<(), IndexError> {
        sqlx::query(
            "UPDATE outgoing_texts
             SET with_modem = 0, due_at_ns = ?, tries = tries + ?, unknown = unknown + ?, why = ? WHERE id = ?",
        )
        .bind(ns(due_at))
        .bind(i64::from(tried != TextTry::NotBegun))
        .bind(i64::from(tried == TextTry::Unknown))
        .bind(why)
        .bind(id)
        .execute(&self.index.write)
        .await
        .map_err(IndexError::sql("postponing a text message"))?;
        Ok(())
    }

    /// Forgets a text that was sent or given up.
    pub async fn settle(&self, id: i64, end: &TextEnd, at: Timestamp) -> Result<(), IndexError> {
        let mut connection = self.writer("settling a text message").await?;
        let settled = settle(&mut connection, id, end, at).await;
        if settled.is_err() {
            // As with the record: after a full disk the connection is of no more use.
            connection.close_on_drop();
        }
        settled
    }

    /// The newest `limit` texts that were given up, or may have arrived twice.
    pub async fn ended(&self, limit: u32) -> Result<Vec<EndedText>, IndexError> {
        let rows = sqlx::query("SELECT * FROM ended_texts ORDER BY id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("reading the text messages that were not sent"))?;
        Ok(rows.iter().filter_map(ended).collect())
    }

    async fn writer(&self, doing: &'static str) -> Result<PoolConnection<Sqlite>, IndexError> {
        self.index.write.acquire().await.map_err(IndexError::sql(doing))
    }

    /// Counts one part that a line has sent, or may have: it is billed.
    pub async fn count_part(&self, line: &LineId, at: Timestamp) -> Result<(), IndexError> {
        let doing = "counting a part of a text message";
        let old = ns(at).saturating_sub(SENT_KEPT_NS);
        let forget = sqlx::query("DELETE FROM sent_texts WHERE sent_at_ns < ?").bind(old);
        forget.execute(&self.index.write).await.map_err(IndexError::sql(doing))?;
        let count = sqlx::query("INSERT INTO sent_texts (sent_at_ns, line) VALUES (?, ?)");
        let count = count.bind(ns(at)).bind(line.as_str());
        count.execute(&self.index.write).await.map_err(IndexError::sql(doing))?;
        Ok(())
    }

    /// How many parts a line has sent from `since` on. What was counted before lines
    /// were told apart counts for each.
    pub async fn parts_since(&self, line: &LineId, since: Timestamp) -> Result<u64, IndexError> {
        let all = "SELECT count(*) FROM sent_texts WHERE sent_at_ns >= ? AND (line = ? OR line IS NULL)";
        let count: i64 = sqlx::query_scalar(all)
            .bind(ns(since))
            .bind(line.as_str())
            .fetch_one(&self.index.read)
            .await
            .map_err(IndexError::sql("counting the parts of text messages that were sent"))?;
        Ok(v1::natural(count).unwrap_or(0))
    }

    /// Keeps a text that came. When this returns, it may be deleted from the SIM.
    pub async fn keep(&self, text: &KeptText) -> Result<(), IndexError> {
        let mut connection = self.writer("keeping a text message").await?;
        let kept = keep(&mut connection, text).await;
        if kept.is_err() {
            connection.close_on_drop();
        }
        kept
    }

    /// The newest `limit` texts that came and are for people, the newest first.
    pub async fn received(&self, limit: u32) -> Result<Vec<KeptText>, IndexError> {
        let rows = sqlx::query("SELECT * FROM incoming_texts WHERE for_program = 0 ORDER BY id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("reading the text messages that came"))?;
        Ok(rows.iter().filter_map(kept).collect())
    }
}

async fn settle(connection: &mut SqliteConnection, id: i64, end: &TextEnd, at: Timestamp) -> Result<(), IndexError> {
    let doing = "settling a text message";
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    let told = match end {
        TextEnd::Sent => None,
        TextEnd::MayBeTwice { why } => Some((true, why)),
        TextEnd::GivenUp { why } => Some((false, why)),
    };
    if let Some((may_be_twice, why)) = told {
        let tell = "INSERT INTO ended_texts (call, ended_at_ns, tries, may_be_twice, why)
             SELECT call, ?, tries, ?, ? FROM outgoing_texts WHERE id = ?";
        let tell = sqlx::query(tell).bind(ns(at)).bind(i64::from(may_be_twice)).bind(why).bind(id);
        tell.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
        let oldest = "DELETE FROM ended_texts WHERE id <=
             (SELECT id FROM ended_texts ORDER BY id DESC LIMIT 1 OFFSET ?)";
        sqlx::query(oldest).bind(ENDED_MAX).execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    }
    let forget = sqlx::query("DELETE FROM outgoing_texts WHERE id = ?").bind(id);
    forget.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    all.commit().await.map_err(IndexError::sql(doing))
}

async fn keep(connection: &mut SqliteConnection, text: &KeptText) -> Result<(), IndexError> {
    let doing = "keeping a text message";
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    // A power cut between keeping a text and deleting it from the modem brings it twice.
    let again = "INSERT INTO incoming_texts (line, sender, text, received_at_ns, for_program)
         SELECT ?1, ?2, ?3, ?4, ?5
         WHERE NOT EXISTS (SELECT 1 FROM incoming_texts
                           WHERE line = ?1 AND sender = ?2 AND text = ?3 AND received_at_ns = ?4)";
    sqlx::query(again)
        .bind(text.line.as_str())
        .bind(text.from.expose())
        .bind(text.text.expose())
        .bind(ns(text.received_at))
        .bind(i64::from(text.for_program))
        .execute(&mut *all)
        .await
        .map_err(IndexError::sql(doing))?;
    let oldest = "DELETE FROM incoming_texts WHERE id <=
         (SELECT id FROM incoming_texts ORDER BY id DESC LIMIT 1 OFFSET ?)";
    sqlx::query(oldest).bind(KEPT_MAX).execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    all.commit().await.map_err(IndexError::sql(doing))
}

fn waiting(row: &SqliteRow) -> Option<WaitingText> {
    let (to, text): (String, String) = (row.try_get("recipient").ok()?, row.try_get("text").ok()?);
    let text = OutgoingText { call: call(row)?, to: PhoneNumber::parse(&to, "").ok()?, text: Private::new(text) };
    Some(WaitingText {
        id: row.try_get("id").ok()?,
        text,
        promised_at: at(row, "promised_at_ns")?,
        due_at: at(row, "due_at_ns")?,
        tries: row.try_get("tries").ok()?,
        unknown: row.try_get("unknown").ok()?,
        why: row.try_get("why").ok()?,
    })
}

fn ended(row: &SqliteRow) -> Option<EndedText> {
    let (may_be_twice, why): (i64, String) = (row.try_get("may_be_twice").ok()?, row.try_get("why").ok()?);
    Some(EndedText {
        call: call(row)?,
        ended_at: at(row, "ended_at_ns")?,
        tries: row.try_get("tries").ok()?,
        end: if may_be_twice == 1 { TextEnd::MayBeTwice { why } } else { TextEnd::GivenUp { why } },
    })
}

/// The call of a row, which may have none.
pub(super) fn call(row: &SqliteRow) -> Option<Option<CallId>> {
    let call: Option<String> = row.try_get("call").ok()?;
    Some(call.and_then(|call| CallId::parse(&call).ok()))
}

pub(super) fn at(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    let ns: i64 = row.try_get(column).ok()?;
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

fn kept(row: &SqliteRow) -> Option<KeptText> {
    let line: String = row.try_get("line").ok()?;
    Some(KeptText {
        line: LineId::parse(&line).ok()?,
        from: Private::new(row.try_get("sender").ok()?),
        text: Private::new(row.try_get("text").ok()?),
        received_at: at(row, "received_at_ns")?,
        for_program: row.try_get::<i64, _>("for_program").ok()? == 1,
    })
}
