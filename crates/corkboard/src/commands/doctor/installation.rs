//! Checks of the store: whether it opens, its schemas, cohorts that should be gone.

use std::time::Duration;

use corkboard_config::Config;
use corkboard_core::story::story;
use corkboard_core::time::Timestamp;
use corkboard_store::CardStore;

use super::Finding;
use crate::exit::Failure;
use crate::stores::{self, Stores};

/// The keeper comes by once a minute; after this, nobody seems to.
const KEEPER_LATE: Duration = Duration::from_secs(600);

pub(super) async fn store(config: &Config, now: Timestamp) -> Vec<Finding> {
    const CHECK: &str = "store";
    // Looking must not make one.
    if let Some(folder) = stores::embedded_folder(&config.store)
        && !folder.exists()
    {
        let found = format!("{} does not exist yet", folder.display());
        return vec![Finding::warn(
            CHECK,
            found,
            "'corkboard migrate' or the first start makes it",
        )];
    }
    let stores = match Stores::open(&config.store).await {
        Ok(stores) => stores,
        Err(Failure::Unavailable(problem) | Failure::Internal(problem)) => {
            let remedy = "see the message; when a node is running here, ask its /readyz instead";
            return vec![Finding::fail(CHECK, problem, remedy)];
        }
        Err(_) => return vec![Finding::fail(CHECK, "cannot be opened", "check [store]")],
    };
    let mut findings = vec![Finding::ok(CHECK, "opens")];
    match stores.control.describe().await {
        Ok(facts) => {
            let facts: Vec<String> = facts
                .into_iter()
                .map(|(name, value)| format!("{name} {value}"))
                .collect();
            findings.push(Finding::ok("schema", facts.join(", ")));
        }
        Err(error) => findings.push(Finding::fail("schema", story(&error), "restore a backup")),
    }
    findings.push(cohorts(&*stores.cards, config.store.grace, now).await);
    stores.close().await;
    findings
}

async fn cohorts(cards: &dyn CardStore, grace: Duration, now: Timestamp) -> Finding {
    const CHECK: &str = "cohorts";
    let cohorts = match cards.list_cohorts().await {
        Ok(cohorts) => cohorts,
        Err(error) => return Finding::fail(CHECK, story(&error), "restore a backup"),
    };
    let late: Vec<String> = cohorts
        .iter()
        .filter(|info| info.cohort.is_past(now, grace + KEEPER_LATE))
        .map(|info| info.cohort.to_string())
        .collect();
    if late.is_empty() {
        return Finding::ok(CHECK, format!("{}, none late", cohorts.len()));
    }
    Finding::warn(
        CHECK,
        format!("past their grace: {}", late.join(", ")),
        "run a node with the role keeper, or 'corkboard cohorts retire'",
    )
}
