//! What the reads that nodes do all the time cost on this database, with its data, now.

use std::time::Duration;

use corkboard_core::time::Timestamp;
use tokio_postgres::Row;

use super::{PgControlStore, calls, campaigns, dispatches, idempotency, live, tenancy};
use crate::error::Result;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, get};
use crate::postgres::watch::plans::{self, HotRead};
use crate::postgres::watch::{self, Finding};

/// An index from its root to one row, and that row's own pages.
const ONE_ROW: u64 = 10;
/// A dispatch by its id, looked for in each month, and its definition.
const ONE_DISPATCH: u64 = 6 * ONE_ROW;
/// A page of a list, each row elsewhere.
const ONE_PAGE: u64 = 300;
/// Everything that a workspace has live.
const LIVE_SET: u64 = 2_000;
/// Rows of a page.
const LIMIT: i64 = 50;

/// Something that is there, so that the reads find what they usually find.
const EXAMPLES: Statement = Statement::new(
    "look for examples",
    "SELECT (SELECT id FROM api_key LIMIT 1) AS api_key, (SELECT id FROM app LIMIT 1) AS app,
            d.workspace, d.campaign, d.id AS dispatch
     FROM (SELECT 1) AS always
          LEFT JOIN (SELECT workspace, campaign, id FROM dispatch LIMIT 1) d ON true",
);

impl PgControlStore {
    /// Runs the reads that nodes do all the time, and says what each of them costs: a finding for
    /// each. It adds to the load of the database as much as answering them once.
    pub async fn explain_reads(&self, now: Timestamp) -> Result<Vec<Finding>> {
        let session = self.pool.session().await?;
        let reads = hot(&watch::only(&session, &EXAMPLES).await?, now)?;
        plans::explain_all(&session, &reads).await
    }
}

fn hot(examples: &Row, now: Timestamp) -> Result<Vec<HotRead>> {
    let id = |column| {
        let found: Option<Uuid> = get(examples, column)?;
        Result::Ok(found.unwrap_or(Uuid([0; 16])))
    };
    let (api_key, app) = (id("api_key")?, id("app")?);
    let (workspace, campaign, dispatch) = (id("workspace")?, id("campaign")?, id("dispatch")?);
    let yesterday = Time(now.minus(Duration::from_secs(86_400)));
    let (now, last) = (Time(now), Uuid([0xff; 16]));
    Ok(vec![
        HotRead::of(&tenancy::FIND_API_KEY, vec![Box::new(api_key)], ONE_ROW),
        HotRead::of(&tenancy::FIND_APP, vec![Box::new(app)], ONE_ROW),
        HotRead::of(
            &campaigns::FIND,
            vec![Box::new(workspace), Box::new(campaign)],
            ONE_ROW,
        ),
        HotRead::of(
            &campaigns::LIST,
            vec![
                Box::new(workspace),
                Box::new(now),
                Box::new(last),
                Box::new(LIMIT),
            ],
            ONE_PAGE,
        ),
        HotRead::of(
            &campaigns::HEEDING_EVENTS,
            vec![Box::new(workspace), Box::new(now)],
            LIVE_SET,
        ),
        HotRead::of(&dispatches::FIND, vec![Box::new(dispatch)], ONE_DISPATCH),
        HotRead::of(&dispatches::STATE, vec![Box::new(dispatch)], ONE_DISPATCH),
        HotRead::of(
            &dispatches::DUE,
            vec![Box::new(now), Box::new(LIMIT)],
            ONE_PAGE,
        ),
        HotRead::of(
            &live::LIVE,
            vec![Box::new(workspace), Box::new(now)],
            LIVE_SET,
        ),
        HotRead::of(
            &live::CANCELLED,
            vec![Box::new(workspace), Box::new(now)],
            LIVE_SET,
        ),
        HotRead::of(
            &idempotency::FIND,
            vec![
                Box::new(workspace),
                Box::new("doctor"),
                Box::new(yesterday),
                Box::new(now),
            ],
            ONE_PAGE,
        ),
        HotRead::of(
            &calls::LIST,
            vec![
                Box::new(workspace),
                Box::new(None::<Uuid>),
                Box::new(None::<String>),
                Box::new(None::<i32>),
                Box::new(now),
                Box::new(i64::MAX),
                Box::new(LIMIT),
                Box::new(None::<String>),
                Box::new(false),
            ],
            ONE_PAGE,
        ),
    ])
}
