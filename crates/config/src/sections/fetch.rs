//! `[fetch]`: connected content.

use std::time::Duration;

use ipnet::IpNet;
use serde::{Serialize, Serializer};

use crate::reader::Section;
use crate::tree::Value;
use crate::{duration, size};

/// What templates may call, and at what cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FetchConfig {
    /// Networks that the address guard lets through although it would refuse them.
    #[serde(serialize_with = "networks")]
    pub allow_networks: Vec<IpNet>,
    /// Ports that may be called; empty means any.
    pub allow_ports: Vec<u16>,
    /// From leave to call to the last byte of the answer.
    #[serde(serialize_with = "duration::serialize")]
    pub total_timeout: Duration,
    /// For the TCP handshake, over all addresses of a name.
    #[serde(serialize_with = "duration::serialize")]
    pub connect_timeout: Duration,
    /// For the wait until a call may leave.
    #[serde(serialize_with = "duration::serialize")]
    pub queue_timeout: Duration,
    /// Longest response body, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub max_body: u64,
    /// How long the response of a GET is shared when the template does not say.
    #[serde(serialize_with = "duration::serialize")]
    pub cache_ttl: Duration,
    /// Memory for shared responses, in bytes.
    #[serde(serialize_with = "size::serialize")]
    pub cache_bytes: u64,
    /// Calls on the network at a time.
    pub max_in_flight: usize,
    /// Calls that may wait for one of those.
    pub max_queued: usize,
    /// Most calls to one host at a time, for each workspace.
    pub host_concurrent: usize,
    /// Calls that may wait for one host, for each workspace.
    pub host_queued: usize,
    /// Calls to one host a second, for each workspace; 0 is no cap.
    pub host_per_second: u32,
    /// More failures than this within a minute halt a host.
    pub halt_failures: u32,
    /// How long a host is halted.
    #[serde(serialize_with = "duration::serialize")]
    pub halt_time: Duration,
}

impl FetchConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            allow_networks: section.list(
                "allow_networks",
                "networks such as \"127.0.0.0/8\"",
                network,
            ),
            allow_ports: section.list("allow_ports", "ports from 1 to 65535", port),
            total_timeout: section.duration("total_timeout", ["10ms", "10s"]),
            connect_timeout: section.duration("connect_timeout", ["10ms", "10s"]),
            queue_timeout: section.duration("queue_timeout", ["10ms", "30s"]),
            max_body: section.size("max_body", ["1KiB", "16MiB"]),
            cache_ttl: section.duration("cache_ttl", ["0s", "1d"]),
            cache_bytes: section.size("cache_bytes", ["0B", "64GiB"]),
            max_in_flight: section.number("max_in_flight", 1..=65_536),
            max_queued: section.number("max_queued", 0..=1_048_576),
            host_concurrent: section.number("host_concurrent", 1..=65_536),
            host_queued: section.number("host_queued", 0..=1_048_576),
            host_per_second: section.number("host_per_second", 0..=1_000_000),
            halt_failures: section.number("halt_failures", 1..=1_000_000_000),
            halt_time: section.duration("halt_time", ["1s", "1h"]),
        }
    }
}

fn network(value: &Value) -> Option<IpNet> {
    let Value::Text(text) = value else {
        return None;
    };
    text.parse().ok()
}

fn port(value: &Value) -> Option<u16> {
    let Value::Integer(number) = value else {
        return None;
    };
    u16::try_from(*number).ok().filter(|port| *port != 0)
}

fn networks<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(networks.iter().map(ToString::to_string))
}
