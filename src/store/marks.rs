//! High-water marks: how much of each sound file was safe on the disk, written
//! to the index about once a second by a thread of its own, so that the
//! recorder never waits for the database. Sound that is missing below a mark
//! was taken away by someone; above it, lost with the power.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::recorder::Faults;
use super::sound::Leg;
use super::v1;
use crate::terms::CallId;

/// Marks on their way: both legs of 64 calls, twice. A mark that finds no place
/// is dropped; the next one says more.
const QUEUE: usize = 256;

/// How much of one sound file is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) call: CallId,
    pub(super) leg: Leg,
    pub(super) number: u32,
    pub(super) safe_bytes: u64,
    pub(super) complete: bool,
}

/// Starts the thread; it ends when the sender is dropped.
pub(super) fn start(
    options: SqliteConnectOptions,
    faults: Arc<Faults>,
) -> io::Result<(SyncSender<Mark>, JoinHandle<()>)> {
    let (sender, receiver) = sync_channel(QUEUE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = Builder::new().name("milu-marks".to_owned()).spawn(move || {
        runtime.block_on(async {
            match options.connect().await {
                Ok(connection) => keep(connection, &options, &receiver, &faults).await,
                Err(error) => {
                    faults.marks_failed();
                    tracing::error!(%error, "connecting to the index for high-water marks failed");
                }
            }
        });
    })?;
    Ok((sender, thread))
}

async fn keep(
    mut connection: SqliteConnection,
    options: &SqliteConnectOptions,
    marks: &Receiver<Mark>,
    faults: &Faults,
) {
    while let Ok(first) = marks.recv() {
        let batch: Vec<Mark> = std::iter::once(first).chain(marks.try_iter()).collect();
        if let Err(error) = write(&mut connection, &batch).await {
            faults.marks_failed();
            tracing::error!(%error, "writing high-water marks of recordings failed");
            // SQLite rolls back by itself when the disk is full, and the library
            // does not see it: only a new connection can begin a transaction.
            match options.connect().await {
                Ok(fresh) => connection = fresh,
                Err(error) => tracing::error!(%error, "connecting anew for high-water marks failed"),
            }
        }
    }
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "closing the connection of the high-water marks failed");
    }
}

async fn write(connection: &mut SqliteConnection, batch: &[Mark]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    for mark in batch {
        sqlx::query(
            "INSERT INTO sound_files (call, leg, number, safe_bytes, complete) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (call, leg, number) DO UPDATE SET
             safe_bytes = max(safe_bytes, excluded.safe_bytes), complete = max(complete, excluded.complete)",
        )
        .bind(mark.call.as_str())
        .bind(mark.leg.name())
        .bind(mark.number)
        .bind(v1::integer(mark.safe_bytes))
        .bind(mark.complete)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}
