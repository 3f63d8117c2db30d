//! One cluster: a data folder, and the server that runs on it while it runs.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::PgSettings;
use super::disk::Disk;
use super::identity;
use super::processes::{children, signal};
use super::programs::{command, output};
use super::sweep;

/// What every server of a test has, because connections and memory are scarce there.
const ALWAYS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "200"),
    ("shared_buffers", "128MB"),
    ("max_wal_size", "1GB"),
    ("autovacuum_naptime", "10s"),
    ("log_min_messages", "warning"),
    ("log_line_prefix", "%m %p %d "),
    ("lc_messages", "C"),
    ("timezone", "UTC"),
];

/// A cluster on disk.
#[derive(Debug)]
pub(super) struct Cluster {
    folder: PathBuf,
    port: u16,
    /// The postmaster, unless it was stopped or killed.
    server: Option<Child>,
    /// After a kill: its children that may still be ending.
    orphans: Vec<u32>,
    /// Absent for a server whose disk cannot be made to fail.
    disk: Option<Disk>,
    /// How often it had recovered by itself when a sync was last told to fail.
    recoveries: usize,
}

impl Cluster {
    /// Makes the data folder; [`Cluster::run`] starts a server on it.
    pub(super) fn create(settings: &PgSettings) -> Self {
        sweep::sweep();
        let folder = sweep::make();
        let mut initdb = command("initdb");
        initdb
            .arg("--pgdata")
            .arg(folder.join("data"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8"])
            .args(["--no-locale", "--no-sync", "--no-instructions"]);
        output(initdb);
        let port = free_port();
        let mut lines = format!(
            "port = {port}\nunix_socket_directories = '{}'\nfsync = {}\nsynchronous_commit = {}\n",
            folder.display(),
            settings.fsync,
            settings.synchronous_commit,
        );
        let others = settings.others.iter();
        let others = others.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in ALWAYS.iter().copied().chain(others) {
            lines.push_str(&format!("{name} = '{value}'\n"));
        }
        if settings.encrypted {
            identity::create(&folder);
            lines.push_str("ssl = on\n");
        }
        fs::write(folder.join("data/postgresql.auto.conf"), lines).expect("initdb made the folder");
        Self {
            disk: settings.fragile.then(|| Disk::create(&folder)),
            folder,
            port,
            server: None,
            orphans: Vec::new(),
            recoveries: 0,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// From now on until [`Cluster::has_recovered`], one sync of the log fails.
    pub(super) fn fail_next_sync(&mut self) {
        self.recoveries = self.noted_recoveries();
        self.disk().fail_next_sync();
    }

    /// Whether the server has recovered by itself since the sync was to fail.
    pub(super) fn has_recovered(&self) -> Result<(), String> {
        if self.noted_recoveries() > self.recoveries {
            return Ok(());
        }
        Err(self.end_of_log())
    }

    /// How often the log says that the server went on after ending all of its processes.
    fn noted_recoveries(&self) -> usize {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let crashes = log.split("all server processes terminated; reinitializing");
        let ready = |after: &&str| after.contains("ready to accept connections");
        crashes.skip(1).filter(ready).count()
    }

    pub(super) fn disk(&self) -> &Disk {
        let disk = self.disk.as_ref();
        disk.expect("a server whose disk is to fail is started with PgSettings::fragile")
    }

    /// Starts the postmaster, which is our child.
    pub(super) fn run(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log())
            .expect("the folder is ours");
        let mut postgres = command("postgres");
        postgres
            .arg("-D")
            .arg(self.folder.join("data"))
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(disk) = &self.disk {
            disk.stand_before(&mut postgres);
        }
        self.server = Some(spawn(postgres));
    }

    /// Whether connections are answered; what it says otherwise.
    ///
    /// # Panics
    ///
    /// When the server has given up.
    pub(super) fn is_ready(&mut self) -> Result<(), String> {
        let Some(server) = &mut self.server else {
            return Err("it was not started".to_owned());
        };
        if let Ok(Some(status)) = server.try_wait() {
            self.server = None;
            let held = self
                .end_of_log()
                .contains("pre-existing shared memory block");
            if held || self.orphans.iter().any(|pid| self.is_ours(*pid)) {
                // Children of a killed postmaster still hold its memory, or did a moment ago: one
                // that was just being forked when the others were counted ends by itself.
                self.run();
                return Err(format!("{status}, waiting for the old one's children"));
            }
            panic!("the server ended with {status}: {}", self.end_of_log());
        }
        let pid = server.id().to_string();
        // As `pg_ctl` reads it: whose note it is first, and eighth how far that server is. The
        // note of a killed one still says that it is ready.
        let noted = fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = noted.lines().map(str::trim).collect();
        if lines.first() == Some(&pid.as_str()) && lines.get(7) == Some(&"ready") {
            self.orphans.clear();
            return Ok(());
        }
        Err(format!("it notes {lines:?}; {}", self.end_of_log()))
    }

    /// Asks the server to close all connections and end.
    pub(super) fn shut_down(&mut self) {
        self.signal_postmaster(Signal::INT);
    }

    /// Whether the postmaster has ended.
    pub(super) fn has_ended(&mut self) -> Result<(), String> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        match server.try_wait() {
            Ok(Some(_)) => {
                self.server = None;
                Ok(())
            }
            running => Err(format!("{running:?}; {}", self.end_of_log())),
        }
    }

    pub(super) fn kill_postmaster(&mut self) {
        if let Some(mut server) = self.server.take() {
            self.orphans = children(server.id());
            signal(server.id(), Signal::KILL);
            server.wait().expect("a killed child ends");
        }
    }

    pub(super) fn kill(&mut self) {
        self.kill_postmaster();
        for orphan in &self.orphans {
            signal(*orphan, Signal::KILL);
        }
    }

    pub(super) fn freeze(&self) {
        // First the one that would start others.
        self.signal_postmaster(Signal::STOP);
        self.signal_children(Signal::STOP);
    }

    pub(super) fn thaw(&self) {
        self.signal_children(Signal::CONT);
        self.signal_postmaster(Signal::CONT);
    }

    fn signal_postmaster(&self, what: Signal) {
        if let Some(server) = &self.server {
            signal(server.id(), what);
        }
    }

    fn signal_children(&self, what: Signal) {
        if let Some(server) = &self.server {
            for child in children(server.id()) {
                signal(child, what);
            }
        }
    }

    /// Whether a process of this number is one of this cluster's still.
    fn is_ours(&self, pid: u32) -> bool {
        fs::read_link(format!("/proc/{pid}/cwd"))
            .is_ok_and(|folder| folder == self.folder.join("data"))
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn end_of_log(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let end = &log[log.len().saturating_sub(2_000)..];
        String::from_utf8_lossy(end).into_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
        sweep::remove(&self.folder);
    }
}

fn spawn(mut command: Command) -> Child {
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// A port that nobody has at this moment. Another process could take it before the server does;
/// then the server says so.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface");
    listener.local_addr().expect("it is bound").port()
}
