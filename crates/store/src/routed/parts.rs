//! Dividing what a call is about by database, and putting the answers together.

use std::collections::BTreeMap;

use super::RoutedCardStore;
use crate::card_store::CardStore;
use crate::error::{Result, StoreError};

/// A database and what is for it.
pub(super) type Part<'a, T> = (&'a dyn CardStore, Vec<T>);

/// Where the items of each part stood in the whole.
pub(super) struct Order {
    places: Vec<Vec<usize>>,
    count: usize,
}

impl Order {
    /// The parts' answers in the order of the whole.
    pub(super) fn restore<A>(self, parts: Vec<Vec<A>>) -> Result<Vec<A>> {
        let mut answers: Vec<Option<A>> = Vec::new();
        answers.resize_with(self.count, || None);
        for (places, part) in self.places.into_iter().zip(parts) {
            for (place, answer) in places.into_iter().zip(part) {
                answers[place] = Some(answer);
            }
        }
        // A database that answers less than it was asked has broken the trait's promise.
        let answers: Option<Vec<A>> = answers.into_iter().collect();
        answers.ok_or_else(|| StoreError::Corrupt {
            what: "answer of a card database",
            source: "it is shorter than what was asked".into(),
        })
    }
}

impl RoutedCardStore {
    /// Items by the database that owns their user, and how to put the answers together.
    pub(super) fn divide<T>(
        &self,
        items: Vec<T>,
        place: impl Fn(&T) -> usize,
    ) -> (Vec<Part<'_, T>>, Order) {
        let mut divided: BTreeMap<usize, (Vec<usize>, Vec<T>)> = BTreeMap::new();
        let count = items.len();
        for (at, item) in items.into_iter().enumerate() {
            let (places, part) = divided.entry(place(&item)).or_default();
            places.push(at);
            part.push(item);
        }
        let (mut parts, mut places) = (Vec::new(), Vec::new());
        for (database, (of_part, part)) in divided {
            parts.push((&*self.databases[database].1, part));
            places.push(of_part);
        }
        (parts, Order { places, count })
    }
}
