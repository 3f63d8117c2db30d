//! The tiers put together: memory, Redis, the source, and who fills what from where.
//!
//! [`Origin::look`] answers from memory, at once. `fetch` looks into Redis, and where there is
//! nothing joins the fill of the key or begins it. A fill asks the source under a lease, and leaves what it
//! found in both. What is stale is served while a fill is under way, or because a fill has failed.

mod fetch;
mod fill;
mod held;
mod upkeep;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use corkboard_cache::{Key as CacheKey, Memory};
use corkboard_core::time::{SharedClock, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::answer::{Age, Answer, Lifetimes};
use crate::endpoint::{EndpointSpec, conflicts, routes};
use crate::hooks::{Applier, Follower, Void};
use crate::key::{Key, KeyError};
use crate::meters::Meters;
use crate::names::Names;
use crate::rows::Rows;
use crate::source::{Connector, Description, Reader, SourceError, SourceOptions};
pub(crate) use held::Held;
pub use upkeep::{UpkeepError, Verified, Warmed};

/// What may be tuned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginOptions {
    pub source: SourceOptions,
    pub lifetimes: Lifetimes,
    /// Bytes of answers in memory.
    pub memory_bytes: usize,
    /// Keys that may be filled at the same time; readers of more are refused.
    pub fills: usize,
    /// Longest wait of a reader for a fill.
    pub patience: Duration,
    /// After a failed fill, how long the source is not asked for the key again.
    pub pause: Duration,
}

impl Default for OriginOptions {
    fn default() -> Self {
        Self {
            source: SourceOptions::default(),
            lifetimes: Lifetimes::default(),
            memory_bytes: 128 << 20,
            fills: 32_768,
            patience: Duration::from_secs(3),
            pause: Duration::from_millis(250),
        }
    }
}

/// Serves rows. Clones share everything.
#[derive(Debug, Clone)]
pub struct Origin {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    endpoints: Vec<Endpoint>,
    routes: matchit::Router<usize>,
    memory: Arc<Memory<Held, Unavailable>>,
    rows: Option<Rows>,
    connector: Connector,
    reader: Reader,
    fills: Arc<Semaphore>,
    clock: SharedClock,
    options: OriginOptions,
    tasks: TaskTracker,
}

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) spec: EndpointSpec,
    pub(crate) description: Description,
    names: Names,
    meters: Meters,
}

/// A key of an endpoint, and what both are called in memory and in Redis.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) endpoint: usize,
    pub(crate) key: Key,
    pub(crate) name: CacheKey,
    /// Whether it has that name in Redis, too.
    in_redis: bool,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Memory,
    Redis,
    Source,
    Stale,
}

impl Tier {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Redis => "redis",
            Self::Source => "source",
            Self::Stale => "stale",
        }
    }
}

/// An answer and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) answer: Arc<Answer>,
    pub(crate) tier: Tier,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unavailable {
    Overloaded,
    Source,
    TimedOut,
}

impl Unavailable {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Source => "source_unavailable",
            Self::TimedOut => "timed_out",
        }
    }
}

/// What an origin is made of.
#[derive(Debug)]
pub struct Parts {
    /// The source, as a `postgres://` URL.
    pub source: String,
    /// Endpoints and what the source says of them.
    pub endpoints: Vec<(EndpointSpec, Description)>,
    /// Redis, if there is one.
    pub rows: Option<Rows>,
    pub clock: SharedClock,
    pub options: OriginOptions,
}

impl Origin {
    /// Starts the tasks that read the source; they end with `shutdown`.
    ///
    /// # Errors
    /// When endpoints are in [conflict](conflicts), or the URL is none.
    pub fn new(
        parts: Parts,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Result<Self, SourceError> {
        let options = parts.options;
        let connector = Connector::new(&parts.source, &options.source)?;
        let reader = Reader::start(
            &connector,
            &parts.endpoints,
            &options.source,
            tasks,
            shutdown,
        );
        let specs: Vec<_> = parts
            .endpoints
            .iter()
            .map(|(spec, _)| spec.clone())
            .collect();
        let problems = conflicts(&specs);
        if !problems.is_empty() {
            return Err(SourceError::Endpoints { problems });
        }
        let endpoints = parts.endpoints.into_iter().enumerate();
        let endpoints = endpoints.map(|(at, (spec, description))| Endpoint {
            meters: Meters::new(&spec.path),
            names: Names::of(&specs, at),
            spec,
            description,
        });
        let shared = Arc::new(Shared {
            endpoints: endpoints.collect(),
            routes: routes(&specs).0,
            memory: Arc::new(Memory::new(options.memory_bytes)),
            rows: parts.rows,
            connector,
            reader,
            fills: Arc::new(Semaphore::new(options.fills.min(Semaphore::MAX_PERMITS))),
            clock: parts.clock,
            options,
            tasks: tasks.clone(),
        });
        Ok(Self { shared })
    }

    /// Follows the changes of the source, and applies them when it is this one's turn, until `shutdown`.
    pub fn follow(&self, shutdown: &CancellationToken) {
        let follower = Follower {
            connector: self.shared.connector.clone(),
            tables: self.tables(),
            memory: self.clone(),
        };
        let applier = Applier {
            connector: self.shared.connector.clone(),
            redis: self.shared.rows.is_some().then(|| self.clone()),
        };
        self.shared.tasks.spawn(follower.run(shutdown.clone()));
        self.shared.tasks.spawn(applier.run(shutdown.clone()));
    }

    /// The endpoint of a path and its parameter, still encoded.
    pub(crate) fn route<'p>(&self, path: &'p str) -> Option<(usize, &'p str)> {
        let found = self.shared.routes.at(path).ok()?;
        let (_, segment) = found.params.iter().next()?;
        Some((*found.value, segment))
    }

    pub(crate) fn place(&self, endpoint: usize, segment: &str) -> Result<Place, KeyError> {
        let key = self.shared.endpoints[endpoint]
            .description
            .key
            .parse(segment)?;
        Ok(self.place_of(endpoint, key))
    }

    pub(crate) fn place_of(&self, endpoint: usize, key: Key) -> Place {
        let name = self.shared.endpoints[endpoint].names.name(&key);
        Place {
            endpoint,
            key,
            name: name.bytes,
            in_redis: name.in_redis,
        }
    }

    /// Redis, if there is one and the row has a name there.
    fn rows_of(&self, place: &Place) -> Option<&Rows> {
        self.shared.rows.as_ref().filter(|_| place.in_redis)
    }

    /// What memory can say at once.
    pub(crate) fn look(&self, place: &Place) -> Option<Served> {
        let held = self.shared.memory.get(place.name.as_bytes())?;
        let now = self.now();
        match held.answer.as_ref()?.age(now) {
            Age::Fresh => Some(held.served(Tier::Memory)?),
            Age::Stale => {
                if held.may_be_filled(now) {
                    self.fill_behind(place);
                }
                held.served(Tier::Stale)
            }
            // What a fill has failed for a moment ago is not tried again at once.
            Age::LastResort if !held.may_be_filled(now) => held.served(Tier::Stale),
            Age::LastResort | Age::Over => None,
        }
    }

    /// The endpoint's parameter, for messages.
    pub(crate) fn parameter(&self, endpoint: usize) -> &str {
        &self.shared.endpoints[endpoint].spec.key
    }

    pub(crate) fn content_type(&self, endpoint: usize) -> &'static str {
        self.shared.endpoints[endpoint]
            .description
            .columns
            .content_type()
    }

    pub(crate) fn meters(&self, endpoint: usize) -> &Meters {
        &self.shared.endpoints[endpoint].meters
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The tables below endpoints, with their schemas.
    fn tables(&self) -> Vec<String> {
        let endpoints = self.shared.endpoints.iter();
        endpoints
            .filter_map(|endpoint| endpoint.description.table.clone())
            .collect()
    }

    /// The endpoints over a table (with its schema), by number.
    fn over<'a>(&'a self, table: &'a str) -> impl Iterator<Item = usize> + 'a {
        let endpoints = self.shared.endpoints.iter().enumerate();
        endpoints
            .filter(move |(_, endpoint)| endpoint.description.table.as_deref() == Some(table))
            .map(|(at, _)| at)
    }
}

impl Void for Origin {
    fn void(&self, table: &str, keys: Option<&[Key]>) {
        let Some(keys) = keys else {
            return self.void_all();
        };
        for endpoint in self.over(table) {
            for key in keys {
                let place = self.place_of(endpoint, key.clone());
                self.shared.memory.void(place.name.as_bytes());
            }
        }
    }

    fn void_all(&self) {
        self.shared.memory.flush();
    }

    fn redis_is_away(&self) -> bool {
        let rows = self.shared.rows.as_ref();
        rows.is_some_and(|rows| !rows.are_there())
    }
}
