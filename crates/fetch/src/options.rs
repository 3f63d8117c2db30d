//! What an operator may set about connected content, with the defaults and why they are what they
//! are. The configuration room fills this in; nothing here reads a file or the environment.

use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use rustls::pki_types::CertificateDer;

/// A template may not hold its render longer than this, whatever is configured.
const LONGEST_TOTAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Settings of a [`crate::FetchClient`].
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// Networks that the address guard lets through although it would refuse them.
    pub allow_networks: Vec<IpNet>,
    /// Ports that may be called; empty means any.
    pub allow_ports: Vec<u16>,
    /// From leave to call to the last byte of the answer: name resolution, connecting, TLS, head and
    /// body. At most ten seconds; a template may set its own.
    pub total_timeout: Duration,
    /// How long a call may wait for leave: for its turn at the host, and for a free slot.
    pub queue_timeout: Duration,
    /// How long [`corkboard_core::connected::ConnectedContent::fetch`] goes on trying again.
    pub retry_patience: Duration,
    /// For the TCP handshake, over all addresses of a name together.
    pub connect_timeout: Duration,
    /// Longest body that is read, in bytes.
    pub max_body: usize,
    /// Longest request body that a template may send, in bytes.
    pub max_request_body: usize,
    /// JSON with more values than this is refused: a small text can become a large tree.
    pub max_json_values: usize,
    /// How long a GET's response is shared when the template does not say.
    pub cache_ttl: Duration,
    /// Bound of the response cache, in bytes of memory (estimated); 0 caches nothing.
    pub cache_bytes: usize,
    /// Calls on the network at a time. Times `max_body` this bounds the memory of bodies.
    pub max_in_flight: usize,
    /// Calls that may wait for one of those; beyond, a call is answered at once with 529.
    pub max_queued: usize,
    /// Most calls to one host at a time for a workspace; the limit that is in force below it is
    /// learned.
    pub host_concurrent: usize,
    /// Calls of a workspace that may wait for one host.
    pub host_queued: usize,
    /// Calls to one host a second for a workspace; 0 is no cap.
    pub host_per_second: u32,
    /// More failures than this within a minute, and more than nine in ten calls, halt a host.
    pub halt_failures: u32,
    /// For how long.
    pub halt_time: Duration,
    /// Idle connections kept over all hosts.
    pub max_idle: usize,
    /// Idle connections kept for one workspace and host.
    pub max_idle_per_host: usize,
    /// An idle connection is closed after this.
    pub idle_timeout: Duration,
    /// Sent as `User-Agent` unless the template sets its own.
    pub user_agent: String,
    /// Certificate authorities trusted beside the public ones (DER).
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            allow_ports: vec![80, 443],
            total_timeout: Duration::from_secs(2),
            queue_timeout: Duration::from_secs(5),
            retry_patience: Duration::from_secs(6),
            connect_timeout: Duration::from_secs(1),
            max_body: 1024 * 1024,
            max_request_body: 256 * 1024,
            max_json_values: 100_000,
            cache_ttl: Duration::from_secs(300),
            cache_bytes: 64 * 1024 * 1024,
            max_in_flight: 512,
            max_queued: 16_384,
            host_concurrent: 512,
            host_queued: 4_096,
            host_per_second: 0,
            halt_failures: 3_000,
            halt_time: Duration::from_secs(60),
            max_idle: 1_024,
            max_idle_per_host: 512,
            idle_timeout: Duration::from_secs(30),
            user_agent: concat!("Corkboard/", env!("CARGO_PKG_VERSION")).to_owned(),
            extra_roots: Vec::new(),
        }
    }
}

/// Settings that make no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchOptionsError {
    #[error("the total time-out of a fetch is {0:?}; set one above zero, up to ten seconds")]
    TotalTimeout(Duration),
    #[error("the connect time-out of a fetch is {0:?}; set one above zero")]
    ConnectTimeout(Duration),
    #[error("no fetch could ever run; allow at least one in flight")]
    NoneInFlight,
    #[error("the user agent {0:?} is not a valid header value; use visible ASCII characters")]
    UserAgent(String),
    #[error("an extra certificate authority cannot be read; give certificates in DER form")]
    ExtraRoot,
    #[error("the TLS library refuses its default protocol versions")]
    Tls,
}

impl FetchOptions {
    pub(crate) fn check(&self) -> Result<HeaderValue, FetchOptionsError> {
        if self.total_timeout.is_zero() || self.total_timeout > LONGEST_TOTAL_TIMEOUT {
            return Err(FetchOptionsError::TotalTimeout(self.total_timeout));
        }
        if self.connect_timeout.is_zero() {
            return Err(FetchOptionsError::ConnectTimeout(self.connect_timeout));
        }
        if self.max_in_flight == 0 || self.host_concurrent == 0 {
            return Err(FetchOptionsError::NoneInFlight);
        }
        HeaderValue::from_str(&self.user_agent)
            .map_err(|_| FetchOptionsError::UserAgent(self.user_agent.clone()))
    }
}
