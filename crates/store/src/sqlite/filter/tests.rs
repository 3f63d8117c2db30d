//! SQL and memory must decide alike: generated filters over generated users, and by example.

use std::collections::BTreeMap;

use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::user::User;
use proptest::prelude::*;
use rusqlite::{Connection, params, params_from_iter};
use serde_json::json;

use super::*;
use crate::audience_samples::{NOW, aimed, audience, conditions, user, users};

const SCHEMA: &str = include_str!("../schema/users_0001.sql");

/// One user in a real schema.
fn database(user: &User) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    let workspace = WorkspaceId::from_bytes([7; 16]).to_bytes();
    connection
        .execute(
            "INSERT INTO user VALUES (?1, 1, ?2, ?3, 0, 0)",
            params![
                workspace,
                user.id.as_str(),
                serde_json::to_string(&user.attributes).unwrap()
            ],
        )
        .unwrap();
    for (name, event) in &user.events {
        connection
            .execute(
                "INSERT INTO user_event VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    workspace,
                    user.id.as_str(),
                    name,
                    i64::try_from(event.count).unwrap(),
                    event.first_at.as_micros(),
                    event.last_at.as_micros()
                ],
            )
            .unwrap();
    }
    connection
}

fn matches(connection: &Connection, audience: &Audience) -> bool {
    let filter = translate(audience, NOW, 1);
    let sql = format!("SELECT count(*) FROM user u WHERE {}", filter.sql);
    let count: i64 = connection
        .query_row(&sql, params_from_iter(&filter.values), |row| row.get(0))
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    count == 1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn sql_and_memory_decide_alike(user in users(), conditions in prop::collection::vec(conditions(), 8)) {
        let connection = database(&user);
        for condition in conditions {
            let audience = Audience::Matching(condition);
            prop_assert_eq!(matches(&connection, &audience), audience.matches(&user, NOW), "{:?}", audience);
        }
    }

    #[test]
    fn sql_and_memory_decide_alike_about_values_that_are_there((user, condition) in aimed()) {
        let audience = Audience::Matching(condition);
        prop_assert_eq!(matches(&database(&user), &audience), audience.matches(&user, NOW));
    }
}

#[test]
fn the_largest_filter_that_parses_also_runs() {
    let list: Vec<_> = (0..1_000).map(|i| json!(format!("value {i}"))).collect();
    let mut tree = json!({"any": (0..190)
        .map(|_| json!({"attribute": "a", "op": "in", "value": list}))
        .collect::<Vec<_>>()});
    for _ in 0..9 {
        tree = json!({"not": tree});
    }
    let audience = audience(&tree);
    let hit = user(&json!({"a": "value 999"}), BTreeMap::new());
    let miss = user(&json!({"a": "value 1000"}), BTreeMap::new());
    assert!(!matches(&database(&hit), &audience));
    assert!(matches(&database(&miss), &audience));
}

#[test]
fn a_name_reaches_only_the_attribute_of_that_name() {
    let user = user(&json!({"a": {"b": 1}, "x": [5]}), BTreeMap::new());
    let connection = database(&user);
    for name in ["a.b", "x[0]", "a\u{7d}", "*"] {
        let exists = audience(&json!({"attribute": name, "op": "exists"}));
        assert!(!matches(&connection, &exists), "{name}");
    }
}
