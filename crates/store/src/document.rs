//! Domain values as text in columns: documents as JSON, enumerations by the names they have there.

use std::fmt::Display;

use serde::Serialize;
use serde::de::value::{Error as NameError, StrDeserializer};
use serde::de::{DeserializeOwned, IntoDeserializer};

use crate::error::{BoxError, Result, StoreError};

/// A value as stored.
pub(crate) fn text<T: Serialize>(value: &T, what: &'static str) -> Result<String> {
    // Domain types have string keys only and serialise; an error here would be theirs.
    serde_json::to_string(value).map_err(|error| corrupt(what, "not yet stored", error))
}

/// A stored value. `what` and the row's id go into the error.
pub(crate) fn parse<T: DeserializeOwned>(
    text: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
    serde_json::from_str(text).map_err(|error| corrupt(what, of, error))
}

/// A state or another enumeration by its name.
pub(crate) fn named<T: DeserializeOwned>(
    name: &str,
    what: &'static str,
    of: &dyn Display,
) -> Result<T> {
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
pub(crate) fn corrupt(
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
