//! Configuration values before they have a meaning, each knowing where it was written.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::problem::{Problem, Source};

pub(crate) type Table = BTreeMap<String, Node>;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) source: Source,
    /// The text of a variable or flag, for keys that want text: `1.20` may be a name.
    pub(crate) raw: Option<Arc<str>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    List(Vec<Node>),
    Table(Table),
    /// No key takes true or false yet, so which of them it is does not matter.
    Boolean,
    /// A number too large or with a fraction, or a date: no key takes one.
    Other(&'static str),
}

impl Value {
    /// For "expected …, got …".
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Integer(_) => "a whole number",
            Self::Boolean => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Reads a file. Syntax errors are problems; what could be read is returned beside them.
pub(crate) fn from_file(name: &str, text: &str, problems: &mut Vec<Problem>) -> Table {
    let name: Arc<str> = name.into();
    let lines = Lines::of(text);
    let at = |offset| Source::File {
        name: Arc::clone(&name),
        line: lines.number(offset),
    };
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        problems.push(Problem {
            key: String::new(),
            // The message alone: the library's full text quotes the line, which may hold a password.
            message: format!("not valid TOML: {}", error.message()),
            source: at(offset),
        });
    }
    table_of(table.get_ref(), &at)
}

/// Reads a variable or flag: TOML where it is TOML, otherwise the bare text.
pub(crate) fn from_text(text: &str, source: &Source) -> Node {
    let value = match DeValue::parse(text) {
        Ok(value) => value_of(value.get_ref(), &|_| source.clone()),
        Err(_) => Value::Text(text.to_owned()),
    };
    Node {
        value,
        source: source.clone(),
        raw: Some(text.into()),
    }
}

fn table_of(table: &DeTable<'_>, at: &impl Fn(usize) -> Source) -> Table {
    table
        .iter()
        .map(|(key, value)| (key.get_ref().to_string(), node_of(value, at)))
        .collect()
}

fn node_of(value: &Spanned<DeValue<'_>>, at: &impl Fn(usize) -> Source) -> Node {
    Node {
        value: value_of(value.get_ref(), at),
        source: at(value.span().start),
        raw: None,
    }
}

fn value_of(value: &DeValue<'_>, at: &impl Fn(usize) -> Source) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number too large"), Value::Integer),
        DeValue::Float(_) => Value::Other("a number with a fraction"),
        DeValue::Boolean(_) => Value::Boolean,
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::List(items.iter().map(|item| node_of(item, at)).collect()),
        DeValue::Table(table) => Value::Table(table_of(table, at)),
    }
}

/// Lays `upper` over `lower`: tables key by key, everything else as a whole.
pub(crate) fn merge(lower: &mut Table, upper: Table) {
    for (key, node) in upper {
        let Some(under) = lower.get_mut(&key) else {
            lower.insert(key, node);
            continue;
        };
        match (&mut under.value, node.value) {
            (Value::Table(lower), Value::Table(upper)) => {
                merge(lower, upper);
                // What is missing in a table is missing where the operator last wrote in it.
                under.source = node.source;
            }
            (_, value) => *under = Node { value, ..node },
        }
    }
}

/// Where lines begin, to turn byte offsets into line numbers.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn number(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset) + 1
    }
}

/// Makes everything a built-in default, whatever line it came from.
pub(crate) fn forget_places(table: &mut Table) {
    for node in table.values_mut() {
        node.source = Source::Default;
        match &mut node.value {
            Value::Table(table) => forget_places(table),
            Value::List(items) => items
                .iter_mut()
                .for_each(|item| item.source = Source::Default),
            _ => {}
        }
    }
}
