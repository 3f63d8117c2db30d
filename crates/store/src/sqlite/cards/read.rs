//! Reading a user's cards: a few neighbouring rows of each live cohort.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use corkboard_core::card::CardContent;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, CardId, DispatchId, Id};
use corkboard_core::state::CardState;
use corkboard_core::time::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::de::DeserializeOwned;

use super::SqliteCardStore;
use super::cohorts::{CohortFile, Shared};
use super::owner::{Owner, stored};
use super::states;
use crate::card_store::{StoredCard, UserCards};
use crate::error::{Result, StoreError};

pub(super) const CARDS: &str = "SELECT card, campaign, dispatch, variant, created_at, expires_at, content \
                     FROM card WHERE slot = ?1 AND workspace = ?2 AND user_id = ?3 \
                     AND expires_at > ?4 ORDER BY created_at DESC, card DESC LIMIT ?5";
pub(super) const IS_CARD: &str = "SELECT 1 FROM card \
                       WHERE slot = ?1 AND workspace = ?2 AND user_id = ?3 AND card = ?4";
pub(super) const OF_DISPATCH: &str = "SELECT 1 FROM card \
                       WHERE slot = ?1 AND workspace = ?2 AND user_id = ?3 AND dispatch = ?4";
pub(super) const SHARED: &str =
    "SELECT presentation, content FROM shared_content WHERE dispatch = ?1 AND variant = ?2";

/// A user's cards that have not expired, newest first, and the states of broadcasts.
pub(super) async fn user_cards(
    store: &SqliteCardStore,
    owner: Owner,
    now: Timestamp,
    limit: usize,
) -> Result<UserCards> {
    let files = store.cohorts.live(|cohort| cohort.ends_at() > now).await?;
    let job = move || {
        let mut all = UserCards::default();
        for file in &files {
            let read = |connection: &Connection| {
                // One snapshot for cards and states.
                let snapshot = connection.unchecked_transaction()?;
                let cards = of_cohort(&snapshot, file, &owner, now, limit)?;
                snapshot.commit()?;
                Ok(cards)
            };
            if let Some(mut cards) = file.read_here("read cards", read)? {
                all.cards.append(&mut cards.cards);
                all.broadcast_states.append(&mut cards.broadcast_states);
            }
        }
        all.cards
            .sort_by_key(|card| Reverse((card.created_at, card.id)));
        all.cards.truncate(limit);
        Ok(all)
    };
    store.readers.run(job).await?
}

/// For each user, in order: whether the dispatch has written a card for them.
pub(super) async fn have_cards(
    store: &SqliteCardStore,
    owners: Vec<Owner>,
    dispatch: DispatchId,
    of: Cohort,
) -> Result<Vec<bool>> {
    let files = store.cohorts.live(|cohort| cohort == of).await?;
    let look = move || {
        let mut have = vec![false; owners.len()];
        for file in &files {
            file.read_here("look for own cards", |connection| {
                let mut statement = connection.prepare_cached(OF_DISPATCH)?;
                for (owner, have) in owners.iter().zip(&mut have) {
                    let dispatch = dispatch.to_bytes();
                    let key = params![owner.slot, owner.workspace, owner.user(), dispatch];
                    *have |= statement.exists(key)?;
                }
                Ok(())
            })?;
        }
        Ok(have)
    };
    store.readers.run(look).await?
}

fn of_cohort(
    connection: &Connection,
    file: &CohortFile,
    owner: &Owner,
    now: Timestamp,
    limit: usize,
) -> Result<UserCards> {
    let mut states: BTreeMap<_, _> = states::of_user(connection, owner)?.into_iter().collect();
    let mut statement = connection.prepare_cached(CARDS)?;
    let mut rows = statement.query(params![
        owner.slot,
        owner.workspace,
        owner.user(),
        now.as_micros(),
        stored(limit as u64)
    ])?;
    let mut cards = Vec::new();
    while let Some(row) = rows.next()? {
        let id = CardId::from_bytes(row.get(0)?);
        let state = states.remove(&id).unwrap_or_default();
        cards.push(card(connection, file, row, id, state)?);
    }
    // What is left belongs to broadcasts, or to cards that have expired or did not fit.
    let mut broadcast_states = Vec::new();
    for (id, state) in states {
        let key = params![owner.slot, owner.workspace, owner.user(), id.to_bytes()];
        if !connection.prepare_cached(IS_CARD)?.exists(key)? {
            broadcast_states.push((id, state));
        }
    }
    Ok(UserCards {
        cards,
        broadcast_states,
    })
}

fn card(
    connection: &Connection,
    file: &CohortFile,
    row: &Row<'_>,
    id: CardId,
    state: CardState,
) -> Result<StoredCard> {
    let dispatch = DispatchId::from_bytes(row.get(2)?);
    let variant: u8 = row.get(3)?;
    let shared = file.shared(dispatch, variant, || shared(connection, dispatch, variant))?;
    let own: Option<CardContent> = match row
        .get_ref(6)?
        .as_str_or_null()
        .map_err(rusqlite::Error::from)?
    {
        Some(text) => Some(parse(text)?),
        None => None,
    };
    let content = own.map(Arc::new).or(shared.content);
    Ok(StoredCard {
        id,
        campaign: CampaignId::from_bytes(row.get(1)?),
        dispatch,
        variant,
        cohort: file.cohort,
        created_at: Timestamp::from_micros(row.get(4)?),
        expires_at: Timestamp::from_micros(row.get(5)?),
        presentation: shared.presentation,
        content: content.ok_or_else(|| corrupt(&format!("card {id} has no content")))?,
        state,
    })
}

fn shared(connection: &Connection, dispatch: DispatchId, variant: u8) -> Result<Shared> {
    let mut statement = connection.prepare_cached(SHARED)?;
    let mut rows = statement.query(params![dispatch.to_bytes(), variant])?;
    let Some(row) = rows.next()? else {
        let what = format!("variant {variant} of dispatch {dispatch} has no shared content");
        return Err(corrupt(&what));
    };
    let text = |place| {
        row.get_ref(place)?
            .as_str_or_null()
            .map_err(rusqlite::Error::from)
    };
    let content: Option<CardContent> = text(1)?.map(parse).transpose()?;
    Ok(Shared {
        presentation: Arc::new(parse(text(0)?.unwrap_or_default())?),
        content: content.map(Arc::new),
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: "card",
        source: error.into(),
    })
}

fn corrupt(message: &str) -> StoreError {
    StoreError::Corrupt {
        what: "card",
        source: message.into(),
    }
}
