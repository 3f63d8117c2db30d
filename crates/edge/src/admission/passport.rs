//! What is known of a request before any work is done for it: how much it matters, and whose it is.

use http::request::Parts;
use http::{HeaderValue, Method, header};

/// How much a request matters when not all can be served; the first is served first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// People look at the answer: feeds and the origin's content.
    Read = 0,
    /// What people did; their devices can send it again.
    Event = 1,
    /// A brand's own systems, a few objects at a time.
    Server = 2,
    /// A brand's own systems, many objects at a time.
    Batch = 3,
}

impl Priority {
    /// All of them, the most important first.
    pub const ALL: [Self; 4] = [Self::Read, Self::Event, Self::Server, Self::Batch];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Event => "event",
            Self::Server => "server",
            Self::Batch => "batch",
        }
    }

    /// The part of the limit that this priority and all below it may hold while others wait.
    pub(crate) fn share(self) -> f64 {
        match self {
            Self::Read => 1.0,
            Self::Event => 0.9,
            Self::Server => 0.75,
            Self::Batch => 0.5,
        }
    }
}

/// Reads a request's [`Passport`] from what is known of it. Runs for every request before anything
/// else, so it must be cheap and must not fail.
pub type Inspect = fn(&Bearer<'_>) -> Passport;

/// Whoever asks for admission, as far as the door looks at him. Nothing of it is verified.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'r> {
    pub method: &'r Method,
    /// Without the query.
    pub path: &'r str,
    /// The first `Authorization` header.
    pub authorization: Option<&'r [u8]>,
}

impl<'r> Bearer<'r> {
    /// Of a request whose head is read.
    #[must_use]
    pub fn of(head: &'r Parts) -> Self {
        let authorization = head.headers.get(header::AUTHORIZATION);
        Self {
            method: &head.method,
            path: head.uri.path(),
            authorization: authorization.map(HeaderValue::as_bytes),
        }
    }
}

/// What admission goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Passport {
    /// Which requests go first.
    pub priority: Priority,
    /// A hash of who is behind the request: those with the same one share a turn. Nothing is
    /// verified yet, so a liar can compete with the one whose name he uses, and with nobody else.
    pub tenant: u8,
}

impl Passport {
    /// `name` is whatever tells tenants apart, such as the id of an app or of a key.
    #[must_use]
    pub fn new(priority: Priority, name: &[u8]) -> Self {
        // FNV-1a, folded: 256 turns are enough to keep one tenant out of nearly all others' way.
        let hash = name.iter().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        });
        let [a, b, c, d] = hash.to_le_bytes();
        Self {
            priority,
            tenant: a ^ b ^ c ^ d,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tenants_spread_over_the_turns() {
        let turns: std::collections::BTreeSet<u8> = (0..1_000)
            .map(|number| Passport::new(Priority::Read, format!("app_{number}").as_bytes()).tenant)
            .collect();
        assert!(turns.len() > 230, "{}", turns.len());
    }
}
