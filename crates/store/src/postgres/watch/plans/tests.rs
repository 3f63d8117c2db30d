//! What is read out of plans, made up and real.

use super::*;
use crate::postgres::PgOptions;
use crate::postgres::pool::Pool;
use crate::postgres::watch::Severity;
use corkboard_testkit::PgServer;
use serde_json::json;

const READ: Statement = Statement::new("read a feed", "SELECT 1");

fn judged(plan: &Value) -> Finding {
    judge(&HotRead::of(&READ, Vec::new(), 10), &Cost::of(plan))
}

#[test]
fn a_scan_of_a_large_table_is_found_however_deep() {
    let scan = json!({"Node Type": "Seq Scan", "Relation Name": "card", "Actual Rows": 3,
        "Rows Removed by Filter": 400, "Actual Loops": 5});
    let plan = json!({"Plan": {"Node Type": "Limit", "Shared Hit Blocks": 4,
        "Plans": [{"Node Type": "Index Scan"}, {"Node Type": "Append", "Plans": [scan]}]}});
    let finding = judged(&plan);
    assert_eq!(finding.severity, Severity::Warn);
    assert!(
        finding.what.ends_with("reads all of card (2015 rows)"),
        "{finding:?}"
    );
}

#[test]
fn a_scan_of_a_small_table_is_fine_and_too_many_buffers_are_not() {
    let plan = |pages: u64| {
        json!({"Plan": {"Node Type": "Seq Scan", "Relation Name": "cohort_set",
            "Actual Rows": 1, "Actual Loops": 1,
            "Shared Hit Blocks": pages, "Shared Read Blocks": 1}})
    };
    assert_eq!(judged(&plan(9)).severity, Severity::Ok);
    assert_eq!(judged(&plan(10)).severity, Severity::Warn);
}

#[test]
fn a_plan_of_an_unknown_form_is_no_panic() {
    for odd in [json!(null), json!([1]), json!({"Plan": {"Plans": 7}})] {
        judged(&odd);
    }
}

#[tokio::test]
async fn reads_of_a_real_database_are_run_and_judged() {
    let database = PgServer::shared().await.database().await;
    database
        .sql(
            "CREATE TABLE note (slot int, body text);
             INSERT INTO note SELECT n % 100, repeat('x', 50) FROM generate_series(1, 5000) n;
             ANALYZE note",
        )
        .await;
    let pool = Pool::new(database.url(), &PgOptions::default()).unwrap();
    let session = pool.session().await.unwrap();
    let read = Statement::new(
        "read notes",
        "SELECT body FROM note WHERE slot = $1 LIMIT 500",
    );
    let reads = [HotRead::of(&read, vec![Box::new(7_i32)], 10)];

    let finding = &explain_all(&session, &reads).await.unwrap()[0];
    assert_eq!(finding.severity, Severity::Warn);
    assert!(finding.what.starts_with("read notes: "), "{finding:?}");
    assert!(
        finding.what.contains("reads all of note (5000 rows)"),
        "{finding:?}"
    );

    database.sql("CREATE INDEX ON note (slot, body)").await;
    // Fifty rows on as many pages.
    let finding = &explain_all(&session, &reads).await.unwrap()[0];
    assert_eq!(finding.severity, Severity::Warn);
    assert!(
        finding.what.contains(" of 10 buffers, 50 rows"),
        "{finding:?}"
    );

    database.sql("CLUSTER note USING note_slot_body_idx").await;
    let finding = &explain_all(&session, &reads).await.unwrap()[0];
    assert_eq!(finding.severity, Severity::Ok, "{finding:?}");
    assert!(finding.what.contains("50 rows"), "{finding:?}");

    let write = Statement::new("write a note", "DELETE FROM note WHERE slot = $1");
    let refused = explain_all(&session, &[HotRead::of(&write, vec![Box::new(7_i32)], 10)]).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(database.sql("SELECT count(*) FROM note").await, "5000");
}
