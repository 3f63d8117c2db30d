//! One connection from accept to close: hyper's state machine, the watchdog and the drain, polled
//! side by side in one task.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, Expired, Phase};
use crate::gate::{Gate, Shared};
use crate::options::EdgeOptions;
use crate::request::RequestBody;
use crate::socket::Socket;
use crate::watchdog::Watchdog;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// hyper's read and write buffer; it starts at 8 KiB and grows only while a body needs it.
const MAX_BUFFER_BYTES: usize = 64 * 1024;
/// What hyper assumes without being told, and keeps on the stack.
const HYPER_MAX_HEADERS: usize = 100;

/// How a connection ended; the label of `corkboard_edge_closed_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By the client, or by both as HTTP says.
    Closed,
    /// The client broke the protocol or the connection.
    Broken,
    HeaderTimeout,
    IdleTimeout,
    WriteTimeout,
    /// Still open when the drain's time was up.
    Aborted,
}

impl Ended {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::HeaderTimeout => "header_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::Aborted => "aborted",
        }
    }
}

impl From<Expired> for Ended {
    fn from(expired: Expired) -> Self {
        match expired {
            Expired::Header => Self::HeaderTimeout,
            Expired::Idle => Self::IdleTimeout,
            Expired::Write => Self::WriteTimeout,
            Expired::Linger => Self::Closed,
        }
    }
}

/// hyper's part of the options. Its own header timer stays off: it cannot tell an idle connection
/// from one in mid-header, and arms a timer for every request. `pipeline_flush` stays off too: with
/// it hyper's write buffer has no bound, and one client that does not read takes all memory.
pub(crate) fn builder(options: &EdgeOptions) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(None)
        .max_header_size(options.max_header_bytes)
        .max_buf_size(MAX_BUFFER_BYTES.max(options.max_header_bytes));
    if options.max_headers != HYPER_MAX_HEADERS {
        builder.max_headers(options.max_headers);
    }
    builder
}

/// Serves one connection until it ends, is out of time, or `abort` is cancelled during the drain.
pub(crate) async fn drive<S, B>(
    builder: &http1::Builder,
    stream: TcpStream,
    service: S,
    shared: Arc<Shared>,
    abort: CancellationToken,
) -> Ended
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let activity = Arc::clone(&shared.activity);
    let options = Arc::clone(&shared.options);
    let drain_token = shared.drain.clone();
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&activity)));
    let mut http = pin!(builder.serve_connection(socket, Gate { service, shared }));
    let timer = pin!(Watchdog::timer(Instant::now() + options.header_timeout));
    let mut watchdog = Watchdog::new(timer);
    let mut draining = pin!(drain_token.cancelled());
    let mut aborting = pin!(abort.cancelled());
    let mut drain = Drain::NotYet;

    poll_fn(|cx| {
        loop {
            if let Poll::Ready(result) = http.as_mut().poll(cx) {
                return Poll::Ready(if result.is_ok() {
                    Ended::Closed
                } else {
                    Ended::Broken
                });
            }
            if drain == Drain::NotYet && draining.as_mut().poll(cx).is_ready() {
                drain = Drain::IdleUntil(Instant::now() + options.drain_idle_grace);
            }
            if drain != Drain::NotYet && aborting.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ended::Aborted);
            }
            if drain.wants_goodbye(activity.phase()) {
                drain = Drain::GoodbyeSaid;
                http.as_mut().graceful_shutdown();
                continue;
            }
            return poll_deadlines(cx, &mut watchdog, &activity, &options, drain);
        }
    })
    .await
}

/// How far this connection is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drain {
    NotYet,
    /// An idle connection is kept a moment longer, for a request that is already on its way.
    IdleUntil(Instant),
    /// hyper closes after the response in flight.
    GoodbyeSaid,
}

impl Drain {
    fn wants_goodbye(self, phase: Phase) -> bool {
        match self {
            Self::NotYet | Self::GoodbyeSaid => false,
            Self::IdleUntil(end) => match phase {
                Phase::Silent | Phase::Idle => Instant::now() >= end,
                Phase::Header | Phase::Busy | Phase::Lingering => true,
            },
        }
    }
}

fn poll_deadlines(
    cx: &mut Context<'_>,
    watchdog: &mut Watchdog<'_>,
    activity: &Activity,
    options: &EdgeOptions,
    drain: Drain,
) -> Poll<Ended> {
    let patience = activity.deadline(options);
    let goodbye = match drain {
        Drain::IdleUntil(end) => Some(end),
        Drain::NotYet | Drain::GoodbyeSaid => None,
    };
    let Some(nearest) = patience.map(|(at, _)| at).into_iter().chain(goodbye).min() else {
        return Poll::Pending;
    };
    if watchdog.poll_until(cx, nearest).is_pending() {
        return Poll::Pending;
    }
    match patience {
        Some((at, expired)) if at <= nearest => Poll::Ready(expired.into()),
        _ => {
            // Time to say goodbye: the caller does so when it is polled again.
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}
