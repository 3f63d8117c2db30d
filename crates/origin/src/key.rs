//! The typed path parameter: what a client wrote, as the source would write it.
//!
//! One row has one key, however it is spelled: `007` and `7` are the same number. Caches, Redis and
//! the change hooks know a row by the text that PostgreSQL prints for its key column, so a value
//! that no key column could hold never reaches them.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use tokio_postgres::types::Type;
use uuid::Uuid;

/// Longer keys are refused: they would only fill caches.
const LONGEST: usize = 512;

/// What the key column can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A whole number between these two.
    Integer { least: i64, most: i64 },
    /// 128 bits in hexadecimal digits.
    Uuid,
    /// Any text.
    Text,
}

impl KeyKind {
    /// Of a column of this type. `None`: the column's text is not unique for its values (a
    /// timestamp, a float), so it cannot be a key here.
    #[must_use]
    pub fn of(column: &Type) -> Option<Self> {
        let integer = |least, most| Some(Self::Integer { least, most });
        match *column {
            Type::INT2 => integer(i16::MIN.into(), i16::MAX.into()),
            Type::INT4 => integer(i32::MIN.into(), i32::MAX.into()),
            Type::INT8 => integer(i64::MIN, i64::MAX),
            Type::UUID => Some(Self::Uuid),
            Type::TEXT | Type::VARCHAR => Some(Self::Text),
            _ => None,
        }
    }

    /// The key of this text, if PostgreSQL would print it so.
    pub(crate) fn printed(self, text: &str) -> Option<Key> {
        let is_printed = match self {
            Self::Text => text.len() <= LONGEST,
            Self::Integer { least, most } => text.parse().is_ok_and(|number: i64| {
                (least..=most).contains(&number) && number.to_string() == text
            }),
            Self::Uuid => {
                Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
            }
        };
        is_printed.then(|| Key::printed(text))
    }

    /// The key that a path's segment, still percent-encoded, stands for.
    ///
    /// # Errors
    /// Why no row can have it.
    pub fn parse(self, segment: &str) -> Result<Key, KeyError> {
        let text = percent_decode_str(segment)
            .decode_utf8()
            .map_err(|_| KeyError::NotUtf8)?;
        if text.len() > LONGEST {
            return Err(KeyError::TooLong);
        }
        match self {
            // PostgreSQL has no text with this character.
            Self::Text if text.contains('\0') => Err(KeyError::Null),
            Self::Text => Ok(Key(text.into())),
            Self::Integer { least, most } => match text.parse::<i64>() {
                Ok(number) if (least..=most).contains(&number) => {
                    Ok(Key(number.to_string().into()))
                }
                _ => Err(KeyError::NotAnInteger { least, most }),
            },
            Self::Uuid => match Uuid::try_parse(&text) {
                Ok(uuid) => Ok(Key(uuid.hyphenated().to_string().into())),
                Err(_) => Err(KeyError::NotAUuid),
            },
        }
    }
}

/// A row's key as PostgreSQL prints it. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(Arc<str>);

impl Key {
    /// From text that PostgreSQL itself has printed.
    pub(crate) fn printed(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a path's value cannot be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("is not UTF-8 when its percent signs are decoded")]
    NotUtf8,
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    #[error("holds a character of code 0")]
    Null,
    #[error("must be a whole number from {least} to {most}")]
    NotAnInteger { least: i64, most: i64 },
    #[error("must be a UUID")]
    NotAUuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(column: &Type, segment: &str) -> Result<String, KeyError> {
        let kind = KeyKind::of(column).unwrap();
        kind.parse(segment).map(|key| key.to_string())
    }

    #[test]
    fn a_number_has_one_spelling() {
        for segment in ["7", "007", "+7", "%37"] {
            assert_eq!(parse(&Type::INT4, segment).as_deref(), Ok("7"), "{segment}");
        }
    }

    #[test]
    fn a_number_that_the_column_cannot_hold_is_refused() {
        for segment in ["40000", "-40000", "x", "", "7.0", "9".repeat(40).as_str()] {
            let refused = parse(&Type::INT2, segment);
            assert!(
                matches!(refused, Err(KeyError::NotAnInteger { .. })),
                "{segment}"
            );
        }
    }

    #[test]
    fn a_uuid_is_written_in_lower_case_with_hyphens() {
        let canonical = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for segment in [
            canonical,
            "67E5504410B1426F9247BB680E5FE0C8",
            "%7B67e55044-10b1-426f-9247-bb680e5fe0c8%7D",
        ] {
            assert_eq!(parse(&Type::UUID, segment).as_deref(), Ok(canonical));
        }
        assert_eq!(parse(&Type::UUID, "67e5"), Err(KeyError::NotAUuid));
    }

    #[test]
    fn text_is_decoded_once_and_kept_as_it_is() {
        assert_eq!(parse(&Type::TEXT, "a%20b%252F").as_deref(), Ok("a b%2F"));
        assert_eq!(parse(&Type::TEXT, "%FF"), Err(KeyError::NotUtf8));
        assert_eq!(parse(&Type::TEXT, "a%00"), Err(KeyError::Null));
        assert_eq!(parse(&Type::TEXT, &"a".repeat(513)), Err(KeyError::TooLong));
    }

    #[test]
    fn a_column_whose_values_have_several_spellings_is_no_key() {
        assert_eq!(KeyKind::of(&Type::TIMESTAMPTZ), None);
        assert_eq!(KeyKind::of(&Type::FLOAT8), None);
    }
}
