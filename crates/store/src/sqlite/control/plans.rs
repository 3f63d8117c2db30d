//! How SQLite runs the statements that are run often.

use rusqlite::Connection;

use super::{calls, campaigns, chunks, content_blocks, credentials, dispatches, idempotency, live};
use crate::error::Result;
use crate::sqlite::plan::{Plan, explain};

/// Statements whose cost must not grow with what has been stored, by name.
const HOT: &[(&str, &str)] = &[
    ("list campaigns", campaigns::LIST),
    ("list campaigns heeding events", campaigns::HEEDING_EVENTS),
    ("stop campaign: chunks", campaigns::DROP_CHUNKS),
    ("stop campaign: dispatches", campaigns::STOP_DISPATCHES),
    ("delete campaign", campaigns::DELETE),
    ("find content block", content_blocks::FIND),
    ("list content blocks", content_blocks::LIST),
    ("read content blocks", content_blocks::SOURCES),
    ("find credential", credentials::FIND),
    ("list credentials", credentials::LIST),
    ("find dispatch", dispatches::FIND),
    ("list dispatches", dispatches::LIST),
    ("list due dispatches", dispatches::DUE),
    ("start dispatch", dispatches::START),
    ("add tally", dispatches::ADD_TALLY),
    ("look for a free chunk", chunks::ANY_FREE),
    ("claim chunk: wake", chunks::WAKE),
    ("claim chunk: choose", chunks::NEXT),
    ("claim chunk: lease", chunks::LEASE),
    ("checkpoint chunk", chunks::CHECKPOINT),
    ("finish chunk", chunks::FINISH),
    ("release chunk", chunks::RELEASE),
    ("drop chunks", chunks::DROP_ALL),
    ("live set: dispatches", live::LIVE),
    ("live set: cancelled", live::CANCELLED),
    ("begin idempotent request", idempotency::FIND),
    ("finish idempotent request", idempotency::FINISH),
    ("prune idempotency keys", idempotency::PRUNE),
    ("append calls: drop surplus", calls::DROP_SURPLUS),
    ("list calls", calls::LIST),
    ("list calls of a host", calls::LIST_OF_HOST),
    ("list calls of a status", calls::LIST_OF_STATUS),
    ("list calls of a campaign", calls::LIST_OF_CAMPAIGN),
    ("list calls of an outcome", calls::LIST_OF_OUTCOME),
    ("list failed calls", calls::LIST_FAILED),
    ("prune calls", calls::DROP_OLD),
    ("prune dispatches", dispatches::PRUNE),
];

pub(super) fn of_control(connection: &Connection) -> Result<Vec<Plan>> {
    explain(connection, HOT)
}
