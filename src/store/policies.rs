//! The policies in force, kept so that a restart cannot shorten a notice period.

use jiff::Timestamp;
use sqlx::{Connection, SqliteConnection};

use super::index::{Index, IndexError};
use super::records::ns;

/// What is in force: the texts that hold together, the oldest first, until when the
/// newest waits, and what the calendar's clock said lately while it does.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeptPolicies {
    pub texts: Vec<String>,
    pub waiting_until: Option<Timestamp>,
    /// Kept only beside `waiting_until`.
    pub looked_at: Option<Timestamp>,
}

pub(super) async fn read(index: &Index) -> Result<KeptPolicies, IndexError> {
    let doing = || IndexError::sql("reading the policies in force");
    let texts = sqlx::query_scalar("SELECT text FROM policy_texts ORDER BY place")
        .fetch_all(&index.read)
        .await
        .map_err(doing())?;
    let waits: Option<(i64, Option<i64>)> = sqlx::query_as("SELECT until_ns, looked_ns FROM policy_waits")
        .fetch_optional(&index.read)
        .await
        .map_err(doing())?;
    let waiting_until = waits.and_then(|(until, _)| Timestamp::from_nanosecond(i128::from(until)).ok());
    let looked_at = waits.and_then(|(_, looked)| Timestamp::from_nanosecond(i128::from(looked?)).ok());
    Ok(KeptPolicies { texts, waiting_until, looked_at })
}

/// Takes the place of what was kept, all of it or nothing.
pub(super) async fn write(index: &Index, kept: &KeptPolicies) -> Result<(), IndexError> {
    let acquiring = IndexError::sql("keeping the policies in force");
    let mut connection = index.write.acquire().await.map_err(acquiring)?;
    let written = write_all(&mut connection, kept).await;
    if written.is_err() {
        // As with the record: after a full disk the connection is of no more use.
        connection.close_on_drop();
    }
    written
}

async fn write_all(connection: &mut SqliteConnection, kept: &KeptPolicies) -> Result<(), IndexError> {
    let doing = || IndexError::sql("keeping the policies in force");
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(doing())?;
    for statement in ["DELETE FROM policy_texts", "DELETE FROM policy_waits"] {
        sqlx::query(statement).execute(&mut *all).await.map_err(doing())?;
    }
    for (place, text) in (0_i64..).zip(&kept.texts) {
        sqlx::query("INSERT INTO policy_texts (place, text) VALUES (?, ?)")
            .bind(place)
            .bind(text)
            .execute(&mut *all)
            .await
            .map_err(doing())?;
    }
    if let Some(until) = kept.waiting_until {
        sqlx::query("INSERT INTO policy_waits (only, until_ns, looked_ns) VALUES (1, ?, ?)")
            .bind(ns(until))
            .bind(kept.looked_at.map(ns))
            .execute(&mut *all)
            .await
            .map_err(doing())?;
    }
    all.commit().await.map_err(doing())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Keyring;

    #[tokio::test]
    async fn the_policies_in_force_come_back_in_their_order_with_their_date() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), Timestamp::UNIX_EPOCH).unwrap();
        let index = Index::open(&dir.path().join("index.db"), keyring.index_key()).await.unwrap();
        assert_eq!(read(&index).await.unwrap(), KeptPolicies::default());
        let kept = KeptPolicies {
            texts: vec!["first".to_owned(), "second".to_owned()],
            waiting_until: Timestamp::from_second(1_800_000_000).ok(),
            looked_at: Timestamp::from_second(1_799_000_000).ok(),
        };
        write(&index, &kept).await.unwrap();
        assert_eq!(read(&index).await.unwrap(), kept);
        let alone = KeptPolicies { texts: vec!["third".to_owned()], ..KeptPolicies::default() };
        write(&index, &alone).await.unwrap();
        assert_eq!(read(&index).await.unwrap(), alone);
        index.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_leaves_what_was_kept_and_harms_no_later_write() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), Timestamp::UNIX_EPOCH).unwrap();
        let index = Index::open(&dir.path().join("index.db"), keyring.index_key()).await.unwrap();
        let kept = KeptPolicies { texts: vec!["first".to_owned()], ..KeptPolicies::default() };
        write(&index, &kept).await.unwrap();
        // What SQLite does by itself when the disk is full: it rolls all of it back.
        let full = "CREATE TRIGGER full BEFORE INSERT ON policy_texts BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
        sqlx::query(full).execute(&index.write).await.unwrap();
        let later = KeptPolicies { texts: vec!["second".to_owned()], ..KeptPolicies::default() };
        write(&index, &later).await.unwrap_err();
        assert_eq!(read(&index).await.unwrap(), kept);
        sqlx::query("DROP TRIGGER full").execute(&index.write).await.unwrap();
        write(&index, &later).await.unwrap();
        assert_eq!(read(&index).await.unwrap(), later);
        index.close().await;
    }
}
