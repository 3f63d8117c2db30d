//! Load that does not wait for answers: each request is due at its time, whatever became of the one
//! before, and its latency counts from that time. So what waits in front of a stalled server is seen,
//! and the offered rate does not fall because the server is slow.
//!
//! One thread, pinned to one CPU, drives all connections: a request is written and its answer parsed
//! with as little work as possible, because the generator shares the machine with what it measures.
//! [`desk`] decides and counts without a socket or a clock; [`wire`] moves the bytes.
//!
//! The policy, in full: a request that is due takes the connection that has been free for longest. Without a
//! free one it waits in line; when half of its deadline passes there, it counts as late and is never sent:
//! a client that cannot even connect gives up. The line has an end, too, and what finds it full is
//! late at once. An answer after the deadline is late. A kept connection that turns out to be closed before a byte of the answer came is no
//! answer: the request is sent once more, as HTTP clients do, and its time goes on running.

mod answer;
mod desk;
mod histogram;
mod profile;
mod tally;
mod wire;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub(crate) use histogram::Histogram;
#[cfg(test)]
use profile::Arrivals;
pub(crate) use profile::{Profile, Step};
pub(crate) use tally::{Slice, StepTally, Tally};

use crate::failure::{Failure, Result};

/// What is asked for, how often, and by how many connections.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) server: SocketAddr,
    /// Where connections come from; on loopback any 127.0.0.0/8 will do.
    pub(crate) source: IpAddr,
    pub(crate) connections: usize,
    pub(crate) profile: Profile,
    /// From its due time; later is too late for the client.
    pub(crate) deadline: Duration,
    /// Whole requests, sent in turn.
    pub(crate) requests: Arc<Vec<Vec<u8>>>,
    /// The first of them.
    pub(crate) first: usize,
    /// What the body of each request's 200 must have in it, in the same order; nothing is looked for
    /// when this is empty.
    pub(crate) marks: Arc<Vec<String>>,
    /// The generator's.
    pub(crate) cpu: Option<usize>,
}

impl Load {
    /// From 127.0.0.1, with a deadline of a second.
    pub(crate) fn new(server: SocketAddr, requests: Arc<Vec<Vec<u8>>>, profile: Profile) -> Self {
        Self {
            server,
            source: Ipv4Addr::LOCALHOST.into(),
            connections: 512,
            profile,
            deadline: Duration::from_secs(1),
            requests,
            first: 0,
            marks: Arc::default(),
            cpu: None,
        }
    }

    /// Runs it on a thread of its own, which ends soon when the future is dropped.
    pub(crate) async fn run(self) -> Result<Tally> {
        let stop = Stop(Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop.0);
        let thread = tokio::task::spawn_blocking(move || wire::drive(&self, &told));
        let tally = thread.await;
        tally.map_err(|error| Failure::unexpected(format!("the load was lost: {error}")))?
    }
}

/// Tells the thread that nobody waits for it any more.
#[derive(Debug)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A GET on a kept connection.
pub(crate) fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let bearer = token.map_or_else(String::new, |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    format!("GET {path} HTTP/1.1\r\nhost: bench\r\n{bearer}\r\n").into_bytes()
}

#[cfg(test)]
mod tests;
