//! An audience as a condition in SQL over `user u`, by exactly the rules of `core::audience`.
//!
//! Names and values are always bound, never part of the text; the text depends on the tree's shape
//! only. Every leaf is 0 or 1, never NULL, so that `NOT` means what it says. Attribute names are
//! quoted inside the bound JSON path, which is sound because they hold no quotes and backslashes.

#[cfg(test)]
mod tests;

use corkboard_core::audience::{AttributeTest, Audience, Condition, EventTest, Scalar};
use corkboard_core::time::Timestamp;
use rusqlite::types::Value;
use serde_json::json;

/// A condition and the values of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub(super) sql: String,
    /// For the parameters from the first number on, in order.
    pub(super) values: Vec<Value>,
}

/// Translates an audience. Its parameters are numbered from `first` on.
pub(super) fn translate(audience: &Audience, now: Timestamp, first: usize) -> Filter {
    let mut translation = Translation {
        sql: String::new(),
        values: Vec::new(),
        first,
        now,
    };
    match audience {
        Audience::Everyone => translation.push("1"),
        Audience::Matching(condition) => translation.condition(condition),
    }
    Filter {
        sql: translation.sql,
        values: translation.values,
    }
}

struct Translation {
    sql: String,
    values: Vec<Value>,
    first: usize,
    now: Timestamp,
}

impl Translation {
    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Binds a value and returns its placeholder.
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("?{}", self.first + self.values.len() - 1)
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.joined(parts, " AND ", "1"),
            Condition::Any(parts) => self.joined(parts, " OR ", "0"),
            Condition::Not(part) => {
                self.push("NOT (");
                self.condition(part);
                self.push(")");
            }
            Condition::Attribute { name, test } => self.attribute(name, test),
            Condition::Event { name, test } => self.event(name, *test),
        }
    }

    fn joined(&mut self, parts: &[Condition], between: &str, empty: &str) {
        if parts.is_empty() {
            self.push(empty);
            return;
        }
        for (place, part) in parts.iter().enumerate() {
            self.push(if place == 0 { "(" } else { between });
            self.condition(part);
        }
        self.push(")");
    }

    fn attribute(&mut self, name: &str, test: &AttributeTest) {
        if is_never(test) {
            return self.push("0");
        }
        let path = self.bind(Value::Text(format!("$.\"{name}\"")));
        let attribute = Attribute {
            kind: format!("json_type(u.attributes, {path})"),
            value: format!("json_extract(u.attributes, {path})"),
        };
        let sql = match test {
            AttributeTest::Eq(wanted) => self.compare(&attribute, "=", wanted),
            AttributeTest::Ne(wanted) => format!("NOT {}", self.compare(&attribute, "=", wanted)),
            AttributeTest::Lt(wanted) => self.compare(&attribute, "<", wanted),
            AttributeTest::Lte(wanted) => self.compare(&attribute, "<=", wanted),
            AttributeTest::Gt(wanted) => self.compare(&attribute, ">", wanted),
            AttributeTest::Gte(wanted) => self.compare(&attribute, ">=", wanted),
            AttributeTest::In(wanted) => self.one_of(&attribute, wanted),
            AttributeTest::Contains(wanted) => self.contains(&attribute, &path, wanted),
            AttributeTest::Exists(wanted) => {
                let not = if *wanted { "" } else { "NOT " };
                format!("{not}ifnull({} <> 'null', 0)", attribute.kind)
            }
        };
        self.push(&sql);
    }

    /// Values of one kind only, by value (text by bytes).
    fn compare(
        &mut self,
        Attribute { kind, value }: &Attribute,
        op: &str,
        with: &Scalar,
    ) -> String {
        match with {
            Scalar::Bool(flag) => format!("ifnull({kind} = '{flag}', 0)"),
            Scalar::Text(text) => {
                let bound = self.bind(Value::Text(text.clone()));
                format!("ifnull({kind} = 'text' AND {value} {op} {bound}, 0)")
            }
            Scalar::Integer(number) => {
                let bound = self.bind(Value::Integer(*number));
                format!("ifnull({kind} IN ('integer', 'real') AND {value} {op} {bound}, 0)")
            }
            Scalar::Real(number) => {
                let bound = self.bind(Value::Real(*number));
                format!("ifnull({kind} IN ('integer', 'real') AND {value} {op} {bound}, 0)")
            }
        }
    }

    /// Texts and numbers are bound as one JSON list each: a thousand values are two parameters.
    fn one_of(&mut self, Attribute { kind, value }: &Attribute, wanted: &[Scalar]) -> String {
        let (mut texts, mut numbers, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for scalar in wanted {
            match scalar {
                Scalar::Text(text) => texts.push(json!(text)),
                Scalar::Integer(number) => numbers.push(json!(number)),
                Scalar::Real(number) => numbers.push(json!(number)),
                Scalar::Bool(flag) => parts.push(format!("ifnull({kind} = '{flag}', 0)")),
            }
        }
        parts.sort();
        parts.dedup();
        for (list, kinds) in [(texts, "('text')"), (numbers, "('integer', 'real')")] {
            if !list.is_empty() {
                let bound = self.bind(Value::Text(json!(list).to_string()));
                parts.push(format!(
                    "ifnull({kind} IN {kinds} AND {value} IN (SELECT value FROM json_each({bound})), 0)"
                ));
            }
        }
        format!("({})", parts.join(" OR "))
    }

    /// A part of a text, or an element of an array.
    fn contains(
        &mut self,
        Attribute { kind, value }: &Attribute,
        path: &str,
        wanted: &Scalar,
    ) -> String {
        let element = Attribute {
            kind: "e.type".to_owned(),
            value: "e.value".to_owned(),
        };
        let equal = self.compare(&element, "=", wanted);
        let in_array = format!(
            "(ifnull({kind} = 'array', 0) AND EXISTS (SELECT 1 FROM json_each(u.attributes, {path}) e WHERE {equal}))"
        );
        match wanted {
            Scalar::Text(text) => {
                let bound = self.bind(Value::Text(text.clone()));
                format!(
                    "({in_array} OR ifnull({kind} = 'text' AND instr({value}, {bound}) > 0, 0))"
                )
            }
            _ => in_array,
        }
    }

    fn event(&mut self, name: &str, test: EventTest) {
        let wanted = match test {
            EventTest::Exists(true) => String::new(),
            EventTest::Exists(false) => {
                self.push("NOT ");
                String::new()
            }
            EventTest::CountGte(0) => return self.push("1"),
            EventTest::CountGte(count) => match i64::try_from(count) {
                Ok(count) => format!(" AND s.count >= {}", self.bind(Value::Integer(count))),
                // More than can be counted.
                Err(_) => return self.push("0"),
            },
            EventTest::WithinSeconds(seconds) => {
                let span = i64::try_from(seconds)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1_000_000);
                let since = self.now.as_micros().saturating_sub(span);
                format!(" AND s.last_at >= {}", self.bind(Value::Integer(since)))
            }
        };
        let name = self.bind(Value::Text(name.to_owned()));
        self.push(&format!(
            "EXISTS (SELECT 1 FROM user_event s WHERE s.workspace = u.workspace AND s.slot = u.slot \
             AND s.user_id = u.user_id AND s.name = {name}{wanted})"
        ));
    }
}

/// Booleans have no order, and nothing is in an empty list.
fn is_never(test: &AttributeTest) -> bool {
    use AttributeTest::{Gt, Gte, In, Lt, Lte};
    match test {
        Lt(wanted) | Lte(wanted) | Gt(wanted) | Gte(wanted) => matches!(wanted, Scalar::Bool(_)),
        In(wanted) => wanted.is_empty(),
        _ => false,
    }
}

/// How to ask for an attribute's JSON type and its value.
struct Attribute {
    kind: String,
    value: String,
}
