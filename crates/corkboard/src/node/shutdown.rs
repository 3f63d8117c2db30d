//! Everything that runs, and the ladder down: readiness, connections, work, the feeds' tiers, fetches, the call log,
//! the store. Each rung has a deadline and says what it did.
//!
//! The order follows who needs whom: a request may start work, work may fetch, a fetch is logged,
//! and all of them write to the store.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use corkboard_api::Surface;
use corkboard_edge::{DrainReport, EdgeOptions};
use corkboard_fetch::FetchClient;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::admin::{self, Admin};
use super::cache::Cache;
use super::keeper::Keeper;
use super::readiness::Readiness;
use super::{Listener, Node, calls, certificates, passport, watch};
use crate::cli::Role;
use crate::exit::{Failure, Outcome};
use crate::settings;
use crate::stores::Stores;

/// Beyond the drain's own time: for requests that go on without their client.
const REQUESTS_PATIENCE: Duration = Duration::from_secs(5);
/// A worker finishes the cards it has rendered and gives its chunk back; a card's own deadline is
/// 10 s at most. What is not done by then is repeated after the lease, and nothing is lost.
const WORK_PATIENCE: Duration = Duration::from_secs(15);
/// For the call log's last batches and for the store's last commits.
const WRITES_PATIENCE: Duration = Duration::from_secs(15);
/// The admin listener has short requests only.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);
const ADMIN_CONNECTIONS: usize = 64;

/// A node at work.
pub(super) struct Running {
    readiness: Readiness,
    public: Option<Serving>,
    admin: Serving,
    requests: TaskTracker,
    /// Workers, scheduler, feeds' follower, keeper, watches.
    work: TaskTracker,
    end_work: CancellationToken,
    cache: Cache,
    fetcher: Arc<FetchClient>,
    call_log: JoinHandle<u64>,
    end_call_log: CancellationToken,
    stores: Stores,
    /// Owns the listeners and the call log.
    tasks: TaskTracker,
}

/// A listener being served.
struct Serving {
    task: JoinHandle<DrainReport>,
    end: CancellationToken,
}

impl Serving {
    fn start(
        tasks: &TaskTracker,
        listener: Listener,
        service: Router,
        options: EdgeOptions,
    ) -> Self {
        let end = CancellationToken::new();
        let serve = corkboard_edge::serve(listener.socket, service, options, end.clone());
        Self {
            task: tasks.spawn(serve),
            end,
        }
    }

    async fn stop(self) -> Option<DrainReport> {
        self.end.cancel();
        self.task.await.ok()
    }
}

impl Running {
    /// Starts what the node's roles ask for. `surface` is the public API.
    pub(super) fn start(mut node: Node, surface: Surface) -> Self {
        let tasks = TaskTracker::new();
        let (work, end_work) = (TaskTracker::new(), CancellationToken::new());
        let end_call_log = CancellationToken::new();
        let control = Arc::clone(&node.stores.control);
        let call_log = tasks.spawn(calls::write(node.calls, control, end_call_log.clone()));
        for role in &node.roles {
            match role {
                Role::Api => node.feeds.run(&work, end_work.clone()),
                Role::Worker => node.sender.run(&work, end_work.clone()),
                Role::Keeper => {
                    let (stores, clock) = (node.stores.clone(), Arc::clone(&node.process.clock));
                    let grace = node.config.store.grace;
                    let holder = node.name.clone();
                    let keeper = Keeper::new(stores, clock, grace, holder);
                    work.spawn(keeper.run(end_work.clone()));
                    for one in node.watches.drain(..) {
                        work.spawn(watch::run(one, end_work.clone()));
                    }
                }
            }
        }
        let admin_service = admin::router(Admin {
            metrics: node.process.metrics,
            logs: node.process.logs,
            readiness: node.readiness.clone(),
        });
        let admin_address = node.admin.address;
        let admin = Serving::start(&tasks, node.admin, admin_service, admin_options());
        let public_address = node.public.as_ref().map(|listener| listener.address);
        let public = node.public.map(|listener| {
            let certificates = node.certificates;
            if let Some(certificates) = certificates.clone() {
                work.spawn(certificates::keep_fresh(certificates, end_work.clone()));
            }
            let options = EdgeOptions {
                lane: Some(surface.lane),
                ..settings::edge_options(&node.config, passport::inspect, certificates)
            };
            Serving::start(&tasks, listener, surface.router, options)
        });
        node.readiness.set(true);
        announce(&node.name, &node.roles, public_address, admin_address);
        Self {
            readiness: node.readiness,
            public,
            admin,
            requests: node.requests,
            work,
            end_work,
            cache: node.cache,
            fetcher: node.fetcher,
            call_log,
            end_call_log,
            stores: node.stores,
            tasks,
        }
    }

    /// Down the ladder. A second signal cuts it short.
    pub(super) async fn stop(self, reason: &'static str) -> Outcome {
        let again = corkboard_edge::termination()
            .map_err(|error| Failure::Internal(format!("signals cannot be heard: {error}")))?;
        tokio::select! {
            outcome = self.descend(reason) => outcome,
            signal = again => Err(Failure::Internal(format!(
                "{signal} during the shutdown: it was cut short; what was acknowledged is safe, \
                 the rest is repeated at the next start"
            ))),
        }
    }

    async fn descend(self, reason: &'static str) -> Outcome {
        let mut late: Vec<&'static str> = Vec::new();
        tracing::info!(reason, "shutting down: no longer ready");
        self.readiness.set(false);

        if let Some(public) = self.public {
            match public.stop().await {
                Some(DrainReport {
                    served,
                    drained,
                    aborted,
                }) => {
                    tracing::info!(
                        served,
                        drained,
                        aborted,
                        "shutting down: connections drained"
                    );
                }
                None => late.push("the public listener"),
            }
        }
        self.requests.close();
        let open = self.requests.len();
        if timeout(REQUESTS_PATIENCE, self.requests.wait())
            .await
            .is_err()
        {
            late.push("requests");
        }
        tracing::info!(
            open,
            left = self.requests.len(),
            "shutting down: requests finished"
        );

        let open = self.work.len();
        self.end_work.cancel();
        self.work.close();
        if timeout(WORK_PATIENCE, self.work.wait()).await.is_err() {
            late.push("workers");
        }
        tracing::info!(
            open,
            left = self.work.len(),
            "shutting down: workers finished"
        );

        if !self.cache.close().await {
            late.push("the feeds' tiers");
        }
        self.fetcher.shutdown().await;
        self.end_call_log.cancel();
        match timeout(WRITES_PATIENCE, self.call_log).await {
            Ok(Ok(calls)) => {
                tracing::info!(calls, "shutting down: fetches ended, call log written");
            }
            _ => late.push("the call log"),
        }
        self.admin.stop().await;
        self.readiness.close();
        self.tasks.close();
        if timeout(WRITES_PATIENCE, self.stores.close()).await.is_err() {
            late.push("the store");
        }
        if late.is_empty() {
            tracing::info!("shut down in order");
            return Ok(());
        }
        Err(Failure::Internal(format!(
            "the shutdown ended without {}",
            late.join(", ")
        )))
    }
}

fn announce(node: &str, roles: &[Role], public: Option<SocketAddr>, admin: SocketAddr) {
    let roles: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    let listen = public
        .map(|address| address.to_string())
        .unwrap_or_default();
    tracing::info!(
        node,
        roles = roles.join(","),
        listen,
        %admin,
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
}

pub(super) fn admin_options() -> EdgeOptions {
    EdgeOptions {
        name: "admin",
        max_connections: ADMIN_CONNECTIONS,
        max_body_bytes: Some(1024),
        drain_timeout: ADMIN_DRAIN,
        ..EdgeOptions::default()
    }
}
