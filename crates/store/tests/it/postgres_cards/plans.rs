//! How PostgreSQL runs the statements that are run often. A plan is part of what is reviewed: a
//! changed index or statement shows here, and no hot statement may walk through a table.

use std::fmt::Write;

use corkboard_store::CardStore;

use corkboard_store::postgres::watch::Severity;
use serde_json::json;

use super::Postgres;
use crate::cards::sample::{DAY, Sending, attributes, noon, users, workspace};

/// Enough rows that reading a table from end to end costs more than finding some in it.
const FILL: &str = "
    INSERT INTO tracked_user SELECT now(), now(), 1, i % 4096, 'u-' || i, '{}'
        FROM generate_series(1, 20000) i;
    INSERT INTO user_event SELECT 1, now(), now(), 1, i % 4096, 'u-' || i, 'bought'
        FROM generate_series(1, 20000) i;
    INSERT INTO user_total SELECT i / 16, i % 16, 1 FROM generate_series(1, 4000) i;
    INSERT INTO event_seen SELECT md5(i::text)::uuid, now(), i % 4 FROM generate_series(1, 20000) i;
    CREATE TABLE receipt_q27 PARTITION OF receipt FOR VALUES IN (27);
    INSERT INTO receipt SELECT now(), md5('d')::uuid, md5(i::text)::uuid, i % 10, i % 4096, 27
        FROM generate_series(1, 20000) i;
    INSERT INTO tombstone SELECT now(), md5(i::text)::uuid, i % 4096, i % 5 FROM generate_series(1, 20000) i;
    INSERT INTO workspace_number (workspace) SELECT md5(i::text)::uuid FROM generate_series(1, 2000) i;
    INSERT INTO campaign_number (workspace, campaign)
        SELECT md5((i % 100)::text)::uuid, md5(i::text)::uuid FROM generate_series(1, 5000) i;
    INSERT INTO retired_count SELECT i % 1000, i % 50, 0, i, 0, 0, 0, 0, 0, 0, 0
        FROM generate_series(1, 10000) i;
    ANALYZE";
const FILL_COHORT: &str = "
    INSERT INTO card@ SELECT now(), now(), md5(i::text)::uuid, i % 100,
        (SELECT cohort_no FROM cohort WHERE '_' || name = '@'), i % 4096
        FROM generate_series(1, 20000) i;
    INSERT INTO card_state@ SELECT now(), NULL, NULL, NULL, md5(i::text)::uuid, md5('c' || i)::uuid,
        (SELECT cohort_no FROM cohort WHERE '_' || name = '@'), i % 4096
        FROM generate_series(1, 20000) i;
    INSERT INTO card_event@ SELECT now(), md5(i::text)::uuid, md5('c' || i)::uuid,
        (SELECT cohort_no FROM cohort WHERE '_' || name = '@'), i % 4096, 1
        FROM generate_series(1, 20000) i;
    INSERT INTO card_content@ (campaign_no, cohort_no, variant, dispatch, presentation)
        SELECT i, 1, 0, md5(i::text)::uuid, '{}' FROM generate_series(1, 5000) i;
    INSERT INTO card_count@ SELECT i % 1000, 1, 0, i, 0, 0, 0, 0, 0, 0, 0, 0
        FROM generate_series(1, 10000) i;
    INSERT INTO card_written@ SELECT 1, md5(i::text)::uuid, 1, 0 FROM generate_series(1, 10000) i;
    INSERT INTO card_fence@ SELECT 1, md5(i::text)::uuid, 1, 0 FROM generate_series(1, 10000) i;";

#[tokio::test]
async fn no_hot_statement_of_the_card_store_walks_through_a_table() {
    let postgres = Postgres::cohorts();
    let store = postgres.store().await;
    let near = Sending::new(1).cohort();
    let far = Sending {
        expires_at: noon().plus(40 * DAY),
        ..Sending::new(2)
    };
    for cohort in [near, far.cohort()] {
        store.ensure_cohort(cohort).await.unwrap();
    }
    for cohort in [near, far.cohort()] {
        let sql = FILL_COHORT.replace('@', &format!("_{cohort}"));
        postgres.database().await.sql(&sql).await;
    }
    postgres.database().await.sql(FILL).await;
    let plans = store.plans(&[near, far.cohort()]).await.unwrap();
    let mut text = String::new();
    for (statement, lines) in &plans {
        writeln!(text, "{statement}\n    {}", lines.join("\n    ")).expect("memory");
    }
    insta::assert_snapshot!("cards", text);
    // Tables of one row, and all cohorts there ever were.
    let fine = ["cohort_set", "event_memory", "server_life", "on cohort c"];
    for (statement, lines) in &plans {
        for line in lines.iter().filter(|line| line.contains("Seq Scan")) {
            let is_fine = fine.iter().any(|fine| line.to_lowercase().contains(fine));
            assert!(is_fine, "{statement} walks through a table: {line}");
        }
    }
}

#[tokio::test]
async fn the_hot_reads_of_a_used_database_stay_within_their_budgets() {
    let postgres = Postgres::cohorts();
    let store = postgres.store().await;
    assert!(store.explain_reads(noon()).await.unwrap().is_empty());
    let to = users(0..2_000);
    let tracked = to
        .iter()
        .map(|user| attributes(user, &json!({"plan": "pro"})));
    store
        .change_attributes(workspace(), tracked.collect(), noon())
        .await
        .unwrap();
    Sending::new(1).write(&store, &to).await.unwrap();
    postgres.database().await.sql("ANALYZE").await;
    let findings = store.explain_reads(noon()).await.unwrap();
    assert_eq!(findings.len(), 5);
    for finding in findings {
        assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
    }
}
