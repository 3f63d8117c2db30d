//! `POST /v1/feed/events`: what the user did with cards.

use axum::Json;
use axum::extract::State;
use corkboard_core::campaign::Invalid;
use corkboard_core::state::EventKind;
use corkboard_core::time::Timestamp;
use corkboard_feed::ReportedEvent;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::extract::{ApiJson, Reader};
use crate::problem::{Problem, ProblemDocument, Result};
use crate::state::ApiState;

/// Most events of one report.
const MAX_EVENTS: usize = 100;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventReport {
    /// 1 to 100.
    #[schema(min_items = 1, max_items = 100)]
    events: Vec<CardEventBody>,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CardEventBody {
    card_id: String,
    #[schema(value_type = crate::schema::EventKindName)]
    kind: EventKind,
    /// When it happened; now when absent. The same card, kind and time count once.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(crate) struct EventReceipt {
    /// Events that are now durable, repeats included.
    accepted: u64,
    /// Card ids that are not (or no longer) this user's.
    unknown: Vec<String>,
    /// Ids of cards whose dismissal was asked for although they cannot be dismissed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
}

/// Reports impressions, clicks and dismissals. Repeats are harmless.
#[utoipa::path(
    post, path = "/v1/feed/events", tag = "Client", request_body = EventReport, security(("user_token" = [])),
    responses(
        (status = 202, description = "Recorded durably", body = EventReceipt),
        (status = 401, description = "No valid user token", body = ProblemDocument),
        (status = 422, description = "Invalid events", body = ProblemDocument),
    ),
)]
pub(crate) async fn report_events(
    State(state): State<ApiState>,
    Reader(reader): Reader,
    ApiJson(report): ApiJson<EventReport>,
) -> Result<(StatusCode, Json<EventReceipt>)> {
    if !(1..=MAX_EVENTS).contains(&report.events.len()) {
        let message = format!("must be 1 to {MAX_EVENTS} events");
        return Err(Problem::invalid(vec![Invalid::new("/events", message)]));
    }
    let events = report
        .events
        .into_iter()
        .map(|event| ReportedEvent {
            card_id: event.card_id,
            kind: event.kind,
            at: event.at,
        })
        .collect();
    let recorded = state
        .feeds
        .record(reader.workspace, &reader.user, events)
        .await?;
    let receipt = EventReceipt {
        accepted: recorded.accepted,
        unknown: recorded.unknown,
        refused: recorded.refused,
    };
    Ok((StatusCode::ACCEPTED, Json(receipt)))
}
