//! Audiences: the next matching users of a slot range, and how many match.
//!
//! Users are read slot by slot, each from where the last page ended, so that another workspace's
//! users are never walked through and the order is the key's.

use corkboard_core::audience::Audience;
use corkboard_core::id::WorkspaceId;
use corkboard_core::slot::{Slot, SlotRange};
use corkboard_core::time::Timestamp;
use tokio_postgres::types::{ToSql, Type};

use super::CardDatabase;
use super::attempt::{self, Stop};
use super::filter::{Bound, translate};
use super::users;
use crate::card_store::{ScanPosition, ScanRequest, UserPage};
use crate::error::{Result, StoreError};
use crate::postgres::statement::Statement;
use crate::postgres::values::{count, get};

pub(super) const EVERYONE: Statement = Statement::new(
    "count everyone",
    "SELECT coalesce(sum(users), 0)::bigint AS users FROM user_total WHERE workspace_no = $1",
);
/// Parameters before those of the filter: workspace, first slot, last slot, the user that the page
/// begins after in the first slot, limit.
const OWN_OF_PAGE: usize = 5;

/// Reads the next page.
pub(super) async fn page(store: &CardDatabase, request: &ScanRequest<'_>) -> Result<UserPage> {
    let session = store.pool.session().await?;
    let nobody = UserPage {
        users: Vec::new(),
        next: None,
    };
    let known = store.numbers.known_workspace(&session, request.workspace);
    let Some(workspace_no) = known.await? else {
        return Ok(nobody);
    };
    // Every user id is greater than the empty one, so a range begins at (first slot, '').
    let (first, user) = match &request.after {
        Some(after) if after.slot >= request.slots.first => (after.slot, after.user.as_str()),
        _ => (request.slots.first, ""),
    };
    let (first, last) = (number(first), number(request.slots.last));
    let limit = i64::try_from(request.limit).unwrap_or(i64::MAX);
    let filter = translate(request.audience, request.now, OWN_OF_PAGE + 1);
    let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&workspace_no, Type::INT4),
        (&first, Type::INT4),
        (&last, Type::INT4),
        (&user, Type::TEXT),
        (&limit, Type::INT8),
    ];
    params.extend(filter.values.iter().map(Bound::param));
    let sql = page_sql(&filter.sql);
    let rows = attempt::once(&session, "scan users", &sql, &params).await;
    let rows = rows.map_err(Stop::into_error)?;
    let found: Result<Vec<_>> = rows.iter().map(users::read).collect();
    let found = found?;
    let next = match (rows.last(), found.last()) {
        (Some(row), Some(user)) if found.len() >= request.limit => Some(ScanPosition {
            slot: slot(get(row, "slot")?)?,
            user: user.id.clone(),
        }),
        _ => None,
    };
    let users = users::with_events(&session, workspace_no, request.workspace, found).await?;
    Ok(UserPage { users, next })
}

pub(super) fn page_sql(filter: &str) -> String {
    format!(
        "SELECT u.* FROM generate_series($2::int, $3::int) AS g(slot) CROSS JOIN LATERAL ( \
         SELECT u.user_id, u.attributes, u.created_at, u.updated_at, u.slot FROM tracked_user u \
         WHERE u.slot = g.slot::smallint AND u.workspace_no = $1 \
         AND u.user_id > CASE WHEN g.slot = $2 THEN $4 ELSE '' END COLLATE \"C\" \
         AND {filter} ORDER BY u.user_id LIMIT $5) u ORDER BY u.slot, u.user_id LIMIT $5"
    )
}

/// How many users an audience has.
pub(super) async fn count_users(
    store: &CardDatabase,
    workspace: WorkspaceId,
    audience: &Audience,
    now: Timestamp,
) -> Result<u64> {
    let session = store.pool.session().await?;
    let Some(workspace_no) = store.numbers.known_workspace(&session, workspace).await? else {
        return Ok(0);
    };
    if *audience == Audience::Everyone {
        let row = session.first(&EVERYONE, &[&workspace_no]).await?;
        return row.map_or(Ok(0), |row| count(&row, "users"));
    }
    let filter = translate(audience, now, 3);
    let last = number(SlotRange::ALL.last);
    let mut params: Vec<(&(dyn ToSql + Sync), Type)> =
        vec![(&workspace_no, Type::INT4), (&last, Type::INT4)];
    params.extend(filter.values.iter().map(Bound::param));
    let sql = format!(
        "SELECT count(*) AS users FROM generate_series(0, $2::int) AS g(slot) \
         JOIN tracked_user u ON u.slot = g.slot::smallint AND u.workspace_no = $1 WHERE {}",
        filter.sql
    );
    let rows = attempt::once(&session, "count users", &sql, &params).await;
    let rows = rows.map_err(Stop::into_error)?;
    rows.first().map_or(Ok(0), |row| count(row, "users"))
}

fn number(slot: Slot) -> i32 {
    slot.number().into()
}

fn slot(stored: i16) -> Result<Slot> {
    let slot = u16::try_from(stored).ok().and_then(Slot::from_number);
    slot.ok_or_else(|| StoreError::Corrupt {
        what: "slot",
        source: format!("{stored} is out of range").into(),
    })
}
