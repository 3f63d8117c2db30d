//! Ids in paths. A malformed id names nothing: 404, like any other id that does not exist.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use corkboard_core::user::UserId;
use http::request::Parts;

use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Something that can stand in a path.
pub(crate) trait ObjectPath: Sized {
    /// What the answer says when the ids name nothing, in the words that handlers use for ids of
    /// the right form: nobody learns from the answer which of the two it was.
    const ABSENT: &'static str;
    /// From the path's parameters, in order.
    fn from_segments(segments: &[String]) -> Option<Self>;
}

/// The ids of a path.
#[derive(Debug)]
pub(crate) struct ApiPath<T>(pub(crate) T);

impl<T: ObjectPath> FromRequestParts<ApiState> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let absent = || Problem::new(Code::NotFound, T::ABSENT);
        let raw = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| absent())?;
        let segments: Vec<String> = raw.iter().map(|(_, value)| value.to_owned()).collect();
        T::from_segments(&segments).map(Self).ok_or_else(absent)
    }
}

macro_rules! single {
    ($($id:ty: $absent:literal),*) => {$(
        impl ObjectPath for $id {
            const ABSENT: &'static str = $absent;

            fn from_segments(segments: &[String]) -> Option<Self> {
                match segments {
                    [only] => <$id>::from_str(only).ok(),
                    _ => None,
                }
            }
        }
    )*};
}
single!(
    corkboard_core::id::CampaignId: "there is no such campaign",
    corkboard_core::id::DispatchId: "there is no such dispatch"
);

impl ObjectPath for UserId {
    const ABSENT: &'static str = "there is no such user";

    fn from_segments(segments: &[String]) -> Option<Self> {
        match segments {
            [only] => Self::parse(only.as_str()).ok(),
            _ => None,
        }
    }
}

impl ObjectPath for (UserId, corkboard_core::id::CardId) {
    const ABSENT: &'static str = "the user has no such card";

    fn from_segments(segments: &[String]) -> Option<Self> {
        match segments {
            [user, card] => Some((UserId::parse(user.as_str()).ok()?, card.parse().ok()?)),
            _ => None,
        }
    }
}
