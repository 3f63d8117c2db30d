//! Stored credentials of connected content. What is secret of them goes in and never comes out.

mod given;

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use corkboard_core::campaign::Invalid;
use corkboard_core::id::WorkspaceId;
use corkboard_core::time::Timestamp;
use corkboard_fetch::{Sealed, Secret, Vault};
use corkboard_store::control_store::StoredCredential;
use http::StatusCode;
use serde::Serialize;

pub(crate) use given::NewCredential;

use super::List;
use super::names::{name_problems, taken};
use crate::extract::{
    ApiJson, ApiPath, ApiQuery, Caller, CredentialName, ObjectPath, PageQuery, scope,
};
use crate::idempotency::RequestKey;
use crate::problem::{Code, Problem, ProblemDocument, Result};
use crate::state::ApiState;

/// What may be seen of a credential.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Credential)]
pub(crate) struct CredentialDocument {
    name: String,
    /// `basic`, `bearer` or `headers`.
    kind: String,
    hosts: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<StoredCredential> for CredentialDocument {
    fn from(stored: StoredCredential) -> Self {
        Self {
            name: stored.name,
            kind: stored.kind,
            hosts: stored.hosts,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
        }
    }
}

/// Stores a credential, sealed. Templates name it with `:basic_auth` or `:auth_credentials`.
#[utoipa::path(
    post, path = "/v1/credentials", tag = "Connected content", request_body = NewCredential, security(("api_key" = [])),
    responses(
        (status = 201, description = "What may be seen of it", body = CredentialDocument),
        (status = 409, description = "The name is taken, or there are 1,000 already", body = ProblemDocument),
        (status = 422, description = "Every invalid field", body = ProblemDocument),
        (status = 503, description = "The installation has no key to seal it with", body = ProblemDocument),
    ),
)]
pub(crate) async fn create_credential(
    State(state): State<ApiState>,
    caller: Caller<scope::CredentialsWrite>,
    key: Option<Extension<RequestKey>>,
    ApiJson(body): ApiJson<NewCredential>,
) -> Result<(StatusCode, Json<CredentialDocument>)> {
    let vault = vault(&state)?;
    let name = body.name.clone().unwrap_or_default();
    let secret = body.secret(name_problems(&name))?;
    let sealing = Sealing {
        workspace: caller.workspace,
        name: &name,
        hosts: body.hosts,
        now: state.clock.now(),
    };
    let credential = sealing.seal(vault, &secret)?;
    let (stored, fresh) = state.control.insert_credential(&credential).await?;
    // A request that was interrupted between its effect and its answer finds what it has stored.
    let repeated = || {
        let sealed = Sealed {
            key: stored.key.clone(),
            bytes: stored.sealed.clone(),
        };
        let opened = vault.open(stored.workspace, &stored.name, &credential.hosts, &sealed);
        opened.is_ok_and(|opened| opened == secret)
    };
    let is_ours = fresh || (key.is_some() && repeated());
    if !is_ours {
        return Err(taken("credential", &name));
    }
    Ok((StatusCode::CREATED, Json(stored.into())))
}

/// Credentials by name, without what is secret of them.
#[utoipa::path(
    get, path = "/v1/credentials", tag = "Connected content", params(PageQuery), security(("api_key" = [])),
    responses((status = 200, description = "One page", body = List<CredentialDocument>)),
)]
pub(crate) async fn list_credentials(
    State(state): State<ApiState>,
    caller: Caller<scope::CredentialsRead>,
    ApiQuery(page): ApiQuery<PageQuery>,
) -> Result<Json<List<CredentialDocument>>> {
    let page = state
        .control
        .list_credentials(caller.workspace, &page.request()?)
        .await?;
    Ok(Json(page.into()))
}

/// What may be seen of one credential.
#[utoipa::path(
    get, path = "/v1/credentials/{name}", tag = "Connected content", params(("name" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 200, description = "Name, kind and hosts", body = CredentialDocument),
        (status = 404, description = "No such credential in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn get_credential(
    State(state): State<ApiState>,
    caller: Caller<scope::CredentialsRead>,
    ApiPath(name): ApiPath<CredentialName>,
) -> Result<Json<CredentialDocument>> {
    let found = state
        .control
        .find_credential(caller.workspace, &name.0)
        .await?;
    Ok(Json(found.ok_or_else(CredentialName::absent)?.into()))
}

/// Replaces a credential as a whole. Calls use the new one within seconds, on every node.
#[utoipa::path(
    put, path = "/v1/credentials/{name}", tag = "Connected content", params(("name" = String, Path)),
    request_body = NewCredential, security(("api_key" = [])),
    responses(
        (status = 200, description = "What may be seen of it", body = CredentialDocument),
        (status = 404, description = "No such credential in this workspace", body = ProblemDocument),
        (status = 422, description = "Every invalid field", body = ProblemDocument),
        (status = 503, description = "The installation has no key to seal it with", body = ProblemDocument),
    ),
)]
pub(crate) async fn replace_credential(
    State(state): State<ApiState>,
    caller: Caller<scope::CredentialsWrite>,
    ApiPath(name): ApiPath<CredentialName>,
    ApiJson(body): ApiJson<NewCredential>,
) -> Result<Json<CredentialDocument>> {
    let vault = vault(&state)?;
    let renamed = body.name.as_ref().is_some_and(|given| *given != name.0);
    let renaming = || Invalid::new("/name", "is not the one in the path");
    let secret = body.secret(renamed.then(renaming).into_iter().collect())?;
    let sealing = Sealing {
        workspace: caller.workspace,
        name: &name.0,
        hosts: body.hosts,
        now: state.clock.now(),
    };
    let credential = sealing.seal(vault, &secret)?;
    let stored = state.control.replace_credential(&credential).await?;
    Ok(Json(stored.into()))
}

/// Deletes a credential. Calls that name it are refused within seconds, on every node.
#[utoipa::path(
    delete, path = "/v1/credentials/{name}", tag = "Connected content", params(("name" = String, Path)), security(("api_key" = [])),
    responses(
        (status = 204, description = "Deleted"),
        (status = 404, description = "No such credential in this workspace", body = ProblemDocument),
    ),
)]
pub(crate) async fn delete_credential(
    State(state): State<ApiState>,
    caller: Caller<scope::CredentialsWrite>,
    ApiPath(name): ApiPath<CredentialName>,
) -> Result<StatusCode> {
    state
        .control
        .delete_credential(caller.workspace, &name.0)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

fn vault(state: &ApiState) -> Result<&Arc<Vault>> {
    state.vault.as_ref().ok_or_else(|| {
        let detail = "this installation has no key to seal credentials with; set secrets.keys";
        Problem::new(Code::SecretsUnavailable, detail)
    })
}

/// What a secret is sealed for.
struct Sealing<'a> {
    workspace: WorkspaceId,
    name: &'a str,
    hosts: Vec<String>,
    now: Timestamp,
}

impl Sealing<'_> {
    fn seal(self, vault: &Vault, secret: &Secret) -> Result<StoredCredential> {
        let sealed = vault
            .seal(self.workspace, self.name, &self.hosts, secret)
            .map_err(|error| Problem::internal(&error))?;
        Ok(StoredCredential {
            workspace: self.workspace,
            name: self.name.to_owned(),
            kind: secret.kind().to_owned(),
            hosts: self.hosts,
            key: sealed.key,
            sealed: sealed.bytes,
            created_at: self.now,
            updated_at: self.now,
        })
    }
}
