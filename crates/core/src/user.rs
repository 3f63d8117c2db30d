//! Users: the people cards are for, as the brand's own systems name them.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use crate::id::{EventId, WorkspaceId};
use crate::time::Timestamp;

/// Longest user id, in bytes of UTF-8.
pub const MAX_USER_ID_BYTES: usize = 256;
/// Largest set of attributes of one user, in bytes of JSON.
pub const MAX_ATTRIBUTES_BYTES: usize = 64 * 1024;
/// Longest attribute or event name, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 128;

/// The brand's own name for a user: 1 to 256 bytes of UTF-8 without control characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct UserId(String);

/// Why a text is not a user id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a user id is 1 to {MAX_USER_ID_BYTES} bytes without control characters")]
pub struct ParseUserIdError;

impl UserId {
    /// Checks and takes a user id.
    pub fn parse(text: impl Into<String>) -> Result<Self, ParseUserIdError> {
        let text = text.into();
        let fits = (1..=MAX_USER_ID_BYTES).contains(&text.len());
        if fits && !text.chars().any(char::is_control) {
            Ok(Self(text))
        } else {
            Err(ParseUserIdError)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A user's attributes: one flat JSON object; values may be nested.
pub type Attributes = Map<String, Value>;

/// What is remembered of a user's events of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSummary {
    pub count: u64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// A user as audiences and templates see them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct User {
    #[serde(rename = "user_id")]
    pub id: UserId,
    pub attributes: Attributes,
    /// By event name.
    pub events: BTreeMap<String, EventSummary>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl User {
    /// A user about whom nothing is known.
    #[must_use]
    pub fn unknown(id: UserId, now: Timestamp) -> Self {
        let (attributes, events) = (Attributes::new(), BTreeMap::new());
        Self {
            id,
            attributes,
            events,
            created_at: now,
            updated_at: now,
        }
    }

    /// The IANA zone named by the `time_zone` attribute; UTC when absent or unknown.
    #[must_use]
    pub fn time_zone(&self) -> jiff::tz::TimeZone {
        self.attributes
            .get("time_zone")
            .and_then(Value::as_str)
            .and_then(|name| jiff::tz::TimeZone::get(name).ok())
            .unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

/// A change of one user's attributes: each named one is set; `null` removes it.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeChange {
    pub user: UserId,
    pub attributes: Attributes,
}

/// One thing a user did, as reported.
#[derive(Debug, Clone, PartialEq)]
pub struct UserEvent {
    /// A repeated report carries the same id and counts once.
    pub id: EventId,
    pub workspace: WorkspaceId,
    pub user: UserId,
    pub name: String,
    pub at: Timestamp,
    pub properties: Map<String, Value>,
}

/// Whether `name` may name an attribute or event: 1 to 128 bytes, no control characters, quotes or
/// backslashes (which would need escaping in every database's path syntax).
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '"' | '\\'))
}

/// Whether every text in `value` can be stored by every database: no NUL characters.
#[must_use]
pub fn is_storable(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(is_storable),
        Value::Object(map) => are_storable(map),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// [`is_storable`] for the names and values of an object.
#[must_use]
pub fn are_storable(map: &Map<String, Value>) -> bool {
    map.iter()
        .all(|(name, value)| !name.contains('\0') && is_storable(value))
}
