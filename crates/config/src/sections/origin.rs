//! `[origin]`: content from a relational database.

use std::time::Duration;

use serde::Serialize;

use crate::duration;
use crate::reader::Section;
use crate::sections::cache::REDIS;
use crate::sections::store::POSTGRES;
use crate::size;
use crate::tree::Value;
use crate::url::ServiceUrl;

/// The origin role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OriginConfig {
    /// The source database; there whenever there is an endpoint.
    pub database: Option<ServiceUrl>,
    /// Redis in front of it.
    pub redis: Option<ServiceUrl>,
    /// Connections to the source.
    pub connections: usize,
    /// Bytes of answers in process memory.
    #[serde(serialize_with = "size::serialize")]
    pub memory: u64,
    /// How long it is remembered that a key has no row.
    #[serde(serialize_with = "duration::serialize")]
    pub missing_ttl: Duration,
    /// After its ttl, how long a row is served while it is read anew.
    #[serde(serialize_with = "duration::serialize")]
    pub stale_while_revalidate: Duration,
    /// After its ttl, how long a row stands in for a source that cannot be read.
    #[serde(serialize_with = "duration::serialize")]
    pub stale_if_error: Duration,
    /// What is served.
    #[serde(rename = "endpoint", skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<EndpointConfig>,
}

/// One path and where its content comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndpointConfig {
    /// With `{key}` in it.
    pub path: String,
    /// Where rows come from.
    #[serde(flatten)]
    pub source: EndpointSource,
    /// The column, and the path parameter.
    pub key: String,
    /// How long a row may be served from memory or Redis.
    #[serde(serialize_with = "duration::serialize")]
    pub ttl: Duration,
    /// What stands before the key's value in Redis; absent: what the path says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Which columns of a table; empty: all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
}

/// Where an endpoint's rows come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointSource {
    /// The row of this table whose key column has the value.
    Table(String),
    /// A SELECT with the value as `$1`.
    Query(String),
}

impl OriginConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        let database = section.url("database", &POSTGRES);
        let redis = section.url("redis", &REDIS);
        let endpoints: Vec<_> = section.sections("endpoint", EndpointConfig::read);
        if !endpoints.is_empty() && !section.has("database") {
            section.problem(
                "database",
                "is required where there is an [[origin.endpoint]]",
            );
        }
        Self {
            database,
            redis,
            connections: section.number("connections", 1..=256),
            memory: section.size("memory", ["1MiB", "64GiB"]),
            missing_ttl: section.duration("missing_ttl", ["0s", "60s"]),
            stale_while_revalidate: section.duration("stale_while_revalidate", ["0s", "1d"]),
            stale_if_error: section.duration("stale_if_error", ["0s", "7d"]),
            endpoints: endpoints.into_iter().flatten().collect(),
        }
    }
}

impl EndpointConfig {
    fn read(section: &mut Section<'_>) -> Option<Self> {
        let path = section.text("path");
        let key = section.text("key");
        if !path.is_empty() && !path.starts_with('/') {
            section.problem("path", "must begin with a slash");
        }
        if !path.is_empty() && !key.is_empty() && !has_one_parameter(&path, &key) {
            let message = format!(
                "must contain the key as {{{key}}}, a whole segment, and no other parameter"
            );
            section.problem("path", message);
        }
        let ttl = if section.has("ttl") {
            section.duration("ttl", ["1s", "30d"])
        } else {
            Duration::from_secs(3_600)
        };
        let prefix = section.optional_text("prefix");
        if prefix.as_ref().is_some_and(String::is_empty) {
            section.problem(
                "prefix",
                "must not be empty; leave it out for the path's own",
            );
        }
        let columns = if section.has("columns") {
            section.list("columns", "column names", |value| match value {
                Value::Text(name) if is_table_name(name) && !name.contains('.') => {
                    Some(name.clone())
                }
                _ => None,
            })
        } else {
            Vec::new()
        };
        if !columns.is_empty() && section.has("query") {
            section.problem("columns", "belongs to a table; a query names its own");
        }
        let table = section.optional_text("table");
        let query = section.optional_text("query");
        let source = match (table, query) {
            (Some(table), None) => {
                if !is_table_name(&table) {
                    let message = "takes a name such as offers or shop.offers; use query for more";
                    section.problem("table", message);
                }
                EndpointSource::Table(table)
            }
            (None, Some(query)) => {
                if !query.contains("$1") {
                    section.problem("query", "must name the key's value as $1");
                }
                EndpointSource::Query(query)
            }
            (Some(_), Some(_)) => {
                section.problem("query", "give either table or query, not both");
                return None;
            }
            (None, None) => {
                if !section.has("table") && !section.has("query") {
                    section.problem("table", "give either table or query");
                }
                return None;
            }
        };
        Some(Self {
            path,
            source,
            key,
            ttl,
            prefix,
            columns,
        })
    }
}

/// Whether one segment of the path is the key in braces, and nothing else has braces.
fn has_one_parameter(path: &str, key: &str) -> bool {
    let parameter = format!("{{{key}}}");
    let mut with_braces = path.split('/').filter(|part| part.contains(['{', '}']));
    with_braces.next() == Some(parameter.as_str()) && with_braces.next().is_none()
}

fn is_table_name(text: &str) -> bool {
    let is_name = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    text.split('.').count() <= 2 && text.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_the_key_as_a_whole_segment_and_no_other_parameter() {
        assert!(has_one_parameter("/users/{id}/offer", "id"));
        assert!(has_one_parameter("/{id}", "id"));
        for wrong in [
            "/users",
            "/{other}",
            "/{id}/{other}",
            "/{id}/{id}",
            "/{*id}",
            "/v{id}",
            "/{id}.json",
            "/{{id}}",
            "/{id",
        ] {
            assert!(!has_one_parameter(wrong, "id"), "{wrong}");
        }
    }
}
