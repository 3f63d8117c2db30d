//! `POST /v1/users/track`: what is known about users, and what they did.

use axum::extract::State;
use axum::{Extension, Json};
use corkboard_core::campaign::Invalid;
use corkboard_core::id::{EventId, WorkspaceId};
use corkboard_core::identity;
use corkboard_core::time::Timestamp;
use corkboard_core::user::{
    AttributeChange, UserEvent, UserId, are_storable, is_storable, is_valid_name,
};
use corkboard_send::{SendError, Track};
use corkboard_store::StoreError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::extract::{ApiJson, Caller, escaped, scope};
use crate::idempotency::RequestKey;
use crate::problem::{Problem, ProblemDocument, Result};
use crate::schema::TrackSchema;
use crate::state::ApiState;

/// Most items of one request, attributes and events together.
const MAX_ITEMS: usize = 1_000;
/// How far in the future an event may lie before it is taken to have happened now.
const FUTURE_MICROS: i64 = 5 * 60 * 1_000_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrackBody {
    #[serde(default)]
    attributes: Vec<AttributesBody>,
    #[serde(default)]
    events: Vec<EventBody>,
}

#[derive(Debug, Deserialize)]
struct AttributesBody {
    user_id: UserId,
    #[serde(flatten)]
    attributes: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventBody {
    user_id: UserId,
    name: String,
    at: Option<Timestamp>,
    #[serde(default)]
    properties: Map<String, Value>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct TrackReply {
    /// Users whose attributes were changed.
    attributes: u64,
    /// Events recorded; repeats of an event that was recorded before are not among them.
    events: u64,
}

/// Sets attributes (null removes one) and records events. All of it or nothing.
#[utoipa::path(
    post, path = "/v1/users/track", tag = "Users", request_body = TrackSchema, security(("api_key" = [])),
    responses(
        (status = 200, description = "Recorded durably", body = TrackReply),
        (status = 422, description = "Every invalid item", body = ProblemDocument),
    ),
)]
pub(crate) async fn track_users(
    State(state): State<ApiState>,
    caller: Caller<scope::UsersWrite>,
    key: Option<Extension<RequestKey>>,
    ApiJson(body): ApiJson<TrackBody>,
) -> Result<Json<TrackReply>> {
    let problems = problems(&body);
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    let now = state.clock.now();
    let attributes: Vec<AttributeChange> = body
        .attributes
        .into_iter()
        .map(|item| AttributeChange {
            user: item.user_id,
            attributes: item.attributes,
        })
        .collect();
    let events = body
        .events
        .into_iter()
        .enumerate()
        .map(|(place, event)| event.tracked(caller.workspace, place, key.as_deref(), now))
        .collect();
    let changed = attributes.len() as u64;
    let tracked = state
        .sender
        .track(caller.workspace, Track { attributes, events })
        .await
        .map_err(refusal)?;
    Ok(Json(TrackReply {
        attributes: changed,
        events: tracked.new_events,
    }))
}

impl EventBody {
    fn tracked(
        self,
        workspace: WorkspaceId,
        place: usize,
        key: Option<&RequestKey>,
        now: Timestamp,
    ) -> UserEvent {
        let id = match (key, self.at) {
            (Some(RequestKey(key)), _) => {
                let particular = format!("key {place} {key}");
                identity::event_id(workspace, &self.user_id, &self.name, particular.as_bytes())
            }
            (None, Some(at)) => {
                let properties = serde_json::to_string(&self.properties).unwrap_or_default();
                let particular = format!("at {} {properties}", at.as_micros());
                identity::event_id(workspace, &self.user_id, &self.name, particular.as_bytes())
            }
            (None, None) => EventId::generate(now),
        };
        let latest = now.as_micros() + FUTURE_MICROS;
        let at = self.at.filter(|at| at.as_micros() <= latest).unwrap_or(now);
        UserEvent {
            id,
            workspace,
            user: self.user_id,
            name: self.name,
            at,
            properties: self.properties,
        }
    }
}

/// Only the store knows what a user's attributes come to together with those of before.
fn refusal(error: SendError) -> Problem {
    match error {
        SendError::Store(StoreError::Conflict { .. }) => Problem::invalid(vec![Invalid::new(
            "/attributes",
            "a user would have more than 64 KiB of attributes; remove some with null",
        )]),
        other => other.into(),
    }
}

fn problems(body: &TrackBody) -> Vec<Invalid> {
    let mut problems = Vec::new();
    let items = body.attributes.len() + body.events.len();
    if !(1..=MAX_ITEMS).contains(&items) {
        problems.push(Invalid::new(
            "",
            format!("must be 1 to {MAX_ITEMS} attributes and events"),
        ));
    }
    for (place, item) in body.attributes.iter().enumerate() {
        for (name, value) in &item.attributes {
            let path = format!("/attributes/{place}/{}", escaped(name));
            if !is_valid_name(name) {
                problems.push(Invalid::new(path, "is not a valid attribute name"));
            } else if !is_storable(value) {
                problems.push(Invalid::new(path, "contains a NUL character"));
            }
        }
    }
    for (place, event) in body.events.iter().enumerate() {
        if !is_valid_name(&event.name) {
            let path = format!("/events/{place}/name");
            problems.push(Invalid::new(path, "is not a valid event name"));
        }
        if !are_storable(&event.properties) {
            let path = format!("/events/{place}/properties");
            problems.push(Invalid::new(path, "contains a NUL character"));
        }
    }
    problems
}
