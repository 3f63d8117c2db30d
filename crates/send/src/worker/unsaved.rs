//! What a walk has written and not yet saved: the position, with the counts that belong to it.
//!
//! What is acknowledged is the saved position. So cards need not be durable before that, and it is
//! saved every now and then instead of with every page. A walk that ends without saving is repeated
//! from the last position that was, as after any crash: the cards that are there are recognised.

use std::time::Duration;

use corkboard_core::dispatch::Tally;
use corkboard_store::card_store::{Durability, ScanPosition, Series};
use tokio::time::Instant;

/// Written since the last position that was saved.
#[derive(Debug)]
pub(super) struct Unsaved {
    series: Series,
    /// Whether a batch was left to be made durable.
    has_left: bool,
    pub(super) tally: Tally,
    pub(super) position: Option<ScanPosition>,
    since: Instant,
}

impl Unsaved {
    pub(super) fn new() -> Self {
        Self {
            series: Series::default(),
            has_left: false,
            tally: Tally::default(),
            position: None,
            since: Instant::now(),
        }
    }

    /// Whether so much time has passed that the position has to be saved.
    pub(super) fn is_due(&self, longest: Duration) -> bool {
        self.since.elapsed() >= longest
    }

    /// Whether something is written that is not saved.
    pub(super) fn is_some(&self) -> bool {
        self.position.is_some() || self.has_left
    }

    /// Whether the position may only be saved after a batch that makes earlier ones durable.
    pub(super) fn has_left(&self) -> bool {
        self.has_left
    }

    /// For a batch that no position follows yet.
    pub(super) fn leaving(&mut self) -> Durability {
        self.has_left = true;
        Durability::Later(self.series.clone())
    }

    /// For the batch that the position is saved after.
    pub(super) fn ending(&self) -> Durability {
        if self.has_left {
            Durability::Ends(self.series.clone())
        } else {
            Durability::Now
        }
    }

    /// A batch was written, up to this position.
    pub(super) fn add(&mut self, tally: &Tally, position: Option<ScanPosition>) {
        self.tally.add(tally);
        self.position = position.or(self.position.take());
    }
}
