//! `[edge]`: what `listen` speaks, and how much work it takes on.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::duration;
use crate::reader::Section;

const SWITCH: [(&str, bool); 2] = [("on", true), ("off", false)];

/// The public listener, beyond the bounds of single connections in `[limits]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeConfig {
    /// HTTP/2 beside HTTP/1.1.
    #[serde(serialize_with = "switch")]
    pub http2: bool,
    /// PEM file of the certificate chain; with it, TLS is spoken.
    pub tls_certificate: Option<PathBuf>,
    /// PEM file of its key.
    pub tls_key: Option<PathBuf>,
    /// Whether requests beyond what the node can do are refused.
    #[serde(serialize_with = "switch")]
    pub admission: bool,
    /// Requests in flight that are always admitted.
    pub min_in_flight: u32,
    /// The most that are admitted.
    pub max_in_flight: u32,
    /// Requests that may wait for their turn.
    pub max_waiting: usize,
    /// How long they may wait in congestion.
    #[serde(serialize_with = "duration::serialize")]
    pub queue_target: Duration,
    /// How long the limit takes to open up after a start.
    #[serde(serialize_with = "duration::serialize")]
    pub slow_start: Duration,
}

impl EdgeConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        let file = |text: Option<String>| text.filter(|text| !text.is_empty()).map(PathBuf::from);
        Self {
            http2: section.choice("http2", &SWITCH).unwrap_or_default(),
            tls_certificate: file(section.optional_text("tls_certificate")),
            tls_key: file(section.optional_text("tls_key")),
            admission: section.choice("admission", &SWITCH).unwrap_or_default(),
            min_in_flight: section.number("min_in_flight", 1..=100_000),
            max_in_flight: section.number("max_in_flight", 1..=1_000_000),
            max_waiting: section.number("max_waiting", 0..=1_000_000),
            queue_target: section.duration("queue_target", ["1ms", "10s"]),
            slow_start: section.duration("slow_start", ["0s", "10m"]),
        }
    }

    /// Both files, when TLS is spoken.
    #[must_use]
    pub fn tls(&self) -> Option<(&PathBuf, &PathBuf)> {
        self.tls_certificate.as_ref().zip(self.tls_key.as_ref())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn switch<S: Serializer>(on: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *on { "on" } else { "off" })
}
