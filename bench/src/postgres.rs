//! A private PostgreSQL for a run: durable, on the checkout's own disk, gone with the value.

mod binary;
mod locks;
mod log;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corkboard_store::postgres::{CardLayout, PgCardStore, PgOptions};
use corkboard_testkit::{PgDatabase, PgServer, PgSettings};
use futures_util::{SinkExt as _, pin_mut};
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::Setting;
use crate::child;
use crate::failure::{Failure, Result, While as _};
use crate::procfs;

pub(crate) use binary::BinaryRows;
pub(crate) use locks::{LockSample, LockWatch, held_ms};
pub(crate) use log::{LoggedStatement, logged_statements, logged_waits};

/// What is set besides the durable defaults; it stands in the results.
const SETTINGS: &[(&str, &str)] = &[
    ("shared_buffers", "2GB"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "15min"),
    ("max_locks_per_transaction", "256"),
    // Five nodes at a time, each with its pools, and the ladder.
    ("max_connections", "200"),
    // What was waited for longer than this is found in the log.
    ("deadlock_timeout", "20ms"),
    ("log_lock_waits", "on"),
    // Far beyond anything that is asked for here.
    ("log_min_duration_statement", "1s"),
    ("shared_preload_libraries", "pg_stat_statements"),
    ("pg_stat_statements.track_planning", "on"),
];
/// A superuser all of whose statements are logged with their times.
pub(crate) const LOGGED_ROLE: &str = "keeper";

/// A running server.
#[derive(Debug)]
pub(crate) struct Postgres {
    server: Arc<PgServer>,
}

/// One database of it, with a connection that looks on.
#[derive(Debug)]
pub(crate) struct Database {
    inner: PgDatabase,
    client: Client,
    /// Ends with the value.
    connection: JoinSet<()>,
}

impl Postgres {
    /// Starts one. Refused where its data would lie anywhere but in the bench's scratch space: the
    /// folder for temporary files may be memory, which proves nothing.
    pub(crate) async fn start(setting: &Setting) -> Result<Self> {
        let (temporary, work) = (std::env::temp_dir(), &setting.work);
        if temporary != *work {
            return Err(Failure::unexpected(format!(
                "TMPDIR is {}, not {}: start the benches with `cargo xtask bench`, which sets it",
                temporary.display(),
                work.display()
            )));
        }
        let settings = SETTINGS
            .iter()
            .fold(PgSettings::durable(), |all, (name, value)| {
                all.with(name, value)
            });
        let server = Arc::new(PgServer::start(settings).await);
        Ok(Self { server })
    }

    /// In words, for the results.
    pub(crate) fn settings() -> String {
        let others = SETTINGS
            .iter()
            .map(|(name, value)| format!("{name} = {value}"));
        let others: Vec<String> = others.collect();
        format!(
            "private server, fsync = on, synchronous_commit = on, full_page_writes = on, autovacuum = on, \
             data on the checkout's disk; {}",
            others.join(", ")
        )
    }

    pub(crate) async fn database(&self) -> Result<Database> {
        let inner = self.server.database().await;
        let (client, connection) = connect(inner.url()).await?;
        client
            .batch_execute("CREATE EXTENSION pg_stat_statements")
            .await
            .sql("CREATE EXTENSION pg_stat_statements (Debian: postgresql-15 has it)")?;
        Ok(Database {
            inner,
            client,
            connection,
        })
    }

    /// A role whose statements are logged.
    pub(crate) async fn make_logged_role(&self) -> Result<()> {
        let (client, _connection) = connect(&self.server.url("postgres")).await?;
        let sql = format!(
            "CREATE ROLE {LOGGED_ROLE} SUPERUSER LOGIN; \
             ALTER ROLE {LOGGED_ROLE} SET log_min_duration_statement = 0"
        );
        client.batch_execute(&sql).await.sql(&sql)
    }

    /// Stops, drops its files from the system's cache, and starts again: what is read next comes
    /// from the disk.
    pub(crate) async fn make_cold(&self) -> Result<()> {
        self.server.stop().await;
        crate::pages::evict(&self.server.folder().join("data"))?;
        self.server.resume().await;
        Ok(())
    }

    /// Where its log ends now.
    pub(crate) fn log_length(&self) -> Result<u64> {
        let log = self.log();
        Ok(std::fs::metadata(&log).at(&log)?.len())
    }

    /// What it has logged since then.
    pub(crate) fn log_since(&self, length: u64) -> Result<String> {
        let log = self.log();
        let text = std::fs::read(&log).at(&log)?;
        let from = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(text.len());
        Ok(String::from_utf8_lossy(&text[from..]).into_owned())
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        child::tail(&std::fs::read(self.log()).unwrap_or_default())
    }

    fn log(&self) -> PathBuf {
        self.server.folder().join("log")
    }
}

impl Database {
    /// After the server was started anew.
    pub(crate) async fn reconnect(&mut self) -> Result<()> {
        (self.client, self.connection) = connect(self.inner.url()).await?;
        Ok(())
    }

    pub(crate) fn url(&self) -> &str {
        self.inner.url()
    }

    pub(crate) fn name(&self) -> &str {
        self.inner.name()
    }

    /// The product's store on it, migrated. `role` instead of the owner, if given.
    pub(crate) async fn store(
        &self,
        layout: CardLayout,
        connections: usize,
        role: Option<&str>,
    ) -> Result<PgCardStore> {
        let url = match role {
            Some(role) => self.url().replace("//postgres@", &format!("//{role}@")),
            None => self.url().to_owned(),
        };
        let options = PgOptions {
            connections,
            warm: connections.min(4),
            // A wait is to be seen as a slow answer, not as a refusal.
            acquire: Duration::from_secs(10),
            statement: Duration::from_secs(30),
            ..PgOptions::default()
        };
        let store = PgCardStore::connect(self.name(), &url, layout, &options).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Runs statements without an answer.
    pub(crate) async fn run(&self, sql: &str) -> Result<()> {
        self.client.batch_execute(sql).await.sql(sql)
    }

    /// The first column of the first row, as text; empty for none.
    pub(crate) async fn text(&self, sql: &str) -> Result<String> {
        let messages = self.client.simple_query(sql).await.sql(sql)?;
        let first = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        Ok(first.unwrap_or_default())
    }

    /// A whole number; none is 0.
    pub(crate) async fn count(&self, sql: &str) -> Result<u64> {
        let text = self.text(sql).await?;
        let number = text.parse::<f64>().unwrap_or_default().max(0.0);
        Ok(number as u64)
    }

    /// CPU time of the server with all its processes so far, in seconds.
    pub(crate) fn server_cpu_seconds(&self) -> Result<f64> {
        procfs::cpu_seconds_with_children(self.server_pid()?)
    }

    /// From now on the server runs on these CPUs only, with all its processes, also those to come.
    pub(crate) async fn pin_server(&self, cpus: &str) -> Result<()> {
        let parent = self.server_pid()?;
        pin(parent, cpus).await?;
        for child in procfs::children(parent)? {
            // One that has just ended needs no CPU.
            let _ = pin(child, cpus).await;
        }
        Ok(())
    }

    fn server_pid(&self) -> Result<u32> {
        let path = self.inner.server().folder().join("data/postmaster.pid");
        let text = std::fs::read_to_string(&path).at(&path)?;
        let pid = text.lines().next().and_then(|line| line.parse().ok());
        pid.ok_or_else(|| Failure::unexpected("postmaster.pid names no process"))
    }

    /// The next transaction id, without using one.
    pub(crate) async fn next_xid(&self) -> Result<u64> {
        self.count("SELECT pg_snapshot_xmax(pg_current_snapshot())")
            .await
    }

    /// Bytes of log written so far.
    pub(crate) async fn wal_bytes(&self) -> Result<u64> {
        self.count("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
            .await
    }

    /// Bytes of the whole database.
    pub(crate) async fn bytes(&self) -> Result<u64> {
        self.count("SELECT pg_database_size(current_database())")
            .await
    }

    /// Copies rows, given in chunks, into a table; returns how many.
    pub(crate) async fn copy_in(
        &self,
        sql: &str,
        chunks: Box<dyn Iterator<Item = Bytes> + Send>,
    ) -> Result<u64> {
        let sink = self.client.copy_in(sql).await.sql(sql)?;
        pin_mut!(sink);
        for chunk in chunks {
            sink.send(chunk).await.sql(sql)?;
        }
        sink.finish().await.sql(sql)
    }
}

async fn pin(pid: u32, cpus: &str) -> Result<()> {
    let mut command = child::command(Path::new("taskset"), None);
    command.args(["-a", "-c", "-p", cpus, &pid.to_string()]);
    child::output(command).await.map(drop)
}

/// A connection and the task that drives it.
pub(crate) async fn connect(url: &str) -> Result<(Client, JoinSet<()>)> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.sql("connect")?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        // Its end is seen by the client's next statement.
        let _ = connection.await;
    });
    Ok((client, task))
}

/// Says which statement an error is about.
pub(crate) trait Sql<T> {
    fn sql(self, what: &str) -> Result<T>;
}

impl<T> Sql<T> for std::result::Result<T, tokio_postgres::Error> {
    fn sql(self, what: &str) -> Result<T> {
        self.map_err(|source| Failure::Sql {
            what: what.chars().take(200).collect(),
            source,
        })
    }
}
