//! Parameters and values in PostgreSQL's text form, so that keys of any type are bound alike.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::key::Key;

/// A value as it is printed, for a parameter of any type.
#[derive(Debug)]
pub(crate) struct Printed<'a>(Cow<'a, str>);

impl<'a> Printed<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// For a parameter of the key column's type.
    pub(crate) fn key(key: &'a Key) -> Self {
        Self::new(key.as_str())
    }

    /// For a parameter that is an array of the key column's type.
    pub(crate) fn keys(keys: &[Key]) -> Self {
        Self(Cow::Owned(array(keys)))
    }
}

impl ToSql for Printed<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// `{"a","b"}` with quotes and backslashes escaped.
fn array(keys: &[Key]) -> String {
    let mut text = String::from("{");
    for (at, key) in keys.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push('"');
        for character in key.as_str().chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_holds_any_text() {
        let keys = [
            Key::printed("a"),
            Key::printed(r#"b",\{}"#),
            Key::printed(""),
        ];
        assert_eq!(array(&keys), r#"{"a","b\",\\{}",""}"#);
    }
}
