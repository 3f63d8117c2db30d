//! Private PostgreSQL for tests: a server of one's own to hurt, or a database on a shared one.
//!
//! [`PgServer::shared`] and [`PgServer::database`] are what most tests need: the server is started
//! once per process, or is the one that `CORKBOARD_TEST_POSTGRES` names (a `postgres://` URL;
//! `.ci/test` starts one for the whole run). Tests that kill, freeze or fill a server start their
//! own with [`PgServer::start`]. Servers listen on the loopback interface only, trust everybody,
//! run as the user `postgres` when we are root, and are gone when they are dropped. What a killed
//! test run leaves behind is swept away by the next one.

mod cluster;
mod database;
mod disk;
mod identity;
mod processes;
mod programs;
mod sweep;

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::wait_until;
use cluster::Cluster;
pub use database::PgDatabase;

/// The server that the run as a whole uses, if there is one.
const WHOLE_RUN: &str = "CORKBOARD_TEST_POSTGRES";
/// A crashed server replays its log before it is ready.
const READY: Duration = Duration::from_secs(60);

static SHARED: Mutex<Weak<PgServer>> = Mutex::const_new(Weak::new());

/// How a server is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgSettings {
    /// Whether commits reach the disk. Off is faster and survives everything but the machine's end.
    pub fsync: bool,
    /// Whether a commit waits for its log.
    pub synchronous_commit: bool,
    /// More settings, as in `postgresql.conf`; these win.
    pub others: Vec<(String, String)>,
    /// Whether its disk can be made to fail.
    pub fragile: bool,
    /// Whether it speaks TLS to those who ask for it.
    pub encrypted: bool,
}

impl PgSettings {
    /// As fast as can be: for tests of what statements do.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            fsync: false,
            synchronous_commit: false,
            others: vec![("full_page_writes".to_owned(), "off".to_owned())],
            fragile: false,
            encrypted: false,
        }
    }

    /// As an installation should run: for tests of what survives.
    #[must_use]
    pub fn durable() -> Self {
        Self {
            fsync: true,
            synchronous_commit: true,
            others: Vec::new(),
            fragile: false,
            encrypted: false,
        }
    }

    /// With one more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.others.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With a disk that fails when it is told to: [`PgServer::fill_disk`],
    /// [`PgServer::fail_next_sync`]. Needs a C compiler.
    #[must_use]
    pub fn fragile(mut self) -> Self {
        self.fragile = true;
        self
    }

    /// Which speaks TLS, as `localhost`: see [`PgServer::certificate`].
    #[must_use]
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }
}

/// A PostgreSQL server: one of our own, or the one of the whole run.
#[derive(Debug)]
pub struct PgServer {
    /// `postgres://postgres@127.0.0.1:port`, without a database.
    base: String,
    /// Absent for the server of the whole run, which is not ours to hurt.
    cluster: Option<std::sync::Mutex<Cluster>>,
}

impl PgServer {
    /// The server that tests share, running.
    ///
    /// # Panics
    ///
    /// When no server can be started, with what to install.
    pub async fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().await;
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let server = match std::env::var(WHOLE_RUN) {
            Ok(base) => Self {
                base: base.trim_end_matches('/').to_owned(),
                cluster: None,
            },
            Err(_) => Self::start(PgSettings::quick()).await,
        };
        let server = Arc::new(server);
        *shared = Arc::downgrade(&server);
        server
    }

    /// A server of one's own, running.
    ///
    /// # Panics
    ///
    /// When it cannot be started, with the end of its log.
    pub async fn start(settings: PgSettings) -> Self {
        let cluster = blocking(move || Cluster::create(&settings)).await;
        let server = Self {
            base: format!("postgres://postgres@127.0.0.1:{}", cluster.port()),
            cluster: Some(std::sync::Mutex::new(cluster)),
        };
        server.resume().await;
        server
    }

    /// A new empty database, dropped with the value. `self` lives at least as long.
    pub async fn database(self: &Arc<Self>) -> PgDatabase {
        let server = Arc::clone(self);
        blocking(move || PgDatabase::create(server)).await
    }

    /// Where a database of this server is.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}", self.base)
    }

    /// The TCP port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.own(|cluster| cluster.port())
    }

    /// The folder that holds its data, log and socket.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.own(|cluster| cluster.folder().to_owned())
    }

    /// The certificate that it shows, which is its own root. Only for a server that
    /// [speaks TLS](PgSettings::encrypted).
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.own(|cluster| identity::certificate(cluster.folder()))
    }

    /// Shuts down in order: connections are closed, everything is on disk.
    pub async fn stop(&self) {
        self.own(Cluster::shut_down);
        let gone = || async { self.own(Cluster::has_ended) };
        wait_until(READY, "the server to shut down", gone).await;
    }

    /// Kills all of its processes at once, as a machine that loses power would (but what was
    /// written to files stays written).
    pub fn kill(&self) {
        self.own(Cluster::kill);
    }

    /// Kills the postmaster only. Its children notice and end by themselves.
    pub fn kill_postmaster(&self) {
        self.own(Cluster::kill_postmaster);
    }

    /// Starts again after [`stop`](Self::stop) or a kill, on the same port, and waits until it
    /// has recovered.
    pub async fn resume(&self) {
        self.own(Cluster::run);
        let ready = || async { self.own(Cluster::is_ready) };
        wait_until(READY, "the server to be ready", ready).await;
    }

    /// Stops all of its processes where they are: it accepts connections and never answers.
    pub fn freeze(&self) {
        self.own(|cluster| cluster.freeze());
    }

    /// Lets a frozen server go on.
    pub fn thaw(&self) {
        self.own(|cluster| cluster.thaw());
    }

    /// From now on no table can grow: no space is left on the device. The log has a device of its
    /// own. Only for a [fragile](PgSettings::fragile) server.
    pub fn fill_disk(&self) {
        self.own(|cluster| cluster.disk().set_full(true));
    }

    /// There is space again.
    pub fn free_disk(&self) {
        self.own(|cluster| cluster.disk().set_full(false));
    }

    /// The next sync of the log fails with an input/output error, once. Only for a
    /// [fragile](PgSettings::fragile) server.
    pub fn fail_next_sync(&self) {
        self.own(Cluster::fail_next_sync);
    }

    /// Waits until that sync has come, and the server has ended all connections for it and has
    /// recovered by itself.
    pub async fn recovered_from_failed_sync(&self) {
        let recovered = || async { self.own(|cluster| cluster.has_recovered()) };
        wait_until(READY, "the server to recover by itself", recovered).await;
    }

    fn is_ours(&self) -> bool {
        self.cluster.is_some()
    }

    fn own<T>(&self, work: impl FnOnce(&mut Cluster) -> T) -> T {
        let Some(cluster) = &self.cluster else {
            panic!("the server of the whole run is not ours to stop: use PgServer::start");
        };
        work(&mut cluster.lock().expect("no test panics inside the kit"))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("{error}"),
        },
    }
}
