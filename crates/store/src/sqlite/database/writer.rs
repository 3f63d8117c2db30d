//! The thread that writes one file, and the queue in front of it.

mod group;
mod operation;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::unanswered;
use crate::error::{Result, StoreError};
use crate::sqlite::failure::{self, Closed};
use crate::sqlite::options::SqliteOptions;
use group::{Group, Meters};
use operation::{Operation, Pending};

/// The sending end of a file's queue, and the thread behind it.
pub(super) struct Writer {
    /// `None` once closed.
    queue: Mutex<Option<mpsc::Sender<Box<dyn Operation>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    wait: Duration,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread. It ends when the queue is closed and empty.
    pub(super) fn start(
        path: &Path,
        connection: Connection,
        options: &SqliteOptions,
    ) -> Result<Self> {
        let (queue, waiting) = mpsc::channel(options.queue.max(1));
        let commits = Arc::new(AtomicU64::new(0));
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let group = Group {
            most: options.group_operations.max(1),
            time: options.group_time,
            meters: Meters::new(&name, Arc::clone(&commits)),
        };
        let thread = std::thread::Builder::new()
            .name(name.into_owned())
            .spawn(move || serve(&connection, waiting, &group))
            .map_err(|error| failure::unavailable(path, error))?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            wait: options.wait,
            commits,
        })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        op: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let queue = lock(&self.queue).clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        match tokio::time::timeout(self.wait, queue.reserve()).await {
            Ok(Ok(place)) => place.send(Box::new(Pending::new(op, reply))),
            Ok(Err(_)) => return Err(closed()),
            Err(_) => return Err(StoreError::Overloaded),
        }
        // Let the thread end when the queue is closed meanwhile.
        drop(queue);
        answer.await.unwrap_or_else(|_| Err(unanswered()))
    }

    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Finishes what is queued and ends the thread.
    pub(super) async fn close(&self) {
        if let Some(thread) = self.end() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("a writer thread ended in a panic");
            }
        }
    }

    /// Closes the queue; the thread is the caller's to join.
    fn end(&self) -> Option<JoinHandle<()>> {
        drop(lock(&self.queue).take());
        lock(&self.thread).take()
    }
}

impl Drop for Writer {
    /// A store that is dropped without being closed still finishes its queue, so that whoever
    /// opens the file next finds nobody in it. The queue's bound is the bound of this wait.
    fn drop(&mut self) {
        if let Some(thread) = self.end()
            && thread.thread().id() != std::thread::current().id()
        {
            // A panic in the thread was reported by the operations it never answered.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("commits", &self.commits)
            .finish_non_exhaustive()
    }
}

fn serve(connection: &Connection, mut waiting: mpsc::Receiver<Box<dyn Operation>>, group: &Group) {
    while let Some(first) = waiting.blocking_recv() {
        group.commit(connection, first, &mut waiting);
    }
    // Leave an empty log behind; failing to is harmless, the next opener reads it.
    let emptied = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    if let Err(error) = emptied {
        tracing::debug!(%error, "the log was not written back on closing");
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable {
        place: String::new(),
        source: Closed.into(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Taking or cloning an `Option` does not stop half-way.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
