//! A node: every room put together in one place, served, and taken apart in order.
//!
//! [`Node::build`] is the one composition root, for `serve` and `demo` alike. It opens the stores
//! and binds the listeners, so that whatever is in the way is known before anything is printed or
//! sent. [`Node::serve`] runs until it is told to end, then walks down [`shutdown`]'s ladder.

mod admin;
mod cache;
mod calls;
mod certificates;
mod credentials;
mod keeper;
mod origin;
mod passport;
mod process;
mod readiness;
mod responses;
mod shutdown;
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;

use corkboard_api::{ApiDeps, surface};
use corkboard_config::Config;
use corkboard_core::story::story;
use corkboard_core::time::SharedClock;
use corkboard_edge::Certificates;
use corkboard_feed::{Feeds, LiveHub};
use corkboard_fetch::{ChannelCallLog, FetchClient, FetchRecord, SystemResolver, Vault};
use corkboard_send::Sender;
use corkboard_store::postgres::watch::DatabaseWatch;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::cli::Role;
use crate::exit::{Failure, Outcome};
use crate::settings;
use crate::stores::Stores;
use crate::telemetry::LogControl;
use crate::telemetry::recorder::Metrics;
use crate::watches;
use credentials::StoredCredentials;
pub(crate) use origin::{endpoints, open_origin, refused, source_options};
use readiness::Readiness;

/// Calls that may wait to be written to the call log; about 3 KiB each at most.
const CALLS_WAITING: usize = 4_096;

/// What a node needs from the process around it.
pub(crate) struct Process {
    pub(crate) clock: SharedClock,
    pub(crate) logs: LogControl,
    pub(crate) metrics: Metrics,
}

/// A node that is ready to serve.
pub(crate) struct Node {
    /// Unique among all processes.
    name: String,
    config: Config,
    roles: Vec<Role>,
    process: Process,
    /// As everybody but the keeper uses them: writes to cards void the feeds' tiers.
    pub(crate) stores: Stores,
    /// Of PostgreSQL databases only.
    watches: Vec<DatabaseWatch>,
    pub(crate) sender: Sender,
    feeds: Feeds,
    cache: cache::Cache,
    fetcher: Arc<FetchClient>,
    vault: Option<Arc<Vault>>,
    calls: mpsc::Receiver<FetchRecord>,
    /// Requests that go on when their client has left.
    requests: TaskTracker,
    readiness: Readiness,
    public: Option<Listener>,
    /// Of the public listener; absent where it speaks plain HTTP.
    certificates: Option<Certificates>,
    admin: Listener,
}

/// A bound listener and where it listens: with port 0, the port that the system chose.
struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    fn bind(address: SocketAddr) -> Outcome<Self> {
        let unavailable = |error: &dyn std::error::Error| Failure::Unavailable(story(error));
        let socket = corkboard_edge::listen(address).map_err(|error| unavailable(&error))?;
        let address = socket.local_addr().map_err(|error| unavailable(&error))?;
        Ok(Self { socket, address })
    }
}

impl Node {
    /// Binds, opens and connects everything; serves nothing yet.
    pub(crate) async fn build(config: Config, roles: Vec<Role>, process: Process) -> Outcome<Self> {
        process::raise_open_files();
        let certificates = certificates::load(&config)?;
        let vault = settings::vault(&config.secrets)?;
        let public = roles
            .contains(&Role::Api)
            .then(|| Listener::bind(config.listen))
            .transpose()?;
        let admin = Listener::bind(config.admin_listen)?;
        let hub = LiveHub::new();
        let (cache, tier, responses) = cache::Cache::open(&config, hub.clone()).await?;
        let stores = Stores::serving(&config).await?.voiding(&tier);
        let name = process::name();
        let watches = watches::of(&config.store, &process.clock)?;
        let readiness = Readiness::new(&config.store, &stores, &process.clock)?;

        let (call_log, calls) = ChannelCallLog::new(CALLS_WAITING);
        let fetcher = FetchClient::new(
            settings::fetch_options(&config),
            Arc::clone(&process.clock),
            Arc::new(call_log),
            Arc::new(SystemResolver::default()),
        );
        let fetcher = fetcher.map_err(|error| Failure::usage(story(&error)))?;
        let credentials = StoredCredentials::new(Arc::clone(&stores.control), vault.clone());
        let mut fetcher = fetcher.with_credentials(Arc::new(credentials));
        if let Some(responses) = responses {
            fetcher = fetcher.with_tier(responses);
        }
        let fetcher = Arc::new(fetcher);
        let sender = Sender::new(
            corkboard_send::Deps {
                cards: Arc::clone(&stores.cards),
                control: Arc::clone(&stores.control),
                fetcher: fetcher.clone(),
                changes: Arc::new(tier.clone()),
                clock: Arc::clone(&process.clock),
            },
            settings::send_options(&config, &name),
        );
        let feeds = Feeds::with_tier(
            corkboard_feed::Deps {
                cards: Arc::clone(&stores.cards),
                control: Arc::clone(&stores.control),
                fetcher: fetcher.clone(),
                hub,
                clock: Arc::clone(&process.clock),
            },
            settings::feed_options(&config),
            tier,
        );
        Ok(Self {
            name,
            config,
            roles,
            process,
            stores,
            watches,
            sender,
            feeds,
            cache,
            fetcher,
            vault,
            calls,
            requests: TaskTracker::new(),
            readiness,
            public,
            certificates,
            admin,
        })
    }

    /// Where the API is served, if it is.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.public.as_ref().map(|listener| listener.address)
    }

    /// Where metrics and health are served.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.admin.address
    }

    /// Serves until `end` names a reason, then ends everything in order. The failure, if any, is
    /// that the end was not in order.
    pub(crate) async fn serve(self, end: impl Future<Output = &'static str>) -> Outcome {
        let surface = surface(
            ApiDeps {
                cards: Arc::clone(&self.stores.cards),
                control: Arc::clone(&self.stores.control),
                sender: self.sender.clone(),
                feeds: self.feeds.clone(),
                vault: self.vault.clone(),
                clock: Arc::clone(&self.process.clock),
                tasks: self.requests.clone(),
            },
            settings::api_options(&self.config),
        );
        let running = shutdown::Running::start(self, surface);
        let reason = end.await;
        running.stop(reason).await
    }
}
