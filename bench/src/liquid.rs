//! Rendering a card: this engine beside hand-written code and the other engines there are, in one run
//! on the same users. What they put out is compared before anything is timed.
//!
//! Each engine is driven by the program of its language (`bench/engines`), over lines on its standard
//! input; see there.

mod engines;
mod inputs;
mod process;

use serde::{Deserialize, Serialize};

use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::results::{Measured, settings};
use crate::statistics::{median, spread};

use engines::Engines;
use process::Process;

const ROUNDS: usize = 25;
const QUICK_ROUNDS: usize = 5;
/// Of computing, for each engine and each kind of work in a round. Short, so that whatever else the
/// machine does hits all of them.
const SLICE_MS: u64 = 25;
/// Renders that wait for an endpoint at once.
const WAITING: usize = 10_000;

/// What all others are compared with.
pub(crate) const OURS: &str = "corkboard";
/// The card written out in Rust, with the standard library's formatting.
pub(crate) const HAND_WRITTEN: &str = "hand-written";
/// The same with nothing but copies: for information.
pub(crate) const HAND_TUNED: &str = "hand-tuned";

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LiquidRows {
    pub(crate) users: usize,
    /// Mean of all users.
    pub(crate) output_bytes: f64,
    pub(crate) stored_bytes: f64,
    pub(crate) engines: Vec<EngineRow>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) suspension_ns: f64,
    pub(crate) suspension_spread: f64,
    pub(crate) waiting: Waiting,
}

/// One engine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EngineRow {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Whether it knows the same language; false for hand-written code and for other languages.
    pub(crate) is_liquid: bool,
    pub(crate) render: Option<Figure>,
    pub(crate) from_bytes: Option<Figure>,
    pub(crate) compile: Option<Figure>,
}

/// What one kind of work takes, each time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Median of the rounds.
    pub(crate) ns: f64,
    pub(crate) spread: f64,
    /// Of ours, in the same round; median of the rounds.
    pub(crate) times_ours: f64,
    /// Where they can be counted.
    pub(crate) allocations: Option<f64>,
}

/// An engine that could not be had.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// Renders in one process that wait for a fetch.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub(crate) renders: usize,
    pub(crate) mib: f64,
}

const WORKS: [&str; 3] = ["render", "from_bytes", "compile"];

pub(crate) async fn run(setting: &Setting) -> Result<Measured<LiquidRows>> {
    let folder = setting.scratch.join("liquid");
    let users = inputs::write(&folder)?;
    say("liquid: building and installing the engines");
    let mut engines = Engines::start(setting, &folder).await?;
    let output_bytes = engines.agree(users).await?;

    let rounds = if setting.is_quick {
        QUICK_ROUNDS
    } else {
        ROUNDS
    };
    // By engine and work, the figures of all rounds.
    let mut taken = vec![[const { Vec::new() }; WORKS.len()]; engines.all.len()];
    let mut suspensions = Vec::new();
    for round in 0..rounds {
        say(&format!("liquid: round {} of {rounds}", round + 1));
        for (work, name) in WORKS.iter().enumerate() {
            for (place, engine) in engines.all.iter().enumerate() {
                let line = format!("time {} {name} {SLICE_MS}", engine.name);
                let process = &mut engines.processes[engine.process];
                taken[place][work].extend(process.number(&line).await?);
            }
        }
        let fetch = format!("fetch {SLICE_MS}");
        suspensions.extend(engines.processes[engines::RUST].number(&fetch).await?);
    }

    let mut counting = engines.counting(&folder)?;
    let ours = engines.place_of(OURS)?;
    let mut rows = Vec::new();
    for (place, engine) in engines.all.iter().enumerate() {
        let mut figures = Vec::new();
        for (work, name) in WORKS.iter().enumerate() {
            let allocations = if engine.process == engines::RUST {
                let line = format!("allocations {} {name}", engine.name);
                counting.number(&line).await?
            } else {
                None
            };
            figures.push(figure(&taken[place][work], &taken[ours][work], allocations));
        }
        let [render, from_bytes, compile] = <[_; WORKS.len()]>::try_from(figures)
            .map_err(|_| Failure::unexpected("a kind of work got lost"))?;
        rows.push(EngineRow {
            name: engine.name.to_owned(),
            version: engine.version.clone(),
            is_liquid: engine.is_liquid,
            render,
            from_bytes,
            compile,
        });
    }
    // A process of its own, so that nothing else lies in its memory.
    let mut fresh = engines.fresh(&folder)?;
    let held = fresh.number(&format!("waiting {WAITING}")).await?;
    let rows = LiquidRows {
        users: inputs::USERS,
        output_bytes,
        stored_bytes: inputs::mean_length(),
        engines: rows,
        left_out: engines.left_out,
        suspension_ns: median(&suspensions),
        suspension_spread: spread(&suspensions),
        waiting: Waiting {
            renders: WAITING,
            mib: held.unwrap_or_default() / 1024.0 / 1024.0,
        },
    };
    Ok(Measured {
        settings: described(rounds),
        rows,
    })
}

fn described(rounds: usize) -> std::collections::BTreeMap<String, String> {
    settings([
        (
            "card",
            "13 outputs of which 21 are executed, 3 filters, an if, a loop of 5; the same bytes from every \
             engine for every user, or the run fails"
                .to_owned(),
        ),
        (
            "times",
            format!(
                "CPU time of the rendering thread (of the whole process for liquidjs), {SLICE_MS} ms for each in \
                 each of {rounds} rounds, one after the other; medians, and ratios taken within a round"
            ),
        ),
        (
            "engines",
            "each compiled once, in its default configuration, its values parsed beforehand where `render` is \
             timed; buffers kept where the engine lets them be kept; release builds as the product's"
                .to_owned(),
        ),
    ])
}

/// None when the engine does no such work. For hand-written code there is nothing to compile.
fn figure(taken: &[f64], ours: &[f64], allocations: Option<f64>) -> Option<Figure> {
    if taken.is_empty() {
        return None;
    }
    let ratios: Vec<f64> = taken
        .iter()
        .zip(ours)
        .map(|(one, ours)| one / ours)
        .collect();
    Some(Figure {
        ns: median(taken),
        spread: spread(taken),
        times_ours: median(&ratios),
        allocations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        // A machine that is twice as slow in the second round changes no ratio.
        let figure = figure(&[10.0, 20.0, 10.0], &[2.0, 4.0, 2.0], None).unwrap();
        assert!((figure.times_ours - 5.0).abs() < 1e-9 && (figure.ns - 10.0).abs() < 1e-9);
        assert!(super::figure(&[], &[1.0], None).is_none());
    }
}
