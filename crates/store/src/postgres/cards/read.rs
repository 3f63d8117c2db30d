//! Reading users' cards: a few neighbouring rows of each live cohort, in one statement for all who
//! ask together.
//!
//! The statement names the tables of the cohorts that have cards, so that planning does not grow
//! with those that were made ahead, and it is the same text for a day, so that it is planned once
//! per connection. Cards, states and the version of the cohorts are read as of one moment.

mod sql;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
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
use super::cohorts::Known;
use super::contents::{Shared, parse};
use super::owner::Owner;
use super::states;
use super::tables::{self, Tables};
use crate::card_store::{StoredCard, UserCards};
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::values::{Time, get, id, time};

pub(super) use sql::{CardsSql, of_many, of_one};

/// Rows read beyond the limit: expired cards whose cohort is still live, so that their states are
/// not taken for those of broadcasts.
const BEYOND: i64 = 1_000;

/// What a row of the statement is.
const VERSION: i16 = 0;
const CARD: i16 = 1;

/// Whose cards are wanted, as of when, and how many at most.
#[derive(Debug)]
pub(super) struct Question {
    owner: Owner,
    user: UserId,
    now: Timestamp,
    limit: usize,
}

/// The answer to a question: cards that have not expired, newest first, and the states of
/// broadcasts.
pub(super) type Answer = Result<UserCards>;

/// What everybody gets when none of them could be served.
#[derive(Debug, thiserror::Error)]
#[error("users are read together: {0}")]
struct Together(String);

impl Question {
    pub(super) fn new(workspace: WorkspaceId, user: &UserId, now: Timestamp, limit: usize) -> Self {
        Self {
            owner: Owner::new(workspace, user),
            user: user.clone(),
            now,
            limit,
        }
    }

    /// Rows of `card` to be read.
    fn most(&self) -> i64 {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        limit.saturating_add(BEYOND)
    }
}

/// Answers all questions, in their order, over this connection at first.
pub(super) async fn answer(
    store: &CardDatabase,
    session: Result<Session>,
    questions: &[Question],
) -> Vec<Answer> {
    let mut crowd = Crowd {
        store,
        questions,
        answers: questions.iter().map(|_| None).collect(),
        alone: false,
    };
    let mut attempts = Attempts::default();
    let mut failed = match session {
        Ok(session) => crowd.ask(&session, false).await.err(),
        Err(error) => Some(error),
    };
    while failed.is_none() && crowd.answers.iter().any(Option::is_none) {
        failed = match attempts.pause().await {
            Ok(()) => crowd.ask_again().await.err(),
            Err(error) => Some(error),
        };
    }
    let answers = crowd.answers.into_iter();
    answers
        .map(|answer| answer.unwrap_or_else(|| Err(for_each(failed.as_ref()))))
        .collect()
}

/// An error of all, as each gets it.
fn for_each(cause: Option<&StoreError>) -> StoreError {
    match cause {
        Some(cause @ StoreError::Unavailable { place, .. }) => {
            let source = std::error::Error::source(cause).map(ToString::to_string);
            StoreError::Unavailable {
                place: place.clone(),
                source: Together(source.unwrap_or_default()).into(),
            }
        }
        _ => StoreError::Overloaded,
    }
}

/// Questions that are answered together, and the answers so far.
struct Crowd<'a> {
    store: &'a CardDatabase,
    questions: &'a [Question],
    answers: Vec<Option<Answer>>,
    /// One of them is in the way of the others: a statement for each.
    alone: bool,
}

/// Those that are asked by one statement: the same tables, and as many rows for each.
struct Group {
    cohorts: Vec<Cohort>,
    limit: usize,
    places: Vec<usize>,
}

impl Crowd<'_> {
    /// Asks for all that have no answer yet. Some may be left, to be asked for again; an error is
    /// one that none of those would have been spared.
    async fn ask(&mut self, session: &Session, again: bool) -> Result<()> {
        let store = self.store;
        let known = if again {
            store.cohorts.look(session).await?
        } else {
            store.cohorts.seen(session).await?
        };
        for group in self.groups(&known) {
            let questions = group.places.iter().map(|place| &self.questions[*place]);
            let questions: Vec<&Question> = questions.collect();
            let sources = store.cohorts.sources(group.cohorts.into_iter());
            match attempt(store, session, known.version, sources, &questions).await {
                Ok(found) => {
                    for (place, found) in group.places.into_iter().zip(found) {
                        self.answers[place] = answered(found);
                    }
                }
                Err(Stop::Failed(
                    error @ (StoreError::Unavailable { .. } | StoreError::Overloaded),
                )) => return Err(error),
                Err(stop) => match group.places[..] {
                    [only] => self.answers[only] = answered(Err(stop)),
                    _ => self.alone |= matches!(stop, Stop::Failed(_)),
                },
            }
        }
        Ok(())
    }

    async fn ask_again(&mut self) -> Result<()> {
        let session = self.store.pool.session().await?;
        self.ask(&session, true).await
    }

    fn groups(&self, known: &Known) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (place, question) in self.questions.iter().enumerate() {
            if self.answers[place].is_some() {
                continue;
            }
            let cohorts: Vec<Cohort> = known.readable(question.now).collect();
            let fits =
                |group: &&mut Group| group.limit == question.limit && group.cohorts == cohorts;
            match groups.iter_mut().find(fits) {
                Some(group) if !self.alone => group.places.push(place),
                _ => groups.push(Group {
                    cohorts,
                    limit: question.limit,
                    places: vec![place],
                }),
            }
        }
        groups
    }
}

/// `None`: to be asked for again.
fn answered(found: Attempt<UserCards>) -> Option<Answer> {
    match found {
        Ok(cards) => Some(Ok(cards)),
        Err(Stop::Failed(error)) => Some(Err(error)),
        Err(_) => None,
    }
}

/// One statement for all of these.
async fn attempt(
    store: &CardDatabase,
    session: &Session,
    version: i64,
    sources: Vec<Tables>,
    questions: &[&Question],
) -> Attempt<Vec<Attempt<UserCards>>> {
    let first = questions.first().expect("a group is of somebody");
    let is_one = questions.len() == 1 || sources.is_empty();
    let rows = if is_one {
        let sql = store.cards_sql.of_one(sources);
        let params: crate::postgres::session::Params<'_> = &[
            &first.owner.slot,
            &first.owner.key,
            &Time(first.now),
            &first.most(),
        ];
        attempt::all(session, "read cards", &sql, params).await?
    } else {
        let sql = store.cards_sql.of_many(sources);
        let slots: Vec<_> = questions.iter().map(|one| one.owner.slot).collect();
        let keys: Vec<_> = questions.iter().map(|one| one.owner.key).collect();
        let times: Vec<_> = questions.iter().map(|one| Time(one.now)).collect();
        let params: crate::postgres::session::Params<'_> = &[&slots, &keys, &times, &first.most()];
        attempt::all(session, "read cards of many", &sql, params).await?
    };
    let mut found: Vec<_> = questions.iter().map(|_| Rows::default()).collect();
    for row in &rows {
        let kind: i16 = get(row, "kind")?;
        if kind == VERSION {
            if get::<i64>(row, "version")? != version {
                return Err(Stop::Gone);
            }
            continue;
        }
        let place = if is_one { 1 } else { get::<i64>(row, "place")? };
        let of = usize::try_from(place - 1)
            .ok()
            .and_then(|place| found.get_mut(place));
        let of = of.ok_or_else(|| StoreError::Corrupt {
            what: "row",
            source: format!("asker {place} of {}", questions.len()).into(),
        })?;
        if kind == CARD {
            of.cards.push(Found::read(row)?);
        } else {
            of.states
                .insert(id::<CardId>(row, "card")?, states::read(row)?);
        }
    }
    learn(store, session, found.iter().flat_map(|rows| &rows.cards)).await?;
    let found = questions.iter().zip(found);
    Ok(found.map(|(one, rows)| compose(store, one, rows)).collect())
}

/// What one user has.
#[derive(Default)]
struct Rows<'a> {
    cards: Vec<Found<'a>>,
    states: BTreeMap<CardId, CardState>,
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
async fn learn<'a, 'r: 'a>(
    store: &CardDatabase,
    session: &Session,
    cards: impl Iterator<Item = &'a Found<'r>>,
) -> Attempt<()> {
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

fn compose(store: &CardDatabase, question: &Question, rows: Rows<'_>) -> Attempt<UserCards> {
    let (user, now, limit) = (&question.user, question.now, question.limit);
    let mut states = rows.states;
    let mut cards = Vec::with_capacity(rows.cards.len().min(limit));
    for card in rows.cards {
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
