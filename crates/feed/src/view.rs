//! A feed as JSON, byte for byte the same for the same feed: the entity tag is a hash of it.

use std::ops::Range;

use bytes::Bytes;
use corkboard_core::card::CardType;
use corkboard_core::id::{CampaignId, CardId};
use corkboard_core::state::Mark;
use corkboard_core::time::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

use crate::compose::FeedCard;
use crate::cursor::{self, Entry, Look};

/// One card as clients see it. Every key is always there.
#[derive(Serialize)]
struct CardView<'a> {
    id: CardId,
    campaign_id: CampaignId,
    #[serde(rename = "type")]
    card_type: CardType,
    title: Option<&'a str>,
    description: Option<&'a str>,
    image_url: Option<&'a str>,
    image_alt: Option<&'a str>,
    url: Option<&'a str>,
    url_text: Option<&'a str>,
    feed: &'a str,
    pinned: bool,
    dismissible: bool,
    priority: i32,
    extras: &'a Map<String, Value>,
    created_at: Timestamp,
    expires_at: Timestamp,
    seen: bool,
    clicked: bool,
    control: bool,
}

impl<'a> CardView<'a> {
    fn of(card: &FeedCard<'a>) -> Self {
        let (content, shown) = (card.content, card.presentation);
        Self {
            id: card.id,
            campaign_id: card.campaign,
            card_type: content.card_type,
            title: content.title.as_deref(),
            description: content.description.as_deref(),
            image_url: content.image_url.as_deref(),
            image_alt: content.image_alt.as_deref(),
            url: content.url.as_deref(),
            url_text: content.url_text.as_deref(),
            feed: &shown.feed,
            pinned: shown.pinned,
            dismissible: shown.dismissible,
            priority: shown.priority,
            extras: &content.extras,
            created_at: card.created_at,
            expires_at: card.expires_at,
            seen: card.state.has(Mark::Seen),
            clicked: card.state.has(Mark::Clicked),
            control: card.is_control(),
        }
    }
}

/// A feed's cards as JSON texts, each with what a cursor remembers of it.
#[derive(Debug)]
pub(crate) struct View {
    texts: Vec<u8>,
    places: Vec<Range<usize>>,
    pub(crate) entries: Vec<Entry>,
    unread: usize,
    /// When the first of the cards expires.
    pub(crate) until: Timestamp,
}

/// What a reply says beside the cards.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'a> {
    Whole,
    /// Only the cards at these places, and the ids of cards that are no longer there.
    Changes {
        changed: &'a [usize],
        removed: &'a [CardId],
    },
    /// Whole, because what changed cannot be told: the client forgets what it has.
    Reset,
}

impl View {
    pub(crate) fn of(cards: &[FeedCard<'_>]) -> Result<Self, serde_json::Error> {
        let mut view = Self {
            texts: Vec::with_capacity(cards.len() * 512),
            places: Vec::with_capacity(cards.len()),
            entries: Vec::with_capacity(cards.len()),
            unread: cards.iter().filter(|card| card.is_unread()).count(),
            until: cards
                .iter()
                .map(|card| card.expires_at)
                .min()
                .unwrap_or(Timestamp::from_micros(i64::MAX)),
        };
        for card in cards {
            let start = view.texts.len();
            let shown = CardView::of(card);
            serde_json::to_writer(&mut view.texts, &shown)?;
            let hash = xxh3_64(&view.texts[start..]);
            view.entries
                .push((card.id.into(), Look::new(shown.seen, shown.clicked, hash)));
            view.places.push(start..view.texts.len());
        }
        Ok(view)
    }

    pub(crate) fn cursor(&self) -> String {
        cursor::encode(self.entries.iter().copied())
    }

    /// The whole reply. `unread` and `cursor` are always those of the whole feed.
    pub(crate) fn body(&self, kind: Kind<'_>, refresh_after: u64) -> Bytes {
        let mut body = Vec::with_capacity(self.texts.len() + self.entries.len() * 12 + 256);
        body.extend_from_slice(b"{\"cards\":[");
        match kind {
            Kind::Changes { changed, .. } => {
                let texts = changed.iter().filter_map(|place| self.places.get(*place));
                self.list(texts, &mut body);
            }
            Kind::Whole | Kind::Reset => self.list(self.places.iter(), &mut body),
        }
        body.push(b']');
        match kind {
            Kind::Whole => {}
            Kind::Changes { removed, .. } => {
                let ids: Vec<String> = removed.iter().map(|id| format!("\"{id}\"")).collect();
                body.extend_from_slice(format!(",\"removed\":[{}]", ids.join(",")).as_bytes());
            }
            Kind::Reset => body.extend_from_slice(b",\"removed\":[],\"reset\":true"),
        }
        let rest = format!(
            ",\"unread\":{},\"cursor\":\"{}\",\"refresh_after_seconds\":{refresh_after}}}",
            self.unread,
            self.cursor(),
        );
        body.extend_from_slice(rest.as_bytes());
        Bytes::from(body)
    }

    fn list<'a>(&self, places: impl Iterator<Item = &'a Range<usize>>, body: &mut Vec<u8>) {
        for (number, place) in places.enumerate() {
            if number > 0 {
                body.push(b',');
            }
            body.extend_from_slice(&self.texts[place.clone()]);
        }
    }
}

/// A strong entity tag for a body, quotes included.
pub(crate) fn etag(body: &[u8]) -> String {
    format!("\"{:032x}\"", xxh3_128(body))
}
