//! `[template]`: what a template may cost.

use std::time::Duration;

use serde::Serialize;

use crate::reader::Section;
use crate::{duration, size};

/// The bounds of one compile and one render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TemplateConfig {
    /// Longest template, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub source_bytes: u64,
    /// Deepest nesting of blocks.
    pub depth: usize,
    /// Steps of one render.
    pub fuel: u64,
    /// Longest output, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub output_bytes: u64,
    /// Everything one render computes, together, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub value_bytes: u64,
    /// `connected_content` calls of one render.
    pub fetches: u32,
    /// Computing time of one render, without waiting for fetches.
    #[serde(serialize_with = "duration::serialize")]
    pub deadline: Duration,
}

impl TemplateConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            source_bytes: section.size("source_bytes", ["1KiB", "1MiB"]),
            depth: section.number("depth", 1..=100),
            fuel: section.number("fuel", 1_000..=100_000_000),
            output_bytes: section.size("output_bytes", ["1KiB", "16MiB"]),
            value_bytes: section.size("value_bytes", ["1KiB", "256MiB"]),
            fetches: section.number("fetches", 0..=1_000),
            deadline: section.duration("deadline", ["1ms", "10s"]),
        }
    }
}
