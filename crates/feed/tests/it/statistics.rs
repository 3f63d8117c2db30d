//! Counts by variant and day.

use corkboard_core::dispatch::Shape;
use corkboard_core::id::{CampaignId, Id};
use corkboard_feed::FeedError;
use serde_json::json;

use crate::world::{World, definition, titled};

#[tokio::test]
async fn variants_are_in_their_order_with_totals_and_days() {
    let world = World::new().await;
    let campaign = world
        .campaign(definition(json!({
            "expiry": {"ttl_seconds": 864_000},
            "variants": [
                {"name": "Z", "card": {"title": "z"}},
                {"name": "A", "card": {"title": "a"}},
                {"name": "control", "control": true},
            ],
        })))
        .await;
    let dispatch = world.dispatch(&campaign, Shape::Personal).await;
    let ada = world.give_variant(&dispatch, "ada", 1, titled("a")).await;
    world.give_variant(&dispatch, "bob", 0, titled("z")).await;
    world.report("ada", ada, "impression").await;
    world.later(86_400);
    world.report("ada", ada, "impression").await;
    world.report("ada", ada, "click").await;
    let stats = world
        .feeds
        .stats(world.workspace, campaign.id, true)
        .await
        .unwrap();
    let shown = serde_json::to_value(&stats).unwrap();
    assert_eq!(
        shown["variants"][1],
        json!({
            "name": "A", "control": false, "sent": 1, "impressions": 2, "unique_impressions": 1,
            "clicks": 1, "unique_clicks": 1, "dismissals": 0, "unique_dismissals": 0,
            "days": [
                {"day": "2026-11-21", "sent": 1, "impressions": 1, "unique_impressions": 1,
                 "clicks": 0, "unique_clicks": 0, "dismissals": 0, "unique_dismissals": 0},
                {"day": "2026-11-22", "sent": 0, "impressions": 1, "unique_impressions": 0,
                 "clicks": 1, "unique_clicks": 1, "dismissals": 0, "unique_dismissals": 0},
            ],
        })
    );
    let names: Vec<&str> = stats
        .variants
        .iter()
        .map(|variant| variant.name.as_str())
        .collect();
    assert_eq!(names, ["Z", "A", "control"]);
    assert_eq!(
        (stats.variants[0].sent, stats.variants[2].sent),
        (Some(1), Some(0))
    );
}

#[tokio::test]
async fn a_broadcast_has_an_estimate_in_place_of_what_was_sent() {
    let world = World::new().await;
    let campaign = world.broadcast(json!({})).await;
    let stats = world
        .feeds
        .stats(world.workspace, campaign.id, false)
        .await
        .unwrap();
    let shown = serde_json::to_value(&stats).unwrap();
    assert_eq!(shown["variants"][0]["sent"], json!(null));
    assert_eq!(shown["variants"][0]["audience_estimate"], json!(42));
    assert_eq!(shown["variants"][0].get("days"), None);
}

#[tokio::test]
async fn a_campaign_nobody_knows_has_no_counts() {
    let world = World::new().await;
    let nobody = CampaignId::from_bytes([1; 16]);
    let error = world
        .feeds
        .stats(world.workspace, nobody, false)
        .await
        .unwrap_err();
    assert!(matches!(error, FeedError::NoSuchCampaign));
    let draft = world.campaign(definition(json!({}))).await;
    let stats = world
        .feeds
        .stats(world.workspace, draft.id, true)
        .await
        .unwrap();
    assert_eq!(
        (stats.variants[0].sent, stats.variants[0].days.as_deref()),
        (Some(0), Some(&[][..]))
    );
}
