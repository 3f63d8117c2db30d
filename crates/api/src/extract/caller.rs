//! The caller of the server API: an API key that carries the operation's scope.

use std::marker::PhantomData;
use std::time::Duration;

use axum::extract::FromRequestParts;
use corkboard_core::id::{ApiKeyId, WorkspaceId};
use corkboard_core::tenancy::Scope;
use http::request::Parts;

use super::reader::bearer;
use crate::auth::ApiKeySecret;
use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// A scope as a type, so that no handler can forget to ask for one.
pub(crate) trait Requires: Send + Sync {
    const SCOPE: Scope;
}

/// One type per scope.
pub(crate) mod scope {
    use super::{Requires, Scope};

    macro_rules! scopes {
        ($($name:ident),*) => {$(
            #[derive(Debug)]
            pub(crate) struct $name;
            impl Requires for $name { const SCOPE: Scope = Scope::$name; }
        )*};
    }
    scopes!(
        UsersWrite,
        UsersRead,
        CampaignsWrite,
        CampaignsRead,
        CampaignsLaunch,
        CampaignsTrigger,
        FetchesRead,
        CredentialsWrite,
        CredentialsRead
    );
}

/// Who calls. Extracting it authenticates, authorises and counts against the rate limit, before
/// the body is read.
#[derive(Debug)]
pub(crate) struct Caller<S> {
    pub(crate) workspace: WorkspaceId,
    scope: PhantomData<S>,
}

/// The key behind a request, put there by [`authenticate`].
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    pub(crate) workspace: WorkspaceId,
    pub(crate) key: ApiKeyId,
    scopes: Vec<Scope>,
}

/// Finds out which key a request carries.
pub(crate) async fn authenticate(state: &ApiState, parts: &Parts) -> Result<Principal, Problem> {
    let invalid = || {
        Problem::new(
            Code::InvalidApiKey,
            "the API key is unknown or has been revoked",
        )
    };
    let presented = ApiKeySecret::parse(bearer(&parts.headers)?)
        .map_err(|error| Problem::new(Code::InvalidApiKey, format!("{error}")))?;
    let stored = state
        .control
        .find_api_key(presented.id())
        .await?
        .ok_or_else(invalid)?;
    if !presented.matches(&stored.secret_hash) || stored.revoked_at.is_some() {
        return Err(invalid());
    }
    if let Err(wait) = state.server_limit.check(stored.workspace) {
        return Err(too_many(wait));
    }
    Ok(Principal {
        workspace: stored.workspace,
        key: stored.id,
        scopes: stored.scopes,
    })
}

/// The reply to a workspace that asks too often.
pub(crate) fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Problem::new(
        Code::RateLimited,
        "the workspace sends more requests than it may; slow down",
    )
    .retry_after(seconds)
}

impl<S: Requires> FromRequestParts<ApiState> for Caller<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let principal = match parts.extensions.get::<Principal>() {
            Some(principal) => principal.clone(),
            None => authenticate(state, parts).await?,
        };
        if !principal.scopes.contains(&S::SCOPE) {
            let detail = format!("key {} needs scope '{}'", principal.key, S::SCOPE.as_str());
            return Err(Problem::new(Code::MissingScope, detail));
        }
        Ok(Self {
            workspace: principal.workspace,
            scope: PhantomData,
        })
    }
}
