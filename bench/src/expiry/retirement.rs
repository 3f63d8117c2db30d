//! One retirement, with what the server did meanwhile and what readers and writers felt.

use std::time::Duration;

use corkboard_store::CardStore as _;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, sleep_until};

use super::field::Field;
use crate::Setting;
use crate::cohort_cards::DAY;
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::postgres::{
    LockWatch, LoggedStatement, Postgres, held_ms, logged_statements, logged_waits,
};
use crate::statistics::{Latency, rounded};
use crate::traffic::{Answer, Traffic, due_within, overlapping};

const WINDOW: Duration = Duration::from_secs(6);
const QUICK_WINDOW: Duration = Duration::from_secs(3);
const WARM_UP: Duration = Duration::from_secs(2);
/// Until the statistics of a closed connection are counted.
const SETTLE: Duration = Duration::from_millis(200);
/// Kinds of statements kept in the results.
const MOST_KINDS: usize = 40;

/// What retiring one cohort took.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Retirement {
    pub(crate) seconds: f64,
    /// All that were used meanwhile, and those of the batches sent meanwhile, one each.
    pub(crate) xids: u64,
    pub(crate) xids_of_sends: u64,
    pub(crate) wal_bytes: u64,
    /// What the load alone wrote in as long a time, from the quiet window just before.
    pub(crate) wal_bytes_of_load: u64,
    pub(crate) rows_deleted: u64,
    /// At its end, rows that wait for a VACUUM more than before.
    pub(crate) dead_rows: u64,
    /// Of the tables that hold the cohort (flat: all cohorts), before and at its end.
    pub(crate) bytes_before: u64,
    pub(crate) bytes_after: u64,
    /// Of the whole database, with what was sent meanwhile.
    pub(crate) database_bytes_before: u64,
    pub(crate) database_bytes_after: u64,
    pub(crate) locks: Locks,
    /// Of the keeper, as the server timed them.
    pub(crate) statements: Vec<LoggedStatement>,
    pub(crate) reads_quiet: Latency,
    pub(crate) reads_during: Latency,
    /// Only those that were under way while it ran.
    pub(crate) reads_overlapping: Latency,
    pub(crate) sends_quiet: Latency,
    pub(crate) sends_during: Latency,
    pub(crate) failures: u64,
}

/// Locks on tables while it ran.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Locks {
    /// How long a lock that keeps writers or readers of some table out was seen, in all and at a stretch.
    pub(crate) strong_ms: f64,
    pub(crate) strong_longest_ms: f64,
    /// The same for locks that keep readers out.
    pub(crate) exclusive_ms: f64,
    pub(crate) exclusive_longest_ms: f64,
    /// The same for locks of either kind on tables that other cohorts need, too.
    pub(crate) elsewhere_ms: f64,
    /// Looks in all, and those at which somebody waited for the holder of such a lock.
    pub(crate) looks: u64,
    pub(crate) looks_with_waiters: u64,
    /// Waits for any lock above 20 ms in the server's log, and the longest of them.
    pub(crate) logged_waits: u64,
    pub(crate) longest_logged_wait_ms: f64,
}

/// Counters of the server at one moment.
#[derive(Debug, Clone, Copy)]
struct Counters {
    at: Instant,
    xid: u64,
    wal: u64,
    sent: u64,
}

struct Load {
    reads: Traffic,
    sends: Traffic,
    locks: LockWatch,
}

/// Retires the cohorts that are over, one after the other, each after a quiet window.
pub(super) async fn run(
    setting: &Setting,
    postgres: &Postgres,
    field: &Field,
) -> Result<Vec<Retirement>> {
    let window = if setting.is_quick {
        QUICK_WINDOW
    } else {
        WINDOW
    };
    let mut load = Load {
        reads: field.reads(),
        sends: field.sends(),
        locks: LockWatch::start(&field.database, &field.ended_suffixes()).await?,
    };
    sleep(WARM_UP).await;
    let mut retired = Vec::new();
    for place in 0..field.over.len() {
        retired.push(one(postgres, field, &mut load, place, window).await?);
    }
    Ok(retired)
}

async fn one(
    postgres: &Postgres,
    field: &Field,
    load: &mut Load,
    place: usize,
    window: Duration,
) -> Result<Retirement> {
    let (cohort, database) = (field.over[place], &field.database);
    let (bytes_before, dead, deleted) = (
        field.bytes(cohort).await?,
        field.dead_rows().await?,
        field.deleted_rows().await?,
    );
    let failed = load.failures();
    let log = postgres.log_length()?;

    let quiet = counters(field, load).await?;
    sleep_until(quiet.at + window).await;
    let database_bytes_before = database.bytes().await?;
    load.locks.take();
    let before = counters(field, load).await?;
    let begun = Instant::now();
    let retired = field
        .keeper
        .retire_cohorts(Field::time_to_retire(cohort), 2 * DAY, false)
        .await?;
    let ended = Instant::now();
    let after = counters(field, load).await?;
    let looks = load.locks.take();
    if retired.iter().map(|one| one.cohort).ne([cohort]) {
        return Err(Failure::unexpected(format!(
            "wanted {cohort} to go, went: {retired:?}"
        )));
    }
    let bytes_after = field.bytes(cohort).await?;
    let database_bytes_after = database.bytes().await?;
    let end = ended.max(begun + window);
    sleep_until(end).await;
    // Answers that are still due are waited for, so that slow ones are not forgotten.
    sleep(SETTLE).await;

    let log = postgres.log_since(log)?;
    let (waits, longest_wait) = logged_waits(&log);
    let mut statements = logged_statements(&log);
    statements.sort_by(|a, b| b.total_ms.total_cmp(&a.total_ms));
    statements.truncate(MOST_KINDS);
    let (reads, sends) = (load.reads.answers(), load.sends.answers());
    let seconds = ended.duration_since(begun).as_secs_f64();
    let quiet_seconds = before.at.duration_since(quiet.at).as_secs_f64();
    let wal_quiet = (before.wal - quiet.wal) as f64;
    let of = |answers: &[Answer], from, until| due_within(answers, from, until);
    let retirement = Retirement {
        seconds: rounded(seconds),
        xids: after.xid - before.xid,
        xids_of_sends: after.sent - before.sent,
        wal_bytes: after.wal - before.wal,
        wal_bytes_of_load: (wal_quiet * seconds / quiet_seconds) as u64,
        rows_deleted: field.deleted_rows().await?.saturating_sub(deleted),
        dead_rows: field.dead_rows().await?.saturating_sub(dead),
        bytes_before,
        bytes_after,
        database_bytes_before,
        database_bytes_after,
        locks: Locks::of(&looks, waits, longest_wait),
        statements,
        reads_quiet: of(&reads, quiet.at, before.at),
        reads_during: of(&reads, begun, end),
        reads_overlapping: overlapping(&reads, begun, ended),
        sends_quiet: of(&sends, quiet.at, before.at),
        sends_during: of(&sends, begun, end),
        failures: load.failures() - failed,
    };
    say(&format!(
        "expiry: {cohort} went in {} s with {} transaction ids ({} of sends); reads p99 {} ms, before {} ms",
        retirement.seconds,
        retirement.xids,
        retirement.xids_of_sends,
        retirement.reads_during.p99_ms,
        retirement.reads_quiet.p99_ms
    ));
    Ok(retirement)
}

impl Load {
    fn failures(&self) -> u64 {
        let (reads, sends) = (self.reads.failures(), self.sends.failures());
        if let Some(complaint) = reads.1.or(sends.1) {
            say(&format!("expiry: a request failed: {complaint}"));
        }
        reads.0 + sends.0
    }
}

impl Locks {
    fn of(looks: &[crate::postgres::LockSample], logged: u64, longest: f64) -> Self {
        let (strong, strong_longest) = held_ms(looks, |look| look.strong > 0);
        let (exclusive, exclusive_longest) = held_ms(looks, |look| look.exclusive > 0);
        let (elsewhere, _) = held_ms(looks, |look| look.elsewhere > 0);
        Self {
            elsewhere_ms: rounded(elsewhere),
            strong_ms: rounded(strong),
            strong_longest_ms: rounded(strong_longest),
            exclusive_ms: rounded(exclusive),
            exclusive_longest_ms: rounded(exclusive_longest),
            looks: looks.len() as u64,
            looks_with_waiters: looks.iter().filter(|look| look.blocked > 0).count() as u64,
            logged_waits: logged,
            longest_logged_wait_ms: longest,
        }
    }
}

async fn counters(field: &Field, load: &Load) -> Result<Counters> {
    Ok(Counters {
        xid: field.database.next_xid().await?,
        wal: field.database.wal_bytes().await?,
        sent: load.sends.done(),
        at: Instant::now(),
    })
}
