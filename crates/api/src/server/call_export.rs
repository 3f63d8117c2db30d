//! The call log as one stream of lines, for tools that count and sort.
//!
//! It is read page by page while it is sent, so that it takes no memory to speak of, and it ends
//! somewhere: the last line says where to go on.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use corkboard_core::id::WorkspaceId;
use corkboard_store::control_store::{CallFilter, CallRow};
use corkboard_store::page::{MAX_PAGE, Page, PageRequest};
use corkboard_store::{ControlStore, StoreError};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::header;
use serde::Deserialize;
use serde_json::json;

use super::calls::{CallDocument, Outcome, filter};
use crate::extract::{ApiQuery, Caller, scope};
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::state::ApiState;

const NDJSON: &str = "application/x-ndjson";
/// Lines of one export, unless it asks for fewer.
const USUAL: u32 = 10_000;
const MOST: u32 = 100_000;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParameters {
    /// Only calls to this host.
    host: Option<String>,
    /// Only calls with this status, as in the list.
    status: Option<u16>,
    /// Only calls of this campaign.
    campaign_id: Option<String>,
    /// Only answers that came about so.
    outcome: Option<Outcome>,
    /// Only calls that did not end with a 2xx.
    #[serde(default)]
    failed: bool,
    /// Calls in all, 1 to 100,000; 10,000 when absent.
    #[param(minimum = 1, maximum = 100_000)]
    limit: Option<u32>,
    /// `next_cursor` of the last line of the export before.
    cursor: Option<String>,
}

/// Calls, newest first, a JSON object a line. The last line is `{"next_cursor":"…"}`, or null in it
/// when there is no more; an export without it was cut off.
#[utoipa::path(
    get, path = "/v1/fetches/export", tag = "Connected content", params(ExportParameters), security(("api_key" = [])),
    responses(
        (status = 200, description = "Lines of JSON", content_type = "application/x-ndjson", body = String),
        (status = 400, description = "Unreadable parameters", body = ProblemDocument),
    ),
)]
pub(crate) async fn export_fetches(
    State(state): State<ApiState>,
    caller: Caller<scope::FetchesRead>,
    ApiQuery(parameters): ApiQuery<ExportParameters>,
) -> Result<Response> {
    let limit = parameters.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        let detail = format!("limit must be 1 to {MOST}");
        return Err(Problem::new(Code::MalformedRequest, detail));
    }
    let filter = filter(
        parameters.host,
        parameters.status,
        parameters.campaign_id.as_deref(),
        parameters.outcome,
        parameters.failed,
    )?;
    let mut export = Export {
        control: Arc::clone(&state.control),
        workspace: caller.workspace,
        filter,
        left: limit,
    };
    // The first page is read before the answer begins, so that what is wrong can still be said.
    let first = export.page(parameters.cursor).await?;
    let head = stream::once(std::future::ready(Ok(lines(&first, export.left))));
    let rest = stream::try_unfold((export, first.next), |(mut export, next)| async move {
        if next.is_none() || export.left == 0 {
            return Ok::<_, StoreError>(None);
        }
        let page = export.page(next).await?;
        Ok(Some((lines(&page, export.left), (export, page.next))))
    });
    let body = Body::from_stream(head.chain(rest).map_ok(Bytes::from));
    Ok(([(header::CONTENT_TYPE, NDJSON)], body).into_response())
}

struct Export {
    control: Arc<dyn ControlStore>,
    workspace: WorkspaceId,
    filter: CallFilter,
    /// Calls that may still be sent.
    left: u32,
}

impl Export {
    async fn page(
        &mut self,
        after: Option<String>,
    ) -> std::result::Result<Page<CallRow>, StoreError> {
        let request = PageRequest {
            limit: self.left.min(MAX_PAGE),
            after,
        };
        let (workspace, filter) = (self.workspace, &self.filter);
        let page = self.control.list_calls(workspace, filter, &request).await?;
        let sent = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
        self.left = self.left.saturating_sub(sent);
        Ok(page)
    }
}

/// A page as lines, with the last line of all when it is the last page.
fn lines(page: &Page<CallRow>, left: u32) -> Vec<u8> {
    let mut lines = Vec::new();
    for row in &page.items {
        let call = CallDocument::from(row.clone());
        // A document of texts and numbers always serialises.
        lines.extend(serde_json::to_vec(&call).unwrap_or_default());
        lines.push(b'\n');
    }
    if left == 0 || page.next.is_none() {
        lines.extend(json!({"next_cursor": page.next}).to_string().into_bytes());
        lines.push(b'\n');
    }
    lines
}
