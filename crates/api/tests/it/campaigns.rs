//! Campaigns: create, read, list, change, delete.

use serde_json::{Value, json};

use crate::app::{TestApp, broadcast, id_of, triggered};

/// The campaign that the documentation shows.
fn documented() -> Value {
    json!({"name":"Winter offer","feed":"main","priority":0,"pinned":false,"dismissible":true,
     "audience":{"all":[{"attribute":"plan","op":"eq","value":"pro"},{"attribute":"age","op":"gte","value":18}]},
     "delivery":{"kind":"launch","at":null},"creation":"at_launch","expiry":{"ttl_seconds":604_800},
     "reeligible_after_seconds":null,"remove_on":["purchased"],
     "variants":[
       {"name":"A","weight":90,"card":{"type":"classic","title":"Hi {{ user.first_name }}","description":"…","image_url":"…","url":"…","url_text":"…","extras":{}}},
       {"name":"control","weight":10,"control":true}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_campaign_is_created_as_a_draft_and_read_back() {
    let app = TestApp::start().await;
    let created = app
        .server()
        .post("/v1/campaigns")
        .json(&documented())
        .send()
        .await
        .expect_status(201);
    let campaign = created.json();
    assert_eq!(campaign["state"], "draft");
    for (field, value) in documented().as_object().unwrap() {
        assert_eq!(&campaign[field], value, "{field}");
    }
    let path = format!("/v1/campaigns/{}", campaign["id"].as_str().unwrap());
    assert_eq!(
        app.server()
            .get(&path)
            .send()
            .await
            .expect_status(200)
            .json(),
        campaign
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_invalid_field_is_named_at_once() {
    let app = TestApp::start().await;
    let mut campaign = documented();
    campaign["name"] = json!("");
    campaign["variants"][0]["card"]["title"] = json!("Hi {{ user.first_name | nosuchfilter }}");
    campaign["variants"][0]["card"]["description"] = json!("{% if x %}never closed");
    campaign["variants"][1]["name"] = json!("A");
    let problem = app
        .server()
        .post("/v1/campaigns")
        .json(&campaign)
        .send()
        .await
        .expect_status(422);
    assert_eq!(
        problem.header("content-type"),
        Some("application/problem+json")
    );
    let problem = problem.json();
    assert_eq!(
        (&problem["code"], &problem["status"]),
        (&json!("invalid"), &json!(422))
    );
    let paths: Vec<&str> = problem["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["path"].as_str().unwrap())
        .collect();
    for path in [
        "/name",
        "/variants/0/card/title",
        "/variants/0/card/description",
        "/variants/1/name",
    ] {
        assert!(paths.contains(&path), "{path} is missing in {paths:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_shape_names_its_place() {
    let app = TestApp::start().await;
    let cases = [
        ("priority", json!("high"), "/priority"),
        ("nmae", json!(1), ""),
        ("expiry", json!({"ttl_seconds": 0}), "/expiry"),
        (
            "audience",
            json!({"attribute": "a", "op": "equals", "value": 1}),
            "/audience",
        ),
        ("delivery", json!({"kind": "event"}), "/delivery"),
    ];
    for (field, value, path) in cases {
        let mut campaign = documented();
        campaign[field] = value;
        let problem = app
            .server()
            .post("/v1/campaigns")
            .json(&campaign)
            .send()
            .await
            .expect_status(422)
            .json();
        let named = problem["errors"][0]["path"].as_str().unwrap();
        assert!(named.starts_with(path), "{field}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_newest_first() {
    let app = TestApp::start().await;
    for number in 0..5 {
        app.clock.advance(std::time::Duration::from_secs(1));
        app.campaign(&broadcast(&format!("Number {number}"))).await;
    }
    let mut names = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let after = cursor
            .map(|cursor| format!("&cursor={cursor}"))
            .unwrap_or_default();
        let page = app
            .server()
            .get(&format!("/v1/campaigns?limit=2{after}"))
            .send()
            .await
            .expect_status(200)
            .json();
        names.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|c| c["name"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(
        names,
        ["Number 4", "Number 3", "Number 2", "Number 1", "Number 0"]
    );
    for query in ["limit=0", "limit=251", "limit=x", "page=2"] {
        let problem = app
            .server()
            .get(&format!("/v1/campaigns?{query}"))
            .send()
            .await
            .expect_status(400);
        assert_eq!(problem.json()["code"], "malformed_request", "{query}");
    }
    let problem = app
        .server()
        .get("/v1/campaigns?cursor=nonsense")
        .send()
        .await
        .expect_status(400);
    assert_eq!(problem.json()["code"], "invalid_cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_may_be_changed_and_deleted_and_launched_campaigns_may_not() {
    let app = TestApp::start().await;
    let id = app.campaign(&broadcast("Before")).await;
    let path = format!("/v1/campaigns/{id}");
    let changed = app
        .server()
        .put(&path)
        .json(&broadcast("After"))
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        (&changed["name"], &changed["version"]),
        (&json!("After"), &json!(2))
    );
    app.launch(&id).await;
    let problem = app
        .server()
        .put(&path)
        .json(&broadcast("Later"))
        .send()
        .await
        .expect_status(409);
    assert_eq!(problem.json()["code"], "campaign_launched");
    let problem = app.server().delete(&path).send().await.expect_status(409);
    assert_eq!(problem.json()["code"], "campaign_launched");
    let problem = app
        .server()
        .post(&format!("{path}/launch"))
        .send()
        .await
        .expect_status(409);
    assert_eq!(problem.json()["code"], "campaign_launched");

    let draft = app.campaign(&broadcast("Draft")).await;
    let path = format!("/v1/campaigns/{draft}");
    let mut armed = broadcast("Armed");
    armed["delivery"] = json!({"kind": "api"});
    let armed = app.server().put(&path).json(&armed).send().await;
    assert_eq!(armed.expect_status(200).json()["state"], "active");

    let draft = app.campaign(&broadcast("Draft")).await;
    let path = format!("/v1/campaigns/{draft}");
    app.server().delete(&path).send().await.expect_status(204);
    app.server().get(&path).send().await.expect_status(404);
    app.server().delete(&path).send().await.expect_status(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_campaign_is_armed_by_creation_and_later_cards_follow_its_new_version() {
    let app = TestApp::start().await;
    let created = app
        .server()
        .post("/v1/campaigns")
        .json(&triggered())
        .send()
        .await
        .expect_status(201);
    assert_eq!(created.json()["state"], "active");
    let id = id_of(&created, "id");
    let mut changed = triggered();
    changed["variants"][0]["card"]["title"] = json!("New words");
    app.server()
        .put(&format!("/v1/campaigns/{id}"))
        .json(&changed)
        .send()
        .await
        .expect_status(200);
    let body = json!({"recipients": [{"user_id": "u-1"}]});
    let path = format!("/v1/campaigns/{id}/trigger");
    let reply = app
        .server()
        .post(&path)
        .json(&body)
        .send()
        .await
        .expect_status(202);
    app.done(&id_of(&reply, "dispatch_id")).await;
    assert_eq!(app.feed("u-1").await["cards"][0]["title"], "New words");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_template_probably_does_not_mean_is_said_when_it_is_stored() {
    let app = TestApp::start().await;
    app.track(json!([{"user_id": "ada", "plan": "pro"}])).await;
    let title = "{{ user.plan }}\n{{ user.plann }}\
        {% connected_content https://a.example/{{ user.plan }}/x :save r %}{{ r.a }}";
    let mut campaign = broadcast("x");
    campaign["variants"][0]["card"]["title"] = json!(title);
    let created = app
        .server()
        .post("/v1/campaigns")
        .json(&campaign)
        .send()
        .await;
    let created = created.expect_status(201).json();
    let warnings = |of: &Value| -> Vec<(String, u64, u64)> {
        let warnings = of["warnings"].as_array().cloned().unwrap_or_default();
        let shown = |warning: Value| {
            assert_eq!(warning["path"], "/variants/0/card/title");
            assert_ne!(warning["message"], "");
            let code = warning["code"].as_str().unwrap().to_owned();
            (
                code,
                warning["line"].as_u64().unwrap(),
                warning["column"].as_u64().unwrap(),
            )
        };
        warnings.into_iter().map(shown).collect()
    };
    let expected = [
        ("unknown_attribute".to_owned(), 2, 1),
        ("unchecked_fetch".to_owned(), 2, 17),
        ("unescaped_in_url".to_owned(), 2, 17),
    ];
    assert_eq!(warnings(&created), expected, "{created}");
    let path = format!("/v1/campaigns/{}", created["id"].as_str().unwrap());
    campaign["variants"][0]["card"]["title"] = json!("{{ user.plann }}");
    let changed = app.server().put(&path).json(&campaign).send().await;
    let changed = changed.expect_status(200).json();
    assert_eq!(warnings(&changed), [("unknown_attribute".to_owned(), 1, 1)]);
    let preview = json!({"card": {"title": title}, "user_id": "ada"});
    let preview = app.server().post("/v1/preview").json(&preview).send().await;
    let preview = preview.expect_status(200).json();
    let has = |part: &str| {
        let shown = preview["warnings"].as_array().unwrap();
        shown
            .iter()
            .any(|warning| warning.as_str().unwrap().contains(part))
    };
    for part in [
        "/card/title: no user has an attribute 'plann'",
        "(line 2, column 17)",
        "url_param_escape",
    ] {
        assert!(has(part), "{part}: {preview}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_does_not_compile_shows_the_place_with_a_caret() {
    let app = TestApp::start().await;
    let mut campaign = broadcast("x");
    campaign["variants"][0]["card"]["title"] =
        json!("ok\n{% connected_content https://a.example :retry_max 99 %}");
    let refused = app
        .server()
        .post("/v1/campaigns")
        .json(&campaign)
        .send()
        .await;
    let refused = refused.expect_status(422).json();
    let card = json!({"card": campaign["variants"][0]["card"], "user": {}});
    let preview = app.server().post("/v1/preview").json(&card).send().await;
    let preview = preview.expect_status(422).json();
    for (problem, path) in [
        (&refused, "/variants/0/card/title"),
        (&preview, "/card/title"),
    ] {
        assert_eq!(problem["errors"][0]["path"], path);
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("from 0 to 10, not '99' (line 2, column "),
            "{message}"
        );
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[2].find('^'), lines[1].find("99"), "{message}");
    }
}
