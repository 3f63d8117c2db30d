//! Deciding an audience in memory, by exactly the rules that the SQL translation follows.

use std::cmp::Ordering;

use serde_json::Value;

use super::{AttributeTest, Condition, EventTest, Scalar};
use crate::time::Timestamp;
use crate::user::{EventSummary, User};

impl Condition {
    /// Whether the condition holds for the user at `now`. Recursion is bounded by the depth that
    /// parsing admits.
    #[must_use]
    pub fn matches(&self, user: &User, now: Timestamp) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.matches(user, now)),
            Self::Any(parts) => parts.iter().any(|part| part.matches(user, now)),
            Self::Not(part) => !part.matches(user, now),
            Self::Attribute { name, test } => test.matches(user.attributes.get(name)),
            Self::Event { name, test } => test.matches(user.events.get(name), now),
        }
    }
}

impl AttributeTest {
    /// Whether the test holds for an attribute's value (`None` when it is not set).
    #[must_use]
    pub fn matches(&self, value: Option<&Value>) -> bool {
        let value = value.filter(|value| !value.is_null());
        let order = |wanted: &Scalar| value.and_then(|value| wanted.order_of(value));
        match self {
            Self::Eq(wanted) => value.is_some_and(|value| wanted.equals(value)),
            Self::Ne(wanted) => !value.is_some_and(|value| wanted.equals(value)),
            Self::Lt(wanted) => order(wanted).is_some_and(Ordering::is_lt),
            Self::Lte(wanted) => order(wanted).is_some_and(Ordering::is_le),
            Self::Gt(wanted) => order(wanted).is_some_and(Ordering::is_gt),
            Self::Gte(wanted) => order(wanted).is_some_and(Ordering::is_ge),
            Self::In(wanted) => value.is_some_and(|value| wanted.iter().any(|w| w.equals(value))),
            Self::Contains(wanted) => match (value, wanted) {
                (Some(Value::Array(items)), wanted) => items.iter().any(|item| wanted.equals(item)),
                (Some(Value::String(text)), Scalar::Text(part)) => text.contains(part.as_str()),
                _ => false,
            },
            Self::Exists(wanted) => value.is_some() == *wanted,
        }
    }
}

impl EventTest {
    /// Whether the test holds for what is remembered of the event (`None` when it never happened).
    #[must_use]
    pub fn matches(self, summary: Option<&EventSummary>, now: Timestamp) -> bool {
        match self {
            Self::Exists(wanted) => summary.is_some() == wanted,
            Self::CountGte(wanted) => summary.map_or(0, |summary| summary.count) >= wanted,
            Self::WithinSeconds(seconds) => summary.is_some_and(|summary| {
                let micros = i64::try_from(seconds)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1_000_000);
                summary.last_at.as_micros() >= now.as_micros().saturating_sub(micros)
            }),
        }
    }
}

impl Scalar {
    /// The scalar that a JSON value stands for; `None` for null, arrays and objects.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(flag) => Some(Self::Bool(*flag)),
            Value::Number(number) => number
                .as_i64()
                .map(Self::Integer)
                .or_else(|| number.as_f64().map(Self::Real)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Bool(wanted), Value::Bool(flag)) => wanted == flag,
            _ => self.order_of(value).is_some_and(Ordering::is_eq),
        }
    }

    /// How `value` stands to this scalar; `None` when they cannot be ordered.
    fn order_of(&self, value: &Value) -> Option<Ordering> {
        match (self, value) {
            (Self::Text(wanted), Value::String(text)) => Some(text.as_str().cmp(wanted)),
            (Self::Integer(_) | Self::Real(_), Value::Number(_)) => {
                compare_numbers(&Self::from_json(value)?, self)
            }
            _ => None,
        }
    }
}

/// Compares two numbers by their mathematical value, without rounding an integer to a double.
/// `None` when either is not a number.
#[must_use]
pub fn compare_numbers(left: &Scalar, right: &Scalar) -> Option<Ordering> {
    match (left, right) {
        (Scalar::Integer(a), Scalar::Integer(b)) => Some(a.cmp(b)),
        (Scalar::Real(a), Scalar::Real(b)) => a.partial_cmp(b),
        (Scalar::Integer(a), Scalar::Real(b)) => compare_integer_with_real(*a, *b),
        (Scalar::Real(a), Scalar::Integer(b)) => {
            compare_integer_with_real(*b, *a).map(Ordering::reverse)
        }
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked before the cast"
)]
fn compare_integer_with_real(integer: i64, real: f64) -> Option<Ordering> {
    /// 2^63, the first double above every i64.
    const ABOVE: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() {
        return None;
    }
    if real >= ABOVE {
        return Some(Ordering::Less);
    }
    if real < -ABOVE {
        return Some(Ordering::Greater);
    }
    let whole = real.trunc();
    Some(
        integer
            .cmp(&(whole as i64))
            .then_with(|| whole.partial_cmp(&real).unwrap_or(Ordering::Equal)),
    )
}
