//! Writing a batch of cards: receipts first, then rows, counts and fence in one transaction.
//!
//! Two files cannot share a transaction, so the order is what makes a batch safe to repeat:
//! 1. look at the fence, so that a writer who has lost its lease claims nothing;
//! 2. claim the receipts in `users.db`, durably, naming the dispatch;
//! 3. in the cohort's file, at once: check and raise the fence, insert the cards that are not
//!    there yet, count those, and no others.
//!
//! A campaign with one dispatch keeps no receipts: there 2 only reads who was erased, and the card's
//! key alone says what is new.
//!
//! A crash after 2 leaves receipts without cards. The retry finds them claimed by its own dispatch
//! and arrives at the same card ids, which step 3 inserts.

use std::collections::BTreeMap;
use std::sync::Arc;

use corkboard_core::id::{CardId, DispatchId, Id};
use corkboard_core::identity;
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::SqliteCardStore;
use super::counts::{self, CountKey};
use super::owner::{Owner, stored};
use super::receipts::{self, Claim, Terms};
use crate::card_store::{CardBatch, ChunkFence, EventCounts, NewCard, RowOutcome};
use crate::error::{Result, StoreError};

pub(super) const FENCE: &str = "SELECT token FROM chunk_fence WHERE dispatch = ?1 AND chunk = ?2";
const RAISE_FENCE: &str = "INSERT INTO chunk_fence VALUES (?1, ?2, ?3) \
                           ON CONFLICT DO UPDATE SET token = excluded.token \
                           WHERE token < excluded.token";
const SHARE: &str = "INSERT INTO shared_content VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
pub(super) const ERASED: &str =
    "SELECT erased_at FROM tombstone WHERE slot = ?1 AND workspace = ?2 AND user_id = ?3";
const INSERT: &str = "INSERT INTO card VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
                      ON CONFLICT DO NOTHING";
const COUNT_ROWS: &str = "UPDATE total SET rows = rows + ?1";
const COUNT_WRITTEN: &str = "INSERT INTO dispatch_count VALUES (?1, ?2) \
                             ON CONFLICT DO UPDATE SET written = written + excluded.written";

pub(super) async fn write(
    store: &SqliteCardStore,
    batch: CardBatch,
    now: Timestamp,
) -> Result<Vec<RowOutcome>> {
    batch.check_readable()?;
    // Before the receipts: an erasure that comes after a claim must find this file.
    let file = store.cohorts.for_writing(batch.cohort).await?;
    if let Some(fence) = batch.fence {
        let dispatch = batch.dispatch;
        let look = move |connection: &Connection| check_fence(connection, dispatch, fence);
        file.database.read("look at fence", look).await?;
    }
    let batch = Arc::new(batch);
    let claimed = {
        let keeps_receipts = batch.eligibility.keeps_receipts();
        let batch = Arc::clone(&batch);
        if keeps_receipts {
            let claim = move |connection: &Connection| claim_all(connection, &batch, now);
            store.users.write("claim receipts", claim).await?
        } else {
            let look = move |connection: &Connection| first_of_all(connection, &batch);
            store.users.read("look for erased users", look).await?
        }
    };
    let insert = move |connection: &Connection| insert_all(connection, &batch, claimed, now);
    file.write("insert cards", insert).await
}

fn check_fence(connection: &Connection, dispatch: DispatchId, fence: ChunkFence) -> Result<()> {
    let latest: Option<i64> = connection
        .prepare_cached(FENCE)?
        .query_row(params![dispatch.to_bytes(), fence.chunk], |row| row.get(0))
        .optional()?;
    if latest.is_some_and(|latest| latest > stored(fence.token)) {
        return Err(StoreError::Fenced { chunk: fence.chunk });
    }
    Ok(())
}

/// A card's owner, and what they may be given.
type Claimed = (Owner, Claim);

fn claim_all(connection: &Connection, batch: &CardBatch, now: Timestamp) -> Result<Vec<Claimed>> {
    let terms = Terms {
        campaign: batch.campaign,
        dispatch: batch.dispatch,
        planned_at: batch.planned_at,
        eligibility: batch.eligibility,
        now,
    };
    let claim = |card: &NewCard| {
        let owner = Owner::new(batch.workspace, &card.user);
        let claim = receipts::claim(connection, &owner, &terms)?;
        Ok((owner, claim))
    };
    batch.cards.iter().map(claim).collect()
}

/// What everybody is given by the only dispatch of a campaign.
fn first_of_all(connection: &Connection, batch: &CardBatch) -> Result<Vec<Claimed>> {
    let first = |card: &NewCard| {
        let owner = Owner::new(batch.workspace, &card.user);
        let claim = match receipts::is_erased(connection, &owner, batch.planned_at)? {
            true => Claim::Erased,
            false => Claim::Card(0),
        };
        Ok((owner, claim))
    };
    batch.cards.iter().map(first).collect()
}

fn insert_all(
    connection: &Connection,
    batch: &CardBatch,
    claimed: Vec<Claimed>,
    now: Timestamp,
) -> Result<Vec<RowOutcome>> {
    if let Some(fence) = batch.fence {
        check_fence(connection, batch.dispatch, fence)?;
        connection.prepare_cached(RAISE_FENCE)?.execute(params![
            batch.dispatch.to_bytes(),
            fence.chunk,
            stored(fence.token)
        ])?;
    }
    let mut outcomes = Vec::with_capacity(claimed.len());
    let mut inserted: BTreeMap<u8, u64> = BTreeMap::new();
    for (card, (owner, claim)) in batch.cards.iter().zip(claimed) {
        let outcome = match claim {
            Claim::AlreadyReceived => RowOutcome::AlreadyReceived,
            Claim::NotYetReeligible => RowOutcome::NotYetReeligible,
            Claim::Erased => RowOutcome::Erased,
            Claim::Card(occurrence) => {
                let id = identity::card_id(batch.campaign, &card.user, occurrence);
                insert(connection, batch, card, &owner, id, now)?
            }
        };
        if matches!(outcome, RowOutcome::Inserted(_)) {
            *inserted.entry(card.variant).or_default() += 1;
        }
        outcomes.push(outcome);
    }
    share(connection, batch, &inserted)?;
    count(connection, batch, &inserted, now)?;
    Ok(outcomes)
}

fn insert(
    connection: &Connection,
    batch: &CardBatch,
    card: &NewCard,
    owner: &Owner,
    id: CardId,
    now: Timestamp,
) -> Result<RowOutcome> {
    let place = params![owner.slot, owner.workspace, owner.user()];
    let erased: Option<i64> = connection
        .prepare_cached(ERASED)?
        .query_row(place, |row| row.get(0))
        .optional()?;
    if erased.is_some_and(|at| batch.planned_at < Timestamp::from_micros(at)) {
        return Ok(RowOutcome::Erased);
    }
    let content = card.content.as_ref().map(json).transpose()?;
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        owner.slot,
        owner.workspace,
        owner.user(),
        id.to_bytes(),
        batch.campaign.to_bytes(),
        batch.dispatch.to_bytes(),
        card.variant,
        now.as_micros(),
        card.expires_at.as_micros(),
        content
    ])?;
    Ok(match inserted {
        0 => RowOutcome::Repeated(id),
        _ => RowOutcome::Inserted(id),
    })
}

/// Stores what the inserted cards have in common.
fn share(connection: &Connection, batch: &CardBatch, inserted: &BTreeMap<u8, u64>) -> Result<()> {
    let used = |variant| inserted.contains_key(&variant);
    for shared in batch.shared.iter().filter(|shared| used(shared.variant)) {
        connection.prepare_cached(SHARE)?.execute(params![
            batch.dispatch.to_bytes(),
            shared.variant,
            json(&shared.presentation)?,
            shared.content.as_ref().map(json).transpose()?
        ])?;
    }
    Ok(())
}

/// Counts what was inserted, in the same transaction.
fn count(
    connection: &Connection,
    batch: &CardBatch,
    inserted: &BTreeMap<u8, u64>,
    now: Timestamp,
) -> Result<()> {
    let all: u64 = inserted.values().sum();
    if all == 0 {
        return Ok(());
    }
    for (variant, sent) in inserted {
        let key = CountKey {
            workspace: batch.workspace,
            campaign: batch.campaign,
            variant: *variant,
            day: now.day(),
        };
        let counts = EventCounts {
            sent: *sent,
            ..EventCounts::default()
        };
        counts::add(connection, &key, &counts)?;
    }
    connection
        .prepare_cached(COUNT_WRITTEN)?
        .execute(params![batch.dispatch.to_bytes(), stored(all)])?;
    connection
        .prepare_cached(COUNT_ROWS)?
        .execute(params![stored(all)])?;
    Ok(())
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
        what: "card on its way in",
        source: error.into(),
    })
}
