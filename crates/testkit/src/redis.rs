//! Private Redis servers for tests: started on free ports, frozen, killed and started again, alone
//! or as a Cluster. Nothing is shared between tests, and nothing is left when they end.

mod relay;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

pub use relay::Relay;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
/// A Cluster's servers talk to each other on their port and this.
const BUS: u16 = 10_000;

/// One server.
#[derive(Debug)]
pub struct RedisServer {
    child: Child,
    port: u16,
    extra: Vec<String>,
}

impl RedisServer {
    /// A fresh server that keeps nothing on disk. `extra` are its command-line options.
    pub async fn start(extra: &[&str]) -> Self {
        let extra: Vec<String> = extra.iter().map(|text| (*text).to_owned()).collect();
        // Somebody may take the port between asking for it and using it.
        for _ in 0..10 {
            let port = free_port();
            if let Some(child) = spawn(port, &extra).await {
                return Self { child, port, extra };
            }
        }
        panic!("redis-server does not start; on Debian: apt-get install redis-server");
    }

    /// For clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// Stops the process where it stands: it accepts and never answers.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts a killed server again, at the same port.
    pub async fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.port, &self.extra)
            .await
            .expect("the port is free again");
    }

    /// The raw answer to one command, in Redis's protocol.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> String {
        ask(self.address(), words).expect("the server answers")
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process number"), signal).expect("our own child");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three masters that share the slots.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters, and behind them a replica of each, if there are any, in the same order.
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three servers and makes them a Cluster.
    pub async fn start() -> Self {
        Self::of(3).await
    }

    /// Three masters with a replica each, which takes over two seconds after its master is gone.
    pub async fn with_replicas() -> Self {
        let cluster = Self::of(6).await;
        let (masters, replicas) = cluster.servers.split_at(3);
        for (master, replica) in masters.iter().zip(replicas) {
            let id = master.command(&["CLUSTER", "MYID"]);
            let id = id.lines().nth(1).expect("an id").to_owned();
            let _ = replica.command(&["CLUSTER", "REPLICATE", &id]);
        }
        until("replicas that follow their masters", || {
            replicas.iter().all(|replica| {
                let info = replica.command(&["INFO", "replication"]);
                info.contains("role:slave") && info.contains("master_link_status:up")
            })
        })
        .await;
        cluster
    }

    async fn of(count: usize) -> Self {
        let mut servers: Vec<RedisServer> = Vec::new();
        let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
        for _ in 0..count {
            servers.push(RedisServer::start(&options).await);
        }
        let slots = ["0 5460", "5461 10922", "10923 16383"];
        for (place, server) in servers.iter().enumerate() {
            if let Some((first, last)) = slots.get(place).and_then(|slots| slots.split_once(' ')) {
                let _ = server.command(&["CLUSTER", "ADDSLOTSRANGE", first, last]);
            }
            let (port, bus) = (server.port.to_string(), (server.port + BUS).to_string());
            let _ = servers[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]);
        }
        let cluster = Self { servers };
        until("a Cluster that has come together", || cluster.is_ready()).await;
        cluster
    }

    /// For clients: the first server.
    #[must_use]
    pub fn url(&self) -> String {
        self.servers[0].url()
    }

    fn is_ready(&self) -> bool {
        self.servers.iter().all(|server| {
            let info = server.command(&["CLUSTER", "INFO"]);
            let known = format!("cluster_known_nodes:{}\r", self.servers.len());
            info.contains("cluster_state:ok") && info.contains(&known)
        })
    }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "no {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// With room for the bus of a Cluster above it.
fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback works");
        let port = listener.local_addr().expect("bound").port();
        let bus = port.checked_add(BUS);
        if bus.is_some_and(|bus| TcpListener::bind((Ipv4Addr::LOCALHOST, bus)).is_ok()) {
            return port;
        }
    }
}

async fn spawn(port: u16, extra: &[String]) -> Option<Child> {
    let folder = std::env::temp_dir();
    let mut child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--logfile", ""])
        .args([
            "--cluster-config-file",
            &format!("corkboard-redis-{}-{port}.conf", std::process::id()),
        ])
        .args(extra)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed; on Debian: apt-get install redis-server");
    let end = Instant::now() + PATIENCE;
    let address = (Ipv4Addr::LOCALHOST, port).into();
    while Instant::now() < end {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        if ask(address, &["PING"]).is_some_and(|answer| answer.contains("PONG")) {
            return Some(child);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// One command over a connection of its own. Enough of the protocol for short answers.
fn ask(address: SocketAddr, words: &[&str]) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        command.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
    // The server closes after QUIT, so that reading ends.
    command.push_str("*1\r\n$4\r\nQUIT\r\n");
    stream.write_all(command.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    Some(String::from_utf8_lossy(&answer).into_owned())
}
