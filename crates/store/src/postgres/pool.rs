//! One bounded pool of connections to one database.
//!
//! A caller that finds none in time is refused: waiting longer would only move the queue from the
//! database into this process. A database that hangs can hold up as many callers as it has
//! connections here, and nobody who wants another database.
//!
//! A connection that is being opened is never given up because its caller was refused: it is there for
//! the next one. Were it begun anew, a server that takes longer to open one than a caller waits (it is
//! far away, or has much to do, such as opening connections) would never have any.

use std::sync::Arc;
use std::time::Duration;

use corkboard_postgres::Target;
use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, PoolError, RecyclingMethod, Runtime, Timeouts,
};
use futures_util::FutureExt as _;
use futures_util::future::try_join_all;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{Config, Host};
use tokio_util::task::TaskTracker;

use super::circuit::Circuit;
use super::failure;
use super::options::PgOptions;
use super::session::Session;
use crate::error::{Result, StoreError};

/// The connections of this process to one database. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    /// Which database, without credentials.
    place: Arc<str>,
    options: Arc<PgOptions>,
    circuit: Arc<Circuit>,
    /// One for each caller who had to wait: for its turn no longer than the caller, then, for as long
    /// as opening a connection may take, as many as there may be connections.
    openings: TaskTracker,
}

impl Pool {
    /// A pool for the database at `url` (`postgres://…`), without a connection yet.
    pub(super) fn new(url: &str, options: &PgOptions) -> Result<Self> {
        Self::with_settings(url, options, "")
    }

    /// The same, with further server settings (as in `-c name=value`) on every connection.
    pub(super) fn with_settings(url: &str, options: &PgOptions, settings: &str) -> Result<Self> {
        // The text may hold a password: it is not repeated.
        let Target { mut config, tls } =
            Target::parse(url).map_err(|error| failure::unavailable("postgres://…", error))?;
        prepare(&mut config, options, settings);
        let place: Arc<str> = place(&config).into();
        let manager = Manager::from_config(
            config,
            tls,
            ManagerConfig {
                recycling_method: RecyclingMethod::Fast,
            },
        );
        let max_age = options.max_age;
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(options.connections.max(1))
            .runtime(Runtime::Tokio1)
            .pre_recycle(Hook::sync_fn(move |_, metrics| {
                if metrics.age() > max_age {
                    return Err(HookError::message("the connection is old"));
                }
                Ok(())
            }))
            .build()
            .map_err(|error| failure::unavailable(&place, error))?;
        Ok(Self {
            connections,
            place,
            options: Arc::new(options.clone()),
            circuit: Arc::new(Circuit::new()),
            openings: TaskTracker::new(),
        })
    }

    /// Opens the first connections. Fails when the database cannot be reached.
    pub(super) async fn warm(&self) -> Result<()> {
        let some = self.options.warm.clamp(1, self.options.connections.max(1));
        let sessions = (0..some).map(|_| self.within(self.options.connect));
        try_join_all(sessions).await.map(drop)
    }

    /// A connection, given back when the session is dropped.
    pub(super) async fn session(&self) -> Result<Session> {
        self.within(self.options.acquire).await
    }

    /// The same for whoever serves many, who would all have to come again: waits as long as opening a
    /// connection may take.
    pub(super) async fn session_for_many(&self) -> Result<Session> {
        self.within(self.options.connect).await
    }

    /// A connection for work that takes longer than a request may: its own time-outs (zero: none)
    /// stay on it, so it is closed afterwards instead of given back.
    pub(super) async fn maintenance(&self, statement: Duration, lock: Duration) -> Result<Session> {
        let mut session = self.within(self.options.connect).await?;
        session.slow_down(statement, lock).await?;
        Ok(session)
    }

    /// Which database, without credentials.
    pub(super) fn place(&self) -> &Arc<str> {
        &self.place
    }

    /// Closes idle connections, and the others when they are given back.
    pub(super) fn close(&self) {
        self.connections.close();
    }

    /// Longest wait for an answer.
    fn patience(&self) -> Duration {
        self.options.statement + self.options.answer
    }

    async fn within(&self, longest: Duration) -> Result<Session> {
        if !self.circuit.admits() {
            return Err(failure::no_answer(&self.place, self.patience()));
        }
        match timeout_at(Instant::now() + longest, self.client(longest)).await {
            Ok(Ok(client)) => Ok(Session::new(
                client,
                Arc::clone(&self.place),
                self.patience(),
                Arc::clone(&self.circuit),
            )),
            Ok(Err(PoolError::Backend(error))) => {
                Err(match failure::of(error, &self.place, "connect") {
                    // Whatever is wrong at this point, there is no connection.
                    StoreError::Database { source, .. } => {
                        failure::unavailable(&self.place, source)
                    }
                    other => other,
                })
            }
            Ok(Err(PoolError::Timeout(_))) | Err(_) => {
                // A short wait says that there is much to do, a long one that nobody is there.
                if longest >= self.options.connect {
                    self.circuit.failed();
                }
                let place = self.place.to_string();
                metrics::counter!("corkboard_store_acquire_timeouts_total", "place" => place)
                    .increment(1);
                tracing::debug!(place = %self.place, "no connection within {longest:?}");
                Err(StoreError::Overloaded)
            }
            Ok(Err(error)) => Err(failure::unavailable(&self.place, error)),
        }
    }

    /// A connection that nobody uses, or a new one if there may be one more.
    async fn client(&self, longest: Duration) -> std::result::Result<Object, PoolError> {
        let connections = self.connections.clone();
        let timeouts = Timeouts {
            wait: Some(longest),
            create: Some(self.options.connect),
            recycle: None,
        };
        let mut got = Box::pin(async move { connections.timeout_get(&timeouts).await });
        if let Some(got) = got.as_mut().now_or_never() {
            return got;
        }
        let (sender, receiver) = oneshot::channel();
        self.openings.spawn(async move {
            let got = got.await;
            // Whoever has left leaves the connection to the next.
            let _ = sender.send(got);
        });
        receiver.await.unwrap_or(Err(PoolError::Closed))
    }
}

/// Session settings go with the connection's first message: no round trip, and no connection is
/// ever without them.
fn prepare(config: &mut Config, options: &PgOptions, others: &str) {
    let settings = format!(
        "{} {others} -c statement_timeout={} -c lock_timeout={} \
         -c idle_in_transaction_session_timeout={} -c default_transaction_isolation=read\\ committed \
         -c client_min_messages=warning -c TimeZone=UTC -c jit=off \
         -c client_connection_check_interval=1000",
        config.get_options().unwrap_or_default(),
        options.statement.as_millis(),
        options.lock.as_millis(),
        options.idle_in_transaction.as_millis(),
    );
    config
        .options(settings)
        .application_name("corkboard")
        .connect_timeout(options.connect)
        .keepalives_idle(Duration::from_secs(30))
        .tcp_user_timeout(Duration::from_secs(30));
}

fn place(config: &Config) -> String {
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let database = config.get_dbname().or(config.get_user()).unwrap_or("");
    format!("{host}:{port}/{database}")
}
