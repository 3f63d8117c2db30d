//! What is kept secret of a credential: what its author gave, sealed, and what is sent.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Credential, CredentialError};

/// The secret part of a credential, by kind.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Secret {
    /// `Authorization: Basic …`.
    Basic { user: String, password: String },
    /// `Authorization: Bearer …`.
    Bearer { token: String },
    /// Any headers that a credential may set.
    Headers { headers: BTreeMap<String, String> },
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({})", self.kind())
    }
}

impl Secret {
    /// One word for lists.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Basic { .. } => "basic",
            Self::Bearer { .. } => "bearer",
            Self::Headers { .. } => "headers",
        }
    }

    /// How long it is, all parts together.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Basic { user, password } => user.len() + password.len(),
            Self::Bearer { token } => token.len(),
            Self::Headers { headers } => headers
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum(),
        }
    }

    /// What is sent to these hosts.
    ///
    /// # Errors
    /// When it is no credential; see [`Credential::headers`]. No error repeats a value.
    pub fn credential(&self, hosts: &[String]) -> Result<Credential, CredentialError> {
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        match self {
            Self::Basic { user, password } => Credential::basic(user, password, &hosts),
            Self::Bearer { token } => {
                let value = format!("Bearer {token}");
                Credential::headers([("authorization", value.as_str())], &hosts)
            }
            Self::Headers { headers } => {
                let headers = headers.iter();
                let headers = headers.map(|(name, value)| (name.as_str(), value.as_str()));
                Credential::headers(headers, &hosts)
            }
        }
    }
}
