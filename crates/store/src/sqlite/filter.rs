//! How SQLite asks about a user of an audience, over `user u`.
//!
//! The text depends on the tree's shape only. Attribute names are quoted inside the bound JSON path,
//! which is sound because they hold no quotes and backslashes.

#[cfg(test)]
mod tests;

use corkboard_core::audience::{Audience, Scalar};
use corkboard_core::time::Timestamp;
use rusqlite::types::Value;
use serde_json::json;

use crate::audience_sql::{self, Dialect};

pub(super) type Filter = audience_sql::Filter<Value>;
type Parameters = audience_sql::Parameters<Sqlite>;

/// Translates an audience. Its parameters are numbered from `first` on.
pub(super) fn translate(audience: &Audience, now: Timestamp, first: usize) -> Filter {
    audience_sql::translate::<Sqlite>(audience, now, first)
}

struct Sqlite;

/// An attribute by the parameter that has its path.
struct Attribute {
    path: String,
    json: Json,
}

/// How to ask for a JSON type and the value.
struct Json {
    kind: String,
    value: String,
}

impl Dialect for Sqlite {
    type Value = Value;
    type Attribute = Attribute;

    const SIGN: char = '?';

    fn time(time: Timestamp) -> Value {
        Value::Integer(time.as_micros())
    }

    fn attribute(parameters: &mut Parameters, name: &str) -> Attribute {
        let path = parameters.bind(format!("$.\"{name}\""));
        let json = Json {
            kind: format!("json_type(u.attributes, {path})"),
            value: format!("json_extract(u.attributes, {path})"),
        };
        Attribute { path, json }
    }

    fn exists(attribute: &Attribute) -> String {
        format!("ifnull({} <> 'null', 0)", attribute.json.kind)
    }

    fn compare(
        parameters: &mut Parameters,
        attribute: &Attribute,
        op: &str,
        with: &Scalar,
    ) -> String {
        compare(parameters, &attribute.json, op, with)
    }

    /// The lists are JSON.
    fn one_of(parameters: &mut Parameters, attribute: &Attribute, wanted: &[Scalar]) -> String {
        let Json { kind, value } = &attribute.json;
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
                let bound = parameters.bind(json!(list).to_string());
                parts.push(format!(
                    "ifnull({kind} IN {kinds} AND {value} IN (SELECT value FROM json_each({bound})), 0)"
                ));
            }
        }
        format!("({})", parts.join(" OR "))
    }

    fn contains(parameters: &mut Parameters, attribute: &Attribute, wanted: &Scalar) -> String {
        let Attribute { path, json } = attribute;
        let Json { kind, value } = json;
        let element = Json {
            kind: "e.type".to_owned(),
            value: "e.value".to_owned(),
        };
        let equal = compare(parameters, &element, "=", wanted);
        let in_array = format!(
            "(ifnull({kind} = 'array', 0) AND EXISTS (SELECT 1 FROM json_each(u.attributes, {path}) e WHERE {equal}))"
        );
        match wanted {
            Scalar::Text(text) => {
                let bound = parameters.bind(text.clone());
                format!(
                    "({in_array} OR ifnull({kind} = 'text' AND instr({value}, {bound}) > 0, 0))"
                )
            }
            _ => in_array,
        }
    }

    fn event(name: &str, wanted: &str) -> String {
        format!(
            "EXISTS (SELECT 1 FROM user_event s WHERE s.workspace = u.workspace AND s.slot = u.slot \
             AND s.user_id = u.user_id AND s.name = {name}{wanted})"
        )
    }
}

fn compare(
    parameters: &mut Parameters,
    Json { kind, value }: &Json,
    op: &str,
    with: &Scalar,
) -> String {
    match with {
        Scalar::Bool(flag) => format!("ifnull({kind} = '{flag}', 0)"),
        Scalar::Text(text) => {
            let bound = parameters.bind(text.clone());
            format!("ifnull({kind} = 'text' AND {value} {op} {bound}, 0)")
        }
        Scalar::Integer(number) => {
            let bound = parameters.bind(*number);
            format!("ifnull({kind} IN ('integer', 'real') AND {value} {op} {bound}, 0)")
        }
        Scalar::Real(number) => {
            let bound = parameters.bind(*number);
            format!("ifnull({kind} IN ('integer', 'real') AND {value} {op} {bound}, 0)")
        }
    }
}
