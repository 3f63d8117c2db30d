//! The call log: searched, and exported as lines.

use corkboard_store::control_store::CallRow;
use serde_json::{Value, json};

use crate::app::{TestApp, start_time};

/// 600 calls, every third of which failed.
async fn calls(app: &TestApp) {
    let call = |number: u64| CallRow {
        at: start_time().plus(std::time::Duration::from_secs(number)),
        workspace: app.workspace,
        campaign: None,
        method: "GET".to_owned(),
        url: format!("https://a.example/{number}"),
        host: "a.example".to_owned(),
        status: if number.is_multiple_of(3) { 503 } else { 200 },
        elapsed_ms: 30,
        waited_ms: 10,
        bytes: 7,
        outcome: if number == 1 { "stale" } else { "network" }.to_owned(),
        attempt: 2,
        problem: None,
    };
    let calls = (0..600).map(call).collect();
    app.control.append_calls(calls).await.unwrap();
}

async fn export(app: &TestApp, query: &str) -> Vec<Value> {
    let server = app.server();
    let path = format!("/v1/fetches/export?{query}");
    let answer = server.get(&path).send().await.expect_status(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = answer.text();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_tells_how_its_answer_came_about() {
    let app = TestApp::start().await;
    calls(&app).await;
    let server = app.server();
    let listed = server.get("/v1/fetches?outcome=stale").send().await;
    let listed = listed.expect_status(200).json();
    assert_eq!(
        listed["data"],
        json!([{"at": "2026-11-21T10:00:01Z", "campaign_id": null, "method": "GET",
                "url": "https://a.example/1", "host": "a.example", "status": 200,
                "duration_ms": 30, "waited_ms": 10, "bytes": 7, "outcome": "stale",
                "attempt": 2, "problem": null}])
    );
    let listed = server.get("/v1/fetches?failed=true&limit=2").send().await;
    let listed = listed.expect_status(200).json();
    let statuses: Vec<&Value> = listed["data"].as_array().unwrap().iter().collect();
    assert!(
        statuses.iter().all(|call| call["status"] == 503),
        "{listed}"
    );
    server
        .get("/v1/fetches?outcome=x")
        .send()
        .await
        .expect_status(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_has_every_call_that_is_wanted_and_says_that_it_is_whole() {
    let app = TestApp::start().await;
    calls(&app).await;
    let lines = export(&app, "failed=true").await;
    assert_eq!(lines.len(), 201);
    assert_eq!(lines[0]["url"], "https://a.example/597");
    assert_eq!(lines[199]["url"], "https://a.example/0");
    assert_eq!(lines[200], json!({"next_cursor": null}));
    assert_eq!(export(&app, "").await.len(), 601);
    assert_eq!(
        export(&app, "host=b.example").await,
        [json!({"next_cursor": null})]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_is_cut_says_where_to_go_on() {
    let app = TestApp::start().await;
    calls(&app).await;
    let first = export(&app, "limit=400").await;
    assert_eq!(first.len(), 401);
    let cursor = first[400]["next_cursor"].as_str().unwrap();
    let second = export(&app, &format!("limit=400&cursor={cursor}")).await;
    assert_eq!(second.len(), 201);
    assert_eq!(second[0]["url"], "https://a.example/199");
    assert_eq!(second[200], json!({"next_cursor": null}));
    let server = app.server();
    for wrong in ["limit=0", "limit=100001", "cursor=!", "nosuch=1"] {
        let path = format!("/v1/fetches/export?{wrong}");
        server.get(&path).send().await.expect_status(400);
    }
}
