//! One function for each room: the configuration in that room's own words. What the configuration
//! does not name keeps the room's default.

use corkboard_api::ApiOptions;
use corkboard_config::Config;
use corkboard_edge::{AdmissionOptions, Certificates, EdgeOptions, Inspect};
use corkboard_feed::FeedOptions;
use corkboard_fetch::FetchOptions;
use corkboard_send::SendOptions;
use corkboard_template::Limits;

/// Sizes in the configuration are bounded far below this.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Requests that clients can bring at a time: one by each connection of HTTP/1.1. A few connections of
/// HTTP/2 bring many each.
pub(crate) fn most_at_once(config: &Config) -> usize {
    const BY_FEW_CONNECTIONS: usize = 4_096;
    config.limits.max_connections.max(BY_FEW_CONNECTIONS)
}

pub(crate) fn template_limits(config: &Config) -> Limits {
    let template = &config.template;
    Limits {
        source_bytes: size(template.source_bytes),
        depth: template.depth,
        fuel: template.fuel,
        output_bytes: size(template.output_bytes),
        value_bytes: size(template.value_bytes),
        fetches: template.fetches,
        deadline: template.deadline,
        ..Limits::default()
    }
}

pub(crate) fn fetch_options(config: &Config) -> FetchOptions {
    let fetch = &config.fetch;
    FetchOptions {
        allow_networks: fetch.allow_networks.clone(),
        allow_ports: fetch.allow_ports.clone(),
        total_timeout: fetch.total_timeout,
        connect_timeout: fetch.connect_timeout,
        queue_timeout: fetch.queue_timeout,
        max_body: size(fetch.max_body),
        cache_ttl: fetch.cache_ttl,
        cache_bytes: size(fetch.cache_bytes),
        max_in_flight: fetch.max_in_flight,
        max_queued: fetch.max_queued,
        host_concurrent: fetch.host_concurrent,
        host_queued: fetch.host_queued,
        host_per_second: fetch.host_per_second,
        halt_failures: fetch.halt_failures,
        halt_time: fetch.halt_time,
        ..FetchOptions::default()
    }
}

/// `name` tells the workers of this process from all others.
pub(crate) fn send_options(config: &Config, name: &str) -> SendOptions {
    let send = &config.send;
    SendOptions {
        name: name.to_owned(),
        workers: send.workers,
        batch: send.batch,
        lease: send.lease,
        fetch_concurrency: send.fetch_concurrency,
        poll: send.poll,
        host_per_second: config.fetch.host_per_second,
        card_bytes: size(config.limits.card_bytes),
        template_limits: template_limits(config),
        ..SendOptions::default()
    }
}

pub(crate) fn feed_options(config: &Config) -> FeedOptions {
    FeedOptions {
        max_cards: config.feed.max_cards,
        refresh_after: config.feed.refresh_after,
        live_poll: config.feed.poll,
        card_bytes: size(config.limits.card_bytes),
        template_limits: template_limits(config),
        max_subscribers: config.limits.sse_subscribers,
        ..FeedOptions::default()
    }
}

pub(crate) fn api_options(config: &Config) -> ApiOptions {
    let limits = &config.limits;
    ApiOptions {
        max_body_bytes: size(limits.max_body),
        server_per_second: limits.server_api_per_second,
        server_burst: limits.server_api_burst,
        client_per_second: limits.client_api_per_second,
        client_burst: limits.client_api_burst,
        token_leeway: config.auth.leeway,
        token_memory: size(config.cache.token_memory),
        idempotency_stale_after: limits.idempotency_takeover,
        ..ApiOptions::default()
    }
}

/// The public listener's bounds. `inspect` says what admission control goes by, `tls` is what was
/// loaded from the configured files.
pub(crate) fn edge_options(
    config: &Config,
    inspect: Inspect,
    tls: Option<Certificates>,
) -> EdgeOptions {
    let (limits, edge) = (&config.limits, &config.edge);
    let admission = AdmissionOptions {
        min_in_flight: edge.min_in_flight,
        max_in_flight: edge.max_in_flight,
        max_waiting: edge.max_waiting,
        target: edge.queue_target,
        slow_start: edge.slow_start,
        ..AdmissionOptions::new(inspect)
    };
    EdgeOptions {
        name: "public",
        max_connections: limits.max_connections,
        max_connections_per_peer: limits.peer_cap(),
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        min_body_rate: limits.min_body_rate,
        body_timeout: limits.body_timeout,
        body_progress_timeout: limits.body_progress_timeout,
        write_timeout: limits.write_timeout,
        max_body_bytes: Some(limits.max_body),
        drain_timeout: limits.drain_timeout,
        admission: edge.admission.then_some(admission),
        tls,
        http2: edge.http2,
        http2_frame_rate: limits.http2_frame_rate,
        ..EdgeOptions::default()
    }
}
