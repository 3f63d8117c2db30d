//! An audience as a condition in SQL, by exactly the rules of `core::audience`: the walk through its
//! tree, which is the same for every database. How a leaf is asked for is a [`Dialect`].
//!
//! Names and values are always bound, never part of the text. Every leaf is true or false, never
//! NULL, so that `NOT` means what it says.

use corkboard_core::audience::{AttributeTest, Audience, Condition, EventTest, Scalar};
use corkboard_core::time::Timestamp;

/// A condition and the values of its parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Filter<V> {
    pub(crate) sql: String,
    /// For the parameters from the first number on, in order.
    pub(crate) values: Vec<V>,
}

/// How a database asks about a user `u`.
pub(crate) trait Dialect: Sized {
    /// The value of a parameter.
    type Value: From<String> + From<i64>;
    /// How to ask for an attribute.
    type Attribute;

    /// What stands before the number of a parameter.
    const SIGN: char;

    fn time(time: Timestamp) -> Self::Value;

    fn attribute(parameters: &mut Parameters<Self>, name: &str) -> Self::Attribute;

    /// Whether there is a value other than null.
    fn exists(attribute: &Self::Attribute) -> String;

    /// Values of one kind only, by value (text by bytes). Booleans are asked only whether they are
    /// equal.
    fn compare(
        parameters: &mut Parameters<Self>,
        attribute: &Self::Attribute,
        op: &str,
        with: &Scalar,
    ) -> String;

    /// Equal to one of these, of which there is at least one. A thousand values are to be two
    /// parameters: one list of texts, one of numbers.
    fn one_of(
        parameters: &mut Parameters<Self>,
        attribute: &Self::Attribute,
        wanted: &[Scalar],
    ) -> String;

    /// A part of a text, or an element of an array.
    fn contains(
        parameters: &mut Parameters<Self>,
        attribute: &Self::Attribute,
        wanted: &Scalar,
    ) -> String;

    /// Whether the user's events named by the parameter `name` have a summary `s` for which `wanted`
    /// is true: empty, or `AND` and a condition.
    fn event(name: &str, wanted: &str) -> String;
}

/// The values bound so far.
pub(crate) struct Parameters<D: Dialect> {
    first: usize,
    values: Vec<D::Value>,
}

impl<D: Dialect> Parameters<D> {
    /// Binds a value and returns its placeholder.
    pub(crate) fn bind(&mut self, value: impl Into<D::Value>) -> String {
        self.values.push(value.into());
        format!("{}{}", D::SIGN, self.first + self.values.len() - 1)
    }
}

/// Translates an audience. Its parameters are numbered from `first` on.
pub(crate) fn translate<D: Dialect>(
    audience: &Audience,
    now: Timestamp,
    first: usize,
) -> Filter<D::Value> {
    let values = Vec::new();
    let mut translation = Translation::<D> {
        sql: String::new(),
        parameters: Parameters { first, values },
        now,
    };
    match audience {
        Audience::Everyone => translation.push("true"),
        Audience::Matching(condition) => translation.condition(condition),
    }
    Filter {
        sql: translation.sql,
        values: translation.parameters.values,
    }
}

struct Translation<D: Dialect> {
    sql: String,
    parameters: Parameters<D>,
    now: Timestamp,
}

impl<D: Dialect> Translation<D> {
    fn push(&mut self, sql: &str) {
        self.sql.push_str(sql);
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
        use AttributeTest::{Contains, Eq, Exists, Gt, Gte, In, Lt, Lte, Ne};
        if is_never(test) {
            return self.push("false");
        }
        if matches!(test, Ne(_) | Exists(false)) {
            self.push("NOT ");
        }
        let parameters = &mut self.parameters;
        let attribute = D::attribute(parameters, name);
        let sql = match test {
            Eq(wanted) | Ne(wanted) => D::compare(parameters, &attribute, "=", wanted),
            Lt(wanted) => D::compare(parameters, &attribute, "<", wanted),
            Lte(wanted) => D::compare(parameters, &attribute, "<=", wanted),
            Gt(wanted) => D::compare(parameters, &attribute, ">", wanted),
            Gte(wanted) => D::compare(parameters, &attribute, ">=", wanted),
            In(wanted) => D::one_of(parameters, &attribute, wanted),
            Contains(wanted) => D::contains(parameters, &attribute, wanted),
            Exists(_) => D::exists(&attribute),
        };
        self.push(&sql);
    }

    fn event(&mut self, name: &str, test: EventTest) {
        let wanted = match test {
            EventTest::Exists(true) => String::new(),
            EventTest::Exists(false) => {
                self.push("NOT ");
                String::new()
            }
            EventTest::CountGte(0) => return self.push("true"),
            EventTest::CountGte(count) => match i64::try_from(count) {
                Ok(count) => format!(" AND s.count >= {}", self.parameters.bind(count)),
                // More than can be counted.
                Err(_) => return self.push("false"),
            },
            EventTest::WithinSeconds(seconds) => {
                let span = i64::try_from(seconds)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1_000_000);
                let since = self.now.as_micros().saturating_sub(span);
                let since = D::time(Timestamp::from_micros(since));
                format!(" AND s.last_at >= {}", self.parameters.bind(since))
            }
        };
        let name = self.parameters.bind(name.to_owned());
        self.push(&D::event(&name, &wanted));
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
