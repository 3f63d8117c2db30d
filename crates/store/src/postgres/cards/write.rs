//! Writing a batch of cards: one transaction that checks the lease, claims receipts, inserts rows
//! and counts them.
//!
//! Under locks (the chunk's, and the users' slots shared against erasures) the transaction reads
//! what is known of each user and [`decide`] says what each is given. What must be new is copied in
//! binary, which logs many rows in one record; should a rival have been first after all, a key
//! refuses the copy, everything is undone, and the next attempt inserts row by row and goes on
//! around what is there. Rows go in by the order of their keys, so that rivals queue instead of
//! deadlocking.

mod claim;
mod decide;

use std::collections::BTreeMap;

use corkboard_core::cohort::Cohort;
use corkboard_core::id::Id;
use corkboard_core::identity;
use corkboard_core::time::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::contents::{Place, json};
use super::counts::{self, CountKey};
use super::owner::Owner;
use super::tables::{self, Tables};
use crate::card_store::{CardBatch, ChunkFence, EventCounts, NewCard, RowOutcome, SharedContent};
use crate::error::{Result, StoreError};
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::Session;
use crate::postgres::values::{Time, Uuid, get, stored};
use decide::Decision;

pub(super) use claim::{CLAIM, LOOK, RENEW};

pub(super) const FENCE: &str = "SELECT token FROM card_fence@ WHERE dispatch = $1 AND chunk = $2";
const RAISE_FENCE: &str = "INSERT INTO card_fence@ (token, dispatch, chunk, cohort_no) \
     VALUES ($3, $1, $2, $4) ON CONFLICT (dispatch, chunk) DO UPDATE SET token = excluded.token";
const COPY: &str = "COPY card@ (created_at, expires_at, owner, content_no, cohort_no, slot, \
                    occurrence, content) FROM STDIN BINARY";
const COPY_TYPES: [Type; 8] = [
    Type::TIMESTAMPTZ,
    Type::TIMESTAMPTZ,
    Type::UUID,
    Type::INT4,
    Type::INT2,
    Type::INT2,
    Type::INT4,
    Type::TEXT,
];
pub(super) const INSERT: &str = "INSERT INTO card@ (created_at, expires_at, owner, content_no, \
     cohort_no, slot, occurrence, content) \
     SELECT $1::timestamptz, e, o, n, $2::smallint, s, c, t FROM unnest($3::timestamptz[], $4::uuid[], $5::int[], \
     $6::smallint[], $7::int[], $8::text[]) AS k(e, o, n, s, c, t) ORDER BY s, o, n \
     ON CONFLICT (slot, owner, content_no) DO NOTHING RETURNING slot, owner";

/// One user's card, in the order of keys; later cards of the same user in a batch are repeats.
#[derive(Debug)]
struct Wanted<'a> {
    owner: Owner,
    card: &'a NewCard,
}

/// A batch, ready to be tried.
struct Writing<'a> {
    batch: &'a CardBatch,
    /// One for each user.
    wanted: Vec<Wanted<'a>>,
    /// For each card of the batch, its user's place in `wanted`, and whether it is the user's first.
    places: Vec<(usize, bool)>,
    cohort_no: i16,
    now: Timestamp,
}

pub(super) async fn write(
    store: &CardDatabase,
    batch: &CardBatch,
    now: Timestamp,
) -> Result<Vec<RowOutcome>> {
    check(batch)?;
    let writing = Writing::new(batch, now)?;
    let (mut attempts, mut careful, mut gone) = (Attempts::default(), false, 0);
    loop {
        match writing.attempt(store, careful).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(Stop::Failed(error)) => return Err(error),
            Err(stop) => {
                careful |= matches!(stop, Stop::Taken);
                attempts.pause().await?;
                store.cohorts.look_again().await?;
                gone += u32::from(matches!(stop, Stop::Gone));
                // Looking again did not help: the tables are gone, and the cohort is not.
                if gone > 1 {
                    store.cohorts.restore(batch.cohort).await?;
                }
            }
        }
    }
}

/// A card whose content nobody has stored could never be read again.
fn check(batch: &CardBatch) -> Result<()> {
    let readable = |card: &NewCard| {
        batch.shared.iter().any(|shared| {
            shared.variant == card.variant && (shared.content.is_some() || card.content.is_some())
        })
    };
    if batch.cards.iter().all(readable) {
        return Ok(());
    }
    Err(StoreError::NotFound {
        what: "content for a card of the batch",
    })
}

impl<'a> Writing<'a> {
    fn new(batch: &'a CardBatch, now: Timestamp) -> Result<Self> {
        let mut by_owner: BTreeMap<Owner, &NewCard> = BTreeMap::new();
        let owners: Vec<Owner> = batch
            .cards
            .iter()
            .map(|card| Owner::new(batch.workspace, &card.user))
            .collect();
        let mut first = Vec::with_capacity(owners.len());
        for (owner, card) in owners.iter().zip(&batch.cards) {
            first.push(!by_owner.contains_key(owner));
            by_owner.entry(*owner).or_insert(card);
        }
        let places: BTreeMap<Owner, usize> = by_owner.keys().copied().zip(0..).collect();
        let places = owners
            .iter()
            .map(|owner| places.get(owner).copied().unwrap_or(0));
        Ok(Self {
            batch,
            places: places.zip(first).collect(),
            wanted: by_owner
                .into_iter()
                .map(|(owner, card)| Wanted { owner, card })
                .collect(),
            cohort_no: tables::stored(batch.cohort)?,
            now,
        })
    }

    fn cohort(&self) -> Cohort {
        self.batch.cohort
    }

    async fn attempt(&self, store: &CardDatabase, careful: bool) -> Attempt<Vec<RowOutcome>> {
        let tables = store.cohorts.for_writing(self.cohort()).await?;
        let session = store.pool.session().await?;
        let batch = self.batch;
        let campaign_no = store
            .numbers
            .campaign(&session, batch.workspace, batch.campaign);
        let campaign_no = campaign_no.await?;
        session.begin_holding_all(&self.locks()).await?;
        let is_new_lease = self.check_fence(&session, &tables).await?;
        let decisions = claim::decisions(self, &session, &tables, campaign_no, careful).await?;
        claim::claim(self, &session, campaign_no, &decisions, careful).await?;

        let place = Place {
            campaign_no,
            cohort_no: self.cohort_no,
            dispatch: batch.dispatch,
        };
        let shared = self.shared_of(&decisions);
        let numbers = store
            .contents
            .numbers(&session, &tables, &place, &shared)
            .await?;
        let inserted = if shared.is_empty() {
            Vec::new()
        } else {
            let numbers: BTreeMap<u8, i32> = numbers.iter().copied().collect();
            self.insert(&session, &tables, &decisions, &numbers, careful)
                .await?
        };
        self.count(store, &session, &tables, campaign_no, &inserted)
            .await?;
        if is_new_lease {
            self.raise_fence(&session, &tables).await?;
        }
        session.commit().await?;
        store.contents.stored(batch.dispatch, &numbers);
        Ok(self.outcomes(&decisions, &inserted))
    }

    /// Chunk first, then slots in ascending order.
    fn locks(&self) -> Vec<Lock> {
        let mut groups: Vec<i32> = self
            .wanted
            .iter()
            .map(|wanted| wanted.owner.group())
            .collect();
        groups.sort_unstable();
        groups.dedup();
        let chunk = self.batch.fence.map(|fence| {
            let dispatch = self.batch.dispatch.to_bytes();
            Lock::of(Protects::Chunk, &[&dispatch, &fence.chunk.to_be_bytes()])
        });
        let groups = groups.into_iter().map(|group| {
            let lock = Lock {
                key: group,
                ..Lock::only(Protects::CardSlots)
            };
            lock.shared()
        });
        chunk.into_iter().chain(groups).collect()
    }

    fn fence_key(&self, fence: ChunkFence) -> (Uuid, i32) {
        let chunk = i32::try_from(fence.chunk).unwrap_or(i32::MAX);
        (Uuid::of(self.batch.dispatch), chunk)
    }

    /// Fails when a later lease has written. Whether this one has not yet.
    async fn check_fence(&self, session: &Session, tables: &Tables) -> Attempt<bool> {
        let Some(fence) = self.batch.fence else {
            return Ok(false);
        };
        let (dispatch, chunk) = self.fence_key(fence);
        let sql = tables.sql(FENCE);
        let rows = attempt::all(session, "look at fence", &sql, &[&dispatch, &chunk]).await?;
        let latest: Option<i64> = rows.first().map(|row| get(row, "token")).transpose()?;
        if latest.is_some_and(|latest| latest > stored(fence.token)) {
            return Err(Stop::Failed(StoreError::Fenced { chunk: fence.chunk }));
        }
        Ok(latest != Some(stored(fence.token)))
    }

    /// From now on older leases are refused.
    async fn raise_fence(&self, session: &Session, tables: &Tables) -> Attempt<()> {
        let Some(fence) = self.batch.fence else {
            return Ok(());
        };
        let (dispatch, chunk) = self.fence_key(fence);
        let token = stored(fence.token);
        let sql = tables.sql(RAISE_FENCE);
        let params: crate::postgres::session::Params<'_> =
            &[&dispatch, &chunk, &token, &self.cohort_no];
        attempt::change(session, "raise fence", &sql, params)
            .await
            .map(drop)
    }

    /// What the cards to be inserted have in common.
    fn shared_of(&self, decisions: &[Decision]) -> Vec<&SharedContent> {
        let used = |shared: &&SharedContent| {
            self.wanted.iter().zip(decisions).any(|(wanted, decision)| {
                decision.occurrence().is_some() && wanted.card.variant == shared.variant
            })
        };
        self.batch.shared.iter().filter(used).collect()
    }

    /// Inserts the cards that were decided for. Returns whose are new, by place.
    async fn insert(
        &self,
        session: &Session,
        tables: &Tables,
        decisions: &[Decision],
        numbers: &BTreeMap<u8, i32>,
        careful: bool,
    ) -> Attempt<Vec<usize>> {
        let mut places = Vec::with_capacity(decisions.len());
        let mut rows = Vec::with_capacity(decisions.len());
        for (place, (wanted, decision)) in self.wanted.iter().zip(decisions).enumerate() {
            let number = numbers.get(&wanted.card.variant);
            if let (Some(occurrence), Some(number)) = (decision.occurrence(), number) {
                let occurrence = i32::try_from(occurrence).unwrap_or(i32::MAX);
                places.push(place);
                rows.push(Card {
                    owner: wanted.owner,
                    expires_at: Time(wanted.card.expires_at),
                    content_no: *number,
                    occurrence: (occurrence > 0).then_some(occurrence),
                    content: wanted.card.content.as_ref().map(json).transpose()?,
                });
            }
        }
        if careful {
            return self.insert_around(session, tables, &places, &rows).await;
        }
        let created_at = Time(self.now);
        let rows = rows.iter().map(|row| -> Vec<&(dyn ToSql + Sync)> {
            vec![
                &created_at,
                &row.expires_at,
                &row.owner.key,
                &row.content_no,
                &self.cohort_no,
                &row.owner.slot,
                &row.occurrence,
                &row.content,
            ]
        });
        attempt::copy(session, "copy cards", &tables.sql(COPY), &COPY_TYPES, rows).await?;
        Ok(places)
    }

    /// Row by row, going on around cards that are there.
    async fn insert_around(
        &self,
        session: &Session,
        tables: &Tables,
        places: &[usize],
        rows: &[Card],
    ) -> Attempt<Vec<usize>> {
        let expires: Vec<Time> = rows.iter().map(|row| row.expires_at).collect();
        let owners: Vec<Uuid> = rows.iter().map(|row| row.owner.key).collect();
        let numbers: Vec<i32> = rows.iter().map(|row| row.content_no).collect();
        let slots: Vec<i16> = rows.iter().map(|row| row.owner.slot).collect();
        let occurrences: Vec<Option<i32>> = rows.iter().map(|row| row.occurrence).collect();
        let contents: Vec<Option<&str>> = rows.iter().map(|row| row.content.as_deref()).collect();
        let created_at = Time(self.now);
        let params: crate::postgres::session::Params<'_> = &[
            &created_at,
            &self.cohort_no,
            &expires,
            &owners,
            &numbers,
            &slots,
            &occurrences,
            &contents,
        ];
        let new = attempt::all(session, "insert cards", &tables.sql(INSERT), params).await?;
        let new: Result<std::collections::BTreeSet<(i16, Uuid)>> = new
            .iter()
            .map(|row| Ok((get(row, "slot")?, get(row, "owner")?)))
            .collect();
        let new = new?;
        let is_new = |place: &usize| {
            let owner = self.wanted.get(*place).map(|wanted| wanted.owner);
            owner.is_some_and(|owner| new.contains(&(owner.slot, owner.key)))
        };
        Ok(places.iter().copied().filter(is_new).collect())
    }

    /// Counts what was really inserted, in the same transaction.
    async fn count(
        &self,
        store: &CardDatabase,
        session: &Session,
        tables: &Tables,
        campaign_no: i32,
        inserted: &[usize],
    ) -> Attempt<()> {
        let mut counts: BTreeMap<CountKey, EventCounts> = BTreeMap::new();
        for wanted in inserted.iter().filter_map(|place| self.wanted.get(*place)) {
            let key = CountKey {
                campaign_no,
                variant: wanted.card.variant,
                day: self.now.day(),
            };
            counts.entry(key).or_default().sent += 1;
        }
        let all = inserted.len() as u64;
        if all == 0 {
            return Ok(());
        }
        let lane = store.lanes.next();
        let written = (self.batch.dispatch, all);
        counts::add(session, tables, self.cohort_no, lane, &counts).await?;
        counts::add_written(session, tables, self.cohort_no, lane, written).await
    }

    fn outcomes(&self, decisions: &[Decision], inserted: &[usize]) -> Vec<RowOutcome> {
        let mut new = vec![false; decisions.len()];
        for place in inserted {
            if let Some(new) = new.get_mut(*place) {
                *new = true;
            }
        }
        let id = |place: usize, occurrence| {
            let user = &self.wanted[place].card.user;
            identity::card_id(self.batch.campaign, user, occurrence)
        };
        let outcome = |(place, first): &(usize, bool)| match decisions[*place] {
            Decision::AlreadyReceived => RowOutcome::AlreadyReceived,
            Decision::NotYetReeligible => RowOutcome::NotYetReeligible,
            Decision::Erased => RowOutcome::Erased,
            Decision::Repeated(occurrence) => RowOutcome::Repeated(id(*place, occurrence)),
            Decision::New | Decision::Renewed { .. } | Decision::Claimed(_) => {
                let card = id(*place, decisions[*place].occurrence().unwrap_or(0));
                if new[*place] && *first {
                    RowOutcome::Inserted(card)
                } else {
                    RowOutcome::Repeated(card)
                }
            }
        };
        self.places.iter().map(outcome).collect()
    }
}

/// A row of `card`.
struct Card {
    owner: Owner,
    expires_at: Time,
    content_no: i32,
    occurrence: Option<i32>,
    content: Option<String>,
}
