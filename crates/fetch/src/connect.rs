//! A new connection to a checked origin: resolve, judge every address, connect to exactly a judged
//! one, look who answered, and only then speak.
//!
//! There are no proxies and no environment: what is connected to is what was checked.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Host;

use crate::guard::{Guard, Origin, Refusal};
use crate::http2;
use crate::problem::Problem;
use crate::resolve::Resolve;
use crate::tls;

/// The sending half of an HTTP/1.1 connection.
pub(crate) type Sender = SendRequest<Full<Bytes>>;

/// A new connection, in the protocol that the endpoint chose while TLS was set up.
#[derive(Debug)]
pub(crate) enum Opened {
    One(Sender),
    Two(Arc<http2::Connection>),
}

/// A name may have many addresses; trying more than these would only use up the time-out.
const ADDRESSES_TRIED: usize = 4;

/// When an exchange has to be over, and how long it was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) after: Duration,
}

impl Deadline {
    pub(crate) fn in_time(after: Duration) -> Self {
        Self {
            at: Instant::now() + after,
            after,
        }
    }
}

/// Bound of the read buffer of a connection, into which the whole head of a response has to fit.
pub(crate) const MAX_HEAD_BYTES: u32 = 32 * 1024;

#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) guard: Guard,
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) connect_timeout: Duration,
    /// What may arrive for a call on a connection that is shared, its framing included.
    pub(crate) max_arrival: u64,
    /// Owns the task behind every connection.
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

impl Connector {
    pub(crate) async fn open(
        &self,
        origin: &Origin,
        deadline: Deadline,
    ) -> Result<Opened, Problem> {
        let addresses = self.addresses(origin, deadline).await?;
        let stream = self.dial(&addresses, origin.port, deadline.at).await?;
        if !origin.https {
            return Ok(Opened::One(self.start(stream).await?));
        }
        let name = match &origin.host {
            Host::Domain(name) => ServerName::try_from(name.clone())
                .map_err(|error| Problem::Tls(error.to_string()))?,
            Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
        };
        let handshake = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream);
        let stream = timeout_at(deadline.at, handshake)
            .await
            .map_err(|_| Problem::TimedOut(deadline.after))?
            .map_err(|error| Problem::Tls(error.to_string()))?;
        if stream.get_ref().1.alpn_protocol() != Some(tls::HTTP2) {
            return Ok(Opened::One(self.start(stream).await?));
        }
        let hello =
            http2::Connection::start(stream, self.max_arrival, &self.tasks, self.stop.clone());
        let connection = timeout_at(deadline.at, hello)
            .await
            .map_err(|_| Problem::TimedOut(deadline.after))?
            .map_err(|error| Problem::Broken(error.to_string()))?;
        Ok(Opened::Two(connection))
    }

    async fn addresses(&self, origin: &Origin, deadline: Deadline) -> Result<Vec<IpAddr>, Problem> {
        let name = match &origin.host {
            Host::Ipv4(address) => return self.literal((*address).into()),
            Host::Ipv6(address) => return self.literal((*address).into()),
            Host::Domain(name) => name,
        };
        let found = timeout_at(deadline.at, self.resolver.resolve(name))
            .await
            .map_err(|_| Problem::Resolve(format!("no reply within {:?}", deadline.after)))?
            .map_err(|error| Problem::Resolve(error.to_string()))?;
        if found.is_empty() {
            return Err(Problem::Resolve("the answer was empty".to_owned()));
        }
        Ok(self.guard.check_name(name, &found)?)
    }

    fn literal(&self, address: IpAddr) -> Result<Vec<IpAddr>, Problem> {
        Ok(vec![self.guard.check_address(address)?])
    }

    /// Tries the addresses one after the other; each gets an equal share of the time that is left.
    async fn dial(
        &self,
        addresses: &[IpAddr],
        port: u16,
        deadline: Instant,
    ) -> Result<TcpStream, Problem> {
        let end = deadline.min(Instant::now() + self.connect_timeout);
        let tried = match addresses {
            // A lost connection request is only repeated by the kernel after a second.
            [alone] => vec![*alone; 2],
            several => several[..several.len().min(ADDRESSES_TRIED)].to_vec(),
        };
        let mut last = Problem::Connect("no address to try".to_owned());
        for (done, address) in tried.iter().enumerate() {
            let now = Instant::now();
            let left = u32::try_from(tried.len() - done).unwrap_or(1);
            let share = now + end.saturating_duration_since(now) / left;
            let wanted = SocketAddr::new(*address, port);
            match timeout_at(share, TcpStream::connect(wanted)).await {
                Ok(Ok(stream)) => return confirm(stream, wanted),
                Ok(Err(error)) => {
                    last = Problem::Connect(error.to_string());
                    if addresses.len() == 1 {
                        break;
                    }
                }
                Err(_) => {
                    last = Problem::Connect(format!("none within {:?}", self.connect_timeout));
                }
            }
        }
        Err(last)
    }

    async fn start<S>(&self, stream: S) -> Result<Sender, Problem>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = Builder::new()
            .max_buf_size(MAX_HEAD_BYTES as usize)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Problem::Connect(error.to_string()))?;
        let stop = self.stop.clone();
        // Ends when the sender is dropped, when the peer closes, or at shutdown. What goes wrong on
        // it reaches the call that is using it.
        self.tasks.spawn(async move {
            let _ = stop.run_until_cancelled(connection).await;
        });
        Ok(sender)
    }
}

/// The kernel says who is at the other end; it has to be the address that was judged.
fn confirm(stream: TcpStream, wanted: SocketAddr) -> Result<TcpStream, Problem> {
    let peer = stream
        .peer_addr()
        .map_err(|error| Problem::Connect(error.to_string()))?;
    if peer.ip() != wanted.ip() || peer.port() != wanted.port() {
        return Err(Refusal::OtherPeer.into());
    }
    // Requests are small and written at once: waiting to fill packets only costs time. Failing to
    // set this is harmless.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

#[cfg(test)]
mod tests;
