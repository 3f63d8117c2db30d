//! The caller of the client API: a user, vouched for by an app's token.

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, header};

use super::caller::too_many;
use crate::auth::{TokenError, VerifiedUser};
use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// The user whose feed is read.
#[derive(Debug)]
pub(crate) struct Reader(pub(crate) VerifiedUser);

/// The token of an `Authorization: Bearer` header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || {
        Problem::new(
            Code::MissingCredentials,
            "send Authorization: Bearer <credential>",
        )
    };
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let text = value.to_str().map_err(|_| missing())?;
    let (scheme, credential) = text.split_once(' ').ok_or_else(missing)?;
    if !scheme.eq_ignore_ascii_case("bearer") || credential.trim().is_empty() {
        return Err(missing());
    }
    Ok(credential.trim())
}

impl FromRequestParts<ApiState> for Reader {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        let user = state
            .tokens
            .verify(token)
            .await
            .map_err(|error| match error {
                TokenError::Expired => Problem::new(Code::ExpiredToken, error.to_string()),
                TokenError::Store(error) => error.into(),
                TokenError::Invalid(detail) => Problem::new(Code::InvalidToken, detail),
            })?;
        if let Err(wait) = state.client_limit.check(user.workspace) {
            return Err(too_many(wait));
        }
        Ok(Self(user))
    }
}
