//! The counters of this room. Labels are bounded: never an id, and only the first few hosts by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

const CALLS: &str = "corkboard_fetch_calls_total";
const SECONDS: &str = "corkboard_fetch_seconds";
const IN_FLIGHT: &str = "corkboard_fetch_in_flight";
const CACHE_BYTES: &str = "corkboard_fetch_cache_bytes";
const HOST_CALLS: &str = "corkboard_fetch_host_calls_total";
const HALTS: &str = "corkboard_fetch_halts_total";
const LOG_DROPPED: &str = "corkboard_fetch_log_dropped_total";

/// How a request ended; the label of the calls counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    HttpError,
    Failed,
    Refused,
    HeldBack,
    Halted,
    Cached,
    Stale,
    Shared,
    Cancelled,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::HttpError => "http_error",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::HeldBack => "held_back",
            Self::Halted => "halted",
            Self::Cached => "cached",
            Self::Stale => "stale",
            Self::Shared => "shared",
            Self::Cancelled => "cancelled",
        }
    }
}

pub(crate) fn count(outcome: Outcome) {
    counter!(CALLS, "outcome" => outcome.as_str()).increment(1);
}

pub(crate) fn call_took(elapsed: Duration) {
    histogram!(SECONDS).record(elapsed.as_secs_f64());
}

pub(crate) fn cache_holds(bytes: usize) {
    gauge!(CACHE_BYTES).set(bytes as f64);
}

pub(crate) fn log_dropped() {
    counter!(LOG_DROPPED).increment(1);
}

/// Hosts with a label of their own; later ones share "other".
const NAMED_HOSTS: usize = 64;

/// Gives out labels, first come, first served.
#[derive(Debug, Default)]
pub(crate) struct HostLabels {
    names: Mutex<HashMap<String, Arc<str>>>,
}

impl HostLabels {
    pub(crate) fn meter(&self, host: &str) -> HostMeter {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(name) = names.get(host) {
            return HostMeter(Arc::clone(name));
        }
        if names.len() >= NAMED_HOSTS {
            return HostMeter::default();
        }
        let name: Arc<str> = host.into();
        names.insert(host.to_owned(), Arc::clone(&name));
        HostMeter(name)
    }
}

/// Counts what becomes of the calls to a host.
#[derive(Debug, Clone)]
pub(crate) struct HostMeter(Arc<str>);

impl Default for HostMeter {
    fn default() -> Self {
        Self("other".into())
    }
}

impl HostMeter {
    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// `class`: `2xx` to `5xx`, `failed` (599) or `not_called` (529, 598 and 0).
    pub(crate) fn ended(&self, class: &'static str) {
        counter!(HOST_CALLS, "host" => Arc::clone(&self.0), "class" => class).increment(1);
    }

    pub(crate) fn halted(&self) {
        counter!(HALTS, "host" => Arc::clone(&self.0)).increment(1);
    }
}

/// Counts a call in flight for as long as it lives.
#[derive(Debug)]
pub(crate) struct InFlight(());

impl InFlight {
    pub(crate) fn enter() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
    }
}

/// Tells the exporter what the metrics of this room mean. Call once, after installing it.
pub fn describe_metrics() {
    describe_counter!(CALLS, "Connected-content requests by how they ended");
    describe_histogram!(
        SECONDS,
        "Seconds from asking to the end of a call over the network"
    );
    describe_gauge!(IN_FLIGHT, "Connected-content calls on the network now");
    describe_gauge!(
        CACHE_BYTES,
        "Memory held by cached responses, in bytes (estimated)"
    );
    describe_counter!(
        HOST_CALLS,
        "Connected-content calls by host and class of outcome"
    );
    describe_counter!(HALTS, "Halts of hosts whose calls almost all failed");
    describe_counter!(
        LOG_DROPPED,
        "Call-log records dropped because the listener fell behind"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_hosts_have_a_label_of_their_own() {
        let labels = HostLabels::default();
        for number in 0..10 * NAMED_HOSTS {
            let host = format!("host-{number}.example");
            let expected = if number < NAMED_HOSTS { &host } else { "other" };
            assert_eq!(labels.meter(&host).name(), expected);
        }
        assert_eq!(labels.meter("host-0.example").name(), "host-0.example");
        assert_eq!(labels.names.lock().unwrap().len(), NAMED_HOSTS);
    }
}
