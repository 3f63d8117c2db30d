//! All problems at once, each with its place and the way out.

use corkboard_config::{Config, Layers};

fn report(layers: &Layers) -> String {
    let problems = Config::load(layers).unwrap_err();
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

fn warnings(file: &str) -> String {
    let (_, warnings) = Config::load(&Layers::new().file("c.toml", file)).unwrap();
    warnings
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn every_mistake_of_a_file_is_reported_with_its_line() {
    let file = r#"listen = "localhost"
admin_lisen = "127.0.0.1:9090"
[store]
kind = "postgress"
[fetch]
allow_networks = ["10.0.0.0/8", "10.0.0/8", 7]
allow_ports = [80, 0, 70000]
total_timeout = "soon"
connect_timeout = 1
[send]
workers = 0
batch = "many"
lease = "2h"
[limits]
max_body = "1MB"
[cache]
url = "http://anna:hunter2@redis"
[log]
format = true
[[origin.endpoint]]
path = "users/{id}/offer"
table = "offers; drop table offers"
key = "user_id"
[weather]
sunny = true
"#;
    insta::assert_snapshot!(report(&Layers::new().file("corkboard.toml", file)));
}

#[test]
fn mistakes_of_all_layers_are_reported_together() {
    let layers = Layers::new()
        .file("corkboard.toml", "[feed]\nmax_cards = 0\n")
        .environment([
            ("CORKBOARD__SEND__WORKER", "2"),
            ("CORKBOARD__FEED__POLL", "often"),
            ("CORKBOARD__LIMITS", "5"),
            ("CORKBOARD__A__B__C", "1"),
            ("CORKBOARD__", "1"),
        ])
        .flag("--listen", "listen", "here");
    insta::assert_snapshot!(report(&layers));
}

#[test]
fn a_file_that_is_not_toml_is_reported_without_quoting_it() {
    let file = "[cache]\nurl = \"redis://:hunter2@redis\nlisten = = 5\n[send]\nworkers = 0\n";
    let report = report(&Layers::new().file("corkboard.toml", file));
    assert!(
        report.contains("corkboard.toml:2: not valid TOML: "),
        "{report}"
    );
    assert!(
        report.contains("corkboard.toml:3: not valid TOML: "),
        "{report}"
    );
    assert!(
        report.contains("corkboard.toml:5: send.workers: 0 is not between"),
        "{report}"
    );
    assert!(!report.contains("hunter2"), "{report}");
}

#[test]
fn what_postgres_needs_is_asked_for() {
    insta::assert_snapshot!(
        report(&Layers::new().file("c.toml", "[store]\nkind = \"postgres\"\n")),
        @r#"
    c.toml:1: store.control: is required for kind = "postgres"
    c.toml:1: store.database: kind = "postgres" needs at least one [[store.database]]
    "#
    );
}

#[test]
fn keys_that_contradict_each_other_are_problems() {
    let file =
        "listen = \"127.0.0.1:9090\"\n[fetch]\ntotal_timeout = \"500ms\"\n[send]\nlease = \"1s\"\n";
    insta::assert_snapshot!(report(&Layers::new().file("c.toml", file)), @r#"
    c.toml:1: admin_listen: is the same as listen; give it a port of its own
    c.toml:3: fetch.connect_timeout: is longer than fetch.total_timeout
    "#);
    let file = "[fetch]\ntotal_timeout = \"5s\"\n[send]\nlease = \"5s\"\n";
    insta::assert_snapshot!(report(&Layers::new().file("c.toml", file)), @r#"c.toml:4: send.lease: is not longer than fetch.total_timeout: one slow fetch would lose the chunk to another worker, again and again"#);
}

#[test]
fn keys_that_go_badly_together_are_warnings() {
    let file = r#"admin_listen = "0.0.0.0:9090"
[store]
control = "postgres://db/control"
[fetch]
allow_networks = ["0.0.0.0/0"]
cache_bytes = "1KiB"
[send]
lease = "6s"
[limits]
sse_subscribers = 16000
server_api_burst = 10
"#;
    insta::assert_snapshot!(warnings(file), @r#"
    c.toml:1: admin_listen: is not a loopback address: metrics and log level are open to that network
    c.toml:3: store.control: has no effect with this store.kind
    c.toml:5: fetch.allow_networks: lets templates call every address, also those inside your own network
    c.toml:6: fetch.cache_bytes: is less than fetch.max_body: the largest responses are never shared
    c.toml:8: send.lease: is less than fetch.total_timeout and 5s: a busy worker may lose its chunk and its work is done twice
    c.toml:10: limits.sse_subscribers: is not less than limits.max_connections: live streams can take every connection
    c.toml:11: limits.server_api_burst: is less than one second's worth: an even load may be refused
    "#);
}

#[test]
fn a_url_under_the_wrong_key_is_not_repeated() {
    let url = "\"postgres://anna:hunter2@db/control\"";
    for key in ["kind", "grace"] {
        let file = format!("[store]\n{key} = {url}\n");
        let report = report(&Layers::new().file("c.toml", file));
        assert!(report.contains("what is written (a URL)"), "{report}");
        assert!(!report.contains("hunter2"), "{report}");
    }
}

#[test]
fn two_card_databases_at_one_place_or_of_one_name_are_refused() {
    let file = r#"
[store]
kind = "postgres"
control = "postgres://db/control"
connections = 2
[[store.database]]
name = "a"
url = "postgres://db/cards"
[[store.database]]
name = "b"
url = "postgres://db/cards"
[[store.database]]
name = "a"
url = "postgres://db/others"
"#;
    let report = report(&Layers::new().file("c.toml", file));
    for part in [
        "store.connections: 2 is not between 4 and 1000",
        "\"a\" and \"b\" have the same url",
        "the name \"a\" is used twice",
    ] {
        assert!(report.contains(part), "{report}");
    }
}
