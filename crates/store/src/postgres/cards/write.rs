//! Writing a batch of cards: one transaction that checks the lease, claims receipts, inserts rows
//! and counts them.
//!
//! Under locks (the chunk's, and the users' slots shared against erasures) the transaction reads
//! what is known of each user and [`mod@decide`] says what each is given. What must be new is copied in
//! binary, which logs many rows in one record; should a rival have been first after all, a key
//! refuses the copy, everything is undone, and the next attempt looks for what is there and inserts
//! around it. Rows go in by the order of their keys, so that rivals queue instead of deadlocking.
//!
//! Nothing waits for an answer that it does not need: a launch's batch takes two round trips, one
//! up to the beginning of the copy and one for the rows, the counts and the commit.

mod claim;
mod commit;
mod counting;
mod decide;
mod hold;
mod insert;
mod rows;

use std::collections::BTreeMap;

use corkboard_core::identity;
use corkboard_core::time::Timestamp;

use super::CardDatabase;
use super::attempt::{Attempt, Attempts, Stop};
use super::contents::Place;
use super::owner::Owner;
use super::tables;
use crate::card_store::{CardBatch, NewCard, RowOutcome, SharedContent};
use crate::error::Result;
use commit::Commit;
use decide::{Decision, Facts, Terms, decide};

pub(super) use claim::{CLAIM, LOOK, RENEW};
pub(super) use hold::{ERASED_OF, ERASED_SINCE, FENCE};
pub(super) use insert::INSERT;

/// How an attempt goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// The copy begins together with the transaction. From then on nothing else can be asked.
    AtOnce,
    /// What is known of the users is read first.
    Looking,
    /// Somebody may have written some of the cards.
    Careful,
}

/// One user's card, in the order of keys; later cards of the same user in a batch are repeats.
#[derive(Debug)]
struct Wanted<'a> {
    owner: Owner,
    card: &'a NewCard,
}

/// A batch, ready to be tried.
struct Writing<'a> {
    batch: &'a CardBatch,
    /// One for each user.
    wanted: Vec<Wanted<'a>>,
    /// For each card of the batch, its user's place in `wanted`, and whether it is the user's first.
    places: Vec<(usize, bool)>,
    cohort_no: i16,
    now: Timestamp,
}

pub(super) async fn write(
    store: &CardDatabase,
    batch: &CardBatch,
    now: Timestamp,
) -> Result<Vec<RowOutcome>> {
    batch.check_readable()?;
    let writing = Writing::new(batch, now)?;
    let (mut attempts, mut gone) = (Attempts::default(), 0);
    let mut way = match batch.fence {
        Some(_) if !batch.eligibility.keeps_receipts() => Way::AtOnce,
        Some(_) => Way::Looking,
        // Rivals for a card at first impression are likely: nobody holds a lease.
        None => Way::Careful,
    };
    loop {
        match Box::pin(writing.attempt(store, way)).await {
            Ok(outcomes) => return Ok(outcomes),
            Err(Stop::Failed(error)) => return Err(error),
            Err(stop) => {
                way = match stop {
                    Stop::Taken => Way::Careful,
                    _ => way.max(Way::Looking),
                };
                attempts.pause().await?;
                store.cohorts.look_again().await?;
                gone += u32::from(matches!(stop, Stop::Gone));
                // Looking again did not help: the tables are gone, and the cohort is not.
                if gone > 1 {
                    store.cohorts.restore(batch.cohort).await?;
                }
            }
        }
    }
}

impl<'a> Writing<'a> {
    fn new(batch: &'a CardBatch, now: Timestamp) -> Result<Self> {
        let owner = |card: &NewCard| Owner::new(batch.workspace, &card.user);
        let owners = batch.cards.iter().map(owner).zip(0_usize..);
        let mut in_order: Vec<(Owner, usize)> = owners.collect();
        // By key, and each user's cards in the order given.
        in_order.sort_unstable();
        let mut wanted: Vec<Wanted<'a>> = Vec::with_capacity(in_order.len());
        let mut places = vec![(0, false); in_order.len()];
        for (owner, at) in in_order {
            let is_first = wanted.last().is_none_or(|last| last.owner != owner);
            if is_first {
                let card = &batch.cards[at];
                wanted.push(Wanted { owner, card });
            }
            places[at] = (wanted.len() - 1, is_first);
        }
        Ok(Self {
            batch,
            wanted,
            places,
            cohort_no: tables::stored(batch.cohort)?,
            now,
        })
    }

    async fn attempt(&self, store: &CardDatabase, way: Way) -> Attempt<Vec<RowOutcome>> {
        let batch = self.batch;
        let tables = store.cohorts.for_writing(batch.cohort).await?;
        let mut session = store.pool.session().await?;
        let campaign = store
            .numbers
            .campaign(&session, batch.workspace, batch.campaign)
            .await?;
        if batch.eligibility.keeps_receipts() && !store.quarters.is_known(campaign.quarter) {
            // Who waits for another connection must not hold one.
            drop(session);
            store.quarters.ensure(store, campaign.quarter).await?;
            session = store.pool.session().await?;
        }
        let place = Place {
            campaign_no: campaign.no,
            cohort_no: self.cohort_no,
            dispatch: batch.dispatch,
        };
        let numbers = store.contents.known_numbers(batch.dispatch, &batch.shared);
        let at_once = way == Way::AtOnce && numbers.is_some() && !self.wanted.is_empty();
        let ending = counting::Ending::prepare(&session, &tables).await?;
        let held = Box::pin(hold::begin(self, &session, &tables, at_once)).await?;
        let commit = Commit::of(self, &session, held.life, numbers.is_none())?;
        let careful = way == Way::Careful;
        let mut facts = vec![Facts::default(); self.wanted.len()];
        held.erasures.note(self, &session, &mut facts).await?;
        claim::look(self, &session, &tables, (campaign, careful), &mut facts).await?;
        let terms = Terms {
            dispatch: batch.dispatch,
            planned_at: batch.planned_at,
            eligibility: batch.eligibility,
        };
        let decisions: Vec<Decision> = facts.iter().map(|facts| decide(&terms, facts)).collect();
        claim::claim(self, &session, campaign, &decisions, careful).await?;

        let shared = self.shared_of(&decisions);
        let numbers = match numbers {
            Some(numbers) => numbers,
            None => {
                let stored = store.contents.numbers(&session, &tables, &place, &shared);
                stored.await?
            }
        };
        let by_variant: BTreeMap<u8, i32> = numbers.iter().copied().collect();
        let rows = rows::Rows::new(self, &decisions, &by_variant)?;
        let counting = counting::Counting {
            writing: self,
            session: &session,
            ending: &ending,
            campaign_no: campaign.no,
            lane: store.lanes.next(),
            raise_fence: held.is_new_lease,
            commit,
        };
        let inserted = if careful {
            let inserted = insert::around(self, &session, &tables, &rows).await?;
            counting.and_commit(&inserted).await?;
            inserted
        } else {
            insert::copy(&session, &tables, held.copy, rows, &counting).await?
        };
        store.contents.stored(batch.dispatch, &numbers);
        Ok(self.outcomes(&decisions, &inserted))
    }

    /// What the cards to be inserted have in common.
    fn shared_of(&self, decisions: &[Decision]) -> Vec<&SharedContent> {
        let used = |shared: &&SharedContent| {
            self.wanted.iter().zip(decisions).any(|(wanted, decision)| {
                decision.occurrence().is_some() && wanted.card.variant == shared.variant
            })
        };
        self.batch.shared.iter().filter(used).collect()
    }

    fn outcomes(&self, decisions: &[Decision], inserted: &[usize]) -> Vec<RowOutcome> {
        let mut new = vec![false; decisions.len()];
        for place in inserted {
            if let Some(new) = new.get_mut(*place) {
                *new = true;
            }
        }
        let id = |place: usize, occurrence| {
            let user = &self.wanted[place].card.user;
            identity::card_id(self.batch.campaign, user, occurrence)
        };
        let outcome = |(place, first): &(usize, bool)| match decisions[*place] {
            Decision::AlreadyReceived => RowOutcome::AlreadyReceived,
            Decision::NotYetReeligible => RowOutcome::NotYetReeligible,
            Decision::Erased => RowOutcome::Erased,
            Decision::Repeated(occurrence) => RowOutcome::Repeated(id(*place, occurrence)),
            Decision::New | Decision::Renewed { .. } | Decision::Claimed(_) => {
                let card = id(*place, decisions[*place].occurrence().unwrap_or(0));
                if new[*place] && *first {
                    RowOutcome::Inserted(card)
                } else {
                    RowOutcome::Repeated(card)
                }
            }
        };
        self.places.iter().map(outcome).collect()
    }
}
