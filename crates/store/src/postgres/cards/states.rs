//! States of cards as rows: first-seen times, joined with the earlier one.

use std::collections::BTreeMap;

use corkboard_core::id::{CardId, Id};
use corkboard_core::state::CardState;
use tokio_postgres::Row;

use super::attempt::{self, Attempt, Stop};
use super::owner::Owner;
use super::tables::Tables;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::values::{Time, Uuid, get, id, optional_time};

/// Inserts nothing, and uses no transaction id, for cards that have a state already.
pub(super) const NEW: &str = "INSERT INTO card_state@ \
     (slot, owner, card, cohort_no, seen_at, clicked_at, dismissed_at, removed_at) \
     SELECT s, o, c, $8::smallint, t1, t2, t3, t4 FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], \
     $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]) \
     AS k(s, o, c, t1, t2, t3, t4) ORDER BY s, o, c \
     ON CONFLICT (slot, owner, card) DO NOTHING RETURNING slot, owner, card";
pub(super) const OF_CARDS: &str = "SELECT s.slot, s.owner, s.card, s.seen_at, s.clicked_at, s.dismissed_at, \
     s.removed_at FROM unnest($1::smallint[], $2::uuid[], $3::uuid[]) AS k(slot, owner, card) \
     JOIN card_state@ s USING (slot, owner, card)";
const IN_ORDER: &str = " ORDER BY s.slot, s.owner, s.card FOR NO KEY UPDATE OF s";
pub(super) const CHANGE: &str = "UPDATE card_state@ s SET seen_at = k.t1, clicked_at = k.t2, \
     dismissed_at = k.t3, removed_at = k.t4 FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], \
     $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[]) \
     AS k(slot, owner, card, t1, t2, t3, t4) \
     WHERE s.slot = k.slot AND s.owner = k.owner AND s.card = k.card";

/// A card of a user, as states are keyed.
pub(super) type Key = (Owner, CardId);

/// A state's four times from its columns.
pub(super) fn read(row: &Row) -> Result<CardState> {
    Ok(CardState::from_first_times([
        optional_time(row, "seen_at")?,
        optional_time(row, "clicked_at")?,
        optional_time(row, "dismissed_at")?,
        optional_time(row, "removed_at")?,
    ]))
}

fn key(row: &Row) -> Result<Key> {
    let owner = Owner {
        slot: get(row, "slot")?,
        key: get(row, "owner")?,
    };
    Ok((owner, id(row, "card")?))
}

/// Keys and states as columns.
struct Columns {
    slots: Vec<i16>,
    owners: Vec<Uuid>,
    cards: Vec<Uuid>,
    times: [Vec<Option<Time>>; 4],
}

impl Columns {
    fn of<'a>(states: impl Iterator<Item = (&'a Key, &'a CardState)>) -> Self {
        let mut columns = Self {
            slots: Vec::new(),
            owners: Vec::new(),
            cards: Vec::new(),
            times: Default::default(),
        };
        for ((owner, card), state) in states {
            columns.slots.push(owner.slot);
            columns.owners.push(owner.key);
            columns.cards.push(Uuid(card.to_bytes()));
            for (column, first) in columns.times.iter_mut().zip(state.first_times()) {
                column.push(first.map(Time));
            }
        }
        columns
    }
}

/// States as stored at the moment, of those of these cards that have one.
pub(super) async fn look(
    session: &Session,
    tables: &Tables,
    states: &BTreeMap<Key, CardState>,
) -> Attempt<BTreeMap<Key, CardState>> {
    find(session, states, &tables.sql(OF_CARDS)).await
}

async fn find(
    session: &Session,
    states: &BTreeMap<Key, CardState>,
    sql: &str,
) -> Attempt<BTreeMap<Key, CardState>> {
    let keys = Columns::of(states.iter());
    let params: crate::postgres::session::Params<'_> = &[&keys.slots, &keys.owners, &keys.cards];
    let rows = attempt::all(session, "read states", sql, params).await?;
    let found: Result<_> = rows.iter().map(|row| Ok((key(row)?, read(row)?))).collect();
    found.map_err(Stop::from)
}

/// Joins states into those stored, in the caller's transaction. Returns the states before of those
/// that were there. Rows are inserted, then locked, each in the order of their keys, so that two
/// transactions never wait for each other.
pub(super) async fn join(
    session: &Session,
    tables: &Tables,
    cohort_no: i16,
    more: &BTreeMap<Key, CardState>,
) -> Attempt<BTreeMap<Key, CardState>> {
    let columns = Columns::of(more.iter());
    let [t1, t2, t3, t4] = &columns.times;
    let (slots, owners, cards) = (&columns.slots, &columns.owners, &columns.cards);
    let params: crate::postgres::session::Params<'_> =
        &[slots, owners, cards, t1, t2, t3, t4, &cohort_no];
    let inserted = attempt::all(session, "new states", &tables.sql(NEW), params).await?;
    if inserted.len() == more.len() {
        return Ok(BTreeMap::new());
    }
    let mut rest = more.clone();
    for row in &inserted {
        rest.remove(&key(row)?);
    }
    let before = find(session, &rest, &(tables.sql(OF_CARDS) + IN_ORDER)).await?;
    if before.len() < rest.len() {
        // Erased meanwhile.
        return Err(Stop::Again);
    }
    let mut after = rest;
    after.retain(|key, state| {
        let known = before.get(key).copied().unwrap_or_default();
        *state = known.join(*state);
        *state != known
    });
    if !after.is_empty() {
        let columns = Columns::of(after.iter());
        let [t1, t2, t3, t4] = &columns.times;
        let (slots, owners, cards) = (&columns.slots, &columns.owners, &columns.cards);
        let params: crate::postgres::session::Params<'_> = &[slots, owners, cards, t1, t2, t3, t4];
        attempt::change(session, "change states", &tables.sql(CHANGE), params).await?;
    }
    Ok(before)
}
