//! Offered load beyond what can be done: what a node still answers at twice, five and ten times its
//! peak, how soon, and how long it takes to be itself again.
//!
//! The load is open-loop, so it does not give way. First the peak is looked for, by offering ever more;
//! then come 80 % of it, the multiples without a pause, and 80 % again. Feeds come from a database 20 ms
//! away that is read by one statement at a time, an origin's rows from a query of 10 ms, and there is
//! nothing before either: a source with a capacity of its own, which can be exceeded ten times on
//! a machine that everything shares. Feeds from memory are bounded by the CPU alone, and there the
//! generator does not reach ten times.

mod costs;
mod floor;
mod surface;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::distance::Distance;
use super::open::{self, Load, Profile};
use super::site::{Ground, Running, Tuning};
use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::Database;

pub(crate) use floor::Floor;
pub(crate) use surface::{Point, Surface};

/// The generator's CPU.
pub(super) const LOAD_CPU: usize = 1;
/// How much longer answers of the card database take.
const DISTANCE: Duration = Duration::from_millis(20);
/// Of the generator. More than may be in flight and wait at a node.
const CONNECTIONS: usize = 2_048;
/// What one core's generator can offer with some room.
const MOST_PER_SECOND: f64 = 120_000.0;
/// Asked again and again, where feeds come from memory.
const REMEMBERED: usize = 10_000;
/// To bring them there.
const WARM_PER_SECOND: f64 = 2_500.0;
const FACTORS: [f64; 3] = [2.0, 5.0, 10.0];

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Overload {
    pub(crate) distance_ms: u64,
    pub(crate) connections: usize,
    pub(crate) surfaces: Vec<Surface>,
    /// Asked as often as feeds from PostgreSQL at the most.
    #[serde(default)]
    pub(crate) floor: Option<Floor>,
}

/// One thing to be overloaded.
#[derive(Debug)]
struct Target<'a> {
    name: &'static str,
    /// Where what it answers comes from.
    source: &'a Database,
    server: SocketAddr,
    pid: u32,
    requests: Arc<Vec<Vec<u8>>>,
    /// Where the search for the peak begins.
    from: f64,
    /// How long each part takes.
    seconds: Lengths,
}

/// Of a run.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    /// Each try of the search; its first third is not judged.
    ramp: Duration,
    before: Duration,
    spike: Duration,
    after: Duration,
}

impl Lengths {
    fn of(setting: &Setting) -> Self {
        let seconds = Duration::from_secs;
        if setting.is_quick {
            Self {
                ramp: Duration::from_millis(750),
                before: seconds(1),
                spike: seconds(1),
                after: seconds(2),
            }
        } else {
            Self {
                ramp: seconds(3),
                before: seconds(8),
                spike: seconds(10),
                after: seconds(10),
            }
        }
    }
}

pub(super) async fn run(setting: &Setting, ground: &Ground) -> Result<Overload> {
    let surfaces = vec![
        feeds_from_database(setting, ground).await?,
        rows_from_source(setting, ground).await?,
        feeds_from_memory(setting, ground).await?,
    ];
    let most = surfaces[0].steps.iter().map(|step| step.offered);
    let most = most.fold(1.0, f64::max);
    let paths = ground.origin.paths.iter();
    let requests = paths.map(|path| open::get(path, None)).collect();
    let lasts = Lengths::of(setting).spike;
    let floor = floor::measure(setting, Arc::new(requests), most, lasts).await?;
    Ok(Overload {
        distance_ms: u64::try_from(DISTANCE.as_millis()).unwrap_or(u64::MAX),
        connections: CONNECTIONS,
        surfaces,
        floor: Some(floor),
    })
}

async fn feeds_from_database(setting: &Setting, ground: &Ground) -> Result<Surface> {
    let distance = Distance::to(ground.feed.cards.url(), DISTANCE).await?;
    let tuning = Tuning {
        name: "overload",
        only_source: Some(distance.url()),
        ..Tuning::default()
    };
    let node = ground.feed.start(&tuning).await?;
    let requests = feed_requests(&ground.feed.tokens);
    let name = "feeds from PostgreSQL";
    measured(setting, node, &ground.feed.cards, name, requests, 100.0).await
}

async fn rows_from_source(setting: &Setting, ground: &Ground) -> Result<Surface> {
    let tuning = Tuning {
        name: "overload",
        only_source: Some(ground.origin.database.url()),
        ..Tuning::default()
    };
    let node = ground.origin.start(&tuning).await?;
    let paths = ground.origin.paths.iter();
    let requests = paths.map(|path| open::get(path, None)).collect();
    let name = "an origin's rows, by a query of 10 ms";
    let requests = Arc::new(requests);
    measured(
        setting,
        node,
        &ground.origin.database,
        name,
        requests,
        100.0,
    )
    .await
}

async fn feeds_from_memory(setting: &Setting, ground: &Ground) -> Result<Surface> {
    let tuning = Tuning {
        name: "overload",
        ..Tuning::default()
    };
    let node = ground.feed.start(&tuning).await?;
    let known = ground.feed.tokens.len().min(REMEMBERED);
    let requests = feed_requests(&ground.feed.tokens[..known]);
    let lasts = Duration::from_secs_f64(known as f64 / WARM_PER_SECOND);
    let warming = Profile::poisson(&[WARM_PER_SECOND], lasts);
    Load::new(address(&node)?, Arc::clone(&requests), warming)
        .run()
        .await?;
    let name = "feeds from memory";
    measured(setting, node, &ground.feed.cards, name, requests, 8_000.0).await
}

fn feed_requests(tokens: &[String]) -> Arc<Vec<Vec<u8>>> {
    let requests = tokens
        .iter()
        .map(|token| open::get("/v1/feed", Some(token)));
    Arc::new(requests.collect())
}

async fn measured(
    setting: &Setting,
    node: Running,
    source: &Database,
    name: &'static str,
    requests: Arc<Vec<Vec<u8>>>,
    from: f64,
) -> Result<Surface> {
    say(&format!("spike: overload of {name}"));
    let target = Target {
        name,
        source,
        server: address(&node)?,
        pid: node.pid(),
        requests,
        from,
        seconds: Lengths::of(setting),
    };
    let surface = surface::measure(&target).await?;
    node.stop().await?;
    Ok(surface)
}

/// Where a node listens.
pub(super) fn address(node: &Running) -> Result<SocketAddr> {
    let base = node.base();
    let place = base.trim_start_matches("http://");
    place
        .parse()
        .map_err(|_| Failure::unexpected(format!("{base} is no address")))
}
