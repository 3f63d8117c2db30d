//! How PostgreSQL runs the statements that are run often.

use corkboard_core::time::Day;
use tokio_postgres::types::Type;

use super::{beginning, calls, campaigns, chunks, content_blocks, credentials, dispatches};
use super::{idempotency, leases, live};
use super::{queue, stopping, tenancy};
use crate::error::Result;
use crate::postgres::plan;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;

/// Statements whose cost must not grow with what has been stored.
const HOT: &[Statement] = &[
    tenancy::FIND_WORKSPACE,
    tenancy::FIND_WORKSPACE_BY_NAME,
    tenancy::FIND_APP,
    tenancy::LIST_APPS,
    tenancy::FIND_API_KEY,
    tenancy::REVOKE_API_KEY,
    campaigns::FIND,
    campaigns::LIST,
    campaigns::UPDATE,
    campaigns::DELETE,
    campaigns::HEEDING_EVENTS,
    content_blocks::FIND,
    content_blocks::LIST,
    content_blocks::SOURCES,
    credentials::FIND,
    credentials::LIST,
    stopping::STATE,
    stopping::OPEN_DISPATCHES,
    stopping::STOP,
    beginning::CAMPAIGN,
    beginning::ACTIVATE,
    beginning::FREEZE,
    beginning::INSERT,
    dispatches::FIND,
    dispatches::LIST,
    dispatches::DUE,
    dispatches::START,
    dispatches::PROGRESS,
    dispatches::STATE,
    dispatches::LOCK,
    dispatches::END,
    queue::QUEUE,
    chunks::CLAIM,
    chunks::CHECKPOINT,
    chunks::FINISH,
    chunks::RELEASE,
    chunks::HELD,
    live::LIVE,
    live::CANCELLED,
    idempotency::FIND,
    idempotency::BEGIN,
    idempotency::FINISH,
    idempotency::ABANDON,
    idempotency::FORGET,
    leases::HOLD,
    calls::APPEND,
    calls::LIST,
    calls::LIST_OF_STATUS,
    calls::LIST_OF_HOST,
    calls::LIST_OF_CAMPAIGN,
    calls::LIST_OF_OUTCOME,
    calls::LIST_FAILED,
];

/// Of those that know their partition, the plan for the oldest that there is.
pub(super) async fn explain(session: &Session) -> Result<Vec<(&'static str, Vec<String>)>> {
    let day = queue::CHUNKS.oldest(session).await?;
    let month = dispatches::DISPATCHES.oldest(session).await?;
    let literal = |day: Option<Day>| day.map_or("NULL".to_owned(), |day| format!("'{day}'"));
    let mut plans = Vec::new();
    for statement in HOT {
        let plan = plan::generic(session, statement, |of| match *of {
            Type::TIMESTAMPTZ => literal(day),
            Type::DATE => literal(month),
            _ => "NULL".to_owned(),
        });
        plans.push((statement.name, plan.await?));
    }
    Ok(plans)
}
