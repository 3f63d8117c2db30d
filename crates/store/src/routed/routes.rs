//! Which database owns which slots, and so whom a question concerns.

use std::sync::Arc;

use corkboard_core::id::WorkspaceId;
use corkboard_core::slot::{SLOT_COUNT, Slot, SlotRange};
use corkboard_core::user::UserId;

use crate::card_store::CardStore;

/// The list of databases does not own every slot exactly once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "slot {slot} belongs to no database, or to two: the ranges must follow each other from 0 to 4095"
)]
pub struct SlotsError {
    /// The first slot that is wrong.
    pub slot: u16,
}

/// Databases in the order of their slots; together they own every slot once. A database's place is
/// its index.
#[derive(Debug)]
pub(super) struct Routes {
    databases: Vec<(SlotRange, Arc<dyn CardStore>)>,
}

impl Routes {
    pub(super) fn new(databases: Vec<(SlotRange, Arc<dyn CardStore>)>) -> Result<Self, SlotsError> {
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
        Ok(Self { databases })
    }

    /// Slots split evenly, in the order given.
    pub(super) fn even(databases: Vec<Arc<dyn CardStore>>) -> Result<Self, SlotsError> {
        let parts = u16::try_from(databases.len()).unwrap_or(u16::MAX);
        if parts == 0 || parts > SLOT_COUNT {
            return Err(SlotsError { slot: 0 });
        }
        Self::new(SlotRange::split(parts).zip(databases).collect())
    }

    /// The place of the database that owns a user.
    pub(super) fn place(&self, workspace: WorkspaceId, user: &UserId) -> usize {
        let slot = Slot::of(workspace, user);
        self.databases
            .partition_point(|(slots, _)| slots.last < slot)
    }

    /// The database at a place.
    pub(super) fn at(&self, place: usize) -> &dyn CardStore {
        &*self.databases[place].1
    }

    /// The database that owns a user.
    pub(super) fn owner(&self, workspace: WorkspaceId, user: &UserId) -> &dyn CardStore {
        // Every slot has a database: `new` has checked.
        self.at(self.place(workspace, user))
    }

    /// The databases that own some of these slots, with their places.
    pub(super) fn owners(&self, slots: SlotRange) -> impl Iterator<Item = (usize, &dyn CardStore)> {
        let databases = self.by_slots().enumerate();
        databases
            .filter(move |(_, (own, _))| own.first <= slots.last && slots.first <= own.last)
            .map(|(place, (_, database))| (place, database))
    }

    /// Every database.
    pub(super) fn all(&self) -> impl ExactSizeIterator<Item = &dyn CardStore> {
        self.databases.iter().map(|(_, database)| &**database)
    }

    /// Every database with the slots that it owns, in the order of slots.
    pub(super) fn by_slots(&self) -> impl Iterator<Item = (SlotRange, &dyn CardStore)> {
        let databases = self.databases.iter();
        databases.map(|(slots, database)| (*slots, &**database))
    }
}
