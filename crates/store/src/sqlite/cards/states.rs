//! States of cards as rows: first-seen times, joined with the earlier one.

use corkboard_core::id::{CardId, Id};
use corkboard_core::state::CardState;
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::owner::Owner;
use crate::error::Result;

pub(super) const OF_CARD: &str = "SELECT seen_at, clicked_at, dismissed_at, removed_at FROM card_state \
                       WHERE slot = ?1 AND workspace = ?2 AND user_id = ?3 AND card = ?4";
pub(super) const OF_USER: &str = "SELECT seen_at, clicked_at, dismissed_at, removed_at, card FROM card_state \
                       WHERE slot = ?1 AND workspace = ?2 AND user_id = ?3";
const PUT: &str = "INSERT INTO card_state VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                   ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at, \
                   clicked_at = excluded.clicked_at, dismissed_at = excluded.dismissed_at, \
                   removed_at = excluded.removed_at";
const COUNT_ROW: &str = "UPDATE total SET rows = rows + 1";

fn read(row: &Row<'_>) -> rusqlite::Result<CardState> {
    let time = |place: usize| -> rusqlite::Result<_> {
        let micros: Option<i64> = row.get(place)?;
        Ok(micros.map(Timestamp::from_micros))
    };
    Ok(CardState::from_first_times([
        time(0)?,
        time(1)?,
        time(2)?,
        time(3)?,
    ]))
}

/// All states of a user in a cohort.
pub(super) fn of_user(connection: &Connection, owner: &Owner) -> Result<Vec<(CardId, CardState)>> {
    let mut statement = connection.prepare_cached(OF_USER)?;
    let rows = statement.query_map(params![owner.slot, owner.workspace, owner.user()], |row| {
        Ok((CardId::from_bytes(row.get(4)?), read(row)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Joins `more` into a card's state and returns the state before. Writes nothing when nothing
/// changes, so that a repeat costs no sync.
pub(super) fn join(
    connection: &Connection,
    owner: &Owner,
    card: CardId,
    more: CardState,
) -> Result<CardState> {
    let known: Option<CardState> = connection
        .prepare_cached(OF_CARD)?
        .query_row(
            params![owner.slot, owner.workspace, owner.user(), card.to_bytes()],
            read,
        )
        .optional()?;
    let before = known.unwrap_or_default();
    let after = before.join(more);
    if after != before {
        let [seen, clicked, dismissed, removed] = after
            .first_times()
            .map(|time| time.map(Timestamp::as_micros));
        connection.prepare_cached(PUT)?.execute(params![
            owner.slot,
            owner.workspace,
            owner.user(),
            card.to_bytes(),
            seen,
            clicked,
            dismissed,
            removed
        ])?;
        if known.is_none() {
            connection.prepare_cached(COUNT_ROW)?.execute([])?;
        }
    }
    Ok(before)
}
