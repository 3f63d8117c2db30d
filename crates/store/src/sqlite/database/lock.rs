//! One process at a time: a lock beside the file, given back by the system even after a crash.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use super::failure;
use crate::error::Result;

/// Another process (or another store of this one) has the file open.
#[derive(Debug, thiserror::Error)]
#[error("it is in use by another process: stop that one first, or ask it over HTTP")]
struct InUse;

/// Holds a lock file until dropped.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl FileLock {
    /// Takes the lock at `path`, or fails at once.
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(|error| failure::unavailable(path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(failure::unavailable(path, InUse)),
            Err(TryLockError::Error(error)) => Err(failure::unavailable(path, error)),
        }
    }
}
