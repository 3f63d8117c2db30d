//! Reading one user's cards from the database, as every feed does that is in no cache: what it costs
//! by the number of live cohorts, and whether it notices other users' cards.

mod library;

use std::time::Duration;

use corkboard_store::CardStore as _;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Setting;
use crate::cohort_cards::{user, workspace};
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::Postgres;
use crate::results::{Measured, settings};
use crate::statistics::{Latency, median, rounded, slope};

use library::Library;

const LIVE: [usize; 3] = [8, 16, 32];
const OTHERS: usize = 10_000_000;
const QUICK_OTHERS: usize = 300_000;
/// Cards of each user who is read.
const CARDS: usize = 3;
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 3;
/// Reads of one round, each of another user.
const READS: usize = 1_000;
/// Before all rounds, so that the statement is planned on every connection; not measured.
const WARM_UP: usize = 100;
/// Reads after the server was started with nothing in memory.
const COLD_READS: usize = 300;
/// Users who are read, each once.
const USERS: usize = WARM_UP + ROUNDS * READS + WARM_UP + COLD_READS;

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReadRows {
    pub(crate) cases: Vec<Case>,
    pub(crate) growth: Vec<Growth>,
}

/// One number of live cohorts, with or without other users' cards.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) live_cohorts: usize,
    pub(crate) other_cards: usize,
    pub(crate) reads: Latency,
    /// Median of each round.
    pub(crate) p50_ms_of_rounds: Vec<f64>,
    /// Pages touched by each read, as the server counts them.
    pub(crate) buffers: f64,
    pub(crate) execution_ms: f64,
    /// Of planning the statement once, and how often it was planned in how many reads.
    pub(crate) planning_ms: f64,
    pub(crate) plannings: u64,
    pub(crate) executions: u64,
    /// With the server just started and its files out of the system's cache.
    pub(crate) from_disk: Latency,
}

/// What each further live cohort adds to a read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Growth {
    pub(crate) other_cards: usize,
    pub(crate) p50_micros: f64,
    pub(crate) buffers: f64,
    pub(crate) planning_micros: f64,
}

pub(crate) async fn run(setting: &Setting) -> Result<Measured<ReadRows>> {
    let mut postgres = Postgres::start(setting).await?;
    let others = if setting.is_quick {
        QUICK_OTHERS
    } else {
        OTHERS
    };
    let rounds = if setting.is_quick {
        QUICK_ROUNDS
    } else {
        ROUNDS
    };
    let mut libraries = Vec::new();
    let fills = [0, others / 10, others];
    for other_cards in fills {
        for live in LIVE {
            say(&format!(
                "reads: {live} live cohorts, {other_cards} other cards: loading"
            ));
            libraries.push(Library::load(&postgres, live, other_cards).await?);
        }
    }
    for library in &libraries {
        library.forget_statistics().await?;
        read(library, 0..WARM_UP).await?;
    }
    say("reads: rounds");
    let mut took: Vec<Vec<Vec<Duration>>> = libraries.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds {
        let first = WARM_UP + round * READS;
        for (library, took) in libraries.iter().zip(&mut took) {
            took.push(read(library, first..first + READS).await?);
        }
    }
    let mut statistics = Vec::new();
    for library in &libraries {
        statistics.push(library.statistics().await?);
    }
    say("reads: from the disk");
    let from_disk = cold(&mut postgres, &mut libraries).await?;
    let mut cases = Vec::new();
    for (place, library) in libraries.iter().enumerate() {
        let (rounds, known) = (&took[place], &statistics[place]);
        cases.push(Case {
            live_cohorts: library.live.len(),
            other_cards: library.other_cards,
            reads: Latency::of(rounds.iter().flatten().copied()),
            p50_ms_of_rounds: rounds
                .iter()
                .map(|one| Latency::of(one.iter().copied()).p50_ms)
                .collect(),
            buffers: known.buffers,
            execution_ms: known.execution_ms,
            planning_ms: known.planning_ms,
            plannings: known.plannings,
            executions: known.executions,
            from_disk: from_disk[place],
        });
    }
    let growth = fills.map(|other_cards| growth(&cases, other_cards)).into();
    Ok(Measured {
        settings: told(others),
        rows: ReadRows { cases, growth },
    })
}

/// Reads each of these users once, one after the other.
async fn read(library: &Library, users: std::ops::Range<usize>) -> Result<Vec<Duration>> {
    let mut took = Vec::with_capacity(users.len());
    for number in users {
        let user = user(number)?;
        let begun = Instant::now();
        let found = library
            .store
            .user_cards(workspace(), &user, library.now, 100)
            .await?;
        took.push(begun.elapsed());
        if found.cards.len() != CARDS {
            let what = format!("{user} has {} cards, wanted {CARDS}", found.cards.len());
            return Err(Failure::unexpected(what));
        }
    }
    Ok(took)
}

async fn cold(postgres: &mut Postgres, libraries: &mut [Library]) -> Result<Vec<Latency>> {
    postgres.make_cold().await?;
    let mut cold = Vec::new();
    for library in libraries {
        library.reopen().await?;
        let first = WARM_UP + ROUNDS * READS;
        // The catalogue and the plan, which a running node has.
        read(library, first..first + WARM_UP).await?;
        let first = first + WARM_UP;
        cold.push(Latency::of(read(library, first..first + COLD_READS).await?));
    }
    Ok(cold)
}

fn growth(cases: &[Case], other_cards: usize) -> Growth {
    let each = |of: fn(&Case) -> f64| {
        let same = cases.iter().filter(|case| case.other_cards == other_cards);
        let points: Vec<(f64, f64)> = same
            .map(|case| (case.live_cohorts as f64, of(case)))
            .collect();
        rounded(slope(&points))
    };
    Growth {
        other_cards,
        p50_micros: each(|case| median(&case.p50_ms_of_rounds) * 1e3),
        buffers: each(|case| case.buffers),
        planning_micros: each(|case| case.planning_ms * 1e3),
    }
}

fn told(others: usize) -> std::collections::BTreeMap<String, String> {
    settings([
        ("server", Postgres::settings()),
        (
            "reads",
            format!(
                "the card store's user_cards in the bench's process, one at a time, {READS} in a round, the cases \
                 in turn in each round; each read is the first of its user; {CARDS} cards in three of the live cohorts"
            ),
        ),
        (
            "other cards",
            format!(
                "none, {} or {others} pointer cards of other users spread evenly over the live cohorts, every fifth with a \
                 state; loaded by binary COPY straight into the product's tables, then VACUUM (ANALYZE)",
                others / 10
            ),
        ),
        (
            "from disk",
            format!(
                "server restarted, its files evicted from the system's cache, {WARM_UP} reads of other users \
                 first, then {COLD_READS} users; a virtual machine's host may still have the files in memory"
            ),
        ),
        (
            "buffers, execution, planning",
            "of pg_stat_statements, over all reads with the warm-up".to_owned(),
        ),
    ])
}
