//! What users did elsewhere: each report counts once.
//!
//! Ids are remembered by day, in a ring of four tables. Around midnight an id is remembered for both
//! days, so that two nodes whose clocks disagree about the day still agree about the id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use corkboard_core::id::{EventId, Id, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::{EventSummary, UserEvent};

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::owner::slot;
use super::users;
use crate::error::Result;
use crate::postgres::session::{Params, Session};
use crate::postgres::statement::Statement;
use crate::postgres::values::{Time, Uuid, id, stored};

/// How far nodes' clocks may be apart.
const SKEW: Duration = Duration::from_secs(600);
/// How long an event id is remembered, at least.
const MEMORY: Duration = Duration::from_secs(48 * 3_600);
const RING: i32 = 4;

pub(super) const REMEMBER: Statement = Statement::new(
    "remember user events",
    "INSERT INTO event_seen (event, recorded_at, ring) \
     SELECT e, $2::timestamptz, $3::smallint FROM unnest($1::uuid[]) AS k(e) \
     WHERE NOT EXISTS (SELECT 1 FROM event_seen s WHERE s.event = e AND s.recorded_at > \
     (SELECT forgotten_until FROM event_memory)) ORDER BY e ON CONFLICT DO NOTHING RETURNING event",
);
const REMEMBER_TOO: Statement = Statement::new(
    "remember user events for another day",
    "INSERT INTO event_seen (event, recorded_at, ring) \
     SELECT e, $2::timestamptz, $3::smallint FROM unnest($1::uuid[]) AS k(e) ORDER BY e \
     ON CONFLICT DO NOTHING",
);
pub(super) const ENSURE: Statement = Statement::new(
    "ensure users",
    "INSERT INTO tracked_user (slot, workspace_no, user_id, attributes, created_at, updated_at) \
     SELECT s, $3::int, u, '{}', $4::timestamptz, $4 FROM unnest($1::smallint[], $2::text[]) \
     AS k(s, u) WHERE NOT EXISTS (SELECT 1 FROM tracked_user t WHERE t.slot = s \
     AND t.workspace_no = $3 AND t.user_id = u COLLATE \"C\") \
     ORDER BY s, u COLLATE \"C\" ON CONFLICT (slot, workspace_no, user_id) DO NOTHING",
);
pub(super) const SUMMARISE: Statement = Statement::new(
    "summarise user events",
    "INSERT INTO user_event AS e (slot, workspace_no, user_id, name, count, first_at, last_at) \
     SELECT s, $3::int, u, n, c, f, l FROM unnest($1::smallint[], $2::text[], $4::text[], $5::bigint[], \
     $6::timestamptz[], $7::timestamptz[]) AS k(s, u, n, c, f, l) \
     ORDER BY s, u COLLATE \"C\", n COLLATE \"C\" \
     ON CONFLICT (slot, workspace_no, user_id, name) DO UPDATE SET \
     count = e.count + excluded.count, first_at = least(e.first_at, excluded.first_at), \
     last_at = greatest(e.last_at, excluded.last_at)",
);
const FORGET: Statement = Statement::new(
    "forget user events",
    "UPDATE event_memory SET forgotten_until = $1 WHERE forgotten_until < $1",
);

/// Records events; says, in order, which were new.
pub(super) async fn record(
    store: &CardDatabase,
    events: &[UserEvent],
    now: Timestamp,
) -> Result<Vec<bool>> {
    let mut attempts = Attempts::default();
    loop {
        match attempt(store, events, now).await {
            Ok(new) => return Ok(new),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => attempts.pause().await?,
        }
    }
}

async fn attempt(store: &CardDatabase, events: &[UserEvent], now: Timestamp) -> Attempt<Vec<bool>> {
    let session = store.pool.session().await?;
    let workspaces: BTreeSet<WorkspaceId> = events.iter().map(|event| event.workspace).collect();
    let mut numbers = BTreeMap::new();
    for workspace in workspaces {
        let number = store.numbers.workspace(&session, workspace).await?;
        numbers.insert(workspace, number);
    }
    session.begin().await?;
    let mut unseen = remember(&session, events, now).await?;
    // The first of several with one id is the one that counts.
    let new: Vec<bool> = events
        .iter()
        .map(|event| unseen.remove(&event.id))
        .collect();
    let lane = store.lanes.next();
    for (workspace, number) in numbers {
        let of_workspace = events
            .iter()
            .zip(&new)
            .filter(|(event, new)| **new && event.workspace == workspace);
        let summaries = summaries(of_workspace.map(|(event, _)| event));
        if !summaries.is_empty() {
            put(&session, number, lane, &summaries, now).await?;
        }
    }
    session.commit().await?;
    Ok(new)
}

/// The days that an id is remembered for, by their place in the ring; the first one decides.
fn days(now: Timestamp) -> Vec<i16> {
    let ring = |at: Timestamp| i16::try_from(at.day().number().rem_euclid(RING)).unwrap_or(0);
    let (from, to) = (ring(now.minus(SKEW)), ring(now.plus(SKEW)));
    if from == to {
        vec![from]
    } else {
        vec![from, to]
    }
}

/// Which ids have not been seen before.
async fn remember(
    session: &Session,
    events: &[UserEvent],
    now: Timestamp,
) -> Attempt<BTreeSet<EventId>> {
    let ids: BTreeSet<EventId> = events.iter().map(|event| event.id).collect();
    let mut ids: Vec<Uuid> = ids
        .into_iter()
        .map(|event| Uuid(event.to_bytes()))
        .collect();
    let mut unseen = BTreeSet::new();
    for (place, ring) in days(now).into_iter().enumerate() {
        let params: Params<'_> = &[&ids, &Time(now), &ring];
        if place == 0 {
            for row in session.all(&REMEMBER, params).await? {
                unseen.insert(id(&row, "event")?);
            }
            ids = unseen
                .iter()
                .map(|event: &EventId| Uuid(event.to_bytes()))
                .collect();
        } else if !ids.is_empty() {
            session.change(&REMEMBER_TOO, params).await?;
        }
    }
    Ok(unseen)
}

/// By slot, user and name.
type Summaries = BTreeMap<(i16, String, String), EventSummary>;

fn summaries<'a>(events: impl Iterator<Item = &'a UserEvent>) -> Summaries {
    let mut summaries = Summaries::new();
    for event in events {
        let key = (
            slot(event.workspace, &event.user),
            event.user.as_str().to_owned(),
            event.name.clone(),
        );
        let summary = summaries.entry(key).or_insert(EventSummary {
            count: 0,
            first_at: event.at,
            last_at: event.at,
        });
        summary.count += 1;
        summary.first_at = summary.first_at.min(event.at);
        summary.last_at = summary.last_at.max(event.at);
    }
    summaries
}

async fn put(
    session: &Session,
    workspace_no: i32,
    lane: i16,
    summaries: &Summaries,
    now: Timestamp,
) -> Attempt<()> {
    let users: BTreeSet<(i16, &str)> = summaries
        .keys()
        .map(|(slot, user, _)| (*slot, user.as_str()))
        .collect();
    let (slots, ids): (Vec<i16>, Vec<&str>) = users.into_iter().unzip();
    let params: Params<'_> = &[&slots, &ids, &workspace_no, &Time(now)];
    let new = session.change(&ENSURE, params).await?;
    let slots: Vec<i16> = summaries.keys().map(|key| key.0).collect();
    let ids: Vec<&str> = summaries.keys().map(|key| key.1.as_str()).collect();
    let names: Vec<&str> = summaries.keys().map(|key| key.2.as_str()).collect();
    let counts: Vec<i64> = summaries.values().map(|one| stored(one.count)).collect();
    let first: Vec<Time> = summaries.values().map(|one| Time(one.first_at)).collect();
    let last: Vec<Time> = summaries.values().map(|one| Time(one.last_at)).collect();
    let params: Params<'_> = &[&slots, &ids, &workspace_no, &names, &counts, &first, &last];
    session.change(&SUMMARISE, params).await?;
    if new > 0 {
        session
            .change(&users::TOTAL, &[&workspace_no, &lane, &stored(new)])
            .await?;
    }
    Ok(())
}

/// Forgets ids older than their window. A day's table is emptied as a whole once all in it are.
pub(super) async fn forget(store: &CardDatabase, now: Timestamp) -> Result<()> {
    let until = Time(now.minus(MEMORY));
    let keeper = store
        .pool
        .maintenance(Duration::from_secs(5), Duration::from_millis(100))
        .await?;
    keeper.change(&FORGET, &[&until]).await?;
    // The first row tells the day of a table, unless the keeper has been away for days: then the
    // table waits for its next turn.
    for ring in 0..RING {
        let table = format!("event_seen_{ring}");
        let looks_old = format!(
            "SELECT 1 FROM (SELECT recorded_at FROM {table} LIMIT 1) r WHERE recorded_at <= $1"
        );
        let has_young = format!("SELECT 1 FROM {table} WHERE recorded_at > $1 LIMIT 1");
        if !has(&keeper, &looks_old, &until).await? {
            continue;
        }
        keeper.begin().await?;
        let close = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
        keeper.run("close a day of user events", &close).await?;
        if !has(&keeper, &has_young, &until).await? {
            let empty = format!("TRUNCATE {table}");
            keeper.run("forget a day of user events", &empty).await?;
        }
        keeper.commit().await?;
    }
    Ok(())
}

async fn has(session: &Session, sql: &str, until: &Time) -> Result<bool> {
    let rows = attempt::all(session, "look for old user events", sql, &[until]).await;
    rows.map(|rows| !rows.is_empty()).map_err(Stop::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn around_midnight_an_id_belongs_to_both_days() {
        let at = |text: &str| days(text.parse().unwrap());
        assert_eq!(at("2026-11-21T12:00:00Z").len(), 1);
        assert_eq!(at("2026-11-21T23:55:00Z"), at("2026-11-22T00:05:00Z"));
        assert_eq!(at("2026-11-21T23:55:00Z")[0], at("2026-11-21T12:00:00Z")[0]);
        assert_eq!(at("2026-11-22T00:15:00Z"), at("2026-11-21T23:55:00Z")[1..]);
    }
}
