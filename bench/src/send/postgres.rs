//! Sending on PostgreSQL: cards a second from the launch to the last card beside psql's binary
//! `\copy` of the same rows into the same tables, memory as the audience grows, broadcasts.

mod audience;
mod cluster;
mod growth;
mod raw;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::launch::{MemoryUse, rounded};
use crate::Setting;
use crate::campaigns;
use crate::console::{say, show as show_line};
use crate::failure::{Failure, Result};
use crate::postgres::Postgres;
use crate::statistics::median;

use cluster::{Cluster, Workers};
pub(crate) use growth::Grown;
pub(crate) use raw::Raw;

const USERS: usize = 500_000;
const QUICK_USERS: usize = 30_000;
const ROUNDS: usize = 3;
/// The workers that a launch is given: all in one process, or one in each of two.
const WORKERS: [Workers; 2] = [
    Workers {
        processes: 1,
        each: 2,
    },
    Workers {
        processes: 2,
        each: 1,
    },
];

/// Everything that was measured on PostgreSQL.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct OnPostgres {
    pub(crate) settings: String,
    pub(crate) users: usize,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) growth: Vec<Grown>,
    /// Growth of the node's peak memory for each further user, in bytes.
    pub(crate) peak_bytes_per_user: f64,
}

/// One shape of card: product and yardstick in turn.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Shape {
    pub(crate) shape: String,
    pub(crate) rounds: Vec<Round>,
}

/// The product once with each set of workers, then `\copy` of what the last one wrote.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) launches: Vec<Launch>,
    pub(crate) raw: Raw,
}

/// One launch to everybody.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) processes: usize,
    pub(crate) workers_each: usize,
    pub(crate) cards: u64,
    pub(crate) seconds: f64,
    pub(crate) cards_per_second: f64,
    /// CPU time of all processes of the product for each card.
    pub(crate) cpu_micros_each: f64,
    /// CPU time of the database server, all its processes, for each card.
    #[serde(default)]
    pub(crate) server_micros_each: f64,
    pub(crate) xids_per_1000: f64,
    pub(crate) wal_bytes_each: f64,
}

/// A launch with the memory of its first process meanwhile.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Watched {
    pub(crate) launch: Launch,
    pub(crate) memory: MemoryUse,
}

impl Shape {
    /// Rates with these workers.
    pub(crate) fn rates(&self, workers: usize) -> Vec<f64> {
        let of = |round: &Round| round.launches.get(workers).map(|one| one.cards_per_second);
        self.rounds.iter().filter_map(of).collect()
    }

    /// The product's best set of workers as a part of `\copy` by one client and by two: medians of
    /// the ratios within each round.
    pub(crate) fn ratios(&self) -> (f64, f64) {
        let best = |round: &Round| {
            let rates = round.launches.iter().map(|one| one.cards_per_second);
            rates.fold(0.0, f64::max)
        };
        let ratio = |of: fn(&Raw) -> f64| {
            let each = self
                .rounds
                .iter()
                .map(|round| best(round) / of(&round.raw).max(1.0));
            median(&each.collect::<Vec<f64>>())
        };
        (
            ratio(|raw| raw.one_client_per_second),
            ratio(|raw| raw.two_clients_per_second),
        )
    }
}

pub(super) async fn run(setting: &Setting) -> Result<OnPostgres> {
    let postgres = Postgres::start(setting).await?;
    let users = if setting.is_quick { QUICK_USERS } else { USERS };
    let shapes = compare(setting, &postgres, users).await?;
    let growth = growth::run(setting, &postgres).await?;
    let peaks: Vec<(f64, f64)> = growth
        .iter()
        .map(|one| {
            (
                one.users as f64,
                one.personal.memory.peak_mib * 1024.0 * 1024.0,
            )
        })
        .collect();
    Ok(OnPostgres {
        settings: Postgres::settings(),
        users,
        shapes,
        growth,
        peak_bytes_per_user: rounded(crate::statistics::slope(&peaks)),
    })
}

/// Compares the rates and shows them.
pub(super) async fn show(setting: &Setting) -> Result<()> {
    let postgres = Postgres::start(setting).await?;
    let users = if setting.is_quick { QUICK_USERS } else { USERS };
    for shape in compare(setting, &postgres, users).await? {
        let (of_one, of_two) = shape.ratios();
        let name = &shape.shape;
        show_line(&format!(
            "{name}: {of_one:.2} of \\copy by one client, {of_two:.2} by two"
        ));
        for round in &shape.rounds {
            for one in &round.launches {
                show_line(&format!(
                    "  {} x {} workers: {:.0}/s, CPU µs/card: {:.2} own, {:.2} server; log bytes {:.0}",
                    one.processes,
                    one.workers_each,
                    one.cards_per_second,
                    one.cpu_micros_each,
                    one.server_micros_each,
                    one.wal_bytes_each
                ));
            }
            let raw = &round.raw;
            show_line(&format!(
                "  \\copy: {:.0}/s by one client, {:.0}/s by two, CPU µs/card: {:.2} server",
                raw.one_client_per_second, raw.two_clients_per_second, raw.server_micros_each
            ));
        }
    }
    Ok(())
}

/// Both shapes in turn, so that a noisy minute falls on everything.
async fn compare(setting: &Setting, postgres: &Postgres, users: usize) -> Result<Vec<Shape>> {
    say(&format!("send: postgres: loading {users} users"));
    let cluster = Cluster::create(setting, postgres, "send-postgres").await?;
    audience::load(&cluster, users).await?;
    let mut shapes = ["pointer", "personal"].map(|shape| Shape {
        shape: shape.to_owned(),
        rounds: Vec::new(),
    });
    let mut days = 1;
    for number in 1..=ROUNDS {
        for shape in &mut shapes {
            say(&format!("send: postgres: round {number}, {}", shape.shape));
            let (mut launches, mut written) = (Vec::new(), None);
            for workers in WORKERS {
                let campaign = campaign(&shape.shape, days);
                let cohorts = cluster.cohorts().await?;
                launches.push(cluster.launch(workers, &campaign, users).await?.launch);
                written = cluster
                    .cohorts()
                    .await?
                    .into_iter()
                    .find(|name| !cohorts.contains(name));
                days += 1;
            }
            let cohort =
                written.ok_or_else(|| Failure::unexpected("a launch used no new cohort"))?;
            let raw = raw::copy(&cluster, &cohort, users as u64).await?;
            shape.rounds.push(Round { launches, raw });
        }
    }
    Ok(shapes.into())
}

/// A campaign of this shape whose cards fall in a cohort that no other launch of the run has.
fn campaign(shape: &str, number: u64) -> Value {
    let mut campaign = match shape {
        "pointer" => campaigns::pointer(),
        _ => campaigns::personal(),
    };
    // The next five days have cohorts of their own, then five weeks do, then months of five weeks.
    let days = match number {
        ..=5 => number,
        6..=10 => 7 * (number - 5),
        _ => 36 + 35 * (number - 11),
    };
    campaign["expiry"] = json!({ "ttl_seconds": days * 86_400 });
    campaign
}
