//! Parameters and values in PostgreSQL's text form, so that keys of any type are bound alike.

use bytes::BytesMut;
use std::error::Error;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::key::Key;

/// One key for a parameter of the key column's type.
#[derive(Debug)]
pub(crate) struct One<'a>(pub(crate) &'a Key);

/// Keys for a parameter that is an array of the key column's type.
#[derive(Debug)]
pub(crate) struct Many<'a>(pub(crate) &'a [Key]);

impl ToSql for One<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_str().as_bytes());
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

impl ToSql for Many<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(array(self.0).as_bytes());
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

/// A value as it is printed, of a type that the driver does not know.
#[derive(Debug)]
pub(crate) struct Printed<'a>(pub(crate) &'a str);

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
