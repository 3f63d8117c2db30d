//! One launch to everybody, from the request to the last card, with the node's memory meanwhile.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{Written, per_second};
use crate::failure::{Failure, Result};
use crate::node::{Node, Site};
use crate::procfs::Memory;
use crate::rows::Rows;
use crate::{pages, procfs};

const LONGEST: Duration = Duration::from_mins(5);
/// Memory samples kept of one launch.
const MOST_SAMPLES: usize = 200;

/// What a launch took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) shape: String,
    pub(crate) cards: u64,
    /// From sending the launch request until the dispatch says that it is done.
    pub(crate) seconds: f64,
    pub(crate) cards_per_second: f64,
    /// CPU time of the node for each card, in microseconds.
    pub(crate) cpu_micros_each: f64,
    pub(crate) memory: MemoryUse,
    pub(crate) written: Written,
    /// Growth of the store's files for each card.
    pub(crate) store_bytes_each: f64,
}

/// The node's memory during a launch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct MemoryUse {
    pub(crate) before_mib: f64,
    /// Highest since the process began, as the kernel keeps it.
    pub(crate) peak_mib: f64,
    /// Highest of the part that is not backed by files, as sampled.
    pub(crate) anonymous_peak_mib: f64,
    /// Seconds since the launch and resident MiB.
    pub(crate) samples: Vec<(f64, f64)>,
}

/// Looks at a process's memory from time to time.
#[derive(Debug)]
pub(super) struct MemoryWatch {
    pid: u32,
    begun: Instant,
    before: Memory,
    anonymous: u64,
    samples: Vec<(f64, f64)>,
}

impl MemoryWatch {
    pub(super) fn start(pid: u32) -> Result<Self> {
        let before = procfs::memory(pid)?;
        Ok(Self {
            pid,
            begun: Instant::now(),
            before,
            anonymous: before.anonymous,
            samples: Vec::new(),
        })
    }

    pub(super) fn look(&mut self) -> Result<()> {
        let memory = procfs::memory(self.pid)?;
        let at = rounded(self.begun.elapsed().as_secs_f64());
        self.samples.push((at, mib(memory.resident)));
        self.anonymous = self.anonymous.max(memory.anonymous);
        Ok(())
    }

    pub(super) fn finish(self) -> Result<MemoryUse> {
        let every = self.samples.len().div_ceil(MOST_SAMPLES).max(1);
        Ok(MemoryUse {
            before_mib: mib(self.before.resident),
            peak_mib: mib(procfs::memory(self.pid)?.peak),
            anonymous_peak_mib: mib(self.anonymous),
            samples: self.samples.into_iter().step_by(every).collect(),
        })
    }
}

/// Creates and launches a campaign and waits until it is done.
pub(super) async fn run(site: &Site, node: &Node, campaign: &Value) -> Result<Launch> {
    let rows_before = Rows::count(&site.store()).await?;
    let size_before = pages::size(&site.store());
    let campaign = node.api.create(campaign).await?;
    let cpu_before = procfs::cpu_seconds(node.pid())?;
    let mut memory = MemoryWatch::start(node.pid())?;

    let begun = Instant::now();
    let dispatch = node.api.launch(&campaign).await?;
    let progress = node
        .api
        .finish(&dispatch, LONGEST, || memory.look())
        .await?;
    let seconds = begun.elapsed().as_secs_f64();

    if progress.written == 0 || progress.written != progress.targeted {
        return Err(Failure::unexpected(format!(
            "not everybody has a card: {progress:?}"
        )));
    }
    let cpu = procfs::cpu_seconds(node.pid())? - cpu_before;
    let memory = memory.finish()?;
    let grown = pages::size(&site.store()).saturating_sub(size_before);
    let rows_after = Rows::count(&site.store()).await?;
    let cards = progress.written;
    Ok(Launch {
        shape: progress.shape,
        cards,
        seconds: rounded(seconds),
        cards_per_second: rounded(per_second(cards, seconds)),
        cpu_micros_each: rounded(cpu * 1e6 / per_second(cards, 1.0)),
        memory,
        written: Written::between(&rows_before, &rows_after),
        store_bytes_each: rounded(per_second(grown, per_second(cards, 1.0))),
    })
}

fn mib(kib: u64) -> f64 {
    rounded(per_second(kib, 1024.0))
}

/// Two digits are more than such numbers are good for.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
