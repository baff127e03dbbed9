//! What the network told of texts that were sent: delivered, or given up. To whom they
//! were is in the records of their calls alone.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::index::IndexError;
use super::records::ns;
use super::texts::{Texts, at, call};
use crate::terms::{CallId, LineId};

/// Deliveries that are kept: some weeks of a busy line. The oldest goes.
const DELIVERIES_MAX: i64 = 1_000;

/// What became of a text that the network had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TextFate {
    Delivered,
    /// The network has given it up.
    Failed,
}

/// One that the network told of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TextDelivery {
    /// The call in which the text was promised, if one was.
    pub call: Option<CallId>,
    pub line: LineId,
    pub told_at: Timestamp,
    pub fate: TextFate,
}

impl Texts<'_> {
    /// The newest `limit` of them, the newest first.
    pub async fn deliveries(&self, limit: u32) -> Result<Vec<TextDelivery>, IndexError> {
        let rows = sqlx::query("SELECT * FROM text_deliveries ORDER BY id DESC LIMIT ?")
            .bind(limit)
            .fetch_all(&self.index.read)
            .await
            .map_err(IndexError::sql("reading what became of text messages"))?;
        Ok(rows.iter().filter_map(delivery).collect())
    }
}

/// Keeps what the network told. A call that was erased meanwhile is not named.
pub(super) async fn keep_delivery(connection: &mut SqliteConnection, told: &TextDelivery) -> Result<(), IndexError> {
    let doing = "keeping what became of a text message";
    let keep = "INSERT INTO text_deliveries (call, line, told_at_ns, delivered)
         VALUES ((SELECT id FROM calls WHERE id = ?), ?, ?, ?)";
    sqlx::query(keep)
        .bind(told.call.as_ref().map(CallId::as_str))
        .bind(told.line.as_str())
        .bind(ns(told.told_at))
        .bind(i64::from(told.fate == TextFate::Delivered))
        .execute(&mut *connection)
        .await
        .map_err(IndexError::sql(doing))?;
    let oldest = "DELETE FROM text_deliveries WHERE id <=
         (SELECT id FROM text_deliveries ORDER BY id DESC LIMIT 1 OFFSET ?)";
    sqlx::query(oldest).bind(DELIVERIES_MAX).execute(connection).await.map_err(IndexError::sql(doing))?;
    Ok(())
}

fn delivery(row: &SqliteRow) -> Option<TextDelivery> {
    let (line, delivered): (String, i64) = (row.try_get("line").ok()?, row.try_get("delivered").ok()?);
    Some(TextDelivery {
        call: call(row)?,
        line: LineId::parse(&line).ok()?,
        told_at: at(row, "told_at_ns")?,
        fate: if delivered == 1 { TextFate::Delivered } else { TextFate::Failed },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Keyring;
    use crate::store::index::Index;
    use crate::store::texts::KeptText;
    use crate::terms::Private;

    async fn index() -> (tempfile::TempDir, Index) {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), Timestamp::UNIX_EPOCH).unwrap();
        let index = Index::open(&dir.path().join("index.db"), keyring.index_key()).await.unwrap();
        (dir, index)
    }

    #[tokio::test]
    async fn what_the_network_told_is_kept_the_newest_first_and_bounded() {
        let (_dir, index) = index().await;
        let texts = Texts::new(&index);
        let told = |n: i64, fate| TextDelivery {
            call: None,
            line: LineId::parse("front").unwrap(),
            told_at: Timestamp::from_second(1_800_000_000 + n).unwrap(),
            fate,
        };
        let mut connection = index.write.acquire().await.unwrap();
        for n in 0..DELIVERIES_MAX + 2 {
            keep_delivery(&mut connection, &told(n, TextFate::Delivered)).await.unwrap();
        }
        // The call of one was erased before its report came.
        let erased = TextDelivery { call: Some(CallId::from_parts(1, [7; 10])), ..told(5_000, TextFate::Failed) };
        keep_delivery(&mut connection, &erased).await.unwrap();
        drop(connection);
        let kept = texts.deliveries(2_000).await.unwrap();
        assert_eq!(kept.len(), usize::try_from(DELIVERIES_MAX).unwrap());
        assert_eq!(kept[0], TextDelivery { call: None, ..erased });
        assert_eq!(kept[1], told(DELIVERIES_MAX + 1, TextFate::Delivered));
        index.close().await;
    }

    #[tokio::test]
    async fn a_text_for_a_program_is_kept_and_not_shown_to_people() {
        let (_dir, index) = index().await;
        let texts = Texts::new(&index);
        let text = |words: &str, for_program| KeptText {
            line: LineId::parse("front").unwrap(),
            from: Private::new("MTN".to_owned()),
            text: Private::new(words.to_owned()),
            received_at: Timestamp::UNIX_EPOCH,
            for_program,
        };
        texts.keep(&text("settings", true)).await.unwrap();
        texts.keep(&text("hello", false)).await.unwrap();
        assert_eq!(texts.received(10).await.unwrap(), [text("hello", false)]);
        let all: i64 = sqlx::query_scalar("SELECT count(*) FROM incoming_texts").fetch_one(&index.read).await.unwrap();
        assert_eq!(all, 2);
        index.close().await;
    }
}
