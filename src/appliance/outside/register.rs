use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::residency::Transfer;
use crate::store::Vault;

/// Rows written together.
const TOGETHER: usize = 64;

/// A disk that is full may have room again; the register does not give up on its rows.
pub(super) const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// After so many vain tries, half a minute, nothing more leaves: what waits to be written
/// is in memory alone, and a power cut would take it.
const TRIES_MAX: u32 = 15;

/// Writes rows of the register as they come, until the door is closed or gone. Tells
/// `is_stuck` while the disk takes none.
pub(super) async fn write(
    mut rows: mpsc::Receiver<Transfer>,
    vault: Vault,
    is_stuck: watch::Sender<bool>,
    try_again_after: Duration,
) {
    let mut together = Vec::with_capacity(TOGETHER);
    while rows.recv_many(&mut together, TOGETHER).await > 0 {
        let mut tries = 0;
        while let Err(error) = vault.register(&together).await {
            tries += 1;
            tracing::error!(%error, tries, "the register of transfers could not be written; it is tried again");
            if tries == TRIES_MAX {
                is_stuck.send_replace(true);
            }
            tokio::time::sleep(try_again_after).await;
        }
        is_stuck.send_if_modified(std::mem::take);
        together.clear();
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::ops::SystemClock;
    use crate::residency::{Carried, DataClass, DestinationId, Ground, Reported, Safeguards, Verdict};
    use crate::store::{Keyring, TransferQuery};

    fn row() -> Transfer {
        Transfer {
            at: Timestamp::UNIX_EPOCH,
            call: None,
            destination: DestinationId::parse("ears").unwrap(),
            operator: "Ears Ltd".to_owned(),
            country: "NG".to_owned(),
            carried: vec![Carried { class: DataClass::CallAudio, verdict: Verdict::Raw, ground: Ground::Contract }],
            verdict: Verdict::Raw,
            ground: Ground::Contract,
            rows: vec!["row-1".to_owned()],
            safeguards: Safeguards::default(),
            bytes_sent: 7,
            bytes_received: 1,
            reported: Reported::default(),
            cost_nanos: 0,
        }
    }

    #[tokio::test]
    async fn while_the_disk_takes_no_row_the_door_is_told_so_and_the_rows_are_written_when_it_does() {
        let dir = tempfile::tempdir().unwrap();
        let clock = SystemClock::new();
        let keyring = Keyring::create(&dir.path().join("key"), clock.wall()).unwrap();
        let vault = Vault::open(&dir.path().join("vault"), keyring, clock.as_fn()).await.unwrap();
        vault
            .do_to_index("CREATE TRIGGER full BEFORE INSERT ON transfers BEGIN SELECT RAISE(ROLLBACK, 'full'); END")
            .await;
        let (send, rows) = mpsc::channel(TOGETHER);
        let (tell, mut is_stuck) = watch::channel(false);
        let writing = write(rows, vault.clone(), tell, Duration::from_millis(1));
        let written = async || vault.transfers(TransferQuery { limit: 9, ..TransferQuery::default() }).await.unwrap();
        let watching = async {
            send.send(row()).await.unwrap();
            is_stuck.wait_for(|is_stuck| *is_stuck).await.unwrap();
            assert!(written().await.is_empty());
            vault.do_to_index("DROP TRIGGER full").await;
            is_stuck.wait_for(|is_stuck| !is_stuck).await.unwrap();
            drop(send);
        };
        tokio::join!(writing, watching);
        assert_eq!(written().await, [row()]);
        vault.close().await;
    }
}
