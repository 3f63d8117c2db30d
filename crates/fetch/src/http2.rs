//! HTTP/2 to an endpoint: one connection carries many calls.
//!
//! What that costs in safety is bought back here. A connection takes a bounded number of calls, never
//! more than the endpoint allows, so that its loss is the loss of a few; one on which a call came to no
//! good end takes no new ones; and what arrives on it is bounded by what was asked ([`allowance`]),
//! whatever kind of frame it comes in. `h2` itself bounds header lists, continuations and the resets
//! that it has to remember; pushes are refused.

mod allowance;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection as Driver, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use allowance::{Allowance, Metered};

/// Calls on one connection at a time.
const MOST_STREAMS: usize = 100;
/// Of a body, so much may arrive before it is read; of all of them together, so much.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 2 * 1024 * 1024;
/// Streams that were given up and whose frames may still arrive.
const REMEMBERED_RESETS: usize = 200;
/// A request waits here until the endpoint takes it.
const SEND_BUFFER: usize = 256 * 1024;
/// For saying goodbye.
const CLOSING_TIME: Duration = Duration::from_secs(1);

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// It was not sent.
    Unsent,
    /// The endpoint says that it did not look at it.
    Refused,
    /// The endpoint closed the connection in an orderly way, most likely before it looked at it.
    GoneAway(String),
    Broken(String),
}

#[derive(Debug)]
struct Seats {
    taken: usize,
    /// When the last one came free.
    since: Instant,
}

/// A connection that many calls share. Closes when nobody holds it any more.
#[derive(Debug)]
pub(crate) struct Connection {
    requests: SendRequest<Bytes>,
    seats: Mutex<Seats>,
    allowance: Arc<Allowance>,
    /// Takes no new calls.
    retired: AtomicBool,
    /// Cancelled with the task behind the connection.
    ended: CancellationToken,
    _unwanted: DropGuard,
}

impl Connection {
    /// Says hello on a stream whose other end speaks HTTP/2, and waits for its settings: without them
    /// nobody knows how many calls it takes. `per_call` bytes may arrive for every call.
    pub(crate) async fn start<S>(
        stream: S,
        per_call: u64,
        tasks: &TaskTracker,
        stop: CancellationToken,
    ) -> Result<Arc<Self>, h2::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let allowance = Arc::new(Allowance::new(per_call));
        let metered = Metered::new(stream, Arc::clone(&allowance));
        let (requests, mut driver) = Builder::new()
            .enable_push(false)
            .initial_max_send_streams(0)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(super::connect::MAX_HEAD_BYTES)
            .max_concurrent_reset_streams(REMEMBERED_RESETS)
            .max_send_buffer_size(SEND_BUFFER)
            .handshake(metered)
            .await?;
        poll_fn(|context| {
            let ended = pin!(&mut driver).poll(context);
            if ended.is_pending() && driver.max_concurrent_send_streams() == 0 {
                return Poll::Pending;
            }
            // One that has ended is noticed by its first call.
            Poll::Ready(())
        })
        .await;
        let (unwanted, ended) = (CancellationToken::new(), CancellationToken::new());
        let ending = ended.clone().drop_guard();
        let driving = drive(driver, unwanted.clone());
        tasks.spawn(async move {
            let _ending = ending;
            stop.run_until_cancelled(driving).await;
        });
        Ok(Arc::new(Self {
            requests,
            seats: Mutex::new(Seats {
                taken: 0,
                since: Instant::now(),
            }),
            allowance,
            retired: AtomicBool::new(false),
            ended,
            _unwanted: unwanted.drop_guard(),
        }))
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_usable(&self) -> bool {
        !self.retired.load(Ordering::Relaxed) && !self.ended.is_cancelled()
    }

    /// A place for a call, if there is one.
    pub(crate) fn seat(self: &Arc<Self>) -> Option<Seat> {
        if !self.is_usable() {
            return None;
        }
        let most = self.requests.current_max_send_streams().min(MOST_STREAMS);
        let mut seats = self.seats();
        (seats.taken < most).then(|| self.sit(&mut seats))
    }

    /// The place of the one who opened it, who waits for an endpoint that takes none at first.
    pub(crate) fn first_seat(self: &Arc<Self>) -> Seat {
        self.sit(&mut self.seats())
    }

    fn sit(self: &Arc<Self>, seats: &mut Seats) -> Seat {
        seats.taken += 1;
        self.allowance.renew(seats.taken);
        Seat {
            connection: Arc::clone(self),
        }
    }

    /// Since when no call has been on it; `None` while there is one.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        let seats = self.seats();
        (seats.taken == 0).then_some(seats.since)
    }
}

/// A place on a connection; comes free when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    connection: Arc<Connection>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.connection.seats();
        seats.taken -= 1;
        seats.since = Instant::now();
        if seats.taken == 0 {
            self.connection.allowance.renew(0);
        }
    }
}

impl Seat {
    /// No call is to follow on this connection. Those that are on it go on.
    pub(crate) fn retire(&self) {
        self.connection.retired.store(true, Ordering::Relaxed);
    }

    /// Sends a request and waits for the head of its answer. Dropped before its end, it takes the
    /// request back.
    pub(crate) async fn ask(
        &self,
        request: Request<()>,
        body: Bytes,
    ) -> Result<Response<RecvStream>, Lost> {
        let requests = self.connection.requests.clone();
        let mut requests = requests.ready().await.map_err(|_| Lost::Unsent)?;
        let (answer, mut sending) = requests
            .send_request(request, body.is_empty())
            .map_err(|_| Lost::Unsent)?;
        let answered = async {
            // An endpoint may know its answer before it has read everything.
            tokio::pin!(answer);
            tokio::select! {
                biased;
                answered = &mut answer => answered,
                sent = send(&mut sending, body) => match sent {
                    Ok(()) => answer.await,
                    Err(error) => Err(error),
                },
            }
        };
        answered.await.map_err(|error| lost(&error))
    }
}

async fn send(stream: &mut SendStream<Bytes>, mut body: Bytes) -> Result<(), h2::Error> {
    while !body.is_empty() {
        stream.reserve_capacity(body.len());
        let Some(room) = poll_fn(|context| stream.poll_capacity(context)).await else {
            // The endpoint wants no more of it; its answer says why.
            return Ok(());
        };
        let piece = body.split_to(room?.min(body.len()));
        if !piece.is_empty() {
            stream.send_data(piece, body.is_empty())?;
        }
    }
    Ok(())
}

fn lost(error: &h2::Error) -> Lost {
    if error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM) {
        Lost::Refused
    } else if error.is_remote() && error.is_go_away() && error.reason() == Some(Reason::NO_ERROR) {
        Lost::GoneAway(error.to_string())
    } else {
        Lost::Broken(error.to_string())
    }
}

/// The task behind a connection: until it ends, or nobody wants it any more.
async fn drive<S>(driver: Driver<Metered<S>, Bytes>, unwanted: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    tokio::pin!(driver);
    tokio::select! {
        // What went wrong reaches the calls that are on it.
        _ = &mut driver => return,
        () = unwanted.cancelled() => {}
    }
    // The other side has a moment to take the goodbye.
    let _ = timeout(CLOSING_TIME, driver).await;
}
