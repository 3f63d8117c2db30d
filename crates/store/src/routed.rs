//! Several card databases as one: each user belongs to the database that owns the user's slot.
//!
//! What concerns one user goes to one database, and to no other; a batch is divided and its parts
//! run at the same time; a scan goes through the databases in the order of slots; counts are added.
//! A part that fails fails the call, which may be repeated: the parts that succeeded are repeats
//! then. Which method goes which way is in [`store`].

mod attributes;
mod cohorts;
mod counts;
mod parts;
mod routes;
mod scan;
mod store;
mod turns;
mod write;

use std::sync::Arc;

use corkboard_core::slot::SlotRange;

pub use routes::SlotsError;

use crate::card_store::CardStore;
use cohorts::Ensured;
use routes::Routes;
use turns::Turns;

/// Card databases by the slots that they own.
#[derive(Debug)]
pub struct RoutedCardStore {
    routes: Routes,
    ensured: Ensured,
    turns: Turns,
}

impl RoutedCardStore {
    /// Databases with the slots they own, in the order of slots.
    pub fn new(databases: Vec<(SlotRange, Arc<dyn CardStore>)>) -> Result<Self, SlotsError> {
        Routes::new(databases).map(Self::along)
    }

    /// Slots split evenly, in the order given. 1 to 4,096 databases.
    pub fn even(databases: Vec<Arc<dyn CardStore>>) -> Result<Self, SlotsError> {
        Routes::even(databases).map(Self::along)
    }

    fn along(routes: Routes) -> Self {
        Self {
            routes,
            ensured: Ensured::default(),
            turns: Turns::default(),
        }
    }
}
