//! The endpoint's side of HTTP, by hand: requests without a body, kept connections, one answer.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Script;
use super::counts::{First, Seen};
use crate::failure::{Failure, Result, While as _};

/// All connections of a burst fit; a lost one would cost its caller a second.
const BACKLOG: u32 = 4_096;
const MOST_CONNECTIONS: usize = 4_096;
const LONGEST_HEAD: usize = 16 << 10;
const OFFER: &str = r#"{"text":"Ten euros off your next order","until":"Sunday"}"#;

/// One script being played.
#[derive(Debug)]
struct Stage {
    script: Script,
    slots: Semaphore,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    first: First,
    seen: Seen,
    queued: usize,
}

impl Stage {
    fn new(script: Script) -> Arc<Self> {
        Arc::new(Self {
            script,
            slots: Semaphore::new(script.slots),
            counts: Mutex::default(),
        })
    }

    fn count<R>(&self, look: impl FnOnce(&mut Counts) -> R) -> R {
        look(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The answer to one call: status and body.
    async fn call(&self) -> (u16, &'static str) {
        let script = self.script;
        let since_first = self.count(|counts| {
            counts.seen.calls += 1;
            counts.first.since(Instant::now())
        });
        if script.is_dead {
            return std::future::pending().await;
        }
        let slot = match self.slots.try_acquire() {
            Ok(slot) => slot,
            Err(_) if script.sheds => {
                self.count(|counts| counts.seen.refused += 1);
                return (429, "");
            }
            Err(_) => {
                self.count(|counts| {
                    counts.queued += 1;
                    counts.seen.longest_queue = counts.seen.longest_queue.max(counts.queued);
                });
                let slot = self.slots.acquire().await;
                self.count(|counts| counts.queued -= 1);
                let Ok(slot) = slot else {
                    return (503, "");
                };
                slot
            }
        };
        let busy = script.slots - self.slots.available_permits();
        self.count(|counts| counts.seen.busiest = counts.seen.busiest.max(busy));
        let slow_after = Duration::from_millis(script.slow_after_ms);
        let is_slow = script.slow_after_ms > 0 && since_first >= slow_after;
        let latency = if is_slow {
            script.slow_latency_ms
        } else {
            script.latency_ms
        };
        sleep(Duration::from_millis(latency)).await;
        drop(slot);
        self.count(|counts| {
            let since_first = counts.first.since(Instant::now());
            counts.seen.answer(since_first);
        });
        (200, OFFER)
    }
}

/// Serves until the process is ended.
pub(crate) async fn serve() -> Result<()> {
    let socket = TcpSocket::new_v4().while_doing("a socket")?;
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    socket.bind(address).while_doing("an address")?;
    let listener = socket.listen(BACKLOG).while_doing("listening")?;
    let port = listener.local_addr().while_doing("the port")?.port();
    let mut out = std::io::stdout();
    writeln!(out, "{port}").while_doing("the port")?;
    out.flush().while_doing("the port")?;
    let stage = Arc::new(Mutex::new(Stage::new(Script::steady(1, 0))));
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        let (stream, _) = listener.accept().await.while_doing("a connection")?;
        connections.spawn(connection(stream, Arc::clone(&stage)));
    }
}

/// Answers one request after the other. A caller that goes away or talks nonsense is left.
async fn connection(mut stream: TcpStream, stage: Arc<Mutex<Arc<Stage>>>) {
    let mut head = Vec::with_capacity(1_024);
    // It fails only on a connection that is gone, which reading notices, too.
    let _ = stream.set_nodelay(true);
    loop {
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut head).await {
                Ok(read) if read > 0 && head.len() <= LONGEST_HEAD => {}
                _ => return,
            }
        }
        let target = std::str::from_utf8(&head)
            .ok()
            .and_then(|head| head.split(' ').nth(1));
        let target = target.unwrap_or_default();
        let now = Arc::clone(&*stage.lock().unwrap_or_else(PoisonError::into_inner));
        let (status, body) = match target.split_once('?').unwrap_or((target, "")) {
            ("/_seen", _) => {
                let seen = now.count(|counts| serde_json::to_string(&counts.seen));
                (200, seen.unwrap_or_default())
            }
            ("/_play", script) => match parsed(script) {
                Ok(script) => {
                    *stage.lock().unwrap_or_else(PoisonError::into_inner) = Stage::new(script);
                    (200, String::new())
                }
                Err(failure) => (400, failure.story()),
            },
            _ => {
                let mut gone = [0; 1];
                tokio::select! {
                    (status, body) = now.call() => (status, body.to_owned()),
                    // The caller has given up: its slot is free again.
                    _ = stream.peek(&mut gone) => return,
                }
            }
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn parsed(script: &str) -> Result<Script> {
    let text = format!("{{{}}}", script.replace("%22", "\""));
    serde_json::from_str(&text).map_err(Failure::unexpected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_beyond_the_slots_wait_or_are_refused() {
        for (sheds, refused) in [(false, 0), (true, 3)] {
            let stage = Stage::new(Script {
                sheds,
                ..Script::steady(2, 50)
            });
            let calls = (0..5).map(|_| stage.call());
            let answers = futures_util::future::join_all(calls).await;
            let seen = stage.count(|counts| counts.seen.clone());
            let told = answers.iter().filter(|(status, _)| *status == 429).count();
            assert_eq!((told as u64, seen.refused), (refused, refused));
            assert_eq!((seen.calls, seen.busiest), (5, 2));
        }
    }

    #[test]
    fn a_script_survives_its_way_in_a_url() {
        let script = Script::steady(7, 9);
        let read = parsed(&script.in_url().unwrap()).unwrap();
        assert_eq!((read.slots, read.latency_ms), (7, 9));
    }
}
