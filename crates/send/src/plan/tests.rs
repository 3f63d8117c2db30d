//! Planning on paper: shapes, fetches, chunks. Also the plain campaign that other tests begin with.

use corkboard_core::campaign::{CampaignState, Variant};
use corkboard_core::id::CampaignId;
use corkboard_core::time::Timestamp;
use corkboard_template::Limits;
use serde_json::{Value, json};

use super::*;

/// A draft with these variants; everything else as plain as can be.
pub(crate) fn campaign(variants: Value) -> Campaign {
    let variants: Vec<Variant> = serde_json::from_value(variants).unwrap();
    let mut definition: CampaignDefinition = serde_json::from_value(
        json!({"name": "n", "expiry": {"ttl_seconds": 3_600}, "variants": []}),
    )
    .unwrap();
    definition.variants = variants;
    Campaign {
        id: CampaignId::generate(Timestamp::EPOCH),
        workspace: WorkspaceId::generate(Timestamp::EPOCH),
        state: CampaignState::Draft,
        version: 1,
        definition,
        created_at: Timestamp::EPOCH,
        updated_at: Timestamp::EPOCH,
        cancelled_at: None,
    }
}

fn plan(definition: &CampaignDefinition, audience: u64) -> Plan {
    let compiled = CompiledCampaign::compile(definition, &Limits::default()).unwrap();
    Plan::of(definition, &compiled, audience)
}

fn shape_after(change: impl FnOnce(&mut CampaignDefinition)) -> Shape {
    let mut definition = campaign(json!([{"name": "A", "card": {"title": "hi"}}])).definition;
    change(&mut definition);
    plan(&definition, 1).shape
}

fn changed(definition: &mut CampaignDefinition, field: &str, value: Value) {
    let mut json = serde_json::to_value(&*definition).unwrap();
    json[field] = value;
    *definition = serde_json::from_value(json).unwrap();
}

#[test]
fn the_same_card_for_everybody_is_a_broadcast() {
    assert_eq!(shape_after(|_| {}), Shape::Broadcast);
}

#[test]
fn whatever_tells_users_apart_makes_it_a_pointer() {
    let apart = [
        (
            "audience",
            json!({"attribute": "plan", "op": "eq", "value": "pro"}),
        ),
        (
            "expiry",
            json!({"at": "2026-12-24T18:00:00", "local_time": true}),
        ),
        ("delivery", json!({"kind": "api"})),
        ("delivery", json!({"kind": "event", "event": "x"})),
        ("creation", json!("at_first_impression")),
        (
            "variants",
            json!([{"name": "A", "card": {"title": "a"}}, {"name": "B", "card": {"title": "b"}}]),
        ),
        ("variants", json!([{"name": "A", "control": true}])),
    ];
    for (field, value) in apart {
        let shape = shape_after(|definition| changed(definition, field, value.clone()));
        assert_eq!(shape, Shape::Pointer, "{field}: {value}");
    }
}

#[test]
fn liquid_about_the_user_makes_it_personal() {
    let titled = |title: &str| {
        shape_after(|definition| {
            changed(
                definition,
                "variants",
                json!([{"name": "A", "card": {"title": title}}]),
            );
        })
    };
    assert_eq!(titled("Hi {{ user.first_name }}"), Shape::Personal);
}

#[test]
fn fetches_are_counted_per_user_and_a_literal_url_once() {
    let of = |title: &str| {
        let campaign = campaign(json!([
            {"name": "A", "weight": 90, "card": {"title": title}},
            {"name": "control", "weight": 10, "control": true},
        ]));
        let plan = plan(&campaign.definition, 1_000);
        (plan.fetches_estimate, plan.hosts)
    };
    let literal = "{% connected_content https://a.example/x :save r %}{{ r.x }}";
    let personal = "{% connected_content https://a.example/{{ user.user_id }} :save r %}{{ r.x }}";
    assert_eq!(of("no fetch"), (0, vec![]));
    assert_eq!(of(literal), (1, vec!["a.example".to_owned()]));
    assert_eq!(of(personal), (900, vec!["a.example".to_owned()]));
    assert_eq!(of(&format!("{literal}{personal}")).0, 901);
    assert_eq!(
        of("{% connected_content {{ user.link }} :save r %}{{ r.x }}"),
        (900, vec!["dynamic".to_owned()])
    );
}

#[test]
fn chunks_follow_the_audience_and_cover_every_slot_once() {
    for (audience, parts) in [
        (0, 1),
        (2_000, 1),
        (2_001, 2),
        (100_000, 50),
        (500_000, 65),
        (5_000_000, 313),
        (u64::MAX, 4_096),
    ] {
        let chunks = scan_chunks(audience);
        assert_eq!(chunks.len(), parts, "{audience}");
        let slots: usize = chunks
            .iter()
            .map(|chunk| match chunk {
                ChunkWork::Scan { slots } => {
                    usize::from(slots.last.number() - slots.first.number()) + 1
                }
                ChunkWork::Recipients { .. } => 0,
            })
            .sum();
        assert_eq!(slots, usize::from(SLOT_COUNT));
    }
}
