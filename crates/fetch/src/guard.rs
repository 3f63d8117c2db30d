//! The address guard: which URLs and which addresses a template may call.
//!
//! Templates are written by tenants and URLs are made of user data, so a URL is hostile until
//! proven otherwise. The rules that make the guard hold:
//! - one parser (`url`), for the check and for the use: what was checked is what is connected to;
//! - addresses are judged, not texts: every notation of an address arrives here as the address;
//! - a name is judged by all its addresses, at the moment of connecting, and the connection goes to
//!   exactly the address that was judged;
//! - an IPv6 address that carries an IPv4 address inside is refused whatever it carries, unless
//!   the operator listed what is inside.

#[cfg(test)]
mod corpus;
mod ranges;
#[cfg(test)]
mod registered;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use url::{Host, Url};

use ranges::Class;

/// Longer URLs are refused: servers refuse them, too, and logs have to hold them.
pub const MAX_URL_BYTES: usize = 8 * 1024;

/// Why a URL or an address may not be called. The texts are for template authors: they name the
/// kind of an address, never the address behind a name, which would map the inside for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the URL is longer than {MAX_URL_BYTES} bytes")]
    TooLong,
    #[error("this is not a complete URL ({0}); write one like https://example.com/path")]
    NotAUrl(url::ParseError),
    #[error("only http and https URLs can be fetched, not '{0}:'")]
    Scheme(String),
    #[error("the URL has no host; write one like https://example.com/path")]
    NoHost,
    #[error("user name and password do not belong in a URL; send an Authorization header")]
    Credentials,
    #[error("port {0} may not be called; see fetch.allow_ports")]
    Port(u16),
    #[error("the address may not be called ({0}); see fetch.allow_networks")]
    Address(&'static str),
    #[error(
        "the host '{host}' has an address that may not be called ({range}); see fetch.allow_networks"
    )]
    Name { host: String, range: &'static str },
    #[error("the connection ended up at another address than the one that was checked")]
    OtherPeer,
}

/// A URL that passed: what to connect to and what to ask for there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    url: Url,
    origin: Origin,
}

/// Scheme, host and port of a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    pub https: bool,
    pub host: Host<String>,
    pub port: u16,
}

impl Target {
    /// The URL as parsed, without its fragment.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where it leads.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// Decides. Cheap to ask, holds no state besides the operator's exceptions.
#[derive(Debug, Clone)]
pub struct Guard {
    allow_networks: Vec<IpNet>,
    allow_ports: Vec<u16>,
}

impl Guard {
    /// A guard with these exceptions; an empty list of ports means any port.
    #[must_use]
    pub fn new(allow_networks: Vec<IpNet>, allow_ports: Vec<u16>) -> Self {
        Self {
            allow_networks,
            allow_ports,
        }
    }

    /// Judges a URL as far as that is possible before its name is resolved.
    pub fn check_url(&self, text: &str) -> Result<Target, Refusal> {
        if text.len() > MAX_URL_BYTES {
            return Err(Refusal::TooLong);
        }
        let mut url = Url::parse(text).map_err(Refusal::NotAUrl)?;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(Refusal::Scheme(other.to_owned())),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Credentials);
        }
        let host = url.host().ok_or(Refusal::NoHost)?.to_owned();
        let port = url.port_or_known_default().ok_or(Refusal::NoHost)?;
        if port == 0 || !(self.allow_ports.is_empty() || self.allow_ports.contains(&port)) {
            return Err(Refusal::Port(port));
        }
        match host {
            Host::Ipv4(address) => self.check_address(address.into()).map(drop)?,
            Host::Ipv6(address) => self.check_address(address.into()).map(drop)?,
            Host::Domain(_) => {}
        }
        url.set_fragment(None);
        Ok(Target {
            url,
            origin: Origin { https, host, port },
        })
    }

    /// Judges an address. The answer is the address to connect to: an IPv4 address in IPv6 clothes
    /// comes back as IPv4.
    pub fn check_address(&self, address: IpAddr) -> Result<IpAddr, Refusal> {
        let listed = |address: IpAddr| self.allow_networks.iter().any(|net| net.contains(&address));
        match ranges::classify(address) {
            Class::Public => Ok(address),
            Class::Refused(range) if !listed(address) => Err(Refusal::Address(range)),
            Class::Refused(_) => Ok(address),
            Class::Carries { form, inside } => {
                // What is inside has to be listed itself. Listing only the outside (say, the NAT64
                // prefix of an IPv6-only network) opens it for public addresses inside.
                let inside_public = matches!(ranges::classify(inside.into()), Class::Public);
                if listed(inside.into()) || (listed(address) && inside_public) {
                    Ok(address.to_canonical())
                } else {
                    Err(Refusal::Address(form))
                }
            }
        }
    }

    /// Judges all addresses of a name: one bad one refuses the whole name, because the next lookup
    /// may put it first.
    pub fn check_name(&self, host: &str, addresses: &[IpAddr]) -> Result<Vec<IpAddr>, Refusal> {
        addresses
            .iter()
            .map(|address| {
                self.check_address(*address)
                    .map_err(|refusal| match refusal {
                        Refusal::Address(range) => Refusal::Name {
                            host: host.to_owned(),
                            range,
                        },
                        other => other,
                    })
            })
            .collect()
    }

    /// Whether this address may be called.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        self.check_address(address).is_ok()
    }
}

/// The last 32 bits of an IPv6 address, where most embeddings keep their IPv4 address.
fn low_v4(bits: u128) -> Ipv4Addr {
    Ipv4Addr::from_bits((bits & u128::from(u32::MAX)) as u32)
}
