//! Fixed sentences, rendered once and kept: the greeting need not be synthesised
//! for every caller. Bounded; what no start has used for longest goes first.

use ring::digest::{Context, SHA256};
use sqlx::SqlitePool;

use super::index::{Index, IndexError};
use super::v1;
use crate::media::SampleRate;
use crate::terms::Private;

/// Bytes of samples kept: what a box plays in one voice, at both rates, is 160 MB; the
/// rest is for the sounds of other voices.
pub const ALL_RENDERINGS_MAX: usize = 192 << 20;

/// One rendering larger than this is no fixed sentence: two minutes at 8 kHz.
pub const RENDERING_MAX: usize = 2 << 20;

/// What decides how a sentence sounds.
#[derive(Clone, Debug)]
pub struct Rendition {
    pub text: Private<String>,
    /// The name of the voice and the version of its weights.
    pub voice: String,
    pub rate: SampleRate,
    /// 1.0 is the voice's own pace.
    pub pace: f32,
}

/// The hash of a [`Rendition`]: says nothing about the words.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RenderingKey([u8; 32]);

impl RenderingKey {
    pub fn of(rendition: &Rendition) -> Self {
        let mut hash = Context::new(&SHA256);
        for part in [rendition.text.expose().as_bytes(), rendition.voice.as_bytes()] {
            // The length goes first, so that no two renditions run together.
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(&rendition.rate.hz().to_le_bytes());
        hash.update(&rendition.pace.to_bits().to_le_bytes());
        let mut key = [0; 32];
        key.copy_from_slice(hash.finish().as_ref());
        Self(key)
    }
}

/// For a caller, who waits for no writer and writes nothing.
pub(super) async fn get(index: &Index, key: &RenderingKey) -> Result<Option<Vec<i16>>, IndexError> {
    let kept: Option<Vec<u8>> = sqlx::query_scalar("SELECT samples FROM renderings WHERE key = ?")
        .bind(key.0.as_slice())
        .fetch_optional(&index.read)
        .await
        .map_err(IndexError::sql("reading a kept rendering"))?;
    Ok(kept.as_deref().map(samples_of))
}

/// For a start, which uses it from now on: it makes room after what was used before.
pub(super) async fn get_for_use(index: &Index, key: &RenderingKey) -> Result<Option<Vec<i16>>, IndexError> {
    let doing = IndexError::sql("reading a kept rendering for use");
    let kept: Option<Vec<u8>> = sqlx::query_scalar(
        "UPDATE renderings SET used = (SELECT max(used) + 1 FROM renderings) WHERE key = ? RETURNING samples",
    )
    .bind(key.0.as_slice())
    .fetch_optional(&index.write)
    .await
    .map_err(doing)?;
    Ok(kept.as_deref().map(samples_of))
}

fn samples_of(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

/// False when it is too long for a fixed sentence, and is not kept.
pub(super) async fn keep(index: &Index, key: &RenderingKey, samples: &[i16]) -> Result<bool, IndexError> {
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    if bytes.len() > RENDERING_MAX {
        return Ok(false);
    }
    evict(&index.write, v1::integer((ALL_RENDERINGS_MAX - bytes.len()) as u64)).await?;
    sqlx::query(
        "INSERT INTO renderings (key, samples, used) VALUES (?, ?, (SELECT coalesce(max(used), 0) + 1 FROM renderings))
         ON CONFLICT (key) DO UPDATE SET samples = excluded.samples, used = excluded.used",
    )
    .bind(key.0.as_slice())
    .bind(bytes)
    .execute(&index.write)
    .await
    .map_err(IndexError::sql("keeping a rendering"))?;
    Ok(true)
}

/// Drops the longest unused until at most `room` bytes are kept.
async fn evict(pool: &SqlitePool, room: i64) -> Result<(), IndexError> {
    sqlx::query(
        "DELETE FROM renderings WHERE key IN (SELECT key FROM (
             SELECT key, sum(length(samples)) OVER (ORDER BY used DESC) AS kept FROM renderings) WHERE kept > ?)",
    )
    .bind(room)
    .execute(pool)
    .await
    .map_err(IndexError::sql("making room for a rendering"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::store::Keyring;

    fn rendition(text: &str, voice: &str) -> RenderingKey {
        RenderingKey::of(&Rendition {
            text: Private::new(text.to_owned()),
            voice: voice.to_owned(),
            rate: SampleRate::Hz8000,
            pace: 1.0,
        })
    }

    #[test]
    fn two_renditions_never_share_a_key_by_running_together() {
        assert_ne!(rendition("good day", "ada"), rendition("good daya", "da"));
        assert_eq!(rendition("good day", "ada"), rendition("good day", "ada"));
    }

    async fn index_in(dir: &Path) -> Index {
        let keyring = Keyring::create(&dir.join("key"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        Index::open(&dir.join("index.db"), keyring.index_key()).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_read_for_a_caller_waits_for_no_writer() {
        let dir = tempfile::tempdir().unwrap();
        let index = index_in(dir.path()).await;
        let key = rendition("one", "ada");
        keep(&index, &key, &[7; 100]).await.unwrap();
        let writer = index.write.acquire().await.unwrap();
        assert_eq!(get(&index, &key).await.unwrap(), Some(vec![7; 100]));
        drop(writer);
        index.close().await;
    }

    #[tokio::test]
    async fn what_is_too_long_for_a_fixed_sentence_is_not_kept_and_that_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let index = index_in(dir.path()).await;
        let key = rendition("one", "ada");
        let mut samples = vec![7; RENDERING_MAX / 2 + 1];
        assert!(!keep(&index, &key, &samples).await.unwrap());
        assert_eq!(get(&index, &key).await.unwrap(), None);
        samples.pop();
        assert!(keep(&index, &key, &samples).await.unwrap());
        assert_eq!(get(&index, &key).await.unwrap(), Some(samples));
        index.close().await;
    }

    #[tokio::test]
    async fn what_was_not_used_for_longest_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let index = index_in(dir.path()).await;
        let [one, two, three] = ["one", "two", "three"].map(|text| rendition(text, "ada"));
        for key in [&one, &two, &three] {
            keep(&index, key, &[7; 100]).await.unwrap();
        }
        assert_eq!(get_for_use(&index, &one).await.unwrap(), Some(vec![7; 100]));
        evict(&index.write, 400).await.unwrap();
        assert_eq!(get(&index, &two).await.unwrap(), None);
        assert!(get(&index, &one).await.unwrap().is_some() && get(&index, &three).await.unwrap().is_some());
        index.close().await;
    }
}
