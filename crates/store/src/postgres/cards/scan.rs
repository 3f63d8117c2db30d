//! Audiences: the next matching users of a slot range, and how many match.
//!
//! Users are read slot by slot, each from where the last page ended, so that another workspace's
//! users are never walked through and the order is the key's.

use corkboard_core::audience::Audience;
use corkboard_core::id::WorkspaceId;
use corkboard_core::slot::{Slot, SlotRange};
use corkboard_core::time::Timestamp;
use corkboard_core::user::User;
use tokio_postgres::types::{ToSql, Type};

use super::CardDatabase;
use super::attempt::{self, Stop};
use super::filter::{Bound, translate};
use super::users;
use crate::card_store::{ScanDetail, ScanPosition, ScanRequest, UserPage};
use crate::error::{Result, StoreError};
use crate::postgres::session::Params;
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
    let sql = page_sql(request.detail, &filter.sql);
    let rows = if *request.audience == Audience::Everyone {
        // The same text for everybody, so worth keeping.
        let params: Params<'_> = &[&workspace_no, &first, &last, &user, &limit];
        attempt::all(&session, "scan users", &sql, params).await
    } else {
        let mut params: Vec<(&(dyn ToSql + Sync), Type)> = vec![
            (&workspace_no, Type::INT4),
            (&first, Type::INT4),
            (&last, Type::INT4),
            (&user, Type::TEXT),
            (&limit, Type::INT8),
        ];
        params.extend(filter.values.iter().map(Bound::param));
        attempt::once(&session, "scan users", &sql, &params).await
    };
    let rows = rows.map_err(Stop::into_error)?;
    let mut users = Vec::with_capacity(rows.len());
    let mut last: Option<(i16, &str)> = None;
    for row in &rows {
        let place = (get(row, "slot")?, get(row, "user_id")?);
        if last.is_some_and(|last| last >= place) {
            return Err(out_of_order());
        }
        last = Some(place);
        users.push(match request.detail {
            ScanDetail::Ids => User::unknown(users::user_id(row)?, Timestamp::EPOCH),
            ScanDetail::Attributes => users::read(row)?,
        });
    }
    let next = match (last, users.last()) {
        (Some((number, _)), Some(user)) if users.len() >= request.limit => Some(ScanPosition {
            slot: slot(number)?,
            user: user.id.clone(),
        }),
        _ => None,
    };
    Ok(UserPage { users, next })
}

/// Slot by slot, each from its index: a nested loop gives its rows in the order of the series, and
/// ends with the limit. Sorting them would read the whole range for each page.
pub(super) fn page_sql(detail: ScanDetail, filter: &str) -> String {
    let columns = match detail {
        ScanDetail::Ids => "u.slot, u.user_id",
        ScanDetail::Attributes => "u.slot, u.user_id, u.attributes, u.created_at, u.updated_at",
    };
    format!(
        "SELECT u.* FROM generate_series($2::int, $3::int) AS g(slot) CROSS JOIN LATERAL ( \
         SELECT {columns} FROM tracked_user u \
         WHERE u.slot = g.slot::smallint AND u.workspace_no = $1 \
         AND u.user_id > CASE WHEN g.slot = $2 THEN $4 ELSE '' END COLLATE \"C\" \
         AND {filter} ORDER BY u.user_id LIMIT $5) u LIMIT $5"
    )
}

/// A page that skips users would lose them without a trace.
fn out_of_order() -> StoreError {
    StoreError::Corrupt {
        what: "page of users",
        source: "it is not in the order of slots and ids".into(),
    }
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
