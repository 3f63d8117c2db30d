//! The closed loop: ever more connections, each of which asks again as soon as it is answered.
//!
//! Servers that run side by side are measured in turn within a round, because what a shared machine
//! gives changes by the minute; ratios are taken within a round. Then come the steps that begin with
//! empty caches, and those of the ladder, each on a server of its own. A step that fails is left out,
//! and the others are kept.

mod cold;
mod goals;
mod left_out;
mod line_up;
mod ratios;
mod server;
mod step;

use serde::{Deserialize, Serialize};

use super::peer::{Django, Ladder};
use super::site::Ground;
use super::{LOAD_CPU, SERVER_CPU};
use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::machine::Machine;
use crate::wrk::Requests;

use goals::Goal;
pub(crate) use left_out::LeftOut;
pub(crate) use ratios::{Compared, Ratio};
pub(crate) use server::Server;
pub(crate) use step::Step;

use line_up::LineUp;
use step::{Round, Target};

/// How long the part is. The full one takes about 17 minutes.
#[derive(Debug, Clone, Copy)]
struct Extent {
    connections: &'static [usize],
    rounds: usize,
    /// Of a step, for servers that keep up.
    seconds: u64,
    /// Of the steps with empty caches, unless all keys have been asked for before.
    cold_seconds: u64,
    /// Of the ladder's steps, which collapse.
    ladder_seconds: u64,
}

const FULL: Extent = Extent {
    connections: &[500, 5_000, 10_000, 15_000],
    rounds: 3,
    seconds: 4,
    cold_seconds: 6,
    ladder_seconds: 5,
};
const QUICK: Extent = Extent {
    connections: &[64, 500],
    rounds: 1,
    seconds: 1,
    cold_seconds: 3,
    ladder_seconds: 2,
};

/// Everything the closed loop has shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Closed {
    pub(crate) steps: Vec<Step>,
    pub(crate) ratios: Vec<Ratio>,
    pub(crate) goals: Vec<Goal>,
    /// Steps that could not be taken.
    pub(crate) left_out: Vec<LeftOut>,
}

/// What is asked for: the same lists for everybody.
#[derive(Debug)]
pub(super) struct Lists {
    pub(super) paths: Requests,
    pub(super) tokens: Requests,
}

impl Lists {
    fn write(setting: &Setting, ground: &Ground) -> Result<Self> {
        Ok(Self {
            paths: Requests::paths(&setting.scratch, "offers", &ground.origin.paths)?,
            tokens: Requests::many(&setting.scratch, "feeds", &ground.feed.tokens)?,
        })
    }
}

/// The steps with empty caches by themselves: all numbers of connections, also when it is quick.
pub(super) async fn run_cold(setting: &Setting, ground: &Ground) -> Result<Vec<Step>> {
    let lists = Lists::write(setting, ground)?;
    let (steps, left_out) = cold::steps(ground, &lists, FULL.connections, FULL.cold_seconds).await;
    left_out.first().map_or(Ok(steps), |one| {
        Err(Failure::unexpected(format!("a cold step: {}", one.why)))
    })
}

pub(super) async fn run(setting: &Setting, ground: &Ground) -> Result<Closed> {
    let extent = if setting.is_quick { QUICK } else { FULL };
    let lists = Lists::write(setting, ground)?;
    let mut left_out = Vec::new();
    let (connections, too_many) = possible(extent.connections, Machine::this().open_files);
    left_out.extend(too_many.into_iter().map(|count| LeftOut {
        server: None,
        connections: Some(count),
        why: "a process may not open so many files: see `ulimit -Hn`".to_owned(),
    }));
    let line_up = LineUp::start(setting, ground, &lists, &mut left_out).await?;
    let mut steps = Vec::new();
    for connections in &connections {
        let taken = side_by_side(&line_up, ground, &lists, *connections, extent);
        let (taken, failed) = taken.await;
        steps.extend(taken);
        left_out.extend(failed);
    }
    line_up.stop().await?;
    let (taken, failed) = cold::steps(ground, &lists, &connections, extent.cold_seconds).await;
    steps.extend(taken);
    left_out.extend(failed);
    // The other parts find Redis as it was.
    ground.origin.warm_redis().await?;
    let mut keep = |server, connections, taken: Result<Step>| match taken {
        Ok(step) => steps.push(step),
        Err(failure) => left_out.push(LeftOut::step(server, connections, &failure)),
    };
    match Django::install(setting).await {
        Ok(django) => {
            for ladder in Ladder::ALL {
                for connections in &connections {
                    let taken = climb(
                        setting,
                        ground,
                        &lists,
                        &django,
                        ladder,
                        *connections,
                        extent,
                    );
                    keep(Server::from(ladder), *connections, taken.await);
                }
            }
        }
        Err(failure) => {
            let all = Server::LADDER.map(|server| LeftOut::server(server, &failure));
            left_out.extend(all);
        }
    }
    let ratios = ratios::of(&steps);
    let goals = goals::of(&steps, &ratios, &left_out);
    Ok(Closed {
        steps,
        ratios,
        goals,
        left_out,
    })
}

/// Steps that a limit of open files leaves room for, and the others: a server needs some for what
/// works for it, too.
fn possible(connections: &[usize], open_files: u64) -> (Vec<usize>, Vec<usize>) {
    const OTHERS: u64 = 2_000;
    let fits = |count: &usize| *count as u64 + OTHERS <= open_files;
    connections.iter().copied().partition(fits)
}

/// Everything that runs at a time, in turn. A server that fails is left out from there on.
async fn side_by_side(
    line_up: &LineUp,
    ground: &Ground,
    lists: &Lists,
    connections: usize,
    extent: Extent,
) -> (Vec<Step>, Vec<LeftOut>) {
    say(&format!("spike: {connections} connections"));
    let (mut left_out, mut running) = (Vec::new(), Vec::new());
    let targets = line_up.targets(ground, lists).into_iter();
    running.extend(targets.map(|target| (target, Vec::<Round>::new())));
    for _ in 0..extent.rounds {
        let mut going_on = Vec::new();
        for (target, mut rounds) in running {
            match target.round(connections, extent.seconds).await {
                Ok(round) => {
                    rounds.push(round);
                    going_on.push((target, rounds));
                }
                Err(failure) => {
                    left_out.push(LeftOut::step(target.server, connections, &failure));
                }
            }
        }
        running = going_on;
    }
    let steps = running.iter();
    let steps = steps.map(|(target, rounds)| Step::of(target.server, connections, rounds));
    (steps.collect(), left_out)
}

/// A step of the ladder, on a server of its own: what an overload leaves in its queues goes with it.
async fn climb(
    setting: &Setting,
    ground: &Ground,
    lists: &Lists,
    django: &Django,
    ladder: Ladder,
    connections: usize,
    extent: Extent,
) -> Result<Step> {
    let server = Server::from(ladder);
    say(&format!(
        "spike: {}, {connections} connections",
        server.name()
    ));
    let (child, base) = django.start(setting, ladder, &ground.origin).await?;
    let redis = (ladder == Ladder::WaitressRedis).then_some(&ground.origin.redis);
    let target = Target {
        server,
        base,
        pid: child.pid(),
        redis,
        database: &ground.origin.database,
        requests: &lists.paths,
    };
    let round = target.round(connections, extent.ladder_seconds).await;
    // It may be too busy to end in order; it is killed then.
    let _ = child.stop().await;
    Ok(Step::of(server, connections, &[round?]))
}

/// What was set, in words.
pub(super) fn settings(is_quick: bool) -> [(&'static str, String); 5] {
    let extent = if is_quick { QUICK } else { FULL };
    [
        (
            "closed loop",
            format!(
                "wrk, one thread on CPU {LOAD_CPU}, keep-alive, time-out 5 s; {} rounds of {} s after connecting, interleaved; the ladder {} s, \
                 empty caches each key once, at most {} s, one round each. Latencies of a closed loop leave out what nobody asked while all waited",
                extent.rounds, extent.seconds, extent.ladder_seconds, extent.cold_seconds
            ),
        ),
        (
            "servers",
            format!(
                "all on CPU {SERVER_CPU}, one at a time, with their PostgreSQL and Redis: what these use is told apart, and taken \
                 from the same CPU"
            ),
        ),
        (
            "corkboard",
            "origin and feed with default settings, but room for 18,000 connections, feeds kept for the whole run, feeds' reads waiting for Redis up \
             to 1 s and for PostgreSQL up to 10 s, and admission control off: a closed loop asks for more than can be done, always. From memory, warmed: \
             128 MiB for an origin, the default, and 1 GiB for feeds. From Redis: 1 MiB for an origin, the least there is, \
             and none for feeds. New tokens: none is remembered"
                .to_owned(),
        ),
        (
            "nginx",
            "one worker; fixed bytes by `return`; with Lua, GET of the ready answer over 128 kept connections to Redis"
                .to_owned(),
        ),
        (
            "Django",
            format!(
                "{}; gunicorn with 3 sync workers and a connection to PostgreSQL for each request (Django's default); \
                 waitress with 8 threads, poll, and kept connections",
                super::peer::VERSIONS.join(", ")
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_beyond_the_limit_of_open_files_are_left_out() {
        assert_eq!(
            possible(&[500, 15_000], 17_000),
            (vec![500, 15_000], vec![])
        );
        assert_eq!(possible(&[500, 15_000], 16_999), (vec![500], vec![15_000]));
        assert_eq!(possible(&[500], u64::MAX), (vec![500], vec![]));
    }
}
