//! Which error of the rooms below becomes which problem.

use corkboard_core::story::story;
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
            StoreError::Full { .. } => Self::new(Code::LimitReached, error.to_string()),
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
    tracing::error!(error = %story(error), "request failed");
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use axum::response::IntoResponse;
    use corkboard_core::cohort::Cohort;
    use corkboard_core::time::Timestamp;
    use http::header;
    use http_body_util::BodyExt as _;

    use super::*;

    fn secret() -> Box<dyn Error + Send + Sync> {
        "constraint violated for ada@example.com".into()
    }

    /// Each error of the rooms below that is not reached through a socket elsewhere.
    fn cases() -> Vec<(Problem, Code)> {
        let cohort = Cohort::of(Timestamp::EPOCH, Timestamp::from_seconds(60));
        let place = "users.db".to_owned();
        let store = |error: StoreError, code| (Problem::from(error), code);
        vec![
            store(StoreError::Overloaded, Code::Overloaded),
            store(StoreError::DiskFull(secret()), Code::DiskFull),
            store(
                StoreError::Unavailable {
                    place: place.clone(),
                    source: secret(),
                },
                Code::StoreUnavailable,
            ),
            store(StoreError::NotFound { what: "campaign" }, Code::NotFound),
            store(
                StoreError::Conflict {
                    what: "workspace name",
                },
                Code::Conflict,
            ),
            store(StoreError::Stale { what: "campaign" }, Code::Conflict),
            store(StoreError::BadCursor, Code::InvalidCursor),
            store(StoreError::Fenced { chunk: 1 }, Code::Internal),
            store(StoreError::NoSuchCohort(cohort), Code::Internal),
            store(
                StoreError::SchemaTooNew {
                    place,
                    found: 2,
                    known: 1,
                },
                Code::Internal,
            ),
            store(
                StoreError::Corrupt {
                    what: "campaign",
                    source: secret(),
                },
                Code::Internal,
            ),
            store(
                StoreError::Database {
                    statement: "find campaign",
                    source: secret(),
                },
                Code::Internal,
            ),
            (Problem::from(FeedError::TimedOut), Code::StoreUnavailable),
            (
                Problem::from(FeedError::TooManySubscribers),
                Code::Overloaded,
            ),
            (
                Problem::from(SendError::Store(StoreError::Overloaded)),
                Code::Overloaded,
            ),
        ]
    }

    #[tokio::test]
    async fn every_error_below_has_its_code_and_no_5xx_tells_what_happened_inside() {
        for (problem, code) in cases() {
            assert_eq!(problem.code, code);
            let response = problem.into_response();
            let (status, retry) = (
                response.status(),
                response.headers().get(header::RETRY_AFTER).cloned(),
            );
            assert_eq!(status, code.status());
            assert_eq!(
                retry.is_some(),
                matches!(status.as_u16(), 503 | 507),
                "{}",
                code.as_str()
            );
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&body);
            assert!(
                !text.contains("ada@") && !text.contains("users.db"),
                "{text}"
            );
        }
    }

    #[test]
    fn the_page_of_errors_names_every_code_with_its_status() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (ours, _) = page.split_once("## From an origin only").unwrap();
        let rows: Vec<&str> = ours
            .lines()
            .filter(|line| line.starts_with("| `"))
            .collect();
        assert_eq!(rows.len(), Code::ALL.len());
        for (code, row) in Code::ALL.iter().zip(rows) {
            let start = format!("| `{}` | {} |", code.as_str(), code.status().as_u16());
            assert!(row.starts_with(&start), "{start} is not {row}");
        }
    }
}
