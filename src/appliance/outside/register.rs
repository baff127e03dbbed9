use std::time::Duration;

use tokio::sync::mpsc;

use crate::residency::Transfer;
use crate::store::Vault;

/// Rows written together.
const TOGETHER: usize = 64;

/// A disk that is full may have room again; the register does not give up on its
/// rows, because nothing leaves while they cannot be kept.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Writes rows of the register as they come, until the door is closed or gone.
pub(super) async fn write(mut rows: mpsc::Receiver<Transfer>, vault: Vault) {
    let mut together = Vec::with_capacity(TOGETHER);
    while rows.recv_many(&mut together, TOGETHER).await > 0 {
        while let Err(error) = vault.register(&together).await {
            tracing::error!(%error, "the register of transfers could not be written; it is tried again");
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
        together.clear();
    }
}
