//! What is served: a path with one parameter, and where its rows come from.

use std::time::Duration;

/// An endpoint as the operator declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSpec {
    /// Like `/users/{user_id}/offer`, with the key's name in braces once.
    pub path: String,
    /// The path parameter, and for a table its key column.
    pub key: String,
    /// Where rows come from.
    pub content: Content,
    /// How long a row may be served without asking the source again.
    pub ttl: Duration,
    /// What stands before the key's value in Redis; see [`EndpointSpec::default_prefix`].
    pub prefix: String,
}

/// Where an endpoint's rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The row of a table, `offers` or `shop.offers`, whose key column has the value.
    Table {
        name: String,
        /// Which columns; empty: all.
        columns: Vec<String>,
    },
    /// The first row of a SELECT with the value as `$1`.
    Query(String),
}

impl EndpointSpec {
    /// The fixed segments of a path, joined by colons: `/users/{user_id}/offer` has `users:offer:`.
    #[must_use]
    pub fn default_prefix(path: &str) -> String {
        let fixed = path
            .split('/')
            .filter(|part| !part.is_empty() && !part.contains('{'));
        let mut prefix: String = fixed.collect::<Vec<_>>().join(":");
        prefix.push(':');
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_prefix_is_the_path_without_the_key() {
        let prefix = EndpointSpec::default_prefix;
        assert_eq!(prefix("/users/{user_id}/offer"), "users:offer:");
        assert_eq!(prefix("/{id}"), ":");
        assert_eq!(prefix("/pages/{slug}"), "pages:");
    }
}
