//! Which error of the rooms below becomes which problem.

use corkboard_feed::FeedError;
use corkboard_send::{SendError, WrongState};
use corkboard_store::StoreError;

use super::{Code, Problem};

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { what } => {
                Self::new(Code::NotFound, format!("there is no such {what}"))
            }
            StoreError::Conflict { what } => {
                Self::new(Code::Conflict, format!("{what} is already taken"))
            }
            StoreError::Stale { what } => Self::new(
                Code::Conflict,
                format!("{what} has changed meanwhile; read it again"),
            ),
            StoreError::BadCursor => Self::new(
                Code::InvalidCursor,
                "use the next_cursor of the page before, unchanged",
            ),
            StoreError::Overloaded => Self::new(
                Code::Overloaded,
                "the store has too much to do; try again later",
            )
            .retry_after(1),
            StoreError::DiskFull(_) => {
                log(&error);
                Self::new(Code::DiskFull, "the store has no space left; reads go on")
                    .retry_after(30)
            }
            StoreError::Unavailable { .. } => {
                log(&error);
                Self::new(
                    Code::StoreUnavailable,
                    "the store cannot be reached; try again later",
                )
                .retry_after(2)
            }
            _ => Self::internal(&error),
        }
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        match error {
            SendError::NotFound { what } => {
                Self::new(Code::NotFound, format!("there is no such {what}"))
            }
            SendError::Invalid(errors) => Self::invalid(errors),
            SendError::WrongState(state) => {
                let code = match state {
                    WrongState::CampaignLaunched | WrongState::TooSoon { .. } => {
                        Code::CampaignLaunched
                    }
                    WrongState::CampaignStopped => Code::CampaignStopped,
                    WrongState::NotApiTriggered => Code::NotApiTriggered,
                };
                Self::new(code, state.to_string())
            }
            SendError::Store(error) => error.into(),
        }
    }
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::InvalidCursor => Self::new(Code::InvalidCursor, error.to_string()),
            FeedError::TooManySubscribers => {
                Self::new(Code::Overloaded, error.to_string()).retry_after(30)
            }
            FeedError::TimedOut => {
                log(&error);
                Self::new(
                    Code::StoreUnavailable,
                    "the store did not answer in time; try again",
                )
                .retry_after(2)
            }
            FeedError::NoSuchCampaign => Self::new(Code::NotFound, "there is no such campaign"),
            FeedError::InvalidCard(errors) => Self::invalid(errors),
            FeedError::Store(error) => error.into(),
            other => Self::internal(&other),
        }
    }
}

impl Problem {
    /// A defect: logged with its causes here, told to the client without them.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        log(error);
        Self::new(
            Code::Internal,
            "the server failed; the error has been logged",
        )
    }
}

fn log(error: &(dyn std::error::Error + 'static)) {
    tracing::error!(error = %Chain(error), "request failed");
}

/// An error with all its causes.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
