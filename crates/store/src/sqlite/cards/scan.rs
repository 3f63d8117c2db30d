//! Audiences: the next matching users of a slot range, and how many match.

use corkboard_core::audience::Audience;
use corkboard_core::id::{Id, WorkspaceId};
use corkboard_core::slot::{Slot, SlotRange};
use corkboard_core::time::Timestamp;
use corkboard_core::user::User;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::owner::{counted, stored};
use super::users;
use crate::card_store::{ScanDetail, ScanPosition, ScanRequest, UserPage};
use crate::error::{Result, StoreError};
use crate::sqlite::filter::{Filter, translate};

pub(super) const COUNT_EVERYONE: &str = "SELECT users FROM user_count WHERE workspace = ?1";
/// Parameters before those of the filter: workspace, last slot, first slot, slot and user that
/// the page begins after, limit.
const OWN_PARAMETERS: usize = 5;

/// A scan, free of the borrowed audience.
pub(super) struct Scan {
    workspace: WorkspaceId,
    slots: SlotRange,
    after: Option<ScanPosition>,
    filter: Filter,
    detail: ScanDetail,
    limit: usize,
}

impl From<&ScanRequest<'_>> for Scan {
    fn from(request: &ScanRequest<'_>) -> Self {
        Self {
            workspace: request.workspace,
            slots: request.slots,
            after: request.after.clone(),
            filter: translate(request.audience, request.now, OWN_PARAMETERS + 1),
            detail: request.detail,
            limit: request.limit,
        }
    }
}

impl Scan {
    /// Reads the page in the order of the key, which is the order of the index.
    pub(super) fn page(self, connection: &Connection) -> Result<UserPage> {
        let sql = page_sql(self.detail, &self.filter.sql);
        // Every user id is greater than the empty one, so a range begins at (first slot, '').
        let (slot, user) = match &self.after {
            Some(after) if after.slot >= self.slots.first => (after.slot, after.user.as_str()),
            _ => (self.slots.first, ""),
        };
        let own = [
            Value::Blob(self.workspace.to_bytes().to_vec()),
            Value::Integer(self.slots.last.number().into()),
            Value::Integer(slot.number().into()),
            Value::Text(user.to_owned()),
            Value::Integer(stored(self.limit as u64)),
        ];
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(own.iter().chain(&self.filter.values)))?;
        let mut found = Vec::new();
        let mut last = None;
        while let Some(row) = rows.next()? {
            last = Some(slot_of(row.get(0)?)?);
            found.push(match self.detail {
                ScanDetail::Ids => User::unknown(users::id(row, 1)?, Timestamp::EPOCH),
                ScanDetail::Attributes => users::read(row, 1)?,
            });
        }
        let next = match (last, found.last()) {
            (Some(slot), Some(user)) if found.len() >= self.limit => Some(ScanPosition {
                slot,
                user: user.id.clone(),
            }),
            _ => None,
        };
        Ok(UserPage { users: found, next })
    }
}

pub(super) fn page_sql(detail: ScanDetail, filter: &str) -> String {
    let columns = match detail {
        ScanDetail::Ids => "u.slot, u.user_id",
        ScanDetail::Attributes => "u.slot, u.user_id, u.attributes, u.created_at, u.updated_at",
    };
    format!(
        "SELECT {columns} FROM user u \
         WHERE u.workspace = ?1 AND u.slot <= ?2 AND (u.slot, u.user_id) > (?3, ?4) \
         AND {filter} ORDER BY u.slot, u.user_id LIMIT ?5"
    )
}

fn slot_of(number: u16) -> Result<Slot> {
    Slot::from_number(number).ok_or_else(|| StoreError::Corrupt {
        what: "slot",
        source: format!("{number} is out of range").into(),
    })
}

/// An audience to count, free of the borrow.
pub(super) enum Count {
    Everyone,
    Matching(Filter),
}

impl Count {
    pub(super) fn new(audience: &Audience, now: Timestamp) -> Self {
        match audience {
            Audience::Everyone => Self::Everyone,
            Audience::Matching(_) => Self::Matching(translate(audience, now, 2)),
        }
    }

    pub(super) fn users(self, connection: &Connection, workspace: WorkspaceId) -> Result<u64> {
        let workspace = workspace.to_bytes();
        let count: i64 = match self {
            Self::Everyone => connection
                .prepare_cached(COUNT_EVERYONE)?
                .query_row(params![workspace], |row| row.get(0))
                .optional()?
                .unwrap_or(0),
            Self::Matching(filter) => {
                let sql = format!(
                    "SELECT count(*) FROM user u WHERE u.workspace = ?1 AND {}",
                    filter.sql
                );
                let own = [Value::Blob(workspace.to_vec())];
                connection
                    .prepare_cached(&sql)?
                    .query_row(params_from_iter(own.iter().chain(&filter.values)), |row| {
                        row.get(0)
                    })?
            }
        };
        Ok(counted(count))
    }
}
