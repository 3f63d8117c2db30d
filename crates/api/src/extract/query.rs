//! Query strings: unknown parameters are refused, so that a typing error does not pass unnoticed.

use axum::extract::{FromRequestParts, Query};
use corkboard_store::page::{MAX_PAGE, PageRequest};
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// A query string of type `T`.
#[derive(Debug)]
pub(crate) struct ApiQuery<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<ApiState> for ApiQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(Code::MalformedRequest, rejection.body_text())),
        }
    }
}

/// `limit` and `cursor` of every list.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Items a page, 1 to 250; 50 when absent.
    #[param(minimum = 1, maximum = 250)]
    pub(crate) limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

impl PageQuery {
    pub(crate) fn request(self) -> Result<PageRequest, Problem> {
        page(self.limit, self.cursor)
    }
}

/// Checks the parameters of a list.
pub(crate) fn page(limit: Option<u32>, cursor: Option<String>) -> Result<PageRequest, Problem> {
    let limit = limit.unwrap_or(50);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(Problem::new(
            Code::MalformedRequest,
            format!("limit must be 1 to {MAX_PAGE}"),
        ));
    }
    Ok(PageRequest {
        limit,
        after: cursor,
    })
}
