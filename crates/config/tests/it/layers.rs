//! Which layer wins, and how the environment is written.

use std::path::Path;
use std::time::Duration;

use corkboard_config::{Config, EndpointSource, Layers, StoreKind};

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_defaults() {
    let file = "listen = \"127.0.0.1:1\"\n[send]\nworkers = 3\nbatch = 30\n[feed]\nmax_cards = 5\n";
    let layers = Layers::new()
        .file("corkboard.toml", file)
        .environment([
            ("CORKBOARD__LISTEN", "127.0.0.1:2"),
            ("CORKBOARD__SEND__WORKERS", "4"),
            ("PATH", "/usr/bin"),
            ("CORKBOARD_DIR", "not ours: one underscore"),
        ])
        .flag("--listen", "listen", "127.0.0.1:3");
    let (config, warnings) = Config::load(&layers).unwrap();
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.send.workers, 4);
    assert_eq!(config.send.batch, 30);
    assert_eq!(config.feed.max_cards, 5);
    assert_eq!(config.send.lease, Duration::from_secs(30));
    assert_eq!(warnings, []);
}

#[test]
fn a_variable_holds_bare_text_or_toml() {
    let layers = Layers::new().environment([
        ("CORKBOARD__STORE__PATH", "2026"),
        ("CORKBOARD__STORE__GRACE", "1h"),
        (
            "CORKBOARD__FETCH__ALLOW_NETWORKS",
            r#"["127.0.0.0/8", "fd00::/8"]"#,
        ),
        ("CORKBOARD__FETCH__ALLOW_PORTS", "[]"),
        ("CORKBOARD__FETCH__MAX_BODY", "2048"),
        ("CORKBOARD__ADMIN_LISTEN", "[::1]:9090"),
        ("CORKBOARD__LOG__LEVEL", "\"debug\""),
        ("CORKBOARD__CACHE__URL", ""),
    ]);
    let (config, _) = Config::load(&layers).unwrap();
    let StoreKind::Sqlite { path } = &config.store.kind else {
        panic!("not sqlite")
    };
    assert_eq!(path, Path::new("2026"));
    assert_eq!(config.store.grace, Duration::from_secs(3_600));
    assert_eq!(config.fetch.allow_networks.len(), 2);
    assert_eq!(config.fetch.allow_ports, Vec::<u16>::new());
    assert_eq!(config.fetch.max_body, 2_048);
    assert!(config.admin_listen.is_ipv6());
    assert_eq!(config.cache.url, None, "an empty variable is not set");
}

#[test]
fn lists_of_tables_come_from_a_variable_as_well() {
    let layers = Layers::new().environment([
        ("CORKBOARD__STORE__KIND", "postgres"),
        ("CORKBOARD__STORE__CONTROL", "postgres://db/control"),
        (
            "CORKBOARD__STORE__DATABASE",
            r#"[{name = "cards-0", url = "postgres://db/cards"}]"#,
        ),
        ("CORKBOARD__ORIGIN__DATABASE", "postgres://db/shop"),
        (
            "CORKBOARD__ORIGIN__ENDPOINT",
            r#"[{path = "/u/{id}", query = "select x from t where id = $1", key = "id"}]"#,
        ),
    ]);
    let (config, _) = Config::load(&layers).unwrap();
    let StoreKind::Postgres { databases, .. } = &config.store.kind else {
        panic!("sqlite")
    };
    assert_eq!(databases.first().unwrap().name, "cards-0");
    let endpoint = config.origin.endpoints.first().unwrap();
    assert!(matches!(&endpoint.source, EndpointSource::Query(query) if query.contains("$1")));
    assert_eq!(endpoint.ttl, Duration::from_secs(3_600));
}

#[test]
fn the_example_of_the_outside_contract_is_accepted() {
    let file = r#"
listen = "0.0.0.0:8080"
admin_listen = "127.0.0.1:9090"
[store]
kind = "postgres"
control = "postgres://db/control"
[[store.database]]
name = "cards-0"
url = "postgres://db/cards"
layout = "cohorts"
[cache]
url = "redis://redis:6379"
[fetch]
allow_networks = []
allow_ports = [80, 443]
[origin]
database = "postgres://db/shop"
redis = "redis://redis:6379"
[[origin.endpoint]]
path = "/users/{user_id}/offer"
table = "offers"
key = "user_id"
ttl = "1h"
"#;
    let (config, warnings) = Config::load(&Layers::new().file("corkboard.toml", file)).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(config.origin.endpoints.len(), 1);
}
