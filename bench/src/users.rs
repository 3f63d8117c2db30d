//! The users of a run: plausible, many, and the same every time.

use serde_json::{Value, json};

const NAMES: [&str; 8] = [
    "ada", "björn", "chidi", "dolores", "emre", "fatima", "grace", "hiroshi",
];
const PLANS: [&str; 3] = ["free", "plus", "pro"];
const TOPICS: [&str; 6] = ["garden", "kitchen", "cycling", "music", "books", "travel"];

/// The id of the user with this number.
pub(crate) fn id(number: usize) -> String {
    format!("user-{number:07}")
}

/// A user as `POST /v1/users/track` takes it.
pub(crate) fn attributes(number: usize) -> Value {
    json!({
        "user_id": id(number),
        "first_name": NAMES[number % NAMES.len()],
        "plan": PLANS[number % PLANS.len()],
        "visits": number % 40,
        "points": number * 37 % 9_000,
        "topics": [
            TOPICS[number % TOPICS.len()],
            TOPICS[(number / 7 + 1) % TOPICS.len()],
            TOPICS[(number / 11 + 3) % TOPICS.len()],
        ],
        "time_zone": "Europe/Amsterdam",
    })
}
