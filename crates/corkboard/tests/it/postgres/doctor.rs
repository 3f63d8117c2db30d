//! `corkboard doctor` on PostgreSQL: what is wrong is named, with its database, and decides the
//! exit status.

use std::sync::Arc;

use corkboard_testkit::{PgDatabase, PgServer, PgSettings};
use serde_json::Value;

use super::installation::Installation;
use crate::process::Finished;

/// The findings of a run as `database check verdict: found`.
fn findings(run: &Finished) -> Vec<String> {
    let rows: Vec<Value> = serde_json::from_str(&run.stdout).unwrap();
    let line = |row: &Value| {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {}: {}",
            text("database"),
            text("check"),
            text("verdict"),
            text("found")
        )
    };
    rows.iter().map(line).collect()
}

#[track_caller]
fn assert_found(findings: &[String], start: &str, within: &str) {
    let found = findings
        .iter()
        .any(|one| one.starts_with(start) && one.contains(within));
    assert!(found, "'{start}…{within}' is not among {findings:#?}");
}

fn a_server_as_recommended() -> PgSettings {
    PgSettings::durable().with("max_locks_per_transaction", "256")
}

#[tokio::test]
async fn a_sound_installation_passes_and_what_then_goes_wrong_is_named() {
    let server = Arc::new(PgServer::start(a_server_as_recommended()).await);
    let installation = Installation::on([&server, &server, &server]).await;
    let before = findings(&installation.run("doctor --json").expect(69));
    for database in ["control", "cards-0", "cards-1"] {
        let start = format!("{database} schema fail: there is no schema");
        assert_found(&before, &start, "");
    }
    installation.run("migrate").expect(0);
    let after = findings(&installation.run("doctor --json --explain").expect(0));
    assert!(
        !after.iter().any(|one| one.contains(" fail:")),
        "{after:#?}"
    );
    assert_found(
        &after,
        "cards-0 locks ok: max_locks_per_transaction is 256",
        "",
    );
    assert_found(&after, "control plans ok: ", "");
    assert_found(&after, "cards-1 plans ok: ", "");

    let [cards, _] = &installation.cards;
    let _ = cards.sql("CREATE ROLE plain LOGIN").await;
    let plain = cards.url().replace("postgres@", "plain@");
    let [first, second] = [installation.control.url(), installation.cards[1].url()];
    installation.configure([first, &plain, second]);
    let rights = findings(&installation.run("doctor --json").expect(69));
    assert_found(&rights, "cards-0 rights fail: ", "plain");

    let absent = cards.url().replace("test_", "absent_");
    installation.configure([first, &absent, first]);
    let missing = installation.run("doctor --json").expect(69);
    let named = findings(&missing);
    assert_found(&named, "cards-0 connection fail: ", "does not exist");
    assert_found(
        &named,
        "cards-1 schema fail: no schema cards, flat, but control",
        "",
    );
    assert_found(&named, "control schema ok", "");
    for database in ["cards-0: connection", "cards-1: schema"] {
        assert!(missing.stderr.contains(database), "{}", missing.stderr);
    }
}

#[tokio::test]
async fn settings_that_endanger_data_are_failures() {
    // The server that tests share is one that nobody should run.
    let installation = Installation::migrated().await;
    let found = findings(&installation.run("doctor --json").expect(69));
    assert_found(&found, "cards-1 durability fail: fsync is off", "");
    assert_found(
        &found,
        "cards-0 cohorts ok: ",
        "every card finds its cohort",
    );
    let table = installation.run("doctor").expect(69).stdout;
    let line = table.lines().find(|line| line.contains("fsync is off"));
    assert!(line.unwrap().contains("set fsync = on"), "{table}");
}

/// What a server says about itself is asked for by name; here another answers to the name.
async fn pretend(database: &PgDatabase, function: &str) {
    let name = database.name();
    let sql = format!(
        "CREATE SCHEMA pretence; CREATE FUNCTION pretence.{function};
         ALTER DATABASE {name} SET search_path = public, pretence, pg_catalog"
    );
    let _ = database.sql(&sql).await;
}

#[tokio::test]
async fn a_clock_that_is_off_and_a_server_that_is_too_old_are_named() {
    let installation = Installation::migrated().await;
    let [first, second] = &installation.cards;
    let clock = "clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS \
         $$ SELECT pg_catalog.clock_timestamp() + interval '5 minutes' $$";
    pretend(first, clock).await;
    let version = "current_setting(name text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT \
         CASE name WHEN 'server_version_num' THEN '140011' ELSE pg_catalog.current_setting(name) END $$";
    pretend(second, version).await;
    let run = installation.run("doctor --json").expect(69);
    let found = findings(&run);
    let off = found
        .iter()
        .find_map(|one| one.strip_prefix("cards-0 clock fail: the database's clock is "));
    let off = off.and_then(|one| one.strip_suffix(" s ahead of this host's"));
    let off: f64 = off.expect("a clock that is off").parse().unwrap();
    assert!((295.0..305.0).contains(&off), "{off} s: {found:#?}");
    assert_found(
        &found,
        "cards-1 version fail: PostgreSQL 14.11, 15 or newer is needed",
        "",
    );
    assert_found(&found, "control clock ok: ", "");
    assert_found(&found, "cards-1 clock ok: ", "");
    assert_found(&found, "cards-0 version ok: ", "");
    for problem in ["cards-0: clock", "cards-1: version"] {
        assert!(run.stderr.contains(problem), "{}", run.stderr);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_does_not_hold_the_doctor_up() {
    let frozen = Arc::new(PgServer::start(PgSettings::quick()).await);
    let shared = PgServer::shared().await;
    let installation = Installation::on([&shared, &frozen, &shared]).await;
    frozen.freeze();
    let found = findings(&installation.run("doctor --json").expect(69));
    let serve = installation.run("serve").expect(69);
    frozen.thaw();
    assert_found(&found, "cards-0 connection fail: ", "no connection in time");
    assert_found(&found, "cards-1 schema fail: ", "");
    let answer = "gives no connection within";
    assert!(serve.stderr.contains(answer), "{}", serve.stderr);
}

#[tokio::test]
async fn urls_that_can_never_work_are_wrong_configuration() {
    let installation = Installation::empty().await;
    let control = installation.control.url();
    let encrypted = format!("{control}?sslmode=verify-full&sslrootcert=/nowhere.pem");
    let bogus = "postgres://me:hidden@db/cards?sslmode=bogus";
    installation.configure([control, &encrypted, bogus]);
    for command in ["doctor", "serve", "migrate", "config check c.toml"] {
        let line = format!("{command} --config c.toml");
        let line = if command.starts_with("config") {
            command
        } else {
            &line
        };
        let refused = crate::process::run(installation.folder.path(), line).expect(64);
        for part in [
            "cards-0: url",
            "sslrootcert that cannot be used",
            "cards-1: url",
            "unknown sslmode",
        ] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
        assert!(!refused.stderr.contains("hidden"), "{}", refused.stderr);
    }
}
