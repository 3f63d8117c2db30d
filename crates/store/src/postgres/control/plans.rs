//! How PostgreSQL runs the statements that are run often.

use super::{
    beginning, calls, campaigns, chunks, dispatches, housekeeping, idempotency, leases, live,
};
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
    housekeeping::PRUNE_DISPATCHES,
];

pub(super) async fn explain(session: &Session) -> Result<Vec<(&'static str, Vec<String>)>> {
    let mut plans = Vec::new();
    for statement in HOT {
        plans.push((statement.name, plan::generic(session, statement).await?));
    }
    Ok(plans)
}
