//! Why a user has, or has not, a card: every answer once.

use corkboard_core::campaign::Campaign;
use corkboard_core::dispatch::{DispatchState, Shape};
use corkboard_core::id::{CampaignId, Id};
use corkboard_core::slot::SlotRange;
use corkboard_feed::{Explanation, FeedError};
use corkboard_store::control_store::ChunkWork;
use serde_json::{Value, json};

use crate::world::{World, definition, titled, user};

impl World {
    async fn why(&self, name: &str, campaign: CampaignId) -> Explanation {
        self.feeds
            .explain(self.workspace, &user(name), campaign)
            .await
            .unwrap()
    }

    async fn reason(&self, name: &str, campaign: &Campaign) -> String {
        let answer = self.why(name, campaign.id).await;
        assert!(!answer.has_card, "{answer:?}");
        answer.reason
    }

    async fn made(&self, changes: Value) -> Campaign {
        self.campaign(definition(changes)).await
    }
}

#[tokio::test]
async fn a_card_that_is_there_or_was_says_what_became_of_it() {
    let world = World::new().await;
    world.track("ada", json!({})).await;
    let (sent, card) = world.card("ada", json!({})).await;
    let why = world.why("ada", sent.campaign).await;
    assert_eq!((why.has_card, why.card_id), (true, Some(card)));
    assert_eq!(why.reason, "the card is in the feed");
    assert_eq!(why.details, ["variant 'A', expiry 2026-11-22T10:00:00Z"]);

    world.report("ada", card, "impression").await;
    world.report("ada", card, "dismiss").await;
    let why = world.why("ada", sent.campaign).await;
    assert!(!why.has_card);
    assert_eq!(why.reason, "dismissed by the user at 2026-11-21T10:00:00Z");
    assert_eq!(
        why.details[1..],
        [
            "seen at 2026-11-21T10:00:00Z",
            "the campaign gives each user one card"
        ]
    );

    let (removed, card) = world
        .card("ada", json!({"reeligible_after_seconds": 60}))
        .await;
    world
        .feeds
        .remove_card(world.workspace, &user("ada"), card)
        .await
        .unwrap();
    let why = world.why("ada", removed.campaign).await;
    assert_eq!(
        (why.reason.as_str(), why.details.last().unwrap().as_str()),
        (
            "taken back from this user at 2026-11-21T10:00:00Z, by an event or by hand",
            "not eligible for another card until 2026-11-21T10:01:00Z"
        )
    );

    let (expired, _) = world
        .card("ada", json!({"expiry": {"ttl_seconds": 60}}))
        .await;
    world.later(120);
    let why = world.why("ada", expired.campaign).await;
    assert_eq!(why.reason, "expired at 2026-11-21T10:01:00Z");
    world.later(3 * 86_400);
    let why = world.why("ada", expired.campaign).await;
    assert_eq!(
        why.reason,
        "has had a card of 2026-11-21T10:00:00Z, which has expired"
    );
}

#[tokio::test]
async fn a_control_group_and_a_broadcast_say_so() {
    let world = World::new().await;
    let campaign = world
        .made(json!({"variants": [{"name": "none", "control": true}]}))
        .await;
    let dispatch = world.dispatch(&campaign, Shape::Pointer).await;
    world
        .give(
            &dispatch,
            "ada",
            corkboard_core::card::CardContent::control(),
        )
        .await;
    let why = world.why("ada", campaign.id).await;
    assert!(why.has_card);
    assert_eq!(
        why.reason,
        "in the control group 'none': the card is counted and shows nothing"
    );

    let broadcast = world.broadcast(json!({})).await;
    let why = world.why("new", broadcast.id).await;
    assert!(why.has_card);
    assert_eq!(why.reason, "a broadcast: everybody has the card");
    assert_eq!(
        why.details.last().unwrap(),
        "nothing is known about this user: never tracked"
    );
    world.stop(broadcast.id, true).await;
    let reason = world.reason("new", &broadcast).await;
    assert_eq!(
        reason,
        "the campaign was stopped and its cards taken back at 2026-11-21T10:00:00Z"
    );
}

#[tokio::test]
async fn what_was_not_sent_says_why() {
    let world = World::new().await;
    let draft = world.made(json!({})).await;
    assert_eq!(
        world.reason("ada", &draft).await,
        "the campaign is a draft: it has not been launched"
    );

    let planned = world.made(json!({})).await;
    world
        .dispatch_as(
            &planned,
            Shape::Personal,
            DispatchState::Planned,
            Vec::new(),
            0,
        )
        .await;
    assert_eq!(
        world.reason("ada", &planned).await,
        "the launch is scheduled for 2026-11-21T11:00:00Z"
    );
    let unknown = CampaignId::from_bytes([1; 16]);
    let error = world
        .feeds
        .explain(world.workspace, &user("ada"), unknown)
        .await
        .unwrap_err();
    assert!(matches!(error, FeedError::NoSuchCampaign));
}

#[tokio::test]
async fn who_does_not_fit_is_told_what_was_wanted() {
    let world = World::new().await;
    let audience = json!({"all": [{"attribute": "plan", "op": "eq", "value": "pro"}]});
    let campaign = world.made(json!({"audience": audience})).await;
    world.track("ada", json!({"plan": "free"})).await;
    world.dispatch(&campaign, Shape::Personal).await;
    assert_eq!(
        world.reason("ada", &campaign).await,
        "not in the audience: plan is 'free', wanted 'pro'"
    );
    assert_eq!(
        world.why("ada", campaign.id).await.details,
        ["would be in variant 'A'"]
    );
}

#[tokio::test]
async fn what_is_still_to_come_says_when() {
    let world = World::new().await;
    world.track("ada", json!({})).await;
    let chunks = vec![ChunkWork::Scan {
        slots: SlotRange::ALL,
    }];
    let running = world.made(json!({})).await;
    let dispatch = world
        .dispatch_as(&running, Shape::Personal, DispatchState::Running, chunks, 0)
        .await;
    let why = world.why("ada", running.id).await;
    assert_eq!(why.reason, format!("{} is still being sent", dispatch.id));
    assert!(
        why.details
            .contains(&format!("1 of 1 parts of {} are left", dispatch.id))
    );

    let opening = world.made(json!({"creation": "at_first_impression"})).await;
    let state = DispatchState::Running;
    world
        .dispatch_as(&opening, Shape::Pointer, state, Vec::new(), 0)
        .await;
    let reason = world.reason("ada", &opening).await;
    assert_eq!(reason, "the card is made when the user next opens the feed");
    world.stop(opening.id, false).await;
    let reason = world.reason("ada", &opening).await;
    assert_eq!(
        reason,
        "the campaign was stopped before the user got a card"
    );
}

#[tokio::test]
async fn who_was_not_reached_by_what_was_sent_is_told_how_that_can_be() {
    let world = World::new().await;
    world.track("early", json!({})).await;
    let launched = world.made(json!({})).await;
    let dispatch = world.dispatch(&launched, Shape::Personal).await;
    world.give(&dispatch, "somebody", titled("x")).await;
    world.later(1);
    world.track("late", json!({})).await;
    assert_eq!(
        world.reason("late", &launched).await,
        "the user was not known when the campaign was sent at 2026-11-21T10:00:00Z"
    );
    assert_eq!(
        world.reason("early", &launched).await,
        "was skipped, or was not in the audience when the campaign was sent at 2026-11-21T10:00:00Z"
    );
    let api = world.made(json!({"delivery": {"kind": "api"}})).await;
    world.dispatch(&api, Shape::Personal).await;
    assert_eq!(
        world.reason("early", &api).await,
        "no trigger has given this user a card"
    );
    let event = world
        .made(json!({"delivery": {"kind": "event", "event": "bought"}}))
        .await;
    world.dispatch(&event, Shape::Personal).await;
    assert_eq!(
        world.reason("early", &event).await,
        "the event 'bought' never happened to this user"
    );
    world.later(2 * 86_400);
    assert_eq!(
        world.reason("early", &launched).await,
        "the cards of this campaign expired at 2026-11-22T10:00:00Z"
    );
}

#[tokio::test]
async fn a_card_that_was_over_in_the_users_time_zone_says_so() {
    let world = World::new().await;
    world.track("ada", json!({"time_zone": "Asia/Tokyo"})).await;
    let expiry = json!({"at": "2026-11-21T12:00:00", "local_time": true});
    let sent = world.made(json!({ "expiry": expiry })).await;
    world.dispatch(&sent, Shape::Pointer).await;
    assert_eq!(
        world.reason("ada", &sent).await,
        "the card would have expired at 2026-11-21T03:00:00Z, by the clock of the user's time zone"
    );
}
