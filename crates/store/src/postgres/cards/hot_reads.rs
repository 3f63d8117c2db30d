//! The reads of the hot paths, bound to a user who exists: what `doctor` runs and looks at.

use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;

use super::owner::Owner;
use super::{CardDatabase, read, receipts, scan, users};
use crate::card_store::ScanDetail;
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, get, id};
use crate::postgres::watch::Finding;
use crate::postgres::watch::plans::{HotRead, explain_all};

/// Pages for one user in one table: two levels of the index, its leaf, and the row.
const PER_ROW: u64 = 6;

const SOMEBODY: Statement = Statement::new(
    "find somebody",
    "SELECT n.workspace, u.workspace_no, u.user_id FROM tracked_user u \
     JOIN workspace_number n USING (workspace_no) LIMIT 1",
);

/// Runs them and says what each cost. Nothing is said when there is nobody yet.
pub(super) async fn explain(store: &CardDatabase, now: Timestamp) -> Result<Vec<Finding>> {
    let session = store.pool.session().await?;
    let reads = of(store, &session, now).await?;
    explain_all(&session, &reads).await
}

async fn of(store: &CardDatabase, session: &Session, now: Timestamp) -> Result<Vec<HotRead>> {
    let known = store.cohorts.look(session).await?;
    let Some(row) = session.first(&SOMEBODY, &[]).await? else {
        return Ok(Vec::new());
    };
    let (workspace, workspace_no) = (id(&row, "workspace")?, get::<i32>(&row, "workspace_no")?);
    let user: String = get(&row, "user_id")?;
    let user = UserId::parse(user).map_err(|error| StoreError::Corrupt {
        what: "user id",
        source: error.into(),
    })?;
    let owner = Owner::new(workspace, &user);
    let sources = store.cohorts.sources(known.readable(now));
    // Cards and states, and a few cards in some of them.
    let feed = PER_ROW * (2 * sources.len() as u64 + 4);
    let one = || (vec![owner.slot], vec![user.as_str().to_owned()]);
    let ((find_slots, find_users), (event_slots, event_users)) = (one(), one());
    Ok(vec![
        HotRead {
            name: "read cards",
            sql: read::of_one(&sources),
            params: vec![
                Box::new(owner.slot),
                Box::new(owner.key),
                Box::new(Time(now)),
                Box::new(1_000_i64),
            ],
            budget: feed,
        },
        HotRead::of(
            &users::FIND,
            vec![
                Box::new(find_slots),
                Box::new(find_users),
                Box::new(workspace_no),
            ],
            PER_ROW,
        ),
        HotRead::of(
            &users::EVENTS,
            vec![
                Box::new(event_slots),
                Box::new(event_users),
                Box::new(workspace_no),
            ],
            4 * PER_ROW,
        ),
        HotRead::of(
            &receipts::OF_CAMPAIGN,
            vec![
                Box::new(vec![owner.slot]),
                Box::new(vec![owner.key]),
                Box::new(1_i32),
                Box::new(1_i16),
            ],
            PER_ROW,
        ),
        HotRead {
            name: "scan users",
            sql: scan::page_sql(ScanDetail::Attributes, "true"),
            params: vec![
                Box::new(workspace_no),
                Box::new(i32::from(owner.slot)),
                Box::new(i32::from(owner.slot)),
                Box::new(String::new()),
                Box::new(100_i64),
            ],
            // A row of each of a hundred users.
            budget: 100 + PER_ROW,
        },
    ])
}
