//! Configurations with a mistake, against real servers: the doctor names each one.

use std::sync::Arc;

use corkboard_config::{Config, Layers};
use corkboard_core::time::{Clock as _, SharedClock, SystemClock};
use corkboard_testkit::{HeldClock, PgDatabase, PgServer};

use super::*;
use crate::commands::doctor::Verdict;
use crate::watches;

fn config(control: &str, cards: &[&str]) -> Config {
    let mut file = format!("[store]\nkind = \"postgres\"\ncontrol = \"{control}\"\n");
    for (number, url) in cards.iter().enumerate() {
        file += &format!("[[store.database]]\nname = \"cards-{number}\"\nurl = \"{url}\"\n");
    }
    Config::load(&Layers::new().file("c.toml", file)).unwrap().0
}

/// What is wrong, as `database check: found`.
async fn wrong(control: &str, cards: &[&str], clock: SharedClock) -> Vec<String> {
    let watches = watches::of(&config(control, cards).store, &clock).unwrap();
    let findings = examine(watches).await;
    assert!(
        findings
            .iter()
            .all(|one| (one.verdict == Verdict::Ok) == one.remedy.is_empty())
    );
    let failed = findings.iter().filter(|one| one.verdict == Verdict::Fail);
    failed
        .map(|one| format!("{}: {}", one.title(), one.found))
        .collect()
}

#[track_caller]
fn assert_named(wrong: &[String], start: &str, within: &str) {
    let named = wrong
        .iter()
        .any(|one| one.starts_with(start) && one.contains(within));
    assert!(named, "'{start}…{within}' is not among {wrong:#?}");
}

async fn two() -> (PgDatabase, PgDatabase) {
    let server = PgServer::shared().await;
    (server.database().await, server.database().await)
}

#[tokio::test]
async fn each_unusable_database_is_named_and_the_others_are_looked_at() {
    let (control, _cards) = two().await;
    let missing = control.server().url("nowhere");
    let nobody = "postgres://postgres@127.0.0.1:1/cards";
    let clock = Arc::new(SystemClock);
    let wrong = wrong(control.url(), &[&missing, nobody], clock).await;
    assert_named(&wrong, "control: schema: there is no schema control", "");
    assert_named(
        &wrong,
        "cards-0: connection: ",
        "\"nowhere\" does not exist",
    );
    assert_named(&wrong, "cards-1: connection: ", "127.0.0.1:1/cards");
    let connections = wrong.iter().filter(|one| one.contains("connection:"));
    assert_eq!(connections.count(), 2, "{wrong:#?}");
}

#[tokio::test]
async fn a_clock_five_minutes_off_is_named_for_every_database() {
    let (control, cards) = two().await;
    let off = HeldClock::at(SystemClock.now().minus(Duration::from_secs(300)));
    let wrong = wrong(control.url(), &[cards.url()], Arc::new(off)).await;
    assert_named(
        &wrong,
        "control: clock: the database's clock is 30",
        "ahead of this host's",
    );
    assert_named(
        &wrong,
        "cards-0: clock: the database's clock is 30",
        "ahead of this host's",
    );
}

#[tokio::test]
async fn databases_that_are_swapped_or_the_same_are_named() {
    let (control, cards) = two().await;
    for (database, schema) in [(&control, "cards"), (&cards, "control")] {
        let has = format!(
            "CREATE TABLE schema_version (schema text, version int);
             INSERT INTO schema_version VALUES ('{schema}', 1)"
        );
        database.sql(&has).await;
    }
    control
        .sql("CREATE TABLE card (cohort_no int) PARTITION BY LIST (cohort_no)")
        .await;
    let clock = Arc::new(SystemClock);
    // Written in two ways, so that the configuration cannot tell.
    let again = format!("{}?application_name=other", control.url());
    let wrong = wrong(control.url(), &[control.url(), &again], clock).await;
    assert_named(&wrong, "control: schema: no schema control, but cards", "");
    assert_named(
        &wrong,
        "databases: cards-0 and cards-1 are the same database",
        "",
    );
}

#[tokio::test]
async fn a_role_without_rights_and_an_unsafe_server_are_named() {
    let server = Arc::new(PgServer::start(corkboard_testkit::PgSettings::quick()).await);
    let database = server.database().await;
    database.sql("CREATE ROLE plain LOGIN").await;
    let plain = database.url().replace("postgres@", "plain@");
    let wrong = wrong(&plain, &[&plain], Arc::new(SystemClock)).await;
    assert_named(
        &wrong,
        "control: rights: role plain may not create tables",
        "",
    );
    assert_named(
        &wrong,
        "cards-0: rights: role plain may not create tables",
        "",
    );
    assert_named(&wrong, "cards-0: durability: fsync is off", "");
}
