//! Batches that become durable together.
//!
//! A writer that acknowledges its progress now and then need not wait for the disk with every batch
//! in between. It says so with [`Durability`], and keeps one [`Series`] for what is outstanding. A
//! store may always make a batch durable at once, and then leaves nothing in the series.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// When a batch has to be durable.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Durability {
    /// When the write returns.
    #[default]
    Now,
    /// With the batch that ends the series. Until then a crash of the database's server may undo it;
    /// whoever reads cards meanwhile sees it.
    Later(Series),
    /// When the write returns, with all earlier batches of the series; fails when one of them is
    /// gone. The batch may be empty.
    Ends(Series),
}

/// What the batches of one writer have left to be made durable. Clones are the same series.
#[derive(Debug, Clone, Default)]
pub struct Series(Arc<Mutex<Left>>);

/// Changes whenever a server starts again after a crash.
pub(crate) type Life = [u8; 16];

#[derive(Debug, Default)]
struct Left {
    /// In which life of its server a database was given the batches that are outstanding.
    life: Option<Life>,
    /// For a store of several databases: each one's own, by its place.
    parts: BTreeMap<usize, Series>,
}

impl Durability {
    /// The same for one of several databases.
    pub(crate) fn part(&self, place: usize) -> Self {
        match self {
            Self::Now => Self::Now,
            Self::Later(series) => Self::Later(series.part(place)),
            Self::Ends(series) => Self::Ends(series.part(place)),
        }
    }

    /// What is outstanding in one database.
    pub(crate) fn life(&self) -> Option<Life> {
        match self {
            Self::Now => None,
            Self::Later(series) | Self::Ends(series) => series.left().life,
        }
    }
}

impl Series {
    /// One database's own part of it.
    fn part(&self, place: usize) -> Self {
        self.left().parts.entry(place).or_default().clone()
    }

    /// The databases, of several, in which something is outstanding.
    pub(crate) fn open_parts(&self) -> Vec<usize> {
        let left = self.left();
        let open = left.parts.iter();
        let open = open.filter(|(_, part)| part.left().life.is_some());
        open.map(|(place, _)| *place).collect()
    }

    /// A batch is about to be left to a server in this life.
    pub(crate) fn leave(&self, life: Life) {
        self.left().life = Some(life);
    }

    /// Everything that this database was given is durable.
    pub(crate) fn settle(&self) {
        self.left().life = None;
    }

    fn left(&self) -> MutexGuard<'_, Left> {
        // Whole whatever the holder did.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it is the same series.
impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_knows_which_databases_owe_it_something() {
        let series = Series::default();
        let later = Durability::Later(series.clone());
        let Durability::Later(second) = later.part(2) else {
            panic!("a part is to be durable when the whole is");
        };
        assert!(series.open_parts().is_empty());
        second.leave([7; 16]);
        assert_eq!(series.open_parts(), [2]);
        assert_eq!(later.part(2).life(), Some([7; 16]));
        assert_eq!(later.part(1).life(), None);
        second.settle();
        assert!(series.open_parts().is_empty());
    }
}
