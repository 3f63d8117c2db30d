//! An installation on PostgreSQL: a control database, a card database, and nodes for each launch.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Launch, Watched};
use crate::Setting;
use crate::failure::{Failure, Result};
use crate::node::{Node, Site};
use crate::postgres::{Database, Postgres};
use crate::procfs;
use crate::send::launch::{MemoryWatch, rounded};
use crate::send::per_second;

const LONGEST: Duration = Duration::from_mins(10);
/// After the node that answers requests, further ones only work.
const FURTHER: &str = "worker";

/// How the workers of a launch are spread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workers {
    pub(super) processes: usize,
    /// Workers of each process.
    pub(super) each: usize,
}

#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) site: Site,
    pub(super) control: Database,
    pub(super) cards: Database,
    /// For files of exported rows.
    pub(super) folder: std::path::PathBuf,
}

impl Cluster {
    pub(super) async fn create(setting: &Setting, postgres: &Postgres, name: &str) -> Result<Self> {
        let (control, cards) = (postgres.database().await?, postgres.database().await?);
        let config = config(&control, &cards, 2);
        Ok(Self {
            site: Site::create_on(setting, name, &config).await?,
            folder: setting.scratch.join(name),
            control,
            cards,
        })
    }

    /// Nodes with these workers, ready; the first one answers requests.
    pub(super) async fn start(&self, workers: Workers) -> Result<Vec<Node>> {
        let config = config(&self.control, &self.cards, workers.each);
        let mut nodes = Vec::new();
        for number in 0..workers.processes {
            let site = match number {
                0 => self.site.again(&config)?,
                _ => self
                    .site
                    .beside(&format!("node-{number}"), FURTHER, &config)?,
            };
            nodes.push(site.start(None).await?);
        }
        Ok(nodes)
    }

    /// Starts nodes, launches a campaign to everybody, and ends the nodes.
    pub(super) async fn launch(
        &self,
        workers: Workers,
        campaign: &Value,
        users: usize,
    ) -> Result<Watched> {
        let nodes = self.start(workers).await?;
        let watched = self.launch_on(&nodes, workers, campaign, users).await?;
        for node in nodes {
            node.stop().await?;
        }
        Ok(watched)
    }

    pub(super) async fn launch_on(
        &self,
        nodes: &[Node],
        workers: Workers,
        campaign: &Value,
        users: usize,
    ) -> Result<Watched> {
        let Some(first) = nodes.first() else {
            return Err(Failure::unexpected("a launch needs a node"));
        };
        let cpu = || -> Result<f64> {
            let each = nodes.iter().map(|node| procfs::cpu_seconds(node.pid()));
            each.sum()
        };
        // Each launch begins with the same state of the log.
        self.cards.run("CHECKPOINT").await?;
        let campaign = first.api.create(campaign).await?;
        let (cpu_before, xid) = (cpu()?, self.cards.next_xid().await?);
        let server_before = self.cards.server_cpu_seconds()?;
        let wal = self.cards.wal_bytes().await?;
        let mut memory = MemoryWatch::start(first.pid())?;
        let begun = Instant::now();
        let dispatch = first.api.launch(&campaign).await?;
        let progress = first
            .api
            .finish(&dispatch, LONGEST, || memory.look())
            .await?;
        let seconds = begun.elapsed().as_secs_f64();
        let cards = progress.written;
        if cards != users as u64 || progress.targeted != cards {
            let what = format!("{users} users, and not everybody has a card: {progress:?}");
            return Err(Failure::unexpected(what));
        }
        let each = |sum: f64| sum / cards.max(1) as f64;
        let wal = self.cards.wal_bytes().await? - wal;
        Ok(Watched {
            launch: Launch {
                processes: workers.processes,
                workers_each: workers.each,
                cards,
                seconds: rounded(seconds),
                cards_per_second: rounded(per_second(cards, seconds)),
                cpu_micros_each: rounded(each(cpu()? - cpu_before) * 1e6),
                server_micros_each: rounded(
                    each(self.cards.server_cpu_seconds()? - server_before) * 1e6,
                ),
                xids_per_1000: rounded(each((self.cards.next_xid().await? - xid) as f64) * 1e3),
                wal_bytes_each: rounded(each(wal as f64)),
            },
            memory: memory.finish()?,
        })
    }

    /// Names of the cohorts that have cards.
    pub(super) async fn cohorts(&self) -> Result<Vec<String>> {
        let sql = "SELECT string_agg(name, ' ') FROM cohort WHERE state = 1";
        let names = self.cards.text(sql).await?;
        Ok(names.split_whitespace().map(str::to_owned).collect())
    }
}

fn config(control: &Database, cards: &Database, workers: usize) -> String {
    format!(
        "[store]\nkind = \"postgres\"\ncontrol = \"{}\"\n\
         [[store.database]]\nname = \"cards-0\"\nurl = \"{}\"\n\
         [send]\nworkers = {workers}\n",
        control.url(),
        cards.url()
    )
}
