//! `corkboard cohorts`: what is stored by the time it expires, and dropping what is over.

use corkboard_core::time::{Clock as _, SystemClock};
use serde_json::json;

use super::with_stores;
use crate::cli::{CohortsCommand, ConfigFile};
use crate::exit::Outcome;
use crate::output::{self, Table};
use crate::stores::EMBEDDED;

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
        let cohorts = stores.cards.list_cohorts().await?;
        if as_json {
            let rows = cohorts.iter().map(|info| {
                json!({
                    "database": EMBEDDED,
                    "cohort": info.cohort.to_string(),
                    "rows": info.rows,
                    "bytes": info.bytes,
                    "age_seconds": now.since(info.cohort.ends_at()).as_secs(),
                    "ends_at": info.cohort.ends_at(),
                    "drop_at": info.cohort.ends_at().plus(grace),
                })
            });
            return Ok(output::json(&rows.collect::<Vec<_>>())?);
        }
        // The age counts from when the last of its cards has expired.
        let heads = &["database", "cohort", "rows", "size", "age", "next drop"];
        let mut table = Table::new(heads);
        for info in cohorts {
            let ends = info.cohort.ends_at();
            let drop = ends.plus(grace);
            table.row(vec![
                EMBEDDED.to_owned(),
                info.cohort.to_string(),
                info.rows.to_string(),
                output::bytes(info.bytes),
                if ends <= now {
                    output::span(now.since(ends))
                } else {
                    format!("live until {ends}")
                },
                if drop <= now {
                    "due".to_owned()
                } else {
                    drop.to_string()
                },
            ]);
        }
        Ok(table.print()?)
    })
}

fn retire(config: &ConfigFile, dry_run: bool, as_json: bool) -> Outcome {
    with_stores(config, async |settings, stores| {
        let grace = settings.config.store.grace;
        let retired = stores
            .cards
            .retire_cohorts(SystemClock.now(), grace, dry_run)
            .await?;
        if as_json {
            let rows = retired.iter().map(|one| {
                json!({
                    "database": EMBEDDED,
                    "cohort": one.cohort.to_string(),
                    "bytes": one.bytes,
                    "dropped": !dry_run,
                })
            });
            return Ok(output::json(&rows.collect::<Vec<_>>())?);
        }
        let mut table = Table::new(&["database", "cohort", "size", "dropped"]);
        for one in retired {
            let dropped = if dry_run { "would be" } else { "yes" };
            let size = output::bytes(one.bytes);
            table.row(vec![
                EMBEDDED.to_owned(),
                one.cohort.to_string(),
                size,
                dropped.to_owned(),
            ]);
        }
        Ok(table.print()?)
    })
}
