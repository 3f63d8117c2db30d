//! What users report about cards: how many reports a second a database takes from many reporters at
//! once, and how many transaction ids and bytes of log they cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use corkboard_core::identity;
use corkboard_core::state::Mark;
use corkboard_core::time::{Clock as _, SystemClock, Timestamp};
use corkboard_store::CardStore as _;
use corkboard_store::card_store::CardEvent;
use corkboard_store::postgres::{CardLayout, PgCardStore};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::Setting;
use crate::cohort_cards::{Dispatch, user, workspace};
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::{Database, Postgres};
use crate::results::{Measured, settings};
use crate::statistics::{Latency, median, rounded, spread};

/// Reporters that each send one report after the other.
const REPORTERS: [usize; 3] = [64, 256, 1_024];
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(10);
const QUICK_ROUND: Duration = Duration::from_secs(2);
const USERS: usize = 200_000;
const QUICK_USERS: usize = 50_000;
const BY_PRODUCT: usize = 100;
const LAYOUT: CardLayout = CardLayout::Cohorts;
/// Marks in the order in which a user makes them.
const MARKS: [Mark; 3] = [Mark::Seen, Mark::Clicked, Mark::Dismissed];

/// Everything that was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EventRows {
    pub(crate) users: usize,
    pub(crate) cases: Vec<Case>,
    /// Reports that had been recorded before, sent again by the largest number of reporters.
    pub(crate) repeats: Round,
}

/// One number of reporters: medians of the rounds.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) reporters: usize,
    pub(crate) per_second: f64,
    pub(crate) spread: f64,
    pub(crate) xids_per_1000: f64,
    pub(crate) wal_bytes_each: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) rounds: Vec<Round>,
}

/// Some seconds of reports.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub(crate) reports: u64,
    pub(crate) new_events: u64,
    pub(crate) per_second: f64,
    pub(crate) xids: u64,
    pub(crate) wal_bytes: u64,
    pub(crate) latency: Latency,
}

/// Where reports go, and the number of the next one.
#[derive(Debug)]
struct Board {
    database: Database,
    store: Arc<PgCardStore>,
    dispatch: Dispatch,
    users: usize,
    now: Timestamp,
    next: Arc<AtomicU64>,
}

pub(crate) async fn run(setting: &Setting) -> Result<Measured<EventRows>> {
    let postgres = Postgres::start(setting).await?;
    let users = if setting.is_quick { QUICK_USERS } else { USERS };
    let longest = if setting.is_quick { QUICK_ROUND } else { ROUND };
    say(&format!("events: loading {users} cards"));
    let board = Board::load(&postgres, users).await?;
    board.report(REPORTERS[0], longest / 5).await?;
    let mut rounds: Vec<Vec<Round>> = REPORTERS.iter().map(|_| Vec::new()).collect();
    for round in 1..=ROUNDS {
        for (reporters, rounds) in REPORTERS.iter().zip(&mut rounds) {
            say(&format!("events: round {round}, {reporters} reporters"));
            rounds.push(board.report(*reporters, longest).await?);
        }
    }
    say("events: repeats");
    board.next.store(0, Ordering::Relaxed);
    let repeats = board
        .report(REPORTERS[REPORTERS.len() - 1], longest / 2)
        .await?;
    if repeats.new_events > 0 {
        return Err(Failure::unexpected(format!(
            "repeats were counted again: {repeats:?}"
        )));
    }
    let cases = REPORTERS
        .iter()
        .zip(rounds)
        .map(|(reporters, rounds)| Case::of(*reporters, rounds));
    let settings = settings([
        ("server", Postgres::settings()),
        (
            "reports",
            format!(
                "one event each (an impression, then a click, then a dismissal of each of {users} cards), \
                 through the card store's record_card_events in the bench's process; a reporter sends the next \
                 when the last is durable; cases in turn in each of {ROUNDS} rounds of {} s",
                longest.as_secs()
            ),
        ),
        (
            "cards",
            "one pointer card for each user in one cohort, loaded by binary COPY straight into the table".to_owned(),
        ),
    ]);
    Ok(Measured {
        settings,
        rows: EventRows {
            users,
            cases: cases.collect(),
            repeats,
        },
    })
}

impl Board {
    async fn load(postgres: &Postgres, users: usize) -> Result<Self> {
        let database = postgres.database().await?;
        let store = database.store(LAYOUT, 16, None).await?;
        let now = SystemClock.now();
        let cohort = Cohort::from_number(2 * (now.day().number() + 3));
        let cohort = cohort.ok_or_else(|| Failure::unexpected("no such day"))?;
        let dispatch = Dispatch::to(cohort);
        store.ensure_cohort(cohort).await?;
        let first = (0..BY_PRODUCT).map(user).collect::<Result<Vec<_>>>()?;
        dispatch.write(&store, first).await?;
        dispatch.copy(&database, LAYOUT, BY_PRODUCT..users).await?;
        database.run("VACUUM (ANALYZE)").await?;
        database.run("CHECKPOINT").await?;
        Ok(Self {
            database,
            store: Arc::new(store),
            dispatch,
            users,
            now,
            next: Arc::new(AtomicU64::new(0)),
        })
    }

    /// So many reporters for so long.
    async fn report(&self, reporters: usize, longest: Duration) -> Result<Round> {
        let (xid, wal) = (
            self.database.next_xid().await?,
            self.database.wal_bytes().await?,
        );
        let begun = Instant::now();
        let end = begun + longest;
        let mut running: JoinSet<Result<(Vec<Duration>, u64)>> = JoinSet::new();
        for _ in 0..reporters {
            let (store, dispatch) = (Arc::clone(&self.store), self.dispatch.clone());
            let (next, users, now) = (Arc::clone(&self.next), self.users, self.now);
            running.spawn(async move {
                let (mut took, mut new) = (Vec::new(), 0);
                while Instant::now() < end {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (user, event) = event(&dispatch, users, number, now)?;
                    let begun = Instant::now();
                    let recorded = store
                        .record_card_events(workspace(), &user, vec![event], now)
                        .await?;
                    took.push(begun.elapsed());
                    new += recorded.new;
                }
                Ok((took, new))
            });
        }
        let (mut took, mut new_events) = (Vec::new(), 0);
        while let Some(one) = running.join_next().await {
            let (of_one, new) = one.map_err(Failure::unexpected)??;
            took.extend(of_one);
            new_events += new;
        }
        let seconds = begun.elapsed().as_secs_f64();
        Ok(Round {
            reports: took.len() as u64,
            new_events,
            per_second: rounded(took.len() as f64 / seconds),
            xids: self.database.next_xid().await? - xid,
            wal_bytes: self.database.wal_bytes().await? - wal,
            latency: Latency::of(took),
        })
    }
}

/// The report of this number: users in turn, then the next mark of each.
fn event(
    dispatch: &Dispatch,
    users: usize,
    number: u64,
    now: Timestamp,
) -> Result<(corkboard_core::user::UserId, CardEvent)> {
    let users = users as u64;
    let user = user((number.wrapping_mul(7_919) % users) as usize)?;
    let turn = number / users;
    let event = CardEvent {
        card: identity::card_id(dispatch.campaign, &user, 0),
        campaign: dispatch.campaign,
        variant: 0,
        cohort: dispatch.cohort,
        mark: MARKS[(turn % MARKS.len() as u64) as usize],
        // Another turn's mark of the same kind happened at another time.
        at: Timestamp::from_micros(now.as_micros() - 1 - turn as i64),
    };
    Ok((user, event))
}

impl Case {
    fn of(reporters: usize, rounds: Vec<Round>) -> Self {
        let all = |of: &dyn Fn(&Round) -> f64| rounds.iter().map(of).collect::<Vec<f64>>();
        let each = |round: &Round, sum: u64| sum as f64 / round.reports.max(1) as f64;
        let rates = all(&|round| round.per_second);
        Self {
            reporters,
            per_second: median(&rates),
            spread: rounded(spread(&rates)),
            xids_per_1000: rounded(median(&all(&|round| each(round, round.xids) * 1e3))),
            wal_bytes_each: rounded(median(&all(&|round| each(round, round.wal_bytes)))),
            p50_ms: median(&all(&|round| round.latency.p50_ms)),
            p99_ms: median(&all(&|round| round.latency.p99_ms)),
            rounds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_two_reports_are_repeats_of_each_other(first in 0_u64..10_000, second in 0_u64..10_000) {
            let dispatch = Dispatch::to("d20261122".parse().unwrap());
            let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
            let key = |number| {
                let (user, event) = event(&dispatch, 1_000, number, now).unwrap();
                (user.as_str().to_owned(), event.card, event.mark.bit(), event.at)
            };
            prop_assert_eq!(key(first) == key(second), first == second);
        }
    }
}
