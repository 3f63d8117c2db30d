//! What handlers share.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::time::SharedClock;
use corkboard_feed::Feeds;
use corkboard_fetch::Vault;
use corkboard_send::Sender;
use corkboard_store::{CardStore, ControlStore};
use tokio_util::task::TaskTracker;

use crate::auth::TokenVerifier;
use crate::limits::WorkspaceLimit;

/// What the surface is built on.
#[derive(Debug, Clone)]
pub struct ApiDeps {
    pub cards: Arc<dyn CardStore>,
    pub control: Arc<dyn ControlStore>,
    pub sender: Sender,
    pub feeds: Feeds,
    /// Seals stored credentials; without it there can be none.
    pub vault: Option<Arc<Vault>>,
    pub clock: SharedClock,
    /// Owns the requests that go on when their client has left.
    pub tasks: TaskTracker,
}

/// Bounds of the surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiOptions {
    /// Largest request body.
    pub max_body_bytes: usize,
    /// Server API requests a second and workspace, and how many at once; 0: no limit.
    pub server_per_second: u32,
    pub server_burst: u32,
    /// The same for the client API.
    pub client_per_second: u32,
    pub client_burst: u32,
    /// How far an app's clock may be off.
    pub token_leeway: Duration,
    /// Bytes for remembered tokens, whose signature is not checked again.
    pub token_memory: usize,
    /// Between two comments on a silent live connection, so that proxies keep it open.
    pub live_heartbeat: Duration,
    /// After so long without an answer a repeated request takes the idempotency key over.
    pub idempotency_stale_after: Duration,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            max_body_bytes: 1024 * 1024,
            server_per_second: 1_000,
            server_burst: 2_000,
            client_per_second: 0,
            client_burst: 0,
            token_leeway: Duration::from_secs(30),
            token_memory: 64 << 20,
            live_heartbeat: Duration::from_secs(15),
            idempotency_stale_after: Duration::from_secs(60),
        }
    }
}

/// Shared by all handlers; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct ApiState(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) cards: Arc<dyn CardStore>,
    pub(crate) control: Arc<dyn ControlStore>,
    pub(crate) sender: Sender,
    pub(crate) feeds: Feeds,
    pub(crate) vault: Option<Arc<Vault>>,
    pub(crate) clock: SharedClock,
    pub(crate) tasks: TaskTracker,
    pub(crate) tokens: TokenVerifier,
    pub(crate) server_limit: WorkspaceLimit,
    pub(crate) client_limit: WorkspaceLimit,
    pub(crate) options: ApiOptions,
}

impl ApiState {
    pub(crate) fn new(deps: ApiDeps, options: ApiOptions) -> Self {
        let tokens = TokenVerifier::new(
            deps.control.clone(),
            deps.clock.clone(),
            options.token_leeway,
            options.token_memory,
        );
        Self(Arc::new(Inner {
            cards: deps.cards,
            control: deps.control,
            sender: deps.sender,
            feeds: deps.feeds,
            vault: deps.vault,
            clock: deps.clock,
            tasks: deps.tasks,
            tokens,
            server_limit: WorkspaceLimit::new(options.server_per_second, options.server_burst),
            client_limit: WorkspaceLimit::new(options.client_per_second, options.client_burst),
            options,
        }))
    }
}

impl std::ops::Deref for ApiState {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
