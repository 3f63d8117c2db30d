//! What is written is read; what is not ours is nothing.

use corkboard_core::id::{CampaignId, CardId, DispatchId};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn texts() -> impl Strategy<Value = Vec<Option<String>>> {
    proptest::collection::vec(proptest::option::of(".{0,20}"), 6)
}

fn cards() -> impl Strategy<Value = StoredCard> {
    let ids = any::<[[u8; 16]; 3]>();
    let state = proptest::array::uniform4(proptest::option::of(0_i64..1 << 50));
    let shown = (".{0,10}", any::<i32>(), any::<[bool; 2]>());
    (
        ids,
        any::<u8>(),
        0_i64..1 << 50,
        state,
        shown,
        texts(),
        0_usize..4,
    )
        .prop_map(
            |(ids, variant, micros, state, (feed, priority, flags), texts, kind)| {
                let at = Timestamp::from_micros(micros);
                let mut texts = texts.into_iter();
                let mut text = || texts.next().flatten();
                StoredCard {
                    id: CardId::from_bytes(ids[0]),
                    campaign: CampaignId::from_bytes(ids[1]),
                    dispatch: DispatchId::from_bytes(ids[2]),
                    variant,
                    cohort: Cohort::of(at, at),
                    created_at: at,
                    expires_at: at,
                    state: CardState::from_first_times(
                        state.map(|t| t.map(Timestamp::from_micros)),
                    ),
                    presentation: Arc::new(Presentation {
                        feed,
                        priority,
                        pinned: flags[0],
                        dismissible: flags[1],
                    }),
                    content: Arc::new(CardContent {
                        card_type: TYPES[kind],
                        title: text(),
                        description: text(),
                        image_url: text(),
                        image_alt: text(),
                        url: text(),
                        url_text: text(),
                        extras: if variant < 128 {
                            serde_json::Map::new()
                        } else {
                            serde_json::Map::from_iter([("n".to_owned(), json!([variant, {}]))])
                        },
                    }),
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(cards in proptest::collection::vec(cards(), 0..4)) {
        let broadcast_states = cards.iter().map(|card| (card.id, card.state)).collect();
        let cards = UserCards { cards, broadcast_states };
        let value = SharedPersonal(Arc::new(Personal::new(cards.clone())));
        let bytes = Compact.encode(&value);
        let read = Compact.decode(&bytes);
        prop_assert_eq!(read.map(|read| read.0.cards.clone()), Some(cards));
        prop_assert!(Compact.decode(&bytes[..bytes.len() - 1]).is_none());
    }

    #[test]
    fn no_bytes_panic(mut bytes: Vec<u8>) {
        let _ = Compact.decode(&bytes);
        bytes.insert(0, VERSION);
        let _ = Compact.decode(&bytes);
    }
}
