//! The room's one entrance: what it is built from and the tasks that it runs.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::connected::ConnectedContent;
use corkboard_core::time::SharedClock;
use corkboard_store::{CardStore, ControlStore};
use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::first_impression::FirstImpressions;
use crate::hub::LiveHub;
use crate::live::LiveSets;
use crate::options::FeedOptions;
use crate::tier::FeedTier;

/// What feeds are read from.
#[derive(Debug, Clone)]
pub struct Deps {
    pub cards: Arc<dyn CardStore>,
    pub control: Arc<dyn ControlStore>,
    /// For cards made at first impression, and previews.
    pub fetcher: Arc<dyn ConnectedContent>,
    /// The hub that whoever changes cards announces it to.
    pub hub: LiveHub,
    pub clock: SharedClock,
}

/// Answers everything that is asked about cards. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Feeds {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    deps: Deps,
    options: FeedOptions,
    live: LiveSets,
    first_impressions: FirstImpressions,
    hint_permits: Semaphore,
    tier: Option<FeedTier>,
    closing: CancellationToken,
}

impl Feeds {
    /// Asks the card store at every read. Works at once; [`Feeds::run`] makes it learn of what other
    /// nodes do.
    #[must_use]
    pub fn new(deps: Deps, options: FeedOptions) -> Self {
        Self::build(deps, options, None)
    }

    /// Reads through the tiers. Every writer of `deps.cards` must then go through a
    /// [`crate::VoidingCardStore`] with the same tier.
    #[must_use]
    pub fn with_tier(deps: Deps, options: FeedOptions, tier: FeedTier) -> Self {
        Self::build(deps, options, Some(tier))
    }

    fn build(deps: Deps, options: FeedOptions, tier: Option<FeedTier>) -> Self {
        let (control, clock) = (Arc::clone(&deps.control), Arc::clone(&deps.clock));
        let inner = Inner {
            live: LiveSets::new(control, clock, deps.hub.clone(), options.clone()),
            first_impressions: FirstImpressions::new(deps.clone(), options.clone()),
            hint_permits: Semaphore::new(options.hint_concurrency.max(1)),
            closing: CancellationToken::new(),
            tier,
            deps,
            options,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Starts what goes on in the background: following the workspaces that are being read. On
    /// `shutdown` every live connection ends, and cards being made are waited for.
    pub fn run(&self, tasks: &TaskTracker, shutdown: CancellationToken) {
        let feeds = self.clone();
        tasks.spawn(async move {
            let follow = feeds.follow();
            shutdown.run_until_cancelled(follow).await;
            feeds.inner.closing.cancel();
            feeds.inner.first_impressions.finish().await;
        });
    }

    async fn follow(&self) {
        // An interval of zero would never rest.
        let every = self.inner.options.live_poll.max(Duration::from_millis(10));
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.inner.live.poll().await;
        }
    }

    pub(crate) fn deps(&self) -> &Deps {
        &self.inner.deps
    }

    pub(crate) fn hub(&self) -> &LiveHub {
        &self.inner.deps.hub
    }

    pub(crate) fn tier(&self) -> Option<&FeedTier> {
        self.inner.tier.as_ref()
    }

    pub(crate) fn options(&self) -> &FeedOptions {
        &self.inner.options
    }

    pub(crate) fn live(&self) -> &LiveSets {
        &self.inner.live
    }

    pub(crate) fn first_impressions(&self) -> &FirstImpressions {
        &self.inner.first_impressions
    }

    pub(crate) fn hint_permits(&self) -> &Semaphore {
        &self.inner.hint_permits
    }

    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.inner.closing
    }
}
