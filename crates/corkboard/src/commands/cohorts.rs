//! `corkboard cohorts`: what each card database holds by the time it expires, and dropping what is
//! over.

use std::time::Duration;

use corkboard_core::time::{Clock as _, SystemClock, Timestamp};
use corkboard_store::StoreError;
use corkboard_store::card_store::{CohortInfo, CohortStage, RetiredCohort};
use serde_json::{Value, json};

use super::with_stores;
use crate::cli::{CohortsCommand, ConfigFile};
use crate::exit::{Failure, Outcome};
use crate::output::{self, Table};
use crate::stores::{Stores, named};

pub(crate) fn run(config: &ConfigFile, command: &CohortsCommand) -> Outcome {
    match *command {
        CohortsCommand::List { json } => list(config, json),
        CohortsCommand::Retire { dry_run, json } => retire(config, dry_run, json),
    }
}

fn list(config: &ConfigFile, as_json: bool) -> Outcome {
    with_stores(config, async |settings, stores| {
        let now = SystemClock.now();
        let grace = settings.config.store.grace;
        let mut asked = Asked::default();
        for database in stores.card_databases() {
            let cohorts = database.cards.list_cohorts().await;
            asked.note(database.name, cohorts);
        }
        if as_json {
            let rows = asked
                .rows()
                .map(|(database, info)| listed(database, info, now, grace));
            output::json(&rows.collect::<Vec<_>>())?;
        } else {
            // The age counts from when the last of its cards has expired.
            let heads = &[
                "database",
                "cohort",
                "stage",
                "rows",
                "size",
                "age",
                "next drop",
            ];
            let mut table = Table::new(heads);
            for (database, info) in asked.rows() {
                let (age, drop) = times(info, now, grace);
                table.row(vec![
                    database.to_owned(),
                    info.cohort.to_string(),
                    stage(info, now).to_owned(),
                    info.rows.to_string(),
                    output::bytes(info.bytes),
                    age,
                    drop,
                ]);
            }
            table.print()?;
        }
        Failure::all(asked.failures)
    })
}

fn listed(database: &str, info: &CohortInfo, now: Timestamp, grace: Duration) -> Value {
    let ends = info.cohort.ends_at();
    json!({
        "database": database,
        "cohort": info.cohort.to_string(),
        "stage": stage(info, now),
        "rows": info.rows,
        "bytes": info.bytes,
        "age_seconds": now.since(ends).as_secs(),
        "ends_at": ends,
        "drop_at": ends.plus(grace),
    })
}

fn stage(info: &CohortInfo, now: Timestamp) -> &'static str {
    CohortStage::of(info.cohort, info.used, now).as_str()
}

/// Age and next drop.
fn times(info: &CohortInfo, now: Timestamp, grace: Duration) -> (String, String) {
    let ends = info.cohort.ends_at();
    let drop = ends.plus(grace);
    let age = if ends <= now {
        output::span(now.since(ends))
    } else {
        format!("until {ends}")
    };
    let drop = if drop <= now {
        "due".to_owned()
    } else {
        drop.to_string()
    };
    (age, drop)
}

fn retire(config: &ConfigFile, dry_run: bool, as_json: bool) -> Outcome {
    with_stores(config, async |settings, stores| {
        let asked = retired(&stores, settings.config.store.grace, dry_run).await;
        if as_json {
            let rows = asked.rows().map(|(database, one)| {
                json!({
                    "database": database,
                    "cohort": one.cohort.to_string(),
                    "bytes": one.bytes,
                    "dropped": !dry_run,
                })
            });
            output::json(&rows.collect::<Vec<_>>())?;
        } else {
            let mut table = Table::new(&["database", "cohort", "size", "dropped"]);
            for (database, one) in asked.rows() {
                let dropped = if dry_run { "would be" } else { "yes" };
                table.row(vec![
                    database.to_owned(),
                    one.cohort.to_string(),
                    output::bytes(one.bytes),
                    dropped.to_owned(),
                ]);
            }
            table.print()?;
        }
        Failure::all(asked.failures)
    })
}

/// One database after the other: retiring is never urgent.
async fn retired(stores: &Stores, grace: Duration, dry_run: bool) -> Asked<RetiredCohort> {
    let now = SystemClock.now();
    let mut asked = Asked::default();
    for database in stores.card_databases() {
        let retired = database.cards.retire_cohorts(now, grace, dry_run).await;
        asked.note(database.name, retired);
    }
    asked
}

/// What each database has answered; those that could not have failures instead.
struct Asked<T> {
    answers: Vec<(String, Vec<T>)>,
    failures: Vec<Failure>,
}

impl<T> Default for Asked<T> {
    fn default() -> Self {
        Self {
            answers: Vec::new(),
            failures: Vec::new(),
        }
    }
}

impl<T> Asked<T> {
    fn note(&mut self, database: String, answer: Result<Vec<T>, StoreError>) {
        match answer {
            Ok(rows) => self.answers.push((database, rows)),
            Err(error) => self.failures.push(named(&database, error)),
        }
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &T)> {
        let answers = self.answers.iter();
        answers.flat_map(|(name, rows)| rows.iter().map(move |row| (name.as_str(), row)))
    }
}
