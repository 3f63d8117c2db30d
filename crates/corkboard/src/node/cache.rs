//! The feeds' tiers as the configuration wants them: process memory, and Redis if there is one.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Redis, RedisOptions, TierOptions};
use corkboard_config::{Config, StoreKind};
use corkboard_core::story::story;
use corkboard_feed::{FeedTier, LiveHub, UNTOLD_LIFETIME};
use corkboard_fetch::ResponseTier;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::responses::{self, Responses};
use crate::exit::{Failure, Outcome};
use crate::settings;

/// A node that cannot reach Redis at its start goes on without it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Looks under way at the end have their own deadline.
const LAST_WAIT: Duration = Duration::from_secs(6);

/// What goes on behind the tiers.
pub(super) struct Cache {
    tasks: TaskTracker,
    end: CancellationToken,
}

impl Cache {
    /// Joins Redis, if one is configured and there. Beside the feeds' tier, the one that fetched
    /// responses are shared in.
    pub(super) async fn open(
        config: &Config,
        hub: LiveHub,
    ) -> Outcome<(Self, FeedTier, Option<Arc<dyn ResponseTier>>)> {
        let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
        let mut shared: Option<Arc<dyn ResponseTier>> = None;
        let mut tier = FeedTier::new(hub, tier_options(config), tasks.clone());
        if let Some(url) = &config.cache.url {
            let options = RedisOptions {
                prefix: config.cache.prefix.clone(),
                timeout: config.cache.timeout,
                ..RedisOptions::default()
            };
            let join = |options: RedisOptions, ears| {
                Redis::open(url.expose(), options, ears, &tasks, end.clone())
                    .map_err(|error| Failure::usage(format!("cache.url: {}", story(&error))))
            };
            let fetch = RedisOptions {
                area: responses::AREA,
                connections: 1,
                ..options.clone()
            };
            let redis = join(options, tier.ears())?;
            shared = Some(Arc::new(Responses(join(fetch, responses::deaf())?)) as _);
            if !redis.joined(FIRST_WAIT).await {
                tracing::warn!(%url, "redis is not there yet: going on without it");
            }
            tier = tier.shared(redis, &tasks, end.clone());
        }
        Ok((Self { tasks, end }, tier, shared))
    }

    /// After all who read and write have ended; whether it was in time.
    pub(super) async fn close(&self) -> bool {
        self.end.cancel();
        self.tasks.close();
        timeout(LAST_WAIT, self.tasks.wait()).await.is_ok()
    }
}

fn tier_options(config: &Config) -> TierOptions {
    let cache = &config.cache;
    let (parts, alone) = match &config.store.kind {
        StoreKind::Sqlite { .. } => (1, true),
        StoreKind::Postgres { databases, .. } => (databases.len().max(1), false),
    };
    let memory_lifetime = if alone || cache.url.is_some() {
        cache.memory_ttl
    } else {
        cache.memory_ttl.min(UNTOLD_LIFETIME)
    };
    let mut options = TierOptions::default();
    options.flights = options.flights.max(settings::most_at_once(config));
    TierOptions {
        memory_bytes: usize::try_from(cache.memory).unwrap_or(usize::MAX),
        memory_lifetime,
        redis_lifetime: cache.ttl,
        parts,
        // PostgreSQL has a queue of its own, in which those who wait come to share statements.
        at_a_time: if alone { cache.reads } else { options.flights },
        turn: cache.read_wait,
        ..options
    }
}
