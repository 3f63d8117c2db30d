//! Values that may hold a password: shown to nobody, given only to who asks by name.

use std::fmt;

use serde::{Serialize, Serializer};
use url::Url;

/// A value that does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Redacted<T>(T);

impl<T> Redacted<T> {
    /// Hides `secret`.
    pub fn new(secret: T) -> Self {
        Self(secret)
    }

    /// The secret itself; not for logs.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl<T> Serialize for Redacted<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("[redacted]")
    }
}

/// Where a service is and how to log in there. Prints without its passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceUrl {
    full: Redacted<String>,
    shown: String,
}

/// In place of a password in a printed URL; brackets would be escaped there.
const HIDDEN: &str = "redacted";

impl ServiceUrl {
    /// `None` when it is no URL of one of the `schemes`.
    pub(crate) fn parse(text: &str, schemes: &[&str]) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        if !schemes.contains(&url.scheme()) || url.cannot_be_a_base() {
            return None;
        }
        Some(Self {
            full: Redacted::new(text.to_owned()),
            shown: without_passwords(url)?,
        })
    }

    /// The whole URL with its passwords; for the driver only.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.full.expose()
    }
}

/// The user's password, and parameters that drivers take as passwords, such as `sslpassword`.
fn without_passwords(mut url: Url) -> Option<String> {
    if url.password().is_some() {
        url.set_password(Some(HIDDEN)).ok()?;
    }
    if url.query().is_some() {
        let shown: Vec<(String, String)> = url
            .query_pairs()
            .map(|(key, value)| {
                let lower = key.to_ascii_lowercase();
                let secret = ["pass", "secret", "token", "key"]
                    .iter()
                    .any(|w| lower.contains(w));
                let value = if secret {
                    HIDDEN.to_owned()
                } else {
                    value.into_owned()
                };
                (key.into_owned(), value)
            })
            .collect();
        url.query_pairs_mut().clear().extend_pairs(shown);
    }
    Some(url.into())
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Serialize for ServiceUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_printed() {
        let text = "postgres://anna:hunter2@db:5432/cards?sslmode=require&sslpassword=hunter3";
        let url = ServiceUrl::parse(text, &["postgres"]).unwrap();
        assert_eq!(url.expose(), text);
        let shown = "postgres://anna:redacted@db:5432/cards?sslmode=require&sslpassword=redacted";
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), shown);
        assert_eq!(format!("{:?}", Redacted::new("hunter2")), "[redacted]");
    }

    #[test]
    fn only_urls_of_the_right_kind_are_taken() {
        assert!(ServiceUrl::parse("redis://:pw@cache:6379/0", &["redis"]).is_some());
        assert!(
            ServiceUrl::parse("postgres:///cards?host=/run/postgresql", &["postgres"]).is_some()
        );
        for wrong in [
            "http://db/",
            "db:5432",
            "postgres:cards",
            "",
            "postgres://db:port/",
        ] {
            assert!(ServiceUrl::parse(wrong, &["postgres"]).is_none(), "{wrong}");
        }
    }
}
