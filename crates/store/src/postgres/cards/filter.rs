//! An audience as a condition in SQL over `tracked_user u`, by exactly the rules of
//! `core::audience`.
//!
//! Names and values are always bound, never part of the text. Every leaf is true or false, never
//! NULL, so that `NOT` means what it says. Numbers are compared as decimals, which are exact;
//! only what no 64-bit integer holds is compared as the double that memory takes it for.

#[cfg(test)]
mod tests;

use corkboard_core::audience::{AttributeTest, Audience, Condition, EventTest, Scalar};
use corkboard_core::time::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::attributes::decimal;
use crate::postgres::values::Time;

/// 2^63: the first number above every 64-bit integer.
const ABOVE: f64 = 9_223_372_036_854_775_808.0;

/// The value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bound {
    Text(String),
    Texts(Vec<String>),
    Count(i64),
    Double(f64),
    Time(Time),
}

impl Bound {
    /// For the driver.
    pub(super) fn param(&self) -> (&(dyn ToSql + Sync), Type) {
        match self {
            Self::Text(value) => (value, Type::TEXT),
            Self::Texts(value) => (value, Type::TEXT_ARRAY),
            Self::Count(value) => (value, Type::INT8),
            Self::Double(value) => (value, Type::FLOAT8),
            Self::Time(value) => (value, Type::TIMESTAMPTZ),
        }
    }
}

/// A condition and the values of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    pub(super) sql: String,
    /// For the parameters from the first number on, in order.
    pub(super) values: Vec<Bound>,
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
        Audience::Everyone => translation.push("true"),
        Audience::Matching(condition) => translation.condition(condition),
    }
    Filter {
        sql: translation.sql,
        values: translation.values,
    }
}

struct Translation {
    sql: String,
    values: Vec<Bound>,
    first: usize,
    now: Timestamp,
}

impl Translation {
    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    /// Binds a value and returns its placeholder.
    fn bind(&mut self, value: Bound) -> String {
        self.values.push(value);
        format!("${}", self.first + self.values.len() - 1)
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::All(parts) => self.joined(parts, " AND ", "true"),
            Condition::Any(parts) => self.joined(parts, " OR ", "false"),
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
        let name = self.bind(Bound::Text(name.to_owned()));
        let value = format!("(u.attributes -> {name})");
        let sql = match test {
            AttributeTest::Eq(wanted) => self.compare(&value, "=", wanted),
            AttributeTest::Ne(wanted) => format!("NOT {}", self.compare(&value, "=", wanted)),
            AttributeTest::Lt(wanted) => self.ordered(&value, "<", wanted),
            AttributeTest::Lte(wanted) => self.ordered(&value, "<=", wanted),
            AttributeTest::Gt(wanted) => self.ordered(&value, ">", wanted),
            AttributeTest::Gte(wanted) => self.ordered(&value, ">=", wanted),
            AttributeTest::In(wanted) => self.one_of(&value, wanted),
            AttributeTest::Contains(wanted) => self.contains(&value, wanted),
            AttributeTest::Exists(wanted) => {
                let not = if *wanted { "" } else { "NOT " };
                format!("{not}coalesce(jsonb_typeof({value}) <> 'null', false)")
            }
        };
        self.push(&sql);
    }

    /// Booleans have no order.
    fn ordered(&mut self, value: &str, op: &str, with: &Scalar) -> String {
        if matches!(with, Scalar::Bool(_)) {
            return "false".to_owned();
        }
        self.compare(value, op, with)
    }

    /// Values of one kind only, by value (text by bytes). `CASE` decides the kind before the cast.
    fn compare(&mut self, value: &str, op: &str, with: &Scalar) -> String {
        match with {
            Scalar::Bool(flag) => format!("coalesce({value} = '{flag}'::jsonb, false)"),
            // The commonest comparison of all, in one step. Equal is equal in every collation.
            Scalar::Text(text) if op == "=" => {
                let bound = self.bind(Bound::Text(text.clone()));
                format!("coalesce({value} = (SELECT to_jsonb({bound}::text)), false)")
            }
            Scalar::Text(text) => {
                let bound = self.bind(Bound::Text(text.clone()));
                text_case(value, &format!("{} {op} {bound}", text_of(value)))
            }
            Scalar::Integer(number) => {
                let bound = self.bind(Bound::Text(number.to_string()));
                number_case(value, &format!("{value}::numeric {op} {bound}::numeric"))
            }
            Scalar::Real(number) => {
                let compared = self.compare_real(value, op, *number);
                number_case(value, &compared)
            }
        }
    }

    fn compare_real(&mut self, value: &str, op: &str, number: f64) -> String {
        let exact = self.bind(Bound::Text(decimal(number)));
        let exact = format!("{value}::numeric {op} {exact}::numeric");
        if number < ABOVE {
            return exact;
        }
        // Integers above 2^63 are taken for doubles.
        let double = self.bind(Bound::Double(number));
        format!(
            "CASE WHEN {value}::numeric > 9223372036854775807 \
             THEN {value}::numeric::float8 {op} {double} ELSE {exact} END"
        )
    }

    /// Texts and numbers are bound as one list each: a thousand values are two parameters.
    fn one_of(&mut self, value: &str, wanted: &[Scalar]) -> String {
        let (mut texts, mut numbers, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for scalar in wanted {
            match scalar {
                Scalar::Text(text) => texts.push(text.clone()),
                Scalar::Integer(number) => numbers.push(number.to_string()),
                Scalar::Real(number) if *number < ABOVE => numbers.push(decimal(*number)),
                Scalar::Real(_) | Scalar::Bool(_) => parts.push(self.compare(value, "=", scalar)),
            }
        }
        if !texts.is_empty() {
            let bound = self.bind(Bound::Texts(texts));
            parts.push(text_case(
                value,
                &format!("{} = ANY ({bound})", text_of(value)),
            ));
        }
        if !numbers.is_empty() {
            let bound = self.bind(Bound::Texts(numbers));
            let found = format!("{value}::numeric = ANY ({bound}::numeric[])");
            parts.push(number_case(value, &found));
        }
        if parts.is_empty() {
            return "false".to_owned();
        }
        format!("({})", parts.join(" OR "))
    }

    /// A part of a text, or an element of an array.
    fn contains(&mut self, value: &str, wanted: &Scalar) -> String {
        let equal = self.compare("e.value", "=", wanted);
        let in_array = format!(
            "EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof({value}) = 'array' \
             THEN {value} ELSE '[]'::jsonb END) e(value) WHERE {equal})"
        );
        match wanted {
            Scalar::Text(text) => {
                let bound = self.bind(Bound::Text(text.clone()));
                let within = format!("strpos({}, {bound}) > 0", text_of(value));
                format!("({in_array} OR {})", text_case(value, &within))
            }
            _ => in_array,
        }
    }

    fn event(&mut self, name: &str, test: EventTest) {
        let mut not = "";
        let wanted = match test {
            EventTest::Exists(true) => String::new(),
            EventTest::Exists(false) => {
                not = "NOT ";
                String::new()
            }
            EventTest::CountGte(0) => return self.push("true"),
            EventTest::CountGte(count) => match i64::try_from(count) {
                Ok(count) => format!(" AND s.count >= {}", self.bind(Bound::Count(count))),
                // More than can be counted.
                Err(_) => return self.push("false"),
            },
            EventTest::WithinSeconds(seconds) => {
                let span = i64::try_from(seconds)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1_000_000);
                let since = self.now.as_micros().saturating_sub(span);
                let since = Time(Timestamp::from_micros(since));
                format!(" AND s.last_at >= {}", self.bind(Bound::Time(since)))
            }
        };
        let name = self.bind(Bound::Text(name.to_owned()));
        // Not EXISTS, which the planner might turn into a join over everybody's events.
        self.push(&format!(
            "{not}coalesce((SELECT true FROM user_event s WHERE s.slot = u.slot \
             AND s.workspace_no = u.workspace_no AND s.user_id = u.user_id AND s.name = {name}{wanted} \
             LIMIT 1), false)"
        ));
    }
}

fn text_of(value: &str) -> String {
    format!("({value} #>> '{{}}') COLLATE \"C\"")
}

fn text_case(value: &str, test: &str) -> String {
    format!("CASE WHEN jsonb_typeof({value}) = 'string' THEN {test} ELSE false END")
}

fn number_case(value: &str, test: &str) -> String {
    format!("CASE WHEN jsonb_typeof({value}) = 'number' THEN {test} ELSE false END")
}
