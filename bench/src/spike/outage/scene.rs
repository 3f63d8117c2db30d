//! One front with its Redis: measured, warmed, and taken through its courses.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::course::{self, Course};
use super::plan::Plan;
use super::watch::Watch;
use super::{CONNECTIONS, Front, Offered, capacity};
use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::Database;
use crate::spike::open::{Load, Profile};
use crate::spike::overload::{LOAD_CPU, address};
use crate::spike::redis::Redis;
use crate::spike::site::{Ground, Running, Shipped, Tuning};
use crate::statistics::rounded;

/// So that Redis matters.
const LITTLE_MEMORY: &str = "1MiB";
/// A start is no part of this.
const AT_ONCE: &str = "slow_start = \"0s\"\n";
/// Every key once, at this part of what the database alone can serve.
const OF_DATABASE: f64 = 0.3;
/// As often as it takes until so large a part of them is answered: what a busy machine refuses is not warm.
const WARM: f64 = 0.95;
const MOST_PASSES: usize = 4;
/// For a node to see that Redis has gone, or to let everybody back to it.
const SEEN: Duration = Duration::from_secs(1);
const READMITTED: Duration = Duration::from_secs(4);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Surface {
    Feeds,
    Rows,
}

impl Surface {
    /// As it ships.
    fn memory(self) -> &'static str {
        match self {
            Self::Feeds => "256MiB",
            Self::Rows => "128MiB",
        }
    }
}

/// Everything that a course needs.
#[derive(Debug)]
pub(super) struct Scene<'a> {
    pub(super) setting: &'a Setting,
    pub(super) ground: &'a Ground,
    pub(super) redis: Redis,
    pub(super) surface: Surface,
    pub(super) database: String,
    pub(super) watched: &'a str,
    /// Another database of the same server, so that looking is not seen.
    pub(super) looking: &'a Database,
    pub(super) requests: Arc<Vec<Vec<u8>>>,
    pub(super) marks: Arc<Vec<String>>,
}

impl Scene<'_> {
    pub(super) async fn play(mut self, name: &str, statements_allowed: u64) -> Result<Front> {
        say(&format!("spike: Redis goes, {name}"));
        let node = self.node(LITTLE_MEMORY).await?;
        self.redis.kill().await?;
        sleep(SEEN).await;
        let load = self.load(&node)?;
        let lasts = Duration::from_secs(if self.setting.is_quick { 1 } else { 3 });
        let alone = capacity::of(&load, 2_000.0, lasts).await?;
        self.redis.restart().await?;
        sleep(READMITTED).await;
        self.warm(&load, LITTLE_MEMORY, alone).await?;
        let with_redis = capacity::of(&load, alone, lasts).await?;
        say(&format!(
            "  {alone:.0} a second from the database alone, {with_redis:.0} with Redis"
        ));
        let offered = Offered { alone, with_redis };
        let is_quick = self.setting.is_quick;
        let mut courses = vec![
            self.course(&node, LITTLE_MEMORY, Plan::of_all(is_quick), offered)
                .await?,
        ];
        node.stop().await?;
        if !is_quick {
            let memory = self.surface.memory();
            let node = self.node(memory).await?;
            let load = self.load(&node)?;
            self.warm(&load, memory, alone).await?;
            courses.push(
                self.course(&node, memory, Plan::of_shipped(), offered)
                    .await?,
            );
            node.stop().await?;
        }
        self.redis.stop().await?;
        Ok(Front {
            name: name.to_owned(),
            statements_allowed,
            database_alone: rounded(alone),
            with_redis: rounded(with_redis),
            courses,
        })
    }

    async fn course(
        &mut self,
        node: &Running,
        memory: &str,
        plan: Plan,
        offered: Offered,
    ) -> Result<Course> {
        let load = self.load(node)?;
        let watch = Watch {
            looking: self.looking,
            watched: self.watched,
        };
        course::run(load, &plan, offered, &mut self.redis, &watch, memory).await
    }

    async fn node(&self, memory: &str) -> Result<Running> {
        let redis = self.redis.url();
        let tuning = self.tuning(&redis, memory);
        match self.surface {
            Surface::Feeds => self.ground.feed.start(&tuning).await,
            Surface::Rows => self.ground.origin.start(&tuning).await,
        }
    }

    fn tuning<'t>(&'t self, redis: &'t str, memory: &'t str) -> Tuning<'t> {
        let database = &self.database;
        Tuning {
            name: "outage",
            memory,
            edge: AT_ONCE,
            shipped: Some(Shipped { redis, database }),
            ..Tuning::default()
        }
    }

    fn load(&self, node: &Running) -> Result<Load> {
        Ok(Load {
            connections: CONNECTIONS,
            cpu: Some(LOAD_CPU),
            marks: Arc::clone(&self.marks),
            ..Load::new(
                address(node)?,
                Arc::clone(&self.requests),
                Profile::poisson(&[], SEEN),
            )
        })
    }

    /// Brings everything into Redis, and into memory as far as there is any.
    async fn warm(&self, load: &Load, memory: &str, alone: f64) -> Result<()> {
        if self.surface == Surface::Rows {
            let redis = self.redis.url();
            let tuning = self.tuning(&redis, memory);
            self.ground
                .origin
                .warm(&Tuning {
                    name: "outage-warm",
                    ..tuning
                })
                .await?;
        }
        let rate = alone * OF_DATABASE;
        let lasts = Duration::from_secs_f64(self.requests.len() as f64 / rate);
        for _ in 0..MOST_PASSES {
            let profile = Profile::poisson(&[rate], lasts);
            let tally = Load {
                profile,
                ..load.clone()
            }
            .run()
            .await?;
            let step = &tally.steps[0];
            say(&format!("  warm: {} of {}", step.ok, step.offered));
            if step.ok as f64 >= step.offered as f64 * WARM {
                return Ok(());
            }
        }
        Err(Failure::unexpected("the keys could not be warmed"))
    }
}
