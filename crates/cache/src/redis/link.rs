//! The connections for data, as they are now. There are none while Redis is away: a call then fails
//! at once, and nobody waits for a connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, Value};

use super::doubt::{Doubt, Late};

/// Why a call has no answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    #[error("redis is away")]
    Away,
    #[error("redis did not answer in time")]
    TimedOut,
    /// Redis was not asked.
    #[error("too many wait for an answer of redis")]
    Crowded,
    /// It answered, with a refusal.
    #[error("redis refused")]
    Refused(#[source] RedisError),
    #[error("the connection to redis broke")]
    Broken(#[source] RedisError),
    /// A look through all of it had to begin again too often.
    #[error("redis starts again and again")]
    Restless,
}

/// Refusals that end by themselves, or when somebody has seen to the server.
const PASSING: [&str; 12] = [
    "LOADING",
    "BUSY",
    "TRYAGAIN",
    "MOVED",
    "ASK",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "READONLY",
    "NOREPLICAS",
    "MISCONF",
    "OOM",
    "NOSCRIPT",
];

impl CallError {
    /// Whether the same call may be answered later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away | Self::TimedOut | Self::Crowded | Self::Broken(_) => true,
            Self::Refused(error) => error.code().is_some_and(|code| PASSING.contains(&code)),
            Self::Restless => false,
        }
    }
}

impl From<RedisError> for CallError {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() {
            Self::TimedOut
        } else if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
            Self::Refused(error)
        } else {
            Self::Broken(error)
        }
    }
}

/// Connections to one server at one time of its life, or to a Cluster.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) connections: Connections,
    /// Part of every key's name. A server that starts again gets another one: what it may have
    /// loaded from its disk was not told of the voids in between.
    pub(super) namespace: Arc<str>,
}

#[derive(Clone)]
pub(super) enum Connections {
    One(Arc<[MultiplexedConnection]>),
    Cluster(Box<ClusterConnection>),
}

pub(super) struct Link {
    session: RwLock<Option<Session>>,
    next: AtomicUsize,
    timeout: Duration,
    pub(super) doubt: Doubt,
}

impl Link {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            session: RwLock::new(None),
            next: AtomicUsize::new(0),
            timeout,
            doubt: Doubt::new(),
        }
    }

    pub(super) fn set(&self, session: Option<Session>) {
        *self.session.write().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// The session, for whoever makes several calls that belong together.
    pub(super) fn session(&self) -> Result<Session, CallError> {
        let session = self.session.read().unwrap_or_else(PoisonError::into_inner);
        session.clone().ok_or(CallError::Away)
    }

    pub(super) async fn call(&self, command: &Cmd) -> Result<Value, CallError> {
        let session = self.session()?;
        self.call_in(&session, command).await
    }

    pub(super) async fn call_in(
        &self,
        session: &Session,
        command: &Cmd,
    ) -> Result<Value, CallError> {
        let answer = match &session.connections {
            Connections::One(connections) => {
                let mut connection = self.one_of(connections);
                self.wait(connection.req_packed_command(command)).await
            }
            Connections::Cluster(connection) => {
                let mut connection = connection.clone();
                self.wait(connection.req_packed_command(command)).await
            }
        };
        match answer {
            Ok(Ok(Value::ServerError(error))) => Err(CallError::Refused(error.into())),
            Ok(answer) => Ok(answer?),
            Err(Late) => Err(CallError::TimedOut),
        }
    }

    /// Several commands in one go; an answer for each, refusals among them.
    pub(super) async fn answers_in(
        &self,
        session: &Session,
        commands: &Pipeline,
    ) -> Result<Vec<Value>, CallError> {
        let count = commands.len();
        let answers = match &session.connections {
            Connections::One(connections) => {
                let mut connection = self.one_of(connections);
                self.wait(connection.req_packed_commands(commands, 0, count))
                    .await
            }
            Connections::Cluster(connection) => {
                let mut connection = connection.clone();
                self.wait(connection.req_packed_commands(commands, 0, count))
                    .await
            }
        };
        Ok(answers.map_err(|Late| CallError::TimedOut)??)
    }

    /// For calls that go to one server of a Cluster.
    pub(super) async fn in_time<T>(
        &self,
        call: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, CallError> {
        let answer = self.wait(call).await;
        Ok(answer.map_err(|Late| CallError::TimedOut)??)
    }

    async fn wait<T>(&self, answer: impl Future<Output = T>) -> Result<T, Late> {
        self.doubt.wait(self.timeout, answer).await
    }

    fn one_of(&self, connections: &[MultiplexedConnection]) -> MultiplexedConnection {
        let place = self.next.fetch_add(1, Ordering::Relaxed) % connections.len();
        connections[place].clone()
    }
}
