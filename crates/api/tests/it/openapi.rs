//! The OpenAPI document and its page.

use serde_json::{Value, json};

use crate::app::TestApp;

/// The operations of the public contract, spelled out so that losing one is a failure here.
const CONTRACT: &[&str] = &[
    "GET /v1/feed",
    "POST /v1/feed/events",
    "GET /v1/feed/live",
    "POST /v1/users/track",
    "GET /v1/users/{user_id}",
    "DELETE /v1/users/{user_id}",
    "GET /v1/users/{user_id}/cards",
    "DELETE /v1/users/{user_id}/cards/{card_id}",
    "POST /v1/campaigns",
    "GET /v1/campaigns",
    "GET /v1/campaigns/{id}",
    "PUT /v1/campaigns/{id}",
    "DELETE /v1/campaigns/{id}",
    "POST /v1/campaigns/{id}/launch",
    "POST /v1/campaigns/{id}/trigger",
    "POST /v1/campaigns/{id}/stop",
    "GET /v1/campaigns/{id}/stats",
    "GET /v1/dispatches/{id}",
    "POST /v1/preview",
    "GET /v1/explain",
    "GET /v1/fetches",
    "GET /v1/fetches/export",
    "POST /v1/content_blocks",
    "GET /v1/content_blocks",
    "GET /v1/content_blocks/{name}",
    "PUT /v1/content_blocks/{name}",
    "DELETE /v1/content_blocks/{name}",
    "POST /v1/credentials",
    "GET /v1/credentials",
    "GET /v1/credentials/{name}",
    "PUT /v1/credentials/{name}",
    "DELETE /v1/credentials/{name}",
];

#[test]
fn the_document_is_reviewed_when_it_changes() {
    let mut document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    document["info"]["version"] = Value::from("[varies]");
    insta::assert_json_snapshot!("openapi", document);
}

#[test]
fn every_operation_of_the_contract_is_in_the_document() {
    let document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    let mut found: Vec<String> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        found.extend(
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(|m| format!("{} {path}", m.to_uppercase())),
        );
    }
    for operation in CONTRACT {
        assert!(
            found.iter().any(|known| known == operation),
            "{operation} is missing"
        );
    }
    assert_eq!(
        found.len(),
        CONTRACT.len(),
        "an operation is not in the contract: {found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn document_and_page_are_served_without_anything_from_outside() {
    let app = TestApp::start().await;
    let served = app
        .anonymous()
        .get("/openapi.json")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(
        served,
        serde_json::to_value(corkboard_api::openapi::document()).unwrap()
    );
    let page = app
        .anonymous()
        .get("/docs/")
        .send()
        .await
        .expect_status(200);
    assert!(
        page.header("content-type")
            .is_some_and(|media| media.starts_with("text/html"))
    );
    for asset in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        let body = app
            .anonymous()
            .get(&format!("/docs/{asset}"))
            .send()
            .await
            .expect_status(200);
        assert!(!body.body.is_empty(), "{asset}");
    }
    let text = page.text();
    assert!(
        !text.contains("src=\"http") && !text.contains("href=\"http"),
        "{text}"
    );
}

#[test]
fn every_error_schema_is_the_problem_document() {
    let document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let problem = matches!(status.as_bytes()[0], b'4' | b'5');
                let text = response.to_string();
                assert_eq!(
                    problem,
                    text.contains("schemas/Problem"),
                    "{status}: {text}"
                );
                let media = response["content"].get("application/problem+json");
                assert_eq!(problem, media.is_some(), "{status}: {text}");
            }
        }
    }
}

#[test]
fn every_operation_says_what_the_layers_around_it_answer() {
    let document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut expected = vec!["400", "401", "429", "503"];
            let client = path.starts_with("/v1/feed");
            let repeatable = !client && method != "get";
            if !client {
                expected.push("403");
            }
            if repeatable {
                expected.extend(["409", "422"]);
            }
            if operation.get("requestBody").is_some() {
                expected.extend(["408", "413", "415", "422"]);
            }
            for status in expected {
                let found = operation["responses"].get(status);
                assert!(found.is_some(), "{method} {path} lacks {status}");
            }
            let key = operation["parameters"].to_string();
            assert_eq!(
                key.contains("Idempotency-Key"),
                repeatable,
                "{method} {path}"
            );
        }
    }
}

#[test]
fn what_may_be_left_out_is_not_required_and_everyone_is_an_audience() {
    let document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    let schemas = &document["components"]["schemas"];
    for (schema, required) in [
        ("Campaign", json!(["name", "expiry", "variants"])),
        ("CardContent", Value::Null),
        ("Recipient", json!(["user_id"])),
        ("UserEvent", json!(["user_id", "name"])),
        ("PreviewBody", json!(["card"])),
        ("TriggerBody", json!(["recipients"])),
    ] {
        assert_eq!(schemas[schema]["required"], required, "{schema}");
    }
    assert_eq!(schemas["Everyone"]["enum"], json!(["everyone"]));
}

/// Every field of a reply must be a property of its schema, down through objects and lists.
fn assert_documented(document: &Value, schema: &Value, reply: &Value, path: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let one_of = schema["oneOf"]
        .as_array()
        .and_then(|all| all.iter().find(|one| one.get("$ref").is_some()));
    if let Some(inner) = one_of {
        if !reply.is_null() {
            assert_documented(document, inner, reply, path);
        }
        return;
    }
    match reply {
        Value::Object(fields)
            if schema.get("properties").is_some() || schema.get("allOf").is_some() =>
        {
            let parts: Vec<&Value> = match schema["allOf"].as_array() {
                Some(parts) => parts.iter().collect(),
                None => vec![schema],
            };
            let resolved = |part: &Value| match part["$ref"].as_str() {
                Some(reference) => document
                    .pointer(reference.trim_start_matches('#'))
                    .unwrap()
                    .clone(),
                None => part.clone(),
            };
            for (name, value) in fields {
                let property = parts
                    .iter()
                    .find_map(|part| resolved(part)["properties"].get(name).cloned());
                let property =
                    property.unwrap_or_else(|| panic!("{path}/{name} is not documented"));
                assert_documented(document, &property, value, &format!("{path}/{name}"));
            }
        }
        Value::Array(items) => {
            for item in items {
                assert_documented(document, &schema["items"], item, &format!("{path}/*"));
            }
        }
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn real_replies_have_no_field_that_the_document_lacks() {
    let app = TestApp::start().await;
    app.track(json!([{"user_id": "ada", "plan": "pro"}])).await;
    let id = app.campaign(&crate::app::triggered()).await;
    let body = json!({"recipients": [{"user_id": "ada"}]});
    let reply = app
        .server()
        .post(&format!("/v1/campaigns/{id}/trigger"))
        .json(&body)
        .send()
        .await;
    let dispatch = crate::app::id_of(&reply.expect_status(202), "dispatch_id");
    app.done(&dispatch).await;
    let document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    for (path, real) in [
        ("/v1/feed", "/v1/feed".to_owned()),
        ("/v1/campaigns", "/v1/campaigns".to_owned()),
        ("/v1/campaigns/{id}", format!("/v1/campaigns/{id}")),
        (
            "/v1/campaigns/{id}/stats",
            format!("/v1/campaigns/{id}/stats?by=day"),
        ),
        ("/v1/dispatches/{id}", format!("/v1/dispatches/{dispatch}")),
        ("/v1/users/{user_id}", "/v1/users/ada".to_owned()),
        (
            "/v1/users/{user_id}/cards",
            "/v1/users/ada/cards".to_owned(),
        ),
        (
            "/v1/explain",
            format!("/v1/explain?user_id=ada&campaign_id={id}"),
        ),
    ] {
        let client = if path == "/v1/feed" {
            app.client("ada")
        } else {
            app.server()
        };
        let reply = client.get(&real).send().await.expect_status(200).json();
        let schema = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            ["schema"];
        assert!(schema.is_object(), "{path} has no schema");
        assert_documented(&document, schema, &reply, path);
    }
    let card = json!({"card": {"title": "{% connected_content http://127.0.0.1/x :save x %}"}, "user": {}});
    let reply = app
        .server()
        .post("/v1/preview")
        .json(&card)
        .send()
        .await
        .expect_status(200)
        .json();
    let schema = &document["paths"]["/v1/preview"]["post"]["responses"]["200"]["content"]["application/json"]
        ["schema"];
    assert_documented(&document, schema, &reply, "/v1/preview");
}
