//! Exact counts by campaign, variant and day: added to, read, and kept when a cohort goes.

use std::collections::{BTreeMap, BTreeSet};

use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
use corkboard_core::time::{Day, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteCardStore;
use super::owner::{counted, stored};
use crate::card_store::{CountRow, EventCounts};
use crate::error::Result;

const ADD: &str = "INSERT INTO count VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
     ON CONFLICT DO UPDATE SET sent = sent + excluded.sent, \
     impressions = impressions + excluded.impressions, \
     unique_impressions = unique_impressions + excluded.unique_impressions, \
     clicks = clicks + excluded.clicks, unique_clicks = unique_clicks + excluded.unique_clicks, \
     dismissals = dismissals + excluded.dismissals, \
     unique_dismissals = unique_dismissals + excluded.unique_dismissals";
pub(super) const OF_CAMPAIGN: &str = "SELECT variant, day, sent, impressions, unique_impressions, clicks, \
     unique_clicks, dismissals, unique_dismissals FROM count \
     WHERE workspace = ?1 AND campaign = ?2";
pub(super) const RETIRED_OF_CAMPAIGN: &str = "SELECT variant, day, sent, impressions, unique_impressions, clicks, \
     unique_clicks, dismissals, unique_dismissals, cohort FROM retired_count \
     WHERE workspace = ?1 AND campaign = ?2";
const ALL: &str = "SELECT variant, day, sent, impressions, unique_impressions, clicks, \
     unique_clicks, dismissals, unique_dismissals, workspace, campaign FROM count";
const ALL_DISPATCHES: &str = "SELECT dispatch, written FROM dispatch_count";
const IS_RETIRED: &str = "SELECT 1 FROM retired_cohort WHERE cohort = ?1";
const FOLD: &str =
    "INSERT INTO retired_count VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
const FOLD_DISPATCH: &str = "INSERT INTO retired_dispatch VALUES (?1, ?2) \
                             ON CONFLICT DO UPDATE SET written = written + excluded.written";
const RETIRE: &str = "INSERT INTO retired_cohort VALUES (?1, ?2)";
const RETIRED: &str = "SELECT cohort FROM retired_cohort";
pub(super) const WRITTEN: &str = "SELECT written FROM dispatch_count WHERE dispatch = ?1";
pub(super) const RETIRED_WRITTEN: &str = "SELECT written FROM retired_dispatch WHERE dispatch = ?1";

/// What a row of counts is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CountKey {
    pub(super) workspace: WorkspaceId,
    pub(super) campaign: CampaignId,
    pub(super) variant: u8,
    pub(super) day: Day,
}

/// Adds to a row of a cohort's counts.
pub(super) fn add(connection: &Connection, key: &CountKey, counts: &EventCounts) -> Result<()> {
    connection.prepare_cached(ADD)?.execute(params![
        key.workspace.to_bytes(),
        key.campaign.to_bytes(),
        key.variant,
        key.day.number(),
        stored(counts.sent),
        stored(counts.impressions),
        stored(counts.unique_impressions),
        stored(counts.clicks),
        stored(counts.unique_clicks),
        stored(counts.dismissals),
        stored(counts.unique_dismissals)
    ])?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<CountRow> {
    let count = |place: usize| row.get(place).map(counted);
    Ok(CountRow {
        variant: row.get(0)?,
        day: Day::from_number(row.get(1)?),
        counts: EventCounts {
            sent: count(2)?,
            impressions: count(3)?,
            unique_impressions: count(4)?,
            clicks: count(5)?,
            unique_clicks: count(6)?,
            dismissals: count(7)?,
            unique_dismissals: count(8)?,
        },
    })
}

/// Everything a cohort has counted.
pub(super) struct Kept {
    counts: Vec<(CountKey, EventCounts)>,
    dispatches: Vec<([u8; 16], i64)>,
}

/// Reads all counts of a cohort.
pub(super) fn all(connection: &Connection) -> Result<Kept> {
    let mut statement = connection.prepare(ALL)?;
    let counts = statement.query_map([], |row| {
        let CountRow {
            variant,
            day,
            counts,
        } = read(row)?;
        let key = CountKey {
            workspace: WorkspaceId::from_bytes(row.get(9)?),
            campaign: CampaignId::from_bytes(row.get(10)?),
            variant,
            day,
        };
        Ok((key, counts))
    })?;
    let counts = counts.collect::<rusqlite::Result<_>>()?;
    let mut statement = connection.prepare(ALL_DISPATCHES)?;
    let dispatches = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let dispatches = dispatches.collect::<rusqlite::Result<_>>()?;
    Ok(Kept { counts, dispatches })
}

/// Keeps a cohort's counts and marks it as retired; nothing happens the second time.
pub(super) fn fold(
    connection: &Connection,
    cohort: Cohort,
    kept: &Kept,
    now: Timestamp,
) -> Result<()> {
    if connection.prepare(IS_RETIRED)?.exists([cohort.number()])? {
        return Ok(());
    }
    let mut insert = connection.prepare(FOLD)?;
    for (key, counts) in &kept.counts {
        insert.execute(params![
            key.workspace.to_bytes(),
            key.campaign.to_bytes(),
            cohort.number(),
            key.variant,
            key.day.number(),
            stored(counts.sent),
            stored(counts.impressions),
            stored(counts.unique_impressions),
            stored(counts.clicks),
            stored(counts.unique_clicks),
            stored(counts.dismissals),
            stored(counts.unique_dismissals)
        ])?;
    }
    let mut insert = connection.prepare(FOLD_DISPATCH)?;
    for (dispatch, written) in &kept.dispatches {
        insert.execute(params![dispatch, written])?;
    }
    connection.execute(RETIRE, params![cohort.number(), now.as_micros()])?;
    Ok(())
}

/// Which cohorts have been retired.
pub(super) fn retired(connection: &Connection) -> Result<Vec<Cohort>> {
    let mut statement = connection.prepare(RETIRED)?;
    let numbers = statement.query_map([], |row| row.get(0))?;
    let numbers: Vec<i32> = numbers.collect::<rusqlite::Result<_>>()?;
    Ok(numbers
        .into_iter()
        .filter_map(Cohort::from_number)
        .collect())
}

/// A campaign's counts over live and retired cohorts. Cohorts are read before what was kept of
/// retired ones, and what is kept names its cohort: one that is retired in between counts once.
pub(super) async fn of_campaign(
    store: &SqliteCardStore,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<CountRow>> {
    let files = store.cohorts.live(|_| true).await?;
    let users = store.users.clone();
    let key = (workspace.to_bytes(), campaign.to_bytes());
    let job = move || {
        let mut days: BTreeMap<(u8, Day), EventCounts> = BTreeMap::new();
        let mut add = |row: CountRow| {
            days.entry((row.variant, row.day))
                .or_default()
                .add(&row.counts);
        };
        let mut seen = BTreeSet::new();
        for file in &files {
            let rows = file.read_here("read counts", |connection| {
                let mut statement = connection.prepare_cached(OF_CAMPAIGN)?;
                let rows = statement.query_map(params![key.0, key.1], read)?;
                Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
            })?;
            if let Some(rows) = rows {
                rows.into_iter().for_each(&mut add);
                seen.insert(file.cohort.number());
            }
        }
        users.read_here("read kept counts", |connection| {
            let mut statement = connection.prepare_cached(RETIRED_OF_CAMPAIGN)?;
            let mut rows = statement.query(params![key.0, key.1])?;
            while let Some(row) = rows.next()? {
                if !seen.contains(&row.get(9)?) {
                    add(read(row)?);
                }
            }
            Ok(())
        })?;
        let rows = days.into_iter().map(|((variant, day), counts)| CountRow {
            variant,
            day,
            counts,
        });
        Ok(rows.collect())
    };
    store.readers.run(job).await?
}

/// How many cards a dispatch has written; they are all in one cohort.
pub(super) async fn of_dispatch(store: &SqliteCardStore, dispatch: DispatchId) -> Result<u64> {
    let files = store.cohorts.live(|_| true).await?;
    let users = store.users.clone();
    let look = move |connection: &Connection, statement: &str| {
        let written: Option<i64> = connection
            .prepare_cached(statement)?
            .query_row(params![dispatch.to_bytes()], |row| row.get(0))
            .optional()?;
        Ok(written.map(counted))
    };
    let job = move || {
        for file in files.iter().rev() {
            let written = file.read_here("read written", |connection| look(connection, WRITTEN))?;
            if let Some(written) = written.flatten() {
                return Ok(written);
            }
        }
        let kept = users.read_here("read kept written", |connection| {
            look(connection, RETIRED_WRITTEN)
        })?;
        Ok(kept.unwrap_or(0))
    };
    store.readers.run(job).await?
}
