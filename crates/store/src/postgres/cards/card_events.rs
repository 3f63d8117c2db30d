//! What users did with cards: recorded once, counted once, joined into the cards' states. Several
//! users' reports go into one transaction (see [`recorder`](super::recorder)).
//!
//! A repeat changes nothing and so uses no transaction id: its insert finds the key, and nothing
//! follows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, CardId, Id, WorkspaceId};
use corkboard_core::identity;
use corkboard_core::state::{CardState, Mark};
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::counts::{self, CountKey};
use super::owner::Owner;
use super::recorder::Recorder;
use super::states::{self, Key};
use super::tables::{self, Tables};
use crate::card_store::{CardEvent, EventCounts, RecordedEvents};
use crate::error::{Result, StoreError};
use crate::postgres::session::{Params, Session};
use crate::postgres::values::{Time, Uuid, get, id, time};

pub(super) const REMEMBER: &str = "INSERT INTO card_event@ (slot, owner, card, mark, at, cohort_no) \
     SELECT s, o, c, m, t, $6::smallint FROM unnest($1::smallint[], $2::uuid[], $3::uuid[], $4::smallint[], \
     $5::timestamptz[]) AS k(s, o, c, m, t) ORDER BY s, o, c, m, t \
     ON CONFLICT (slot, owner, card, mark, at) DO NOTHING RETURNING slot, owner, card, mark, at";

/// One user's report.
#[derive(Debug, Clone)]
pub(super) struct Report {
    pub(super) workspace: WorkspaceId,
    pub(super) user: UserId,
    pub(super) events: Vec<CardEvent>,
    /// When it was received.
    pub(super) now: Timestamp,
}

/// An event, and whose report it is in.
#[derive(Debug, Clone, Copy)]
struct Happened {
    report: usize,
    owner: Owner,
    campaign_no: i32,
    event: CardEvent,
    /// When it happened, as far as can be: a client's clock may be ahead. What the client said tells
    /// a repeat; what is kept is not later than now.
    at: Timestamp,
}

/// What makes an event a repeat of another.
type EventKey = (Owner, CardId, u8, Timestamp);

/// Records reports in one transaction. One answer for each.
pub(super) async fn record(
    store: &CardDatabase,
    reports: &[Report],
) -> Result<Vec<RecordedEvents>> {
    let mut attempts = Attempts::default();
    loop {
        match attempt(store, reports).await {
            Ok(recorded) => return Ok(recorded),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => {
                attempts.pause().await?;
                store.cohorts.look_again().await?;
            }
        }
    }
}

async fn attempt(store: &CardDatabase, reports: &[Report]) -> Attempt<Vec<RecordedEvents>> {
    let cohorts: BTreeSet<Cohort> = reports
        .iter()
        .flat_map(|report| report.events.iter().map(|event| event.cohort))
        .collect();
    let mut writable: BTreeMap<Cohort, (Tables, Vec<Happened>)> = BTreeMap::new();
    for cohort in cohorts {
        match store.cohorts.for_writing(cohort).await {
            Ok(tables) => {
                writable.insert(cohort, (tables, Vec::new()));
            }
            // Events of a retired cohort are dropped: nothing of their cards is left.
            Err(StoreError::NoSuchCohort(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let session = store.pool.session().await?;
    for (report, of_user) in reports.iter().enumerate() {
        let owner = Owner::new(of_user.workspace, &of_user.user);
        for event in &of_user.events {
            let number = store
                .numbers
                .campaign(&session, of_user.workspace, event.campaign);
            let campaign_no = number.await?.no;
            if let Some((_, happened)) = writable.get_mut(&event.cohort) {
                happened.push(Happened {
                    report,
                    owner,
                    campaign_no,
                    event: *event,
                    at: event.at.min(of_user.now),
                });
            }
        }
    }
    let mut recorded = vec![RecordedEvents::default(); reports.len()];
    session.begin().await?;
    let lane = store.lanes.next();
    for (cohort, (tables, events)) in &writable {
        let cohort_no = tables::stored(*cohort)?;
        record_in(&session, tables, (cohort_no, lane), events, &mut recorded).await?;
    }
    session.commit().await?;
    Ok(recorded)
}

/// Records events of one cohort.
async fn record_in(
    session: &Session,
    tables: &Tables,
    (cohort_no, lane): (i16, i16),
    events: &[Happened],
    recorded: &mut [RecordedEvents],
) -> Attempt<()> {
    let mut new = remember(session, tables, cohort_no, events).await?;
    let mut fresh: Vec<&Happened> = Vec::with_capacity(new.len());
    let mut more: BTreeMap<Key, CardState> = BTreeMap::new();
    let mut removals: BTreeMap<Key, CardState> = BTreeMap::new();
    for happened in events {
        let event = &happened.event;
        let state = CardState::marked(event.mark, happened.at);
        let key = (happened.owner, event.card);
        if event.mark == Mark::Removed {
            let known = removals.entry(key).or_default();
            *known = known.join(state);
        } else if new.remove(&event_key(happened)) {
            fresh.push(happened);
            let known = more.entry(key).or_default();
            *known = known.join(state);
        }
    }
    let removed = if removals.is_empty() {
        BTreeMap::new()
    } else {
        states::look(session, tables, &removals).await?
    };
    // What is removed already is not even locked.
    removals.retain(|key, state| {
        let known = removed.get(key).copied().unwrap_or_default();
        known.join(*state) != known
    });
    for (key, state) in removals {
        let known = more.entry(key).or_default();
        *known = known.join(state);
    }
    if more.is_empty() {
        return Ok(());
    }
    let mut known = states::join(session, tables, cohort_no, &more).await?;
    let mut days: BTreeMap<CountKey, EventCounts> = BTreeMap::new();
    let removal = |happened: &&Happened| happened.event.mark == Mark::Removed;
    let joined = events
        .iter()
        .filter(removal)
        .filter(|happened| more.contains_key(&(happened.owner, happened.event.card)));
    for happened in fresh.into_iter().chain(joined) {
        let event = &happened.event;
        let state = known.entry((happened.owner, event.card)).or_default();
        let first = !state.has(event.mark);
        *state = state.join(CardState::marked(event.mark, happened.at));
        let counted = event.mark != Mark::Removed;
        if let Some(recorded) = recorded.get_mut(happened.report) {
            recorded.changed |= first;
            recorded.new += u64::from(counted || first);
        }
        let key = CountKey {
            campaign_no: happened.campaign_no,
            variant: event.variant,
            day: happened.at.day(),
        };
        if counted {
            count(days.entry(key).or_default(), event.mark, first);
        }
    }
    counts::add(session, tables, cohort_no, lane, &days).await
}

fn event_key(happened: &Happened) -> EventKey {
    let event = &happened.event;
    (happened.owner, event.card, event.mark.bit(), event.at)
}

/// Which of the events to be counted are not repeats.
async fn remember(
    session: &Session,
    tables: &Tables,
    cohort_no: i16,
    events: &[Happened],
) -> Attempt<BTreeSet<EventKey>> {
    let counted = events.iter().filter(|one| one.event.mark != Mark::Removed);
    let keys: Vec<EventKey> = counted.map(event_key).collect();
    if keys.is_empty() {
        return Ok(BTreeSet::new());
    }
    let slots: Vec<i16> = keys.iter().map(|key| key.0.slot).collect();
    let owners: Vec<Uuid> = keys.iter().map(|key| key.0.key).collect();
    let cards: Vec<Uuid> = keys.iter().map(|key| Uuid(key.1.to_bytes())).collect();
    let marks: Vec<i16> = keys.iter().map(|key| key.2.into()).collect();
    let times: Vec<Time> = keys.iter().map(|key| Time(key.3)).collect();
    let params: Params<'_> = &[&slots, &owners, &cards, &marks, &times, &cohort_no];
    let rows = attempt::all(
        session,
        "remember card events",
        &tables.sql(REMEMBER),
        params,
    )
    .await?;
    let new: Result<_> = rows
        .iter()
        .map(|row| {
            let owner = Owner {
                slot: get(row, "slot")?,
                key: get(row, "owner")?,
            };
            let mark = u8::try_from(get::<i16>(row, "mark")?).unwrap_or(0);
            Ok((owner, id(row, "card")?, mark, time(row, "at")?))
        })
        .collect();
    new.map_err(Stop::from)
}

fn count(counts: &mut EventCounts, mark: Mark, first: bool) {
    let (all, unique) = match mark {
        Mark::Seen => (&mut counts.impressions, &mut counts.unique_impressions),
        Mark::Clicked => (&mut counts.clicks, &mut counts.unique_clicks),
        Mark::Dismissed => (&mut counts.dismissals, &mut counts.unique_dismissals),
        Mark::Removed => return,
    };
    *all += 1;
    *unique += u64::from(first);
}

/// The statement that finds a user's live cards of some campaigns in these tables.
pub(super) fn to_remove_sql(sources: &[Tables]) -> String {
    let of_cohort = |tables: &Tables| {
        tables.sql(
            "SELECT c.cohort_no, c.occurrence, n.campaign, s.variant FROM card@ c \
             JOIN card_content@ s USING (content_no) JOIN campaign_number n USING (campaign_no) \
             WHERE c.slot = $1 AND c.owner = $2 AND c.expires_at > $3 AND n.campaign = ANY ($4)",
        )
    };
    let parts: Vec<String> = sources.iter().map(of_cohort).collect();
    parts.join(" UNION ALL ")
}

/// Marks a user's live cards of some campaigns as removed.
pub(super) async fn remove(
    store: &CardDatabase,
    recorder: &Recorder,
    (workspace, user): (WorkspaceId, &UserId),
    campaigns: &[CampaignId],
    now: Timestamp,
) -> Result<u64> {
    let mut attempts = Attempts::default();
    let events = loop {
        match to_remove(store, workspace, user, campaigns, now).await {
            Ok(events) => break events,
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => {
                attempts.pause().await?;
                store.cohorts.look_again().await?;
            }
        }
    };
    if events.is_empty() {
        return Ok(0);
    }
    let report = Report {
        workspace,
        user: user.clone(),
        events,
        now,
    };
    recorder.record(report).await.map(|recorded| recorded.new)
}

async fn to_remove(
    store: &CardDatabase,
    workspace: WorkspaceId,
    user: &UserId,
    campaigns: &[CampaignId],
    now: Timestamp,
) -> Attempt<Vec<CardEvent>> {
    let session = store.pool.session().await?;
    let known = store.cohorts.look(&session).await?;
    let sources = store.cohorts.sources(known.readable(now));
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let owner = Owner::new(workspace, user);
    let wanted: Vec<Uuid> = campaigns
        .iter()
        .map(|campaign| Uuid::of(*campaign))
        .collect();
    let params: Params<'_> = &[&owner.slot, &owner.key, &Time(now), &wanted];
    let sql = to_remove_sql(&sources);
    let mut events: HashMap<CardId, CardEvent> = HashMap::new();
    for row in attempt::all(&session, "look for cards to remove", &sql, params).await? {
        let campaign: CampaignId = id(&row, "campaign")?;
        let occurrence: Option<i32> = get(&row, "occurrence")?;
        let occurrence = occurrence.and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
        let card = identity::card_id(campaign, user, occurrence);
        let event = CardEvent {
            card,
            campaign,
            variant: u8::try_from(get::<i16>(&row, "variant")?).unwrap_or(0),
            cohort: tables::cohort(get(&row, "cohort_no")?)?,
            mark: Mark::Removed,
            at: now,
        };
        events.insert(card, event);
    }
    Ok(events.into_values().collect())
}
