//! Leases by name: one process at a time does a kind of work.

use std::time::Duration;

use corkboard_core::time::Timestamp;

use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::Time;

/// Free, lapsed, or ours already.
pub(super) const HOLD: Statement = Statement::new(
    "hold lease",
    "INSERT INTO lease (name, holder, held_until) VALUES ($1, $2, $3)
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
     WHERE lease.holder = excluded.holder OR lease.held_until <= $4",
);

pub(super) async fn hold(
    session: &Session,
    name: &str,
    holder: &str,
    now: Timestamp,
    lease: Duration,
) -> Result<bool> {
    let until = Time(now.plus(lease));
    let held = session
        .change(&HOLD, &[&name, &holder, &until, &Time(now)])
        .await?;
    Ok(held == 1)
}
