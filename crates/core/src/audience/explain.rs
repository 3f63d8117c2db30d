//! Saying why a user is not in an audience, in the words of the campaign's author.

use serde_json::Value;

use super::{AttributeTest, Condition, EventTest, Scalar};
use crate::time::Timestamp;
use crate::user::User;

/// The first reason found, or `None` when the condition holds.
pub(super) fn mismatch(condition: &Condition, user: &User, now: Timestamp) -> Option<String> {
    if condition.matches(user, now) {
        return None;
    }
    Some(match condition {
        Condition::All(parts) => parts.iter().find_map(|part| mismatch(part, user, now))?,
        Condition::Any(parts) if parts.is_empty() => "the audience is empty".to_owned(),
        Condition::Any(parts) => {
            let reasons: Vec<String> = parts
                .iter()
                .filter_map(|part| mismatch(part, user, now))
                .collect();
            reasons.join(", and ")
        }
        Condition::Not(part) => format!("{} holds, but is excluded", describe(part)),
        Condition::Attribute { name, test } => {
            format!(
                "{name} is {}, wanted {}",
                found(user.attributes.get(name)),
                wanted(test)
            )
        }
        Condition::Event { name, test } => match (user.events.get(name), test) {
            (None, EventTest::Exists(_)) => format!("event {name} never happened"),
            (Some(_), EventTest::Exists(_)) => format!("event {name} has happened"),
            (summary, EventTest::CountGte(least)) => {
                let count = summary.map_or(0, |summary| summary.count);
                format!("event {name} happened {count} times, wanted at least {least}")
            }
            (None, EventTest::WithinSeconds(_)) => format!("event {name} never happened"),
            (Some(summary), EventTest::WithinSeconds(seconds)) => format!(
                "event {name} last happened at {}, wanted within {seconds} seconds",
                summary.last_at
            ),
        },
    })
}

fn found(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "not set".to_owned(),
        Some(value) => quoted(value),
    }
}

/// Attribute values can be long; an explanation is not.
fn quoted(value: &Value) -> String {
    const LONGEST: usize = 80;
    let text = match value {
        Value::String(text) => format!("'{text}'"),
        other => other.to_string(),
    };
    if text.chars().count() <= LONGEST {
        return text;
    }
    let cut: String = text.chars().take(LONGEST).collect();
    format!("{cut}…")
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => quoted(&Value::from(text.as_str())),
        Scalar::Integer(number) => number.to_string(),
        Scalar::Real(number) => number.to_string(),
        Scalar::Bool(flag) => flag.to_string(),
    }
}

fn wanted(test: &AttributeTest) -> String {
    match test {
        AttributeTest::Eq(value) => scalar(value),
        AttributeTest::Ne(value) => format!("anything but {}", scalar(value)),
        AttributeTest::Lt(value) => format!("less than {}", scalar(value)),
        AttributeTest::Lte(value) => format!("at most {}", scalar(value)),
        AttributeTest::Gt(value) => format!("more than {}", scalar(value)),
        AttributeTest::Gte(value) => format!("at least {}", scalar(value)),
        AttributeTest::In(values) => {
            let list: Vec<String> = values.iter().map(scalar).collect();
            format!("one of {}", list.join(", "))
        }
        AttributeTest::Contains(value) => format!("something that contains {}", scalar(value)),
        AttributeTest::Exists(true) => "any value".to_owned(),
        AttributeTest::Exists(false) => "no value".to_owned(),
    }
}

fn describe(condition: &Condition) -> String {
    match condition {
        Condition::All(parts) => group("all of", parts),
        Condition::Any(parts) => group("any of", parts),
        Condition::Not(part) => format!("not ({})", describe(part)),
        Condition::Attribute { name, test } => format!("{name}: {}", wanted(test)),
        Condition::Event {
            name,
            test: EventTest::Exists(true),
        } => format!("event {name}"),
        Condition::Event {
            name,
            test: EventTest::Exists(false),
        } => format!("no event {name}"),
        Condition::Event {
            name,
            test: EventTest::CountGte(least),
        } => {
            format!("event {name} at least {least} times")
        }
        Condition::Event {
            name,
            test: EventTest::WithinSeconds(seconds),
        } => {
            format!("event {name} within {seconds} seconds")
        }
    }
}

fn group(word: &str, parts: &[Condition]) -> String {
    let list: Vec<String> = parts.iter().map(describe).collect();
    format!("{word} ({})", list.join("; "))
}
