//! Keys that must agree with each other.

use std::time::Duration;

use crate::config::Config;
use crate::problem::{Problem, Source, Warning};
use crate::sections::store::StoreKind;
use crate::tree::{Node, Table, Value};

/// What a chunk needs beside its slowest fetch: rendering, writing, renewing the lease.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// Collects disagreements, each blamed on the key the operator most probably wants to change.
struct Checks<'a> {
    tree: &'a Table,
    problems: &'a mut Vec<Problem>,
    warnings: &'a mut Vec<Warning>,
}

impl Checks<'_> {
    fn node(&self, key: &str) -> Option<&Node> {
        let mut parts = key.split('.');
        let mut node = self.tree.get(parts.next()?)?;
        for part in parts {
            let Value::Table(table) = &node.value else {
                return None;
            };
            node = table.get(part)?;
        }
        Some(node)
    }

    fn is_given(&self, key: &str) -> bool {
        self.node(key).is_some_and(|node| node.source.is_given())
    }

    fn source(&self, key: &str) -> Source {
        self.node(key)
            .map_or(Source::Default, |node| node.source.clone())
    }

    /// `key` disagrees with `other`; not said when either is wrong by itself.
    fn problem(&mut self, key: &str, other: &str, message: &str) {
        if self
            .problems
            .iter()
            .any(|problem| problem.key == key || problem.key == other)
        {
            return;
        }
        let blamed = if self.is_given(key) { key } else { other };
        let source = self.source(blamed);
        self.problems.push(Problem {
            key: key.into(),
            message: message.into(),
            source,
        });
    }

    fn warn(&mut self, key: &str, message: &str) {
        let source = self.source(key);
        self.warnings.push(Warning {
            key: key.into(),
            message: message.into(),
            source,
        });
    }
}

/// Checks a configuration whose keys are each valid.
pub(crate) fn check(
    config: &Config,
    tree: &Table,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Warning>,
) {
    let mut checks = Checks {
        tree,
        problems,
        warnings,
    };
    listeners(config, &mut checks);
    store(config, &mut checks);
    fetch_and_send(config, &mut checks);
    limits(config, &mut checks);
    edge(config, &mut checks);
}

fn listeners(config: &Config, checks: &mut Checks<'_>) {
    if config.listen == config.admin_listen && config.listen.port() != 0 {
        checks.problem(
            "admin_listen",
            "listen",
            "is the same as listen; give it a port of its own",
        );
    }
    if !config.admin_listen.ip().is_loopback() {
        let message = "is not a loopback address: metrics and log level are open to that network";
        checks.warn("admin_listen", message);
    }
}

fn store(config: &Config, checks: &mut Checks<'_>) {
    let unused: &[&str] = match config.store.kind {
        StoreKind::Sqlite { .. } => &["store.control", "store.database"],
        StoreKind::Postgres { .. } => &["store.path"],
    };
    for key in unused {
        if checks.is_given(key) {
            checks.warn(key, "has no effect with this store.kind");
        }
    }
    if matches!(config.store.kind, StoreKind::Sqlite { .. }) && config.cache.url.is_some() {
        checks.warn(
            "cache.url",
            "has no use with the embedded store, which serves a single node",
        );
    }
}

fn fetch_and_send(config: &Config, checks: &mut Checks<'_>) {
    let fetch = &config.fetch;
    if fetch.connect_timeout > fetch.total_timeout {
        checks.problem(
            "fetch.connect_timeout",
            "fetch.total_timeout",
            "is longer than fetch.total_timeout",
        );
    }
    if fetch.cache_bytes != 0 && fetch.cache_bytes < fetch.max_body {
        let message = "is less than fetch.max_body: the largest responses are never shared";
        checks.warn("fetch.cache_bytes", message);
    }
    if fetch
        .allow_networks
        .iter()
        .any(|network| network.prefix_len() == 0)
    {
        let message = "lets templates call every address, also those inside your own network";
        checks.warn("fetch.allow_networks", message);
    }
    if config.send.lease <= fetch.total_timeout {
        let message = "is not longer than fetch.total_timeout: one slow fetch would lose the chunk \
                       to another worker, again and again";
        checks.problem("send.lease", "fetch.total_timeout", message);
    } else if config.send.lease < fetch.total_timeout + LEASE_MARGIN {
        let message = "is less than fetch.total_timeout and 5s: a busy worker may lose its chunk \
                       and its work is done twice";
        checks.warn("send.lease", message);
    }
    if config.send.fetch_concurrency * config.send.workers > fetch.max_in_flight + fetch.max_queued
    {
        let message = "times send.workers is more than fetch takes in flight and in its queue: \
                       some calls will be answered with 529";
        checks.warn("send.fetch_concurrency", message);
    }
}

fn limits(config: &Config, checks: &mut Checks<'_>) {
    let limits = &config.limits;
    if limits.body_progress_timeout > limits.body_timeout {
        let message = "is longer than limits.body_timeout, which ends the body first";
        checks.warn("limits.body_progress_timeout", message);
    }
    if limits.sse_subscribers >= limits.max_connections {
        let message = "is not less than limits.max_connections: live streams can take every \
                       connection";
        checks.warn("limits.sse_subscribers", message);
    }
    let rates = [
        (
            "limits.server_api_burst",
            limits.server_api_burst,
            limits.server_api_per_second,
        ),
        (
            "limits.client_api_burst",
            limits.client_api_burst,
            limits.client_api_per_second,
        ),
    ];
    for (key, burst, per_second) in rates {
        if burst < per_second {
            checks.warn(
                key,
                "is less than one second's worth: an even load may be refused",
            );
        }
    }
}

fn edge(config: &Config, checks: &mut Checks<'_>) {
    let edge = &config.edge;
    if edge.tls_certificate.is_some() != edge.tls_key.is_some() {
        let message = "needs the other one of edge.tls_certificate and edge.tls_key";
        checks.problem("edge.tls_certificate", "edge.tls_key", message);
    }
    if edge.max_in_flight < edge.min_in_flight {
        let message = "is less than edge.min_in_flight";
        checks.problem("edge.max_in_flight", "edge.min_in_flight", message);
    }
}
