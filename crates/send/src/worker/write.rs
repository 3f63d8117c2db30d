//! Writing what has been decided: cards first, then the hint, then the position with its counts.
//!
//! A crash between any two of these repeats the users since the last position. Their cards are
//! recognised and their counts were never committed, so the repeat counts them once.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use corkboard_core::dispatch::{SkipReason, Tally};
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use corkboard_store::card_store::{
    CardBatch, ChunkFence, Durability, Eligibility, NewCard, RowOutcome, ScanPosition,
};
use futures_util::join;

use super::candidate::position_of;
use super::page::Page;
use super::render::{Case, Decided, Outcome};
use super::unsaved::Unsaved;
use super::walk::Walk;
use crate::meters;

/// Users decided since the last position, in scan order.
#[derive(Debug, Default)]
pub(super) struct Batch {
    cards: Vec<NewCard>,
    /// Users whose card is there already; feeds hear of it again, in case they have not yet.
    repeated: Vec<UserId>,
    tally: Tally,
    last: Option<UserId>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Takes a decision in; hands back a card that waits.
    pub(super) fn add(&mut self, decided: Decided) -> Option<Box<Case>> {
        match decided.outcome {
            Outcome::Waits(case) => return Some(case),
            Outcome::Repeated => self.repeated.push(decided.user.clone()),
            Outcome::Skipped(reason) => self.tally.skip(reason),
            Outcome::Card(card) => self.cards.push(*card),
        }
        self.tally.targeted += 1;
        self.last = Some(decided.user);
        None
    }

    /// Adds the counts of users who have been dealt with already.
    pub(super) fn add_counts(&mut self, tally: &Tally) {
        self.tally.add(tally);
    }
}

impl Walk<'_> {
    /// Writes the batch, a part of a page, and moves the position behind it.
    pub(super) async fn advance(&mut self, batch: Batch) -> Result<(), StoreError> {
        let position = batch.last.as_ref();
        let position = position.map(|last| position_of(self.cards.dispatch, last));
        if position.is_none() && !self.unsaved.is_some() {
            return Ok(());
        }
        let tally = self.write(batch, self.unsaved.ending()).await?;
        self.unsaved.add(&tally, position);
        self.save().await
    }

    /// Writes the rest of a page, while the next one is read. When it is time, moves the position to
    /// the page's end.
    pub(super) async fn advance_and_read(
        &mut self,
        batch: Batch,
        next: ScanPosition,
    ) -> Result<Page, StoreError> {
        let is_due = self.unsaved.is_due(self.sender.inner.options.save);
        let durability = match is_due || !self.may_leave() {
            true => self.unsaved.ending(),
            false => self.unsaved.leaving(),
        };
        let this = &*self;
        let (tally, page) = join!(
            this.write(batch, durability),
            this.read_page(Some(next.clone()))
        );
        self.unsaved.add(&tally?, Some(next));
        if is_due {
            self.save().await?;
        }
        page
    }

    /// Whether a crash may undo what is not saved. A receipt says to other dispatches that a user has
    /// had a card, so it must not be taken back.
    fn may_leave(&self) -> bool {
        !Eligibility::of(self.cards.dispatch).keeps_receipts()
    }

    /// Saves the position that has been reached, with its counts. Everything before is durable.
    async fn save(&mut self) -> Result<(), StoreError> {
        let Unsaved {
            tally, position, ..
        } = std::mem::replace(&mut self.unsaved, Unsaved::new());
        let Some(position) = position else {
            return Ok(());
        };
        self.checkpoint(&position, &tally).await?;
        self.progress.moved_to(position);
        Ok(())
    }

    async fn checkpoint(&self, position: &ScanPosition, tally: &Tally) -> Result<(), StoreError> {
        let (now, lease) = (self.sender.now(), self.sender.inner.options.lease);
        self.sender
            .control()
            .checkpoint_chunk(self.chunk, position, tally, now, lease)
            .await?;
        meters::skipped(tally);
        Ok(())
    }

    /// Writes the batch, the last one of the chunk, and closes the chunk.
    pub(super) async fn finish(&mut self, batch: Batch) -> Result<(), StoreError> {
        let tally = self.write(batch, self.unsaved.ending()).await?;
        self.unsaved.add(&tally, None);
        let tally = &self.unsaved.tally;
        self.sender
            .control()
            .finish_chunk(self.chunk, tally, self.sender.now())
            .await?;
        meters::skipped(tally);
        Ok(())
    }

    /// Refuses writes of whoever held this chunk before: from here on, what is read about a user's
    /// cards of this dispatch stays true.
    pub(super) async fn raise_fence(&mut self) -> Result<(), StoreError> {
        match self.insert(Vec::new(), Durability::Now).await {
            // Nobody can write to a cohort that is gone.
            Err(StoreError::NoSuchCohort(_)) => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Renews the lease. False: nothing has been saved yet, and so there is nothing to do it with.
    pub(super) async fn stay(&mut self) -> Result<bool, StoreError> {
        let Some(position) = self.progress.position.clone() else {
            return Ok(false);
        };
        self.checkpoint(&position, &Tally::default()).await?;
        Ok(true)
    }

    /// Writes the cards of a batch and returns its counts.
    pub(super) async fn write(
        &self,
        batch: Batch,
        durability: Durability,
    ) -> Result<Tally, StoreError> {
        let Batch {
            mut cards,
            repeated: mut touched,
            mut tally,
            ..
        } = batch;
        let now = self.sender.now();
        cards.retain(|card| {
            let expired = card.expires_at <= now;
            if expired {
                tally.skip(SkipReason::Expired);
            }
            !expired
        });
        let must_end = self.unsaved.has_left() && matches!(durability, Durability::Ends(_));
        if !cards.is_empty() || must_end {
            let users: Vec<UserId> = cards.iter().map(|card| card.user.clone()).collect();
            let outcomes = self.insert(cards, durability).await?;
            let mut inserted = 0;
            for (user, outcome) in users.into_iter().zip(outcomes) {
                match outcome {
                    RowOutcome::Inserted(_) => {
                        inserted += 1;
                        touched.push(user);
                    }
                    RowOutcome::Repeated(_) => touched.push(user),
                    RowOutcome::AlreadyReceived => tally.skip(SkipReason::AlreadyReceived),
                    RowOutcome::NotYetReeligible => tally.skip(SkipReason::NotYetReeligible),
                    RowOutcome::Erased => tally.skip(SkipReason::Erased),
                }
            }
            meters::cards(self.cards.dispatch.shape, inserted);
        }
        if !touched.is_empty() {
            self.sender
                .changes()
                .users_changed(self.cards.dispatch.workspace, &touched);
        }
        Ok(tally)
    }

    async fn insert(
        &self,
        cards: Vec<NewCard>,
        durability: Durability,
    ) -> Result<Vec<RowOutcome>, StoreError> {
        let dispatch = self.cards.dispatch;
        if !self.progress.cohort_ready.load(Ordering::Relaxed) {
            self.sender.cards().ensure_cohort(dispatch.cohort).await?;
            self.progress.cohort_ready.store(true, Ordering::Relaxed);
        }
        let variants: BTreeSet<u8> = cards.iter().map(|card| card.variant).collect();
        let batch = CardBatch {
            workspace: dispatch.workspace,
            campaign: dispatch.campaign,
            dispatch: dispatch.id,
            cohort: dispatch.cohort,
            planned_at: dispatch.planned_at,
            eligibility: Eligibility::of(dispatch),
            fence: Some(ChunkFence {
                chunk: self.chunk.chunk,
                token: self.chunk.token,
                slots: self.chunk.work.slots(dispatch.workspace),
            }),
            durability,
            shared: self.cards.shared(variants.into_iter()),
            cards,
        };
        self.sender
            .cards()
            .write_cards(batch, self.sender.now())
            .await
    }
}
