//! Reads run on blocking threads, a bounded number at a time for all files of a store.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::unanswered;
use crate::error::{Result, StoreError};
use crate::sqlite::options::SqliteOptions;

/// Longest wait for reads in flight when a file is closed; after that they keep their connections
/// until they are done.
const SETTLE: Duration = Duration::from_secs(5);

/// The right to read, shared by the files of one store. When all readers are busy the next read
/// waits a while and then fails as `Overloaded`.
#[derive(Debug, Clone)]
pub(crate) struct Readers {
    permits: Arc<Semaphore>,
    most: u32,
    wait: Duration,
}

impl Readers {
    pub(crate) fn new(options: &SqliteOptions) -> Self {
        let most = options.readers.clamp(1, 1_024);
        Self {
            permits: Arc::new(Semaphore::new(most)),
            most: u32::try_from(most).unwrap_or(1),
            wait: options.wait,
        }
    }

    /// Runs a job on a blocking thread. It keeps its permit until it is done, even when the
    /// caller has gone.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let permit = timeout(self.wait, Arc::clone(&self.permits).acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            return Err(StoreError::Overloaded);
        };
        let running = tokio::task::spawn_blocking(move || {
            let answer = job();
            drop(permit);
            answer
        });
        running.await.map_err(|_| unanswered())
    }

    /// Waits until no read is in flight that had begun before.
    pub(super) async fn settle(&self) {
        let all = timeout(SETTLE, self.permits.acquire_many(self.most)).await;
        if all.is_err() {
            tracing::warn!("reads were still running when a file was closed");
        }
    }
}
