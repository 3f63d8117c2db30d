//! Events count once, for the right card, at a believable time.

use corkboard_core::id::{CardId, Id};
use corkboard_core::time::Day;
use corkboard_store::CardStore;
use serde_json::json;

use crate::world::{World, time, user};

#[tokio::test]
async fn a_repeated_report_is_accepted_and_counts_once() {
    let world = World::new().await;
    let (dispatch, card) = world.card("ada", json!({})).await;
    let event = json!({"card_id": card, "kind": "click", "at": "2026-11-21T10:00:00Z"});
    for _ in 0..3 {
        let recorded = world.report_all("ada", json!([event, event])).await;
        assert_eq!((recorded.accepted, recorded.unknown.len()), (2, 0));
    }
    let stats = world
        .feeds
        .stats(world.workspace, dispatch.campaign, false)
        .await
        .unwrap();
    assert_eq!(
        (stats.variants[0].clicks, stats.variants[0].unique_clicks),
        (1, 1)
    );
    let shown = &world.feed("ada").await["cards"][0];
    assert_eq!(
        (&shown["clicked"], &shown["seen"]),
        (&json!(true), &json!(false))
    );
}

#[tokio::test]
async fn cards_of_others_and_malformed_ids_are_unknown() {
    let world = World::new().await;
    let (_, card) = world.card("ada", json!({})).await;
    let unheard = CardId::from_bytes([3; 16]).to_string();
    let (dispatch, _) = world.card("bob", json!({})).await;
    let recorded = world
        .report_all(
            "bob",
            json!([
                {"card_id": card, "kind": "impression"},
                {"card_id": "nonsense", "kind": "impression"},
                {"card_id": "nonsense", "kind": "click"},
                {"card_id": dispatch.campaign, "kind": "impression"},
                {"card_id": unheard, "kind": "dismiss"},
            ]),
        )
        .await;
    let unknown = [
        card.to_string(),
        "nonsense".to_owned(),
        dispatch.campaign.to_string(),
        unheard,
    ];
    assert_eq!((recorded.accepted, recorded.unknown), (0, unknown.to_vec()));
    assert_eq!(world.feed("ada").await["unread"], json!(1));
}

#[tokio::test]
async fn events_on_a_broadcast_are_each_users_own() {
    let world = World::new().await;
    let campaign = world.broadcast(json!({})).await;
    let card = world.feed("ada").await["cards"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(world.report("ada", &card, "impression").await.accepted, 1);
    assert_eq!(world.report("bob", &card, "impression").await.accepted, 1);
    assert_eq!(world.report("bob", &card, "dismiss").await.accepted, 1);
    assert_eq!(world.feed("ada").await["cards"][0]["seen"], json!(true));
    assert_eq!(world.titles("bob").await.len(), 0);
    assert_eq!(world.feed("cy").await["unread"], json!(1));
    let stats = world
        .feeds
        .stats(world.workspace, campaign.id, false)
        .await
        .unwrap();
    let counts = &stats.variants[0];
    assert_eq!(
        (counts.unique_impressions, counts.unique_dismissals),
        (2, 1)
    );
}

#[tokio::test]
async fn a_dismissal_of_what_cannot_be_dismissed_is_refused_and_nothing_is_recorded() {
    let world = World::new().await;
    let (dispatch, card) = world.card("ada", json!({"dismissible": false})).await;
    let recorded = world.report("ada", card, "dismiss").await;
    assert_eq!(
        (recorded.accepted, &recorded.refused),
        (0, &vec![card.to_string()])
    );
    assert_eq!(world.titles("ada").await.len(), 1);
    let stats = world
        .feeds
        .stats(world.workspace, dispatch.campaign, false)
        .await
        .unwrap();
    assert_eq!(stats.variants[0].dismissals, 0);
    let text = serde_json::to_value(world.report("ada", card, "click").await).unwrap();
    assert_eq!(text, json!({"accepted": 1, "unknown": []}));
}

#[tokio::test]
async fn unbelievable_times_are_pulled_to_now_or_to_the_cards_creation() {
    let world = World::new().await;
    let (dispatch, card) = world
        .card("ada", json!({"expiry": {"ttl_seconds": 864_000}}))
        .await;
    world.later(2 * 86_400);
    let at = |at: &str| json!({"card_id": card, "kind": "impression", "at": at});
    let events = json!([
        at("1970-01-01T00:00:00Z"),
        at("2026-11-22T10:00:00Z"),
        at("2026-11-23T10:04:59Z"),
        at("2026-11-23T10:05:01Z"),
        at("9999-01-01T00:00:00Z"),
    ]);
    assert_eq!(world.report_all("ada", events).await.accepted, 5);
    let rows = world
        .cards
        .campaign_counts(world.workspace, dispatch.campaign)
        .await
        .unwrap();
    let mut days: Vec<(Day, u64)> = rows
        .iter()
        .filter(|row| row.counts.impressions > 0)
        .map(|row| (row.day, row.counts.impressions))
        .collect();
    days.sort_unstable();
    let day = |text: &str| time(text).day();
    // Those that lie ahead are counted as of now, each once.
    let wanted = [
        (day("2026-11-21T00:00:00Z"), 1),
        (day("2026-11-22T00:00:00Z"), 1),
        (day("2026-11-23T00:00:00Z"), 3),
    ];
    assert_eq!(days, wanted);
}

#[tokio::test]
async fn late_events_count_for_a_day_after_the_card_has_gone() {
    let world = World::new().await;
    let (_, card) = world
        .card("ada", json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    let broadcast = world
        .broadcast(json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    let cancelled = world.broadcast(json!({})).await;
    let shown = world.feed("ada").await;
    assert_eq!(shown["cards"].as_array().unwrap().len(), 3);
    world.stop(cancelled.id, true).await;
    world.later(3_600);
    for gone in [broadcast.id, cancelled.id] {
        let gone = corkboard_core::identity::broadcast_card_id(gone, 0);
        assert_eq!(
            world.report("ada", gone, "impression").await.accepted,
            1,
            "{gone}"
        );
    }
    assert_eq!(world.report("ada", card, "impression").await.accepted, 1);
    world.later(3 * 86_400);
    assert_eq!(
        world.report("ada", card, "click").await.unknown,
        [card.to_string()]
    );
}

#[tokio::test]
async fn what_was_dismissed_on_one_device_is_gone_on_the_other_and_it_is_told() {
    let world = World::new().await;
    let (_, card) = world.card("ada", json!({})).await;
    let mut other = world
        .feeds
        .subscribe(world.workspace, &user("ada"))
        .unwrap();
    world.report("ada", card, "dismiss").await;
    let hint = other.next().await.unwrap();
    let feed = world.feed("ada").await;
    assert_eq!(feed["cards"], json!([]));
    assert_eq!(hint.cursor, feed["cursor"].as_str().unwrap());
}
