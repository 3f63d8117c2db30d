//! `corkboard cohorts` and the keeper, database by database.

use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::{Clock, SystemClock};
use corkboard_store::CardStore;
use corkboard_store::postgres::{CardLayout, PgCardStore, PgOptions};
use corkboard_testkit::{PgDatabase, wait_until};
use serde_json::Value;

use super::installation::Installation;
use crate::process::PATIENCE;

const DAY: Duration = Duration::from_secs(86_400);

/// Makes a cohort that ended long ago in both card databases.
async fn old_cohort(installation: &Installation) -> Cohort {
    let long_ago = SystemClock.now().minus(10 * DAY);
    let cohort = Cohort::of(long_ago, long_ago.plus(DAY));
    let layouts = [CardLayout::Cohorts, CardLayout::Flat];
    for (database, layout) in installation.cards.iter().zip(layouts) {
        let options = PgOptions::default();
        let store = PgCardStore::connect("cards", database.url(), layout, &options);
        let store = store.await.unwrap();
        store.ensure_cohort(cohort).await.unwrap();
        store.close();
    }
    cohort
}

fn of(rows: &[Value], cohort: Cohort) -> Vec<&Value> {
    let name = cohort.to_string();
    rows.iter().filter(|row| row["cohort"] == name).collect()
}

#[tokio::test]
async fn what_is_over_is_named_by_database_and_then_dropped() {
    let installation = Installation::migrated().await;
    let cohort = old_cohort(&installation).await;
    let listed = installation.table("cohorts list");
    assert!(listed.len() > 20, "cohorts are made ahead: {listed:?}");
    let found = of(&listed, cohort);
    let databases: Vec<&Value> = found.iter().map(|row| &row["database"]).collect();
    assert_eq!(databases, ["cards-0", "cards-1"]);
    let age = found[0]["age_seconds"].as_u64().unwrap();
    assert!(age > 7 * 86_400, "{found:?}");
    let table = installation.run("cohorts list").expect(0).stdout;
    let line = |line: &&str| line.contains(&cohort.to_string());
    let line = table.lines().find(line).unwrap();
    assert!(line.ends_with("due"), "{line}");
    assert_eq!(found[0]["stage"], "ended");
    let ahead = listed.iter().filter(|row| row["stage"] == "ahead").count();
    assert_eq!(ahead, listed.len() - 2, "no card yet: {listed:?}");

    let would = installation.table("cohorts retire --dry-run");
    assert_eq!(of(&would, cohort).len(), 2, "{would:?}");
    assert_eq!(would.len(), 2, "nothing else is over: {would:?}");
    assert_eq!(installation.table("cohorts list").len(), listed.len());
    let dropped = installation.table("cohorts retire");
    assert_eq!(dropped.len(), 2, "{dropped:?}");
    assert_eq!(dropped[0]["dropped"], true);
    assert_eq!(of(&installation.table("cohorts list"), cohort).len(), 0);
    assert!(installation.table("cohorts retire").is_empty());
}

#[tokio::test]
async fn a_node_whose_cohorts_are_not_made_ahead_is_ready_and_says_so() {
    let installation = Installation::migrated().await;
    let node = installation.serve("api");
    let ready = async || {
        let ready = node.admin.get("/readyz").send().await;
        ready.expect_status(200).json()
    };
    assert_eq!(ready().await.get("degraded"), None);
    // As after ten days without a keeper.
    let lasting = (0..=4_u32).flat_map(|day| Cohort::all_of(SystemClock.now().plus(DAY * day)));
    let lasting: Vec<String> = lasting.map(|one| one.to_string()).collect();
    let lasting = lasting.join("','");
    let lost = format!(
        "DELETE FROM cohort WHERE name NOT IN ('{lasting}'); UPDATE cohort_set SET version = version + 1"
    );
    let _ = installation.cards[0].sql(&lost).await;
    let node_later = installation.serve("api");
    let report = node_later.admin.get("/readyz").send().await;
    let report = report.expect_status(200).json();
    assert_eq!(report["ready"], true, "{report}");
    let told: Vec<&str> = report["degraded"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(told.len(), 1, "{report}");
    assert!(
        told[0].starts_with("cards-0: every card finds its cohort for 4 more days"),
        "{report}"
    );
    node_later.end().await;
    node.end().await;
}

#[tokio::test]
async fn the_keeper_drops_what_is_over_and_makes_what_is_missing() {
    let installation = Installation::migrated().await;
    let cohort = old_cohort(&installation).await;
    let newest = "DELETE FROM cohort WHERE cohort_no = (SELECT max(cohort_no) FROM cohort)";
    let _ = installation.cards[1].sql(newest).await;
    let keeper = installation.serve("keeper");
    let live = async |database: &PgDatabase| {
        let live = "SELECT string_agg(name, ' ' ORDER BY name) FROM cohort WHERE state < 2";
        database.sql(live).await
    };
    wait_until(PATIENCE, "the keeper's first round", || async {
        let [first, second] = &installation.cards;
        let (first, second) = (live(first).await, live(second).await);
        if first == second && !first.contains(&cohort.to_string()) {
            Ok(())
        } else {
            Err(format!("{first}\n{second}"))
        }
    })
    .await;
    wait_until(PATIENCE, "the metrics of the round", || async {
        let metrics = keeper.admin.get("/metrics").send().await.text();
        let wanted = [
            "corkboard_keeper_cohorts_made_total{database=\"cards-1\"} 1",
            "corkboard_keeper_cohorts_retired_total{database=\"cards-0\"} 1",
            "corkboard_keeper_cohorts_missing{database=\"cards-0\"} 0",
            "corkboard_keeper_cohorts{database=\"cards-0\",stage=\"live\"} 0",
            "corkboard_store_cohort_headroom_days{database=\"cards-0\"}",
            "corkboard_store_xid_age{database=\"control\"}",
        ];
        match wanted.iter().find(|line| !metrics.contains(**line)) {
            None => Ok(()),
            Some(line) => Err(format!("no {line} in\n{metrics}")),
        }
    })
    .await;
    keeper.end().await;
}
