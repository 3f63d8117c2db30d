//! Whether every card database has the same cohorts: a card must find its cohort wherever its user
//! lives.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;
use corkboard_store::card_store::CohortStage;
use corkboard_store::postgres::{CohortSet, PgCardStore};
use metrics::{describe_gauge, gauge};

use super::told;

/// What was missing at the last look, by database.
#[derive(Debug, Default)]
pub(super) struct Sets {
    missing: BTreeMap<String, BTreeSet<Cohort>>,
}

pub(super) fn describe() {
    describe_gauge!(
        "corkboard_keeper_cohorts",
        "cohorts with tables: live with cards, made ahead without, ended and not dropped yet"
    );
    describe_gauge!(
        "corkboard_keeper_cohorts_missing",
        "cohorts that another card database has and this one has not"
    );
}

impl Sets {
    /// Compares all databases that can be asked; what has begun or ended to be missing is logged.
    pub(super) async fn compare(&mut self, databases: &[Arc<PgCardStore>], now: Timestamp) {
        let mut sets = Vec::with_capacity(databases.len());
        for database in databases {
            let set = database.cohort_set(now).await;
            if let Some(set) = told(database.name(), "cohorts cannot be compared", set) {
                count(database.name(), &set, now);
                sets.push((database.name().to_owned(), set.all.into_keys().collect()));
            }
        }
        for (database, missing) in missing(&sets, now) {
            #[expect(clippy::cast_precision_loss, reason = "a few dozen at most")]
            let count = missing.len() as f64;
            let name = database.clone();
            gauge!("corkboard_keeper_cohorts_missing", "database" => name).set(count);
            let before = self.missing.insert(database.clone(), missing.clone());
            if missing == before.unwrap_or_default() {
                continue;
            }
            if missing.is_empty() {
                tracing::info!(database, "has the cohorts of the others again");
            } else {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                tracing::warn!(
                    database,
                    missing = missing.join(" "),
                    "has not all cohorts of the others: cards for them are refused there"
                );
            }
        }
    }
}

/// Tells how many cohorts the database has: those that readers look into, and the others.
fn count(database: &str, set: &CohortSet, now: Timestamp) {
    for stage in CohortStage::ALL {
        #[expect(clippy::cast_precision_loss, reason = "a few dozen at most")]
        let count = set.count(stage, now) as f64;
        let name = database.to_owned();
        gauge!("corkboard_keeper_cohorts", "database" => name, "stage" => stage.as_str())
            .set(count);
    }
}

/// What each database lacks. Those that have ended are dropped one database after the other.
fn missing(sets: &[(String, BTreeSet<Cohort>)], now: Timestamp) -> Vec<(String, BTreeSet<Cohort>)> {
    let all: BTreeSet<Cohort> = sets
        .iter()
        .flat_map(|(_, set)| set.iter().copied())
        .filter(|cohort| cohort.ends_at() > now)
        .collect();
    let missing = sets.iter().map(|(database, set)| {
        let missing = all.difference(set).copied().collect();
        (database.clone(), missing)
    });
    missing.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_database_lacks_what_another_has_unless_it_is_over() {
        const DAY: Duration = Duration::from_secs(86_400);
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let cohort =
            |days: u32| Cohort::of(now.minus(3 * DAY), now.minus(3 * DAY).plus(days * DAY));
        let (over, soon, later) = (cohort(1), cohort(4), cohort(5));
        let sets = [
            ("a".to_owned(), BTreeSet::from([over, soon, later])),
            ("b".to_owned(), BTreeSet::from([later])),
        ];
        let found = missing(&sets, now);
        assert_eq!(found[0].1, BTreeSet::new());
        assert_eq!(found[1].1, BTreeSet::from([soon]));
    }
}
