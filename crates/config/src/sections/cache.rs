//! `[cache]`: Redis between nodes.

use serde::Serialize;

use crate::reader::Section;
use crate::url::ServiceUrl;

/// The schemes of a Redis URL, plain and over TLS.
pub(crate) const REDIS: [&str; 2] = ["redis", "rediss"];

/// The tier that nodes share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CacheConfig {
    /// Where Redis is; absent, feeds are kept in process memory only.
    pub url: Option<ServiceUrl>,
}

impl CacheConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            url: section.url("url", &REDIS),
        }
    }
}
