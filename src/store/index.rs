//! The SQLCipher index: opening it, and the proof at every start that it really
//! is encrypted. Without SQLCipher in the build SQLite ignores the key and
//! writes plain text without a word, so nothing is believed here.

use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use thiserror::Error;

use super::disk;
use super::keyring::{Key, hex};

/// The first bytes of a database that is not encrypted.
const PLAIN_MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// SQLite's code for "file is not a database": with SQLCipher, a wrong key or damage.
const NOT_A_DATABASE: &str = "26";
/// Writers queue for one connection; this long for a disk that stalls, then an error.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of the index, in bytes: what flash writes at once.
const PAGE_BYTES: &str = "4096";
/// Readers beside the writer: the console, the recovery and the voices of calls rarely
/// ask at once.
const READERS: u32 = 2;

#[derive(Debug, Error)]
pub enum IndexError {
    #[error(
        "opening the index: this program was built without SQLCipher and would keep calls readable by anyone; \
         build it with the feature bundled-sqlcipher of libsqlite3-sys"
    )]
    NotEncrypting,
    #[error("opening the index {0}: it is not encrypted, so it was not made by this program; move it away")]
    Plain(PathBuf),
    #[error("opening the index {0}: it is damaged, or it was made with another key; restore both from one backup")]
    WrongKeyOrDamaged(PathBuf),
    #[error("preparing the file of the index {path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("bringing the index to this version: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    #[error("{doing}: {source}")]
    Sql { doing: &'static str, source: sqlx::Error },
}

impl IndexError {
    pub(super) const fn sql(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { doing, source }
    }
}

/// Connections to the index: one that writes, few that read.
#[derive(Clone, Debug)]
pub(super) struct Index {
    pub(super) write: SqlitePool,
    pub(super) read: SqlitePool,
    options: SqliteConnectOptions,
}

impl Index {
    pub(super) async fn open(path: &Path, key: &Key) -> Result<Self, IndexError> {
        prove_cipher().await?;
        prepare_file(path)?;
        refuse_plain(path)?;
        let options = options(path, key);
        let opening = |source: sqlx::Error| refine(path, source);
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.map_err(opening)?;
        // A wrong key shows only when the first page is read.
        sqlx::query("SELECT count(*) FROM sqlite_master").execute(&write).await.map_err(opening)?;
        sqlx::migrate!("src/store/migrations").run(&write).await?;
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&write).await {
            // On a full disk the journal stays as long as it is, and is read all the same.
            tracing::warn!(%error, "the journal of the index could not be put away");
        }
        refuse_plain(path)?;
        let read =
            SqlitePoolOptions::new().max_connections(READERS).connect_with(options.clone()).await.map_err(opening)?;
        Ok(Self { write, read, options })
    }

    /// A connection of its own, for the thread that writes high-water marks.
    pub(super) fn options(&self) -> SqliteConnectOptions {
        self.options.clone()
    }

    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

fn options(path: &Path, key: &Key) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        // The raw form: no password derivation of 256,000 rounds per connection.
        .pragma("key", format!("\"x'{}'\"", hex(key.bytes())))
        // The page format of SQLCipher 3 (AES-256-CBC, HMAC-SHA1), which the
        // program that Debian ships still opens; with pages that fit flash.
        // Words of callers are sealed by AES-256-GCM inside it all the same.
        .pragma("cipher_compatibility", "3")
        .pragma("cipher_page_size", PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        // NORMAL may lose the last commits when the power fails.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("secure_delete", "ON")
        .pragma("temp_store", "MEMORY")
        .busy_timeout(BUSY_TIMEOUT)
        .disable_statement_logging()
}

/// Asks the linked library itself, before any file is touched.
async fn prove_cipher() -> Result<(), IndexError> {
    let doing = "asking the database library whether it encrypts";
    let mut connection = SqliteConnection::connect("sqlite::memory:").await.map_err(IndexError::sql(doing))?;
    // For the whole process: SQLCipher's own log goes to standard error, and what
    // it reports comes back as an error anyway.
    sqlx::query("PRAGMA cipher_log_level = NONE").execute(&mut connection).await.map_err(IndexError::sql(doing))?;
    let version: Option<String> = sqlx::query_scalar("PRAGMA cipher_version")
        .fetch_optional(&mut connection)
        .await
        .map_err(IndexError::sql(doing))?;
    connection.close().await.map_err(IndexError::sql(doing))?;
    version.map(drop).ok_or(IndexError::NotEncrypting)
}

/// Makes the file with our mode; the journal files take theirs from it.
fn prepare_file(path: &Path) -> Result<(), IndexError> {
    let failed = |source| IndexError::File { path: path.to_owned(), source };
    OpenOptions::new().append(true).create(true).mode(disk::FILE_MODE).open(path).map_err(failed)?;
    disk::sync_parent(path).map_err(failed)
}

fn refuse_plain(path: &Path) -> Result<(), IndexError> {
    let failed = |source| IndexError::File { path: path.to_owned(), source };
    let mut start = Vec::with_capacity(PLAIN_MAGIC.len());
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(PLAIN_MAGIC.len() as u64).read_to_end(&mut start).map_err(failed)?;
    if start == PLAIN_MAGIC { Err(IndexError::Plain(path.to_owned())) } else { Ok(()) }
}

fn refine(path: &Path, source: sqlx::Error) -> IndexError {
    let code = source.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some(NOT_A_DATABASE) {
        IndexError::WrongKeyOrDamaged(path.to_owned())
    } else {
        IndexError::Sql { doing: "opening the index", source }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Output, Stdio};

    use super::*;
    use crate::store::Keyring;

    /// Debian's own program on our file.
    fn sqlcipher(path: &Path, statements: &str) -> Output {
        let mut program = Command::new("sqlcipher")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Debian's package sqlcipher is needed for this test");
        program.stdin.take().unwrap().write_all(statements.as_bytes()).unwrap();
        program.wait_with_output().unwrap()
    }

    #[tokio::test]
    async fn another_program_reads_the_index_with_the_key_and_not_without() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        let path = dir.path().join("index.db");
        let index = Index::open(&path, keyring.index_key()).await.unwrap();
        sqlx::query(
            "INSERT INTO calls (id, line, started_at_ns, key_epoch, wrapped_key) VALUES ('one', 'desk', 0, 1, x'00')",
        )
        .execute(&index.write)
        .await
        .unwrap();
        index.close().await;

        let question = "SELECT id || '/' || line FROM calls;\n";
        let key = hex(keyring.index_key().bytes());
        let with_key = sqlcipher(
            &path,
            &format!("PRAGMA key = \"x'{key}'\";\nPRAGMA cipher_page_size = {PAGE_BYTES};\n{question}"),
        );
        assert!(String::from_utf8_lossy(&with_key.stdout).contains("one/desk"), "{with_key:?}");
        let without = sqlcipher(&path, question);
        assert!(!String::from_utf8_lossy(&without.stdout).contains("desk"), "{without:?}");
        assert!(String::from_utf8_lossy(&without.stderr).contains("is not a database"), "{without:?}");
    }

    #[tokio::test]
    async fn commits_survive_a_power_cut_and_deleted_rows_are_wiped() {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key"), jiff::Timestamp::UNIX_EPOCH).unwrap();
        let index = Index::open(&dir.path().join("index.db"), keyring.index_key()).await.unwrap();
        for pool in [&index.write, &index.read] {
            // FULL is 2; the journal is a write-ahead log.
            assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA synchronous").fetch_one(pool).await.unwrap(), 2);
            assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA secure_delete").fetch_one(pool).await.unwrap(), 1);
            assert_eq!(sqlx::query_scalar::<_, i64>("PRAGMA foreign_keys").fetch_one(pool).await.unwrap(), 1);
            assert_eq!(sqlx::query_scalar::<_, String>("PRAGMA journal_mode").fetch_one(pool).await.unwrap(), "wal");
        }
        index.close().await;
    }
}
