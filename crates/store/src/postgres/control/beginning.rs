//! Beginning a dispatch: its row, its frozen definition, its chunks and the campaign's new state
//! in one transaction, once for every id.

use std::collections::BTreeSet;

use corkboard_core::campaign::CampaignState;
use corkboard_core::dispatch::{Dispatch, DispatchState};
use corkboard_core::id::{DispatchId, Id};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::columns::{named, small, stored_small, text};
use super::dispatches::{self, DISPATCHES};
use super::partitions::{Partitioned, Period};
use super::queue::{self, CHUNKS};
use super::stopping::campaign_lock;
use crate::control_store::NewDispatch;
use crate::error::{Result, StoreError};
use crate::postgres::failure::is_missing_partition;
use crate::postgres::lock::{Lock, Protects};
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::{Date, Json, Time, Uuid, get, stored};

/// In step with the dispatches: a month of definitions goes after that month's dispatches.
pub(super) const DEFINITIONS: Partitioned = Partitioned {
    table: "frozen_definition",
    period: Period::Month,
    storage: "fillfactor = 100",
    needed: &["to_regclass('dispatch_' || to_char(month, 'YYYYMM')) IS NOT NULL"],
};

pub(super) const CAMPAIGN: Statement = Statement::new(
    "insert dispatch: campaign",
    "SELECT state, version, dispatched FROM campaign WHERE workspace = $1 AND id = $2",
);
/// For a campaign's first dispatch only: the row must not be written by every trigger.
pub(super) const ACTIVATE: Statement = Statement::new(
    "insert dispatch: activate campaign",
    "UPDATE campaign SET
         updated_at = CASE state WHEN 'active' THEN updated_at ELSE $3 END,
         state = 'active', dispatched = true
     WHERE workspace = $1 AND id = $2 AND version = $4 AND state = ANY ($5)",
);
pub(super) const FREEZE: Statement = Statement::new(
    "insert dispatch: definition",
    "INSERT INTO frozen_definition (campaign, digest, month, definition) VALUES ($1, $2, $3, $4)
     ON CONFLICT DO NOTHING",
);
pub(super) const INSERT: Statement = Statement::new(
    "insert dispatch",
    "INSERT INTO dispatch (id, workspace, campaign, campaign_version, digest, cause, shape, state,
         planned_at, expires_at, cohort, occurrence, audience_estimate, created_at, started_at,
         finished_at, at_read, chunks, chunks_left, targeted, skipped, properties, month, far)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $18,
             0, '{}', $19, $20, $21)",
);

/// When a partition is missing, makes it and tries once more.
pub(super) async fn insert(
    pool: &Pool,
    turn: &Mutex<()>,
    new: &NewDispatch,
    from: &[CampaignState],
) -> Result<(Dispatch, bool)> {
    match try_insert(&pool.session().await?, new, from).await {
        Err(error) if is_missing_partition(&error) => {}
        other => return other,
    }
    let Date(month) = dispatches::month(&new.dispatch);
    let months = BTreeSet::from([month]);
    DISPATCHES.make_missing(pool, turn, &months).await?;
    DEFINITIONS.make_missing(pool, turn, &months).await?;
    if !new.chunks.is_empty() {
        let day = dispatches::queued_at(&new.dispatch).day();
        CHUNKS
            .make_missing(pool, turn, &BTreeSet::from([day]))
            .await?;
    }
    try_insert(&pool.session().await?, new, from).await
}

/// One that has the same id waits here, whatever month it would lie in, and finds the first.
fn id_lock(dispatch: DispatchId) -> Lock {
    Lock::of(Protects::DispatchId, &[&dispatch.to_bytes()])
}

async fn try_insert(
    session: &Session,
    new: &NewDispatch,
    from: &[CampaignState],
) -> Result<(Dispatch, bool)> {
    let dispatch = &new.dispatch;
    let campaign = campaign_lock(dispatch.campaign).shared();
    session
        .begin_holding_all(&[campaign, id_lock(dispatch.id)])
        .await?;
    if let Some(known) = dispatches::find_any(session, dispatch.id).await? {
        // A repeat gets what the first call made, whatever has become of the campaign since.
        return own(known, dispatch);
    }
    activate(session, dispatch, from).await?;
    if !new.chunks.is_empty() && dispatch.state != DispatchState::Running {
        // Chunks that nobody may claim would lie in the queue for good.
        return Err(StoreError::Stale { what: "dispatch" });
    }
    insert_row(session, dispatch, queue::number(&new.chunks)).await?;
    queue::queue(session, dispatch, &new.chunks).await?;
    session.commit().await?;
    Ok((dispatch.clone(), true))
}

fn own(known: Dispatch, wanted: &Dispatch) -> Result<(Dispatch, bool)> {
    if known.workspace == wanted.workspace {
        return Ok((known, false));
    }
    Err(StoreError::Conflict {
        what: "dispatch id",
    })
}

/// Moves the campaign to `Active` if it is not, provided that it has the dispatch's version and is
/// in one of the states.
async fn activate(session: &Session, dispatch: &Dispatch, from: &[CampaignState]) -> Result<()> {
    let what = "campaign";
    let (workspace, campaign) = (Uuid::of(dispatch.workspace), Uuid::of(dispatch.campaign));
    let found = session.first(&CAMPAIGN, &[&workspace, &campaign]).await?;
    let row = found.ok_or(StoreError::NotFound { what })?;
    let state: CampaignState = named(&row, "state", what, &dispatch.campaign)?;
    if !from.contains(&state) || small(&row, "version")? != dispatch.campaign_version {
        return Err(StoreError::Stale { what });
    }
    if state == CampaignState::Active && get(&row, "dispatched")? {
        return Ok(());
    }
    let from: Vec<&str> = from.iter().map(|state| state.as_str()).collect();
    let version = stored_small(dispatch.campaign_version);
    let now = Time(dispatch.created_at);
    let activated = session
        .change(&ACTIVATE, &[&workspace, &campaign, &now, &version, &from])
        .await?;
    if activated == 1 {
        return Ok(());
    }
    // Changed since we looked.
    Err(StoreError::Stale { what })
}

async fn insert_row(session: &Session, dispatch: &Dispatch, chunks: i32) -> Result<()> {
    let definition = text(&dispatch.definition, "dispatch")?;
    let digest: [u8; 32] = Sha256::digest(definition.as_bytes()).into();
    let (digest, campaign) = (digest.as_slice(), Uuid::of(dispatch.campaign));
    let month = dispatches::month(dispatch);
    session
        .change(&FREEZE, &[&campaign, &digest, &month, &Json(definition)])
        .await?;
    session
        .change(
            &INSERT,
            &[
                &Uuid::of(dispatch.id),
                &Uuid::of(dispatch.workspace),
                &campaign,
                &stored_small(dispatch.campaign_version),
                &digest,
                &dispatch.cause.as_str(),
                &dispatch.shape.as_str(),
                &dispatch.state.as_str(),
                &Time(dispatch.planned_at),
                &Time(dispatch.expires_at),
                &dispatch.cohort.number(),
                &stored_small(dispatch.occurrence),
                &stored(dispatch.audience_estimate),
                &Time(dispatch.created_at),
                &dispatch.started_at.map(Time),
                &dispatch.finished_at.map(Time),
                &dispatch.is_read_by_feeds(),
                &chunks,
                &Json(text(&dispatch.properties, "dispatch")?),
                &month,
                &dispatches::is_far(dispatch),
            ],
        )
        .await?;
    Ok(())
}
