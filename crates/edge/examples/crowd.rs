//! A crowd of connections that do nothing, or only half of something, and what it does to the rest:
//! memory of the server by connection, and the latency of clients that behave.
//!
//! `cargo run --release -p corkboard-edge --example crowd -- 127.0.0.1:8080 PID [IDLE] [HALF] [RATE]`
//!
//! Opens `IDLE` (10,000) connections that were answered once and `HALF` (5,000) that have sent half
//! a header, from addresses 127.0.1.1 and up, and replaces whatever the server closes. Before, during
//! and after, 64 connections ask at `RATE` (500) a second together, each at its time whether or not
//! the answer before was late. `PID` is the server's process.

#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]

use std::error::Error;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval_at, sleep, timeout};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: crowd\r\n\r\n";
const HALF: &[u8] = b"GET / HTTP/1.1\r\nhost: cro";
const GOOD_CLIENTS: u32 = 64;
const MEASURE: Duration = Duration::from_secs(15);
/// Connections from one source address, far below the ephemeral ports it has.
const OF_ONE_ADDRESS: usize = 5_000;

type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let server: SocketAddr = arguments.next().ok_or("an address, please")?.parse()?;
    let pid: u32 = arguments
        .next()
        .ok_or("the server's process id, please")?
        .parse()?;
    let mut number = |default| {
        arguments
            .next()
            .map_or(Ok(default), |text| text.parse::<usize>())
    };
    let (idle, half, rate) = (number(10_000)?, number(5_000)?, number(500)?);

    report("before", server, rate).await?;
    let before = resident(pid)?;
    let mut crowd = Crowd::new(server);
    crowd.join(idle, true).await;
    println!(
        "{idle} idle: {:.2} KiB each",
        grown(before, resident(pid)?, idle)
    );
    let with_idle = resident(pid)?;
    crowd.join(half, false).await;
    println!(
        "{half} in half a header: {:.2} KiB each",
        grown(with_idle, resident(pid)?, half)
    );
    report("during", server, rate).await?;
    println!("replaced meanwhile: {}", crowd.replaced.load(Relaxed));
    drop(crowd);
    sleep(Duration::from_secs(2)).await;
    report("after", server, rate).await
}

/// Resident memory of the server in KiB.
fn resident(pid: u32) -> Result<f64, BoxError> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("no VmRSS")?.parse()?)
}

fn grown(before: f64, after: f64, connections: usize) -> f64 {
    (after - before) / f64::from(u32::try_from(connections.max(1)).unwrap_or(u32::MAX))
}

struct Crowd {
    server: SocketAddr,
    members: JoinSet<()>,
    there: Arc<AtomicUsize>,
    replaced: Arc<AtomicUsize>,
}

impl Crowd {
    fn new(server: SocketAddr) -> Self {
        Self {
            server,
            members: JoinSet::new(),
            there: Arc::default(),
            replaced: Arc::default(),
        }
    }

    /// So many more, and waits until they are there.
    async fn join(&mut self, count: usize, answered: bool) {
        for _ in 0..count {
            let number = self.members.len();
            let (server, there, replaced) = (
                self.server,
                Arc::clone(&self.there),
                Arc::clone(&self.replaced),
            );
            self.members.spawn(async move {
                let mut first = true;
                loop {
                    if let Ok(mut stream) = open(server, number, answered).await {
                        if std::mem::take(&mut first) {
                            there.fetch_add(1, Relaxed);
                        }
                        let _closed_by_the_server = stream.read(&mut [0; 256]).await;
                        replaced.fetch_add(1, Relaxed);
                    }
                    sleep(Duration::from_millis(100)).await;
                }
            });
            // Gently: the backlog is not what is measured.
            while self.there.load(Relaxed) + 500 < self.members.len() {
                sleep(Duration::from_millis(1)).await;
            }
        }
        while self.there.load(Relaxed) < self.members.len() {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn open(server: SocketAddr, number: usize, answered: bool) -> io::Result<TcpStream> {
    let address = u8::try_from(1 + number / OF_ONE_ADDRESS).unwrap_or(u8::MAX);
    let socket = TcpSocket::new_v4()?;
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 1, address)), 0).into())?;
    let mut stream = socket.connect(server).await?;
    if answered {
        stream.write_all(REQUEST).await?;
        let _answer = stream.read(&mut [0; 4096]).await?;
    } else {
        stream.write_all(HALF).await?;
    }
    Ok(stream)
}

/// Latency from the time a request was due, so that a late answer makes the next ones late, too.
async fn report(when: &str, server: SocketAddr, rate: usize) -> Result<(), BoxError> {
    let pause = Duration::from_secs(1) * GOOD_CLIENTS / u32::try_from(rate.max(1))?;
    let start = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..GOOD_CLIENTS {
        let first = start + pause * client / GOOD_CLIENTS;
        clients.spawn(async move {
            let mut stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let (mut due, mut took) = (interval_at(first, pause), Vec::new());
            while start.elapsed() < MEASURE {
                let at = due.tick().await;
                stream.write_all(REQUEST).await?;
                let mut answer = [0; 4096];
                let length = timeout(Duration::from_secs(10), stream.read(&mut answer)).await??;
                if !answer[..length].starts_with(b"HTTP/1.1 200 ") {
                    return Err::<_, BoxError>("a request was not answered with 200".into());
                }
                took.push(at.elapsed());
            }
            Ok(took)
        });
    }
    let (mut took, mut failed) = (Vec::new(), 0);
    while let Some(client) = clients.join_next().await {
        match client? {
            Ok(more) => took.extend(more),
            Err(_) => failed += 1,
        }
    }
    took.sort_unstable();
    let quantile = |part: usize| {
        took.get(took.len() * part / 1_000)
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{when}: {} answers, {failed} clients failed, p50 {:?}, p99 {:?}, p99.9 {:?}",
        took.len(),
        quantile(500),
        quantile(990),
        quantile(999)
    );
    Ok(())
}
