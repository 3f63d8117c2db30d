//! The cursor: what a client has seen, in a form that only we need to understand.
//!
//! Nothing is kept on the server. A cursor is base64url (no padding) of a format byte and, per card
//! in the feed, eight bytes: the first six of the card's id and two that stand for what the card
//! looked like. Of those sixteen bits two say "seen" and "clicked" as they are, so that a change of
//! state is never missed; fourteen are a hash of the rest.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use corkboard_core::id::{CardId, Id};

const FORMAT: u8 = 1;
const ID_BYTES: usize = 6;
const ENTRY_BYTES: usize = ID_BYTES + 2;
/// Most cards of a cursor that is read: feeds are shorter than that.
const MAX_ENTRIES: usize = 2_048;

/// The part of a card's id that stands for it. Card ids are hashes: 250 cards of one user meet in
/// six bytes once in ten billion feeds, and then the whole feed is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ShortId([u8; ID_BYTES]);

impl From<CardId> for ShortId {
    fn from(id: CardId) -> Self {
        let bytes = id.to_bytes();
        let mut short = [0; ID_BYTES];
        short.copy_from_slice(&bytes[..ID_BYTES]);
        Self(short)
    }
}

/// What a card looked like: equal for equal cards, and nearly always different otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Look(u16);

impl Look {
    /// From the states a client sees and a hash of everything else.
    pub(crate) fn new(seen: bool, clicked: bool, hash: u64) -> Self {
        let hash = (hash & 0x3fff) as u16;
        Self(u16::from(seen) << 15 | u16::from(clicked) << 14 | hash)
    }
}

/// One card of a feed, as a cursor remembers it.
pub(crate) type Entry = (ShortId, Look);

/// The text form.
pub(crate) fn encode(entries: impl ExactSizeIterator<Item = Entry>) -> String {
    let mut bytes = Vec::with_capacity(1 + entries.len() * ENTRY_BYTES);
    bytes.push(FORMAT);
    for (ShortId(id), Look(look)) in entries {
        bytes.extend_from_slice(&id);
        bytes.extend_from_slice(&look.to_be_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a text form; `None` when it is none of ours.
pub(crate) fn decode(text: &str) -> Option<Vec<Entry>> {
    // Four characters stand for three bytes; anything longer is refused before it is decoded.
    if text.len() > (1 + MAX_ENTRIES * ENTRY_BYTES).div_ceil(3) * 4 {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let entries = bytes.strip_prefix(&[FORMAT])?;
    let (whole, rest) = entries.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        return None;
    }
    let read = |[a, b, c, d, e, f, high, low]: &[u8; ENTRY_BYTES]| {
        (
            ShortId([*a, *b, *c, *d, *e, *f]),
            Look(u16::from_be_bytes([*high, *low])),
        )
    };
    Some(whole.iter().map(read).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(
            ids in proptest::collection::vec((any::<[u8; 16]>(), any::<bool>(), any::<bool>(), any::<u64>()), 0..300),
        ) {
            let entries: Vec<Entry> = ids
                .into_iter()
                .map(|(id, seen, clicked, hash)| {
                    (CardId::from_bytes(id).into(), Look::new(seen, clicked, hash))
                })
                .collect();
            let text = encode(entries.iter().copied());
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            prop_assert_eq!(decode(&text), Some(entries));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = decode(&text);
        }

        #[test]
        fn a_change_of_state_changes_the_look(hash in any::<u64>()) {
            let looks = [(false, false), (true, false), (false, true), (true, true)]
                .map(|(seen, clicked)| Look::new(seen, clicked, hash).0);
            prop_assert_eq!(looks.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        }
    }

    #[test]
    fn foreign_cut_and_endless_texts_are_refused() {
        let good = encode([(ShortId([1; 6]), Look(7))].into_iter());
        assert_eq!(decode(&good).map(|entries| entries.len()), Some(1));
        assert_eq!(decode(&encode(std::iter::empty())), Some(vec![]));
        for bad in [
            "",
            "x",
            "AA",
            "====",
            &good[..good.len() - 2],
            &"A".repeat(100_000),
        ] {
            assert_eq!(decode(bad), None, "{bad:.20}");
        }
    }
}
