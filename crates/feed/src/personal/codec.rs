//! The personal part as bytes in Redis: a version, then fields in a fixed order, numbers big-endian,
//! texts with their length. Another version's bytes are no value: nodes of two versions may share a
//! Redis, each filling its own.

use std::sync::Arc;

use corkboard_cache::Codec;
use corkboard_core::card::{CardContent, CardType, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::Id;
use corkboard_core::state::CardState;
use corkboard_core::time::Timestamp;
use corkboard_store::card_store::{StoredCard, UserCards};

use super::{Personal, SharedPersonal};

const VERSION: u8 = 1;
const TYPES: [CardType; 4] = [
    CardType::Classic,
    CardType::CaptionedImage,
    CardType::ImageOnly,
    CardType::Control,
];

/// The compact form.
#[derive(Debug)]
pub(crate) struct Compact;

impl Codec<SharedPersonal> for Compact {
    fn encode(&self, value: &SharedPersonal) -> Vec<u8> {
        let cards = &value.0.cards;
        let mut out = Writer(Vec::with_capacity(64 + cards.cards.len() * 512));
        out.0.push(VERSION);
        out.number(cards.cards.len());
        for card in &cards.cards {
            out.card(card);
        }
        out.number(cards.broadcast_states.len());
        for (card, state) in &cards.broadcast_states {
            out.0.extend_from_slice(&card.to_bytes());
            out.state(*state);
        }
        out.0
    }

    fn decode(&self, bytes: &[u8]) -> Option<SharedPersonal> {
        let (version, rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let mut input = Reader(rest);
        let mut cards = UserCards::default();
        for _ in 0..input.number()? {
            cards.cards.push(input.card()?);
        }
        for _ in 0..input.number()? {
            cards.broadcast_states.push((input.id()?, input.state()?));
        }
        let complete = input.0.is_empty();
        complete.then(|| SharedPersonal(Arc::new(Personal::new(cards))))
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: usize) {
        self.0.extend_from_slice(&(number as u32).to_be_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn time(&mut self, time: Timestamp) {
        self.0.extend_from_slice(&time.as_micros().to_be_bytes());
    }

    fn state(&mut self, state: CardState) {
        self.0.push(state.bits());
        for time in state.first_times().into_iter().flatten() {
            self.time(time);
        }
    }

    fn card(&mut self, card: &StoredCard) {
        self.0.extend_from_slice(&card.id.to_bytes());
        self.0.extend_from_slice(&card.campaign.to_bytes());
        self.0.extend_from_slice(&card.dispatch.to_bytes());
        self.0.push(card.variant);
        self.0
            .extend_from_slice(&card.cohort.number().to_be_bytes());
        self.time(card.created_at);
        self.time(card.expires_at);
        self.state(card.state);
        let shown = &card.presentation;
        self.text(&shown.feed);
        self.0.extend_from_slice(&shown.priority.to_be_bytes());
        self.0
            .push(u8::from(shown.pinned) | u8::from(shown.dismissible) << 1);
        self.content(&card.content);
    }

    fn content(&mut self, content: &CardContent) {
        let card_type = TYPES.iter().position(|one| *one == content.card_type);
        self.0.push(card_type.unwrap_or_default() as u8);
        for text in texts(content) {
            self.0.push(u8::from(text.is_some()));
            if let Some(text) = text {
                self.text(text);
            }
        }
        if content.extras.is_empty() {
            self.number(0);
        } else {
            // A map with text keys always has a JSON form; without it the value is not readable.
            self.text(&serde_json::to_string(&content.extras).unwrap_or_default());
        }
    }
}

fn texts(content: &CardContent) -> [&Option<String>; 6] {
    [
        &content.title,
        &content.description,
        &content.image_url,
        &content.image_alt,
        &content.url,
        &content.url_text,
    ]
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<usize> {
        Some(u32::from_be_bytes(self.bytes()?) as usize)
    }

    fn text(&mut self) -> Option<&str> {
        let length = self.number()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }

    fn id<T: Id>(&mut self) -> Option<T> {
        Some(T::from_bytes(self.bytes()?))
    }

    fn time(&mut self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(i64::from_be_bytes(self.bytes()?)))
    }

    fn state(&mut self) -> Option<CardState> {
        let bits = self.byte()?;
        let mut first = [None; 4];
        for (place, time) in first.iter_mut().enumerate() {
            if bits & (1 << place) != 0 {
                *time = Some(self.time()?);
            }
        }
        Some(CardState::from_first_times(first))
    }

    fn card(&mut self) -> Option<StoredCard> {
        Some(StoredCard {
            id: self.id()?,
            campaign: self.id()?,
            dispatch: self.id()?,
            variant: self.byte()?,
            cohort: Cohort::try_from(i32::from_be_bytes(self.bytes()?)).ok()?,
            created_at: self.time()?,
            expires_at: self.time()?,
            state: self.state()?,
            presentation: Arc::new(self.presentation()?),
            content: Arc::new(self.content()?),
        })
    }

    fn presentation(&mut self) -> Option<Presentation> {
        let feed = self.text()?.to_owned();
        let priority = i32::from_be_bytes(self.bytes()?);
        let flags = self.byte()?;
        Some(Presentation {
            feed,
            priority,
            pinned: flags & 1 != 0,
            dismissible: flags & 2 != 0,
        })
    }

    fn content(&mut self) -> Option<CardContent> {
        let card_type = *TYPES.get(usize::from(self.byte()?))?;
        let mut texts: [Option<String>; 6] = Default::default();
        for place in &mut texts {
            if self.byte()? != 0 {
                *place = Some(self.text()?.to_owned());
            }
        }
        let extras = match self.text()? {
            "" => serde_json::Map::new(),
            json => serde_json::from_str(json).ok()?,
        };
        let [title, description, image_url, image_alt, url, url_text] = texts;
        Some(CardContent {
            card_type,
            title,
            description,
            image_url,
            image_alt,
            url,
            url_text,
            extras,
        })
    }
}

#[cfg(test)]
mod tests;
