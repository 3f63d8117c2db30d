//! The crowd itself: a process of its own that opens connections, does nothing with them, and opens
//! another one for each that the server closes.
//!
//! It is the bench's own program with the word `crowd` and what it is to do. It says `ready` on its
//! output when all are there, and how many it has replaced when its input ends; then it ends, too.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::{TcpSocket, TcpStream};
use tokio::process::{Child, ChildStdout};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::child;
use crate::failure::{Failure, Result, While as _};
use crate::spike::open;

/// The word on the command line that makes this program a crowd.
pub(crate) const WORD: &str = "crowd";

/// Connections from one source address, far below the ephemeral ports it has.
const OF_ONE_ADDRESS: usize = 5_000;
/// Being opened at a time: the backlog is not what is measured.
const OPENED_AT_ONCE: usize = 200;
const OPEN_WITHIN: Duration = Duration::from_secs(5);
const AGAIN_AFTER: Duration = Duration::from_millis(100);
const READY_WITHIN: Duration = Duration::from_secs(60);
const HALF: &[u8] = b"GET / HTTP/1.1\r\nhost: cro";

/// What the members do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// Were answered once.
    Idle,
    /// Have sent half a header.
    Half,
}

/// The running process.
#[derive(Debug)]
pub(super) struct Members {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Members {
    /// Starts so many on the given CPUs, and waits until they are there. `net` tells crowds apart
    /// by their addresses: 127.0.net.1 and up.
    pub(super) async fn start(
        server: SocketAddr,
        habit: Habit,
        count: usize,
        net: u8,
        cpus: &str,
    ) -> Result<Self> {
        let own = std::env::current_exe().while_doing("the bench's own path")?;
        let mut command = child::command(&own, Some(cpus));
        let habit = match habit {
            Habit::Idle => "idle",
            Habit::Half => "half",
        };
        command.args([WORD, &server.to_string(), habit]);
        command.args([count.to_string(), net.to_string()]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().while_doing("a crowd")?;
        let output = child.stdout.take();
        let output = output.ok_or_else(|| Failure::unexpected("a crowd has no output"))?;
        let mut members = Self {
            child,
            output: BufReader::new(output).lines(),
        };
        match members.line().await?.as_str() {
            "ready" => Ok(members),
            other => Err(Failure::unexpected(format!("a crowd says '{other}'"))),
        }
    }

    /// Sends them away; how many connections were replaced meanwhile.
    pub(super) async fn leave(mut self) -> Result<u64> {
        drop(self.child.stdin.take());
        let line = self.line().await?;
        let replaced = line
            .parse()
            .map_err(|_| Failure::unexpected(format!("a crowd says '{line}'")))?;
        self.child.wait().await.while_doing("the end of a crowd")?;
        Ok(replaced)
    }

    async fn line(&mut self) -> Result<String> {
        let line = timeout(READY_WITHIN, self.output.next_line()).await;
        let line = line.map_err(|_| Failure::Late("a whole crowd".to_owned()))?;
        Ok(line.while_doing("what a crowd says")?.unwrap_or_default())
    }
}

/// Is a crowd, until standard input ends.
pub(crate) async fn gather(words: &[&str]) -> Result<()> {
    let wrong = || Failure::unexpected("a crowd needs a server, idle or half, a count and a net");
    let [server, habit, count, net] = words else {
        return Err(wrong());
    };
    let server: SocketAddr = server.parse().map_err(|_| wrong())?;
    let count: usize = count.parse().map_err(|_| wrong())?;
    let net: u8 = net.parse().map_err(|_| wrong())?;
    let habit = match *habit {
        "idle" => Habit::Idle,
        "half" => Habit::Half,
        _ => return Err(wrong()),
    };
    crate::machine::raise_open_files()?;
    let (replaced, turns) = (
        Arc::new(AtomicU64::new(0)),
        Arc::new(Semaphore::new(OPENED_AT_ONCE)),
    );
    let (there, mut arriving) = mpsc::channel(OPENED_AT_ONCE);
    let mut members = JoinSet::new();
    for number in 0..count {
        let member = Member {
            server,
            habit,
            source: source(net, number),
            turns: Arc::clone(&turns),
        };
        members.spawn(member.stay(there.clone(), Arc::clone(&replaced)));
    }
    drop(there);
    for _ in 0..count {
        let arrived = arriving.recv().await;
        arrived.ok_or_else(|| Failure::unexpected("a crowd broke up"))?;
    }
    say("ready")?;
    // Whoever started us has gone, or has had enough.
    let end = tokio::task::spawn_blocking(|| io::stdin().read(&mut [0]));
    let _ = end.await;
    say(&replaced.load(Ordering::Relaxed).to_string())
}

fn say(line: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    let said = writeln!(output, "{line}").and_then(|()| output.flush());
    said.while_doing("saying how a crowd is")
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "at most four addresses for 20,000 open files"
)]
fn source(net: u8, number: usize) -> IpAddr {
    let address = (1 + number / OF_ONE_ADDRESS) as u8;
    Ipv4Addr::new(127, 0, net, address).into()
}

/// One connection, and those that come after it.
#[derive(Debug)]
struct Member {
    server: SocketAddr,
    habit: Habit,
    source: IpAddr,
    turns: Arc<Semaphore>,
}

impl Member {
    async fn stay(self, there: mpsc::Sender<()>, replaced: Arc<AtomicU64>) {
        let mut first = Some(there);
        loop {
            let opened = match self.turns.acquire().await {
                Ok(_turn) => timeout(OPEN_WITHIN, self.open()).await,
                Err(_) => return,
            };
            let Ok(Ok(mut stream)) = opened else {
                sleep(AGAIN_AFTER).await;
                continue;
            };
            match first.take() {
                Some(there) => drop(there.send(()).await),
                None => drop(replaced.fetch_add(1, Ordering::Relaxed)),
            }
            // Ends when the server closes it, whatever it says before.
            while matches!(stream.read(&mut [0; 256]).await, Ok(1..)) {}
        }
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.source, 0).into())?;
        // Ended with a reset, so that the next round finds its ports free.
        socket.set_zero_linger()?;
        let mut stream = socket.connect(self.server).await?;
        match self.habit {
            Habit::Half => stream.write_all(HALF).await?,
            Habit::Idle => {
                stream.write_all(&open::get("/", None)).await?;
                let _answer = stream.read(&mut [0; 4096]).await?;
            }
        }
        Ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[test]
    fn no_address_has_more_connections_than_ports() {
        assert_eq!(source(1, 0), source(1, OF_ONE_ADDRESS - 1));
        assert_ne!(source(1, 0), source(1, OF_ONE_ADDRESS));
        assert_ne!(source(1, 0), source(2, 0));
    }

    #[tokio::test]
    async fn what_the_server_closes_comes_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let member = Member {
            server: listener.local_addr().unwrap(),
            habit: Habit::Half,
            source: source(3, 0),
            turns: Arc::new(Semaphore::new(1)),
        };
        let (there, mut arriving) = mpsc::channel(1);
        let replaced = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(member.stay(there, Arc::clone(&replaced)));
        for _ in 0..3 {
            let (mut stream, peer) = listener.accept().await.unwrap();
            assert_eq!(peer.ip(), source(3, 0));
            let mut half = [0; HALF.len()];
            stream.read_exact(&mut half).await.unwrap();
            assert_eq!(half, HALF);
        }
        assert_eq!(arriving.recv().await, Some(()));
        assert!(replaced.load(Ordering::Relaxed) >= 1);
    }
}
