//! What users did with cards: recorded once, counted once, joined into the cards' states.
//!
//! A repeat is not looked up beforehand: it goes through the writer like everything else, changes
//! no page there, and so costs no sync of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, CardId, Id, WorkspaceId};
use corkboard_core::state::{CardState, Mark};
use corkboard_core::time::Timestamp;
use futures_util::future::join_all;
use rusqlite::{Connection, params};

use super::SqliteCardStore;
use super::counts::{self, CountKey};
use super::owner::Owner;
use super::states;
use crate::card_store::{CardEvent, EventCounts, RecordedEvents};
use crate::error::{Result, StoreError};

const REMEMBER: &str =
    "INSERT INTO card_event VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
pub(super) const TO_REMOVE: &str = "SELECT c.card, c.campaign FROM card c LEFT JOIN card_state s \
                         ON s.slot = c.slot AND s.workspace = c.workspace \
                         AND s.user_id = c.user_id AND s.card = c.card \
                         WHERE c.slot = ?1 AND c.workspace = ?2 AND c.user_id = ?3 \
                         AND c.expires_at > ?4 AND s.removed_at IS NULL";

/// Records events in the files of their cohorts, all files at a time. Events of a retired cohort
/// are dropped: nothing of their cards is left.
pub(super) async fn record(
    store: &SqliteCardStore,
    workspace: WorkspaceId,
    owner: Owner,
    events: Vec<CardEvent>,
    now: Timestamp,
) -> Result<RecordedEvents> {
    let mut cohorts: BTreeMap<Cohort, Vec<CardEvent>> = BTreeMap::new();
    for event in events {
        cohorts.entry(event.cohort).or_default().push(event);
    }
    let owner = Arc::new(owner);
    let record = |(cohort, events): (Cohort, Vec<CardEvent>)| {
        let owner = Arc::clone(&owner);
        async move {
            let file = store.cohorts.for_writing(cohort).await?;
            let op = move |connection: &Connection| {
                record_in(connection, workspace, &owner, &events, now)
            };
            file.write("record card events", op).await
        }
    };
    let mut all = RecordedEvents::default();
    for recorded in join_all(cohorts.into_iter().map(record)).await {
        match recorded {
            Ok(recorded) => {
                all.new += recorded.new;
                all.changed |= recorded.changed;
            }
            Err(StoreError::NoSuchCohort(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

fn record_in(
    connection: &Connection,
    workspace: WorkspaceId,
    owner: &Owner,
    events: &[CardEvent],
    now: Timestamp,
) -> Result<RecordedEvents> {
    let mut recorded = RecordedEvents::default();
    let mut days: BTreeMap<CountKey, EventCounts> = BTreeMap::new();
    for event in events {
        let counted = event.mark != Mark::Removed;
        if counted && !remember(connection, owner, event)? {
            continue;
        }
        // A client's clock may be ahead. What it said tells a repeat; what is kept is not later than now.
        let at = event.at.min(now);
        let more = CardState::marked(event.mark, at);
        let first = !states::join(connection, owner, event.card, more)?.has(event.mark);
        recorded.changed |= first;
        recorded.new += u64::from(counted || first);
        let key = CountKey {
            workspace,
            campaign: event.campaign,
            variant: event.variant,
            day: at.day(),
        };
        if counted {
            count(days.entry(key).or_default(), event.mark, first);
        }
    }
    for (key, counts) in &days {
        counts::add(connection, key, counts)?;
    }
    Ok(recorded)
}

/// Whether the event is not a repeat.
fn remember(connection: &Connection, owner: &Owner, event: &CardEvent) -> Result<bool> {
    let inserted = connection.prepare_cached(REMEMBER)?.execute(params![
        owner.slot,
        owner.workspace,
        owner.user(),
        event.card.to_bytes(),
        event.mark.bit(),
        event.at.as_micros()
    ])?;
    Ok(inserted == 1)
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

/// Marks a user's live cards of some campaigns as removed. Files without such a card are not
/// written to.
pub(super) async fn remove(
    store: &SqliteCardStore,
    owner: Owner,
    campaigns: &[CampaignId],
    now: Timestamp,
) -> Result<u64> {
    let files = store.cohorts.live(|cohort| cohort.ends_at() > now).await?;
    let owner = Arc::new(owner);
    let look = {
        let (owner, campaigns) = (Arc::clone(&owner), campaigns.to_vec());
        move || {
            let mut found = Vec::new();
            for file in files {
                let look = |connection: &Connection| to_remove(connection, &owner, &campaigns, now);
                let cards = file.read_here("look for cards", look)?.unwrap_or_default();
                if !cards.is_empty() {
                    found.push((file, cards));
                }
            }
            Ok::<_, StoreError>(found)
        }
    };
    let mut removed = 0;
    for (file, cards) in store.readers.run(look).await?? {
        let owner = Arc::clone(&owner);
        let op = move |connection: &Connection| {
            let more = CardState::marked(Mark::Removed, now);
            let mut removed = 0;
            for card in cards {
                let before = states::join(connection, &owner, card, more)?;
                removed += u64::from(!before.has(Mark::Removed));
            }
            Ok(removed)
        };
        removed += file.write("remove cards", op).await?;
    }
    Ok(removed)
}

fn to_remove(
    connection: &Connection,
    owner: &Owner,
    campaigns: &[CampaignId],
    now: Timestamp,
) -> Result<Vec<CardId>> {
    let mut statement = connection.prepare_cached(TO_REMOVE)?;
    let mut rows = statement.query(params![
        owner.slot,
        owner.workspace,
        owner.user(),
        now.as_micros()
    ])?;
    let mut cards = Vec::new();
    while let Some(row) = rows.next()? {
        if campaigns.contains(&CampaignId::from_bytes(row.get(1)?)) {
            cards.push(CardId::from_bytes(row.get(0)?));
        }
    }
    Ok(cards)
}
