//! What users did elsewhere: each report counts once.

use corkboard_core::id::Id;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserEvent;
use rusqlite::{Connection, params};

use super::owner::Owner;
use super::users;
use crate::error::Result;

const REMEMBER: &str = "INSERT INTO event_seen VALUES (?1, ?2) ON CONFLICT DO NOTHING";
const SUMMARISE: &str = "INSERT INTO user_event VALUES (?1, ?2, ?3, ?4, 1, ?5, ?5) \
                         ON CONFLICT DO UPDATE SET count = count + 1, \
                         first_at = min(first_at, excluded.first_at), \
                         last_at = max(last_at, excluded.last_at)";

/// Records events in order; says which were new.
pub(super) fn record(
    connection: &Connection,
    events: &[UserEvent],
    now: Timestamp,
) -> Result<Vec<bool>> {
    let mut remember = connection.prepare_cached(REMEMBER)?;
    let mut summarise = connection.prepare_cached(SUMMARISE)?;
    let record = |event: &UserEvent| {
        let new = remember.execute(params![event.id.to_bytes(), now.as_micros()])? == 1;
        if new {
            let owner = Owner::new(event.workspace, &event.user);
            users::ensure(connection, &owner, now)?;
            summarise.execute(params![
                owner.workspace,
                owner.slot,
                owner.user(),
                event.name,
                event.at.as_micros()
            ])?;
        }
        Ok(new)
    };
    events.iter().map(record).collect()
}
