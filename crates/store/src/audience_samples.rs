//! Generated users and audiences: what SQL and memory must decide alike about, in every database.

use std::collections::BTreeMap;

use corkboard_core::audience::{AttributeTest, Audience, Condition, EventTest, Scalar};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{EventSummary, User, UserId};
use proptest::prelude::*;

/// The time at which audiences are decided.
pub(crate) const NOW: Timestamp = Timestamp::EPOCH;

pub(crate) fn user(attributes: &serde_json::Value, events: BTreeMap<String, EventSummary>) -> User {
    let mut user = User::unknown(UserId::parse("u-1").unwrap(), NOW);
    user.attributes = attributes.as_object().cloned().unwrap();
    user.events = events;
    user
}

/// Few names, so that filters and users meet; all that names may hold.
fn names() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "a",
        "a.b",
        "x[0]",
        "with space",
        "naïve ✓",
        "$",
        "#-1",
        "'",
        "?1",
    ])
    .prop_map(str::to_owned)
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "", "a", "b", "ab", "1", "true", "null", "é", "e\u{301}", "🙂"
        ])
        .prop_map(str::to_owned),
        "[a-c\\n\"\\\\é🙂]{0,6}",
    ]
}

/// Few values near each other and near the limits of integers and doubles.
fn integers() -> impl Strategy<Value = i64> {
    prop_oneof![
        -3_i64..4,
        prop::sample::select(vec![
            i64::MIN,
            i64::MAX,
            i64::MAX - 1,
            9_007_199_254_740_992,
            9_007_199_254_740_993,
        ]),
        any::<i64>(),
    ]
}

fn reals() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-3_i8..4).prop_map(f64::from),
        prop::sample::select(vec![
            0.1,
            0.5,
            -0.0,
            1e300,
            -1e300,
            5e-324,
            9_007_199_254_740_992.0,
            9_223_372_036_854_775_808.0,
            1.000_000_000_000_000_2,
        ]),
        any::<f64>().prop_filter("JSON has no such number", |number| number.is_finite()),
    ]
}

fn scalars() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        texts().prop_map(Scalar::Text),
        integers().prop_map(Scalar::Integer),
        reals().prop_map(Scalar::Real),
        any::<bool>().prop_map(Scalar::Bool),
    ]
}

fn values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        texts().prop_map(serde_json::Value::from),
        integers().prop_map(serde_json::Value::from),
        any::<u64>().prop_map(serde_json::Value::from),
        reals().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::btree_map(names(), inner, 0..3)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

pub(crate) fn users() -> impl Strategy<Value = User> {
    let event = (1_u64..4, -9_i64..1).prop_map(|(count, seconds)| EventSummary {
        count,
        first_at: Timestamp::from_seconds(-10),
        last_at: Timestamp::from_seconds(seconds),
    });
    (
        prop::collection::btree_map(names(), values(), 0..6),
        prop::collection::btree_map(names(), event, 0..4),
    )
        .prop_map(|(attributes, events)| {
            user(
                &serde_json::Value::Object(attributes.into_iter().collect()),
                events,
            )
        })
}

fn attribute_tests() -> impl Strategy<Value = AttributeTest> {
    prop_oneof![
        scalars().prop_map(AttributeTest::Eq),
        scalars().prop_map(AttributeTest::Ne),
        scalars().prop_map(AttributeTest::Lt),
        scalars().prop_map(AttributeTest::Lte),
        scalars().prop_map(AttributeTest::Gt),
        scalars().prop_map(AttributeTest::Gte),
        prop::collection::vec(scalars(), 0..5).prop_map(AttributeTest::In),
        scalars().prop_map(AttributeTest::Contains),
        any::<bool>().prop_map(AttributeTest::Exists),
    ]
}

pub(crate) fn conditions() -> impl Strategy<Value = Condition> {
    let event = prop_oneof![
        any::<bool>().prop_map(EventTest::Exists),
        (0_u64..5).prop_map(EventTest::CountGte),
        (0_u64..12).prop_map(EventTest::WithinSeconds),
        Just(EventTest::WithinSeconds(u64::MAX)),
        Just(EventTest::CountGte(u64::MAX)),
    ];
    let leaf = prop_oneof![
        4 => (names(), attribute_tests()).prop_map(|(name, test)| Condition::Attribute { name, test }),
        1 => (names(), event).prop_map(|(name, test)| Condition::Event { name, test }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::All),
            prop::collection::vec(inner.clone(), 0..4).prop_map(Condition::Any),
            inner.prop_map(|part| Condition::Not(Box::new(part))),
        ]
    })
}

/// A test that looks at a value the user has: unrelated ones rarely meet.
pub(crate) fn aimed() -> impl Strategy<Value = (User, Condition)> {
    (users(), attribute_tests(), any::<prop::sample::Index>()).prop_map(|(user, test, place)| {
        let name = match user.attributes.len() {
            0 => "a".to_owned(),
            len => {
                let mut names = user.attributes.keys();
                names.nth(place.index(len)).cloned().unwrap_or_default()
            }
        };
        let own = user.attributes.get(&name).and_then(Scalar::from_json);
        let test = match (test, own) {
            (AttributeTest::Eq(_), Some(own)) => AttributeTest::Eq(own),
            (AttributeTest::Ne(_), Some(own)) => AttributeTest::Ne(own),
            (AttributeTest::Lt(_), Some(own)) => AttributeTest::Lt(own),
            (AttributeTest::Lte(_), Some(own)) => AttributeTest::Lte(own),
            (AttributeTest::In(mut list), Some(own)) => {
                list.push(own);
                AttributeTest::In(list)
            }
            (test, _) => test,
        };
        (user, Condition::Attribute { name, test })
    })
}

pub(crate) fn audience(value: &serde_json::Value) -> Audience {
    Audience::from_json(value).unwrap_or_else(|error| panic!("{value}: {error}"))
}
