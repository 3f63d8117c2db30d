//! What the accept loop allows a client to hold, and for how long.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::admission::AdmissionOptions;
use crate::lane::Lane;
use crate::pace;
use crate::tls::Certificates;

/// Bounds of one listener. The defaults suit a public listener; tests shorten the times.
#[derive(Debug, Clone)]
pub struct EdgeOptions {
    /// Label of this listener in metrics and logs, such as `public` or `admin`.
    pub name: &'static str,
    /// Connections open at once. At the cap nothing is refused: accepting stops, so that newcomers
    /// wait in the kernel's backlog until a connection ends.
    pub max_connections: usize,
    /// Connections open at once from one peer (an IPv4 address, or an IPv6 /64). Above it a new
    /// connection is closed at once. `None`: no cap, for behind a balancer every peer is the balancer.
    pub max_connections_per_peer: Option<NonZeroU32>,
    /// From accepting a connection, or from the first byte of a later request, until the whole
    /// header is there. Covers silent connections and half headers. The connection is closed.
    pub header_timeout: Duration,
    /// Between a response and the first byte of the next request. The connection is closed.
    pub idle_timeout: Duration,
    /// How long a request's body is waited for before [`Self::min_body_rate`] is asked of it, again
    /// and again. One that brings less in this time is answered with 408; one that keeps the rate
    /// may take as long as it needs. Time in which nobody waits for the client does not count.
    pub body_timeout: Duration,
    /// Between two pieces of a body. Answered with 408.
    pub body_progress_timeout: Duration,
    /// How long a client may take less of a response than [`Self::min_body_rate`] asks for, when
    /// there is more of it than fits on the way. The connection is closed; with HTTP/2, the one
    /// request is, as long as others of its connection go on.
    pub write_timeout: Duration,
    /// Bytes a second that a client has to send of a body, and to take of a response.
    pub min_body_rate: u64,
    /// After a refusal, how long what the client still sends is read and thrown away, so that it
    /// gets to see the answer instead of a reset.
    pub linger_timeout: Duration,
    /// Request line and headers together; more is answered with 431.
    pub max_header_bytes: usize,
    /// Header lines; more is answered with 431. Any other value than 100 costs one allocation for
    /// each request.
    pub max_headers: usize,
    /// A request whose `Content-Length` is above this is answered with 413 and not read. A body of
    /// unstated length is the router's to limit. `None`: no early refusal.
    pub max_body_bytes: Option<u64>,
    /// After shutdown, how long an idle connection stays open for a request that is already on its
    /// way; that request is answered with `Connection: close`.
    pub drain_idle_grace: Duration,
    /// After shutdown, how long requests in flight may take before they are cut off.
    pub drain_timeout: Duration,
    /// Admission control. `None`: every request is admitted, as on a listener for operators, who
    /// need their answer most when everybody else gets none.
    pub admission: Option<AdmissionOptions>,
    /// Speak TLS (1.2 and 1.3), with these certificates. The handshake counts to the time for the
    /// first header. `None`: plain HTTP, as behind a balancer.
    pub tls: Option<Certificates>,
    /// Asked first, on HTTP/1.1, for what memory can answer. `None`: everything goes to the service.
    pub lane: Option<Arc<dyn Lane>>,
    /// Speak HTTP/2 too: with TLS when both sides choose it, without TLS when the client begins
    /// with it (prior knowledge).
    pub http2: bool,
    /// Frames a second that a connection of HTTP/2 may send for nothing (pings, settings, room it
    /// makes), ten seconds of them at once. Each request and each half KiB of a response brings more.
    /// The connection is closed.
    pub http2_frame_rate: u32,
}

impl EdgeOptions {
    /// What a client has to take of a response within [`Self::write_timeout`].
    pub(crate) fn piece_bytes(&self) -> usize {
        let least = pace::least(self.min_body_rate, self.write_timeout);
        usize::try_from(least).unwrap_or(usize::MAX)
    }
}

impl Default for EdgeOptions {
    fn default() -> Self {
        Self {
            name: "public",
            max_connections: 16_000,
            max_connections_per_peer: None,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            body_progress_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(30),
            min_body_rate: 1024,
            linger_timeout: Duration::from_secs(5),
            max_header_bytes: 32 * 1024,
            max_headers: 100,
            max_body_bytes: Some(1024 * 1024),
            drain_idle_grace: Duration::from_millis(250),
            drain_timeout: Duration::from_secs(20),
            admission: None,
            tls: None,
            lane: None,
            http2: false,
            http2_frame_rate: 100,
        }
    }
}
