//! What an endpoint's rows are called, in Redis and in memory.
//!
//! The layout in Redis is public: a prefix and the key's text, nothing between them. So where one endpoint's
//! prefix begins with another one's (`users:offer:` and `users:`), a text key of the shorter can be
//! made to name a row of the longer (`offer:7`). The name belongs to the longer prefix. A row that
//! would have it otherwise is not in Redis at all, and has a name of its own in memory; nor is one
//! whose name a Cluster could not keep.

use corkboard_cache::{Key as CacheKey, Redis};

use crate::endpoint::EndpointSpec;
use crate::key::Key;

/// The names of one endpoint's rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    endpoint: usize,
    prefix: Box<str>,
    /// What longer prefixes have behind this one.
    longer: Box<[Box<str>]>,
    /// The prefix itself has a closing brace.
    closes: bool,
}

/// What one row is called.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub(crate) bytes: CacheKey,
    /// Otherwise Redis has another endpoint's row under it, or cannot have any.
    pub(crate) in_redis: bool,
}

impl Names {
    /// Those of the endpoint with this number.
    pub(crate) fn of(endpoints: &[EndpointSpec], endpoint: usize) -> Self {
        let prefix = endpoints[endpoint].prefix.as_str();
        let behind = |other: &'_ EndpointSpec| {
            let rest = other.prefix.strip_prefix(prefix)?;
            // Its own leaves nothing.
            (!rest.is_empty()).then(|| Box::from(rest))
        };
        Self {
            endpoint,
            prefix: prefix.into(),
            longer: endpoints.iter().filter_map(behind).collect(),
            closes: prefix.contains('}'),
        }
    }

    /// What stands before the key of every name in Redis.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Whether the row of this key may be in Redis.
    pub(crate) fn have(&self, key: &Key) -> bool {
        let key = key.as_str();
        if self.longer.iter().any(|rest| key.starts_with(&**rest)) {
            return false;
        }
        // Nearly every key has no brace.
        let closes = self.closes || key.contains('}');
        !closes || Redis::keeps_hash(format!("{}{key}", self.prefix).as_bytes())
    }

    /// What the row of this key is called.
    pub(crate) fn name(&self, key: &Key) -> Name {
        let (key_text, in_redis) = (key.as_str().as_bytes(), self.have(key));
        let bytes = if in_redis {
            CacheKey::joined(self.prefix.as_bytes(), key_text)
        } else {
            // As no prefix that an operator would choose begins.
            CacheKey::joined(format!("\0{}:", self.endpoint).as_bytes(), key_text)
        };
        Name { bytes, in_redis }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::spec;

    #[test]
    fn no_two_rows_have_one_name_however_their_keys_are_chosen() {
        let endpoints = ["/users/{id}", "/users/{id}/offer", "/users/offer/new/{id}"].map(spec);
        let names = [0, 1, 2].map(|at| Names::of(&endpoints, at));
        let mut seen = std::collections::BTreeMap::new();
        for (at, names) in names.iter().enumerate() {
            for key in ["7", "offer:7", "offer:new:7", "new:7", "off", "offer"] {
                let name = names.name(&Key::printed(key)).bytes;
                let other = seen.insert(name.as_bytes().to_vec(), (at, key));
                assert_eq!(other, None, "{at} {key}");
            }
        }
        let in_redis = |at: usize, key| names[at].name(&Key::printed(key)).in_redis;
        assert!(in_redis(0, "7") && in_redis(0, "offer") && in_redis(1, "7"));
        assert!(!in_redis(0, "offer:7") && !in_redis(1, "new:7"));
        assert!(in_redis(0, "{7}") && !in_redis(0, "7}"));
    }
}
