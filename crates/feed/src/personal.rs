//! A user's personal part of a feed, as the tiers keep it: stored cards with their states, and the
//! states of broadcasts. What concerns a whole workspace is no part of it, so a launch or a cancel
//! changes nothing here.

mod codec;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use corkboard_cache::Weigh;
use corkboard_core::time::Timestamp;
use corkboard_store::card_store::UserCards;

use crate::live::Live;
use crate::read::FeedReply;

pub(crate) use codec::Compact;

/// What a card costs beside its texts, in bytes.
const CARD: usize = 400;
const BROADCAST_STATE: usize = 96;
const OWN: usize = 256;

/// A user's cards and states, and the last whole feed that was composed of them.
#[derive(Debug, Default)]
pub(crate) struct Personal {
    pub(crate) cards: UserCards,
    last: Mutex<Option<Composed>>,
}

/// A composed feed and all that it depends on beside the cards.
#[derive(Debug, Clone)]
struct Composed {
    feed: Option<String>,
    /// The same set, not an equal one: whatever is launched or stopped makes another.
    live: Weak<Live>,
    /// From when it was composed until the first of its cards expires.
    from: Timestamp,
    until: Timestamp,
    reply: FeedReply,
}

/// When and for what a feed is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) feed: Option<&'a str>,
    pub(crate) live: &'a Arc<Live>,
    pub(crate) now: Timestamp,
}

impl Personal {
    pub(crate) fn new(cards: UserCards) -> Self {
        Self {
            cards,
            last: Mutex::default(),
        }
    }

    /// Gives `serve` the feed composed before, if it still is what would be composed now.
    pub(crate) fn recall<R>(
        &self,
        moment: Moment<'_>,
        serve: impl FnOnce(&FeedReply) -> R,
    ) -> Option<R> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref()?;
        let same = std::ptr::eq(last.live.as_ptr(), Arc::as_ptr(moment.live))
            && last.feed.as_deref() == moment.feed
            && (last.from..last.until).contains(&moment.now);
        same.then(|| serve(&last.reply))
    }

    pub(crate) fn remember(&self, moment: Moment<'_>, until: Timestamp, reply: &FeedReply) {
        let composed = Composed {
            feed: moment.feed.map(str::to_owned),
            live: Arc::downgrade(moment.live),
            from: moment.now,
            until,
            reply: reply.clone(),
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(composed);
    }
}

impl Weigh for Personal {
    fn weight(&self) -> usize {
        let cards = self.cards.cards.iter();
        // Once as stored, once (about) as composed.
        let cards: usize = cards
            .map(|card| 2 * (CARD + card.content.payload_bytes()))
            .sum();
        OWN + cards + self.cards.broadcast_states.len() * BROADCAST_STATE
    }
}

/// What a tier hands out: one personal part for all who read it.
#[derive(Debug, Clone)]
pub(crate) struct SharedPersonal(pub(crate) Arc<Personal>);

impl Weigh for SharedPersonal {
    fn weight(&self) -> usize {
        self.0.weight()
    }
}
