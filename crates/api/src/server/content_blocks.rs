//! Content blocks: pieces of template that campaigns name. A dispatch keeps the text of its time.

use axum::extract::State;
use axum::{Extension, Json};
use corkboard_core::time::Timestamp;
use corkboard_store::control_store::{ContentBlock, ContentBlockHead};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::List;
use super::names::{name_problems, taken};
use crate::extract::{ApiJson, ApiPath, ApiQuery, BlockName, Caller, ObjectPath, PageQuery, scope};
use crate::idempotency::RequestKey;
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::state::ApiState;

/// Users of a block that an answer names.
const SHOWN_USERS: usize = 5;

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewContentBlock)]
pub(crate) struct NewBlock {
    /// Unique in the workspace: a letter or `_`, then letters, digits, `_` and `-`.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = "^[A-Za-z_][A-Za-z0-9_-]*$"
    )]
    name: String,
    /// Liquid, at most 64 KiB. Cannot use another block.
    source: String,
}

#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContentBlockSource)]
pub(crate) struct BlockSource {
    /// Liquid, at most 64 KiB. Cannot use another block.
    source: String,
}

#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ContentBlock)]
pub(crate) struct BlockDocument {
    name: String,
    /// Grows with every change.
    version: u32,
    /// Of the source.
    bytes: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, nullable = false)]
    source: Option<String>,
}

impl From<ContentBlock> for BlockDocument {
    fn from(block: ContentBlock) -> Self {
        Self {
            name: block.name,
            version: block.version,
            bytes: u32::try_from(block.source.len()).unwrap_or(u32::MAX),
            created_at: block.created_at,
            updated_at: block.updated_at,
            source: Some(block.source),
        }
    }
}

impl From<ContentBlockHead> for BlockDocument {
    fn from(head: ContentBlockHead) -> Self {
        Self {
            name: head.name,
            version: head.version,
            bytes: head.bytes,
            created_at: head.created_at,
            updated_at: head.updated_at,
            source: None,
        }
    }
}

/// Stores a content block. Templates use it as `{{ content_blocks.${name} }}`.
#[utoipa::path(
    post, path = "/v1/content_blocks", tag = "Content blocks", request_body = NewBlock, security(("api_key" = [])),
    responses(
        (status = 201, description = "The block", body = BlockDocument),
        (status = 409, description = "The name is taken, or there are 1,000 already", body = ProblemDocument),
        (status = 422, description = "The name or the source is invalid", body = ProblemDocument),
    ),
)]
pub(crate) async fn create_content_block(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    key: Option<Extension<RequestKey>>,
    ApiJson(body): ApiJson<NewBlock>,
) -> Result<(StatusCode, Json<BlockDocument>)> {
    let mut problems = name_problems(&body.name);
    problems.extend(state.sender.check_block(&body.source));
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    let now = state.clock.now();
    let block = ContentBlock {
        workspace: caller.workspace,
        name: body.name,
        source: body.source,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let (stored, fresh) = state.control.insert_content_block(&block).await?;
    // A request that was interrupted between its effect and its answer finds what it has stored.
    let repeated = key.is_some() && stored.version == 1 && stored.source == block.source;
    if !fresh && !repeated {
        return Err(taken("content block", &block.name));
    }
    Ok((StatusCode::CREATED, Json(stored.into())))
}

/// Content blocks by name, without their sources.
#[utoipa::path(
    get, path = "/v1/content_blocks", tag = "Content blocks", params(PageQuery), security(("api_key" = [])),
    responses((status = 200, description = "One page", body = List<BlockDocument>)),
)]
pub(crate) async fn list_content_blocks(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<List<BlockDocument>>> {
    let page = state
        .control
        .list_content_blocks(caller.workspace, &page.request()?)
        .await?;
    Ok(Json(page.into()))
}

/// One content block.
#[utoipa::path(
    get, path = "/v1/content_blocks/{name}", tag = "Content blocks", params(("name" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 200, description = "The block", body = BlockDocument),
        (status = 404, description = "No such block in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_content_block(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiPath(name): ApiPath<BlockName>,
) -> Result<Json<BlockDocument>> {
    let found = state
        .control
        .find_content_block(caller.workspace, &name.0)
        .await?;
    Ok(Json(found.ok_or_else(BlockName::absent)?.into()))
}

/// Replaces the source of a content block. What was launched or triggered before stays as it was;
/// what is launched or triggered from now on has the new text.
#[utoipa::path(
    put, path = "/v1/content_blocks/{name}", tag = "Content blocks", params(("name" = String, Path)),
    request_body = BlockSource, security(("api_key" = [])),
    responses(
        (status = 200, description = "The changed block", body = BlockDocument),
        (status = 404, description = "No such block in this workspace", body = ProblemDocument),
        (status = 422, description = "The source is invalid", body = ProblemDocument),
    ),
)]
pub(crate) async fn replace_content_block(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    ApiPath(name): ApiPath<BlockName>,
    ApiJson(body): ApiJson<BlockSource>,
) -> Result<Json<BlockDocument>> {
    let problems = state.sender.check_block(&body.source);
    if !problems.is_empty() {
        return Err(Problem::invalid(problems));
    }
    let now = state.clock.now();
    let replaced = state
        .control
        .replace_content_block(caller.workspace, &name.0, &body.source, now)
        .await?;
    Ok(Json(replaced.into()))
}

/// Deletes a content block that no campaign needs any more.
#[utoipa::path(
    delete, path = "/v1/content_blocks/{name}", tag = "Content blocks", params(("name" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such block in this workspace", body = ProblemDocument),
        (status = 409, description = "Campaigns that are not stopped use it", body = ProblemDocument),
    ),
)]
pub(crate) async fn delete_content_block(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    ApiPath(name): ApiPath<BlockName>,
) -> Result<StatusCode> {
    let users = state
        .sender
        .users_of_block(caller.workspace, &name.0)
        .await?;
    if !users.is_empty() {
        let shown: Vec<String> = users
            .iter()
            .take(SHOWN_USERS)
            .map(ToString::to_string)
            .collect();
        let detail = format!(
            "{} campaigns that are not stopped use it, such as {}; change or stop them first",
            users.len(),
            shown.join(", ")
        );
        return Err(Problem::new(Code::ContentBlockInUse, detail));
    }
    state
        .control
        .delete_content_block(caller.workspace, &name.0)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
