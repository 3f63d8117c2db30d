//! One SQLite file: one writer thread that commits in groups, and a few readers.
//!
//! Writes wait in a bounded queue. The writer takes what is waiting, runs each operation in a
//! savepoint of its own inside one transaction, commits once (one sync) and only then answers all
//! of them: sixty-four concurrent single-row writes share a handful of syncs. An operation that
//! fails or panics undoes its own writes only; when the commit fails, nobody is told that it
//! worked. Readers have connections of their own and see a snapshot; they never wait for the
//! writer, and a write that was answered is visible to every read that begins after it.

mod connect;
mod lock;
mod migrate;
mod readers;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

pub(crate) use lock::FileLock;
pub(crate) use readers::Readers;

use super::failure::{self, Closed, Panicked};
use super::options::SqliteOptions;
use crate::error::{Result, StoreError};
use writer::Writer;

/// One file. Cheap to clone; the last clone closes it.
#[derive(Clone)]
pub(crate) struct Database {
    file: Arc<File>,
}

struct File {
    path: PathBuf,
    cache_kib: u32,
    readers: Readers,
    /// Read connections that nobody uses just now, at most one per permit; `None` once closed.
    idle: Mutex<Option<Vec<Connection>>>,
    writer: Writer,
    /// Dropped last: the next process may open the file when this one has written everything.
    _lock: Option<FileLock>,
}

impl Database {
    /// Opens or creates the file, takes it for this process alone, and brings its schema up to
    /// date. Blocks: for start-up, or a blocking thread.
    pub(crate) fn open(
        path: &Path,
        migrations: &'static [&'static str],
        options: &SqliteOptions,
    ) -> Result<Self> {
        Self::open_and_recover(path, migrations, options, |_| Ok(()))
    }

    /// The same, and runs `recover` before anything else: to undo what only a process that is gone
    /// can have left. The lock says that there is no other one.
    pub(crate) fn open_and_recover(
        path: &Path,
        migrations: &'static [&'static str],
        options: &SqliteOptions,
        recover: impl FnOnce(&Connection) -> Result<()>,
    ) -> Result<Self> {
        let lock = FileLock::take(&path.with_extension("lock"))?;
        let readers = Readers::new(options);
        Self::start(path, migrations, options, readers, Some(lock), recover)
    }

    /// Opens a file beside one that is already held by this process, sharing its readers.
    pub(crate) fn open_beside(
        path: &Path,
        migrations: &'static [&'static str],
        options: &SqliteOptions,
        readers: &Readers,
    ) -> Result<Self> {
        Self::start(path, migrations, options, readers.clone(), None, |_| Ok(()))
    }

    fn start(
        path: &Path,
        migrations: &'static [&'static str],
        options: &SqliteOptions,
        readers: Readers,
        lock: Option<FileLock>,
        recover: impl FnOnce(&Connection) -> Result<()>,
    ) -> Result<Self> {
        let at = |error| failure::located(error, path, "open");
        let mut connection = connect::to_write(path, options.cache_kib).map_err(at)?;
        migrate::to_newest(&mut connection, path, migrations).map_err(at)?;
        recover(&connection).map_err(at)?;
        connect::sync_folder(path)?;
        Ok(Self {
            file: Arc::new(File {
                path: path.to_owned(),
                cache_kib: options.cache_kib,
                readers,
                idle: Mutex::new(Some(Vec::new())),
                writer: Writer::start(path, connection, options)?,
                _lock: lock,
            }),
        })
    }

    /// Runs `op` in the writer's next transaction and returns when that is durable. `statement`
    /// names the operation in errors. `op` must not begin or end transactions itself.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        statement: &'static str,
        op: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let at = |error| failure::located(error, &self.file.path, statement);
        self.file.writer.write(op).await.map_err(at)
    }

    /// Runs `op` on a read connection, on a blocking thread.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        statement: &'static str,
        op: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let here = self.clone();
        let job = move || here.read_here(statement, op);
        self.file.readers.run(job).await?
    }

    /// Runs `op` on a read connection, on this thread. For jobs of [`Readers::run`] that read
    /// several files.
    pub(crate) fn read_here<T>(
        &self,
        statement: &'static str,
        op: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<T> {
        let at = |error| failure::located(error, &self.file.path, statement);
        let idle = match &mut *self.idle() {
            Some(idle) => idle.pop(),
            None => return Err(at(failure::unavailable(&self.file.path, Closed))),
        };
        let connection = match idle {
            Some(connection) => connection,
            None => connect::to_read(&self.file.path, self.file.cache_kib).map_err(at)?,
        };
        let answer = op(&connection).map_err(at);
        // A connection whose operation panicked or left a transaction open is not used again.
        if connection.is_autocommit()
            && let Some(idle) = &mut *self.idle()
        {
            idle.push(connection);
        }
        answer
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Option<Vec<Connection>>> {
        // The list is whole whatever the holder did: a push or a pop does not stop half-way.
        self.file
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }

    /// The right to read, for jobs and for files beside this one.
    pub(crate) fn readers(&self) -> &Readers {
        &self.file.readers
    }

    /// How many groups of writes have been committed.
    pub(crate) fn commits(&self) -> u64 {
        self.file.writer.commits()
    }

    /// Finishes the writes that were accepted and refuses the rest; reads go on.
    pub(crate) async fn stop_writing(&self) {
        self.file.writer.close().await;
    }

    /// Finishes what was accepted, refuses the rest, and closes the file. Closing twice is
    /// harmless.
    pub(crate) async fn close(&self) {
        *self.idle() = None;
        self.file.readers.settle().await;
        self.file.writer.close().await;
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Database").field(&self.file.path).finish()
    }
}

/// What a caller learns when an operation never answered.
fn unanswered() -> StoreError {
    StoreError::Database {
        statement: "",
        source: Panicked.into(),
    }
}
