//! One batch of cards for users of several databases.
//!
//! The databases know nothing of each other: that a cohort, a lease and the end of a series are the
//! same in all of them is seen to here, before the cards are written.

use std::collections::BTreeSet;

use corkboard_core::slot::SlotRange;
use corkboard_core::time::Timestamp;
use futures_util::future::try_join_all;

use super::RoutedCardStore;
use super::parts::Part;
use super::routes::Routes;
use crate::card_store::{CardBatch, ChunkFence, Durability, NewCard, RowOutcome};
use crate::error::Result;

/// Writes each database's cards, all at the same time.
pub(super) async fn write(
    store: &RoutedCardStore,
    mut rest: CardBatch,
    now: Timestamp,
) -> Result<Vec<RowOutcome>> {
    let routes = &store.routes;
    let cards = std::mem::take(&mut rest.cards);
    let workspace = rest.workspace;
    let divided = routes.divide(cards, |card| (workspace, &card.user));
    if divided.parts.is_empty() {
        return write_none(routes, &rest, now).await;
    }
    store.ensured.everywhere(routes, rest.cohort).await?;
    let _turn = match rest.fence {
        Some(fence) if divided.parts.len() > 1 => {
            let turn = store.turns.take(rest.dispatch, fence.chunk).await;
            raise(routes, &rest, fence, now).await?;
            Some(turn)
        }
        _ => None,
    };
    end_elsewhere(routes, &rest, &divided.parts, now).await?;
    let written = divided.ask(|part| {
        let batch = CardBatch {
            cards: part.items,
            ..without_cards(&rest, part.place)
        };
        part.database.write_cards(batch, now)
    });
    written.await
}

/// Even a batch without cards is looked at, and its lease is raised wherever an older holder may
/// still write.
async fn write_none(routes: &Routes, rest: &CardBatch, now: Timestamp) -> Result<Vec<RowOutcome>> {
    let slots = rest.fence.map_or(SlotRange::ALL, |fence| fence.slots);
    let raised = routes
        .owners(slots)
        .map(|(place, one)| one.write_cards(without_cards(rest, place), now));
    try_join_all(raised).await.map(|_| Vec::new())
}

/// Nobody writes for an older lease anywhere while a newer one writes somewhere.
async fn raise(routes: &Routes, rest: &CardBatch, fence: ChunkFence, now: Timestamp) -> Result<()> {
    for (_, database) in routes.owners(fence.slots) {
        let raise = CardBatch {
            durability: Durability::Now,
            ..rest.clone()
        };
        database.write_cards(raise, now).await?;
    }
    Ok(())
}

/// A batch that ends a series ends it also in databases that it has no cards for.
async fn end_elsewhere(
    routes: &Routes,
    rest: &CardBatch,
    parts: &[Part<'_, NewCard>],
    now: Timestamp,
) -> Result<()> {
    let Durability::Ends(series) = &rest.durability else {
        return Ok(());
    };
    let has_cards: BTreeSet<usize> = parts.iter().map(|part| part.place).collect();
    let open = series.open_parts().into_iter();
    let elsewhere = open.filter(|open| !has_cards.contains(open));
    let ended = elsewhere.map(|place| {
        let database = routes.at(place);
        database.write_cards(without_cards(rest, place), now)
    });
    try_join_all(ended).await.map(drop)
}

/// The batch for one database, before it is given its cards.
fn without_cards(rest: &CardBatch, place: usize) -> CardBatch {
    CardBatch {
        durability: rest.durability.part(place),
        ..rest.clone()
    }
}
