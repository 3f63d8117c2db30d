//! Redis goes, in five ways, while everybody asks: what is still answered, what the database has to
//! bear meanwhile, and how long it takes until all is as before.
//!
//! First it is measured what the database alone can serve, with Redis killed, and what is served with
//! Redis. Then comes a course: one open load, in which Redis is struck and mended again and again. It
//! is offered what Redis carried (more than the database can), then what the database just can, then
//! 60 % of that. The first course has next to no memory, so that Redis matters; the last one has as
//! much as ships.

mod capacity;
mod course;
mod fault;
mod judge;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::distance::Distance;
use super::open::{self, Load, Profile};
use super::overload::{LOAD_CPU, address};
use super::redis::Redis;
use super::site::{Ground, Running, Shipped, Tuning, shuffled};
use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::Database;
use crate::statistics::rounded;
use crate::users;

use course::Plan;
pub(crate) use course::{Course, Loss, Rate};

pub(crate) use judge::Moment;
use watch::Watch;

/// How much longer answers of the card database take.
const DISTANCE: Duration = Duration::from_millis(20);
/// Of the generator.
const CONNECTIONS: usize = 1_024;
/// So that Redis matters.
const LITTLE_MEMORY: &str = "1MiB";
/// What is offered, as a part of what can just be served with Redis.
const OF_REDIS: f64 = 0.8;
/// Every key once, at this part of what the database alone can serve.
const OF_DATABASE: f64 = 0.7;
/// For a node to see that Redis has gone, or to let everybody back to it.
const SEEN: Duration = Duration::from_secs(1);
const READMITTED: Duration = Duration::from_secs(4);

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Outage {
    pub(crate) distance_ms: u64,
    pub(crate) connections: usize,
    pub(crate) fronts: Vec<Front>,
}

/// One thing that is served from Redis with a database behind it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Front {
    pub(crate) name: String,
    /// Statements at a time, by its configuration.
    pub(crate) statements_allowed: u64,
    /// Good answers a second.
    pub(crate) database_alone: f64,
    pub(crate) with_redis: f64,
    pub(crate) courses: Vec<Course>,
}

pub(super) async fn run(setting: &Setting, ground: &Ground) -> Result<Outage> {
    Ok(Outage {
        distance_ms: u64::try_from(DISTANCE.as_millis()).unwrap_or(u64::MAX),
        connections: CONNECTIONS,
        fronts: vec![feeds(setting, ground).await?, rows(setting, ground).await?],
    })
}

async fn feeds(setting: &Setting, ground: &Ground) -> Result<Front> {
    let distance = Distance::to(ground.feed.cards.url(), DISTANCE).await?;
    let tokens = ground.feed.tokens.iter();
    let requests = tokens.map(|token| open::get("/v1/feed", Some(token)));
    let marks = shuffled(ground.keys()).into_iter();
    let marks = marks.map(|number| format!("?member={}\"", users::id(number)));
    let scene = Scene {
        setting,
        ground,
        redis: Redis::start(setting, "redis-outage-feed").await?,
        surface: Surface::Feeds,
        database: distance.url().to_owned(),
        watched: ground.feed.cards.name(),
        looking: &ground.origin.database,
        requests: Arc::new(requests.collect()),
        marks: Arc::new(marks.collect()),
    };
    scene.play("feeds", 12).await
}

async fn rows(setting: &Setting, ground: &Ground) -> Result<Front> {
    let paths = ground.origin.paths.iter();
    let marks = ground.origin.paths.iter();
    let marks = marks.filter_map(|path| path.split('/').nth(2));
    let scene = Scene {
        setting,
        ground,
        redis: Redis::start(setting, "redis-outage-origin").await?,
        surface: Surface::Rows,
        database: ground.origin.database.url().to_owned(),
        watched: ground.origin.database.name(),
        looking: &ground.feed.cards,
        requests: Arc::new(paths.map(|path| open::get(path, None)).collect()),
        marks: Arc::new(marks.map(|id| format!("member {id}:")).collect()),
    };
    scene.play("an origin's rows", 8).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Surface {
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
struct Scene<'a> {
    setting: &'a Setting,
    ground: &'a Ground,
    redis: Redis,
    surface: Surface,
    database: String,
    watched: &'a str,
    /// Another database of the same server, so that looking is not seen.
    looking: &'a Database,
    requests: Arc<Vec<Vec<u8>>>,
    marks: Arc<Vec<String>>,
}

impl Scene<'_> {
    async fn play(mut self, name: &str, statements_allowed: u64) -> Result<Front> {
        say(&format!("spike: Redis goes, {name}"));
        let node = self.node(LITTLE_MEMORY).await?;
        self.redis.kill().await?;
        sleep(SEEN).await;
        let load = self.load(&node)?;
        let alone = capacity::of(&load, 2_000.0).await?;
        self.redis.restart().await?;
        sleep(READMITTED).await;
        self.warm(&load, LITTLE_MEMORY, alone).await?;
        let with_redis = capacity::of(&load, alone).await?;
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
        let profile = Profile::poisson(&[rate], lasts);
        let tally = Load {
            profile,
            ..load.clone()
        }
        .run()
        .await?;
        let step = &tally.steps[0];
        say(&format!(
            "  warm after {lasts:.1?}: {} of {}",
            step.ok, step.offered
        ));
        if step.ok * 10 < step.offered * 9 {
            return Err(Failure::unexpected("most of the keys could not be warmed"));
        }
        Ok(())
    }
}

/// What can be served, a second.
#[derive(Debug, Clone, Copy)]
struct Offered {
    alone: f64,
    with_redis: f64,
}

impl Offered {
    fn at(self, rate: Rate) -> f64 {
        match rate {
            Rate::Redis => self.with_redis * OF_REDIS,
            Rate::Database => self.alone,
            Rate::Ordinary => self.alone * 0.6,
        }
    }
}
