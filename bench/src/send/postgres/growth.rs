//! What grows with the audience and what must not: the node's memory during a personal launch, the
//! rows of a broadcast, and how soon a feed shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::cluster::{Cluster, Workers};
use super::{Watched, audience};
use crate::Setting;
use crate::campaigns;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::{Database, Postgres};
use crate::send::broadcast;
use crate::statistics::median;

const AUDIENCES: [usize; 3] = [100_000, 1_000_000, 5_000_000];
const QUICK_AUDIENCES: [usize; 2] = [20_000, 100_000];
const ONE_PROCESS: Workers = Workers {
    processes: 1,
    each: 2,
};
/// Until the server has counted what idle connections have done.
const COUNTED: Duration = Duration::from_secs(11);

/// One size of audience, on databases of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Grown {
    pub(crate) users: usize,
    pub(crate) personal: Watched,
    /// Rows inserted in both databases from before the first broadcast until after it, by table, as
    /// the server counts them, with whatever the node does besides.
    pub(crate) broadcast_rows: BTreeMap<String, u64>,
    pub(crate) broadcast_shape: String,
    /// Medians, from the launch request on: until a feed has the card, until it was answered.
    pub(crate) visible_ms: f64,
    pub(crate) visible_ms_all: Vec<f64>,
    pub(crate) answered_ms: f64,
}

pub(super) async fn run(setting: &Setting, postgres: &Postgres) -> Result<Vec<Grown>> {
    let sizes: &[usize] = if setting.is_quick {
        &QUICK_AUDIENCES
    } else {
        &AUDIENCES
    };
    let mut grown = Vec::new();
    for users in sizes {
        grown.push(one(setting, postgres, *users).await?);
    }
    Ok(grown)
}

async fn one(setting: &Setting, postgres: &Postgres, users: usize) -> Result<Grown> {
    say(&format!("send: postgres: loading {users} users"));
    let cluster = Cluster::create(setting, postgres, &format!("send-postgres-{users}")).await?;
    audience::load(&cluster, users).await?;
    say(&format!("send: postgres: {users} users: personal"));
    let nodes = cluster.start(ONE_PROCESS).await?;
    let personal = cluster
        .launch_on(&nodes, ONE_PROCESS, &campaigns::personal(), users)
        .await?;
    say(&format!("send: postgres: {users} users: broadcast"));
    let Some(node) = nodes.first() else {
        return Err(Failure::unexpected("a launch needs a node"));
    };
    sleep(COUNTED).await;
    let before = inserted(&cluster).await?;
    let first = broadcast::one(&cluster.site, node, 0).await?;
    sleep(COUNTED).await;
    let after = inserted(&cluster).await?;
    let seen = broadcast::more(&cluster.site, node, first).await?;
    for node in nodes {
        node.stop().await?;
    }
    Ok(Grown {
        users,
        personal,
        broadcast_rows: since(&before, &after),
        broadcast_shape: seen.shape,
        visible_ms: median(&seen.visible_ms),
        answered_ms: median(&seen.answered_ms),
        visible_ms_all: seen.visible_ms,
    })
}

/// Rows inserted so far, by table, of both databases.
async fn inserted(cluster: &Cluster) -> Result<BTreeMap<String, u64>> {
    let mut all = counts(&cluster.control).await?;
    for (table, rows) in counts(&cluster.cards).await? {
        *all.entry(table).or_default() += rows;
    }
    Ok(all)
}

async fn counts(database: &Database) -> Result<BTreeMap<String, u64>> {
    let sql = "SELECT string_agg(relname || ' ' || n_tup_ins, ',') FROM pg_stat_user_tables WHERE n_tup_ins > 0";
    let listed = database.text(sql).await?;
    let pairs = listed.split(',').filter_map(|pair| pair.split_once(' '));
    Ok(pairs
        .filter_map(|(table, rows)| Some((table.to_owned(), rows.parse().ok()?)))
        .collect())
}

fn since(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let more = after.iter().map(|(table, rows)| {
        let known = before.get(table).copied().unwrap_or_default();
        (table.clone(), rows.saturating_sub(known))
    });
    more.filter(|(_, rows)| *rows > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tables_with_new_rows_are_told() {
        let rows = |pairs: &[(&str, u64)]| {
            pairs
                .iter()
                .map(|(table, rows)| ((*table).to_owned(), *rows))
                .collect::<BTreeMap<_, _>>()
        };
        let before = rows(&[("campaign", 2), ("chunk", 5)]);
        let after = rows(&[("campaign", 3), ("chunk", 5), ("dispatch", 1)]);
        assert_eq!(
            since(&before, &after),
            rows(&[("campaign", 1), ("dispatch", 1)])
        );
    }
}
