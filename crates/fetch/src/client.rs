//! The front of this room: takes a request, decides who answers it, and owns every task behind it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::connected::{
    ConnectedContent, FetchRequest, FetchResponse, FetchScope, FetchSource, FetchVerdict,
};
use corkboard_core::time::SharedClock;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::body::BodyLimits;
use crate::call::{Answer, Asked, Engine};
use crate::connect::Connector;
use crate::credential::{Credentials, CredentialsUnavailable, NoCredentials};
use crate::guard::Guard;
use crate::host::{HostRules, Hosts};
use crate::log::CallLog;
use crate::meter::{self, Outcome};
use crate::multiplexed::Multiplexed;
use crate::network::Network;
use crate::options::{FetchOptions, FetchOptionsError};
use crate::pool::Pool;
use crate::problem::Problem;
use crate::request::{Prepared, Rules, Sharing};
use crate::resolve::Resolve;
use crate::retry;
use crate::shared::{Found, Landing, Lead, Shared};
use crate::tier::{ResponseTier, Tier};
use crate::tls;

/// Between the deadline of a call and its answer being told.
const LANDING_TIME: Duration = Duration::from_millis(250);

/// Connections have nothing left to do at shutdown but to close.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// Of what may arrive for a call, the part that is not body: heads, trailers and their frames.
const HEAD_ROOM: u64 = 128 * 1024;

/// Connected content over the network. One per process; share it in an `Arc`.
///
/// Dropping it ends its connections; [`FetchClient::shutdown`] first lets running calls finish.
#[derive(Debug)]
pub struct FetchClient {
    rules: Rules,
    engine: Arc<Engine>,
    shared: Shared,
    clock: SharedClock,
    credentials: Arc<dyn Credentials>,
    tier: Option<Tier>,
    queue_timeout: Duration,
    retry_patience: Duration,
    /// No new calls.
    draining: CancellationToken,
    /// Calls; those that fill the cache are tasks and outlive the caller that began them.
    calls: TaskTracker,
    /// Connections and the sweeper of idle ones.
    connections: TaskTracker,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl FetchClient {
    /// A client with these settings. Must be called inside a Tokio runtime.
    pub fn new(
        options: FetchOptions,
        clock: SharedClock,
        log: Arc<dyn CallLog>,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, FetchOptionsError> {
        let user_agent = options.check()?;
        let tls = tls::client_config(&options.extra_roots)?;
        let guard = Guard::new(options.allow_networks, options.allow_ports);
        let stop = CancellationToken::new();
        let connections = TaskTracker::new();
        let connector = Connector {
            guard: guard.clone(),
            resolver,
            tls,
            connect_timeout: options.connect_timeout,
            max_arrival: 2 * options.max_body as u64 + HEAD_ROOM,
            tasks: connections.clone(),
            stop: stop.clone(),
        };
        let network = Network {
            connector,
            pool: Pool::new(
                options.max_idle,
                options.max_idle_per_host,
                options.idle_timeout,
            ),
            multiplexed: Multiplexed::new(options.max_idle, options.idle_timeout),
            limits: BodyLimits {
                max_body: options.max_body,
                max_json_values: options.max_json_values,
            },
            clock: Arc::clone(&clock),
        };
        let hosts = Hosts::new(HostRules {
            max_concurrent: options.host_concurrent,
            max_waiting: options.host_queued,
            per_second: options.host_per_second,
            halt_failures: options.halt_failures,
            halt_time: options.halt_time,
            tasks: connections.clone(),
            stop: stop.clone(),
        });
        let draining = CancellationToken::new();
        let engine = Arc::new(Engine {
            hosts,
            admission: Admission::new(options.max_in_flight, options.max_queued),
            network,
            log,
            queue_timeout: options.queue_timeout,
            draining: draining.clone(),
        });
        connections.spawn(sweep(Arc::clone(&engine), stop.clone()));
        Ok(Self {
            rules: Rules {
                guard,
                max_request_body: options.max_request_body,
                cache_ttl: options.cache_ttl,
                timeout: options.total_timeout,
                user_agent,
            },
            engine,
            shared: Shared::new(options.cache_bytes, Arc::clone(&clock)),
            clock,
            credentials: Arc::new(NoCredentials),
            tier: None,
            queue_timeout: options.queue_timeout,
            retry_patience: options.retry_patience,
            draining,
            calls: TaskTracker::new(),
            connections,
            stop: stop.clone(),
            _stop_on_drop: stop.drop_guard(),
        })
    }

    /// The same with stored credentials that templates may name.
    #[must_use]
    pub fn with_credentials(self, credentials: Arc<dyn Credentials>) -> Self {
        Self {
            credentials,
            ..self
        }
    }

    /// The same with a cache that nodes share.
    #[must_use]
    pub fn with_tier(self, tier: Arc<dyn ResponseTier>) -> Self {
        let limits = self.engine.network.limits;
        let tier = Tier::new(tier, limits, Arc::clone(&self.clock));
        Self {
            tier: Some(tier),
            ..self
        }
    }

    /// Refuses new requests and those that wait (599), lets calls in flight end (they do, by their
    /// deadlines), then closes all connections. Takes at most the longest time-out and two seconds.
    pub async fn shutdown(&self) {
        self.draining.cancel();
        self.calls.close();
        // What is not done by then is cut off below.
        let longest = FetchRequest::LONGEST_TIMEOUT + CLOSING_TIME;
        let _ = timeout(longest, self.calls.wait()).await;
        self.stop.cancel();
        self.connections.close();
        let _ = timeout(CLOSING_TIME, self.connections.wait()).await;
    }

    async fn answer(&self, asked: Asked, request: &FetchRequest) -> (Answer, FetchSource) {
        let refuse = |problem| {
            let answer = self
                .engine
                .refuse(asked, request.method, &request.url, problem);
            (answer, FetchSource::Refused)
        };
        if self.draining.is_cancelled() {
            return refuse(Problem::ShuttingDown);
        }
        let prepared = match self.prepare(asked.scope, request).await {
            Ok(prepared) => prepared,
            Err(problem) => return refuse(problem),
        };
        match prepared.sharing {
            Some(sharing) => {
                let (answer, source) = self.shareable(asked, prepared, sharing).await;
                let failed = !sharing.stale.is_zero() && retry::is_retryable(answer.status);
                match failed.then(|| self.shared.stale(sharing)).flatten() {
                    Some(stale) => {
                        meter::count(Outcome::Stale);
                        (stale, FetchSource::Stale)
                    }
                    None => (answer, source),
                }
            }
            None => match self.engine.admission.ticket() {
                Some(ticket) => {
                    // In the caller's own time: when it goes away, so does the call. The token
                    // makes a shutdown wait for it all the same.
                    let _running = self.calls.token();
                    let answer = self.engine.call(asked, &prepared, &ticket).await;
                    (answer, FetchSource::Network)
                }
                None => refuse(Problem::QueueFull),
            },
        }
    }

    async fn prepare(
        &self,
        scope: FetchScope,
        request: &FetchRequest,
    ) -> Result<Prepared, Problem> {
        let credential = match &request.credential {
            None => None,
            Some(name) => {
                let found = self.credentials.find(scope.workspace, name);
                let found = timeout(self.queue_timeout, found).await;
                let found = found.map_err(|_| CredentialsUnavailable)??;
                Some(found.ok_or_else(|| Problem::NoCredential(name.chars().take(64).collect()))?)
            }
        };
        Prepared::new(&self.rules, scope.workspace, request, credential.as_ref())
    }

    async fn shareable(
        &self,
        asked: Asked,
        prepared: Prepared,
        sharing: Sharing,
    ) -> (Answer, FetchSource) {
        // The call that is joined may have been asked for by one with more patience.
        // Its time may begin anew once, when it has waited for its turn to connect.
        let deadline = asked.queue_deadline + 2 * prepared.timeout;
        match self.shared.find(sharing) {
            Found::Cached(answer) => {
                meter::count(Outcome::Cached);
                (answer, FetchSource::Cache)
            }
            Found::InFlight(landing) => {
                let answer = landed(landing, deadline).await;
                meter::count(Outcome::Shared);
                (answer, FetchSource::Shared)
            }
            Found::Nothing(lead, landing) => {
                self.fill(asked, prepared, lead);
                let answer = landed(landing, deadline).await;
                if answer.age.is_some() {
                    meter::count(Outcome::Cached);
                    return (answer, FetchSource::Cache);
                }
                (answer, FetchSource::Network)
            }
        }
    }

    /// Makes the call in a task of its own, so that it ends well for those who wait even when the
    /// caller that began it goes away.
    fn fill(&self, asked: Asked, prepared: Prepared, lead: Lead) {
        let engine = Arc::clone(&self.engine);
        let Some(ticket) = engine.admission.ticket() else {
            let url = prepared.target.url().as_str();
            let answer = engine.refuse(asked, prepared.method, url, Problem::QueueFull);
            lead.land(answer);
            return;
        };
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        let tier = self.tier.clone();
        self.calls.spawn(async move {
            let call = engine.shared_call(tier.as_ref(), asked, &prepared, &ticket);
            if let Some(answer) = stop.run_until_cancelled(call).await {
                lead.land(answer);
                meter::cache_holds(shared.weight());
            }
        });
    }
}

/// The answer of a call in flight. It ends by its own deadline, which is never later than ours; the
/// little extra lets it say why.
async fn landed(mut landing: Landing, deadline: Instant) -> Answer {
    let interrupted = || Answer::failed(Problem::Interrupted, 0);
    match timeout_at(deadline + LANDING_TIME, landing.wait_for(Option::is_some)).await {
        Ok(Ok(answer)) => answer.clone().unwrap_or_else(interrupted),
        Ok(Err(_)) | Err(_) => interrupted(),
    }
}

async fn sweep(engine: Arc<Engine>, stop: CancellationToken) {
    let period = engine
        .network
        .pool
        .idle_timeout()
        .max(Duration::from_millis(100))
        / 2;
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        engine.network.pool.sweep();
        engine.network.multiplexed.sweep();
        engine.hosts.sweep();
    }
}

#[async_trait]
impl ConnectedContent for FetchClient {
    async fn fetch(&self, scope: FetchScope, request: FetchRequest) -> FetchResponse {
        let (start, retries) = (Instant::now(), request.retries);
        let mut attempt = 1;
        loop {
            let mut response = self.attempt(scope, request.clone(), attempt).await;
            response.report.elapsed = start.elapsed();
            let FetchVerdict::Again {
                after,
                attempt: next,
            } = response.report.verdict
            else {
                return response;
            };
            attempt = next;
            let patient = start.elapsed() + after <= self.retry_patience;
            let waited = if retries > 0 && patient {
                self.draining.run_until_cancelled(sleep(after)).await
            } else {
                None
            };
            if waited.is_none() {
                response.report.verdict = retry::given_up(retries);
                return response;
            }
        }
    }

    async fn attempt(
        &self,
        scope: FetchScope,
        request: FetchRequest,
        attempt: u8,
    ) -> FetchResponse {
        let start = Instant::now();
        let asked = Asked {
            scope,
            at: self.clock.now(),
            start,
            queue_deadline: start + self.queue_timeout,
            attempt: attempt.max(1),
        };
        let retries = request.retries.min(FetchRequest::MOST_RETRIES);
        let (answer, source) = self.answer(asked, &request).await;
        self.engine.recall(asked, &request, &answer, source);
        let verdict = retry::verdict(&answer, asked.attempt, retries);
        let mut response = answer.into_response(source, start.elapsed());
        response.report.verdict = verdict;
        response
    }
}
