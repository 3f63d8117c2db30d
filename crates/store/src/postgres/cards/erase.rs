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

/// Most tombstones forgotten in one transaction.
const PORTION: i64 = 2_000;

pub(super) const BURY: Statement = Statement::new(
    "erase user: tombstone",
    "INSERT INTO tombstone AS t (slot, owner, erased_at) VALUES ($1, $2, $3) \
     ON CONFLICT (slot, owner) DO UPDATE SET erased_at = greatest(t.erased_at, excluded.erased_at)",
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
const FORGET: Statement = Statement::new(
    "forget tombstones",
    "DELETE FROM tombstone WHERE ctid = ANY (ARRAY( \
     SELECT ctid FROM tombstone WHERE erased_at <= $1 LIMIT $2))",
);

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
        .change(&BURY, &[&owner.slot, &owner.key, &Time(now)])
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
    let until = Time(now.minus(MAX_LIFETIME));
    let session = store
        .pool
        .maintenance(Duration::from_secs(30), Duration::from_secs(2))
        .await?;
    while session.change(&FORGET, &[&until, &PORTION]).await? > 0 {}
    drop(session);
    store.cohorts.forget_written(now).await
}
