//! HTTP/2 frame by frame, for what no library would send: floods, half headers, goodbyes in the middle.
//!
//! [`FramePeer`] sets up TLS, sends its settings and reads; whenever a request's head arrives, the script
//! says which bytes go out. Requests are not decoded.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::tls;

const PREFACE: usize = 24;
const HEADERS: u8 = 1;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;

/// One frame as bytes.
///
/// # Panics
///
/// When the payload is longer than a frame can be.
#[must_use]
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `:status: 200` and nothing else; the stream goes on.
#[must_use]
pub fn ok_head(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &[0x88])
}

/// The last data of a stream.
#[must_use]
pub fn last_data(stream: u32, data: &[u8]) -> Vec<u8> {
    frame(0, END_STREAM, stream, data)
}

/// A reset of one stream.
#[must_use]
pub fn reset(stream: u32, reason: u32) -> Vec<u8> {
    frame(3, 0, stream, &reason.to_be_bytes())
}

/// The announcement that streams beyond `last` were not and will not be looked at.
#[must_use]
pub fn goodbye(last: u32, reason: u32) -> Vec<u8> {
    let payload = [last.to_be_bytes(), reason.to_be_bytes()].concat();
    frame(7, 0, 0, &payload)
}

/// Settings: pairs of number and value.
#[must_use]
pub fn settings(pairs: &[(u16, u32)]) -> Vec<u8> {
    let pair = |(number, value): &(u16, u32)| {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.extend(value.to_be_bytes());
        bytes
    };
    let payload: Vec<u8> = pairs.iter().flat_map(pair).collect();
    frame(4, 0, 0, &payload)
}

/// What the peer does next.
#[derive(Debug, Clone)]
pub enum Step {
    Send(Vec<u8>),
    /// Again and again, until the client has gone.
    Flood(Vec<u8>),
    Close,
}

/// Where a request's head was seen.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Counted from 0.
    pub connection: usize,
    /// Counted from 0 on its connection.
    pub request: usize,
    pub stream: u32,
}

type Script = Arc<dyn Fn(Arrival) -> Vec<Step> + Send + Sync>;

/// A running peer. Stops, with all its connections, when dropped.
pub struct FramePeer {
    address: SocketAddr,
    seen: Arc<Seen>,
    _stop: DropGuard,
}

#[derive(Debug, Default)]
struct Seen {
    connections: AtomicUsize,
    requests: AtomicUsize,
    sent: AtomicUsize,
}

impl fmt::Debug for FramePeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FramePeer({})", self.address)
    }
}

impl FramePeer {
    /// A peer named `localhost`, and the certificate to trust. `hello` is sent first, behind the
    /// obligatory settings.
    ///
    /// # Panics
    ///
    /// When there is no port left on loopback.
    pub async fn start(
        hello: Vec<u8>,
        script: impl Fn(Arrival) -> Vec<Step> + Send + Sync + 'static,
    ) -> (Self, CertificateDer<'static>) {
        let (tls, certificate) = tls::throw_away_identity(&[super::HTTP2]);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has one");
        let (seen, stop) = (Arc::new(Seen::default()), CancellationToken::new());
        let (tasks, script): (_, Script) = (TaskTracker::new(), Arc::new(script));
        let accepting = {
            let (seen, stop, tasks) = (Arc::clone(&seen), stop.clone(), tasks.clone());
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let connection = seen.connections.fetch_add(1, Ordering::SeqCst);
                    let (seen, tls) = (Arc::clone(&seen), tls.clone());
                    let (script, hello) = (Arc::clone(&script), hello.clone());
                    let serving = async move {
                        // Ends with an error when the client has gone.
                        let _ = serve(stream, &tls, &hello, connection, &script, &seen).await;
                    };
                    tasks.spawn(stop.clone().run_until_cancelled_owned(serving));
                }
            }
        };
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        let peer = Self {
            address,
            seen,
            _stop: stop.drop_guard(),
        };
        (peer, certificate)
    }

    /// A URL under the name of the certificate.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Connections accepted since the start.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Heads of requests seen since the start.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.seen.requests.load(Ordering::SeqCst)
    }

    /// Bytes that the client took since the start, without TLS.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.seen.sent.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: TcpStream,
    tls: &TlsAcceptor,
    hello: &[u8],
    connection: usize,
    script: &Script,
    seen: &Seen,
) -> io::Result<()> {
    let stream = tls.accept(stream).await?;
    let (mut reading, mut writing) = tokio::io::split(stream);
    reading.read_exact(&mut [0; PREFACE]).await?;
    writing.write_all(&settings(&[])).await?;
    writing.write_all(hello).await?;
    writing.flush().await?;
    let mut request = 0;
    loop {
        let mut head = [0_u8; 9];
        reading.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        reading.read_exact(&mut payload).await?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        match (head[3], head[4]) {
            (4, flags) if flags & ACK == 0 => {
                writing.write_all(&frame(4, ACK, 0, &[])).await?;
            }
            (6, flags) if flags & ACK == 0 => {
                writing.write_all(&frame(6, ACK, 0, &payload)).await?;
            }
            (HEADERS, _) => {
                seen.requests.fetch_add(1, Ordering::SeqCst);
                let arrival = Arrival {
                    connection,
                    request,
                    stream,
                };
                request += 1;
                for step in script(arrival) {
                    match step {
                        Step::Send(bytes) => {
                            writing.write_all(&bytes).await?;
                            seen.sent.fetch_add(bytes.len(), Ordering::SeqCst);
                        }
                        Step::Flood(bytes) => loop {
                            writing.write_all(&bytes).await?;
                            seen.sent.fetch_add(bytes.len(), Ordering::SeqCst);
                        },
                        Step::Close => return writing.shutdown().await,
                    }
                }
            }
            _ => {}
        }
        writing.flush().await?;
    }
}
