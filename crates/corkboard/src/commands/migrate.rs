//! `corkboard migrate`: creates or upgrades the schemas, and says what it did with each database.

use corkboard_config::{StoreConfig, StoreKind};
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_store::StoreError;

use super::settings;
use crate::cli::ConfigFile;
use crate::exit::{Failure, Outcome};
use crate::stores::{CONTROL, Databases, Stores, named, options};
use crate::{output, progress, runtime};

pub(crate) fn run(config: &ConfigFile) -> Outcome {
    let settings = settings(config)?;
    let store = &settings.config.store;
    runtime::block_on(async {
        match &store.kind {
            StoreKind::Sqlite { .. } => embedded(store).await,
            StoreKind::Postgres { control, databases } => {
                let options = options(store.connections);
                every_database(Databases::connect(control, databases, &options).await?).await
            }
        }
    })
}

/// Opening an embedded store brings its schema up to date; there is nothing else to do.
async fn embedded(config: &StoreConfig) -> Outcome {
    let stores = Stores::open(config).await?;
    let facts = stores.control.describe().await;
    stores.close().await;
    for (name, value) in facts? {
        output::field(&name, &value)?;
    }
    Ok(())
}

/// One database after the other, a line for each. What fails for one keeps none of the others from
/// being migrated. Two runs at once take turns at each database.
async fn every_database(databases: Databases) -> Outcome {
    let total = u64::try_from(databases.cards.len() + 1).unwrap_or(u64::MAX);
    let bar = progress::bar("migrating", total);
    let mut failures = Vec::new();
    let mut tell = |name: &str, done: Result<String, StoreError>| {
        bar.inc(1);
        match done {
            Ok(done) => bar.suspend(|| output::field(name, &done))?,
            Err(error) => failures.push(named(name, error)),
        }
        Outcome::Ok(())
    };
    let control = &databases.control;
    let migrated = async {
        let migrated = versions(control.migrate().await?);
        let made = control.premake_partitions(SystemClock.now()).await?;
        Ok(with_made(migrated, made, "partitions"))
    };
    let mut told = tell(CONTROL, migrated.await);
    for (store, slots) in databases.by_slots() {
        if told.is_err() {
            break;
        }
        let migrated = async {
            let migrated = versions(store.migrate().await?);
            store.claim_slots(slots).await?;
            // Without them, the first cards would have to wait for a keeper's round.
            let made = store.premake_cohorts(SystemClock.now()).await?.len();
            Ok(with_made(migrated, made, "cohorts"))
        };
        told = tell(store.name(), migrated.await);
    }
    bar.finish_and_clear();
    databases.close();
    told?;
    Failure::all(failures)
}

fn with_made(migrated: String, made: usize, what: &str) -> String {
    match made {
        0 => migrated,
        made => format!("{migrated}, {made} {what} made"),
    }
}

fn versions((before, after): (u32, u32)) -> String {
    match before {
        0 => format!("created, schema version {after}"),
        before if before == after => format!("up to date, schema version {after}"),
        before => format!("upgraded from schema version {before} to {after}"),
    }
}
