//! What launching, triggering and stopping can answer instead of doing it.

use corkboard_core::campaign::Invalid;
use corkboard_core::time::Timestamp;
use corkboard_store::StoreError;

/// Why a call had no effect.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It does not exist in this workspace.
    #[error("no such {what}")]
    NotFound { what: &'static str },
    /// The campaign is in a state that does not allow the call.
    #[error(transparent)]
    WrongState(#[from] WrongState),
    /// Every problem of the campaign or the request.
    #[error("{}", first(.0))]
    Invalid(Vec<Invalid>),
    /// The store failed. Nothing was acknowledged; the call may be repeated with the same ids.
    #[error("the store could not do it")]
    Store(#[source] StoreError),
}

/// A state of a campaign that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrongState {
    #[error("the campaign was launched already and is not re-eligible")]
    CampaignLaunched,
    /// Launched again before any user can have become eligible again.
    #[error("nobody is eligible again before {until}")]
    TooSoon { until: Timestamp },
    #[error("the campaign was stopped")]
    CampaignStopped,
    #[error("the campaign is not triggered by API: its delivery kind is not 'api'")]
    NotApiTriggered,
}

impl WrongState {
    /// Stable and in snake case, for programs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::CampaignLaunched | Self::TooSoon { .. } => "campaign_launched",
            Self::CampaignStopped => "campaign_stopped",
            Self::NotApiTriggered => "not_api_triggered",
        }
    }
}

impl From<StoreError> for SendError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::NotFound { what },
            other => Self::Store(other),
        }
    }
}

fn first(problems: &[Invalid]) -> String {
    match problems {
        [] => "the campaign is invalid".to_owned(),
        [only] => format!("{} {}", only.path, only.message),
        [first, rest @ ..] => {
            format!(
                "{} {} (and {} more problems)",
                first.path,
                first.message,
                rest.len()
            )
        }
    }
}

/// What calls of this room return.
pub(crate) type Result<T> = std::result::Result<T, SendError>;
