//! What audiences mean, by example.

#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` values read better unborrowed"
)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Audience;
use crate::time::Timestamp;
use crate::user::{EventSummary, User, UserId};

const NOW: Timestamp = Timestamp::EPOCH;

fn user(attributes: Value) -> User {
    let mut user = User::unknown(UserId::parse("u-1").unwrap(), NOW);
    user.attributes = attributes.as_object().cloned().unwrap();
    user
}

fn audience(value: Value) -> Audience {
    Audience::from_json(&value).unwrap_or_else(|error| panic!("{value}: {error}"))
}

fn leaf(op: &str, value: Value) -> Audience {
    audience(json!({"attribute": "x", "op": op, "value": value}))
}

#[test]
fn the_documented_example_matches_by_plan_and_age() {
    let audience = audience(
        json!({"all":[{"attribute":"plan","op":"eq","value":"pro"},{"attribute":"age","op":"gte","value":18}]}),
    );
    assert!(audience.matches(&user(json!({"plan": "pro", "age": 18})), NOW));
    let free = user(json!({"plan": "free", "age": 44}));
    assert_eq!(
        audience.explain_mismatch(&free, NOW).as_deref(),
        Some("plan is 'free', wanted 'pro'")
    );
    let young = user(json!({"plan": "pro", "age": 17}));
    assert_eq!(
        audience.explain_mismatch(&young, NOW).as_deref(),
        Some("age is 17, wanted at least 18")
    );
    let unknown = user(json!({}));
    assert_eq!(
        audience.explain_mismatch(&unknown, NOW).as_deref(),
        Some("plan is not set, wanted 'pro'")
    );
}

#[test]
fn kinds_are_never_mixed_but_numbers_compare_by_value() {
    assert!(leaf("eq", json!(18)).matches(&user(json!({"x": 18.0})), NOW));
    assert!(!leaf("eq", json!("18")).matches(&user(json!({"x": 18})), NOW));
    assert!(!leaf("eq", json!(1)).matches(&user(json!({"x": true})), NOW));
    assert!(!leaf("lt", json!("b")).matches(&user(json!({"x": 1})), NOW));
    assert!(leaf("lt", json!("b")).matches(&user(json!({"x": "a"})), NOW));
    // 2^53 + 1 is not representable as a double: rounding would call them equal.
    assert!(
        !leaf("eq", json!(9_007_199_254_740_993_i64))
            .matches(&user(json!({"x": 9_007_199_254_740_992.0})), NOW)
    );
}

#[test]
fn a_missing_value_matches_only_ne_and_exists_false() {
    for nobody in [json!({}), json!({"x": null})] {
        let user = user(nobody);
        assert!(leaf("ne", json!(1)).matches(&user, NOW));
        assert!(leaf("exists", json!(false)).matches(&user, NOW));
        for op in ["eq", "lt", "lte", "gt", "gte", "contains"] {
            assert!(!leaf(op, json!(1)).matches(&user, NOW), "{op}");
        }
    }
}

#[test]
fn contains_looks_into_texts_and_arrays() {
    assert!(leaf("contains", json!("oo")).matches(&user(json!({"x": "foo"})), NOW));
    assert!(leaf("contains", json!(2)).matches(&user(json!({"x": [1, 2]})), NOW));
    assert!(!leaf("contains", json!("2")).matches(&user(json!({"x": [1, 2]})), NOW));
    assert!(leaf("in", json!(["a", 2])).matches(&user(json!({"x": 2})), NOW));
}

#[test]
fn events_are_tested_by_count_and_recency() {
    let mut user = user(json!({}));
    let at = Timestamp::from_seconds(-100);
    user.events.insert(
        "bought".to_owned(),
        EventSummary {
            count: 2,
            first_at: at,
            last_at: at,
        },
    );
    let event =
        |op: &str, value: Value| audience(json!({"event": "bought", "op": op, "value": value}));
    assert!(event("count_gte", json!(2)).matches(&user, NOW));
    assert!(!event("count_gte", json!(3)).matches(&user, NOW));
    assert!(event("within_seconds", json!(100)).matches(&user, NOW));
    assert!(!event("within_seconds", json!(99)).matches(&user, NOW));
    assert!(
        audience(json!({"event": "other", "op": "exists", "value": false})).matches(&user, NOW)
    );
}

#[test]
fn the_json_form_survives_a_round_trip() {
    let value = json!({"any": [
        {"not": {"attribute": "a", "op": "in", "value": ["x", 1, true]}},
        {"all": [{"event": "e", "op": "within_seconds", "value": 60}]},
    ]});
    assert_eq!(audience(value.clone()).to_json(), value);
    assert_eq!(audience(json!("everyone")), Audience::Everyone);
}

#[test]
fn what_cannot_be_read_says_where_and_why() {
    let cases = [
        (json!("all"), "", "everyone"),
        (
            json!({"attribute": "a", "op": "equals", "value": 1}),
            "/op",
            "known are eq",
        ),
        (
            json!({"all": [{"attribute": "a", "op": "eq"}]}),
            "/all/0/value",
            "expected a text",
        ),
        (json!({"all": {}}), "/all", "list"),
        (
            json!({"attribute": "a", "event": "b", "op": "eq", "value": 1}),
            "",
            "either",
        ),
        (
            json!({"attribute": "a\"b", "op": "eq", "value": 1}),
            "/attribute",
            "name",
        ),
        (
            json!({"attribute": "a", "op": "eq", "value": 1, "x": 1}),
            "/x",
            "unknown field",
        ),
        (
            json!({"attribute": "a", "op": "gt", "value": true}),
            "/value",
            "order",
        ),
    ];
    for (value, path, message) in cases {
        let error = Audience::from_json(&value).expect_err("refused");
        assert_eq!(error.path, path, "{value}");
        assert!(
            error.message.contains(message),
            "{value}: {}",
            error.message
        );
    }
    let mut deep = json!({"attribute": "a", "op": "exists"});
    for _ in 0..20 {
        deep = json!({"not": deep});
    }
    assert!(Audience::from_json(&deep).is_err());
    let wide: Vec<Value> = (0..300)
        .map(|_| json!({"attribute": "a", "op": "exists"}))
        .collect();
    assert!(Audience::from_json(&json!({"any": wide})).is_err());
}

/// JSON that looks like an audience in places, to get past the first checks.
fn nearly_audiences() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "everyone",
        "all",
        "any",
        "not",
        "attribute",
        "event",
        "op",
        "value",
        "eq",
        "in",
        "exists",
        "count_gte",
        "contains",
        "plan",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(24, 128, 6, move |inner| {
        let object = prop::collection::btree_map(word.clone(), inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            object.prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics_and_what_is_read_is_written_alike(value in nearly_audiences()) {
        if let Ok(audience) = Audience::from_json(&value) {
            let again = Audience::from_json(&audience.to_json());
            prop_assert_eq!(again.as_ref(), Ok(&audience));
            let nobody = user(json!({}));
            prop_assert_eq!(audience.explain_mismatch(&nobody, NOW).is_none(), audience.matches(&nobody, NOW));
        }
    }
}
