//! The OpenAPI document and its page.

use serde_json::Value;

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
];

#[test]
fn the_document_is_reviewed_when_it_changes() {
    let document = serde_json::to_value(corkboard_api::openapi::document()).unwrap();
    insta::assert_json_snapshot!("openapi", document, { ".info.version" => "[version]" });
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
                let _: &Value = response;
            }
        }
    }
}
