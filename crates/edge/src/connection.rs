//! One connection from accept to close: hyper's state machine, the watchdog and the drain, polled
//! side by side in one task.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

use crate::activity::{Activity, Expired};
use crate::drain::Drain;
use crate::gate::{Gate, Shared};
use crate::http2::StreamTasks;
use crate::lane::{Answers, LaneConversation};
use crate::opening;
use crate::options::EdgeOptions;
use crate::service::HttpService;
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
    /// The client sent more frames than it may beside its requests.
    Flood,
    /// Still open when the drain's time was up.
    Aborted,
    /// What answers has panicked.
    Panic,
}

impl Ended {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "broken",
            Self::HeaderTimeout => "header_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::Flood => "flood",
            Self::Aborted => "aborted",
            Self::Panic => "panic",
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
fn builder(options: &EdgeOptions) -> http1::Builder {
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

/// How the connections of one listener speak.
pub(crate) struct Protocols {
    http1: http1::Builder,
    /// When HTTP/2 is spoken at all.
    http2: Option<http2::Builder<StreamTasks>>,
    tls: Option<TlsAcceptor>,
}

impl Protocols {
    pub(crate) fn new(options: &EdgeOptions, streams: TaskTracker) -> Self {
        Self {
            http1: builder(options),
            http2: options
                .http2
                .then(|| crate::http2::builder(options, streams)),
            tls: options
                .tls
                .as_ref()
                .map(|certificates| certificates.acceptor(options.http2)),
        }
    }

    /// Whether every connection begins with HTTP/1.1, and bare.
    pub(crate) fn are_plain(&self) -> bool {
        self.tls.is_none() && self.http2.is_none()
    }

    /// Serves one connection until it ends, is out of time, or is cut off during the
    /// drain.
    pub(crate) async fn serve<S>(&self, stream: TcpStream, service: S, shared: Arc<Shared>) -> Ended
    where
        S: HttpService,
    {
        // Boxed, so that a plain connection of HTTP/1.1 does not keep room for the others.
        if let Some(acceptor) = &self.tls {
            Box::pin(async {
                let opening = opening::handshake(acceptor, stream, &shared);
                let (stream, http2) = match unless_aborted(opening, &shared).await {
                    Ok(opened) => opened,
                    Err(ended) => return ended,
                };
                let socket = Socket::new(stream, Bytes::new(), Arc::clone(&shared.activity));
                self.speak(socket, http2, service, shared).await
            })
            .await
        } else if self.http2.is_some() {
            Box::pin(async {
                let opening = opening::version(&stream, &shared);
                let (read, http2) = match unless_aborted(opening, &shared).await {
                    Ok(opened) => opened,
                    Err(ended) => return ended,
                };
                let socket = Socket::new(stream, read, Arc::clone(&shared.activity));
                self.speak(socket, http2, service, shared).await
            })
            .await
        } else {
            let socket = Socket::new(stream, Bytes::new(), Arc::clone(&shared.activity));
            self.speak_http1(socket, service, shared).await
        }
    }

    async fn speak<T, S>(
        &self,
        mut socket: Socket<T>,
        http2: bool,
        service: S,
        shared: Arc<Shared>,
    ) -> Ended
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        S: HttpService,
    {
        // Boxed one by one, so that neither keeps room for the other.
        match &self.http2 {
            Some(builder) if http2 => {
                shared.activity.multiplex();
                socket.bound_frames(shared.options.http2_frame_rate);
                Box::pin(async {
                    let gate = Gate {
                        service,
                        shared: Arc::clone(&shared),
                    };
                    let http = pin!(builder.serve_connection(TokioIo::new(socket), gate));
                    drive(http, &shared).await.ended()
                })
                .await
            }
            _ => Box::pin(self.speak_http1(socket, service, shared)).await,
        }
    }

    async fn speak_http1<T, S>(&self, socket: Socket<T>, service: S, shared: Arc<Shared>) -> Ended
    where
        T: AsyncRead + AsyncWrite + Unpin,
        S: HttpService,
    {
        let gate = Gate {
            service,
            shared: Arc::clone(&shared),
        };
        // Boxed, so that a connection on the short way, or one that has said nothing, does not keep room
        // for hyper and the service's futures.
        let Some(lane) = &shared.options.lane else {
            return Box::pin(self.speak_any_http1(socket, gate, &shared)).await;
        };
        let mut conversation = LaneConversation::new(socket, Arc::clone(lane), gate, Answers::Here);
        match drive(Pin::new(&mut conversation), &shared).await {
            Left::Ended(ended) => ended,
            Left::HandedOver => {
                let (socket, gate) = conversation.into_parts();
                Box::pin(self.speak_any_http1(socket, gate, &shared)).await
            }
        }
    }

    /// What the short way does not understand.
    pub(crate) async fn speak_any_http1<T, S>(
        &self,
        socket: Socket<T>,
        gate: Gate<S>,
        shared: &Shared,
    ) -> Ended
    where
        T: AsyncRead + AsyncWrite + Unpin,
        S: HttpService,
    {
        let http = pin!(self.http1.serve_connection(TokioIo::new(socket), gate));
        drive(http, shared).await.ended()
    }
}

async fn unless_aborted<T>(
    opening: impl Future<Output = Result<T, Ended>>,
    shared: &Shared,
) -> Result<T, Ended> {
    match shared.closing.abort().run_until_cancelled(opening).await {
        Some(opened) => opened,
        None => Err(Ended::Aborted),
    }
}

/// How a conversation ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finish {
    /// By the client, or by both as HTTP says.
    Closed,
    /// The client broke the protocol or the connection.
    Broken,
    /// What answers has panicked.
    Panicked,
    /// It has not: hyper goes on with it.
    HandOver,
}

impl From<hyper::Result<()>> for Finish {
    fn from(result: hyper::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Closed,
            Err(_) => Self::Broken,
        }
    }
}

/// How the watchdog left a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    Ended(Ended),
    HandedOver,
}

impl Left {
    pub(crate) fn by(finish: Finish, activity: &Activity) -> Self {
        Self::Ended(match finish {
            Finish::Closed => Ended::Closed,
            Finish::Broken if activity.was_flooded() => Ended::Flood,
            Finish::Broken => Ended::Broken,
            Finish::Panicked => Ended::Panic,
            Finish::HandOver => return Self::HandedOver,
        })
    }

    /// Of a conversation that hands nothing over.
    fn ended(self) -> Ended {
        match self {
            Self::Ended(ended) => ended,
            Self::HandedOver => Ended::Broken,
        }
    }
}

/// A connection of whatever kind: what the watchdog needs of it.
pub(crate) trait Conversation {
    /// Goes on with it until it ends.
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finish>;
    /// Ends it after what is in flight.
    fn say_goodbye(self: Pin<&mut Self>);
}

impl<T, S> Conversation for http1::Connection<TokioIo<Socket<T>>, Gate<S>>
where
    T: AsyncRead + AsyncWrite + Unpin,
    S: HttpService,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finish> {
        self.poll(cx).map(Finish::from)
    }

    fn say_goodbye(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<T, S> Conversation for http2::Connection<TokioIo<Socket<T>>, Gate<S>, StreamTasks>
where
    T: AsyncRead + AsyncWrite + Unpin + 'static,
    S: HttpService,
{
    fn poll_end(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Finish> {
        self.poll(cx).map(Finish::from)
    }

    fn say_goodbye(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Polls a connection and its watchdog side by side until one of them ends it. The connection stays
/// where it is: handed over, it would take its room twice in every idle task.
async fn drive(mut http: Pin<&mut impl Conversation>, shared: &Shared) -> Left {
    let (activity, options) = (&*shared.activity, &*shared.options);
    let timer = pin!(Watchdog::timer(activity.born() + options.header_timeout));
    let mut watchdog = Watchdog::new(timer);
    let mut draining = pin!(shared.drain.cancelled());
    let mut aborting = pin!(shared.closing.abort().cancelled());
    let mut changed = pin!(activity.changed.notified());
    let mut drain = Drain::NotYet;

    let mut will_be_woken = false;

    poll_fn(|cx| {
        if !will_be_woken {
            will_be_woken = true;
            let _ = draining.as_mut().poll(cx);
        }
        loop {
            let was_blocked = activity.is_blocked();
            if let Poll::Ready(finish) = http.as_mut().poll_end(cx) {
                return Poll::Ready(Left::by(finish, activity));
            }
            // A request that hyper found behind a body nobody read, while the answer before was still on its
            // way, waits for room to be answered; hyper makes that room last and does not look again.
            if was_blocked && !activity.is_blocked() {
                continue;
            }
            drain.notice(shared);
            if drain != Drain::NotYet && aborting.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Left::Ended(Ended::Aborted));
            }
            if drain.wants_goodbye(activity) {
                drain = Drain::GoodbyeSaid;
                http.as_mut().say_goodbye();
                continue;
            }
            if activity.is_multiplexed() {
                while changed.as_mut().poll(cx).is_ready() {
                    changed.set(activity.changed.notified());
                }
            }
            let Some((at, why)) = drain.deadline(shared) else {
                return Poll::Pending;
            };
            ready!(watchdog.poll_until(cx, at));
            if let Some(expired) = why {
                return Poll::Ready(Left::Ended(expired.into()));
            }
        }
    })
    .await
}
