//! Reading rows by key: a line before a few connections.
//!
//! Each connection takes what waits when it is free: keys of one table in one statement, keys of
//! a query one behind the other without waiting in between. So a spike of misses costs the source a
//! statement for a hundred keys, and a quiet moment waits for nobody.

use std::sync::Arc;

use corkboard_core::story::story;
use corkboard_postgres::{Entrance, Front, LineBounds, Waits, line};
use futures_util::future::join_all;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_postgres::Statement;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{Connection, Connector};
use super::describe::Description;
use super::portion::{Portion, TARGET};
use super::text::Printed;
use super::{SourceError, SourceOptions};
use crate::endpoint::{Content, EndpointSpec};
use crate::key::Key;
use crate::row::Row;

/// What became of one read.
pub(crate) type Found = Result<Option<Row>, Arc<SourceError>>;

/// Reads rows. Clones share the connections.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    entrance: Entrance<Wanted>,
}

/// One key that somebody waits for.
#[derive(Debug)]
struct Wanted {
    endpoint: usize,
    key: Key,
    answer: oneshot::Sender<Found>,
}

impl Waits for Wanted {
    fn is_left(&self) -> bool {
        self.answer.is_closed()
    }

    fn refuse(self) {
        let _ = self.answer.send(Err(Arc::new(SourceError::Overloaded)));
    }
}

/// What connections read.
#[derive(Debug)]
struct Plan {
    endpoint: EndpointSpec,
    description: Description,
}

impl Reader {
    /// Starts the connections' tasks in `tasks`; they end with `shutdown`.
    pub(crate) fn start(
        connector: &Connector,
        endpoints: &[(EndpointSpec, Description)],
        options: &SourceOptions,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Self {
        let (entrance, front) = line(LineBounds {
            most: options.waiting,
            patience: options.patience,
            // Nobody before this line turns anybody away.
            target: Some(TARGET),
            takers: options.connections,
        });
        let front = Arc::new(front);
        let plans = endpoints.iter().map(|(endpoint, description)| Plan {
            endpoint: endpoint.clone(),
            description: description.clone(),
        });
        let plans: Arc<[Plan]> = plans.collect();
        for _ in 0..options.connections.max(1) {
            let worker = Worker {
                connector: connector.clone(),
                plans: Arc::clone(&plans),
                front: Arc::clone(&front),
                batch: options.batch.max(1),
            };
            let shutdown = shutdown.clone();
            tasks.spawn(async move {
                shutdown.run_until_cancelled(worker.run()).await;
            });
        }
        Self { entrance }
    }

    /// Whether a read that came now would be refused at once.
    pub(crate) fn is_full(&self) -> bool {
        self.entrance.is_full()
    }

    /// Counts a reader who was refused before it asked.
    pub(crate) fn turned_away(&self) {
        self.entrance.turned_away();
    }

    /// The row of a key, or that there is none. It is told within the line's patience and the time
    /// after which a connection gives up a statement: then the front of the line moves.
    pub(crate) async fn read(&self, endpoint: usize, key: Key) -> Found {
        let (answer, answered) = oneshot::channel();
        let wanted = || Wanted {
            endpoint,
            key,
            answer,
        };
        if self.entrance.enter(wanted).is_err() {
            return Err(Arc::new(SourceError::Overloaded));
        }
        // A worker that ends has dropped the question: we are shutting down.
        answered
            .await
            .unwrap_or_else(|_| Err(Arc::new(SourceError::Overloaded)))
    }
}

/// One connection and what it does.
#[derive(Debug)]
struct Worker {
    connector: Connector,
    plans: Arc<[Plan]>,
    front: Arc<Front<Wanted>>,
    batch: usize,
}

/// A connection with its statements.
struct Ready {
    connection: Connection,
    statements: Vec<Option<Statement>>,
}

impl Worker {
    async fn run(self) {
        let mut ready = None;
        let mut taken = Vec::with_capacity(self.batch);
        let mut portion = Portion::new(self.batch);
        // It takes all that wait, up to its bound.
        while self.front.take(&mut taken, portion.get()).await {
            taken.sort_unstable_by_key(|wanted| wanted.endpoint);
            while let Some(last) = taken.last() {
                let endpoint = last.endpoint;
                let from = taken.partition_point(|wanted| wanted.endpoint < endpoint);
                let part = taken.split_off(from);
                let (keys, began) = (part.len(), Instant::now());
                ready = self.answer(ready, endpoint, part).await;
                if matches!(self.plans[endpoint].endpoint.content, Content::Query(_)) {
                    portion.learn(keys, began.elapsed());
                }
            }
        }
    }

    /// Reads the keys of one endpoint and tells everybody. Returns the connection if it is fine.
    async fn answer(
        &self,
        ready: Option<Ready>,
        endpoint: usize,
        wanted: Vec<Wanted>,
    ) -> Option<Ready> {
        metrics::histogram!("corkboard_origin_source_batch_keys").record(count(wanted.len()));
        let plan = &self.plans[endpoint];
        let (ready, outcome) = match self.ready(ready).await {
            Ok(mut ready) => {
                let outcome = ready.read(endpoint, plan, &wanted).await;
                let fine = outcome.is_ok() && ready.connection.is_open();
                (fine.then_some(ready), outcome)
            }
            Err(error) => (None, Err(error)),
        };
        match outcome {
            Ok(rows) => {
                for (wanted, row) in wanted.into_iter().zip(rows) {
                    let _ = wanted.answer.send(Ok(row));
                }
            }
            Err(error) => {
                metrics::counter!("corkboard_origin_source_errors_total").increment(1);
                tracing::warn!(error = story(&error), "a read of the source failed");
                let error = Arc::new(error);
                for wanted in wanted {
                    let _ = wanted.answer.send(Err(Arc::clone(&error)));
                }
            }
        }
        ready
    }

    async fn ready(&self, ready: Option<Ready>) -> Result<Ready, SourceError> {
        if let Some(ready) = ready.filter(|ready| ready.connection.is_open()) {
            return Ok(ready);
        }
        Ok(Ready {
            connection: self.connector.open().await?,
            statements: vec![None; self.plans.len()],
        })
    }
}

impl Ready {
    async fn read(
        &mut self,
        endpoint: usize,
        plan: &Plan,
        wanted: &[Wanted],
    ) -> Result<Vec<Option<Row>>, SourceError> {
        let path = &plan.endpoint.path;
        let statement = match &self.statements[endpoint] {
            Some(statement) => statement.clone(),
            None => {
                let preparing = self.connection.client().prepare(&plan.description.read);
                let prepared = self.connection.answer(path, preparing).await?;
                self.statements[endpoint].insert(prepared).clone()
            }
        };
        let columns = plan.description.columns.len();
        match plan.endpoint.content {
            Content::Table { .. } => {
                let keys: Vec<Key> = wanted.iter().map(|wanted| wanted.key.clone()).collect();
                let keys = Printed::keys(&keys);
                let reading = async {
                    let client = self.connection.client();
                    client.query(&statement, &[&keys]).await
                };
                let rows = self.connection.answer(path, reading).await?;
                let mut found = std::collections::HashMap::with_capacity(rows.len());
                for row in &rows {
                    found.insert(text(row, 0)?, values(row, 1, columns)?);
                }
                Ok(wanted
                    .iter()
                    .map(|wanted| found.get(wanted.key.as_str()).cloned())
                    .collect())
            }
            Content::Query(_) => {
                let all = wanted.iter().map(|wanted| {
                    let key = Printed::key(&wanted.key);
                    let (client, statement) = (self.connection.client(), &statement);
                    async move { client.query(statement, &[&key]).await }
                });
                let reading = async {
                    join_all(all)
                        .await
                        .into_iter()
                        .collect::<Result<Vec<_>, _>>()
                };
                let answers = self.connection.answer(path, reading).await?;
                answers
                    .iter()
                    .map(|rows| rows.first().map(|row| values(row, 0, columns)).transpose())
                    .collect()
            }
        }
    }
}

/// A row of the statement that reads many keys.
pub(crate) fn key_and_row(
    row: &tokio_postgres::Row,
    columns: usize,
) -> Result<(Key, Row), SourceError> {
    Ok((Key::printed(text(row, 0)?), values(row, 1, columns)?))
}

/// The key of a row, as it is printed.
fn text(row: &tokio_postgres::Row, at: usize) -> Result<&str, SourceError> {
    row.try_get(at).map_err(unreadable)
}

/// A row's values, from this column on.
fn values(row: &tokio_postgres::Row, from: usize, columns: usize) -> Result<Row, SourceError> {
    let value = |at| {
        row.try_get::<_, Option<&str>>(at)
            .map(|text| text.map(Box::from))
    };
    let values = (from..from + columns).map(value).collect::<Result<_, _>>();
    values.map(Row).map_err(unreadable)
}

fn unreadable(cause: tokio_postgres::Error) -> SourceError {
    SourceError::Refused {
        what: "a row".to_owned(),
        cause,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a histogram; batches are small")]
fn count(keys: usize) -> f64 {
    keys as f64
}
