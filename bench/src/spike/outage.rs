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
mod plan;
mod scene;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use super::distance::Distance;
use super::open;
use super::redis::Redis;
use super::site::{Ground, shuffled};
use crate::Setting;
use crate::failure::Result;
use crate::users;
use serde::{Deserialize, Serialize};

pub(crate) use course::{Course, Loss};
#[cfg(test)]
pub(crate) use fault::Fault;
pub(crate) use judge::Moment;
pub(crate) use plan::Rate;
use scene::{Scene, Surface};

/// How much longer answers of the card database take.
const DISTANCE: Duration = Duration::from_millis(20);
/// Of the generator. More than may be in flight and wait at a node.
const CONNECTIONS: usize = 2_048;
/// What is offered, as a part of what can just be served with Redis.
const OF_REDIS: f64 = 0.8;
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
