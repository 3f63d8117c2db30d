//! `[send]`: the pipeline.

use std::time::Duration;

use serde::Serialize;

use crate::duration;
use crate::reader::Section;

/// How a dispatch is worked off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SendConfig {
    /// Workers that render and write chunks.
    pub workers: usize,
    /// Users that are read, and cards that are written, in one go.
    pub batch: usize,
    /// How long a worker may be silent about its chunk before another one takes it over.
    #[serde(serialize_with = "duration::serialize")]
    pub lease: Duration,
    /// Users of one worker whose connected content is fetched at a time.
    pub fetch_concurrency: usize,
    /// How often an idle worker looks for a chunk.
    #[serde(serialize_with = "duration::serialize")]
    pub poll: Duration,
}

impl SendConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            workers: section.number("workers", 1..=256),
            batch: section.number("batch", 1..=10_000),
            lease: section.duration("lease", ["1s", "1h"]),
            fetch_concurrency: section.number("fetch_concurrency", 1..=4_096),
            poll: section.duration("poll", ["10ms", "1m"]),
        }
    }
}
