//! Columns that only the control database has: documents, enumerations, small counts.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use tokio_postgres::Row;

pub(super) use crate::document::{corrupt, text};
use crate::error::Result;
use crate::postgres::values::{Json, get};

/// A JSON document from its column. `what` and the row's id go into the error.
pub(super) fn document<T: DeserializeOwned>(
    row: &Row,
    column: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
    let Json(text): Json<&str> = get(row, column)?;
    crate::document::parse(text, what, of)
}

/// A JSON document that may be absent.
pub(super) fn optional_document<T: DeserializeOwned>(
    row: &Row,
    column: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<Option<T>> {
    let text: Option<Json<&str>> = get(row, column)?;
    text.map(|Json(text)| crate::document::parse(text, what, of))
        .transpose()
}

/// A state or another enumeration by its name, which is the one in JSON.
pub(super) fn named<T: DeserializeOwned>(
    row: &Row,
    column: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
    crate::document::named(get(row, column)?, what, of)
}

/// A small number from its column. PostgreSQL knows signed numbers only; we store no negative one.
pub(super) fn small(row: &Row, column: &str) -> Result<u32> {
    let stored: i32 = get(row, column)?;
    Ok(u32::try_from(stored).unwrap_or(0))
}

/// A small number as PostgreSQL keeps it; nothing of ours reaches 2^31.
pub(super) fn stored_small(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
