//! A small service behind a real edge, and a client that speaks bytes.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use corkboard_edge::{
    Asked, DrainReport, DrainSignal, EdgeOptions, Lane, PeerAddr, RequestBody, Verdict, listen,
    serve,
};
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Longer than anything here takes; reached only by a test that fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Time-outs short enough to wait for.
pub(crate) fn short() -> EdgeOptions {
    EdgeOptions {
        name: "test",
        header_timeout: Duration::from_millis(300),
        idle_timeout: Duration::from_millis(600),
        body_timeout: Duration::from_millis(800),
        body_progress_timeout: Duration::from_millis(300),
        write_timeout: Duration::from_millis(400),
        linger_timeout: Duration::from_secs(5),
        drain_idle_grace: Duration::from_millis(50),
        drain_timeout: Duration::from_secs(10),
        max_body_bytes: Some(1024),
        lane: Some(Arc::new(ToService)),
        ..EdgeOptions::default()
    }
}

/// Patient ones, for tests in which nothing may time out.
pub(crate) fn patient() -> EdgeOptions {
    EdgeOptions {
        name: "test",
        lane: Some(Arc::new(ToService)),
        ..EdgeOptions::default()
    }
}

/// Sends every request on to the service; streams, which have no length, by way of hyper.
#[derive(Debug)]
struct ToService;

impl Lane for ToService {
    fn at_once(&self, asked: &Asked<'_>, _: corkboard_edge::Reply<'_>) -> Verdict {
        if matches!(asked.path(), "/events" | "/flood") {
            Verdict::ELSEWHERE
        } else {
            Verdict::SERVICE
        }
    }
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    /// Lets `/gate` answer.
    pub(crate) gate: Arc<Notify>,
    /// Rung when `/gate` is reached.
    pub(crate) reached: Arc<Notify>,
    /// Responses of `/flood`, `/large` and `/medium` that exist.
    pub(crate) open: Arc<AtomicUsize>,
    /// Bytes that they were asked for.
    pub(crate) produced: Arc<AtomicUsize>,
    tasks: JoinSet<DrainReport>,
}

impl Server {
    pub(crate) fn start(options: EdgeOptions) -> Self {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let (gate, reached) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (open, produced) = (Arc::default(), Arc::default());
        let service = {
            let (gate, reached) = (Arc::clone(&gate), Arc::clone(&reached));
            let counts = (Arc::clone(&open), Arc::clone(&produced));
            tower::service_fn(move |request| {
                let counts = counts.clone();
                let flood = move |left| Flood::new(left, counts);
                answer(request, Arc::clone(&gate), Arc::clone(&reached), flood)
            })
        };
        let shutdown = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, service, options, shutdown.clone()));
        Self {
            address,
            shutdown,
            gate,
            reached,
            open,
            produced,
            tasks,
        }
    }

    pub(crate) async fn connect(&self) -> Client {
        Client {
            stream: self.dial().await,
        }
    }

    /// A connection that sends what it is given at once: a clock that is paused would run on while
    /// the kernel holds small pieces back.
    pub(crate) async fn dial(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Connects without yielding, so that the server has no chance to accept.
    pub(crate) fn connect_now(&self) -> Client {
        let stream = std::net::TcpStream::connect(self.address).unwrap();
        stream.set_nonblocking(true).unwrap();
        Client {
            stream: TcpStream::from_std(stream).unwrap(),
        }
    }

    /// The report of a drain that was asked for.
    pub(crate) async fn report(&mut self) -> DrainReport {
        timeout(DEADLINE, self.tasks.join_next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }
}

type Reply = Response<UnsyncBoxBody<Bytes, io::Error>>;

fn text(status: StatusCode, text: impl Into<Bytes>) -> Reply {
    let body = Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

async fn answer(
    request: Request<RequestBody>,
    gate: Arc<Notify>,
    reached: Arc<Notify>,
    flood: impl FnOnce(usize) -> Flood,
) -> Result<Reply, Infallible> {
    Ok(match request.uri().path() {
        "/echo" => match request.into_body().collect().await {
            Ok(body) => text(StatusCode::OK, body.to_bytes()),
            Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
        },
        "/gate" => {
            reached.notify_one();
            gate.notified().await;
            text(StatusCode::OK, "opened")
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(5)).await;
            text(StatusCode::OK, "late")
        }
        "/peer" => {
            let peer = request.extensions().get::<PeerAddr>().unwrap().0;
            text(StatusCode::OK, peer.to_string())
        }
        "/events" => events(&request),
        "/forever" => pending().await,
        "/flood" => Response::new(flood(usize::MAX).boxed_unsync()),
        "/medium" => Response::new(flood(8 * 1024).boxed_unsync()),
        "/large" => Response::new(flood(512 * 1024).boxed_unsync()),
        "/panic" => panic!("asked for by a test"),
        path => text(StatusCode::OK, path.to_owned()),
    })
}

/// One event at once, then silence until the drain.
fn events(request: &Request<RequestBody>) -> Reply {
    let drain = request.extensions().get::<DrainSignal>().unwrap().0.clone();
    let first = futures_util::stream::once(async { Ok(Frame::data(Bytes::from("event: hi\n\n"))) });
    let silence = futures_util::stream::once(async move {
        drain.cancelled().await;
        Ok(Frame::data(Bytes::from("event: bye\n\n")))
    });
    Response::new(StreamBody::new(futures_util::StreamExt::chain(first, silence)).boxed_unsync())
}

/// A large body, or one without end, for a client that does not read.
struct Flood {
    left: usize,
    open: Arc<AtomicUsize>,
    produced: Arc<AtomicUsize>,
}

impl Flood {
    fn new(left: usize, (open, produced): (Arc<AtomicUsize>, Arc<AtomicUsize>)) -> Self {
        open.fetch_add(1, Relaxed);
        Self {
            left,
            open,
            produced,
        }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Relaxed);
    }
}

impl Body for Flood {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left == 0 {
            return std::task::Poll::Ready(None);
        }
        // A large one comes whole, as rendered feeds do.
        let length = if self.left == usize::MAX {
            16 * 1024
        } else {
            std::mem::take(&mut self.left)
        };
        self.produced.fetch_add(length, Relaxed);
        std::task::Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b'x'; length])))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

pub(crate) struct Client {
    stream: TcpStream,
}

impl Client {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends without yielding, so that the server has no chance to read before others have sent, too.
    pub(crate) fn send_now(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        assert_eq!(self.stream.try_write(bytes).unwrap(), bytes.len());
    }

    /// Sends as much as the server takes before it closes.
    pub(crate) async fn send_all_it_takes(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(DEADLINE, self.stream.write_all(bytes))
            .await
            .unwrap()
    }

    /// Sends once, or says that the server is gone.
    pub(crate) async fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.writable().await?;
        match self.stream.try_write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            other => other.map(drop),
        }
    }

    /// So many bytes.
    pub(crate) async fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        timeout(DEADLINE, self.stream.read_exact(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        bytes
    }

    /// Closes the sending half.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// Whether a byte comes before the end.
    pub(crate) async fn first_byte(&mut self, byte: &mut [u8; 1]) -> bool {
        matches!(
            timeout(DEADLINE, self.stream.read(byte)).await.unwrap(),
            Ok(1)
        )
    }

    pub(crate) async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"))
            .await;
    }

    /// Everything until the server closes. A reset is an error of its own.
    pub(crate) async fn until_closed(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes_until_closed().await).into_owned()
    }

    pub(crate) async fn bytes_until_closed(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        timeout(DEADLINE, self.stream.read_to_end(&mut bytes))
            .await
            .expect("the server keeps the connection open")
            .expect("the connection was reset");
        bytes
    }

    /// Reads until the text ends with `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let mut seen = Vec::new();
        let reading = async {
            while !seen.ends_with(end.as_bytes()) {
                seen.push(self.stream.read_u8().await.unwrap());
            }
        };
        let done = timeout(DEADLINE, reading).await.is_ok();
        let seen = String::from_utf8_lossy(&seen).into_owned();
        assert!(done, "waited for {end:?}, got {seen:?}");
        seen
    }

    /// The connection ends without a word, be it by an end or a reset; how long that took.
    pub(crate) async fn silently_closed(&mut self) -> Duration {
        let start = Instant::now();
        let mut bytes = Vec::new();
        let ended = timeout(DEADLINE, self.stream.read_to_end(&mut bytes)).await;
        let _end_or_reset = ended.expect("the server keeps the connection open");
        assert_eq!(String::from_utf8_lossy(&bytes), "");
        start.elapsed()
    }

    /// The connection ends, after whatever the server had to say.
    pub(crate) async fn ended(&mut self) {
        let mut bytes = Vec::new();
        let ended = timeout(DEADLINE, self.stream.read_to_end(&mut bytes)).await;
        let _end_or_reset = ended.expect("the server keeps the connection open");
    }

    /// Nothing has arrived by now.
    pub(crate) async fn has_nothing(&self) -> bool {
        let nothing =
            poll_fn(|cx| std::task::Poll::Ready(self.stream.poll_read_ready(cx).is_pending()));
        nothing.await
    }
}
