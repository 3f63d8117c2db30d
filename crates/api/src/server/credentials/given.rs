//! A credential as a request gives it, and what may be wrong with it. It is said without repeating
//! what is secret.

use std::collections::BTreeMap;

use corkboard_core::campaign::Invalid;
use corkboard_fetch::{CredentialError, Secret};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::problem::{Problem, Result};

/// Hosts of one credential.
const MOST_HOSTS: usize = 50;
/// Longest name of a host, and most bytes of a secret, in whatever parts.
const MOST_HOST_BYTES: usize = 260;
const MOST_SECRET_BYTES: usize = 8 * 1024;

/// A credential as it is given. Its kind says which of the secret fields it has.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewCredential)]
pub(crate) struct NewCredential {
    /// Unique in the workspace: a letter or `_`, then letters, digits, `_` and `-`. In a PUT, the
    /// one in the path.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z_][A-Za-z0-9_-]*$"
    )]
    pub(super) name: Option<String>,
    /// `basic` (with `user` and `password`), `bearer` (with `token`) or `headers` (with `headers`).
    #[schema(pattern = "^(basic|bearer|headers)$")]
    kind: String,
    /// Where it may be sent: `example.com`, `*.example.com`, each with `:port` if wanted.
    #[schema(min_items = 1, max_items = 50)]
    pub(super) hosts: Vec<String>,
    #[serde(default, deserialize_with = "quietly")]
    #[schema(write_only)]
    user: Option<String>,
    #[serde(default, deserialize_with = "quietly")]
    #[schema(write_only)]
    password: Option<String>,
    #[serde(default, deserialize_with = "quietly")]
    #[schema(write_only)]
    token: Option<String>,
    /// Names and values.
    #[serde(default, deserialize_with = "quietly")]
    #[schema(write_only)]
    headers: Option<BTreeMap<String, String>>,
}

/// Reads a value without repeating it when it is of another type.
fn quietly<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    from: D,
) -> std::result::Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(from)?;
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|_| D::Error::custom("is not of the right type"))
}

impl NewCredential {
    /// What is secret, if there are no problems. None of them repeats a value.
    pub(super) fn secret(&self, mut problems: Vec<Invalid>) -> Result<Secret> {
        let mut problem = |path: &str, message: String| problems.push(Invalid::new(path, message));
        if self.hosts.is_empty() || self.hosts.len() > MOST_HOSTS {
            problem("/hosts", format!("must be 1 to {MOST_HOSTS} hosts"));
        }
        if self.hosts.iter().any(|host| host.len() > MOST_HOST_BYTES) {
            problem("/hosts", "has one that is too long".to_owned());
        }
        let given = [
            ("/user", self.user.is_some(), "basic"),
            ("/password", self.password.is_some(), "basic"),
            ("/token", self.token.is_some(), "bearer"),
            ("/headers", self.headers.is_some(), "headers"),
        ];
        if !given.iter().any(|(_, _, kind)| *kind == self.kind) {
            problem("/kind", "must be basic, bearer or headers".to_owned());
        }
        for (path, is_given, kind) in given {
            if is_given != (kind == self.kind) {
                let message = if is_given {
                    "is not of this kind"
                } else {
                    "is missing"
                };
                problem(path, message.to_owned());
            }
        }
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let secret = match self.kind.as_str() {
            "basic" => Secret::Basic {
                user: text(&self.user),
                password: text(&self.password),
            },
            "bearer" => Secret::Bearer {
                token: text(&self.token),
            },
            _ => Secret::Headers {
                headers: self.headers.clone().unwrap_or_default(),
            },
        };
        if secret.bytes() > MOST_SECRET_BYTES {
            let path = given.iter().rev().find(|(_, is_given, _)| *is_given);
            let path = path.map_or("", |(path, _, _)| path);
            problem(path, format!("has more than {MOST_SECRET_BYTES} bytes"));
        }
        if problems.is_empty()
            && let Err(error) = secret.credential(&self.hosts)
        {
            problems.push(Invalid::new(place(&error), error.to_string()));
        }
        if problems.is_empty() {
            Ok(secret)
        } else {
            Err(Problem::invalid(problems))
        }
    }
}

fn place(error: &CredentialError) -> &'static str {
    match error {
        CredentialError::NoHost | CredentialError::Host(_) => "/hosts",
        CredentialError::User => "/user",
        CredentialError::NoHeader | CredentialError::Header(_) => "/headers",
        CredentialError::Value(_) => "",
    }
}
