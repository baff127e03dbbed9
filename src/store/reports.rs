//! Reports of delivery: which text each belongs to, whatever restarts between a part and
//! its report. To whom a text was is kept as a keyed digest alone.

use jiff::{SignedDuration, Timestamp};
use ring::hmac;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};

use super::deliveries::{TextDelivery, TextFate, keep_delivery};
use super::index::{Index, IndexError};
use super::keyring::{Key, Purpose};
use super::records::ns;
use super::texts::call;
use crate::terms::{CallId, LineId, PhoneNumber};

/// Networks try for three days as a rule, and a report is as long on its way as the
/// modem is away.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Parts of which nothing was told yet: a week of a busy line. The oldest goes.
const AWAITED_MAX: i64 = 2_000;

/// A part of a text that a network has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SentPart {
    /// The call in which the text was promised, if one was.
    pub call: Option<CallId>,
    pub line: LineId,
    pub to: PhoneNumber,
    /// The network's own number of the part.
    pub reference: u8,
    /// Parts of the whole text.
    pub parts: u32,
    /// What the text's first part was given by [`Reports::keep`].
    pub text: Option<i64>,
}

/// A report of a part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PartReport {
    pub line: LineId,
    pub reference: u8,
    /// Whom the part was for, where the report names a telephone.
    pub to: Option<PhoneNumber>,
    pub fate: TextFate,
}

/// The awaited reports of a vault.
pub struct Reports<'a> {
    index: &'a Index,
    recipients: hmac::Key,
}

/// A part that was found by its report.
struct Found {
    id: i64,
    text: i64,
    parts: i64,
    call: Option<CallId>,
}

impl<'a> Reports<'a> {
    pub(super) fn new(index: &'a Index, index_key: &Key) -> Self {
        let recipients = hmac::Key::new(hmac::HMAC_SHA256, index_key.derive(Purpose::Recipients).bytes());
        Self { index, recipients }
    }

    /// Keeps a part until its report comes. What its text is known by.
    pub async fn keep(&self, part: &SentPart, at: Timestamp) -> Result<i64, IndexError> {
        let doing = "keeping a part of a text message for its report";
        let mut connection = self.index.write.acquire().await.map_err(IndexError::sql(doing))?;
        let kept = keep(&mut connection, part, &self.digest(&part.to), at).await;
        if kept.is_err() {
            // After a full disk the connection is of no more use.
            connection.close_on_drop();
        }
        kept
    }

    /// Takes a report. The text is told of, and kept so, when this settles its fate: it is
    /// delivered with its last part, and has failed with its first that did.
    pub async fn take(&self, report: &PartReport, at: Timestamp) -> Result<Option<TextDelivery>, IndexError> {
        let doing = "keeping what became of a text message";
        let mut connection = self.index.write.acquire().await.map_err(IndexError::sql(doing))?;
        let recipient = report.to.as_ref().map(|to| self.digest(to));
        let taken = take(&mut connection, report, recipient.as_deref(), at).await;
        if taken.is_err() {
            connection.close_on_drop();
        }
        taken
    }

    fn digest(&self, to: &PhoneNumber) -> Vec<u8> {
        hmac::sign(&self.recipients, to.expose().as_bytes()).as_ref().to_vec()
    }
}

async fn keep(
    connection: &mut SqliteConnection,
    part: &SentPart,
    recipient: &[u8],
    at: Timestamp,
) -> Result<i64, IndexError> {
    let doing = "keeping a part of a text message for its report";
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    // An older part with this number had its report, or gets none any more.
    let older = "DELETE FROM awaited_reports
         WHERE (line = ? AND reference = ? AND recipient = ?) OR sent_at_ns < ?";
    let older = sqlx::query(older).bind(part.line.as_str()).bind(part.reference).bind(recipient).bind(since(at));
    older.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    let add = "INSERT INTO awaited_reports (call, line, text, parts, reference, recipient, sent_at_ns)
         VALUES ((SELECT id FROM calls WHERE id = ?), ?, ?, ?, ?, ?, ?)";
    let added = sqlx::query(add)
        .bind(part.call.as_ref().map(CallId::as_str))
        .bind(part.line.as_str())
        .bind(part.text)
        .bind(part.parts)
        .bind(part.reference)
        .bind(recipient)
        .bind(ns(at))
        .execute(&mut *all)
        .await
        .map_err(IndexError::sql(doing))?;
    let id = added.last_insert_rowid();
    let first = sqlx::query("UPDATE awaited_reports SET text = id WHERE id = ? AND text IS NULL").bind(id);
    first.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    let oldest = "DELETE FROM awaited_reports WHERE id <=
         (SELECT id FROM awaited_reports ORDER BY id DESC LIMIT 1 OFFSET ?)";
    sqlx::query(oldest).bind(AWAITED_MAX).execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    all.commit().await.map_err(IndexError::sql(doing))?;
    Ok(part.text.unwrap_or(id))
}

async fn take(
    connection: &mut SqliteConnection,
    report: &PartReport,
    recipient: Option<&[u8]>,
    at: Timestamp,
) -> Result<Option<TextDelivery>, IndexError> {
    let doing = "keeping what became of a text message";
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(IndexError::sql(doing))?;
    let its = "SELECT id, text, parts, call FROM awaited_reports
         WHERE line = ?1 AND reference = ?2 AND (?3 IS NULL OR recipient = ?3) AND delivered = 0 AND sent_at_ns >= ?4
         ORDER BY id DESC LIMIT 1";
    let its = sqlx::query(its).bind(report.line.as_str()).bind(report.reference).bind(recipient).bind(since(at));
    let row = its.fetch_optional(&mut *all).await.map_err(IndexError::sql(doing))?;
    let Some(part) = row.as_ref().and_then(found) else { return Ok(None) };
    if report.fate == TextFate::Delivered {
        let delivered = sqlx::query("UPDATE awaited_reports SET delivered = 1 WHERE id = ?").bind(part.id);
        delivered.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
        let there: i64 = sqlx::query_scalar("SELECT count(*) FROM awaited_reports WHERE text = ? AND delivered = 1")
            .bind(part.text)
            .fetch_one(&mut *all)
            .await
            .map_err(IndexError::sql(doing))?;
        if there < part.parts {
            all.commit().await.map_err(IndexError::sql(doing))?;
            return Ok(None);
        }
    }
    let settled = sqlx::query("DELETE FROM awaited_reports WHERE text = ?").bind(part.text);
    settled.execute(&mut *all).await.map_err(IndexError::sql(doing))?;
    let told = TextDelivery { call: part.call, line: report.line.clone(), told_at: at, fate: report.fate };
    keep_delivery(&mut all, &told).await?;
    all.commit().await.map_err(IndexError::sql(doing))?;
    Ok(Some(told))
}

/// From when on parts wait for their reports.
fn since(at: Timestamp) -> i64 {
    at.checked_sub(AGE_MAX).map_or(i64::MIN, ns)
}

fn found(row: &SqliteRow) -> Option<Found> {
    let (id, text) = (row.try_get("id").ok()?, row.try_get("text").ok()?);
    Some(Found { id, text, parts: row.try_get("parts").ok()?, call: call(row)? })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::Keyring;
    use crate::store::texts::Texts;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn keyring(dir: &Path) -> Keyring {
        Keyring::open_or_create(&dir.join("key"), Timestamp::UNIX_EPOCH).unwrap()
    }

    async fn open(dir: &Path) -> Index {
        Index::open(&dir.join("index.db"), keyring(dir).index_key()).await.unwrap()
    }

    fn line() -> LineId {
        LineId::parse("front").unwrap()
    }

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text, "234").unwrap()
    }

    fn at() -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }

    /// A part of a text to one number.
    fn part(reference: u8, parts: u32, text: Option<i64>) -> SentPart {
        SentPart { call: None, line: line(), to: number("+2348031234567"), reference, parts, text }
    }

    fn report(reference: u8, fate: TextFate) -> PartReport {
        PartReport { line: line(), reference, to: Some(number("+2348031234567")), fate }
    }

    fn told(fate: TextFate) -> Option<TextDelivery> {
        Some(TextDelivery { call: None, line: line(), told_at: at(), fate })
    }

    #[tokio::test]
    async fn a_report_finds_its_text_after_a_restart_and_a_text_is_delivered_with_its_last_part() {
        let dir = tempfile::tempdir().unwrap();
        let key = keyring(dir.path());
        let index = open(dir.path()).await;
        let reports = Reports::new(&index, key.index_key());
        let text = reports.keep(&part(7, 2, None), at()).await.unwrap();
        assert_eq!(reports.take(&report(7, TextFate::Delivered), at()).await.unwrap(), None, "half of it");
        assert_eq!(reports.keep(&part(8, 2, Some(text)), at()).await.unwrap(), text);
        index.close().await;
        let index = open(dir.path()).await;
        let reports = Reports::new(&index, key.index_key());
        assert_eq!(reports.take(&report(8, TextFate::Delivered), at()).await.unwrap(), told(TextFate::Delivered));
        // The network may tell it twice.
        assert_eq!(reports.take(&report(8, TextFate::Delivered), at()).await.unwrap(), None);
        assert_eq!(Texts::new(&index).deliveries(9).await.unwrap().len(), 1);
        index.close().await;
    }

    #[tokio::test]
    async fn a_text_has_failed_with_its_first_part_that_did() {
        let dir = tempfile::tempdir().unwrap();
        let key = keyring(dir.path());
        let index = open(dir.path()).await;
        let reports = Reports::new(&index, key.index_key());
        let text = reports.keep(&part(7, 2, None), at()).await.unwrap();
        reports.keep(&part(8, 2, Some(text)), at()).await.unwrap();
        assert_eq!(reports.take(&report(7, TextFate::Failed), at()).await.unwrap(), told(TextFate::Failed));
        assert_eq!(reports.take(&report(8, TextFate::Delivered), at()).await.unwrap(), None);
        index.close().await;
    }

    #[tokio::test]
    async fn a_report_is_of_the_newest_part_with_its_number_and_recipient_within_a_week() {
        let dir = tempfile::tempdir().unwrap();
        let key = keyring(dir.path());
        let index = open(dir.path()).await;
        let reports = Reports::new(&index, key.index_key());
        let days = |days: i32| at().checked_sub(DAY * days).unwrap();
        let other = SentPart { to: number("+2348050000000"), ..part(7, 1, None) };
        reports.keep(&other, at()).await.unwrap();
        for report in [report(7, TextFate::Failed), report(9, TextFate::Failed)] {
            assert_eq!(reports.take(&report, at()).await.unwrap(), None, "{report:?}");
        }
        let elsewhere = PartReport { line: LineId::parse("back").unwrap(), to: None, ..report(7, TextFate::Delivered) };
        assert_eq!(reports.take(&elsewhere, at()).await.unwrap(), None);
        // Of whom it was for it says nothing that is read.
        let unnamed = PartReport { to: None, ..report(7, TextFate::Delivered) };
        assert_eq!(reports.take(&unnamed, at()).await.unwrap(), told(TextFate::Delivered));
        // The network has counted through, and tells of the newer one.
        reports.keep(&part(1, 1, None), days(6)).await.unwrap();
        reports.keep(&part(1, 1, None), days(5)).await.unwrap();
        assert_eq!(reports.take(&report(1, TextFate::Delivered), at()).await.unwrap(), told(TextFate::Delivered));
        assert_eq!(reports.take(&report(1, TextFate::Delivered), at()).await.unwrap(), None);
        reports.keep(&part(2, 1, None), days(8)).await.unwrap();
        assert_eq!(reports.take(&report(2, TextFate::Delivered), at()).await.unwrap(), None);
        index.close().await;
    }

    #[tokio::test]
    async fn parts_without_a_report_are_bounded_and_say_nowhere_to_whom_they_were() {
        let dir = tempfile::tempdir().unwrap();
        let key = keyring(dir.path());
        let index = open(dir.path()).await;
        let reports = Reports::new(&index, key.index_key());
        for n in 0..AWAITED_MAX + 3 {
            let reference = u8::try_from(n % 256).unwrap();
            let to = number(&format!("+23480300{n:05}"));
            reports.keep(&SentPart { to, ..part(reference, 1, None) }, at()).await.unwrap();
        }
        let kept: Vec<Vec<u8>> =
            sqlx::query_scalar("SELECT recipient FROM awaited_reports").fetch_all(&index.read).await.unwrap();
        assert_eq!(kept.len(), usize::try_from(AWAITED_MAX).unwrap());
        assert!(!kept.concat().windows(8).any(|eight| eight == b"23480300"));
        index.close().await;
    }
}
