//! The guard at the moment of connecting: a canary on a forbidden address hears nothing.
//!
//! 127.0.0.1 stands for the public internet here (it is let through), 127.0.0.2 for the inside.

use std::net::IpAddr;
use std::sync::Arc;

use corkboard_core::connected::{FetchBody, FetchCaching, FetchRequest, FetchSource};
use corkboard_fetch::{FetchOptions, Resolve, SystemResolver};
use corkboard_testkit::{Peer, Reply};

use crate::bench_client::{Bench, expect_failure, get, open_options, text};

async fn canary() -> Peer {
    let inside: IpAddr = "127.0.0.2".parse().expect("an address");
    let peer = Peer::start_on(inside).await;
    peer.on("/*", Reply::text("the inside"));
    peer
}

fn uncached(url: &str) -> FetchRequest {
    FetchRequest {
        caching: FetchCaching::Never,
        ..get(url)
    }
}

#[tokio::test]
async fn literal_addresses_that_are_not_let_through_hear_nothing() {
    let (canary, bench) = (canary().await, Bench::open());
    let port = canary.address().port();
    for host in [
        "127.0.0.2",
        "127.2",
        "2130706434",
        "0x7f000002",
        "[::ffff:127.0.0.2]",
        "[::1]",
    ] {
        let response = bench.get(&format!("http://{host}:{port}/")).await;
        expect_failure(&response, 0, "may not be called");
        assert_eq!(response.report.source, FetchSource::Refused);
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn by_default_loopback_is_forbidden_and_so_are_odd_ports() {
    let peer = Peer::start().await;
    let any_port = Bench::with(FetchOptions {
        allow_ports: vec![],
        ..FetchOptions::default()
    });
    expect_failure(&any_port.get(&peer.url("/")).await, 0, "loopback");
    let loopback = FetchOptions {
        allow_ports: vec![80, 443],
        ..open_options()
    };
    expect_failure(&Bench::with(loopback).get(&peer.url("/")).await, 0, "port");
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn names_that_lead_inside_in_any_way_hear_nothing() {
    let (canary, bench) = (canary().await, Bench::open());
    let scenarios: [(&str, &[&str]); 9] = [
        ("inside.example", &["127.0.0.2"]),
        ("mixed.example", &["127.0.0.1", "127.0.0.2"]),
        ("mixed-first.example", &["127.0.0.2", "127.0.0.1"]),
        ("mapped.example", &["::ffff:127.0.0.2"]),
        ("mixed-families.example", &["127.0.0.1", "::ffff:127.0.0.2"]),
        ("nat64.example", &["64:ff9b::7f00:2"]),
        ("loopback6.example", &["::1"]),
        ("zero.example", &["0.0.0.0"]),
        ("many.example", &["127.0.0.1"; 100]),
    ];
    for (name, addresses) in scenarios {
        let mut addresses = addresses.to_vec();
        if name == "many.example" {
            addresses.push("127.0.0.2");
        }
        bench.resolver.name(name, &[&addresses]);
        let response = bench.get(&canary.url_as(name, "/")).await;
        expect_failure(&response, 0, "has an address that may not be called");
        assert_eq!(response.report.source, FetchSource::Refused, "{name}");
    }
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_name_that_flips_inside_after_a_good_answer_is_refused_when_connecting_anew() {
    let (outside, bench) = (Peer::start().await, Bench::open());
    outside.on("/", Reply::text("outside").header("connection", "close"));
    // The canary listens on the same port, so that only the address tells them apart.
    let canary = canary_on_port(outside.address().port()).await;
    bench.resolver.name(
        "flip.example",
        &[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"]],
    );
    let url = outside.url_as("flip.example", "/");
    assert_eq!(text(&bench.fetch(uncached(&url)).await), "outside");
    expect_failure(
        &bench.fetch(uncached(&url)).await,
        0,
        "has an address that may not be called",
    );
    assert_eq!(text(&bench.fetch(uncached(&url)).await), "outside");
    assert_eq!(
        bench.resolver.lookups(),
        3,
        "one lookup for a connection, and none behind it"
    );
    assert_eq!(canary.accepted(), 0);
}

#[tokio::test]
async fn a_mapped_answer_is_used_when_what_is_inside_was_let_through() {
    let (peer, bench) = (Peer::start().await, Bench::open());
    peer.on("/", Reply::text("reached"));
    bench
        .resolver
        .name("mapped.example", &[&["::ffff:127.0.0.1"]]);
    assert_eq!(
        text(&bench.get(&peer.url_as("mapped.example", "/")).await),
        "reached"
    );
    assert_eq!(
        text(&bench.get(&peer.url_as("[::ffff:127.0.0.1]", "/")).await),
        "reached"
    );
}

#[tokio::test]
async fn the_next_address_is_tried_when_the_first_does_not_answer() {
    let options = FetchOptions {
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..open_options()
    };
    let (peer, bench) = (Peer::start().await, Bench::with(options));
    peer.on("/", Reply::text("second"));
    bench
        .resolver
        .name("two.example", &[&["127.0.0.3", "127.0.0.1"]]);
    assert_eq!(
        text(&bench.get(&peer.url_as("two.example", "/")).await),
        "second"
    );
}

#[tokio::test]
async fn unusable_urls_are_refused_with_status_zero() {
    let bench = Bench::open();
    for (url, reason) in [
        ("", "not a complete URL"),
        ("offers/1", "not a complete URL"),
        ("ftp://127.0.0.1/", "only http and https"),
        ("http://user:word@127.0.0.1/", "user name and password"),
        ("http://127.0.0.1:0/", "port 0"),
    ] {
        let response = bench.get(url).await;
        expect_failure(&response, 0, reason);
        assert_eq!(
            (response.report.source, response.body),
            (FetchSource::Refused, FetchBody::Empty)
        );
    }
}

#[tokio::test]
async fn the_system_resolver_knows_the_host_itself() {
    let resolver: Arc<dyn Resolve> = Arc::new(SystemResolver::default());
    let found = resolver.resolve("localhost").await.unwrap();
    assert!(
        !found.is_empty() && found.iter().all(IpAddr::is_loopback),
        "{found:?}"
    );
    assert!(resolver.resolve("no such name").await.is_err());
}

/// Counts what reaches 127.0.0.2 on a given port.
struct PortCanary {
    listener: std::net::TcpListener,
}

async fn canary_on_port(port: u16) -> PortCanary {
    let listener =
        std::net::TcpListener::bind(("127.0.0.2", port)).expect("the port is free there");
    listener.set_nonblocking(true).expect("any listener can");
    PortCanary { listener }
}

impl PortCanary {
    /// The kernel completes handshakes by itself: whatever connected is waiting to be accepted.
    fn accepted(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}
