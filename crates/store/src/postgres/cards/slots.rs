//! Which slots a database owns, remembered in the database itself: nothing moves users yet, so a
//! configuration that divides them otherwise must not be used.

use corkboard_core::slot::{Slot, SlotRange};

use super::CardDatabase;
use crate::error::{Result, StoreError};
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

const FIND: Statement = Statement::new(
    "find slot range",
    "SELECT first_slot, last_slot FROM slot_range",
);
const CLAIM: Statement = Statement::new(
    "claim slot range",
    "INSERT INTO slot_range (first_slot, last_slot) VALUES ($1, $2) ON CONFLICT DO NOTHING",
);

/// Makes `wanted` the database's slots, unless it has others.
pub(super) async fn claim(store: &CardDatabase, wanted: SlotRange) -> Result<()> {
    let session = store.pool.session().await?;
    // Looked at first, so that most starts write nothing.
    if session.first(&FIND, &[]).await?.is_none() {
        let (first, last) = (stored(wanted.first)?, stored(wanted.last)?);
        session.change(&CLAIM, &[&first, &last]).await?;
    }
    let Some(row) = session.first(&FIND, &[]).await? else {
        return Ok(());
    };
    let found = SlotRange {
        first: slot(get(&row, "first_slot")?)?,
        last: slot(get(&row, "last_slot")?)?,
    };
    if found == wanted {
        return Ok(());
    }
    Err(StoreError::OtherSlots {
        place: store.pool.place().to_string(),
        found,
        wanted,
    })
}

fn stored(slot: Slot) -> Result<i16> {
    i16::try_from(slot.number()).map_err(|error| unreadable(error.into()))
}

fn slot(number: i16) -> Result<Slot> {
    let slot = u16::try_from(number).ok().and_then(Slot::from_number);
    slot.ok_or_else(|| unreadable(format!("there is no slot {number}").into()))
}

fn unreadable(source: crate::error::BoxError) -> StoreError {
    StoreError::Corrupt {
        what: "slot range",
        source,
    }
}
