//! Stored credentials: headers that a template names but never sees, bound to hosts.
//!
//! The binding is the point: a template author who may use a credential must not be able to send it
//! anywhere else, so it is checked against the parsed URL that is connected to, and it travels over
//! TLS only. Values are never shown again: `Debug` and the log know only the hosts.

mod binding;
mod book;
mod secret;
mod vault;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use corkboard_core::id::WorkspaceId;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Host;

use crate::guard::Origin;
use crate::request::OWNED;
use binding::Binding;

pub use book::CredentialBook;
pub use secret::Secret;
pub use vault::{KeyError, Sealed, Vault, VaultError};

/// Why something is no credential.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("a credential needs a host that it may be sent to")]
    NoHost,
    #[error("'{0}' is not a host; write example.com, *.example.com or example.com:8443")]
    Host(String),
    #[error("a credential needs a header")]
    NoHeader,
    #[error("'{0}' is not a header that a credential may set")]
    Header(String),
    #[error("the value for '{0}' has control characters")]
    Value(String),
    #[error("a user name for basic authentication has no colon")]
    User,
}

/// Headers to send to certain hosts.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    bindings: Vec<Binding>,
    headers: Vec<(HeaderName, HeaderValue)>,
    plain_http: bool,
    redirects: bool,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Credential")
            .field("bindings", &self.bindings)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

impl Credential {
    /// `:auth_credentials`: these headers, for these hosts (`example.com`, `*.example.com`,
    /// `example.com:8443`).
    pub fn headers<'a>(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        hosts: &[&str],
    ) -> Result<Self, CredentialError> {
        let read = |(name, value): (&str, &str)| {
            let wrong = || CredentialError::Header(name.chars().take(64).collect());
            let parsed = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            if OWNED.contains(&parsed.as_str()) {
                return Err(wrong());
            }
            let mut value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| CredentialError::Value(parsed.to_string()))?;
            value.set_sensitive(true);
            Ok((parsed, value))
        };
        let headers: Vec<_> = headers.into_iter().map(read).collect::<Result<_, _>>()?;
        if headers.is_empty() {
            return Err(CredentialError::NoHeader);
        }
        if hosts.is_empty() {
            return Err(CredentialError::NoHost);
        }
        let bindings = hosts.iter().map(|host| Binding::parse(host));
        Ok(Self {
            bindings: bindings.collect::<Result<_, _>>()?,
            headers,
            plain_http: false,
            redirects: false,
        })
    }

    /// `:basic_auth`: user name and password, for these hosts.
    pub fn basic(user: &str, password: &str, hosts: &[&str]) -> Result<Self, CredentialError> {
        if user.contains(':') {
            return Err(CredentialError::User);
        }
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        let value = format!("Basic {encoded}");
        Self::headers([(AUTHORIZATION.as_str(), value.as_str())], hosts)
    }

    /// Lets it be sent without TLS as well: for an endpoint in the operator's own network.
    #[must_use]
    pub fn over_plain_http(self) -> Self {
        Self {
            plain_http: true,
            ..self
        }
    }

    /// Lets calls that name it follow redirects, up to three, among its own hosts.
    #[must_use]
    pub fn following_redirects(self) -> Self {
        Self {
            redirects: true,
            ..self
        }
    }

    pub(crate) fn follows_redirects(&self) -> bool {
        self.redirects
    }

    pub(crate) fn covers(&self, origin: &Origin) -> bool {
        self.bindings.iter().any(|binding| binding.covers(origin))
    }

    /// What goes to this very host by its address leaves no wire to listen on.
    pub(crate) fn allows_scheme(&self, origin: &Origin) -> bool {
        let stays_here = match origin.host {
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
            Host::Domain(_) => false,
        };
        origin.https || self.plain_http || stays_here
    }

    /// Its headers win over those that the template wrote.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

/// The credentials cannot be read just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stored credentials cannot be read")]
pub struct CredentialsUnavailable;

/// Where stored credentials are found.
#[async_trait]
pub trait Credentials: Send + Sync + fmt::Debug {
    /// The credential of this name, if the workspace has one.
    async fn find(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Arc<Credential>>, CredentialsUnavailable>;
}

/// For installations and commands without any.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCredentials;

#[async_trait]
impl Credentials for NoCredentials {
    async fn find(
        &self,
        _: WorkspaceId,
        _: &str,
    ) -> Result<Option<Arc<Credential>>, CredentialsUnavailable> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
