//! What must hold after the last kill, asked over HTTP like anybody would.

use std::sync::atomic::Ordering;
use std::time::Duration;

use corkboard_testkit::{TestClient, wait_until};
use serde_json::Value;

use super::load::{AUDIENCE, Load};
use super::process::Installation;

/// Waits until all acknowledged work is done, and checks every count.
pub(crate) async fn everything(installation: &Installation, load: &Load) {
    let server = installation.server();
    let numbers = load.triggers.lock().expect("not poisoned").clone();
    let triggers = numbers.len() as u64;
    let events = load.events.load(Ordering::Relaxed);
    let impressions = load.impressions.load(Ordering::Relaxed);
    let launches = load.launches.lock().expect("not poisoned").clone();
    assert!(
        triggers > 50 && events > 20 && impressions > 20 && !launches.is_empty(),
        "{}",
        load.summary()
    );

    for (campaign, dispatch) in &launches {
        let done = done(&server, dispatch).await;
        assert_eq!(done["written"], AUDIENCE, "{done}");
        assert_eq!(done["targeted"], AUDIENCE, "{done}");
        assert_eq!(stats(&server, campaign).await["sent"], AUDIENCE);
    }
    // Every acknowledged trigger has given its card, once.
    wait_until(
        Duration::from_secs(60),
        "all triggered cards are written",
        || async {
            let sent = stats(&server, &load.triggered).await["sent"].clone();
            if sent == triggers {
                Ok(())
            } else {
                Err(format!("{sent} of {triggers} sent"))
            }
        },
    )
    .await;
    for number in &numbers {
        let cards = titles(&server, &format!("triggered-{number}")).await;
        assert_eq!(
            cards.len(),
            1,
            "user {number} was triggered once: {cards:?}"
        );
    }
    for number in 0..AUDIENCE {
        let cards = titles(&server, &format!("audience-{number}")).await;
        assert_eq!(
            cards.len(),
            launches.len(),
            "user {number} has one card of each launch"
        );
    }
    let user = server
        .get("/v1/users/reader")
        .send()
        .await
        .expect_status(200)
        .json();
    assert_eq!(user["events"]["visited"]["count"], events, "{user}");
    let counted = stats(&server, &load.broadcast).await;
    assert_eq!(
        (&counted["impressions"], &counted["unique_impressions"]),
        (&impressions.into(), &1.into())
    );
}

async fn done(server: &TestClient, dispatch: &str) -> Value {
    let path = format!("/v1/dispatches/{dispatch}");
    wait_until(Duration::from_secs(60), "the dispatch is done", || async {
        let dispatch = server.get(&path).send().await.expect_status(200).json();
        if dispatch["state"] == "done" {
            Ok(dispatch)
        } else {
            Err(dispatch.to_string())
        }
    })
    .await
}

async fn stats(server: &TestClient, campaign: &str) -> Value {
    let path = format!("/v1/campaigns/{campaign}/stats");
    server.get(&path).send().await.expect_status(200).json()["variants"][0].clone()
}

async fn titles(server: &TestClient, user: &str) -> Vec<String> {
    let mut titles = Vec::new();
    let mut path = format!("/v1/users/{user}/cards?limit=250");
    loop {
        let page = server.get(&path).send().await.expect_status(200).json();
        let cards = page["data"].as_array().expect("a list");
        let own = cards.iter().filter(|card| card["broadcast"] == false);
        titles.extend(own.map(|card| card["campaign_id"].to_string()));
        let Some(next) = page["next_cursor"].as_str() else {
            return titles;
        };
        path = format!("/v1/users/{user}/cards?limit=250&cursor={next}");
    }
}
