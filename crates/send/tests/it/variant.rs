//! Variants and control groups.

use corkboard_core::card::CardType;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn users_are_spread_by_weight_and_control_members_get_an_empty_card() {
    for title in ["hi", "{{ user.n }}"] {
        let world = World::new().await;
        world.users(400).await;
        let running = world.run();
        let campaign = world
            .campaign(json!({"variants": [
                {"name": "A", "weight": 70, "card": {"title": title}},
                {"name": "none", "weight": 30, "control": true},
                {"name": "never", "weight": 0, "card": {"title": "never"}},
            ]}))
            .await;
        let report = world.launched(&running.sender, campaign).await;
        assert_eq!(report.written, 400);
        let mut members = [0; 3];
        for n in 0..400 {
            let cards = world.cards_of(&format!("u{n}"), campaign).await;
            let card = &cards[0];
            members[usize::from(card.variant)] += 1;
            let is_control = card.content.card_type == CardType::Control;
            assert_eq!(is_control, card.variant == 1);
            assert_eq!(card.content.title.is_none(), is_control);
        }
        assert!((80..=160).contains(&members[1]), "30% of 400: {members:?}");
        assert_eq!(members[2], 0);
    }
}
