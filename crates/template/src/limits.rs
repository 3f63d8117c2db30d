//! The bounds of one compile and one render. Every one has a default; none can be switched off.

use std::time::Duration;

/// How much a template may cost. A template that needs more ends with an error, never with a
/// stalled or dead process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest source, in bytes.
    pub source_bytes: usize,
    /// All partials that one template uses, in bytes, together.
    pub partial_bytes: usize,
    /// Deepest nesting of blocks, of brackets, and of partials that run.
    pub depth: usize,
    /// Steps of one render: one per operation and per loop iteration, plus one per 64 bytes or
    /// per item that a filter works through.
    pub fuel: u64,
    /// Longest output, in bytes.
    pub output_bytes: usize,
    /// All strings and lists that one render computes, in bytes, together.
    pub value_bytes: usize,
    /// `connected_content` calls of one render.
    pub fetches: u32,
    /// All fetched results of one render, in bytes as the engine holds them, together.
    pub fetched_bytes: usize,
    /// Computing time of one render. Time spent waiting for a fetch does not count.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes: 64 << 10,
            partial_bytes: 1 << 20,
            depth: 100,
            fuel: 1_000_000,
            output_bytes: 256 << 10,
            value_bytes: 4 << 20,
            fetches: 20,
            fetched_bytes: 16 << 20,
            deadline: Duration::from_millis(500),
        }
    }
}
