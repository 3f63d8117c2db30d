//! How domain values stand in columns: ids as 16 bytes, times as microseconds, documents as JSON.

use std::fmt::Display;

use corkboard_core::id::Id;
use corkboard_core::time::Timestamp;
use rusqlite::Row;
use serde::Serialize;
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::error::{BoxError, Result, StoreError};

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
    let text = row
        .get_ref(column)?
        .as_str()
        .map_err(rusqlite::Error::from)?;
    serde_json::from_str(text).map_err(|error| corrupt(what, of, error))
}

/// A JSON document as stored.
pub(super) fn text<T: Serialize>(value: &T, what: &'static str) -> Result<String> {
    // Domain types have string keys only and serialise; an error here would be theirs.
    serde_json::to_string(value).map_err(|error| corrupt(what, "not yet stored", error))
}

/// A state or another enumeration by its name, which is the one in JSON.
pub(super) fn named<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
    let name = row
        .get_ref(column)?
        .as_str()
        .map_err(rusqlite::Error::from)?;
    let name: StrDeserializer<'_, NameError> = name.into_deserializer();
    T::deserialize(name).map_err(|error| corrupt(what, of, error))
}

/// Says which row it was; what is wrong with it is the source.
#[derive(Debug, thiserror::Error)]
#[error("row {row}")]
struct BadRow {
    row: String,
    #[source]
    source: BoxError,
}

/// The error of a stored row that cannot be understood.
pub(super) fn corrupt(
    what: &'static str,
    row: impl Display,
    source: impl Into<BoxError>,
) -> StoreError {
    StoreError::Corrupt {
        what,
        source: Box::new(BadRow {
            row: row.to_string(),
            source: source.into(),
        }),
    }
}
