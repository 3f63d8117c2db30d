//! What is served: a path with one parameter, and where its rows come from.

use std::time::Duration;

use matchit::{InsertError, Router};

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

/// Which endpoint answers which path, and which paths others have already: by number, with the other one's
/// path.
pub(crate) fn routes(endpoints: &[EndpointSpec]) -> (Router<usize>, Vec<(usize, String)>) {
    let (mut routes, mut refused) = (Router::new(), Vec::new());
    for (at, endpoint) in endpoints.iter().enumerate() {
        match routes.insert(&endpoint.path, at) {
            Ok(()) => {}
            Err(InsertError::Conflict { with }) => refused.push((at, with)),
            Err(error) => refused.push((at, error.to_string())),
        }
    }
    (routes, refused)
}

/// Why these endpoints cannot stand beside each other, all of it: two with one path, or with one name for
/// their rows in Redis.
#[must_use]
pub fn conflicts(endpoints: &[EndpointSpec]) -> Vec<String> {
    let (_, refused) = routes(endpoints);
    let mut problems = Vec::new();
    for (at, endpoint) in endpoints.iter().enumerate() {
        let EndpointSpec { path, prefix, .. } = endpoint;
        if let Some((_, with)) = refused.iter().find(|(number, _)| *number == at) {
            problems.push(format!(
                "origin.endpoint[{at}].path: {path} takes the requests of another endpoint, {with}"
            ));
        } else if let Some(other) = endpoints[..at].iter().find(|other| other.prefix == *prefix) {
            problems.push(format!(
                "origin.endpoint[{at}].prefix: rows of {path} would have the names of those of {} in \
                 Redis, {prefix}…; give one of the two a prefix of its own",
                other.path
            ));
        }
    }
    problems
}

/// An endpoint of tests.
#[cfg(test)]
pub(crate) fn spec(path: &str) -> EndpointSpec {
    EndpointSpec {
        path: path.to_owned(),
        key: "id".to_owned(),
        content: Content::Query(String::new()),
        ttl: Duration::ZERO,
        prefix: EndpointSpec::default_prefix(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_that_cannot_stand_beside_each_other_are_all_named() {
        let fine = ["/users/{id}", "/users/{id}/offer", "/users/new/{id}"].map(spec);
        assert_eq!(conflicts(&fine), [""; 0]);
        let wrong = ["/a/{id}/b", "/a/b/{id}", "/c/{id}", "/c/{id}"].map(spec);
        let problems = conflicts(&wrong);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("origin.endpoint[1].prefix: "));
        assert!(problems[1].starts_with("origin.endpoint[3].path: "));
    }

    #[test]
    fn the_default_prefix_is_the_path_without_the_key() {
        let prefix = EndpointSpec::default_prefix;
        assert_eq!(prefix("/users/{user_id}/offer"), "users:offer:");
        assert_eq!(prefix("/{id}"), ":");
        assert_eq!(prefix("/pages/{slug}"), "pages:");
    }
}
