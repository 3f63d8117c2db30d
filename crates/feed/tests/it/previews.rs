//! Previews: the same engine, the same fetches, nothing kept.

use corkboard_feed::{FeedError, FeedOptions, Preview, PreviewRequest, PreviewUser};
use serde_json::{Value, json};

use crate::world::{World, user};

impl World {
    async fn preview(&self, card: Value, of: PreviewUser) -> Result<Preview, FeedError> {
        let request = PreviewRequest {
            card: serde_json::from_value(card).unwrap(),
            user: of,
            properties: json!({"sku": "X1"}).as_object().unwrap().clone(),
        };
        self.feeds.preview(self.workspace, request).await
    }
}

fn given(attributes: Value) -> PreviewUser {
    match attributes {
        Value::Object(attributes) => PreviewUser::Given(attributes),
        other => panic!("{other} is not an object"),
    }
}

#[tokio::test]
async fn the_card_comes_with_every_fetch_and_its_size() {
    let world = World::new().await;
    world
        .endpoint
        .answers("https://shop.example/X1", json!({"price": 7}));
    let card = json!({
        "title": "Hi {{ user.first_name }}",
        "description": "{% connected_content https://shop.example/{{ properties.sku | url_param_escape }} :save p %}\
            {% if p.__http_status_code__ == 200 %}{{ p.price }}{% endif %}",
    });
    let preview = world
        .preview(card, given(json!({"first_name": "Ada"})))
        .await
        .unwrap();
    let shown = serde_json::to_value(&preview).unwrap();
    assert_eq!(
        shown["card"],
        json!({"type": "classic", "title": "Hi Ada", "description": "7", "extras": {}})
    );
    assert_eq!(
        (&shown["size"], &shown["warnings"]),
        (&json!(7), &json!([]))
    );
    assert_eq!(
        (&shown["aborted"], &shown["error"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(
        shown["trace"],
        json!([{
            "field": "description", "method": "GET", "url": "https://shop.example/X1", "status": 200,
            "source": "network", "elapsed_ms": 0, "bytes": 10, "problem": null,
        }])
    );
    let cards = world
        .feeds
        .user_cards(world.workspace, &user("preview"))
        .await
        .unwrap();
    assert_eq!(cards.len(), 0, "nothing is kept");
}

#[tokio::test]
async fn what_an_author_should_know_is_a_warning() {
    let options = FeedOptions {
        card_bytes: 20,
        ..FeedOptions::default()
    };
    let world = World::with(options).await;
    let card = json!({
        "title": "Hello {{ user.nickname }} {{ custom_attribute.${plan} }}, how are you today?",
        "url": "{% connected_content https://gone.example/ :save o %}{{ o.url }}",
    });
    let preview = world
        .preview(card, PreviewUser::Stored(user("new")))
        .await
        .unwrap();
    let has = |part: &str| {
        preview
            .warnings
            .iter()
            .any(|warning| warning.contains(part))
    };
    for part in [
        "nothing is known about user 'new'",
        "no attribute 'nickname'",
        "no attribute 'plan'",
        "https://gone.example/ failed",
        "more than the 20 of a card",
    ] {
        assert!(has(part), "{part}: {:?}", preview.warnings);
    }
    assert_eq!(preview.trace[0].status, 404);
}

#[tokio::test]
async fn a_template_that_aborts_or_fails_is_an_answer() {
    let world = World::new().await;
    let aborting = json!({"title": "{% abort_message('sold out') %}"});
    let preview = world.preview(aborting, given(json!({}))).await.unwrap();
    assert_eq!(
        (preview.card, preview.aborted.as_deref()),
        (None, Some("sold out"))
    );
    let failing = json!({"title": "{% for i in (1..9999999) %}{{ user.x }}{% endfor %}"});
    let preview = world.preview(failing, given(json!({}))).await.unwrap();
    assert!(preview.card.is_none() && preview.aborted.is_none());
    assert!(
        preview
            .error
            .as_deref()
            .is_some_and(|error| error.contains("title")),
        "{:?}",
        preview.error
    );
}

#[tokio::test]
async fn a_card_that_no_campaign_could_have_is_refused_with_every_problem() {
    let world = World::new().await;
    for (card, path) in [
        (json!({"title": "{{ x"}), "/card/title"),
        (
            json!({"title": "{% nonsense %}", "url": "ok"}),
            "/card/title",
        ),
        (json!({"type": "image_only"}), "/card/image_url"),
    ] {
        match world.preview(card.clone(), given(json!({}))).await {
            Err(FeedError::InvalidCard(problems)) => assert_eq!(problems[0].path, path),
            other => panic!("{card}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stored_user_is_rendered_with_what_is_known() {
    let world = World::new().await;
    world.track("ada", json!({"first_name": "Ada"})).await;
    let card = json!({"title": "{{ user.first_name }} is {{ user.user_id }}"});
    let preview = world
        .preview(card, PreviewUser::Stored(user("ada")))
        .await
        .unwrap();
    assert_eq!(preview.card.unwrap().title.as_deref(), Some("Ada is ada"));
    assert_eq!(preview.warnings, [""; 0]);
}
