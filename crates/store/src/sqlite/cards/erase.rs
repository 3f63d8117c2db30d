//! Erasing a user everywhere, and forgetting what has served its time.
//!
//! The tombstone comes first: once it is there no receipt is claimed for an older dispatch. Then
//! each file gets its own tombstone in the transaction that deletes the rows, because a writer may
//! have claimed before. Every step may be repeated.

use std::time::Duration;

use corkboard_core::expiry::MAX_LIFETIME;
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, params};

use super::SqliteCardStore;
use super::owner::Owner;
use crate::error::{Result, StoreError};

/// How long an event id is remembered.
const EVENT_MEMORY: Duration = Duration::from_secs(48 * 3_600);
/// Most rows forgotten in one transaction, so that other writes are not kept waiting.
const PORTION: usize = 2_000;
/// Most portions of a table in one round: a keeper that comes back after weeks catches up in several
/// rounds, and has time for the rest in each of them.
const PORTIONS: usize = 25;

const BURY: &str = "INSERT INTO tombstone (workspace, slot, user_id, erased_at) \
                    VALUES (?1, ?2, ?3, ?4) \
                    ON CONFLICT DO UPDATE SET erased_at = max(erased_at, excluded.erased_at)";
const DELETE_USER: &str = "DELETE FROM user WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3";
const COUNT_ONE_LESS: &str = "UPDATE user_count SET users = users - 1 WHERE workspace = ?1";
pub(super) const DELETE_ABOUT_USER: [&str; 3] = [
    "DELETE FROM user_event WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3",
    "DELETE FROM receipt WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3",
    "DELETE FROM receipt_replaced WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3",
];
pub(super) const DELETE_CARDS: [&str; 2] = [
    "DELETE FROM card WHERE slot = ?2 AND workspace = ?1 AND user_id = ?3",
    "DELETE FROM card_state WHERE slot = ?2 AND workspace = ?1 AND user_id = ?3",
];
pub(super) const DELETE_CARD_EVENTS: &str =
    "DELETE FROM card_event WHERE slot = ?2 AND workspace = ?1 AND user_id = ?3";
const UNCOUNT_ROWS: &str = "UPDATE total SET rows = rows - ?1";

/// What is forgotten, and when: rows up to ?1, at most ?2 of them.
pub(super) const FORGET: [(&str, Duration); 3] = [
    (
        "DELETE FROM event_seen WHERE event IN \
         (SELECT event FROM event_seen WHERE recorded_at <= ?1 LIMIT ?2)",
        EVENT_MEMORY,
    ),
    // A dispatch is over, whatever happened to it, when its last card would have expired.
    (
        "DELETE FROM receipt_replaced WHERE (workspace, slot, user_id, campaign, dispatch) IN \
         (SELECT workspace, slot, user_id, campaign, dispatch FROM receipt_replaced \
         WHERE replaced_at <= ?1 LIMIT ?2)",
        MAX_LIFETIME,
    ),
    (
        "DELETE FROM tombstone WHERE (workspace, slot, user_id) IN \
         (SELECT workspace, slot, user_id FROM tombstone WHERE erased_at <= ?1 LIMIT ?2)",
        MAX_LIFETIME,
    ),
];

pub(super) async fn user(store: &SqliteCardStore, owner: Owner, now: Timestamp) -> Result<bool> {
    let mut found = {
        let owner = owner.clone();
        let op = move |connection: &Connection| bury(connection, &owner, now);
        store.users.write("erase user", op).await?
    };
    // Looked up after the tombstone is there: see the order in `write`.
    for file in store.cohorts.live(|_| true).await? {
        let owner = owner.clone();
        let op = move |connection: &Connection| bury_cards(connection, &owner, now);
        match file.write("erase cards", op).await {
            Ok(some) => found |= some,
            Err(StoreError::NoSuchCohort(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn bury(connection: &Connection, owner: &Owner, now: Timestamp) -> Result<bool> {
    let place = params![owner.workspace, owner.slot, owner.user()];
    leave_tombstone(connection, owner, now)?;
    let users = connection.prepare_cached(DELETE_USER)?.execute(place)?;
    if users > 0 {
        connection
            .prepare_cached(COUNT_ONE_LESS)?
            .execute(params![owner.workspace])?;
    }
    let mut rows = users;
    for statement in DELETE_ABOUT_USER {
        rows += connection.prepare_cached(statement)?.execute(place)?;
    }
    Ok(rows > 0)
}

fn bury_cards(connection: &Connection, owner: &Owner, now: Timestamp) -> Result<bool> {
    let place = params![owner.workspace, owner.slot, owner.user()];
    leave_tombstone(connection, owner, now)?;
    let mut rows = 0;
    for statement in DELETE_CARDS {
        rows += connection.prepare_cached(statement)?.execute(place)?;
    }
    if rows > 0 {
        connection
            .prepare_cached(UNCOUNT_ROWS)?
            .execute(params![i64::try_from(rows).unwrap_or(0)])?;
    }
    let events = connection
        .prepare_cached(DELETE_CARD_EVENTS)?
        .execute(place)?;
    Ok(rows + events > 0)
}

fn leave_tombstone(connection: &Connection, owner: &Owner, now: Timestamp) -> Result<()> {
    connection.prepare_cached(BURY)?.execute(params![
        owner.workspace,
        owner.slot,
        owner.user(),
        now.as_micros()
    ])?;
    Ok(())
}

/// Forgets bounded side records, a portion at a time, and no more than so many in one round.
pub(super) async fn prune(store: &SqliteCardStore, now: Timestamp) -> Result<()> {
    for (statement, age) in FORGET {
        let until = now.minus(age).as_micros();
        for _ in 0..PORTIONS {
            let op = move |connection: &Connection| {
                let portion = i64::try_from(PORTION).unwrap_or(i64::MAX);
                Ok(connection
                    .prepare_cached(statement)?
                    .execute(params![until, portion])?)
            };
            if store.users.write("forget old records", op).await? < PORTION {
                break;
            }
        }
    }
    Ok(())
}
