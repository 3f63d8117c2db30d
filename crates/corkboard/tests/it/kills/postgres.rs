//! The same on PostgreSQL: an api node, a worker node and the server that both use are killed.

use std::sync::Arc;
use std::time::Duration;

use corkboard_testkit::{PgDatabase, PgServer, PgSettings};
use tokio::time::{Instant, sleep};

use super::process::Installation;
use super::{Running, plan, verify};

/// Every so many kills it is the server.
const SERVER: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_of_nodes_and_server_lose_nothing_and_double_nothing() {
    let (kills, mut random) = plan();
    // A killed server loses what it has not written; what it has, the kernel keeps. Syncing would
    // only make every recovery sync thousands of files. Little memory and frequent checkpoints, so
    // that a recovery has little to do.
    let settings = PgSettings::durable()
        .with("fsync", "off")
        .with("shared_buffers", "32MB")
        .with("checkpoint_timeout", "30s")
        .with("max_wal_size", "64MB");
    let server = Arc::new(PgServer::start(settings).await);
    let control = server.database().await;
    let cards = [server.database().await, server.database().await];
    let store = format!(
        "kind = \"postgres\"\ncontrol = \"{}\"\n\
         [[store.database]]\nname = \"cards-0\"\nurl = \"{}\"\n\
         [[store.database]]\nname = \"cards-1\"\nurl = \"{}\"\n",
        control.url(),
        cards[0].url(),
        cards[1].url()
    );
    let installation = Installation::on(&store);
    control.sql("CHECKPOINT").await;
    let mut nodes = [installation.node("api,keeper"), installation.node("worker")];
    for node in &mut nodes {
        node.start().await;
    }
    let running = Running::start(&installation).await;
    let mut recovering = Duration::ZERO;
    for kill in 1..=kills {
        sleep(Duration::from_millis(random.below(120))).await;
        if kill % SERVER == 0 {
            if random.below(2) == 0 {
                server.kill();
            } else {
                server.kill_postmaster();
            }
            let killed = Instant::now();
            server.resume().await;
            recovering += killed.elapsed();
        } else {
            let node = &mut nodes[usize::from(random.below(2) == 0)];
            node.kill().await;
            node.start().await;
        }
    }
    eprintln!("of which the server took {recovering:?} to recover");
    let load = running.end(kills).await;
    verify::everything(&installation, &load).await;
    for database in &cards {
        counters_are_rows(database).await;
    }
    for mut node in nodes {
        assert!(node.stop().await, "the node ends by itself, with status 0");
    }
}

/// Every counter of a card database says what its rows say.
async fn counters_are_rows(database: &PgDatabase) {
    let cohorts = "SELECT name FROM cohort WHERE state = 1";
    let cohorts = database.sql(cohorts).await;
    assert!(!cohorts.is_empty());
    for cohort in cohorts.lines() {
        let both = |counted: &str, rows: &str| {
            format!("SELECT ({counted}) || '=' || ({rows})").replace('@', cohort)
        };
        for (counted, rows) in [
            (
                "SELECT coalesce(sum(sent), 0) FROM card_count_@",
                "SELECT count(*) FROM card_@",
            ),
            (
                "SELECT coalesce(sum(written), 0) FROM card_written_@",
                "SELECT count(*) FROM card_@",
            ),
            (
                "SELECT coalesce(sum(impressions), 0) FROM card_count_@",
                "SELECT count(*) FROM card_event_@ WHERE mark = 1",
            ),
            (
                "SELECT coalesce(sum(unique_impressions), 0) FROM card_count_@",
                "SELECT count(*) FROM card_state_@ WHERE seen_at IS NOT NULL",
            ),
        ] {
            let answer = database.sql(&both(counted, rows)).await;
            let (counted_is, rows_are) = answer.split_once('=').expect("two numbers");
            assert_eq!(counted_is, rows_are, "{counted} and {rows}, {cohort}");
        }
        let doubles =
            "SELECT count(*) FROM (SELECT FROM card_@ JOIN card_content_@ USING (content_no)
                       GROUP BY slot, owner, campaign_no HAVING count(*) > 1) AS twice";
        let doubles = database.sql(&doubles.replace('@', cohort)).await;
        assert_eq!(doubles, "0", "users with two cards of a campaign, {cohort}");
    }
}
