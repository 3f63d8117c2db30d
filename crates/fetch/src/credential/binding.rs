//! Which hosts a credential may be sent to.

use url::Host;

use super::CredentialError;
use crate::guard::Origin;

/// `host`, `host:port`, `*.domain` or `*.domain:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Binding {
    /// With a wildcard, what has to follow the first label's dot.
    host: Host<String>,
    wildcard: bool,
    /// Absent: any port that may be called.
    port: Option<u16>,
}

impl Binding {
    pub(super) fn parse(text: &str) -> Result<Self, CredentialError> {
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

    pub(super) fn covers(&self, origin: &Origin) -> bool {
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
