//! What may be tuned in the embedded store; every queue and pool has its bound here.

use std::time::Duration;

/// Bounds and sizes of the embedded store. The defaults suit a node with a few cores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Most reads at a time, and most read connections of each file. The next one waits.
    pub readers: usize,
    /// Most writes waiting for one file. The next one waits for room.
    pub queue: usize,
    /// Longest wait for a reader or for room in a queue; then the call fails as `Overloaded`.
    pub wait: Duration,
    /// Most writes that share one commit.
    pub group_operations: usize,
    /// A group stops taking in writes after this long, so that the first does not wait for ever.
    pub group_time: Duration,
    /// Page cache of each connection, in KiB.
    pub cache_kib: u32,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            readers: 4,
            queue: 1_024,
            wait: Duration::from_secs(1),
            group_operations: 256,
            group_time: Duration::from_millis(20),
            cache_kib: 4_096,
        }
    }
}
