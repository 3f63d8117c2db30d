//! The HTTP surface as this bench uses it. Anything but the expected status ends the run.

use std::time::Duration;

use corkboard_testkit::{TestClient, TestResponse};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use std::sync::Arc;

use crate::failure::{Failure, Result};
use crate::users;

/// Users of one request; the most that the API takes.
const TRACKED_AT_ONCE: usize = 1_000;
const TRACK_REQUESTS: usize = 4;
/// How often a condition is looked at. Coarse enough not to load the node that is measured.
const LOOK_EVERY: Duration = Duration::from_millis(25);
const LONGEST_REQUEST: Duration = Duration::from_mins(1);

/// A client of the server API.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    client: Arc<TestClient>,
}

/// How far a dispatch has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) state: String,
    pub(crate) shape: String,
    pub(crate) written: u64,
    pub(crate) targeted: u64,
}

impl Api {
    pub(crate) fn new(base: &str, key: &str) -> Self {
        Self {
            client: Arc::new(TestClient::new(base).with_bearer(key)),
        }
    }

    async fn post(&self, path: &str, body: &Value, status: u16) -> Result<Value> {
        let request = self.client.post(path).json(body).deadline(LONGEST_REQUEST);
        parsed(path, &request.try_send().await?, status)
    }

    /// Makes the users `0..count` known.
    pub(crate) async fn track(&self, count: usize) -> Result<()> {
        let mut running = JoinSet::new();
        for from in (0..count).step_by(TRACKED_AT_ONCE) {
            if running.len() == TRACK_REQUESTS {
                finished(running.join_next().await)?;
            }
            let last = count.min(from + TRACKED_AT_ONCE);
            let body =
                json!({ "attributes": (from..last).map(users::attributes).collect::<Vec<_>>() });
            let api = self.clone();
            running.spawn(async move { api.post("/v1/users/track", &body, 200).await });
        }
        while let Some(one) = running.join_next().await {
            finished(Some(one))?;
        }
        Ok(())
    }

    /// Creates a campaign and gives its id.
    pub(crate) async fn create(&self, campaign: &Value) -> Result<String> {
        text(&self.post("/v1/campaigns", campaign, 201).await?, "id")
    }

    /// Launches a campaign and gives the dispatch's id.
    pub(crate) async fn launch(&self, campaign: &str) -> Result<String> {
        let path = format!("/v1/campaigns/{campaign}/launch");
        text(&self.post(&path, &json!({}), 202).await?, "dispatch_id")
    }

    /// Stops a campaign for good.
    pub(crate) async fn stop(&self, campaign: &str) -> Result<()> {
        let path = format!("/v1/campaigns/{campaign}/stop");
        self.post(&path, &json!({}), 200).await.map(drop)
    }

    pub(crate) async fn progress(&self, dispatch: &str) -> Result<Progress> {
        let path = format!("/v1/dispatches/{dispatch}");
        let value = parsed(&path, &self.client.get(&path).try_send().await?, 200)?;
        let count = |name: &str| value.get(name).and_then(Value::as_u64).unwrap_or_default();
        Ok(Progress {
            state: text(&value, "state")?,
            shape: text(&value, "shape")?,
            written: count("written"),
            targeted: count("targeted"),
        })
    }

    /// Waits until a dispatch is done; `look` is called at every look at it.
    pub(crate) async fn finish(
        &self,
        dispatch: &str,
        deadline: Duration,
        mut look: impl FnMut() -> Result<()>,
    ) -> Result<Progress> {
        let end = Instant::now() + deadline;
        loop {
            let progress = self.progress(dispatch).await?;
            look()?;
            match progress.state.as_str() {
                "done" => return Ok(progress),
                "planned" | "running" if Instant::now() < end => sleep(LOOK_EVERY).await,
                "planned" | "running" => {
                    return Err(Failure::Late(format!("the end of {dispatch}")));
                }
                other => {
                    return Err(Failure::unexpected(format!(
                        "{dispatch} is {other}: {progress:?}"
                    )));
                }
            }
        }
    }
}

/// A client of one user's feed.
pub(crate) fn reader(base: &str, token: &str) -> TestClient {
    TestClient::new(base).with_bearer(token)
}

/// Reads the feed; anything but 200 is a failure.
pub(crate) async fn feed(reader: &TestClient) -> Result<TestResponse> {
    let response = reader.get("/v1/feed").try_send().await?;
    expect("/v1/feed", &response, 200)?;
    Ok(response)
}

fn finished(one: Option<std::result::Result<Result<Value>, tokio::task::JoinError>>) -> Result<()> {
    match one {
        Some(Ok(answer)) => answer.map(drop),
        Some(Err(error)) => Err(Failure::unexpected(format!("a request was lost: {error}"))),
        None => Ok(()),
    }
}

fn expect(what: &str, response: &TestResponse, status: u16) -> Result<()> {
    if response.status == status {
        return Ok(());
    }
    Err(Failure::Answer {
        what: what.to_owned(),
        status: response.status,
        body: response.text(),
    })
}

fn parsed(what: &str, response: &TestResponse, status: u16) -> Result<Value> {
    expect(what, response, status)?;
    serde_json::from_slice(&response.body)
        .map_err(|error| Failure::unexpected(format!("{what} answered no JSON: {error}")))
}

fn text(value: &Value, name: &str) -> Result<String> {
    let found = value.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::unexpected(format!("an answer lacks '{name}': {value}")))
}
