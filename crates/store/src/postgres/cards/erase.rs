//! Erasing a user everywhere at once, and forgetting what has served its time.
//!
//! One transaction under the lock of the user's slots, which every writer of cards shares: a writer
//! comes before, and its rows are deleted, or after, and finds the tombstone. This is the one place
//! where rows of cards are deleted one by one: the law does not wait for their cohort.

use std::time::Duration;

use corkboard_core::expiry::MAX_LIFETIME;
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::owner::Owner;
use super::user_events;
use crate::error::Result;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::Params;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, stored};

/// For emptying a span: nobody waits longer behind the keeper.
const STATEMENT: Duration = Duration::from_secs(30);
const LOCK: Duration = Duration::from_millis(100);
/// Tombstones lie in a ring of this many spans of so many days: together longer than a dispatch can
/// be, with a span to spare.
const RING: i32 = 5;
const SPAN_DAYS: i32 = 31;

pub(super) const BURY: Statement = Statement::new(
    "erase user: tombstone",
    "INSERT INTO tombstone AS t (slot, owner, erased_at, ring) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (slot, owner, ring) DO UPDATE SET erased_at = greatest(t.erased_at, excluded.erased_at)",
);
pub(super) const DELETE_USER: Statement = Statement::new(
    "erase user",
    "DELETE FROM tracked_user WHERE slot = $1 AND workspace_no = $2 AND user_id = $3",
);
pub(super) const DELETE_EVENTS: Statement = Statement::new(
    "erase user: events",
    "DELETE FROM user_event WHERE slot = $1 AND workspace_no = $2 AND user_id = $3",
);
pub(super) const DELETE_RECEIPTS: Statement = Statement::new(
    "erase user: receipts",
    "DELETE FROM receipt WHERE slot = $1 AND owner = $2",
);
pub(super) const DELETE_CARDS: [&str; 3] = [
    "DELETE FROM card@ WHERE slot = $1 AND owner = $2",
    "DELETE FROM card_state@ WHERE slot = $1 AND owner = $2",
    "DELETE FROM card_event@ WHERE slot = $1 AND owner = $2",
];
pub(super) async fn user(
    store: &CardDatabase,
    workspace: WorkspaceId,
    user: &UserId,
    now: Timestamp,
) -> Result<bool> {
    let mut attempts = Attempts::default();
    loop {
        match attempt(store, workspace, user, now).await {
            Ok(found) => return Ok(found),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => {
                attempts.pause().await?;
                store.cohorts.look_again().await?;
            }
        }
    }
}

async fn attempt(
    store: &CardDatabase,
    workspace: WorkspaceId,
    user: &UserId,
    now: Timestamp,
) -> Attempt<bool> {
    let session = store.pool.session().await?;
    let workspace_no = store.numbers.known_workspace(&session, workspace).await?;
    let owner = Owner::new(workspace, user);
    let lock = Lock {
        key: owner.group(),
        ..Lock::only(Protects::CardSlots)
    };
    session.begin_holding(lock).await?;
    // As of now, with all writers waiting: none has used a cohort that is not in here.
    let known = store.cohorts.look(&session).await?;
    session
        .change(&BURY, &[&owner.slot, &owner.key, &Time(now), &ring(now)])
        .await?;
    let mut found = 0;
    if let Some(workspace_no) = workspace_no {
        let place: Params<'_> = &[&owner.slot, &workspace_no, &user.as_str()];
        let users = session.change(&DELETE_USER, place).await?;
        if users > 0 {
            let (lane, less) = (store.lanes.next(), -stored(users));
            session
                .change(&super::users::TOTAL, &[&workspace_no, &lane, &less])
                .await?;
        }
        found += users + session.change(&DELETE_EVENTS, place).await?;
    }
    found += session
        .change(&DELETE_RECEIPTS, &[&owner.slot, &owner.key])
        .await?;
    for tables in store.cohorts.sources(known.used()) {
        for sql in DELETE_CARDS {
            let sql = tables.sql(sql);
            found +=
                attempt::change(&session, "erase cards", &sql, &[&owner.slot, &owner.key]).await?;
        }
    }
    session.commit().await?;
    Ok(found > 0)
}

/// Forgets bounded side records.
pub(super) async fn prune(store: &CardDatabase, now: Timestamp) -> Result<()> {
    user_events::forget(store, now).await?;
    forget_tombstones(store, now).await?;
    store.cohorts.forget_written(now).await
}

/// Where the tombstones of this time lie.
fn ring(now: Timestamp) -> i16 {
    let span = now.day().number().div_euclid(SPAN_DAYS);
    i16::try_from(span.rem_euclid(RING)).unwrap_or(0)
}

/// Empties the spans that are over. One that somebody holds on to waits for the next time.
async fn forget_tombstones(store: &CardDatabase, now: Timestamp) -> Result<()> {
    let until = Time(now.minus(MAX_LIFETIME));
    let keeper = store.pool.maintenance(STATEMENT, LOCK).await?;
    for ring in 0..RING {
        let table = format!("tombstone_{ring}");
        let is_over = format!(
            "SELECT 1 FROM (SELECT FROM {table} LIMIT 1) t \
             WHERE NOT EXISTS (SELECT FROM {table} WHERE erased_at > $1)"
        );
        let is_over = async || {
            let rows = attempt::all(&keeper, "look for old tombstones", &is_over, &[&until]).await;
            rows.map_err(Stop::into_error).map(|rows| !rows.is_empty())
        };
        if !is_over().await? {
            continue;
        }
        keeper.begin().await?;
        let close = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        keeper.run("close a span of tombstones", &close).await?;
        if is_over().await? {
            let empty = format!("TRUNCATE {table}");
            keeper.run("forget a span of tombstones", &empty).await?;
        }
        keeper.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_over_before_its_place_is_used_again() {
        const DAY: Duration = Duration::from_secs(86_400);
        let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for day in 0..400_u32 {
            let erased = noon.plus(day * DAY);
            // A tombstone may be needed for as long as a dispatch lives, its span a span longer.
            let needed = MAX_LIFETIME + 31 * DAY;
            let mut later = erased.plus(31 * DAY);
            while later <= erased.plus(needed) {
                assert_ne!(ring(later), ring(erased), "{erased} {later}");
                later = later.plus(DAY);
            }
        }
    }
}
