//! Stored credentials: headers that a template names but never sees, bound to hosts.
//!
//! The binding is the point: a template author who may use a credential must not be able to send it
//! anywhere else, so it is checked against the parsed URL that is connected to, and it travels over
//! TLS only. Values are never shown again: `Debug` and the log know only the hosts.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use corkboard_core::id::WorkspaceId;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Host;

use crate::guard::Origin;
use crate::request::OWNED;

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

/// `host`, `host:port`, `*.domain` or `*.domain:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    /// With a wildcard, what has to follow the first label's dot.
    host: Host<String>,
    wildcard: bool,
    /// Absent: any port that may be called.
    port: Option<u16>,
}

impl Binding {
    fn parse(text: &str) -> Result<Self, CredentialError> {
        let wrong = || CredentialError::Host(text.chars().take(64).collect());
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => {
                (name, Some(port.parse::<u16>().map_err(|_| wrong())?))
            }
            _ => (text, None),
        };
        let (name, wildcard) = match name.strip_prefix("*.") {
            Some(domain) => (domain, true),
            None => (name, false),
        };
        let host = Host::parse(name).map_err(|_| wrong())?;
        // `*.com` would be half of the internet, and an address has no subdomains.
        let narrow = matches!(&host, Host::Domain(domain) if domain.contains('.'));
        if name.contains('*') || (wildcard && !narrow) {
            return Err(wrong());
        }
        Ok(Self {
            host,
            wildcard,
            port,
        })
    }

    fn covers(&self, origin: &Origin) -> bool {
        if self.port.is_some_and(|port| port != origin.port) {
            return false;
        }
        match (&self.host, &origin.host) {
            (Host::Domain(domain), Host::Domain(name)) if self.wildcard => name
                .strip_suffix(domain.as_str())
                .is_some_and(|front| front.len() > 1 && front.ends_with('.')),
            (bound, host) => bound == host,
        }
    }
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

    pub(crate) fn allows_scheme(&self, origin: &Origin) -> bool {
        origin.https || self.plain_http
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

type Page = BTreeMap<String, Arc<Credential>>;

/// Credentials held in memory. Clones are the same book.
#[derive(Debug, Clone, Default)]
pub struct CredentialBook {
    pages: Arc<Mutex<HashMap<WorkspaceId, Page>>>,
}

impl CredentialBook {
    fn pages(&self) -> MutexGuard<'_, HashMap<WorkspaceId, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds or replaces one.
    pub fn put(&self, workspace: WorkspaceId, name: &str, credential: Credential) {
        let mut pages = self.pages();
        let page = pages.entry(workspace).or_default();
        page.insert(name.to_owned(), Arc::new(credential));
    }

    /// Takes one out; calls that name it are refused from then on.
    pub fn remove(&self, workspace: WorkspaceId, name: &str) {
        if let Some(page) = self.pages().get_mut(&workspace) {
            page.remove(name);
        }
    }
}

#[async_trait]
impl Credentials for CredentialBook {
    async fn find(
        &self,
        workspace: WorkspaceId,
        name: &str,
    ) -> Result<Option<Arc<Credential>>, CredentialsUnavailable> {
        let pages = self.pages();
        Ok(pages
            .get(&workspace)
            .and_then(|page| page.get(name))
            .cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;

    fn covers(host: &str, url: &str) -> bool {
        let credential = Credential::headers([("x-key", "secret")], &[host]).unwrap();
        let target = Guard::new(Vec::new(), Vec::new()).check_url(url).unwrap();
        credential.covers(target.origin())
    }

    #[test]
    fn a_credential_goes_to_its_hosts_only() {
        for (host, url) in [
            ("example.com", "https://example.com/a"),
            ("EXAMPLE.com", "https://Example.COM:8443/"),
            ("example.com:8443", "https://example.com:8443/"),
            ("*.example.com", "https://a.example.com/"),
            ("*.example.com", "https://a.b.example.com/"),
            ("8.8.8.8", "https://8.8.8.8/"),
            ("[2606:4700::1111]:443", "https://[2606:4700::1111]/"),
        ] {
            assert!(covers(host, url), "{host} {url}");
        }
        for (host, url) in [
            ("example.com", "https://example.com.evil.example/"),
            ("example.com", "https://a.example.com/"),
            ("example.com", "https://notexample.com/"),
            ("example.com", "https://example.com./"),
            ("example.com:8443", "https://example.com/"),
            ("*.example.com", "https://example.com/"),
            ("*.example.com", "https://notexample.com/"),
            ("*.example.com", "https://a.example.com.evil.example/"),
            ("*.example.com", "https://.example.com/"),
            ("8.8.8.8", "https://8.8.8.9/"),
        ] {
            assert!(!covers(host, url), "{host} {url}");
        }
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        let with = |name, value, hosts: &[&str]| Credential::headers([(name, value)], hosts);
        for host in [
            "",
            "*",
            "*.com",
            "*.8.8.8.8",
            "a b",
            "example.com:x",
            "a.*.example.com",
        ] {
            let refused = with("x-key", "v", &[host]);
            assert!(matches!(refused, Err(CredentialError::Host(_))), "{host}");
        }
        assert_eq!(with("x-key", "v", &[]), Err(CredentialError::NoHost));
        for name in ["Host", "content-length", "a b", ""] {
            let refused = with(name, "v", &["example.com"]);
            assert!(matches!(refused, Err(CredentialError::Header(_))), "{name}");
        }
        let split = with("x-key", "a\r\nb: c", &["example.com"]);
        assert_eq!(split, Err(CredentialError::Value("x-key".to_owned())));
        let user = Credential::basic("a:b", "c", &["example.com"]);
        assert_eq!(user, Err(CredentialError::User));
        let none = Credential::headers([], &["example.com"]);
        assert_eq!(none, Err(CredentialError::NoHeader));
    }

    #[test]
    fn its_values_are_never_shown() {
        let basic = Credential::basic("user", "secret", &["example.com"]).unwrap();
        let shown = format!("{basic:?}");
        let encoded = STANDARD.encode("user:secret");
        assert!(
            !shown.contains("secret") && !shown.contains(&encoded),
            "{shown}"
        );
        let mut headers = HeaderMap::new();
        basic.apply(&mut headers);
        assert_eq!(headers[AUTHORIZATION], format!("Basic {encoded}"));
        assert!(headers[AUTHORIZATION].is_sensitive());
    }
}
