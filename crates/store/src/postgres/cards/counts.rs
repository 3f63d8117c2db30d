//! Exact counts by campaign, variant and day: added to in lanes, summed when read, kept when a
//! cohort goes.
//!
//! Writers of one moment add to different rows, so that none waits for another's commit; there are
//! never more than [`LANES`] rows for one count.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};

use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::time::Day;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::cohorts::{Known, State};
use super::numbers::CampaignNo;
use super::tables::Tables;
use crate::card_store::{CountRow, EventCounts};
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::values::{Uuid, count, get, stored};

const LANES: u16 = 16;

pub(super) const ADD: &str = "INSERT INTO card_count@ AS n \
     SELECT c, $9::smallint, v, d, $10::smallint, s, i, ui, k, uk, x, ux FROM unnest($1::int[], $2::smallint[], $3::int[], \
     $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $11::bigint[], $12::bigint[]) \
     AS t(c, v, d, s, i, ui, k, uk, x, ux) ORDER BY c, v, d \
     ON CONFLICT (campaign_no, cohort_no, variant, day, lane) DO UPDATE SET sent = n.sent + excluded.sent, \
     impressions = n.impressions + excluded.impressions, \
     unique_impressions = n.unique_impressions + excluded.unique_impressions, \
     clicks = n.clicks + excluded.clicks, unique_clicks = n.unique_clicks + excluded.unique_clicks, \
     dismissals = n.dismissals + excluded.dismissals, \
     unique_dismissals = n.unique_dismissals + excluded.unique_dismissals";
/// Counts a dispatch's cards: as written by it, and as sent by variant.
pub(super) const SENT: &str = "WITH written AS ( \
     INSERT INTO card_written@ AS w (dispatch, cohort_no, lane, written) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (dispatch, lane) DO UPDATE SET written = w.written + excluded.written) \
     INSERT INTO card_count@ AS n SELECT $5::int, $2, v, $6::int, $3, s, 0, 0, 0, 0, 0, 0 \
     FROM unnest($7::smallint[], $8::bigint[]) AS t(v, s) ORDER BY v \
     ON CONFLICT (campaign_no, cohort_no, variant, day, lane) DO UPDATE SET sent = n.sent + excluded.sent";
const COLUMNS: &str = "variant, day, sent, impressions, unique_impressions, clicks, \
                       unique_clicks, dismissals, unique_dismissals";

/// What a row of counts is about, within a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CountKey {
    pub(super) campaign_no: i32,
    pub(super) variant: u8,
    pub(super) day: Day,
}

/// Hands out lanes in turn.
#[derive(Debug, Default)]
pub(super) struct Lanes(AtomicU16);

impl Lanes {
    pub(super) fn next(&self) -> i16 {
        let lane = self.0.fetch_add(1, Ordering::Relaxed) % LANES;
        i16::try_from(lane).unwrap_or(0)
    }
}

/// Adds to the counts of a cohort, in the transaction that inserts what they count.
pub(super) async fn add(
    session: &Session,
    tables: &Tables,
    cohort_no: i16,
    lane: i16,
    counts: &BTreeMap<CountKey, EventCounts>,
) -> Attempt<()> {
    if counts.is_empty() {
        return Ok(());
    }
    let campaigns: Vec<i32> = counts.keys().map(|key| key.campaign_no).collect();
    let variants: Vec<i16> = counts.keys().map(|key| key.variant.into()).collect();
    let days: Vec<i32> = counts.keys().map(|key| key.day.number()).collect();
    let column = |of: fn(&EventCounts) -> u64| -> Vec<i64> {
        counts.values().map(|counts| stored(of(counts))).collect()
    };
    let sql = tables.sql(ADD);
    attempt::change(
        session,
        "count",
        &sql,
        &[
            &campaigns,
            &variants,
            &days,
            &column(|counts| counts.sent),
            &column(|counts| counts.impressions),
            &column(|counts| counts.unique_impressions),
            &column(|counts| counts.clicks),
            &column(|counts| counts.unique_clicks),
            &cohort_no,
            &lane,
            &column(|counts| counts.dismissals),
            &column(|counts| counts.unique_dismissals),
        ],
    )
    .await
    .map(drop)
}

/// The statement that reads a campaign's counts of these cohorts and of all retired ones, and the
/// version of the cohorts, as of one moment: a cohort that is retired in between counts once.
pub(super) fn of_campaign_sql(sources: &[Tables]) -> String {
    let mut sql = format!(
        "SELECT s.version, c.* FROM cohort_set s LEFT JOIN (SELECT {COLUMNS} FROM retired_count \
         WHERE campaign_no = $1"
    );
    for tables in sources {
        let table = tables.name("card_count");
        sql.push_str(&format!(
            " UNION ALL SELECT {COLUMNS} FROM {table} WHERE campaign_no = $1"
        ));
    }
    sql.push_str(") c ON true");
    sql
}

/// Sums what [`of_campaign_sql`] has found.
pub(super) fn sum(rows: &[Row]) -> Result<Vec<CountRow>> {
    let mut days: BTreeMap<(u8, Day), EventCounts> = BTreeMap::new();
    for row in rows {
        let variant: Option<i16> = get(row, "variant")?;
        let Some(variant) = variant.and_then(|variant| u8::try_from(variant).ok()) else {
            continue;
        };
        let day = Day::from_number(get(row, "day")?);
        let counts = EventCounts {
            sent: count(row, "sent")?,
            impressions: count(row, "impressions")?,
            unique_impressions: count(row, "unique_impressions")?,
            clicks: count(row, "clicks")?,
            unique_clicks: count(row, "unique_clicks")?,
            dismissals: count(row, "dismissals")?,
            unique_dismissals: count(row, "unique_dismissals")?,
        };
        days.entry((variant, day)).or_default().add(&counts);
    }
    let rows = days.into_iter().map(|((variant, day), counts)| CountRow {
        variant,
        day,
        counts,
    });
    Ok(rows.collect())
}

/// The statement that says how many cards a dispatch has written, whichever cohort they are in.
pub(super) fn written_sql(sources: &[Tables]) -> String {
    let mut sql = "SELECT s.version, (SELECT coalesce(sum(written), 0)::bigint FROM ( \
                   SELECT 0::bigint AS written WHERE $1::uuid IS NULL"
        .to_owned();
    for tables in sources {
        let table = tables.name("card_written");
        sql.push_str(&format!(
            " UNION ALL SELECT written FROM {table} WHERE dispatch = $1"
        ));
    }
    sql.push_str(") w) AS written FROM cohort_set s");
    sql
}

/// A campaign's counts over live and retired cohorts.
pub(super) async fn of_campaign(
    store: &CardDatabase,
    workspace: WorkspaceId,
    campaign: CampaignId,
) -> Result<Vec<CountRow>> {
    let session = store.pool.session().await?;
    let number = store.numbers.known_campaign(&session, workspace, campaign);
    let Some(CampaignNo { no, .. }) = number.await? else {
        return Ok(Vec::new());
    };
    let rows = as_of_now(store, &session, &no, |known| {
        of_campaign_sql(&store.cohorts.sources(known.used()))
    });
    sum(&rows.await?)
}

/// How many cards a dispatch has written.
pub(super) async fn of_dispatch(store: &CardDatabase, dispatch: DispatchId) -> Result<u64> {
    let session = store.pool.session().await?;
    let dispatch = Uuid::of(dispatch);
    let rows = as_of_now(store, &session, &dispatch, |known| {
        let all = known.all.iter();
        let counting = all.filter(|(_, state)| (State::Used..=State::Retired).contains(state));
        written_sql(&store.cohorts.sources(counting.map(|(cohort, _)| *cohort)))
    });
    rows.await?
        .first()
        .map_or(Ok(0), |row| count(row, "written"))
}

/// Runs a statement that names the tables of cohorts, again if they are not those any more.
async fn as_of_now(
    store: &CardDatabase,
    session: &Session,
    param: &(dyn ToSql + Sync),
    sql: impl Fn(&Known) -> String + Send,
) -> Result<Vec<Row>> {
    let mut known = store.cohorts.seen(session).await?;
    let mut attempts = Attempts::default();
    loop {
        match attempt::all(session, "read counts", &sql(&known), &[param]).await {
            Ok(rows) => {
                let version: Option<i64> =
                    rows.first().map(|row| get(row, "version")).transpose()?;
                if version.is_none_or(|version| version == known.version) {
                    return Ok(rows);
                }
            }
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => {}
        }
        attempts.pause().await?;
        known = store.cohorts.look(session).await?;
    }
}
