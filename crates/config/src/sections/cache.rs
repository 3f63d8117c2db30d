//! `[cache]`: what stands between feeds and the databases.

use std::time::Duration;

use serde::Serialize;

use crate::reader::Section;
use crate::url::ServiceUrl;
use crate::{duration, size};

/// The schemes of a Redis URL, plain and over TLS.
pub(crate) const REDIS: [&str; 2] = ["redis", "rediss"];

/// Process memory, and the tier that nodes share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheConfig {
    /// Where Redis is; absent, feeds are kept in process memory only.
    pub url: Option<ServiceUrl>,
    /// Before every key and channel.
    pub prefix: String,
    /// Longest wait for one answer of Redis.
    #[serde(serialize_with = "duration::serialize")]
    pub timeout: Duration,
    /// How long a feed stays in Redis.
    #[serde(serialize_with = "duration::serialize")]
    pub ttl: Duration,
    /// Process memory for feeds, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub memory: u64,
    /// How long a feed stays in memory.
    #[serde(serialize_with = "duration::serialize")]
    pub memory_ttl: Duration,
    /// Process memory for verified user tokens, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub token_memory: u64,
    /// Feeds read from one database at a time.
    pub reads: usize,
    /// Longest wait for one's turn to.
    #[serde(serialize_with = "duration::serialize")]
    pub read_wait: Duration,
}

impl CacheConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        let prefix = section.text("prefix");
        if prefix.contains(['{', '}', '*', '?', '[']) {
            section.problem("prefix", "must have none of { } * ? [");
        }
        Self {
            url: section.url("url", &REDIS),
            prefix,
            timeout: section.duration("timeout", ["1ms", "1s"]),
            ttl: section.duration("ttl", ["1s", "1d"]),
            memory: section.size("memory", ["0B", "256GiB"]),
            memory_ttl: section.duration("memory_ttl", ["1s", "1h"]),
            token_memory: section.size("token_memory", ["0B", "64GiB"]),
            reads: section.number("reads", 1..=1_024),
            read_wait: section.duration("read_wait", ["1ms", "10s"]),
        }
    }
}
