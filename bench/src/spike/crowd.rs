//! Connections that only hold on, beside the rest: 10,000 that were answered once and 5,000 in half a
//! header, which come again whenever the node closes them, and what 64 clients that behave feel of it.
//!
//! The crowd is two processes, the clients a third. Crowd and clients share the generator's CPU, so
//! that what the clients lose to the crowd's own work there counts as well.

mod members;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::open::{self, Histogram, Load, Profile};
use super::overload::{LOAD_CPU, address};
use super::site::{Ground, Running, Tuning};
use crate::Setting;
use crate::console::say;
use crate::failure::Result;
use crate::procfs;
use crate::statistics::rounded;

use members::{Habit, Members};

pub(crate) use members::{WORD, gather};

const CLIENTS: usize = 64;
const PER_SECOND: f64 = 1_000.0;
/// Users whose feeds are asked for: all in memory.
const USERS: usize = 500;
/// After the crowd has come or gone, before anything is measured.
const SETTLING: Duration = Duration::from_secs(1);

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Crowd {
    pub(crate) idle: usize,
    pub(crate) half: usize,
    pub(crate) clients: usize,
    pub(crate) per_second: f64,
    /// In the order of their measurement: without, with, with, without, and so on.
    pub(crate) stretches: Vec<Stretch>,
    /// Over all stretches of a kind.
    pub(crate) p99_without_ms: f64,
    pub(crate) p99_with_ms: f64,
    pub(crate) p99_ratio: f64,
    /// Part of the clients' requests that were answered well and in time beside the crowd.
    pub(crate) success_with: f64,
    /// Connections of the crowd that the node closed and that came again.
    pub(crate) replaced: u64,
    pub(crate) memory: IdleMemory,
}

/// What an idle connection costs the node.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct IdleMemory {
    pub(crate) connections: usize,
    pub(crate) kib_before: u64,
    pub(crate) kib_with: u64,
    pub(crate) kib_each: f64,
}

/// The clients for some seconds.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Stretch {
    pub(crate) beside_crowd: bool,
    pub(crate) offered: u64,
    pub(crate) ok: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// How many, and how long.
#[derive(Debug, Clone, Copy)]
struct Size {
    idle: usize,
    half: usize,
    rounds: usize,
    stretch: Duration,
}

impl Size {
    fn of(setting: &Setting) -> Self {
        if setting.is_quick {
            Self {
                idle: 1_000,
                half: 500,
                rounds: 1,
                stretch: Duration::from_secs(1),
            }
        } else {
            Self {
                idle: 10_000,
                half: 5_000,
                rounds: 3,
                // Longer than a half header may take, so that each of them is closed and comes again.
                stretch: Duration::from_secs(12),
            }
        }
    }
}

pub(super) async fn run(setting: &Setting, ground: &Ground) -> Result<Crowd> {
    let size = Size::of(setting);
    let node = ground.feed.start(&Tuning::default()).await?;
    let mut clients = Clients::new(&node, ground, size.stretch)?;
    // Feeds come into memory, and the node has its working set.
    clients.stretch(false).await?;
    (clients.stretches, clients.without) = (Vec::new(), Histogram::default());
    let memory = idle_memory(&node, size.idle + size.half).await?;
    let mut replaced = 0;
    for _ in 0..size.rounds {
        clients.stretch(false).await?;
        say(&format!(
            "  {} idle, {} in half a header",
            size.idle, size.half
        ));
        let cpu = super::LOAD_CPU;
        let idle = Members::start(address(&node)?, Habit::Idle, size.idle, 1, cpu).await?;
        let half = Members::start(address(&node)?, Habit::Half, size.half, 2, cpu).await?;
        sleep(SETTLING).await;
        clients.stretch(true).await?;
        clients.stretch(true).await?;
        replaced += idle.leave().await? + half.leave().await?;
        sleep(SETTLING).await;
        clients.stretch(false).await?;
    }
    node.stop().await?;
    let beside = clients.stretches.iter().filter(|one| one.beside_crowd);
    let (ok, offered) = beside.fold((0, 0), |(ok, offered), one| {
        (ok + one.ok, offered + one.offered)
    });
    let (without, with) = (
        clients.without.quantile_ms(0.99),
        clients.with.quantile_ms(0.99),
    );
    Ok(Crowd {
        idle: size.idle,
        half: size.half,
        clients: CLIENTS,
        per_second: PER_SECOND,
        p99_without_ms: without,
        p99_with_ms: with,
        p99_ratio: rounded(with / without.max(f64::MIN_POSITIVE)),
        success_with: ok as f64 / (offered.max(1)) as f64,
        stretches: clients.stretches,
        replaced,
        memory,
    })
}

/// The growth of the resident set by so many connections that were answered once.
async fn idle_memory(node: &Running, connections: usize) -> Result<IdleMemory> {
    let before = procfs::memory(node.pid())?.resident;
    let idle = Members::start(address(node)?, Habit::Idle, connections, 3, super::LOAD_CPU).await?;
    sleep(SETTLING).await;
    let with = procfs::memory(node.pid())?.resident;
    idle.leave().await?;
    sleep(SETTLING).await;
    let each = with.saturating_sub(before) as f64 / connections.max(1) as f64;
    say(&format!("  {each:.2} KiB for each of {connections} idle"));
    Ok(IdleMemory {
        connections,
        kib_before: before,
        kib_with: with,
        kib_each: rounded(each),
    })
}

/// Those who behave, and what they have felt so far.
#[derive(Debug)]
struct Clients {
    load: Load,
    stretches: Vec<Stretch>,
    without: Histogram,
    with: Histogram,
}

impl Clients {
    fn new(node: &Running, ground: &Ground, lasts: Duration) -> Result<Self> {
        let tokens = ground.feed.tokens.iter().take(USERS);
        let requests = tokens
            .map(|token| open::get("/v1/feed", Some(token)))
            .collect();
        let profile = Profile::poisson(&[PER_SECOND], lasts);
        let load = Load {
            connections: CLIENTS,
            cpu: Some(LOAD_CPU),
            ..Load::new(address(node)?, Arc::new(requests), profile)
        };
        Ok(Self {
            load,
            stretches: Vec::new(),
            without: Histogram::default(),
            with: Histogram::default(),
        })
    }

    async fn stretch(&mut self, beside_crowd: bool) -> Result<()> {
        let tally = self.load.clone().run().await?;
        let step = &tally.steps[0];
        let all = if beside_crowd {
            &mut self.with
        } else {
            &mut self.without
        };
        all.merge(&step.accepted);
        let stretch = Stretch {
            beside_crowd,
            offered: step.offered,
            ok: step.ok,
            p50_ms: step.accepted.quantile_ms(0.5),
            p99_ms: step.accepted.quantile_ms(0.99),
        };
        say(&format!("  {stretch:?}"));
        self.stretches.push(stretch);
        Ok(())
    }
}
