//! Reading a user's cards: a few neighbouring rows of each live cohort, in one statement.
//!
//! The statement names the tables of the cohorts that have cards, so that planning does not grow
//! with those that were made ahead, and it is the same text for a day, so that it is planned once
//! per connection. Cards, states and the version of the cohorts are read as of one moment.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use corkboard_core::card::CardContent;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CardId, WorkspaceId};
use corkboard_core::identity;
use corkboard_core::state::CardState;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use tokio_postgres::Row;

use super::CardDatabase;
use super::attempt::{self, Attempt, Attempts, Stop};
use super::contents::{Shared, parse};
use super::owner::Owner;
use super::states;
use super::tables::{self, Tables};
use crate::card_store::{StoredCard, UserCards};
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::values::{Time, get, id, time};

/// Rows read beyond the limit: expired cards whose cohort is still live, so that their states are
/// not taken for those of broadcasts.
const BEYOND: i64 = 1_000;

/// What a row of the statement is.
const VERSION: i16 = 0;
const CARD: i16 = 1;

/// A user's cards that have not expired, newest first, and the states of broadcasts.
pub(super) async fn user_cards(
    store: &CardDatabase,
    workspace: WorkspaceId,
    user: &UserId,
    now: Timestamp,
    limit: usize,
) -> Result<UserCards> {
    let mut attempts = Attempts::default();
    loop {
        let session = store.pool.session().await?;
        match attempt(store, &session, (workspace, user), now, limit).await {
            Ok(cards) => return Ok(cards),
            Err(Stop::Failed(error)) => return Err(error),
            Err(_) => {
                attempts.pause().await?;
                store.cohorts.look(&session).await?;
            }
        }
    }
}

async fn attempt(
    store: &CardDatabase,
    session: &Session,
    (workspace, user): (WorkspaceId, &UserId),
    now: Timestamp,
    limit: usize,
) -> Attempt<UserCards> {
    let known = store.cohorts.seen(session).await?;
    let sources = store.cohorts.sources(known.readable(now));
    let owner = Owner::new(workspace, user);
    let most = i64::try_from(limit)
        .unwrap_or(i64::MAX)
        .saturating_add(BEYOND);
    let sql = store.cards_sql.of(sources);
    let params: crate::postgres::session::Params<'_> =
        &[&owner.slot, &owner.key, &Time(now), &most];
    let rows = attempt::all(session, "read cards", &sql, params).await?;
    let (mut cards, mut states) = (Vec::new(), BTreeMap::new());
    for row in &rows {
        match get::<i16>(row, "kind")? {
            VERSION if get::<i64>(row, "version")? != known.version => return Err(Stop::Gone),
            VERSION => {}
            CARD => cards.push(Found::read(row)?),
            _ => {
                states.insert(id::<CardId>(row, "card")?, states::read(row)?);
            }
        }
    }
    learn(store, session, &cards).await?;
    compose(store, user, cards, states, now, limit)
}

/// A row of `card`.
struct Found<'a> {
    cohort: Cohort,
    content_no: i32,
    occurrence: u32,
    created_at: Timestamp,
    expires_at: Timestamp,
    content: Option<&'a str>,
}

impl<'a> Found<'a> {
    fn read(row: &'a Row) -> Result<Self> {
        let occurrence: Option<i32> = get(row, "occurrence")?;
        Ok(Self {
            cohort: tables::cohort(get(row, "cohort_no")?)?,
            content_no: get(row, "content_no")?,
            occurrence: occurrence.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            created_at: time(row, "created_at")?,
            expires_at: time(row, "expires_at")?,
            content: get(row, "content")?,
        })
    }
}

/// Reads the shared contents that are not known yet.
async fn learn(store: &CardDatabase, session: &Session, cards: &[Found<'_>]) -> Attempt<()> {
    let mut missing: BTreeMap<Cohort, BTreeSet<i32>> = BTreeMap::new();
    for card in cards {
        if store.contents.known(card.cohort, card.content_no).is_none() {
            missing
                .entry(card.cohort)
                .or_default()
                .insert(card.content_no);
        }
    }
    for (cohort, numbers) in missing {
        let numbers: Vec<i32> = numbers.into_iter().collect();
        let tables = store.cohorts.tables(cohort);
        store
            .contents
            .read(session, &tables, cohort, &numbers)
            .await?;
    }
    Ok(())
}

fn compose(
    store: &CardDatabase,
    user: &UserId,
    found: Vec<Found<'_>>,
    mut states: BTreeMap<CardId, CardState>,
    now: Timestamp,
    limit: usize,
) -> Attempt<UserCards> {
    let mut cards = Vec::with_capacity(found.len().min(limit));
    for card in found {
        let Some(shared) = store.contents.known(card.cohort, card.content_no) else {
            // Forgotten between two statements, or written by nobody.
            return Err(Stop::Again);
        };
        let card_id = identity::card_id(shared.campaign, user, card.occurrence);
        let state = states.remove(&card_id).unwrap_or_default();
        if card.expires_at > now {
            cards.push(stored_card(card_id, &card, shared, state)?);
        }
    }
    cards.sort_by_key(|card| Reverse((card.created_at, card.id)));
    cards.truncate(limit);
    Ok(UserCards {
        cards,
        // What is left belongs to cards that have no row.
        broadcast_states: states.into_iter().collect(),
    })
}

fn stored_card(
    id: CardId,
    card: &Found<'_>,
    shared: Shared,
    state: CardState,
) -> Result<StoredCard> {
    let own: Option<CardContent> = card.content.map(parse).transpose()?;
    let content = own.map(Arc::new).or(shared.content);
    Ok(StoredCard {
        id,
        campaign: shared.campaign,
        dispatch: shared.dispatch,
        variant: shared.variant,
        cohort: card.cohort,
        created_at: card.created_at,
        expires_at: card.expires_at,
        presentation: shared.presentation,
        content: content.ok_or_else(|| StoreError::Corrupt {
            what: "card",
            source: format!("card {id} has no content").into(),
        })?,
        state,
    })
}

/// The statement over these tables.
pub(super) fn cards_sql(sources: &[Tables]) -> String {
    const NO_CARD: &str = "NULL::smallint, NULL::int, NULL::int, NULL::timestamptz, \
                           NULL::timestamptz, NULL::text";
    const NO_STATE: &str = "NULL::uuid, NULL::timestamptz, NULL::timestamptz, NULL::timestamptz, \
                            NULL::timestamptz";
    let mut sql = "SELECT 0::smallint AS kind, version, NULL::smallint AS cohort_no, \
         NULL::int AS content_no, NULL::int AS occurrence, NULL::timestamptz AS created_at, \
         NULL::timestamptz AS expires_at, NULL::text AS content, NULL::uuid AS card, \
         NULL::timestamptz AS seen_at, NULL::timestamptz AS clicked_at, \
         NULL::timestamptz AS dismissed_at, NULL::timestamptz AS removed_at FROM cohort_set"
        .to_owned();
    if sources.is_empty() {
        sql.push_str(
            " WHERE $1::smallint IS NOT NULL AND $2::uuid IS NOT NULL \
                      AND $3::timestamptz IS NOT NULL AND $4::bigint IS NOT NULL",
        );
        return sql;
    }
    let _ = write!(
        sql,
        " UNION ALL (SELECT 1::smallint, NULL, cohort_no, content_no, occurrence, created_at, \
         expires_at, CASE WHEN expires_at > $3 THEN content END, {NO_STATE} FROM ("
    );
    for (place, tables) in sources.iter().enumerate() {
        let (union, card) = (
            if place == 0 { "" } else { " UNION ALL " },
            tables.name("card"),
        );
        let _ = write!(
            sql,
            "{union}SELECT cohort_no, content_no, occurrence, created_at, \
             expires_at, content FROM {card} WHERE slot = $1 AND owner = $2"
        );
    }
    sql.push_str(") c ORDER BY expires_at > $3 DESC, created_at DESC LIMIT $4)");
    for tables in sources {
        let state = tables.name("card_state");
        let _ = write!(
            sql,
            " UNION ALL SELECT 2::smallint, NULL, {NO_CARD}, card, seen_at, clicked_at, \
             dismissed_at, removed_at FROM {state} WHERE slot = $1 AND owner = $2"
        );
    }
    sql
}
