//! The register of transfers as rows of the index, and back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row, SqliteConnection};
use thiserror::Error;

use super::index::{Index, IndexError};
use super::records::ns;
use super::v1;
use super::v3;
use crate::residency::{Carried, DestinationId, Ground, Safeguards, Transfer, Verdict};
use crate::terms::CallId;

/// Which rows of the register to read, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransferQuery {
    /// Those at or after this time.
    pub since: Option<Timestamp>,
    /// Those before this time.
    pub until: Option<Timestamp>,
    pub call: Option<CallId>,
    pub limit: u32,
}

/// What went to one destination since a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferTotal {
    pub destination: DestinationId,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    /// As in [`Transfer::cost_nanos`].
    pub cost_nanos: u64,
}

/// Writing or reading the register failed.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error("writing the register of transfers as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("reading the register of transfers: row {0} is damaged or of another version")]
    Damaged(i64),
}

/// One class of data in `classes`: by its name where it went as the whole row did,
/// else with a verdict and a ground of its own.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum CarriedRow {
    AsAll(String),
    Itself { class: String, verdict: String, ground: String },
}

impl CarriedRow {
    fn of(carried: &Carried, transfer: &Transfer) -> Self {
        let class = v1::class_name(carried.class).to_owned();
        if (carried.verdict, carried.ground) == (transfer.verdict, transfer.ground) {
            return Self::AsAll(class);
        }
        let (verdict, ground) = (v1::verdict_name(carried.verdict), v1::ground_name(carried.ground));
        Self::Itself { class, verdict: verdict.to_owned(), ground: ground.to_owned() }
    }

    fn into_carried(self, of_all: (Verdict, Ground)) -> Option<Carried> {
        let (class, (verdict, ground)) = match self {
            Self::AsAll(class) => (class, of_all),
            Self::Itself { class, verdict, ground } => (class, (v1::verdict(&verdict)?, v1::ground(&ground)?)),
        };
        Some(Carried { class: v1::class(&class)?, verdict, ground })
    }
}

#[derive(Serialize, Deserialize)]
struct SafeguardsRow {
    training_opt_out: bool,
    zero_retention: bool,
    inference_region: Option<String>,
}

/// Writes rows, all of them or none.
pub(super) async fn write(index: &Index, transfers: &[Transfer]) -> Result<(), RegisterError> {
    let acquiring = IndexError::sql("writing the register of transfers");
    let mut connection = index.write.acquire().await.map_err(acquiring)?;
    let written = write_all(&mut connection, transfers).await;
    if written.is_err() {
        // As with the record: after a full disk the connection is of no more use.
        connection.close_on_drop();
    }
    written
}

async fn write_all(connection: &mut SqliteConnection, transfers: &[Transfer]) -> Result<(), RegisterError> {
    let doing = || IndexError::sql("writing the register of transfers");
    let mut all = connection.begin_with("BEGIN IMMEDIATE").await.map_err(doing())?;
    for transfer in transfers {
        let classes: Vec<_> = transfer.carried.iter().map(|one| CarriedRow::of(one, transfer)).collect();
        let safeguards = SafeguardsRow {
            training_opt_out: transfer.safeguards.training_opt_out,
            zero_retention: transfer.safeguards.zero_retention,
            inference_region: transfer.safeguards.inference_region.clone(),
        };
        sqlx::query(
            "INSERT INTO transfers (at_ns, call, destination, operator, country, classes, verdict, ground, policy_rows,
             safeguards, bytes_sent, bytes_received, reported, cost_nanos)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(ns(transfer.at))
        .bind(transfer.call.as_ref().map(CallId::as_str))
        .bind(transfer.destination.as_str())
        .bind(&transfer.operator)
        .bind(&transfer.country)
        .bind(serde_json::to_string(&classes)?)
        .bind(v1::verdict_name(transfer.verdict))
        .bind(v1::ground_name(transfer.ground))
        .bind(serde_json::to_string(&transfer.rows)?)
        .bind(serde_json::to_string(&safeguards)?)
        .bind(v1::integer(transfer.bytes_sent))
        .bind(v1::integer(transfer.bytes_received))
        .bind(serde_json::to_string(&v3::ReportedRow::of(&transfer.reported))?)
        .bind(v1::integer(transfer.cost_nanos))
        .execute(&mut *all)
        .await
        .map_err(doing())?;
    }
    all.commit().await.map_err(doing())?;
    Ok(())
}

/// Rows of the register, newest first.
pub(super) async fn read(index: &Index, query: TransferQuery) -> Result<Vec<Transfer>, RegisterError> {
    let call = query.call.as_ref().map(CallId::as_str);
    let rows = sqlx::query(
        "SELECT * FROM transfers WHERE at_ns >= ? AND (? IS NULL OR at_ns < ?) AND (? IS NULL OR call = ?)
         ORDER BY at_ns DESC, number DESC LIMIT ?",
    )
    .bind(query.since.map_or(i64::MIN, ns))
    .bind(query.until.map(ns))
    .bind(query.until.map(ns))
    .bind(call)
    .bind(call)
    .bind(query.limit)
    .fetch_all(&index.read)
    .await
    .map_err(IndexError::sql("reading the register of transfers"))?;
    rows.iter()
        .map(|row| transfer(row).ok_or_else(|| RegisterError::Damaged(row.try_get("number").unwrap_or_default())))
        .collect()
}

/// What went to each destination at or after `since` and before `until`.
pub(super) async fn totals(
    index: &Index,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<TransferTotal>, RegisterError> {
    let rows = sqlx::query(
        "SELECT max(number) AS number, destination, sum(bytes_sent) AS bytes_sent,
         sum(bytes_received) AS bytes_received, sum(cost_nanos) AS cost_nanos
         FROM transfers WHERE at_ns >= ? AND at_ns < ? GROUP BY destination ORDER BY destination",
    )
    .bind(ns(since))
    .bind(ns(until))
    .fetch_all(&index.read)
    .await
    .map_err(IndexError::sql("adding up the register of transfers"))?;
    rows.iter()
        .map(|row| total(row).ok_or_else(|| RegisterError::Damaged(row.try_get("number").unwrap_or_default())))
        .collect()
}

fn total(row: &SqliteRow) -> Option<TransferTotal> {
    Some(TransferTotal {
        destination: destination(row)?,
        bytes_sent: v1::natural(row.try_get("bytes_sent").ok()?)?,
        bytes_received: v1::natural(row.try_get("bytes_received").ok()?)?,
        cost_nanos: v1::natural(row.try_get("cost_nanos").ok()?)?,
    })
}

fn destination(row: &SqliteRow) -> Option<DestinationId> {
    let name: String = row.try_get("destination").ok()?;
    DestinationId::parse(&name).ok()
}

fn transfer(row: &SqliteRow) -> Option<Transfer> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let carried: Vec<CarriedRow> = serde_json::from_str(&text("classes")?).ok()?;
    let (verdict, ground) = (v1::verdict(&text("verdict")?)?, v1::ground(&text("ground")?)?);
    let safeguards: SafeguardsRow = serde_json::from_str(&text("safeguards")?).ok()?;
    let call: Option<String> = row.try_get("call").ok()?;
    let at_ns: i64 = row.try_get("at_ns").ok()?;
    Some(Transfer {
        at: Timestamp::from_nanosecond(i128::from(at_ns)).ok()?,
        call: call.as_deref().map(CallId::parse).transpose().ok()?,
        destination: destination(row)?,
        operator: text("operator")?,
        country: text("country")?,
        carried: carried.into_iter().map(|one| one.into_carried((verdict, ground))).collect::<Option<_>>()?,
        verdict,
        ground,
        rows: serde_json::from_str(&text("policy_rows")?).ok()?,
        safeguards: Safeguards {
            training_opt_out: safeguards.training_opt_out,
            zero_retention: safeguards.zero_retention,
            inference_region: safeguards.inference_region,
        },
        bytes_sent: v1::natural(row.try_get("bytes_sent").ok()?)?,
        bytes_received: v1::natural(row.try_get("bytes_received").ok()?)?,
        reported: serde_json::from_str::<v3::ReportedRow>(&text("reported")?).ok()?.into_reported(),
        cost_nanos: v1::natural(row.try_get("cost_nanos").ok()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{DataClass, Reported};
    use crate::store::Keyring;

    fn transfer_to(name: &str, at_s: i64, call: Option<CallId>) -> Transfer {
        Transfer {
            at: Timestamp::from_second(at_s).unwrap(),
            call,
            destination: DestinationId::parse(name).unwrap(),
            operator: "Deepgram, Inc.".to_owned(),
            country: "US".to_owned(),
            carried: vec![
                Carried { class: DataClass::CallAudio, verdict: Verdict::Raw, ground: Ground::Consent },
                Carried { class: DataClass::Knowledge, verdict: Verdict::Redacted, ground: Ground::LegitimateInterest },
            ],
            verdict: Verdict::Redacted,
            ground: Ground::LegitimateInterest,
            rows: vec!["row-1".to_owned(), "row-4".to_owned()],
            safeguards: Safeguards {
                training_opt_out: true,
                zero_retention: false,
                inference_region: Some("us".to_owned()),
            },
            bytes_sent: 32_000,
            bytes_received: 512,
            reported: Reported {
                inference_region: Some("eu".to_owned()),
                audio_ms: 1,
                tokens_in: 2,
                tokens_in_kept: 3,
                tokens_in_to_keep: 4,
                tokens_out: 5,
                characters: 6,
            },
            cost_nanos: 7_700_000,
        }
    }

    async fn index(dir: &std::path::Path) -> Index {
        let keyring = Keyring::create(&dir.join("key"), Timestamp::UNIX_EPOCH).unwrap();
        Index::open(&dir.join("index.db"), keyring.index_key()).await.unwrap()
    }

    #[tokio::test]
    async fn a_transfer_is_read_back_as_it_was_written_and_is_found_by_its_call() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path()).await;
        let call = CallId::from_parts(1, [7; 10]);
        let of_call = transfer_to("deepgram", 200, Some(call));
        let of_none = transfer_to("hub", 100, None);
        write(&index, &[of_none.clone(), of_call.clone()]).await.unwrap();
        let all = read(&index, TransferQuery { limit: 10, ..TransferQuery::default() }).await.unwrap();
        assert_eq!(all, [of_call.clone(), of_none.clone()]);
        let its =
            read(&index, TransferQuery { call: Some(call), limit: 10, ..TransferQuery::default() }).await.unwrap();
        assert_eq!(its, std::slice::from_ref(&of_call));
        // The one of second 200 is not before it, and the one of second 100 is.
        let [at_100, at_200] = [100, 200].map(|second| Timestamp::from_second(second).ok());
        let earlier = TransferQuery { until: at_200, limit: 10, ..TransferQuery::default() };
        assert_eq!(read(&index, earlier).await.unwrap(), [of_none]);
        let both = TransferQuery { since: at_100, until: at_200, call: Some(call), limit: 10 };
        assert_eq!(read(&index, both).await.unwrap(), []);
        // Rows are not written in the order of their times, for one that waits takes up later
        // ones. What a list leaves out is before its last all the same.
        let late = transfer_to("hub", 50, None);
        write(&index, std::slice::from_ref(&late)).await.unwrap();
        let newest = read(&index, TransferQuery { limit: 2, ..TransferQuery::default() }).await.unwrap();
        let rest = TransferQuery { until: newest.last().map(|row| row.at), limit: 10, ..TransferQuery::default() };
        assert_eq!(read(&index, rest).await.unwrap(), [late]);
        index.close().await;
    }

    #[tokio::test]
    async fn rows_that_a_full_disk_refused_are_written_when_it_has_room_and_harm_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path()).await;
        let rows = [transfer_to("deepgram", 100, None)];
        // What SQLite does by itself when the disk is full: it rolls all of it back.
        let full = "CREATE TRIGGER full BEFORE INSERT ON transfers BEGIN SELECT RAISE(ROLLBACK, 'full'); END";
        sqlx::query(full).execute(&index.write).await.unwrap();
        write(&index, &rows).await.unwrap_err();
        sqlx::query("DROP TRIGGER full").execute(&index.write).await.unwrap();
        // Another's transaction on the one connection that writes.
        crate::store::policies::write(&index, &crate::store::KeptPolicies::default()).await.unwrap();
        write(&index, &rows).await.unwrap();
        let all = read(&index, TransferQuery { limit: 10, ..TransferQuery::default() }).await.unwrap();
        assert_eq!(all, rows);
        index.close().await;
    }

    #[tokio::test]
    async fn totals_count_each_destination_in_the_time_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path()).await;
        let rows =
            [transfer_to("deepgram", 50, None), transfer_to("deepgram", 150, None), transfer_to("hub", 160, None)];
        let later = transfer_to("hub", 200, None);
        write(&index, &rows).await.unwrap();
        write(&index, &[later]).await.unwrap();
        let [since, until] = [100, 200].map(|second| Timestamp::from_second(second).unwrap());
        let totals = totals(&index, since, until).await.unwrap();
        let seen: Vec<(&str, u64, u64)> =
            totals.iter().map(|t| (t.destination.as_str(), t.bytes_sent, t.cost_nanos)).collect();
        assert_eq!(seen, [("deepgram", 32_000, 7_700_000), ("hub", 32_000, 7_700_000)]);
        index.close().await;
    }

    #[tokio::test]
    async fn a_row_from_before_costs_were_kept_is_read_as_one_that_cost_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let index = index(dir.path()).await;
        sqlx::query(
            "INSERT INTO transfers (at_ns, destination, operator, country, classes, verdict, ground, policy_rows,
             safeguards, bytes_sent, bytes_received)
             SELECT 1, 'hub', 'Us', 'NG', '[\"telemetry\"]', 'raw', 'contract', '[]',
             '{\"training_opt_out\":false,\"zero_retention\":false,\"inference_region\":null}', 9, 1",
        )
        .execute(&index.write)
        .await
        .unwrap();
        let rows = read(&index, TransferQuery { limit: 10, ..TransferQuery::default() }).await.unwrap();
        assert_eq!((rows[0].bytes_sent, rows[0].cost_nanos, rows[0].reported.is_empty()), (9, 0, true));
        let telemetry = Carried { class: DataClass::Telemetry, verdict: Verdict::Raw, ground: Ground::Contract };
        assert_eq!(rows[0].carried, [telemetry], "as all of the row");
        index.close().await;
    }
}
