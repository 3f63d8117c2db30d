//! How the databases run the statements that are run often. A plan is part of what is reviewed:
//! a changed index or statement shows here, and no hot statement may walk through a table.

use std::fmt::Write;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;
use corkboard_store::sqlite::{SqliteCardStore, SqliteControlStore, SqliteOptions};

/// A statement's name and the steps of its plan.
type Plan = (&'static str, Vec<String>);

/// Steps whose cost does not grow, although they are called scans.
const FINE: &[&str] = &[
    // One row, made by the statement itself.
    "SCAN CONSTANT ROW",
    // The names that the caller gives.
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    // Takes the first entry of an index that holds nothing else than what is wanted.
    "SCAN chunk USING COVERING INDEX chunk_ready",
    "SCAN c USING COVERING INDEX chunk_ready",
];

/// Whether a step's cost grows with the table.
fn walks(step: &str) -> bool {
    step.starts_with("SCAN ") && !FINE.contains(&step)
}

fn check(name: &str, plans: &[Plan]) {
    let mut text = String::new();
    for (statement, steps) in plans {
        let walking: Vec<&String> = steps.iter().filter(|step| walks(step)).collect();
        assert_eq!(
            walking, [""; 0],
            "{statement} walks through a table: {steps:?}"
        );
        writeln!(text, "{statement}\n    {}", steps.join("\n    ")).expect("memory");
    }
    insta::assert_snapshot!(name, text);
}

#[tokio::test]
async fn no_hot_statement_of_the_control_store_walks_through_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteControlStore::open(folder.path(), &SqliteOptions::default()).unwrap();
    check("control", &store.plans().await.unwrap());
}

#[tokio::test]
async fn no_hot_statement_of_the_card_store_walks_through_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteCardStore::open(folder.path(), &SqliteOptions::default()).unwrap();
    let cohort = Cohort::of(Timestamp::EPOCH, Timestamp::EPOCH);
    check("cards", &store.plans(cohort).await.unwrap());
}
