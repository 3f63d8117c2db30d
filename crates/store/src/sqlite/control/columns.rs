//! How domain values stand in columns: ids as 16 bytes, times as microseconds, documents as JSON.

use std::fmt::Display;

use corkboard_core::id::Id;
use corkboard_core::time::Timestamp;
use rusqlite::Row;
use serde::de::DeserializeOwned;

pub(super) use crate::document::{corrupt, text};
use crate::error::Result;

/// An id from its column.
pub(super) fn id<T: Id>(row: &Row<'_>, column: &str) -> Result<T> {
    Ok(T::from_bytes(row.get(column)?))
}

/// An id that may be absent.
pub(super) fn optional_id<T: Id>(row: &Row<'_>, column: &str) -> Result<Option<T>> {
    let bytes: Option<[u8; 16]> = row.get(column)?;
    Ok(bytes.map(T::from_bytes))
}

/// A time from its column.
pub(super) fn time(row: &Row<'_>, column: &str) -> Result<Timestamp> {
    Ok(Timestamp::from_micros(row.get(column)?))
}

/// A time that may be absent.
pub(super) fn optional_time(row: &Row<'_>, column: &str) -> Result<Option<Timestamp>> {
    let micros: Option<i64> = row.get(column)?;
    Ok(micros.map(Timestamp::from_micros))
}

/// A count from its column. SQLite knows signed numbers only; we never store a negative one.
pub(super) fn count(row: &Row<'_>, column: &str) -> Result<u64> {
    let stored: i64 = row.get(column)?;
    Ok(u64::try_from(stored).unwrap_or(0))
}

/// A count as SQLite keeps it; nothing is counted beyond 2^63.
pub(super) fn stored(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A JSON document from its column. `what` and the row's id go into the error.
pub(super) fn document<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
    crate::document::parse(name(row, column)?, what, of)
}

/// A state or another enumeration by its name, which is the one in JSON.
pub(super) fn named<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
    crate::document::named(name(row, column)?, what, of)
}

fn name<'a>(row: &'a Row<'_>, column: &str) -> Result<&'a str> {
    Ok(row
        .get_ref(column)?
        .as_str()
        .map_err(rusqlite::Error::from)?)
}
