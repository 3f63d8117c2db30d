//! Dividing what a call is about by database, and putting the answers together.

use std::collections::BTreeMap;

use corkboard_core::id::WorkspaceId;
use corkboard_core::user::UserId;
use futures_util::future::try_join_all;

use super::routes::Routes;
use crate::card_store::CardStore;
use crate::error::{Result, StoreError};

/// A database and what is for it.
pub(super) struct Part<'a, T> {
    pub(super) place: usize,
    pub(super) database: &'a dyn CardStore,
    /// At least one.
    pub(super) items: Vec<T>,
}

/// What a call is about, by the database that it concerns.
pub(super) struct Divided<'a, T> {
    pub(super) parts: Vec<Part<'a, T>>,
    /// Where the items of each part stood in the whole.
    stood: Vec<Vec<usize>>,
    count: usize,
}

impl Routes {
    /// Items by the database that owns their user.
    pub(super) fn divide<T>(
        &self,
        items: Vec<T>,
        owner: impl Fn(&T) -> (WorkspaceId, &UserId),
    ) -> Divided<'_, T> {
        let mut divided: BTreeMap<usize, (Vec<usize>, Vec<T>)> = BTreeMap::new();
        let count = items.len();
        for (at, item) in items.into_iter().enumerate() {
            let (workspace, user) = owner(&item);
            let place = self.place(workspace, user);
            let (stood, part) = divided.entry(place).or_default();
            stood.push(at);
            part.push(item);
        }
        let (mut parts, mut stood) = (Vec::new(), Vec::new());
        for (place, (stood_at, items)) in divided {
            parts.push(Part {
                place,
                database: self.at(place),
                items,
            });
            stood.push(stood_at);
        }
        Divided {
            parts,
            stood,
            count,
        }
    }

    /// Users of one workspace by the database that owns them.
    pub(super) fn divide_users(
        &self,
        workspace: WorkspaceId,
        users: &[UserId],
    ) -> Divided<'_, UserId> {
        self.divide(users.to_vec(), |user| (workspace, user))
    }
}

impl<'a, T> Divided<'a, T> {
    /// Asks all databases at the same time, each about its part. The answers are in the order of the
    /// whole.
    pub(super) async fn ask<A, F>(self, question: impl Fn(Part<'a, T>) -> F) -> Result<Vec<A>>
    where
        F: Future<Output = Result<Vec<A>>>,
    {
        let answers = try_join_all(self.parts.into_iter().map(question)).await?;
        restore(self.count, self.stood, answers)
    }
}

/// The parts' answers in the order of the whole.
fn restore<A>(count: usize, stood: Vec<Vec<usize>>, parts: Vec<Vec<A>>) -> Result<Vec<A>> {
    let mut answers: Vec<Option<A>> = Vec::new();
    answers.resize_with(count, || None);
    for (places, part) in stood.into_iter().zip(parts) {
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
