//! Ids in paths. A malformed id names nothing: 404, like any other id that does not exist.

use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use corkboard_core::user::UserId;
use http::request::Parts;

use crate::problem::{Code, Problem};
use crate::state::ApiState;

/// Something that can stand in a path.
pub(crate) trait ObjectPath: Sized {
    /// What the answer says when the ids name nothing, whether they have the right form or not:
    /// nobody learns from the answer which of the two it was.
    const ABSENT: &'static str;
    /// From the path's parameters, in order.
    fn from_segments(segments: &[String]) -> Option<Self>;

    /// The answer when there is no such thing.
    fn absent() -> Problem {
        Problem::new(Code::NotFound, Self::ABSENT)
    }
}

/// The ids of a path.
#[derive(Debug)]
pub(crate) struct ApiPath<T>(pub(crate) T);

impl<T: ObjectPath> FromRequestParts<ApiState> for ApiPath<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let raw = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| T::absent())?;
        let segments: Vec<String> = raw.iter().map(|(_, value)| value.to_owned()).collect();
        T::from_segments(&segments).map(Self).ok_or_else(T::absent)
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

/// The name of a stored thing.
#[derive(Debug)]
pub(crate) struct ObjectName<const BLOCK: bool>(pub(crate) String);

/// A content block's.
pub(crate) type BlockName = ObjectName<true>;
/// A credential's.
pub(crate) type CredentialName = ObjectName<false>;

impl<const BLOCK: bool> ObjectPath for ObjectName<BLOCK> {
    const ABSENT: &'static str = if BLOCK {
        "there is no such content block"
    } else {
        "there is no such credential"
    };

    fn from_segments(segments: &[String]) -> Option<Self> {
        match segments {
            [only] if is_name(only) => Some(Self(only.clone())),
            _ => None,
        }
    }
}

/// Longest name of a stored thing.
const MOST_NAME: usize = 100;

/// What may stand in a template as it is: a letter or `_`, then letters, digits, `_` and `-`.
pub(crate) fn is_name(text: &str) -> bool {
    let first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let later = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    text.len() <= MOST_NAME && text.bytes().next().is_some_and(first) && text.bytes().all(later)
}

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
