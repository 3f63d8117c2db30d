//! How PostgreSQL runs the statements that are run often, for any values: a changed index or
//! statement shows here, and no hot statement may read a table from end to end.

use std::fmt::Write;

use corkboard_store::ControlStore;

use super::Postgres;
use crate::control::sample::at;

/// Has one row, ever.
const ONE_ROW: &str = " on idempotency_horizon";

/// Enough rows that walking through them would cost more than finding one. Days other than the
/// first go: one partition is shape enough.
const FILL: &str = "
    INSERT INTO workspace (id, name, created_at)
    SELECT gen_random_uuid(), n::text, to_timestamp(n) FROM generate_series(1, 500) n;
    INSERT INTO app (id, workspace, name, token_keys, created_at)
    SELECT gen_random_uuid(), id, name, '[]', created_at FROM workspace;
    INSERT INTO api_key (id, workspace, secret_hash, scopes, created_at)
    SELECT gen_random_uuid(), id, '', '[]', created_at FROM workspace;
    INSERT INTO campaign (id, workspace, state, version, created_at, updated_at, cards_until,
                          cancelled_at, heeds_events, dispatched, definition)
    SELECT gen_random_uuid(), w.id, (ARRAY ['draft', 'active', 'stopped'])[1 + n % 3], 1,
           to_timestamp(n), to_timestamp(n), to_timestamp(n),
           CASE n % 5 WHEN 0 THEN to_timestamp(n) END, n % 2 = 0, true, '{}'
    FROM workspace w, generate_series(1, 12) n;
    INSERT INTO frozen_definition (campaign, digest, month, definition)
    SELECT id, '', month, '{}'
    FROM campaign, (VALUES (date '2026-11-01'), ('2026-12-01')) AS months (month);
    INSERT INTO dispatch (id, workspace, campaign, campaign_version, digest, cause, shape, state,
        planned_at, expires_at, cohort, occurrence, audience_estimate, created_at, at_read, chunks,
        chunks_left, targeted, skipped, properties, month, far)
    SELECT gen_random_uuid(), workspace, id, 1, '', 'launch', 'pointer',
           CASE WHEN n < 9 THEN 'done' WHEN n = 9 THEN 'planned' ELSE 'running' END,
           created_at, created_at, 1, 0, 0, created_at, n = 1, 2, 2, 0, '{}', '{}',
           CASE n % 2 WHEN 0 THEN date '2026-11-01' ELSE '2026-12-01' END, false
    FROM campaign, generate_series(1, 10) n;
    INSERT INTO chunk (dispatch, dispatch_month, number, lane, open, queued_at, turn_at, free_at,
                       touched_at, token, targeted, attempt, skipped, work)
    SELECT id, month, n, n % 2, n < 4, timestamptz '2026-11-21 10:00+00' + n / 2 % 2 * interval '1 day',
           created_at, created_at, created_at, 1, 0, 0, '{}', '{}'
    FROM dispatch, generate_series(0, 5) n WHERE state = 'running';
    INSERT INTO idempotency (workspace, key, request_hash, begun_at, expires_at, held)
    SELECT id, name, '', '2026-11-21 10:00+00', '2026-11-22 10:00+00', true FROM workspace;
    INSERT INTO call (at, workspace, campaign, bytes, elapsed_ms, status, method, host, outcome, url)
    SELECT timestamptz '2026-11-21 10:00+00' + n * interval '1 ms', w.id, gen_random_uuid(), 1, 1,
           n % 600, 'GET', n::text, 'network', ''
    FROM workspace w, generate_series(1, 20) n";
const OTHER_DAYS: &str = "
    SELECT string_agg('DROP TABLE ' || relname, ';') FROM pg_class
    WHERE relname ~ '^((call|idempotency)_2026112[2-8]|chunk_2026112[3-8])$' AND relkind = 'r'
       OR relname ~ '^(dispatch|frozen_definition)_2027..$' AND relkind = 'r'";

/// The steps of a plan may not read a table or an index from end to end.
fn check(statement: &str, lines: &[String]) {
    let next = lines.iter().skip(1).map(String::as_str).chain([""]);
    let walks = lines.iter().zip(next).find(|(line, next)| {
        (line.contains("Seq Scan") && !line.contains(ONE_ROW))
            || (line.contains("Index") && line.contains("Scan") && !next.contains("Index Cond"))
    });
    assert_eq!(walks, None, "{statement} walks through a table: {lines:?}");
}

#[tokio::test]
async fn no_hot_statement_walks_through_a_table() {
    let harness = Postgres::new();
    let (store, database) = (harness.store().await, harness.database().await);
    store.prune(at(0)).await.unwrap();
    let other_days = database.sql(OTHER_DAYS).await;
    database.sql(&other_days).await;
    database.sql(FILL).await;
    database.sql("VACUUM ANALYZE").await;

    let mut text = String::new();
    for (statement, lines) in store.plans().await.unwrap() {
        check(statement, &lines);
        writeln!(text, "{statement}\n    {}", lines.join("\n    ")).expect("memory");
    }
    insta::assert_snapshot!("postgres_control", text);
}

/// A connection keeps its plans, and a partition is empty when it is made.
#[tokio::test]
async fn plans_made_while_partitions_are_new_walk_through_no_table() {
    let harness = Postgres::new();
    let store = harness.store().await;
    store.prune(at(0)).await.unwrap();
    for (statement, lines) in store.plans().await.unwrap() {
        check(statement, &lines);
    }
}
