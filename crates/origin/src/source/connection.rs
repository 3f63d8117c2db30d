//! One connection to the source: opened with time-outs, driven by a task that ends with it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use corkboard_postgres::Target;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::{AsyncMessage, Client};

use super::{SourceError, SourceOptions};

/// How much later than the server's own time-out its answer may come.
const SLACK: Duration = Duration::from_secs(1);
/// Notifications that wait to be heard. They only wake, so what does not fit is not missed.
const NOTIFICATIONS: usize = 16;

/// Opens connections. Clones are alike.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    target: Target,
    place: Arc<str>,
    options: SourceOptions,
}

/// An open connection; closed when dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    place: Arc<str>,
    statement: Duration,
    notified: mpsc::Receiver<()>,
    _driver: Driver,
}

/// The task that moves the connection's bytes.
#[derive(Debug)]
struct Driver(
    AbortHandle,
    #[expect(dead_code, reason = "owns the task")] JoinSet<()>,
);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connector {
    /// For the database at `url` (`postgres://…`).
    pub(crate) fn new(url: &str, options: &SourceOptions) -> Result<Self, SourceError> {
        // The text may hold a password: it is not repeated.
        let mut target = Target::parse(url)?;
        let config = &mut target.config;
        // With keepalives the server notices a host that is gone, whose locks others wait for.
        let settings = format!(
            "{} -c statement_timeout={} -c lock_timeout={} -c TimeZone=UTC \
             -c client_min_messages=warning -c jit=off -c client_connection_check_interval=1000 \
             -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
            config.get_options().unwrap_or_default(),
            options.statement.as_millis(),
            options.statement.as_millis(),
        );
        config
            .options(settings)
            .application_name("corkboard-origin")
            .connect_timeout(options.connect)
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(30));
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.clone(),
            Some(other) => format!("{other:?}"),
            // `Target` refuses such a URL.
            None => String::new(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let place = format!("{host}:{port}/{}", config.get_dbname().unwrap_or_default());
        Ok(Self {
            place: place.into(),
            target,
            options: options.clone(),
        })
    }

    /// A new connection.
    pub(crate) async fn open(&self) -> Result<Connection, SourceError> {
        let opening = self.target.config.connect(self.target.tls.clone());
        let (client, mut connection) = match timeout(self.options.connect, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(cause)) => {
                return Err(SourceError::Unreachable {
                    place: self.place.to_string(),
                    cause: Some(cause),
                });
            }
            Err(_) => {
                return Err(SourceError::TimedOut {
                    place: self.place.to_string(),
                    within: self.options.connect,
                });
            }
        };
        let (heard, notified) = mpsc::channel(NOTIFICATIONS);
        let mut driver = JoinSet::new();
        let handle = driver.spawn(async move {
            // Ends with the connection, whichever side closes it.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if matches!(message, AsyncMessage::Notification(_)) {
                    let _ = heard.try_send(());
                }
            }
        });
        Ok(Connection {
            client,
            place: Arc::clone(&self.place),
            statement: self.options.statement,
            notified,
            _driver: Driver(handle, driver),
        })
    }
}

impl Connection {
    /// The driver's client; its calls go through [`Connection::answer`].
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Whether it can still be used.
    pub(crate) fn is_open(&self) -> bool {
        !self.client.is_closed()
    }

    /// What to say of it when it is not open any more.
    pub(crate) fn lost(&self) -> SourceError {
        SourceError::Unreachable {
            place: self.place.to_string(),
            cause: None,
        }
    }

    /// Returns when the server has notified this connection, or it is gone.
    pub(crate) async fn notified(&mut self) {
        let _ = self.notified.recv().await;
    }

    /// Waits for an answer, but not for ever.
    pub(crate) async fn answer<T>(
        &self,
        what: &str,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, SourceError> {
        let within = self.statement + SLACK;
        match timeout(within, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(cause)) if cause.as_db_error().is_some() => Err(self.refused(what, cause)),
            Ok(Err(cause)) => Err(SourceError::Unreachable {
                place: self.place.to_string(),
                cause: Some(cause),
            }),
            Err(_) => Err(SourceError::TimedOut {
                place: self.place.to_string(),
                within,
            }),
        }
    }

    fn refused(&self, what: &str, cause: tokio_postgres::Error) -> SourceError {
        use tokio_postgres::error::SqlState;
        let passing = cause.code().is_some_and(|code| {
            *code == SqlState::QUERY_CANCELED
                || *code == SqlState::LOCK_NOT_AVAILABLE
                || *code == SqlState::ADMIN_SHUTDOWN
                || *code == SqlState::CRASH_SHUTDOWN
                || *code == SqlState::CANNOT_CONNECT_NOW
                || *code == SqlState::TOO_MANY_CONNECTIONS
        });
        if passing {
            SourceError::Unreachable {
                place: self.place.to_string(),
                cause: Some(cause),
            }
        } else {
            SourceError::Refused {
                what: what.to_owned(),
                cause,
            }
        }
    }
}
