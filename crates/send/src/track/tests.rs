//! Which dispatches answer a report, and whose cards it ends.

use corkboard_core::id::Id;
use corkboard_core::time::Timestamp;
use serde_json::json;

use super::*;
use crate::plan::tests::campaign;

fn event(user: &str, name: &str, particular: u8) -> UserEvent {
    let workspace = WorkspaceId::from_bytes([7; 16]);
    let user = UserId::parse(user).unwrap();
    UserEvent {
        id: corkboard_core::identity::event_id(workspace, &user, name, &[particular]),
        workspace,
        user,
        name: name.to_owned(),
        at: Timestamp::EPOCH,
        properties: Map::from_iter([("n".to_owned(), json!(particular))]),
    }
}

fn card() -> serde_json::Value {
    json!([{"name": "A", "card": {"title": "hi"}}])
}

#[test]
fn one_card_for_ever_means_one_dispatch_with_every_user_once() {
    let events = [event("a", "x", 1), event("b", "x", 2), event("a", "x", 3)];
    let answers = answers(&campaign(card()), events.iter());
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].events, [events[0].id, events[1].id]);
    assert_eq!(
        answers[0].recipients[0].properties["n"], 1,
        "the first event gives the card"
    );
}

#[test]
fn a_campaign_that_gives_more_answers_each_event_by_itself() {
    let mut campaign = campaign(card());
    campaign.definition.reeligible_after_seconds = Some(0);
    let events = [event("a", "x", 1), event("a", "x", 2), event("a", "x", 2)];
    let events_of = |events: &[UserEvent]| -> Vec<_> {
        answers(&campaign, events.iter())
            .into_iter()
            .flat_map(|answer| answer.events)
            .collect()
    };
    assert_eq!(events_of(&events), [events[0].id, events[1].id]);
    assert_eq!(
        events_of(&events[1..]),
        [events[1].id],
        "whatever company it is in"
    );
}

#[test]
fn a_removal_is_gathered_by_user() {
    let mut campaign = campaign(card());
    campaign.definition.remove_on = vec!["bought".to_owned(), "left".to_owned()];
    let events = [
        event("a", "bought", 1),
        event("a", "left", 2),
        event("b", "looked", 3),
    ];
    let campaigns = [campaign];
    let by_user = users_by_campaigns(&campaigns, &events);
    let found: Vec<_> = by_user
        .iter()
        .map(|(user, ends)| (user.as_str(), ends.len()))
        .collect();
    assert_eq!(found, [("a", 2)]);
}
