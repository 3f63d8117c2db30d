//! The accept loop and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept;
use crate::activity::Activity;
use crate::admission::Door;
use crate::closing::Closing;
use crate::connection::{BoxError, Ended, Protocols};
use crate::event_loop::{EventLoops, Newcomer, Surroundings};
use crate::gate::Shared;
use crate::meters::Meters;
use crate::options::EdgeOptions;
use crate::peers::Peers;
use crate::place::Place;
use crate::request::RequestBody;
use crate::service::HttpService;

/// Aborted tasks end at their next poll; one that does not is stuck in a handler that never yields.
const ABORT_PATIENCE: Duration = Duration::from_secs(1);

/// What a listener did, in connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainReport {
    /// Accepted over the whole life of the listener.
    pub served: u64,
    /// Open at shutdown and ended in order.
    pub drained: u64,
    /// Open at shutdown and cut off after `drain_timeout`.
    pub aborted: u64,
}

/// Serves `service` on `listener` until `shutdown` is cancelled, then drains: stops accepting, lets
/// requests in flight finish, closes idle connections, and cuts off what is left after
/// `drain_timeout`. Returns when no connection is left.
///
/// `service` is cloned for each request; an `axum::Router` fits. A client that hangs up cancels the
/// future of its request, so work that must be completed belongs in a task of its own. Dropping
/// this future ends all connections at once.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    options: EdgeOptions,
    shutdown: CancellationToken,
) -> DrainReport
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let edge = Edge::new(options, shutdown);
    // Should this future be dropped, the connections must not outlive it.
    let _abort_all = edge.closing.guard();
    let slots = Arc::new(Semaphore::new(
        edge.options.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge; connections stay below 2^52"
    )]
    edge.meters
        .connections_limit
        .set(edge.options.max_connections as f64);

    let mut helpers = JoinSet::new();
    if let Some(door) = edge.door.clone() {
        helpers.spawn(async move { door.pulse().await });
    }
    let loops = edge.event_loops(&mut helpers);
    // The permit comes before the connection: at the cap nobody is accepted.
    while let Some(permit) = edge.unless_stopped(reserve(&slots, &edge.meters)).await {
        let next = edge
            .unless_stopped(accept::next(&listener, &edge.meters))
            .await;
        let Some((stream, peer)) = next else { break };
        edge.take(stream, peer, permit, service.clone(), loops.as_ref())
            .await;
    }
    edge.closing.begin();
    // Those whose handshake the kernel has already completed would be reset with the listener.
    for (stream, peer) in accept::waiting(listener) {
        let Ok(permit) = Arc::clone(&slots).try_acquire_owned() else {
            break;
        };
        edge.take(stream, peer, permit, service.clone(), loops.as_ref())
            .await;
    }
    edge.finish().await
}

/// One listener at work.
struct Edge {
    options: Arc<EdgeOptions>,
    meters: Arc<Meters>,
    protocols: Arc<Protocols>,
    peers: Arc<Peers>,
    tasks: TaskTracker,
    /// Requests of HTTP/2; each ends with its connection.
    streams: TaskTracker,
    served: AtomicU64,
    door: Option<Arc<Door>>,
    shutdown: CancellationToken,
    closing: Arc<Closing>,
}

impl Edge {
    fn new(mut options: EdgeOptions, shutdown: CancellationToken) -> Self {
        // Idle connections must have gone before what is left is cut off.
        let streams = TaskTracker::new();
        options.drain_idle_grace = options.drain_idle_grace.min(options.drain_timeout / 2);
        Self {
            meters: Arc::new(Meters::new(options.name)),
            protocols: Arc::new(Protocols::new(&options, streams.clone())),
            peers: Peers::new(options.max_connections_per_peer),
            tasks: TaskTracker::new(),
            streams,
            served: AtomicU64::new(0),
            door: options
                .admission
                .as_ref()
                .map(|admission| Door::new(admission, options.name)),
            closing: Arc::default(),
            shutdown,
            options: Arc::new(options),
        }
    }

    async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.shutdown.run_until_cancelled(work).await
    }

    /// Those that look after connections on the short way, where there are any such.
    fn event_loops<S>(&self, helpers: &mut JoinSet<()>) -> Option<EventLoops<S>>
    where
        S: HttpService,
    {
        let lane = self.options.lane.as_ref()?;
        if !self.protocols.are_plain() {
            return None;
        }
        let surroundings = Surroundings {
            lane: Arc::clone(lane),
            protocols: Arc::clone(&self.protocols),
            closing: Arc::clone(&self.closing),
            meters: Arc::clone(&self.meters),
            tasks: self.tasks.clone(),
            answers: self.streams.clone(),
        };
        match EventLoops::begin(&surroundings, helpers) {
            Ok(loops) => Some(loops),
            Err(error) => {
                tracing::warn!(%error, "no event loop: each connection has a task of its own");
                None
            }
        }
    }

    /// Takes a connection in, unless its peer has too many.
    async fn take<S>(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
        service: S,
        loops: Option<&EventLoops<S>>,
    ) where
        S: HttpService,
    {
        let Ok(peer_slot) = self.peers.admit(peer.ip()) else {
            self.meters.refused("peer_cap");
            return;
        };
        self.served.fetch_add(1, Ordering::Relaxed);
        self.meters.accepted.increment(1);
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "cannot switch off Nagle's algorithm");
        }
        let shared = Arc::new(Shared {
            activity: Arc::new(Activity::new(&self.options)),
            peer,
            // A child of its own: polling it takes a lock that no other connection wants.
            drain: self.closing.drain(),
            closing: Arc::clone(&self.closing),
            options: Arc::clone(&self.options),
            meters: Arc::clone(&self.meters),
            door: self.door.clone(),
        });
        let place = Place::new(permit, peer_slot, Arc::clone(&self.meters));
        if let Some(loops) = loops {
            let stream = match stream.into_std() {
                Ok(stream) => stream,
                Err(error) => {
                    tracing::warn!(%error, %peer, "a connection cannot be taken over");
                    return place.end(Ended::Broken);
                }
            };
            let counted = self.tasks.token();
            let newcomer = Newcomer {
                stream,
                service,
                shared,
                place,
                counted,
            };
            return loops.bring(newcomer).await;
        }
        let protocols = Arc::clone(&self.protocols);
        self.tasks.spawn(async move {
            place.end(protocols.serve(stream, service, shared).await);
        });
    }

    async fn finish(self) -> DrainReport {
        let open = self.tasks.len();
        self.tasks.close();
        self.streams.close();
        tracing::info!(listener = self.options.name, open, "draining connections");
        let mut aborted = 0;
        if tokio::time::timeout(self.options.drain_timeout, self.tasks.wait())
            .await
            .is_err()
        {
            aborted = self.tasks.len();
            self.closing.abort().cancel();
            let ended = async {
                self.tasks.wait().await;
                self.streams.wait().await;
            };
            if tokio::time::timeout(ABORT_PATIENCE, ended).await.is_err() {
                tracing::error!(
                    listener = self.options.name,
                    stuck = self.tasks.len() + self.streams.len(),
                    "connections are stuck in a handler that does not yield"
                );
            }
        }
        let report = DrainReport {
            served: self.served.load(Ordering::Relaxed),
            drained: u64::try_from(open - aborted.min(open)).unwrap_or(u64::MAX),
            aborted: u64::try_from(aborted).unwrap_or(u64::MAX),
        };
        tracing::info!(
            listener = self.options.name,
            served = report.served,
            drained = report.drained,
            aborted = report.aborted,
            "drained"
        );
        report
    }
}

/// A permit for one more connection. At the cap this waits until a connection ends, which every
/// connection's deadlines see to.
async fn reserve(slots: &Arc<Semaphore>, meters: &Meters) -> OwnedSemaphorePermit {
    if let Ok(permit) = Arc::clone(slots).try_acquire_owned() {
        return permit;
    }
    meters.at_capacity.set(1.0);
    let permit = Arc::clone(slots)
        .acquire_owned()
        .await
        .expect("the semaphore is never closed: only this loop and its permits hold it");
    meters.at_capacity.set(0.0);
    permit
}
