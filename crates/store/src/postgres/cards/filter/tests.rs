//! SQL and memory must decide alike: generated filters over generated users, and by example.

use std::collections::BTreeMap;

use corkboard_core::user::User;
use corkboard_testkit::{PgDatabase, PgServer};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use tokio::runtime::Runtime;

use super::*;
use crate::audience_samples::{NOW, aimed, audience, conditions, user, users};
use crate::postgres::PgOptions;
use crate::postgres::cards::{attempt, attributes};
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::values::stored;

const SCHEMA: &str = include_str!("../../schema/cards_0001.sql");

/// A real schema with one user at a time.
struct Bench {
    session: Option<Session>,
    _database: PgDatabase,
    runtime: Runtime,
}

impl Bench {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let (database, session) = runtime.block_on(async {
            let database = PgServer::shared().await.database().await;
            let pool = Pool::new(database.url(), &PgOptions::default()).unwrap();
            let session = pool.session().await.unwrap();
            session.run("schema", SCHEMA).await.unwrap();
            (database, session)
        });
        Self {
            session: Some(session),
            _database: database,
            runtime,
        }
    }

    fn session(&self) -> &Session {
        self.session.as_ref().unwrap()
    }

    fn put(&self, user: &User) {
        let put = async {
            let session = self.session();
            let forget = "DELETE FROM tracked_user; DELETE FROM user_event";
            session.run("forget", forget).await.unwrap();
            let attributes = attributes::write(&user.attributes).unwrap();
            let sql = "INSERT INTO tracked_user VALUES (now(), now(), 1, 1, $1, $2::text::jsonb)";
            let params: &[&(dyn ToSql + Sync)] = &[&user.id.as_str(), &attributes];
            attempt::change(session, "put user", sql, params)
                .await
                .unwrap();
            for (name, event) in &user.events {
                let sql = "INSERT INTO user_event VALUES ($1, $2, $3, 1, 1, $4, $5)";
                let times = (Time(event.first_at), Time(event.last_at));
                let count = stored(event.count);
                let params: &[&(dyn ToSql + Sync)] =
                    &[&count, &times.0, &times.1, &user.id.as_str(), name];
                attempt::change(session, "put event", sql, params)
                    .await
                    .unwrap();
            }
        };
        self.runtime.block_on(put);
    }

    fn matches(&self, audience: &Audience) -> bool {
        let filter = translate(audience, NOW, 1);
        let sql = format!("SELECT 1 FROM tracked_user u WHERE {}", filter.sql);
        let params: Vec<_> = filter.values.iter().map(Bound::param).collect();
        let found = attempt::once(self.session(), "match", &sql, &params);
        match self.runtime.block_on(found) {
            Ok(rows) => rows.len() == 1,
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A connection is given up within its runtime.
        let session = self.session.take();
        self.runtime.block_on(async { drop(session) });
    }
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig::with_cases(400))
}

#[test]
fn sql_and_memory_decide_alike() {
    let bench = Bench::new();
    let cases = (users(), prop::collection::vec(conditions(), 8));
    let decided = runner().run(&cases, |(user, conditions)| {
        bench.put(&user);
        for condition in conditions {
            let audience = Audience::Matching(condition);
            let in_memory = audience.matches(&user, NOW);
            prop_assert_eq!(bench.matches(&audience), in_memory, "{:?}", audience);
        }
        Ok(())
    });
    decided.unwrap();
}

#[test]
fn sql_and_memory_decide_alike_about_values_that_are_there() {
    let bench = Bench::new();
    let decided = runner().run(&aimed(), |(user, condition)| {
        let audience = Audience::Matching(condition);
        bench.put(&user);
        prop_assert_eq!(bench.matches(&audience), audience.matches(&user, NOW));
        Ok(())
    });
    decided.unwrap();
}

/// Where a double, its shortest decimal, and the integers around it are easily confused.
#[test]
fn numbers_compare_by_value_at_the_edges() {
    let bench = Bench::new();
    let edges = [
        json!(9_223_372_036_854_775_807_i64),
        json!(9_223_372_036_854_775_808_u64),
        json!(u64::MAX),
        json!(9_223_372_036_854_774_784.0),
        json!(9_223_372_036_854_774_900_i64),
        json!(9_223_372_036_854_775_808.0),
        json!(18_446_744_073_709_551_616.0),
        json!(9_007_199_254_740_992.0),
        json!(9_007_199_254_740_993_i64),
        json!(0.1),
        json!(1e300),
        json!(5e-324),
        json!(-0.0),
        json!(0),
    ];
    for value in &edges {
        let user = user(&json!({"a": value}), BTreeMap::new());
        bench.put(&user);
        for wanted in &edges {
            for op in ["eq", "ne", "lt", "lte", "gt", "gte", "in"] {
                let wanted = if op == "in" {
                    json!([wanted])
                } else {
                    wanted.clone()
                };
                let audience = audience(&json!({"attribute": "a", "op": op, "value": wanted}));
                let in_memory = audience.matches(&user, NOW);
                assert_eq!(bench.matches(&audience), in_memory, "{value} {audience:?}");
            }
        }
    }
}

#[test]
fn the_largest_filter_that_parses_also_runs() {
    let bench = Bench::new();
    let list: Vec<_> = (0..1_000).map(|i| json!(format!("value {i}"))).collect();
    let mut tree = json!({"any": (0..190)
        .map(|_| json!({"attribute": "a", "op": "in", "value": list}))
        .collect::<Vec<_>>()});
    for _ in 0..9 {
        tree = json!({"not": tree});
    }
    let audience = audience(&tree);
    for (value, matches) in [("value 999", false), ("value 1000", true)] {
        bench.put(&user(&json!({"a": value}), BTreeMap::new()));
        assert_eq!(bench.matches(&audience), matches, "{value}");
    }
}
