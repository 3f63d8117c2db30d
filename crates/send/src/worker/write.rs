//! Writing what has been decided: cards first, then the hint, then the position with its counts.
//!
//! A crash between any two of these repeats the users since the last position. Their cards are
//! recognised and their counts were never committed, so the repeat counts them once.

use std::collections::BTreeSet;

use corkboard_core::dispatch::{SkipReason, Tally};
use corkboard_core::user::UserId;
use corkboard_store::StoreError;
use corkboard_store::card_store::{
    CardBatch, ChunkFence, Eligibility, NewCard, RowOutcome, ScanPosition,
};
use futures_util::join;

use super::candidate::position_of;
use super::page::Page;
use super::render::{Case, Decided, Outcome};
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
        let last = batch.last.clone();
        let tally = self.write(batch).await?;
        let Some(last) = last else {
            return Ok(());
        };
        let position = position_of(self.cards.dispatch, &last);
        self.save(&position, &tally).await?;
        self.progress.moved_to(position);
        Ok(())
    }

    /// Writes the rest of a page and moves the position to its end. While that becomes durable, the
    /// next page is read.
    pub(super) async fn advance_and_read(
        &mut self,
        batch: Batch,
        next: ScanPosition,
    ) -> Result<Page, StoreError> {
        let tally = self.write(batch).await?;
        let (saved, page) = join!(self.save(&next, &tally), self.read_page(Some(next.clone())));
        saved?;
        self.progress.moved_to(next);
        page
    }

    async fn save(&self, position: &ScanPosition, tally: &Tally) -> Result<(), StoreError> {
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
        let tally = self.write(batch).await?;
        self.sender
            .control()
            .finish_chunk(self.chunk, &tally, self.sender.now())
            .await?;
        meters::skipped(&tally);
        Ok(())
    }

    /// Refuses writes of whoever held this chunk before: from here on, what is read about a user's
    /// cards of this dispatch stays true.
    pub(super) async fn raise_fence(&mut self) -> Result<(), StoreError> {
        match self.insert(Vec::new()).await {
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
        self.save(&position, &Tally::default()).await?;
        Ok(true)
    }

    /// Writes the cards of a batch and returns its counts.
    pub(super) async fn write(&mut self, batch: Batch) -> Result<Tally, StoreError> {
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
        if !cards.is_empty() {
            let users: Vec<UserId> = cards.iter().map(|card| card.user.clone()).collect();
            let outcomes = self.insert(cards).await?;
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

    async fn insert(&mut self, cards: Vec<NewCard>) -> Result<Vec<RowOutcome>, StoreError> {
        let dispatch = self.cards.dispatch;
        if !self.progress.cohort_ready {
            self.sender.cards().ensure_cohort(dispatch.cohort).await?;
            self.progress.cohort_ready = true;
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
            }),
            shared: self.cards.shared(variants.into_iter()),
            cards,
        };
        self.sender
            .cards()
            .write_cards(batch, self.sender.now())
            .await
    }
}
