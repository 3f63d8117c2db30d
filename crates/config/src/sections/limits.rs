//! `[limits]`: what clients may hold and ask for.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use crate::reader::Section;
use crate::{duration, size};

/// Bounds of the HTTP surface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LimitsConfig {
    /// Connections open at once.
    pub max_connections: usize,
    /// Connections open at once from one address; 0 for no cap.
    pub max_connections_per_peer: u32,
    /// To the end of a request's header.
    #[serde(serialize_with = "duration::serialize")]
    pub header_timeout: Duration,
    /// Bytes a second that a client has to send of a body, and to take of a response.
    #[serde(serialize_with = "size::serialize")]
    pub min_body_rate: u64,
    /// How long a body is waited for before the rate is asked of it.
    #[serde(serialize_with = "duration::serialize")]
    pub body_timeout: Duration,
    /// Between two pieces of a body.
    #[serde(serialize_with = "duration::serialize")]
    pub body_progress_timeout: Duration,
    /// How long a client may take less of a response than the rate asks for.
    #[serde(serialize_with = "duration::serialize")]
    pub write_timeout: Duration,
    /// Between a response and the next request.
    #[serde(serialize_with = "duration::serialize")]
    pub idle_timeout: Duration,
    /// Frames a second that a connection of HTTP/2 may send beside its requests.
    pub http2_frame_rate: u32,
    /// After SIGTERM, how long requests in flight may take.
    #[serde(serialize_with = "duration::serialize")]
    pub drain_timeout: Duration,
    /// Longest request body, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub max_body: u64,
    /// Server API requests of one workspace a second; 0 for no limit.
    pub server_api_per_second: u32,
    /// How many of them may come at once.
    pub server_api_burst: u32,
    /// Client API requests of one workspace a second; 0 for no limit.
    pub client_api_per_second: u32,
    /// How many of them may come at once.
    pub client_api_burst: u32,
    /// How long a request with an idempotency key may go unanswered before a repeat is executed.
    #[serde(serialize_with = "duration::serialize")]
    pub idempotency_takeover: Duration,
    /// Open `/v1/feed/live` streams.
    pub sse_subscribers: usize,
    /// Largest rendered card, all its fields together, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub card_bytes: u64,
}

impl LimitsConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            max_connections: section.number("max_connections", 1..=1_000_000),
            max_connections_per_peer: section.number("max_connections_per_peer", 0..=1_000_000),
            header_timeout: section.duration("header_timeout", ["100ms", "5m"]),
            min_body_rate: section.size("min_body_rate", ["1B", "1MiB"]),
            body_timeout: section.duration("body_timeout", ["100ms", "10m"]),
            body_progress_timeout: section.duration("body_progress_timeout", ["100ms", "10m"]),
            write_timeout: section.duration("write_timeout", ["100ms", "10m"]),
            idle_timeout: section.duration("idle_timeout", ["100ms", "1h"]),
            http2_frame_rate: section.number("http2_frame_rate", 1..=1_000_000),
            drain_timeout: section.duration("drain_timeout", ["0s", "1h"]),
            max_body: section.size("max_body", ["1KiB", "64MiB"]),
            server_api_per_second: section.number("server_api_per_second", 0..=10_000_000),
            server_api_burst: section.number("server_api_burst", 1..=10_000_000),
            client_api_per_second: section.number("client_api_per_second", 0..=10_000_000),
            client_api_burst: section.number("client_api_burst", 1..=10_000_000),
            idempotency_takeover: section.duration("idempotency_takeover", ["1s", "1h"]),
            sse_subscribers: section.number("sse_subscribers", 0..=1_000_000),
            card_bytes: section.size("card_bytes", ["256B", "64KiB"]),
        }
    }

    /// [`Self::max_connections_per_peer`] as a cap.
    #[must_use]
    pub fn peer_cap(&self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.max_connections_per_peer)
    }
}
