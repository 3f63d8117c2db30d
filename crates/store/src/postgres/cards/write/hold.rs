//! Beginning a batch: its locks, and what must be known before anything is written. One round trip.

use std::collections::BTreeMap;

use bytes::Bytes;
use corkboard_core::time::Timestamp;
use futures_util::future::OptionFuture;
use futures_util::join;
use tokio_postgres::{CopyInSink, Row};

use super::Writing;
use super::decide::Facts;
use super::insert::COPY;
use crate::card_store::{ChunkFence, Life};
use crate::error::{Result, StoreError};
use crate::postgres::cards::attempt::{self, Attempt, Stop};
use crate::postgres::cards::owner::Owner;
use crate::postgres::cards::tables::Tables;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Time, Uuid, get, stored, time};

/// The lease that has written last, and which life of the server this is.
pub(in crate::postgres::cards) const FENCE: &str = "SELECT \
     (SELECT token FROM card_fence@ WHERE dispatch = $1 AND chunk = $2) AS token, \
     (SELECT life FROM server_life) AS life";
/// Most erasures since a dispatch was planned that are read whole; should there be more, those of
/// the batch's users are asked for.
const FEW: i64 = 256;
/// Whoever was erased since. Usually nobody, which costs a look at the end of an index.
pub(in crate::postgres::cards) const ERASED_SINCE: &str =
    "SELECT slot, owner, erased_at FROM tombstone WHERE erased_at > $1 LIMIT $2";
pub(in crate::postgres::cards) const ERASED_OF: &str = "SELECT k.slot, k.owner, t.erased_at \
     FROM unnest($1::smallint[], $2::uuid[]) AS k(slot, owner) \
     JOIN tombstone t ON t.slot = k.slot AND t.owner = k.owner WHERE t.erased_at > $3";

/// A transaction that may write for its chunk.
pub(super) struct Held {
    /// The fence is still to be raised to this lease.
    pub(super) is_new_lease: bool,
    /// Of the server, as far as it has a name.
    pub(super) life: Option<Life>,
    pub(super) erasures: Erasures,
    /// The copy of cards, if it was to begin.
    pub(super) copy: Option<CopyInSink<Bytes>>,
}

/// Begins, takes the locks, checks the lease. With `begin_copy` the server is told at once that rows
/// of `card` will come.
pub(super) async fn begin(
    writing: &Writing<'_>,
    session: &Session,
    tables: &Tables,
    begin_copy: bool,
) -> Attempt<Held> {
    let batch = writing.batch;
    let fence = match batch.fence {
        Some(fence) => Some((
            fence,
            attempt::prepare(session, "look at fence", &tables.sql(FENCE)).await?,
        )),
        None => None,
    };
    let erased = attempt::prepare(session, "look for erasures", ERASED_SINCE).await?;
    let copy = match begin_copy {
        true => Some(attempt::prepare(session, "copy cards", &tables.sql(COPY)).await?),
        false => None,
    };
    let (locks, planned_at) = (locks(writing), Time(batch.planned_at));
    let since: Params<'_> = &[&planned_at, &FEW];
    // Asked for in this order, all at once; whoever fails makes the ones behind it fail.
    let (begun, token, erased, copy) = join!(
        session.begin_holding_all(&locks),
        OptionFuture::from(fence.as_ref().map(|(fence, statement)| async move {
            let (dispatch, chunk) = key(writing, *fence);
            let params: Params<'_> = &[&dispatch, &chunk];
            attempt::rows(session, "look at fence", statement, params).await
        })),
        attempt::rows(session, "look for erasures", &erased, since),
        OptionFuture::from(copy.as_ref().map(|copy| attempt::begin_copy(
            session,
            "copy cards",
            copy
        )),),
    );
    begun?;
    let (is_new_lease, life) = match (fence, token.transpose()?) {
        (Some((fence, _)), Some(rows)) => check(fence, &rows)?,
        _ => (false, None),
    };
    let erased = erased?;
    let erasures = if erased.len() as i64 >= FEW {
        if begin_copy {
            // They can only be asked for before the copy.
            return Err(Stop::Again);
        }
        Erasures::Many
    } else {
        Erasures::Few(erased.iter().map(erasure).collect::<Result<_>>()?)
    };
    Ok(Held {
        is_new_lease,
        life,
        erasures,
        copy: copy.transpose()?,
    })
}

/// Chunk first, then slots in ascending order.
fn locks(writing: &Writing<'_>) -> Vec<Lock> {
    // In the order of keys, so also of groups.
    let mut groups: Vec<i32> = writing
        .wanted
        .iter()
        .map(|wanted| wanted.owner.group())
        .collect();
    groups.dedup();
    let chunk = writing.batch.fence.map(|fence| {
        let dispatch = Uuid::of(writing.batch.dispatch);
        Lock::of(Protects::Chunk, &[&dispatch.0, &fence.chunk.to_be_bytes()])
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

/// What the fence of the batch's chunk is found by.
pub(super) fn key(writing: &Writing<'_>, fence: ChunkFence) -> (Uuid, i32) {
    let chunk = i32::try_from(fence.chunk).unwrap_or(i32::MAX);
    (Uuid::of(writing.batch.dispatch), chunk)
}

/// Fails when a later lease has written. Whether this one has not yet, and the server's life.
fn check(fence: ChunkFence, rows: &[Row]) -> Attempt<(bool, Option<Life>)> {
    let Some(row) = rows.first() else {
        return Ok((true, None));
    };
    let (latest, life): (Option<i64>, Option<Uuid>) = (get(row, "token")?, get(row, "life")?);
    if latest.is_some_and(|latest| latest > stored(fence.token)) {
        return Err(Stop::Failed(StoreError::Fenced { chunk: fence.chunk }));
    }
    let is_new = latest != Some(stored(fence.token));
    Ok((is_new, life.map(|life| life.0)))
}

/// Who was erased after the dispatch was planned.
pub(super) enum Erasures {
    Few(BTreeMap<Owner, Timestamp>),
    /// Too many to have them all.
    Many,
}

impl Erasures {
    /// Notes those of the batch's users.
    pub(super) async fn note(
        &self,
        writing: &Writing<'_>,
        session: &Session,
        facts: &mut [Facts],
    ) -> Attempt<()> {
        let of_batch = match self {
            Self::Few(few) if few.is_empty() => return Ok(()),
            Self::Few(few) => few,
            Self::Many => &of_batch(writing, session).await?,
        };
        for (wanted, facts) in writing.wanted.iter().zip(facts) {
            facts.erased_at = of_batch.get(&wanted.owner).copied();
        }
        Ok(())
    }
}

async fn of_batch(writing: &Writing<'_>, session: &Session) -> Attempt<BTreeMap<Owner, Timestamp>> {
    let owners = writing.wanted.iter().map(|wanted| wanted.owner);
    let (slots, keys): (Vec<i16>, Vec<Uuid>) = owners.map(|owner| (owner.slot, owner.key)).unzip();
    let planned_at = Time(writing.batch.planned_at);
    let params: Params<'_> = &[&slots, &keys, &planned_at];
    let found = attempt::all(session, "look for erased users", ERASED_OF, params).await?;
    Ok(found.iter().map(erasure).collect::<Result<_>>()?)
}

fn erasure(row: &Row) -> Result<(Owner, Timestamp)> {
    let owner = Owner {
        slot: get(row, "slot")?,
        key: get(row, "owner")?,
    };
    Ok((owner, time(row, "erased_at")?))
}
