//! Connections on the short way, many of them in one task.
//!
//! In a spike a connection asks, is answered within microseconds, and is silent for a while. With a task for
//! each, its news goes through tokio's record of the socket and a queue of tasks first; by the time that the
//! task's turn has come, ten thousand others have been touched, and everything about it has to be
//! fetched from memory again. Here there is a task for each core; it hears of a few hundred sockets at a time
//! and answers each on the spot.
//!
//! What takes time does not happen here: a service's answer is made in a task of its own, and a connection
//! that hyper has to speak with leaves for one.

mod bells;
mod direct;
mod house;
mod poller;
mod resident;
mod turn;

use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::{JoinSet, coop};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::closing::Closing;
use crate::connection::Protocols;
use crate::gate::Shared;
use crate::lane::Lane;
use crate::meters::Meters;
use crate::place::Place;
use crate::service::HttpService;
use turn::EventLoop;

/// Connections on their way into a loop; when there are more, no others are accepted.
const NEWCOMERS: usize = 256;

/// A connection that has just been accepted.
pub(crate) struct Newcomer<S> {
    /// Does not block.
    pub(crate) stream: TcpStream,
    pub(crate) service: S,
    pub(crate) shared: Arc<Shared>,
    pub(crate) place: Place,
    /// Counts it among those that are open.
    pub(crate) counted: TaskTrackerToken,
}

/// What the loops of one listener need.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) lane: Arc<dyn Lane>,
    pub(crate) protocols: Arc<Protocols>,
    pub(crate) closing: Arc<Closing>,
    pub(crate) meters: Arc<Meters>,
    /// Of connections that leave for hyper.
    pub(crate) tasks: TaskTracker,
    /// Of answers in the making.
    pub(crate) answers: TaskTracker,
}

/// The event loops of one listener, one for each thread of the runtime.
pub(crate) struct EventLoops<S> {
    doors: Vec<mpsc::Sender<Newcomer<S>>>,
    next: AtomicUsize,
}

impl<S> EventLoops<S> {
    /// Begins them. They end with `tasks`.
    pub(crate) fn begin(surroundings: &Surroundings, tasks: &mut JoinSet<()>) -> io::Result<Self>
    where
        S: HttpService,
    {
        let mut doors = Vec::new();
        for _ in 0..Handle::current().metrics().num_workers() {
            let (door, newcomers) = mpsc::channel(NEWCOMERS);
            let event_loop = EventLoop::new(newcomers, surroundings)?;
            // It has turns of its own.
            tasks.spawn(coop::unconstrained(event_loop.run()));
            doors.push(door);
        }
        Ok(Self {
            doors,
            next: AtomicUsize::new(0),
        })
    }

    /// Brings a connection into the loop whose turn it is.
    pub(crate) async fn bring(&self, newcomer: Newcomer<S>) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.doors.len();
        // A loop ends with its listener, and everybody in it.
        let _gone = self.doors[turn].send(newcomer).await;
    }
}
