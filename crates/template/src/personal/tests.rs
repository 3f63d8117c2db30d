//! What a card is made of: names, dialects, reasons for none, problems with their places.

#![expect(
    clippy::needless_pass_by_value,
    reason = "`json!` values read better unborrowed"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use corkboard_core::connected::{FetchBody, FetchRequest, FetchResponse, FetchScope};
use corkboard_core::id::{DispatchId, WorkspaceId};
use corkboard_core::time::Timestamp;
use corkboard_core::user::User;
use serde_json::{Map, Value, json};

use super::*;

/// Answers every fetch with the same body and remembers what was asked.
#[derive(Debug, Default)]
struct Fetcher {
    body: Option<Value>,
    asked: Mutex<Vec<String>>,
}

#[async_trait]
impl ConnectedContent for Fetcher {
    async fn fetch(&self, _: FetchScope, request: FetchRequest) -> FetchResponse {
        self.asked.lock().unwrap().push(request.url);
        match &self.body {
            Some(body) => FetchResponse {
                status: 200,
                body: FetchBody::Json(body.clone().into()),
                ..FetchResponse::default()
            },
            None => FetchResponse {
                status: 599,
                ..FetchResponse::default()
            },
        }
    }
}

fn definition(variants: Value) -> CampaignDefinition {
    let definition = json!({"name": "Winter", "expiry": {"ttl_seconds": 60}, "variants": variants});
    serde_json::from_value(definition).unwrap()
}

fn compiled(variants: Value) -> CompiledCampaign {
    CompiledCampaign::compile(&definition(variants), &Limits::default()).unwrap()
}

fn titled(title: &str) -> CompiledCampaign {
    compiled(json!([{"name": "A", "card": {"title": title}}]))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

async fn personalise(
    compiled: &CompiledCampaign,
    attributes: Value,
    fetcher: &Fetcher,
) -> Result<Personalised, NotRendered> {
    let mut user = User::unknown(UserId::parse("ada").unwrap(), Timestamp::EPOCH);
    (user.attributes, user.events) = (object(attributes), BTreeMap::new());
    let properties = object(json!({"sku": "X1"}));
    let event_properties = object(json!({"price": 7}));
    let job = Job {
        workspace: WorkspaceId::generate(Timestamp::EPOCH),
        campaign: CampaignId::generate(Timestamp::EPOCH),
        campaign_name: "Winter",
        dispatch: Some(DispatchId::generate(Timestamp::EPOCH)),
        variant: 0,
        user: &user,
        properties: &properties,
        event_properties: &event_properties,
        now: Timestamp::from_seconds(1_795_255_200),
        card_bytes: 2_048,
    };
    compiled.personalise(&job, fetcher).await
}

async fn title_of(title: &str, attributes: Value) -> String {
    let card = personalise(&titled(title), attributes, &Fetcher::default()).await;
    card.unwrap().content.title.unwrap()
}

#[tokio::test]
async fn both_dialects_name_the_same_data() {
    let ada = json!({"first_name": "Ada", "plan": "pro", "user_id": "impostor"});
    let pairs = [
        ("{{ user.first_name }}", "{{${first_name}}}", "Ada"),
        ("{{ user.user_id }}", "{{ ${user_id} }}", "ada"),
        ("{{ user.plan }}", "{{custom_attribute.${plan}}}", "pro"),
        (
            "{{ properties.sku }}",
            "{{api_trigger_properties.${sku}}}",
            "X1",
        ),
        (
            "{{ event_properties.price }}",
            "{{event_properties.${price}}}",
            "7",
        ),
        ("{{ campaign.name }}", "{{campaign.${name}}}", "Winter"),
    ];
    for (plain, dollar, wanted) in pairs {
        assert_eq!(title_of(plain, ada.clone()).await, wanted, "{plain}");
        assert_eq!(title_of(dollar, ada.clone()).await, wanted, "{dollar}");
    }
}

#[tokio::test]
async fn attributes_are_not_names_of_their_own() {
    let ada = json!({"first_name": "Ada"});
    assert_eq!(title_of("Hi {{ first_name }}!", ada).await, "Hi !");
}

#[tokio::test]
async fn extras_that_are_texts_are_templates_and_others_pass_through() {
    let compiled = compiled(json!([{"name": "A", "card": {"title": "t",
        "extras": {"z": "{{ user.n }}", "a": 1, "list": ["{{ user.n }}"]}}}]));
    let card = personalise(&compiled, json!({"n": 5}), &Fetcher::default())
        .await
        .unwrap();
    assert_eq!(
        Value::Object(card.content.extras),
        json!({"z": "5", "a": 1, "list": ["{{ user.n }}"]})
    );
}

#[tokio::test]
async fn a_control_variant_has_an_empty_card_and_renders_nothing() {
    let compiled = compiled(json!([{"name": "none", "control": true}]));
    let fetcher = Fetcher::default();
    let card = personalise(&compiled, json!({}), &fetcher).await.unwrap();
    assert_eq!(card.content, CardContent::control());
    assert!(compiled.is_static());
}

#[tokio::test]
async fn each_way_of_getting_no_card_has_its_reason() {
    let reason = async |title: &str, attributes: Value| {
        let outcome = personalise(&titled(title), attributes, &Fetcher::default()).await;
        let not = outcome.unwrap_err();
        (not.reason, not.detail)
    };
    let abort = "{% if user.x == nil %}{% abort_message('no x') %}{% endif %}";
    assert_eq!(
        reason(abort, json!({})).await,
        (SkipReason::Aborted, "no x".to_owned())
    );
    let (failed, detail) = reason("{{ 1 | divided_by: user.zero }}", json!({"zero": 0})).await;
    assert_eq!(failed, SkipReason::RenderFailed);
    assert!(
        detail.starts_with("title: ") && detail.contains("line 1"),
        "{detail}"
    );
    let long = json!({"long": "x".repeat(3_000)});
    assert_eq!(
        reason("{{ user.long }}", long).await.0,
        SkipReason::CardTooLarge
    );
    let nul = json!({"nul": "a\0b"});
    assert_eq!(
        reason("{{ user.nul }}", nul).await.0,
        SkipReason::RenderFailed
    );
}

#[tokio::test]
async fn a_fetch_is_traced_and_its_result_is_in_the_card() {
    let compiled = titled(
        "{% connected_content https://a.example/{{ user.user_id }} :save offer %}{{ offer.text }}",
    );
    let fetcher = Fetcher {
        body: Some(json!({"text": "10% off"})),
        ..Fetcher::default()
    };
    let card = personalise(&compiled, json!({}), &fetcher).await.unwrap();
    assert_eq!(card.content.title.as_deref(), Some("10% off"));
    assert_eq!(card.trace.len(), 1);
    assert_eq!(*fetcher.asked.lock().unwrap(), ["https://a.example/ada"]);
    let sites: Vec<usize> = compiled.fetch_sites().map(<[FetchSite]>::len).collect();
    assert_eq!(sites, [1]);
}

#[tokio::test]
async fn a_card_without_what_its_type_needs_carries_a_warning() {
    let card = personalise(&titled("{{ user.none }}"), json!({}), &Fetcher::default()).await;
    assert_eq!(
        card.unwrap().warnings,
        ["/title: is required for type classic"]
    );
}

#[test]
fn what_reads_no_data_is_rendered_once() {
    let compiled = titled("{% comment %}c{% endcomment %}{{ 'hi' | upcase }}");
    assert!(compiled.is_static());
    assert_eq!(
        compiled.static_content(0).unwrap().title.as_deref(),
        Some("HI")
    );
    assert_eq!(titled("{{ user.x }}").static_content(0), None);
}

#[test]
fn every_problem_has_a_path_a_line_and_a_column() {
    let definition = definition(json!([
        {"name": "A", "card": {"title": "ok", "description": "{{ x"}},
        {"name": "B", "card": {"title": "\n  {% nope %}", "extras": {"a/b": "{{"}}},
        {"name": "C"},
    ]));
    let problems = CompiledCampaign::compile(&definition, &Limits::default()).unwrap_err();
    let paths: Vec<&str> = problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/variants/0/card/description",
            "/variants/1/card/title",
            "/variants/1/card/extras/a~1b",
            "/variants/2/card"
        ]
    );
    assert!(
        problems[1].message.contains("(line 2, column 3)\n2 |"),
        "{}",
        problems[1].message
    );
}

#[test]
fn a_card_too_large_for_everybody_is_known_before_it_is_sent() {
    let large = "x".repeat(2_000);
    let problems = titled(&large).too_large(1_999);
    assert_eq!(problems[0].path, "/variants/0/card");
    assert!(titled(&large).too_large(2_000).is_empty());
}

#[test]
fn own_properties_win_over_those_of_all() {
    let (of_all, own) = (object(json!({"a": 1, "b": 1})), object(json!({"b": 2})));
    let both = merged(&of_all, &own).into_owned();
    assert_eq!(Value::Object(both), json!({"a": 1, "b": 2}));
}

#[tokio::test]
async fn message_extras_stand_among_the_extras_and_never_replace_the_cards_own() {
    let title = "x{% message_extras :key offer :value {{ user.n }} %}{% message_extras :key own :value other %}";
    let card = json!({"title": title, "extras": {"own": "{{ user.n }}!"}});
    let campaign = json!({"name": "n", "expiry": {"ttl_seconds": 60}, "variants": [{"name": "A", "card": card}]});
    let definition: CampaignDefinition = serde_json::from_value(campaign).expect("a definition");
    let compiled = CompiledCampaign::compile(&definition, &Limits::default()).expect("compiles");
    let mut user = User::unknown(UserId::parse("u").expect("an id"), Timestamp::EPOCH);
    user.attributes.insert("n".to_owned(), json!(7));
    let none = Map::new();
    let job = Job {
        workspace: WorkspaceId::generate(Timestamp::EPOCH),
        campaign: CampaignId::generate(Timestamp::EPOCH),
        campaign_name: "n",
        dispatch: None,
        variant: 0,
        user: &user,
        properties: &none,
        event_properties: &none,
        now: Timestamp::EPOCH,
        card_bytes: 2_048,
    };
    let made = compiled
        .personalise(&job, &Fetcher::default())
        .await
        .expect("a card");
    let extras = serde_json::to_value(&made.content.extras).expect("JSON");
    assert_eq!(extras, json!({"own": "7!", "offer": "7"}));
}

#[test]
fn a_compile_error_shows_the_line_with_a_caret() {
    let campaign = json!({"name": "n", "expiry": {"ttl_seconds": 60},
        "variants": [{"name": "A", "card": {"title": "a\n{{ b | nosuch }}"}}]});
    let definition: CampaignDefinition = serde_json::from_value(campaign).expect("a definition");
    let problems = CompiledCampaign::compile(&definition, &Limits::default()).expect_err("broken");
    let (first, excerpt) = problems[0].message.split_once('\n').expect("two parts");
    assert!(first.contains("(line 2, column "), "{first}");
    let (line, caret) = excerpt.split_once('\n').expect("a line and a caret");
    assert_eq!(line, "2 | {{ b | nosuch }}");
    assert_eq!(caret.find('^'), line.find("nosuch"));
}
