//! The JSON form of an audience, read and written.

use serde_json::{Map, Value, json};

use super::{AttributeTest, Audience, Condition, EventTest, Scalar};
use crate::user::is_valid_name;

/// Deepest nesting of `all`, `any` and `not`.
pub const MAX_DEPTH: usize = 16;
/// Most nodes in one tree.
pub const MAX_CONDITIONS: usize = 200;
/// Most values of one `in`.
const MAX_IN: usize = 1_000;

/// Where in the audience and why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("audience{path}: {message}")]
pub struct ParseAudienceError {
    /// JSON pointer below the audience, empty for the audience itself.
    pub path: String,
    pub message: String,
}

fn refuse<T>(path: &str, message: impl Into<String>) -> Result<T, ParseAudienceError> {
    Err(ParseAudienceError {
        path: path.to_owned(),
        message: message.into(),
    })
}

pub(super) fn audience(value: &Value) -> Result<Audience, ParseAudienceError> {
    match value {
        Value::String(word) if word == "everyone" => Ok(Audience::Everyone),
        Value::Object(map) => {
            let mut budget = MAX_CONDITIONS;
            condition(map, "", MAX_DEPTH, &mut budget).map(Audience::Matching)
        }
        _ => refuse(
            "",
            "expected \"everyone\" or a tree of all, any, not and conditions",
        ),
    }
}

fn condition(
    map: &Map<String, Value>,
    path: &str,
    depth: usize,
    budget: &mut usize,
) -> Result<Condition, ParseAudienceError> {
    if depth == 0 {
        return refuse(path, format!("nested deeper than {MAX_DEPTH} levels"));
    }
    *budget = match budget.checked_sub(1) {
        Some(left) => left,
        None => return refuse(path, format!("more than {MAX_CONDITIONS} conditions")),
    };
    let group = ["all", "any", "not"]
        .into_iter()
        .find(|word| map.contains_key(*word));
    let Some(word) = group else {
        return leaf(map, path);
    };
    if map.len() != 1 {
        return refuse(path, format!("'{word}' stands alone in its object"));
    }
    let below = format!("{path}/{word}");
    match (&map[word], word) {
        (Value::Object(part), "not") => Ok(Condition::Not(Box::new(condition(
            part,
            &below,
            depth - 1,
            budget,
        )?))),
        (Value::Array(items), "all" | "any") => {
            let mut parts = Vec::with_capacity(items.len().min(MAX_CONDITIONS));
            for (place, item) in items.iter().enumerate() {
                let path = format!("{below}/{place}");
                let Value::Object(part) = item else {
                    return refuse(&path, "expected an object");
                };
                parts.push(condition(part, &path, depth - 1, budget)?);
            }
            Ok(if word == "all" {
                Condition::All(parts)
            } else {
                Condition::Any(parts)
            })
        }
        (_, "not") => refuse(&below, "expected an object"),
        _ => refuse(&below, "expected a list"),
    }
}

fn leaf(map: &Map<String, Value>, path: &str) -> Result<Condition, ParseAudienceError> {
    for key in map.keys() {
        if !["attribute", "event", "op", "value"].contains(&key.as_str()) {
            return refuse(
                &format!("{path}/{key}"),
                "unknown field; known are attribute, event, op, value, all, any, not",
            );
        }
    }
    let text = |key: &str| match map.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => refuse(&format!("{path}/{key}"), "expected a text"),
    };
    let (attribute, event, op) = (text("attribute")?, text("event")?, text("op")?);
    let Some(op) = op else {
        return refuse(path, "'op' is missing");
    };
    for (key, name) in [("attribute", &attribute), ("event", &event)] {
        if name.as_ref().is_some_and(|name| !is_valid_name(name)) {
            return refuse(
                &format!("{path}/{key}"),
                "a name is 1 to 128 bytes without control characters, quotes and backslashes",
            );
        }
    }
    let value = map.get("value");
    match (attribute, event) {
        (Some(name), None) => Ok(Condition::Attribute {
            name,
            test: attribute_test(&op, value, path)?,
        }),
        (None, Some(name)) => Ok(Condition::Event {
            name,
            test: event_test(&op, value, path)?,
        }),
        _ => refuse(path, "a condition names either an attribute or an event"),
    }
}

fn attribute_test(
    op: &str,
    value: Option<&Value>,
    path: &str,
) -> Result<AttributeTest, ParseAudienceError> {
    let at = format!("{path}/value");
    let scalar = |value: Option<&Value>, at: &str| match value.and_then(Scalar::from_json) {
        Some(Scalar::Text(text)) if text.contains('\0') => {
            refuse(at, "NUL characters are not allowed")
        }
        Some(scalar) => Ok(scalar),
        None => refuse(
            at,
            "expected a text, a number or a boolean; use 'exists' to ask for a missing value",
        ),
    };
    let ordered = |value: Option<&Value>| match scalar(value, &at)? {
        Scalar::Bool(_) => refuse(&at, "booleans have no order; compare with eq"),
        scalar => Ok(scalar),
    };
    Ok(match op {
        "eq" => AttributeTest::Eq(scalar(value, &at)?),
        "ne" => AttributeTest::Ne(scalar(value, &at)?),
        "lt" => AttributeTest::Lt(ordered(value)?),
        "lte" => AttributeTest::Lte(ordered(value)?),
        "gt" => AttributeTest::Gt(ordered(value)?),
        "gte" => AttributeTest::Gte(ordered(value)?),
        "in" => {
            let Some(Value::Array(items)) = value else {
                return refuse(&at, "expected a list");
            };
            if items.is_empty() || items.len() > MAX_IN {
                return refuse(&at, format!("expected 1 to {MAX_IN} values"));
            }
            let values = items
                .iter()
                .enumerate()
                .map(|(i, item)| scalar(Some(item), &format!("{at}/{i}")));
            AttributeTest::In(values.collect::<Result<_, _>>()?)
        }
        "contains" => match scalar(value, &at)? {
            Scalar::Text(text) if text.is_empty() => {
                return refuse(&at, "expected a text that is not empty");
            }
            scalar => AttributeTest::Contains(scalar),
        },
        "exists" => AttributeTest::Exists(exists(value, &at)?),
        other => {
            return refuse(
                &format!("{path}/op"),
                format!(
                    "'{other}' is not an operator for attributes; known are eq, ne, lt, lte, gt, gte, in, contains, exists"
                ),
            );
        }
    })
}

fn event_test(
    op: &str,
    value: Option<&Value>,
    path: &str,
) -> Result<EventTest, ParseAudienceError> {
    let at = format!("{path}/value");
    let number = |value: Option<&Value>| match value.and_then(Value::as_u64) {
        Some(number) if i64::try_from(number).is_ok() => Ok(number),
        _ => refuse(&at, "expected a whole number of 0 or more"),
    };
    Ok(match op {
        "exists" => EventTest::Exists(exists(value, &at)?),
        "count_gte" => EventTest::CountGte(number(value)?),
        "within_seconds" => EventTest::WithinSeconds(number(value)?),
        other => {
            return refuse(
                &format!("{path}/op"),
                format!(
                    "'{other}' is not an operator for events; known are exists, count_gte, within_seconds"
                ),
            );
        }
    })
}

/// `exists` may stand without a value, which means true.
fn exists(value: Option<&Value>, at: &str) -> Result<bool, ParseAudienceError> {
    match value {
        None => Ok(true),
        Some(Value::Bool(wanted)) => Ok(*wanted),
        Some(_) => refuse(at, "expected true or false"),
    }
}

impl Condition {
    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let list = |parts: &[Self]| parts.iter().map(Self::to_json).collect::<Vec<_>>();
        match self {
            Self::All(parts) => json!({ "all": list(parts) }),
            Self::Any(parts) => json!({ "any": list(parts) }),
            Self::Not(part) => json!({ "not": part.to_json() }),
            Self::Attribute { name, test } => {
                let (op, value) = test.to_json();
                json!({ "attribute": name, "op": op, "value": value })
            }
            Self::Event { name, test } => {
                let (op, value) = match test {
                    EventTest::Exists(wanted) => ("exists", Value::from(*wanted)),
                    EventTest::CountGte(number) => ("count_gte", Value::from(*number)),
                    EventTest::WithinSeconds(number) => ("within_seconds", Value::from(*number)),
                };
                json!({ "event": name, "op": op, "value": value })
            }
        }
    }
}

impl AttributeTest {
    fn to_json(&self) -> (&'static str, Value) {
        match self {
            Self::Eq(value) => ("eq", value.to_json()),
            Self::Ne(value) => ("ne", value.to_json()),
            Self::Lt(value) => ("lt", value.to_json()),
            Self::Lte(value) => ("lte", value.to_json()),
            Self::Gt(value) => ("gt", value.to_json()),
            Self::Gte(value) => ("gte", value.to_json()),
            Self::In(values) => ("in", values.iter().map(Scalar::to_json).collect()),
            Self::Contains(value) => ("contains", value.to_json()),
            Self::Exists(wanted) => ("exists", Value::from(*wanted)),
        }
    }
}

impl Scalar {
    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Integer(number) => Value::from(*number),
            Self::Real(number) => Value::from(*number),
            Self::Bool(flag) => Value::from(*flag),
        }
    }
}
