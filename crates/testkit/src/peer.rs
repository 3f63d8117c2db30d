//! A scripted HTTP peer: the endpoint that a test needs, including the ones nobody wants.
//!
//! It speaks just enough HTTP/1.1 by hand, because a proper server library refuses to misbehave: it
//! resets, hangs, trickles, lies about lengths and never ends on demand. It counts and records
//! what it was asked. Paths without a script answer 404. Over TLS it speaks HTTP/2, too, where a test
//! wants it; what no HTTP/2 library would send comes from [`frames`].

mod answer;
pub mod frames;
mod http2;
mod request;
mod script;
mod tls;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use answer::Next;
pub use request::RecordedRequest;
pub use script::{Gate, Reply};

/// Older recordings are forgotten beyond this many; counts go on.
const RECORDING_LIMIT: usize = 10_000;

/// What HTTP/2 is called while TLS is set up.
const HTTP2: &[u8] = b"h2";

type Answer = Arc<dyn Fn(&RecordedRequest) -> Reply + Send + Sync>;

#[derive(Default)]
struct Board {
    routes: HashMap<String, Answer>,
    calls: HashMap<String, usize>,
    recorded: VecDeque<RecordedRequest>,
}

#[derive(Default)]
struct Shared {
    board: Mutex<Board>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Shared {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &RecordedRequest) -> Reply {
        let mut board = self.board();
        let path = request.path().to_owned();
        *board.calls.entry(path.clone()).or_default() += 1;
        if board.recorded.len() == RECORDING_LIMIT {
            board.recorded.pop_front();
        }
        board.recorded.push_back(request.clone());
        let exact = board.routes.get(&path);
        let route = exact.or_else(|| {
            let prefixed = board.routes.iter().filter_map(|(pattern, answer)| {
                let prefix = pattern.strip_suffix('*')?;
                path.starts_with(prefix).then_some((prefix.len(), answer))
            });
            prefixed
                .max_by_key(|(length, _)| *length)
                .map(|(_, answer)| answer)
        });
        let route = route.cloned();
        drop(board);
        route.map_or_else(|| Reply::status(404), |answer| answer(request))
    }
}

/// A running peer. Stops, with all its connections, when dropped.
pub struct Peer {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({}://{})", self.scheme, self.address)
    }
}

impl Peer {
    /// A peer on 127.0.0.1, on a port of its own.
    pub async fn start() -> Self {
        Self::start_on(IpAddr::V4(Ipv4Addr::LOCALHOST)).await
    }

    /// A peer on this local address.
    ///
    /// # Panics
    ///
    /// When the host has no such address.
    pub async fn start_on(ip: IpAddr) -> Self {
        Self::listen(ip, None).await
    }

    /// A peer that speaks TLS under the name `localhost`, and the certificate to trust.
    pub async fn start_tls() -> (Self, CertificateDer<'static>) {
        let (acceptor, certificate) = tls::throw_away_identity(&[]);
        (
            Self::listen(IpAddr::V4(Ipv4Addr::LOCALHOST), Some(acceptor)).await,
            certificate,
        )
    }

    /// A peer that speaks HTTP/2 under the name `localhost`, and HTTP/1.1 with those who do not, and the
    /// certificate to trust. At most `streams` requests at a time on a connection.
    pub async fn start_http2(streams: u32) -> (Self, CertificateDer<'static>) {
        let (acceptor, certificate) = tls::throw_away_identity(&[HTTP2, b"http/1.1"]);
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let peer = Self::listen_for(here, Some(acceptor), streams).await;
        (peer, certificate)
    }

    async fn listen(ip: IpAddr, tls: Option<TlsAcceptor>) -> Self {
        Self::listen_for(ip, tls, 0).await
    }

    async fn listen_for(ip: IpAddr, tls: Option<TlsAcceptor>, streams: u32) -> Self {
        let listener = TcpListener::bind((ip, 0))
            .await
            .unwrap_or_else(|error| panic!("a test peer cannot listen on {ip}: {error}"));
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let tasks = TaskTracker::new();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let accepting = accept(
            listener,
            tls,
            streams,
            Arc::clone(&shared),
            stop.clone(),
            tasks.clone(),
        );
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Self {
            address,
            scheme,
            shared,
            _stop: stop.drop_guard(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An absolute URL of this peer, by address.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// An absolute URL of this peer under a host name of the test's choice.
    #[must_use]
    pub fn url_as(&self, host: &str, path: &str) -> String {
        format!("{}://{host}:{}{path}", self.scheme, self.address.port())
    }

    /// Answers every request for `path` (without query) like this. A trailing `*` takes all paths
    /// that begin so; the longest such pattern wins, an exact path wins over all.
    pub fn on(&self, path: &str, reply: Reply) -> &Self {
        self.on_each(path, move |_| reply.clone())
    }

    /// Answers one after the other; the last reply repeats.
    ///
    /// # Panics
    ///
    /// At the first request when there are no replies.
    pub fn on_sequence(&self, path: &str, replies: Vec<Reply>) -> &Self {
        let next = AtomicUsize::new(0);
        self.on_each(path, move |_| {
            let at = next.fetch_add(1, Ordering::SeqCst).min(replies.len() - 1);
            replies[at].clone()
        })
    }

    /// Answers with what `answer` makes of the request.
    pub fn on_each(
        &self,
        path: &str,
        answer: impl Fn(&RecordedRequest) -> Reply + Send + Sync + 'static,
    ) -> &Self {
        self.shared
            .board()
            .routes
            .insert(path.to_owned(), Arc::new(answer));
        self
    }

    /// How often this path (without query) was asked for.
    #[must_use]
    pub fn calls(&self, path: &str) -> usize {
        self.shared
            .board()
            .calls
            .get(path)
            .copied()
            .unwrap_or_default()
    }

    /// How many requests arrived, of any path.
    #[must_use]
    pub fn total_calls(&self) -> usize {
        self.shared.board().calls.values().sum()
    }

    /// How many connections were accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open_connections(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }

    /// What was asked, oldest first (the last 10,000).
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.board().recorded.iter().cloned().collect()
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    streams: u32,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.accepted.fetch_add(1, Ordering::SeqCst);
        shared.open.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        let tls = tls.clone();
        let serving = async move {
            match tls {
                None => converse(stream, &shared, |stream: &TcpStream| linger(stream)).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
                            http2::converse(stream, &shared, streams).await;
                            shared.open.fetch_sub(1, Ordering::SeqCst);
                            return;
                        }
                        let abort = |stream: &TlsStream<TcpStream>| linger(stream.get_ref().0);
                        converse(stream, &shared, abort).await;
                    }
                }
            }
            shared.open.fetch_sub(1, Ordering::SeqCst);
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(serving));
    }
}

/// Makes the following drop of the stream a reset. Failing to is harmless: the test then sees it.
fn linger(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn converse<S>(mut stream: S, shared: &Shared, abort: impl Fn(&S))
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut buffer = BytesMut::new();
    while let Ok(Some(request)) = request::read_request(&mut stream, &mut buffer).await {
        let reply = shared.answer(&request);
        match answer::write_reply(&mut stream, &request.method, &reply).await {
            Ok(Next::KeepAlive) => {}
            Ok(Next::Reset) => return abort(&stream),
            Ok(Next::Close) | Err(_) => return,
        }
    }
}
