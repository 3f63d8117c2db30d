//! Audiences: which users a campaign is for. One definition, two evaluations.
//!
//! [`Audience::matches`] decides in memory; the store translates the same tree to SQL. Both follow
//! the rules below, and a property test holds them together:
//! - a missing attribute and `null` are the same: nothing but `ne` and `exists: false` matches it;
//! - `eq`, `ne`, `in` compare text with text, numbers with numbers (by value: 18 = 18.0), booleans
//!   with booleans; different kinds are never equal;
//! - `lt lte gt gte` compare numbers by value, or texts by their bytes (so RFC 3339 times in one
//!   zone compare by time); different kinds never match;
//! - `contains` is a substring of a text, or an element of an array;
//! - for events, `exists`, `count_gte` (at least so many in all) and `within_seconds` (the last one
//!   not longer ago than so many seconds).

mod evaluate;
mod explain;
mod parse;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

pub use evaluate::compare_numbers;
pub use parse::{MAX_CONDITIONS, MAX_DEPTH, ParseAudienceError};

use crate::time::Timestamp;
use crate::user::User;

/// Who a campaign is for.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Audience {
    /// Every user, known or not yet known.
    #[default]
    Everyone,
    /// The users for whom the condition holds.
    Matching(Condition),
}

/// A tree of conditions, at most [`MAX_DEPTH`] deep with at most [`MAX_CONDITIONS`] nodes.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every one holds. Empty: true.
    All(Vec<Condition>),
    /// At least one holds. Empty: false.
    Any(Vec<Condition>),
    Not(Box<Condition>),
    Attribute {
        name: String,
        test: AttributeTest,
    },
    Event {
        name: String,
        test: EventTest,
    },
}

/// A test of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeTest {
    Eq(Scalar),
    Ne(Scalar),
    Lt(Scalar),
    Lte(Scalar),
    Gt(Scalar),
    Gte(Scalar),
    In(Vec<Scalar>),
    Contains(Scalar),
    Exists(bool),
}

/// A test of what is remembered of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTest {
    Exists(bool),
    CountGte(u64),
    WithinSeconds(u64),
}

/// A value that an attribute can be compared with. Numbers are what databases can hold: 64-bit
/// integers, and doubles for the rest.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    Text(String),
    Integer(i64),
    Real(f64),
    Bool(bool),
}

impl Audience {
    /// From the JSON form: `"everyone"` or a tree.
    pub fn from_json(value: &Value) -> Result<Self, ParseAudienceError> {
        parse::audience(value)
    }

    /// Whether the user is in the audience at `now`.
    #[must_use]
    pub fn matches(&self, user: &User, now: Timestamp) -> bool {
        match self {
            Self::Everyone => true,
            Self::Matching(condition) => condition.matches(user, now),
        }
    }

    /// Why the user is not in the audience at `now`, as in `plan is 'free', wanted 'pro'`; `None`
    /// when the user is in it.
    #[must_use]
    pub fn explain_mismatch(&self, user: &User, now: Timestamp) -> Option<String> {
        match self {
            Self::Everyone => None,
            Self::Matching(condition) => explain::mismatch(condition, user, now),
        }
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Everyone => Value::from("everyone"),
            Self::Matching(condition) => condition.to_json(),
        }
    }
}

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
