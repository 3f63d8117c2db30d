//! What a sender needs around it, and its bounds.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::ConnectedContent;
use corkboard_core::hint::FeedChanges;
use corkboard_core::time::SharedClock;
use corkboard_store::{CardStore, ControlStore};
use corkboard_template::Limits;

/// The neighbours of a sender.
#[derive(Debug, Clone)]
pub struct Deps {
    pub cards: Arc<dyn CardStore>,
    pub control: Arc<dyn ControlStore>,
    /// Answers `connected_content`. Every call ends within a time-out of its own.
    pub fetcher: Arc<dyn ConnectedContent>,
    /// Told after cards of users have been written or taken away.
    pub changes: Arc<dyn FeedChanges>,
    pub clock: SharedClock,
}

/// The bounds of a sender. Every one has a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendOptions {
    /// Who this is, for the operator's eyes; shown with a leased chunk.
    pub name: String,
    /// Chunks worked on at a time. Those that only wait for fetches do not count; of them there are at
    /// most eight times as many.
    pub workers: usize,
    /// Most users of one page; a worker holds one page in memory.
    pub batch: usize,
    /// How long a worker owns a chunk without a sign of life.
    pub lease: Duration,
    /// Cards rendered at a time by one worker, when their template fetches. What leaves the node is
    /// bounded by the fetcher.
    pub fetch_concurrency: usize,
    /// Longest time for one user's card, its fetches included. At most a third of the lease, so that
    /// no card can cost its worker the lease.
    pub render_deadline: Duration,
    /// How long a card may wait for its fetches to be tried again, all in all. Then its user gets none.
    pub patience: Duration,
    /// A pause for which a worker keeps a chunk whose cards all wait. For a longer one it gives the
    /// chunk back and takes another.
    pub linger: Duration,
    /// The fetcher's cap on calls per second to a host, for plans; 0: none.
    pub host_per_second: u32,
    /// How often a worker that has nothing to do looks for chunks that other processes left.
    pub poll: Duration,
    /// How often dispatches that need no worker are looked through for those whose time is over.
    pub sweep: Duration,
    /// How often a page with slow fetches is written as far as it is, and how soon a stop is noticed.
    pub flush: Duration,
    /// How often the position in a chunk is saved while its pages need no waiting for, and how soon a
    /// stop is noticed then.
    pub save: Duration,
    /// Largest card after rendering, in bytes of its texts.
    pub card_bytes: usize,
    pub template_limits: Limits,
    /// Claims of a chunk without progress before its dispatch fails; five times as many when its
    /// workers end without a word.
    pub max_attempts: u32,
    /// Pause after the first failed attempt; doubles with each one, up to a minute.
    pub backoff: Duration,
    /// Campaign versions whose compiled templates are kept.
    pub compiled_campaigns: usize,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self {
            name: "worker".to_owned(),
            workers: 4,
            batch: 1_000,
            lease: Duration::from_secs(30),
            fetch_concurrency: 256,
            render_deadline: Duration::from_secs(10),
            patience: Duration::from_hours(1),
            linger: Duration::from_millis(250),
            host_per_second: 0,
            poll: Duration::from_millis(250),
            sweep: Duration::from_mins(1),
            flush: Duration::from_millis(500),
            save: Duration::from_millis(200),
            card_bytes: 2048,
            template_limits: Limits::default(),
            max_attempts: 10,
            backoff: Duration::from_millis(500),
            compiled_campaigns: 256,
        }
    }
}

impl SendOptions {
    /// The same with every zero replaced by the least that works.
    pub(crate) fn sound(mut self) -> Self {
        self.workers = self.workers.max(1);
        self.batch = self.batch.max(1);
        self.fetch_concurrency = self.fetch_concurrency.max(1);
        self.max_attempts = self.max_attempts.max(1);
        self.compiled_campaigns = self.compiled_campaigns.max(1);
        self.lease = self.lease.max(Duration::from_secs(1));
        self.render_deadline = self.render_deadline.min(self.lease / 3);
        self.flush = self.flush.min(self.lease / 3);
        self.linger = self.linger.min(Duration::from_secs(1));
        self.save = self.save.min(self.lease / 3);
        self
    }
}
