//! `--explain`: what the hot reads cost on each database, run as a node runs them.

use std::time::Duration;

use corkboard_config::{StoreConfig, StoreKind};
use corkboard_core::story::story;
use corkboard_core::time::Timestamp;
use corkboard_store::StoreError;
use corkboard_store::postgres::watch::Finding as Looked;
use corkboard_store::postgres::{CardLayout, PgCardStore, PgControlStore, PgOptions};
use tokio::time::timeout;

use super::Finding;
use crate::stores::{CONTROL, card_layout};

const CHECK: &str = "plans";
/// Longest time for one database; each read has the time-out of a statement besides.
const PATIENCE: Duration = Duration::from_secs(60);

/// Findings about every database, one after the other, so that none disturbs another's.
pub(super) async fn reads(store: &StoreConfig, now: Timestamp) -> Vec<Finding> {
    let StoreKind::Postgres { control, databases } = &store.kind else {
        return Vec::new();
    };
    let options = PgOptions {
        connections: 1,
        warm: 1,
        ..PgOptions::default()
    };
    let mut findings = about(CONTROL, control_reads(control.expose(), &options, now)).await;
    for database in databases {
        let layout = card_layout(database.layout);
        let name = &database.name;
        let reads = card_reads(name, database.url.expose(), layout, &options, now);
        findings.extend(about(name, reads).await);
    }
    findings
}

async fn control_reads(
    url: &str,
    options: &PgOptions,
    now: Timestamp,
) -> Result<Vec<Looked>, StoreError> {
    let store = PgControlStore::connect(url, options).await?;
    let findings = store.explain_reads(now).await;
    store.close();
    findings
}

async fn card_reads(
    name: &str,
    url: &str,
    layout: CardLayout,
    options: &PgOptions,
    now: Timestamp,
) -> Result<Vec<Looked>, StoreError> {
    let store = PgCardStore::connect(name, url, layout, options).await?;
    let findings = store.explain_reads(now).await;
    store.close();
    findings
}

async fn about(
    name: &str,
    reads: impl Future<Output = Result<Vec<Looked>, StoreError>>,
) -> Vec<Finding> {
    let remedy = "see the findings 'connection' and 'schema' of this database";
    let problem = match timeout(PATIENCE, Box::pin(reads)).await {
        Ok(Ok(findings)) if findings.is_empty() => {
            let mut finding = Finding::ok(CHECK, "there is no user yet to read for");
            finding.database = Some(name.to_owned());
            return vec![finding];
        }
        Ok(Ok(findings)) => {
            let findings = findings.iter();
            return findings
                .map(|finding| Finding::of_database(Some(name), finding))
                .collect();
        }
        Ok(Err(error)) => story(&error),
        Err(_) => format!("not done within {} s", PATIENCE.as_secs()),
    };
    let mut finding = Finding::fail(CHECK, problem, remedy);
    finding.database = Some(name.to_owned());
    vec![finding]
}

#[cfg(test)]
mod tests;
