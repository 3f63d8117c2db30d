//! One cohort's file.

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::DispatchId;
use rusqlite::Connection;

use crate::card_store::CohortInfo;
use crate::error::{Result, StoreError};
use crate::sqlite::database::Database;
use crate::sqlite::failure;

/// Most contents remembered; then all are forgotten and read again as needed.
const MAX_SHARED: usize = 4_096;
const ROWS: &str = "SELECT rows FROM total";

/// What the cards of a dispatch's variant have in common, as read.
#[derive(Debug, Clone)]
pub(in crate::sqlite::cards) struct Shared {
    pub(in crate::sqlite::cards) presentation: Arc<Presentation>,
    pub(in crate::sqlite::cards) content: Option<Arc<CardContent>>,
}

/// An open cohort.
#[derive(Debug)]
pub(in crate::sqlite::cards) struct CohortFile {
    pub(in crate::sqlite::cards) cohort: Cohort,
    pub(in crate::sqlite::cards) database: Database,
    /// Set before the file is closed for good.
    retired: AtomicBool,
    /// Shared contents never change once written, so they are parsed once.
    shared: Mutex<HashMap<(DispatchId, u8), Shared>>,
}

impl CohortFile {
    pub(super) fn new(cohort: Cohort, database: Database) -> Self {
        Self {
            cohort,
            database,
            retired: AtomicBool::new(false),
            shared: Mutex::default(),
        }
    }

    /// Writes, or says that the cohort has been retired meanwhile.
    pub(in crate::sqlite::cards) async fn write<T: Send + 'static>(
        &self,
        statement: &'static str,
        op: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let written = self.database.write(statement, op).await;
        written.map_err(|error| self.or_retired(error))
    }

    /// Reads on this thread; `None` when the cohort has been retired meanwhile.
    pub(in crate::sqlite::cards) fn read_here<T>(
        &self,
        statement: &'static str,
        op: impl FnOnce(&Connection) -> Result<T>,
    ) -> Result<Option<T>> {
        match self.database.read_here(statement, op) {
            Ok(value) => Ok(Some(value)),
            Err(error) => match self.or_retired(error) {
                StoreError::NoSuchCohort(_) => Ok(None),
                error => Err(error),
            },
        }
    }

    fn or_retired(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable { .. } if self.retired.load(Ordering::SeqCst) => {
                StoreError::NoSuchCohort(self.cohort)
            }
            error => error,
        }
    }

    /// From now on a closed file means a retired cohort.
    pub(super) fn set_retired(&self) {
        self.retired.store(true, Ordering::SeqCst);
    }

    /// What the cards of a variant share, read at most once.
    pub(in crate::sqlite::cards) fn shared(
        &self,
        dispatch: DispatchId,
        variant: u8,
        read: impl FnOnce() -> Result<Shared>,
    ) -> Result<Shared> {
        let key = (dispatch, variant);
        if let Some(known) = self.contents().get(&key) {
            return Ok(known.clone());
        }
        let shared = read()?;
        let mut contents = self.contents();
        if contents.len() >= MAX_SHARED {
            contents.clear();
        }
        contents.insert(key, shared.clone());
        Ok(shared)
    }

    fn contents(&self) -> std::sync::MutexGuard<'_, HashMap<(DispatchId, u8), Shared>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an operator wants to know.
    pub(in crate::sqlite::cards) fn info(&self) -> Result<Option<CohortInfo>> {
        let rows = self.read_here("count cohort", |connection| {
            let rows: i64 = connection
                .prepare_cached(ROWS)?
                .query_row([], |row| row.get(0))?;
            Ok(u64::try_from(rows).unwrap_or(0))
        })?;
        Ok(rows.map(|rows| CohortInfo {
            cohort: self.cohort,
            used: rows > 0,
            rows,
            bytes: bytes(self.database.path()),
        }))
    }
}

/// Where a cohort's file is.
pub(super) fn path(folder: &Path, cohort: Cohort) -> PathBuf {
    folder.join(format!("cards-{cohort}.db"))
}

/// The file and those that SQLite keeps beside it; the file itself comes last.
fn parts(path: &Path) -> [PathBuf; 3] {
    let beside = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    [beside("-wal"), beside("-shm"), path.to_owned()]
}

/// Bytes on disk.
pub(super) fn bytes(path: &Path) -> u64 {
    parts(path)
        .iter()
        .filter_map(|part| std::fs::metadata(part).ok())
        .map(|data| data.len())
        .sum()
}

/// Removes the files. Those that are gone already are no error; the main file goes last, so that
/// an interrupted removal is noticed and repeated.
pub(super) fn unlink(path: &Path) -> Result<()> {
    for part in parts(path) {
        match std::fs::remove_file(&part) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(failure::unavailable(&part, error));
            }
            _ => {}
        }
    }
    Ok(())
}
