//! Users and their attributes.

use std::collections::BTreeMap;

use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{
    AttributeChange, Attributes, EventSummary, MAX_ATTRIBUTES_BYTES, User, UserId,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::owner::{Owner, counted};
use crate::error::{Result, StoreError};

pub(super) const FIND: &str = "SELECT user_id, attributes, created_at, updated_at FROM user \
                    WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3";
pub(super) const EVENTS: &str = "SELECT name, count, first_at, last_at FROM user_event \
                      WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3";
pub(super) const ATTRIBUTES: &str =
    "SELECT attributes FROM user WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3";
const INSERT: &str = "INSERT INTO user VALUES (?1, ?2, ?3, ?4, ?5, ?5) ON CONFLICT DO NOTHING";
pub(super) const UPDATE: &str = "UPDATE user SET attributes = ?4, updated_at = ?5 \
                      WHERE workspace = ?1 AND slot = ?2 AND user_id = ?3";
const COUNT_ONE: &str = "INSERT INTO user_count VALUES (?1, 1) \
                         ON CONFLICT DO UPDATE SET users = users + 1";

/// Applies changes in order; a failing one undoes all, because the whole call is one operation.
pub(super) fn change(
    connection: &Connection,
    workspace: WorkspaceId,
    changes: Vec<AttributeChange>,
    now: Timestamp,
) -> Result<()> {
    for change in changes {
        let owner = Owner::new(workspace, &change.user);
        let before = attributes(connection, &owner)?;
        let known = before.is_some();
        let mut after = before.clone().unwrap_or_default();
        for (name, value) in change.attributes {
            if value.is_null() {
                after.remove(&name);
            } else {
                after.insert(name, value);
            }
        }
        if before.as_ref() == Some(&after) {
            continue;
        }
        let text = serde_json::Value::Object(after).to_string();
        if text.len() > MAX_ATTRIBUTES_BYTES {
            return Err(StoreError::Conflict {
                what: "user attributes (over 64 KiB)",
            });
        }
        if known {
            connection.prepare_cached(UPDATE)?.execute(params![
                owner.workspace,
                owner.slot,
                owner.user(),
                text,
                now.as_micros()
            ])?;
        } else {
            insert(connection, &owner, &text, now)?;
        }
    }
    Ok(())
}

/// Makes sure that a user exists, and counts a new one.
pub(super) fn ensure(connection: &Connection, owner: &Owner, now: Timestamp) -> Result<()> {
    insert(connection, owner, "{}", now)
}

fn insert(connection: &Connection, owner: &Owner, attributes: &str, now: Timestamp) -> Result<()> {
    let inserted = connection.prepare_cached(INSERT)?.execute(params![
        owner.workspace,
        owner.slot,
        owner.user(),
        attributes,
        now.as_micros()
    ])?;
    if inserted == 1 {
        connection
            .prepare_cached(COUNT_ONE)?
            .execute(params![owner.workspace])?;
    }
    Ok(())
}

fn attributes(connection: &Connection, owner: &Owner) -> Result<Option<Attributes>> {
    let text: Option<String> = connection
        .prepare_cached(ATTRIBUTES)?
        .query_row(params![owner.workspace, owner.slot, owner.user()], |row| {
            row.get(0)
        })
        .optional()?;
    text.map(|text| parse(&text)).transpose()
}

fn parse(text: &str) -> Result<Attributes> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: "user",
        source: error.into(),
    })
}

/// One user, with their events.
pub(super) fn find(connection: &Connection, owner: &Owner) -> Result<Option<User>> {
    let mut statement = connection.prepare_cached(FIND)?;
    let mut rows = statement.query(params![owner.workspace, owner.slot, owner.user()])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    let mut user = read(row, 0)?;
    user.events = events(connection, owner)?;
    Ok(Some(user))
}

/// A user, yet without events, from a row of id, attributes, creation and change.
pub(super) fn read(row: &Row<'_>, from: usize) -> Result<User> {
    let attributes = row.get_ref(from + 1)?;
    Ok(User {
        id: id(row, from)?,
        attributes: parse(attributes.as_str().map_err(rusqlite::Error::from)?)?,
        events: BTreeMap::new(),
        created_at: Timestamp::from_micros(row.get(from + 2)?),
        updated_at: Timestamp::from_micros(row.get(from + 3)?),
    })
}

/// A user's id from its column.
pub(super) fn id(row: &Row<'_>, column: usize) -> Result<UserId> {
    let id: String = row.get(column)?;
    UserId::parse(id).map_err(|error| StoreError::Corrupt {
        what: "user id",
        source: error.into(),
    })
}

/// What is remembered of a user's events, by name.
pub(super) fn events(
    connection: &Connection,
    owner: &Owner,
) -> Result<BTreeMap<String, EventSummary>> {
    let mut statement = connection.prepare_cached(EVENTS)?;
    let rows = statement.query_map(params![owner.workspace, owner.slot, owner.user()], |row| {
        let summary = EventSummary {
            count: counted(row.get(1)?),
            first_at: Timestamp::from_micros(row.get(2)?),
            last_at: Timestamp::from_micros(row.get(3)?),
        };
        Ok((row.get(0)?, summary))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
