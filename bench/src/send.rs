//! What a launch costs: rate and memory of a personal campaign as the audience grows, rows of each
//! shape of card, and how soon a broadcast is seen.

mod broadcast;
mod connected;
mod launch;
mod postgres;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::console::say;
use crate::failure::Result;
use crate::node::Site;
use crate::results::{Measured, settings};
use crate::rows::Rows;
use crate::{Setting, campaigns};

pub(crate) use broadcast::Broadcast;
pub(crate) use connected::Connected;
pub(crate) use launch::Launch;
pub(crate) use postgres::{Grown, Launch as PgLaunch, OnPostgres, Raw, Shape};

const AUDIENCES: [usize; 3] = [10_000, 50_000, 100_000];
const QUICK_AUDIENCES: [usize; 3] = [1_000, 5_000, 10_000];

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SendRows {
    pub(crate) audiences: Vec<Audience>,
    /// Growth of the peak resident memory for each further user of the audience, in bytes.
    pub(crate) peak_bytes_per_user: f64,
    pub(crate) connected: Connected,
    /// Absent in results from before there was one.
    #[serde(default)]
    pub(crate) postgres: Option<OnPostgres>,
}

/// One size of audience, on a store of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Audience {
    pub(crate) users: usize,
    /// `POST /v1/users/track`, a thousand users in a request.
    pub(crate) tracked_per_second: f64,
    pub(crate) personal: Launch,
    pub(crate) pointer: Launch,
    pub(crate) broadcast: Broadcast,
}

pub(crate) async fn run(setting: &Setting) -> Result<Measured<SendRows>> {
    let sizes = if setting.is_quick {
        QUICK_AUDIENCES
    } else {
        AUDIENCES
    };
    let mut audiences = Vec::new();
    for users in sizes {
        audiences.push(audience(setting, users).await?);
    }
    #[expect(clippy::cast_precision_loss, reason = "audiences are small numbers")]
    let peaks: Vec<(f64, f64)> = audiences
        .iter()
        .map(|one| {
            (
                one.users as f64,
                one.personal.memory.peak_mib * 1024.0 * 1024.0,
            )
        })
        .collect();
    let connected = connected::run(setting).await?;
    let postgres = postgres::run(setting).await?;
    let rows = SendRows {
        audiences,
        peak_bytes_per_user: crate::statistics::slope(&peaks),
        connected,
        postgres: Some(postgres),
    };
    let settings = settings([
        (
            "node",
            "corkboard serve, embedded store, one process, not pinned, default configuration"
                .to_owned(),
        ),
        (
            "memory",
            "resident set of the node from its start before the launch, from /proc".to_owned(),
        ),
        (
            "template",
            "about 450 bytes of output, 8 outputs, 3 filters, an if, a for; no fetches".to_owned(),
        ),
    ]);
    Ok(Measured { settings, rows })
}

/// Only how fast cards are written on PostgreSQL, beside `\\copy`; shown and not kept.
pub(crate) async fn show_rates(setting: &Setting) -> Result<()> {
    postgres::show(setting).await
}

async fn audience(setting: &Setting, users: usize) -> Result<Audience> {
    say(&format!("send: {users} users: loading"));
    let site = Site::create(setting, &format!("send-{users}"), "").await?;
    let node = site.start(None).await?;
    let begun = Instant::now();
    node.api.track(users).await?;
    let tracked_per_second = per_second(users as u64, begun.elapsed().as_secs_f64());
    // A fresh process, so that its peak of memory is that of the launch.
    node.stop().await?;
    let node = site.start(None).await?;

    say(&format!("send: {users} users: personal"));
    let personal = launch::run(&site, &node, &campaigns::personal()).await?;
    say(&format!("send: {users} users: pointer"));
    let pointer = launch::run(&site, &node, &campaigns::pointer()).await?;
    say(&format!("send: {users} users: broadcast"));
    let broadcast = broadcast::run(&site, &node).await?;
    node.stop().await?;
    std::fs::remove_dir_all(site.store()).ok();
    Ok(Audience {
        users,
        tracked_per_second,
        personal,
        pointer,
        broadcast,
    })
}

/// Rows that a store has more than before, in all and by table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) rows: i64,
    pub(crate) by_table: BTreeMap<String, i64>,
}

impl Written {
    pub(crate) fn between(before: &Rows, after: &Rows) -> Self {
        let by_table = after.since(before);
        Self {
            rows: by_table.values().sum(),
            by_table,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub(crate) fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}
