//! What has changed between the feed a client has and the feed as it is.
//!
//! The rule that everything here serves: dropping the removed cards from the old feed, replacing or
//! adding the changed ones and sorting gives the new feed. Where that cannot be promised, the
//! answer is the whole feed.

use std::collections::{BTreeSet, HashMap};

use corkboard_core::id::CardId;

use crate::cursor::{Entry, Look, ShortId};

/// The difference of two feeds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Delta {
    /// Places in the new feed of cards that are new or look different.
    pub(crate) changed: Vec<usize>,
    /// Cards of the old feed that are not in the new one, yet without their full ids.
    pub(crate) gone: BTreeSet<ShortId>,
}

/// The difference between an old feed, as a cursor remembers it, and a new one; `None` when two
/// cards cannot be told apart.
pub(crate) fn between(old: &[Entry], new: &[Entry]) -> Option<Delta> {
    let mut before: HashMap<ShortId, Look> = old.iter().copied().collect();
    if before.len() != old.len() {
        return None;
    }
    let mut changed = Vec::new();
    let mut present = BTreeSet::new();
    for (place, (id, look)) in new.iter().enumerate() {
        if !present.insert(*id) {
            return None;
        }
        if before.remove(id) != Some(*look) {
            changed.push(place);
        }
    }
    let gone = before.into_keys().collect();
    Some(Delta { changed, gone })
}

/// Takes out of `gone` the cards that `known` names, and adds their ids to `removed`.
pub(crate) fn name(
    gone: &mut BTreeSet<ShortId>,
    known: impl IntoIterator<Item = CardId>,
    removed: &mut BTreeSet<CardId>,
) {
    if gone.is_empty() {
        return;
    }
    let mut named = BTreeSet::new();
    for id in known {
        // Two ids with one short form are both named: dropping a card one does not have is nothing.
        if gone.contains(&id.into()) {
            named.insert(ShortId::from(id));
            removed.insert(id);
        }
    }
    gone.retain(|id| !named.contains(id));
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::id::Id;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Ids of which some share their short form, and how each looks (if it is in the feed).
    type Feed = BTreeMap<u8, u64>;

    fn feeds() -> impl Strategy<Value = Feed> {
        proptest::collection::btree_map(0_u8..12, 0_u64..3, 0..10)
    }

    fn id(number: u8) -> CardId {
        let mut bytes = [number; 16];
        if number >= 10 {
            // 10 and 11 look alike in a cursor.
            bytes[..6].fill(200);
        }
        CardId::from_bytes(bytes)
    }

    fn entries(feed: &Feed) -> Vec<Entry> {
        let look = |hash: &u64| Look::new(false, false, *hash);
        feed.iter()
            .map(|(number, hash)| (id(*number).into(), look(hash)))
            .collect()
    }

    proptest! {
        #[test]
        fn applying_the_delta_to_the_old_feed_gives_the_new_one(old in feeds(), new in feeds(), known in 0_u8..13) {
            let doubled = |feed: &Feed| feed.contains_key(&10) && feed.contains_key(&11);
            let swapped = old.keys().any(|n| *n >= 10) && new.keys().any(|n| *n >= 10)
                && old.contains_key(&10) != new.contains_key(&10);
            let Some(mut delta) = between(&entries(&old), &entries(&new)) else {
                prop_assert!(doubled(&old) || doubled(&new));
                return Ok(());
            };
            let mut removed = BTreeSet::new();
            name(&mut delta.gone, (0..known).map(id), &mut removed);
            let gone = || old.keys().filter(|n| !new.contains_key(n));
            if !delta.gone.is_empty() {
                prop_assert!(gone().any(|n| *n >= known), "a known card was not named");
                return Ok(());
            }
            let mut applied: BTreeMap<CardId, u64> = old.iter().map(|(n, look)| (id(*n), *look)).collect();
            applied.retain(|id, _| !removed.contains(id));
            let numbers: Vec<(&u8, &u64)> = new.iter().collect();
            for place in delta.changed {
                applied.insert(id(*numbers[place].0), *numbers[place].1);
            }
            let wanted: BTreeMap<CardId, u64> = new.iter().map(|(n, look)| (id(*n), *look)).collect();
            // One card taken for another with the same short id cannot be seen: once in 2^48.
            let mistaken = known == 11 && old.contains_key(&11);
            if !swapped && !mistaken {
                prop_assert_eq!(applied, wanted);
            }
        }
    }

    #[test]
    fn equal_feeds_have_no_delta() {
        let feed = entries(&Feed::from([(1, 1), (2, 2)]));
        let delta = between(&feed, &feed).unwrap();
        assert_eq!((delta.changed, delta.gone.len()), (vec![], 0));
    }
}
