//! A row between its three forms: columns of the source, fields of a Redis hash, bytes of a body.
//!
//! A value is kept as text: what goes into the hash's field. Its column says whether that text is
//! JSON already (a number, a boolean, a document) or a string. NULL is a field that is not there.

use bytes::Bytes;
use serde::de::IgnoredAny;
use tokio_postgres::types::{Kind, Type};

/// What an endpoint's rows consist of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    columns: Vec<Column>,
    is_text: bool,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub form: Form,
}

/// What a value's text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// JSON.
    Json,
    /// To be quoted in JSON.
    String,
}

/// A row's values in the order of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<Option<Box<str>>>);

impl Form {
    fn of(column: &Type) -> Self {
        match *column {
            Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::NUMERIC
            | Type::JSON
            | Type::JSONB => Self::Json,
            _ => match column.kind() {
                Kind::Array(_) | Kind::Composite(_) => Self::Json,
                Kind::Domain(base) => Self::of(base),
                _ => Self::String,
            },
        }
    }
}

impl Columns {
    /// Of the source's columns, by name and type.
    pub(crate) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, &'a Type)>) -> Self {
        let (mut found, mut texts) = (Vec::new(), 0);
        for (name, column) in columns {
            texts += usize::from(matches!(*column, Type::TEXT | Type::VARCHAR));
            found.push(Column {
                name: name.to_owned(),
                form: Form::of(column),
            });
        }
        let is_text = found.len() == 1 && texts == 1;
        Self {
            columns: found,
            is_text,
        }
    }

    /// The columns in order.
    pub fn iter(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// A name that two of them have.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut names = self.columns.iter().enumerate();
        let (_, column) = names.find(|(at, column)| {
            let before = &self.columns[..*at];
            before.iter().any(|other| other.name == column.name)
        })?;
        Some(&column.name)
    }

    /// What the body is: `text/plain` for a single column of text.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        if self.is_text {
            "text/plain; charset=utf-8"
        } else {
            "application/json"
        }
    }

    /// The row as the bytes of a response.
    pub(crate) fn body(&self, row: &Row) -> Bytes {
        if self.is_text {
            let text = row.0.first().and_then(Option::as_deref).unwrap_or_default();
            return Bytes::copy_from_slice(text.as_bytes());
        }
        let mut body = Vec::with_capacity(64 + row.weight());
        body.push(b'{');
        for (at, (column, value)) in self.columns.iter().zip(&row.0).enumerate() {
            if at > 0 {
                body.push(b',');
            }
            quote(&mut body, &column.name);
            body.push(b':');
            match (value, column.form) {
                (None, _) => body.extend_from_slice(b"null"),
                (Some(text), Form::Json) if is_json(text) => {
                    body.extend_from_slice(text.as_bytes());
                }
                // Another producer may have written something else into the hash.
                (Some(text), _) => quote(&mut body, text),
            }
        }
        body.push(b'}');
        body.into()
    }

    /// A row out of a hash's fields. Fields that are no column are left out.
    pub(crate) fn read_fields<'a>(
        &self,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Row {
        let mut values = vec![None; self.columns.len()];
        for (name, value) in fields {
            let at = self.columns.iter().position(|column| column.name == name);
            if let Some(at) = at {
                values[at] = Some(value.into());
            }
        }
        Row(values)
    }

    /// The row as a hash's fields.
    pub(crate) fn fields<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (&'a str, &'a str)> {
        let values = row.0.iter().map(Option::as_deref);
        self.columns
            .iter()
            .zip(values)
            .filter_map(|(column, value)| Some((column.name.as_str(), value?)))
    }
}

impl Row {
    /// About how many bytes it holds.
    fn weight(&self) -> usize {
        self.0.iter().flatten().map(|text| text.len() + 24).sum()
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn quote(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("writing a string to memory cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Columns {
        Columns::new([
            ("id", &Type::INT8),
            ("title", &Type::TEXT),
            ("price", &Type::NUMERIC),
            ("more", &Type::JSONB),
        ])
    }

    fn text(bytes: &Bytes) -> &str {
        std::str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn numbers_and_documents_stay_what_they_are_and_texts_are_quoted() {
        let row = columns().read_fields([
            ("id", "7"),
            ("title", "say \"hi\"\n"),
            ("price", "12.50"),
            ("more", r#"{"a": [1]}"#),
        ]);
        assert_eq!(
            text(&columns().body(&row)),
            r#"{"id":7,"title":"say \"hi\"\n","price":12.50,"more":{"a": [1]}}"#
        );
    }

    #[test]
    fn a_missing_field_is_null_and_a_foreign_one_is_left_out() {
        let row = columns().read_fields([("id", "7"), ("secret", "x")]);
        assert_eq!(
            text(&columns().body(&row)),
            r#"{"id":7,"title":null,"price":null,"more":null}"#
        );
        assert_eq!(columns().fields(&row).collect::<Vec<_>>(), [("id", "7")]);
    }

    #[test]
    fn what_is_no_json_in_a_column_of_numbers_is_quoted_and_cannot_add_fields() {
        let row = columns().read_fields([("id", r#"1,"admin":true"#)]);
        let body = columns().body(&row);
        let value: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(value["id"], r#"1,"admin":true"#);
        assert!(value.get("admin").is_none());
    }

    #[test]
    fn a_single_column_of_text_is_the_body_itself() {
        let page = Columns::new([("body", &Type::TEXT)]);
        let row = page.read_fields([("body", "<p>hi</p>")]);
        assert_eq!(text(&page.body(&row)), "<p>hi</p>");
        assert_eq!(page.content_type(), "text/plain; charset=utf-8");
        let number = Columns::new([("n", &Type::INT4)]);
        assert_eq!(number.content_type(), "application/json");
    }
}
