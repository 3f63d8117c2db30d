//! How PostgreSQL asks about a user of an audience, over `tracked_user u`.
//!
//! Numbers are compared as decimals, which are exact; only what no 64-bit integer holds is compared
//! as the double that memory takes it for.

#[cfg(test)]
mod tests;

use corkboard_core::audience::{Audience, Scalar};
use corkboard_core::time::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::attributes::decimal;
use crate::audience_sql::{self, Dialect};
use crate::postgres::values::Time;

type Parameters = audience_sql::Parameters<Postgres>;

/// 2^63: the first number above every 64-bit integer.
const ABOVE: f64 = 9_223_372_036_854_775_808.0;

/// Translates an audience. Its parameters are numbered from `first` on.
pub(super) fn translate(
    audience: &Audience,
    now: Timestamp,
    first: usize,
) -> audience_sql::Filter<Bound> {
    audience_sql::translate::<Postgres>(audience, now, first)
}

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

impl From<String> for Bound {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<i64> for Bound {
    fn from(value: i64) -> Self {
        Self::Count(value)
    }
}

struct Postgres;

impl Dialect for Postgres {
    type Value = Bound;
    /// The expression for its value.
    type Attribute = String;

    const SIGN: char = '$';

    fn time(time: Timestamp) -> Bound {
        Bound::Time(Time(time))
    }

    fn attribute(parameters: &mut Parameters, name: &str) -> String {
        format!("(u.attributes -> {})", parameters.bind(name.to_owned()))
    }

    fn exists(value: &String) -> String {
        format!("coalesce(jsonb_typeof({value}) <> 'null', false)")
    }

    fn compare(parameters: &mut Parameters, value: &String, op: &str, with: &Scalar) -> String {
        compare(parameters, value, op, with)
    }

    fn one_of(parameters: &mut Parameters, value: &String, wanted: &[Scalar]) -> String {
        let (mut texts, mut numbers, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for scalar in wanted {
            match scalar {
                Scalar::Text(text) => texts.push(text.clone()),
                Scalar::Integer(number) => numbers.push(number.to_string()),
                Scalar::Real(number) if *number < ABOVE => numbers.push(decimal(*number)),
                Scalar::Real(_) | Scalar::Bool(_) => {
                    parts.push(compare(parameters, value, "=", scalar));
                }
            }
        }
        if !texts.is_empty() {
            let bound = parameters.bind(Bound::Texts(texts));
            parts.push(text_case(
                value,
                &format!("{} = ANY ({bound})", text_of(value)),
            ));
        }
        if !numbers.is_empty() {
            let bound = parameters.bind(Bound::Texts(numbers));
            let found = format!("{value}::numeric = ANY ({bound}::numeric[])");
            parts.push(number_case(value, &found));
        }
        format!("({})", parts.join(" OR "))
    }

    fn contains(parameters: &mut Parameters, value: &String, wanted: &Scalar) -> String {
        let equal = compare(parameters, "e.value", "=", wanted);
        let in_array = format!(
            "EXISTS (SELECT 1 FROM jsonb_array_elements(CASE WHEN jsonb_typeof({value}) = 'array' \
             THEN {value} ELSE '[]'::jsonb END) e(value) WHERE {equal})"
        );
        match wanted {
            Scalar::Text(text) => {
                let bound = parameters.bind(text.clone());
                let within = format!("strpos({}, {bound}) > 0", text_of(value));
                format!("({in_array} OR {})", text_case(value, &within))
            }
            _ => in_array,
        }
    }

    /// Not EXISTS, which the planner might turn into a join over everybody's events.
    fn event(name: &str, wanted: &str) -> String {
        format!(
            "coalesce((SELECT true FROM user_event s WHERE s.slot = u.slot \
             AND s.workspace_no = u.workspace_no AND s.user_id = u.user_id AND s.name = {name}{wanted} \
             LIMIT 1), false)"
        )
    }
}

/// `CASE` decides the kind before the cast.
fn compare(parameters: &mut Parameters, value: &str, op: &str, with: &Scalar) -> String {
    match with {
        Scalar::Bool(flag) => format!("coalesce({value} = '{flag}'::jsonb, false)"),
        // The commonest comparison of all, in one step. Equal is equal in every collation.
        Scalar::Text(text) if op == "=" => {
            let bound = parameters.bind(text.clone());
            format!("coalesce({value} = (SELECT to_jsonb({bound}::text)), false)")
        }
        Scalar::Text(text) => {
            let bound = parameters.bind(text.clone());
            text_case(value, &format!("{} {op} {bound}", text_of(value)))
        }
        Scalar::Integer(number) => {
            let bound = parameters.bind(number.to_string());
            number_case(value, &format!("{value}::numeric {op} {bound}::numeric"))
        }
        Scalar::Real(number) => {
            let compared = compare_real(parameters, value, op, *number);
            number_case(value, &compared)
        }
    }
}

fn compare_real(parameters: &mut Parameters, value: &str, op: &str, number: f64) -> String {
    let exact = parameters.bind(decimal(number));
    let exact = format!("{value}::numeric {op} {exact}::numeric");
    if number < ABOVE {
        return exact;
    }
    // Integers above 2^63 are taken for doubles.
    let double = parameters.bind(Bound::Double(number));
    format!(
        "CASE WHEN {value}::numeric > 9223372036854775807 \
         THEN {value}::numeric::float8 {op} {double} ELSE {exact} END"
    )
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
