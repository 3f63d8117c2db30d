//! The numbers an operator reads about a listener.

use metrics::{Counter, Gauge, counter, describe_counter, describe_gauge, gauge};

/// Why a connection or request is refused. Looking a counter up takes longer than refusing does, and
/// refusals come when there is no time.
const REFUSALS: [&str; 5] = [
    "malformed_request",
    "overloaded",
    "body_too_large",
    "request_timeout",
    "peer_cap",
];

/// Handles taken once for each listener, so that counting is one atomic addition.
#[derive(Debug)]
pub(crate) struct Meters {
    name: &'static str,
    pub(crate) connections: Gauge,
    pub(crate) connections_limit: Gauge,
    pub(crate) at_capacity: Gauge,
    pub(crate) accepted: Counter,
    pub(crate) accept_errors: Counter,
    pub(crate) requests: Counter,
    refused: [Counter; REFUSALS.len()],
}

impl Meters {
    pub(crate) fn new(name: &'static str) -> Self {
        describe_gauge!("corkboard_edge_connections", "Connections open now.");
        describe_gauge!(
            "corkboard_edge_connections_limit",
            "Connections that may be open at once."
        );
        describe_gauge!(
            "corkboard_edge_at_capacity",
            "1 while accepting is stopped because the connection cap is reached."
        );
        describe_counter!("corkboard_edge_accepted_total", "Connections accepted.");
        describe_counter!(
            "corkboard_edge_accept_errors_total",
            "Failed calls of accept."
        );
        describe_counter!(
            "corkboard_edge_requests_total",
            "Requests whose header was complete."
        );
        describe_counter!(
            "corkboard_edge_refused_total",
            "Connections and requests refused at the edge, by reason."
        );
        describe_counter!(
            "corkboard_edge_closed_total",
            "Connections ended, by reason."
        );
        Self {
            name,
            connections: gauge!("corkboard_edge_connections", "listener" => name),
            connections_limit: gauge!("corkboard_edge_connections_limit", "listener" => name),
            at_capacity: gauge!("corkboard_edge_at_capacity", "listener" => name),
            accepted: counter!("corkboard_edge_accepted_total", "listener" => name),
            accept_errors: counter!("corkboard_edge_accept_errors_total", "listener" => name),
            requests: counter!("corkboard_edge_requests_total", "listener" => name),
            refused: REFUSALS.map(|reason| {
                counter!("corkboard_edge_refused_total", "listener" => name, "reason" => reason)
            }),
        }
    }

    /// A connection or request was refused before any work was done for it, for one of
    /// [`REFUSALS`].
    pub(crate) fn refused(&self, reason: &'static str) {
        let counters = REFUSALS.iter().zip(&self.refused);
        for (_, counter) in counters.filter(|(name, _)| **name == reason) {
            counter.increment(1);
        }
    }

    /// A connection ended.
    pub(crate) fn closed(&self, reason: &'static str) {
        counter!("corkboard_edge_closed_total", "listener" => self.name, "reason" => reason)
            .increment(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Refusal;

    #[test]
    fn every_refusal_has_its_counter() {
        let refusals = [
            Refusal::NotOneHost,
            Refusal::BodyTooLarge {
                length: 2,
                limit: 1,
            },
            Refusal::BodyTimedOut,
            Refusal::Overloaded {
                retry_after_seconds: 1,
                stays_open: true,
            },
        ];
        for refusal in refusals {
            assert!(REFUSALS.contains(&refusal.code()), "{refusal:?}");
        }
    }
}
