//! Campaigns: create, list, read, change, delete.

use axum::extract::State;
use axum::{Extension, Json};
use corkboard_core::campaign::{Campaign, CampaignDefinition, CampaignState, Delivery};
use corkboard_core::id::{CampaignId, WorkspaceId};
use corkboard_core::time::Timestamp;
use http::StatusCode;
use serde::Serialize;

use super::{List, new_id};
use crate::extract::{ApiJson, ApiPath, ApiQuery, Caller, ObjectPath, PageQuery, scope};
use crate::idempotency::RequestKey;
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::schema::{CampaignSchema, StateName};
use crate::state::ApiState;

/// A campaign as stored: its definition, and where it is in its life.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = StoredCampaign)]
pub(crate) struct CampaignDocument {
    #[schema(value_type = String, example = "cmp_01j5qmzjn9f8s6zv0q4h2m3k7x")]
    id: CampaignId,
    #[schema(value_type = StateName)]
    state: CampaignState,
    /// Grows with every change.
    version: u32,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When its cards were taken back, if they were.
    #[schema(value_type = Option<String>, format = DateTime)]
    cancelled_at: Option<Timestamp>,
    #[serde(flatten)]
    #[schema(value_type = CampaignSchema)]
    definition: CampaignDefinition,
    /// What its author should look at; absent when there is nothing. Only said when it is created or
    /// changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    warnings: Vec<WarningDocument>,
}

/// Something in a template that compiles and is probably not meant.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = TemplateWarning)]
pub(crate) struct WarningDocument {
    #[schema(example = "/variants/0/card/title")]
    path: String,
    /// `unchecked_fetch`, `unescaped_in_url`, `unknown_attribute`; there may be more.
    code: &'static str,
    message: String,
    /// Counted from 1.
    line: u32,
    /// Counted from 1, in characters.
    column: u32,
}

impl CampaignDocument {
    async fn with_warnings(state: &ApiState, campaign: Campaign) -> Self {
        let found = state
            .sender
            .warnings(campaign.workspace, &campaign.definition);
        let warnings = found.await.into_iter().map(|found| WarningDocument {
            path: found.path,
            code: found.warning.code,
            message: found.warning.message,
            line: found.warning.line,
            column: found.warning.column,
        });
        Self {
            warnings: warnings.collect(),
            ..campaign.into()
        }
    }
}

impl From<Campaign> for CampaignDocument {
    fn from(campaign: Campaign) -> Self {
        Self {
            id: campaign.id,
            state: campaign.state,
            version: campaign.version,
            created_at: campaign.created_at,
            updated_at: campaign.updated_at,
            cancelled_at: campaign.cancelled_at,
            definition: campaign.definition,
            warnings: Vec::new(),
        }
    }
}

/// Creates a campaign. With delivery `launch` it is a draft until launched; with `api` or `event`
/// it takes triggers or events at once.
#[utoipa::path(
    post, path = "/v1/campaigns", tag = "Campaigns", request_body = CampaignSchema, security(("api_key" = [])),
    responses(
        (status = 201, description = "The campaign", body = CampaignDocument),
        (status = 422, description = "Every invalid field", body = ProblemDocument),
    ),
)]
pub(crate) async fn create_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    key: Option<Extension<RequestKey>>,
    ApiJson(definition): ApiJson<CampaignDefinition>,
) -> Result<(StatusCode, Json<CampaignDocument>)> {
    let now = state.clock.now();
    check(&state, caller.workspace, &definition).await?;
    let key = key.as_deref();
    let id = new_id(
        caller.workspace,
        "create_campaign",
        key,
        CampaignId::generate,
        now,
    );
    let initial = match definition.delivery {
        Delivery::Launch { .. } => CampaignState::Draft,
        Delivery::Api | Delivery::Event { .. } => CampaignState::Active,
    };
    let campaign = Campaign {
        id,
        workspace: caller.workspace,
        state: initial,
        version: 1,
        definition,
        created_at: now,
        updated_at: now,
        cancelled_at: None,
    };
    let (stored, _) = state.control.insert_campaign(&campaign).await?;
    let document = CampaignDocument::with_warnings(&state, stored).await;
    Ok((StatusCode::CREATED, Json(document)))
}

/// Campaigns, newest first.
#[utoipa::path(
    get, path = "/v1/campaigns", tag = "Campaigns", params(PageQuery), security(("api_key" = [])),
    responses((status = 200, description = "One page", body = List<CampaignDocument>)),
)]
pub(crate) async fn list_campaigns(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<List<CampaignDocument>>> {
    let page = state
        .control
        .list_campaigns(caller.workspace, &page.request()?)
        .await?;
    Ok(Json(page.into()))
}

/// One campaign.
#[utoipa::path(
    get, path = "/v1/campaigns/{id}", tag = "Campaigns", params(("id" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 200, description = "The campaign", body = CampaignDocument),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsRead>,
    ApiPath(id): ApiPath<CampaignId>,
) -> Result<Json<CampaignDocument>> {
    let campaign = state
        .control
        .find_campaign(caller.workspace, id)
        .await?
        .ok_or_else(CampaignId::absent)?;
    Ok(Json(campaign.into()))
}

/// Replaces a campaign's definition: a draft's, or one that is set off by API or events, whose
/// later cards follow the new version.
#[utoipa::path(
    put, path = "/v1/campaigns/{id}", tag = "Campaigns", params(("id" = String, Path)),
    request_body = CampaignSchema, security(("api_key" = [])),
    responses(
        (status = 200, description = "The changed campaign", body = CampaignDocument),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
        (status = 409, description = "Launched, stopped or changed meanwhile", body = ProblemDocument),
        (status = 422, description = "Every invalid field", body = ProblemDocument),
    ),
)]
pub(crate) async fn replace_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    ApiPath(id): ApiPath<CampaignId>,
    ApiJson(definition): ApiJson<CampaignDefinition>,
) -> Result<Json<CampaignDocument>> {
    let mut campaign = state
        .control
        .find_campaign(caller.workspace, id)
        .await?
        .ok_or_else(CampaignId::absent)?;
    let launched = matches!(campaign.definition.delivery, Delivery::Launch { .. });
    let relaunched = matches!(definition.delivery, Delivery::Launch { .. });
    match campaign.state {
        CampaignState::Stopped => {
            return Err(Problem::new(
                Code::CampaignStopped,
                "a stopped campaign cannot be changed",
            ));
        }
        CampaignState::Active if launched || relaunched => {
            let detail = "a launched campaign cannot be changed; stop it and create a new one";
            return Err(Problem::new(Code::CampaignLaunched, detail));
        }
        CampaignState::Active | CampaignState::Draft => {}
    }
    check(&state, caller.workspace, &definition).await?;
    if !relaunched {
        campaign.state = CampaignState::Active;
    }
    campaign.definition = definition;
    campaign.version += 1;
    campaign.updated_at = state.clock.now();
    state.control.update_campaign(&campaign).await?;
    Ok(Json(
        CampaignDocument::with_warnings(&state, campaign).await,
    ))
}

/// Deletes a campaign that has never sent anything.
#[utoipa::path(
    delete, path = "/v1/campaigns/{id}", tag = "Campaigns", params(("id" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such campaign in this workspace", body = ProblemDocument),
        (status = 409, description = "It has sent cards; stop it instead", body = ProblemDocument),
    ),
)]
pub(crate) async fn delete_campaign(
    State(state): State<ApiState>,
    caller: Caller<scope::CampaignsWrite>,
    ApiPath(id): ApiPath<CampaignId>,
) -> Result<StatusCode> {
    match state.control.delete_campaign(caller.workspace, id).await {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(corkboard_store::StoreError::Stale { .. }) => {
            let detail = "the campaign has been launched or triggered; stop it instead";
            Err(Problem::new(Code::CampaignLaunched, detail))
        }
        Err(error) => Err(error.into()),
    }
}

async fn check(
    state: &ApiState,
    workspace: WorkspaceId,
    definition: &CampaignDefinition,
) -> Result<()> {
    let mut problems = state.sender.check(definition);
    if problems.is_empty() {
        problems = state.sender.check_blocks(workspace, definition).await?;
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problem::invalid(problems))
    }
}
