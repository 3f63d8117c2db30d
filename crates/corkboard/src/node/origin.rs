//! An origin: its rooms put together, served, and taken apart in order.

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Ears, Key, Redis, RedisOptions};
use corkboard_config::{Config, EndpointSource, OriginConfig};
use corkboard_core::story::story;
use corkboard_core::time::SharedClock;
use corkboard_edge::EdgeOptions;
use corkboard_origin::{
    Content, EndpointSpec, Endpoints, Lifetimes, Origin, OriginOptions, Parts, Rows, SourceError,
    SourceOptions, describe,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::{self, Admin};
use super::readiness::Readiness;
use super::shutdown::admin_options;
use super::{Listener, Process, certificates, passport, process};
use crate::exit::{Failure, Outcome};
use crate::settings;

/// Redis is waited for this long at the start; without it, an origin begins all the same.
const REDIS_PATIENCE: Duration = Duration::from_secs(2);
/// For fills that are under way when everybody has gone.
const WORK_PATIENCE: Duration = Duration::from_secs(5);

/// An origin that is connected and serves nothing yet.
pub(crate) struct OriginNode {
    pub(crate) origin: Origin,
    tasks: TaskTracker,
    end: CancellationToken,
}

/// An origin hears of changes from its journal; what Redis announces is the feed's.
struct Deaf;

impl Ears for Deaf {
    fn voided(&self, _: &[Key], _: bool) {}
    fn told(&self, _: &[u8]) {}
    fn missed(&self) {}
}

/// Connects to the source and to Redis. `wait_for_redis`: for work that is nothing without it.
pub(crate) async fn open_origin(
    config: &Config,
    clock: SharedClock,
    wait_for_redis: bool,
) -> Outcome<OriginNode> {
    let at_once = settings::most_at_once(config);
    let config = &config.origin;
    let Some(database) = &config.database else {
        return Err(Failure::usage(
            "origin.database is missing, and there is no [[origin.endpoint]]: nothing to serve",
        ));
    };
    if config.endpoints.is_empty() {
        return Err(Failure::usage(
            "there is no [[origin.endpoint]]: nothing to serve",
        ));
    }
    let (specs, options) = (endpoints(config), options(config, at_once));
    let described = describe(database.expose(), &specs, &options.source)
        .await
        .map_err(|error| refused(&error))?;
    for advice in described.iter().filter_map(|one| one.advice.as_ref()) {
        tracing::warn!("{advice}");
    }
    let (tasks, end) = (TaskTracker::new(), CancellationToken::new());
    let rows = match &config.redis {
        None => None,
        Some(url) => {
            let options = RedisOptions {
                area: "origin",
                ..RedisOptions::default()
            };
            let redis = Redis::open(url.expose(), options, Arc::new(Deaf), &tasks, end.clone())
                .map_err(|error| Failure::usage(format!("origin.redis: {}", story(&error))))?;
            if !redis.joined(REDIS_PATIENCE).await {
                if wait_for_redis {
                    return Err(Failure::Unavailable("redis cannot be reached".to_owned()));
                }
                tracing::warn!("redis cannot be reached: rows are served from memory and source");
            }
            Some(Rows::new(redis))
        }
    };
    let parts = Parts {
        source: database.expose().to_owned(),
        endpoints: specs.into_iter().zip(described).collect(),
        rows,
        clock,
        options,
    };
    let origin = Origin::new(parts, &tasks, &end).map_err(|error| refused(&error))?;
    Ok(OriginNode { origin, tasks, end })
}

impl OriginNode {
    /// Serves until `end` names a reason, then ends everything in order.
    pub(crate) async fn serve(
        self,
        config: &Config,
        process: Process,
        end: impl Future<Output = &'static str>,
    ) -> Outcome {
        process::raise_open_files();
        let public = Listener::bind(config.listen)?;
        let admin = Listener::bind(config.admin_listen)?;
        let readiness = Readiness::of_origin();
        let admin_service = admin::router(Admin {
            metrics: process.metrics,
            logs: process.logs,
            readiness: readiness.clone(),
        });
        let (end_public, end_admin) = (CancellationToken::new(), CancellationToken::new());
        self.origin.follow(&self.end);
        let certificates = certificates::load(config)?;
        if let Some(certificates) = certificates.clone() {
            self.tasks
                .spawn(certificates::keep_fresh(certificates, self.end.clone()));
        }
        // What waits here waits for a fill, and those have bounds of their own; the rest is answered
        // from memory, and refusing it would cost as much.
        let endpoints = Endpoints::new(self.origin.clone());
        let edge = EdgeOptions {
            admission: None,
            lane: Some(Arc::new(endpoints.clone())),
            ..settings::edge_options(config, passport::inspect, certificates)
        };
        let served = self.tasks.spawn(corkboard_edge::serve(
            public.socket,
            endpoints,
            edge,
            end_public.clone(),
        ));
        self.tasks.spawn(corkboard_edge::serve(
            admin.socket,
            admin_service,
            admin_options(),
            end_admin.clone(),
        ));
        readiness.set(true);
        tracing::info!(listen = %public.address, admin = %admin.address,
            version = env!("CARGO_PKG_VERSION"), "serving as an origin");
        let reason = end.await;
        tracing::info!(reason, "shutting down: no longer ready");
        readiness.set(false);
        end_public.cancel();
        if let Ok(drained) = served.await {
            tracing::info!(?drained, "shutting down: connections drained");
        }
        end_admin.cancel();
        self.close().await
    }

    /// Ends what was started by [`open_origin`].
    pub(crate) async fn close(self) -> Outcome {
        self.end.cancel();
        self.tasks.close();
        if timeout(WORK_PATIENCE, self.tasks.wait()).await.is_err() {
            return Err(Failure::Internal(
                "the shutdown ended without fills".to_owned(),
            ));
        }
        Ok(())
    }
}

/// What cannot be reached, or what does not fit the source.
pub(crate) fn refused(error: &SourceError) -> Failure {
    match error {
        SourceError::Endpoints { problems } => Failure::Usage(problems.clone()),
        error if error.is_passing() => Failure::Unavailable(story(error)),
        error => Failure::usage(story(error)),
    }
}

/// The endpoints in the origin's own words.
pub(crate) fn endpoints(config: &OriginConfig) -> Vec<EndpointSpec> {
    let endpoints = config.endpoints.iter().map(|endpoint| {
        let content = match &endpoint.source {
            EndpointSource::Table(name) => Content::Table {
                name: name.clone(),
                columns: endpoint.columns.clone(),
            },
            EndpointSource::Query(query) => Content::Query(query.clone()),
        };
        let prefix = endpoint.prefix.clone();
        EndpointSpec {
            path: endpoint.path.clone(),
            key: endpoint.key.clone(),
            content,
            ttl: endpoint.ttl,
            prefix: prefix.unwrap_or_else(|| EndpointSpec::default_prefix(&endpoint.path)),
        }
    });
    endpoints.collect()
}

pub(crate) fn source_options(config: &OriginConfig) -> SourceOptions {
    SourceOptions {
        connections: config.connections,
        ..SourceOptions::default()
    }
}

fn options(config: &OriginConfig, at_once: usize) -> OriginOptions {
    let defaults = OriginOptions::default();
    OriginOptions {
        source: SourceOptions {
            waiting: at_once,
            ..source_options(config)
        },
        // A fill goes on when its reader has left, and stale rows are filled with nobody waiting.
        fills: defaults.fills.max(at_once.saturating_mul(2)),
        lifetimes: Lifetimes {
            missing: config.missing_ttl,
            stale_while_revalidate: config.stale_while_revalidate,
            stale_if_error: config.stale_if_error,
            ..Lifetimes::default()
        },
        memory_bytes: usize::try_from(config.memory).unwrap_or(usize::MAX),
        ..defaults
    }
}
