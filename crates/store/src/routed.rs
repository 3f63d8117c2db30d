//! Several card databases as one: each user belongs to the database that owns the user's slot.
//!
//! What concerns one user goes to one database, and to no other; a batch is divided and its parts
//! run at the same time; a scan goes through the databases in the order of slots; counts are added.
//! A part that fails fails the call, which may be repeated: the parts that succeeded are repeats
//! then.

mod fit;
mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_core::audience::Audience;
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::slot::{SLOT_COUNT, Slot, SlotRange};
use corkboard_core::time::{Day, Timestamp};
use corkboard_core::user::{AttributeChange, User, UserEvent, UserId};
use futures_util::future::{join_all, try_join_all};

use crate::card_store::{
    CardBatch, CardEvent, CardStore, CohortInfo, CountRow, Durability, EventCounts, NewCard,
    Receipt, RecordedEvents, RetiredCohort, RowOutcome, ScanRequest, UserCards, UserPage,
    check_storable,
};
use crate::error::{Result, StoreError};
use parts::Part;

/// Card databases by the slots that they own.
#[derive(Debug)]
pub struct RoutedCardStore {
    /// In the order of slots; together they own every slot once.
    databases: Vec<(SlotRange, Arc<dyn CardStore>)>,
    /// Cohorts that every database is known to have, or to have had.
    ensured: Mutex<BTreeSet<Cohort>>,
    /// Batches for one chunk that go to several databases take turns, by a hash of the chunk.
    turns: [tokio::sync::Mutex<()>; TURNS],
}

const TURNS: usize = 64;
/// Most cohorts remembered.
const MAX_ENSURED: usize = 256;

/// The list of databases does not own every slot exactly once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "slot {slot} belongs to no database, or to two: the ranges must follow each other from 0 to 4095"
)]
pub struct SlotsError {
    /// The first slot that is wrong.
    pub slot: u16,
}

impl RoutedCardStore {
    /// Databases with the slots they own, in the order of slots.
    pub fn new(
        databases: Vec<(SlotRange, Arc<dyn CardStore>)>,
    ) -> std::result::Result<Self, SlotsError> {
        let mut next = 0;
        for (slots, _) in &databases {
            if slots.first.number() != next || slots.last < slots.first {
                return Err(SlotsError { slot: next });
            }
            next = slots.last.number() + 1;
        }
        if next != SLOT_COUNT {
            return Err(SlotsError { slot: next });
        }
        Ok(Self {
            databases,
            ensured: Mutex::default(),
            turns: std::array::from_fn(|_| tokio::sync::Mutex::new(())),
        })
    }

    /// Slots split evenly, in the order given. 1 to 4,096 databases.
    pub fn even(databases: Vec<Arc<dyn CardStore>>) -> std::result::Result<Self, SlotsError> {
        let parts = u16::try_from(databases.len()).unwrap_or(u16::MAX);
        if parts == 0 || parts > SLOT_COUNT {
            return Err(SlotsError { slot: 0 });
        }
        Self::new(SlotRange::split(parts).zip(databases).collect())
    }

    fn owner(&self, workspace: WorkspaceId, user: &UserId) -> &dyn CardStore {
        // Every slot has a database: `new` has checked.
        &*self.databases[self.place(workspace, user)].1
    }

    /// The databases that own some of these slots, with their places.
    fn owners(&self, slots: SlotRange) -> impl Iterator<Item = (usize, &Arc<dyn CardStore>)> {
        let databases = self.databases.iter().enumerate();
        databases
            .filter(move |(_, (own, _))| own.first <= slots.last && slots.first <= own.last)
            .map(|(place, (_, database))| (place, database))
    }

    fn all(&self) -> impl Iterator<Item = &Arc<dyn CardStore>> {
        self.databases.iter().map(|(_, database)| database)
    }

    /// A cohort that only some databases have would be made anew by the others after it was retired.
    /// A database that cannot be asked is asked again by the next batch.
    async fn ensure_everywhere(&self, cohort: Cohort) -> Result<()> {
        // Only inserted into.
        let known = || self.ensured.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&cohort) {
            return Ok(());
        }
        if self.ask_everyone_for(cohort).await? {
            let mut known = known();
            if known.len() >= MAX_ENSURED {
                known.clear();
            }
            known.insert(cohort);
        }
        Ok(())
    }

    /// A batch that ends a series ends it also in databases that it has no cards for.
    async fn end_elsewhere(
        &self,
        rest: &CardBatch,
        parts: &[Part<'_, NewCard>],
        now: Timestamp,
    ) -> Result<()> {
        let Durability::Ends(series) = &rest.durability else {
            return Ok(());
        };
        let place = |card: &NewCard| self.place(rest.workspace, &card.user);
        let firsts = parts.iter().filter_map(|(_, cards)| cards.first());
        let has_cards: BTreeSet<usize> = firsts.map(place).collect();
        let open = series.open_parts().into_iter();
        let elsewhere = open.filter(|open| !has_cards.contains(open));
        let ended = elsewhere.map(|place| {
            let part = CardBatch {
                durability: rest.durability.part(place),
                ..rest.clone()
            };
            self.databases[place].1.write_cards(part, now)
        });
        try_join_all(ended).await.map(drop)
    }

    /// Whether every database has the cohort now. Those that are away keep nobody from the others;
    /// fails when all are.
    async fn ask_everyone_for(&self, cohort: Cohort) -> Result<bool> {
        let ensured = join_all(self.all().map(|one| one.ensure_cohort(cohort))).await;
        let failures: Vec<_> = ensured.into_iter().filter_map(Result::err).collect();
        let is_gone = |error: &StoreError| matches!(error, StoreError::NoSuchCohort(_));
        if failures.iter().any(is_gone) {
            return Err(StoreError::NoSuchCohort(cohort));
        }
        if failures.len() == self.databases.len() {
            return failures.into_iter().next().map_or(Ok(false), Err);
        }
        Ok(failures.is_empty())
    }

    fn turn(&self, dispatch: DispatchId, chunk: u32) -> &tokio::sync::Mutex<()> {
        let mut hash = DefaultHasher::new();
        (dispatch, chunk).hash(&mut hash);
        let turn = usize::try_from(hash.finish() % TURNS as u64).unwrap_or(0);
        &self.turns[turn]
    }
}

#[async_trait]
impl CardStore for RoutedCardStore {
    fn place(&self, workspace: WorkspaceId, user: &UserId) -> usize {
        let slot = Slot::of(workspace, user);
        self.databases
            .partition_point(|(slots, _)| slots.last < slot)
    }

    /// All or none of each database's; whether any would be refused is looked at before.
    async fn change_attributes(
        &self,
        workspace: WorkspaceId,
        changes: Vec<AttributeChange>,
        now: Timestamp,
    ) -> Result<()> {
        check_storable(&changes)?;
        let (parts, _) = self.divide(changes, |change| self.place(workspace, &change.user));
        if parts.len() > 1 {
            for (database, part) in &parts {
                fit::would_fit(*database, workspace, part).await?;
            }
        }
        let parts = parts.into_iter();
        let changes =
            parts.map(|(database, part)| database.change_attributes(workspace, part, now));
        try_join_all(changes).await.map(drop)
    }

    async fn find_user(&self, workspace: WorkspaceId, user: &UserId) -> Result<Option<User>> {
        self.owner(workspace, user).find_user(workspace, user).await
    }

    async fn find_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Result<Vec<Option<User>>> {
        let (parts, order) = self.divide(users.to_vec(), |user| self.place(workspace, user));
        let parts = parts.iter();
        let found = parts.map(|(database, part)| database.find_users(workspace, part));
        order.restore(try_join_all(found).await?)
    }

    async fn scan_users(&self, request: &ScanRequest<'_>) -> Result<UserPage> {
        let begin = request
            .after
            .as_ref()
            .map_or(request.slots.first, |after| after.slot);
        let mut page = UserPage {
            users: Vec::new(),
            next: None,
        };
        for (slots, database) in &self.databases {
            let first = slots.first.max(request.slots.first);
            let last = slots.last.min(request.slots.last);
            if last < begin || last < first {
                continue;
            }
            if page.users.len() >= request.limit {
                break;
            }
            let part = ScanRequest {
                slots: SlotRange { first, last },
                after: request
                    .after
                    .clone()
                    .filter(|after| slots.contains(after.slot)),
                limit: request.limit - page.users.len(),
                ..*request
            };
            let found = database.scan_users(&part).await?;
            page.users.extend(found.users);
            page.next = found.next;
        }
        Ok(page)
    }

    async fn count_users(
        &self,
        workspace: WorkspaceId,
        audience: &Audience,
        now: Timestamp,
    ) -> Result<u64> {
        let counts = self
            .all()
            .map(|one| one.count_users(workspace, audience, now));
        Ok(try_join_all(counts).await?.into_iter().sum())
    }

    async fn erase_user(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
    ) -> Result<bool> {
        self.owner(workspace, user)
            .erase_user(workspace, user, now)
            .await
    }

    async fn record_user_events(
        &self,
        events: Vec<UserEvent>,
        now: Timestamp,
    ) -> Result<Vec<bool>> {
        let place = |event: &UserEvent| self.place(event.workspace, &event.user);
        let (parts, order) = self.divide(events, place);
        let parts = parts.into_iter();
        let recorded = parts.map(|(database, part)| database.record_user_events(part, now));
        order.restore(try_join_all(recorded).await?)
    }

    async fn ensure_cohort(&self, cohort: Cohort) -> Result<()> {
        self.ask_everyone_for(cohort).await.map(drop)
    }

    async fn write_cards(&self, batch: CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>> {
        let mut rest = batch;
        let cards = std::mem::take(&mut rest.cards);
        let place = |card: &NewCard| self.place(rest.workspace, &card.user);
        let (parts, order) = self.divide(cards, place);
        if parts.is_empty() {
            // Even a batch without cards is looked at, and its lease is raised wherever an older
            // holder may still write.
            let slots = rest.fence.map_or(SlotRange::ALL, |fence| fence.slots);
            let raised = self.owners(slots).map(|(place, one)| {
                let part = CardBatch {
                    durability: rest.durability.part(place),
                    ..rest.clone()
                };
                one.write_cards(part, now)
            });
            return try_join_all(raised).await.map(|_| Vec::new());
        }
        self.ensure_everywhere(rest.cohort).await?;
        let _turn = match rest.fence {
            Some(fence) if parts.len() > 1 => {
                let turn = self.turn(rest.dispatch, fence.chunk).lock().await;
                // Nobody writes for an older lease anywhere while a newer one writes somewhere.
                for (_, database) in self.owners(fence.slots) {
                    let raise = CardBatch {
                        durability: Durability::Now,
                        ..rest.clone()
                    };
                    database.write_cards(raise, now).await?;
                }
                Some(turn)
            }
            _ => None,
        };
        self.end_elsewhere(&rest, &parts, now).await?;
        let written = parts.into_iter().map(|(database, cards)| {
            let place = cards.first().map_or(0, place);
            let part = CardBatch {
                durability: rest.durability.part(place),
                cards,
                ..rest.clone()
            };
            database.write_cards(part, now)
        });
        order.restore(try_join_all(written).await?)
    }

    async fn user_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        now: Timestamp,
        limit: usize,
    ) -> Result<UserCards> {
        self.owner(workspace, user)
            .user_cards(workspace, user, now, limit)
            .await
    }

    async fn have_cards(
        &self,
        workspace: WorkspaceId,
        dispatch: DispatchId,
        cohort: Cohort,
        users: &[UserId],
    ) -> Result<Vec<bool>> {
        let (parts, order) = self.divide(users.to_vec(), |user| self.place(workspace, user));
        let parts = parts.iter();
        let found =
            parts.map(|(database, part)| database.have_cards(workspace, dispatch, cohort, part));
        order.restore(try_join_all(found).await?)
    }

    async fn receipts(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
    ) -> Result<Vec<Receipt>> {
        self.owner(workspace, user)
            .receipts(workspace, user, campaigns)
            .await
    }

    async fn campaign_receipts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
        users: &[UserId],
    ) -> Result<Vec<Option<Receipt>>> {
        let (parts, order) = self.divide(users.to_vec(), |user| self.place(workspace, user));
        let parts = parts.iter();
        let found =
            parts.map(|(database, part)| database.campaign_receipts(workspace, campaign, part));
        order.restore(try_join_all(found).await?)
    }

    async fn remove_cards(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        campaigns: &[CampaignId],
        now: Timestamp,
    ) -> Result<u64> {
        self.owner(workspace, user)
            .remove_cards(workspace, user, campaigns, now)
            .await
    }

    async fn record_card_events(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        events: Vec<CardEvent>,
        now: Timestamp,
    ) -> Result<RecordedEvents> {
        self.owner(workspace, user)
            .record_card_events(workspace, user, events, now)
            .await
    }

    async fn campaign_counts(
        &self,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Vec<CountRow>> {
        let counts = self
            .all()
            .map(|one| one.campaign_counts(workspace, campaign));
        let mut days: BTreeMap<(u8, Day), EventCounts> = BTreeMap::new();
        for row in try_join_all(counts).await?.into_iter().flatten() {
            days.entry((row.variant, row.day))
                .or_default()
                .add(&row.counts);
        }
        let rows = days.into_iter().map(|((variant, day), counts)| CountRow {
            variant,
            day,
            counts,
        });
        Ok(rows.collect())
    }

    async fn dispatch_written(&self, dispatch: DispatchId) -> Result<u64> {
        let written = self.all().map(|one| one.dispatch_written(dispatch));
        Ok(try_join_all(written).await?.into_iter().sum())
    }

    /// In every database that can be reached, also when another cannot.
    async fn prepare_cohorts(&self, now: Timestamp, horizon: Duration) -> Result<u32> {
        let made = self.all().map(|one| one.prepare_cohorts(now, horizon));
        join_all(made).await.into_iter().sum()
    }

    async fn list_cohorts(&self) -> Result<Vec<CohortInfo>> {
        let lists = try_join_all(self.all().map(|one| one.list_cohorts())).await?;
        let mut cohorts: BTreeMap<(Timestamp, Cohort), CohortInfo> = BTreeMap::new();
        for info in lists.into_iter().flatten() {
            let key = (info.cohort.ends_at(), info.cohort);
            let sum = cohorts.entry(key).or_insert(CohortInfo {
                cohort: info.cohort,
                used: false,
                rows: 0,
                bytes: 0,
            });
            sum.used |= info.used;
            sum.rows += info.rows;
            sum.bytes += info.bytes;
        }
        Ok(cohorts.into_values().collect())
    }

    /// One database after the other: retiring is never urgent.
    async fn retire_cohorts(
        &self,
        now: Timestamp,
        grace: Duration,
        dry_run: bool,
    ) -> Result<Vec<RetiredCohort>> {
        let mut retired: BTreeMap<(Timestamp, Cohort), u64> = BTreeMap::new();
        for database in self.all() {
            for one in database.retire_cohorts(now, grace, dry_run).await? {
                *retired
                    .entry((one.cohort.ends_at(), one.cohort))
                    .or_default() += one.bytes;
            }
        }
        let retired = retired
            .into_iter()
            .map(|((_, cohort), bytes)| RetiredCohort { cohort, bytes });
        Ok(retired.collect())
    }

    /// One database after the other: retiring is never urgent.
    async fn retire_receipts(&self, sending: &[CampaignId], now: Timestamp) -> Result<u32> {
        let mut dropped = 0;
        for database in self.all() {
            dropped += database.retire_receipts(sending, now).await?;
        }
        Ok(dropped)
    }

    async fn prune(&self, now: Timestamp) -> Result<()> {
        for database in self.all() {
            database.prune(now).await?;
        }
        Ok(())
    }
}
