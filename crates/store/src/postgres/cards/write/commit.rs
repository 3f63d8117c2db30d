//! How a batch is committed: waiting for the disk, or leaving that to a later batch of its series.
//!
//! A commit that does not wait is flushed by the next one that does, whichever connection that has,
//! because the log is flushed in its order. What could go wrong is a crash in between that nobody
//! notices, as connections are opened anew: so a batch reads which life of the server it belongs to,
//! and the one that ends the series fails when that is another one.

use std::io;

use super::Writing;
use crate::card_store::{Durability, Life};
use crate::postgres::cards::attempt::{Attempt, Stop};
use crate::postgres::failure;
use crate::postgres::session::Session;

/// What is said with the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    Durable,
    /// Durable, and from now on the server's life has a name.
    Naming,
    /// A later batch makes it durable.
    Left,
}

impl Commit {
    /// For a batch whose transaction has seen this life. Fails when an earlier batch of the series
    /// was left to another one.
    pub(super) fn of(
        writing: &Writing<'_>,
        session: &Session,
        life: Option<Life>,
        has_new_contents: bool,
    ) -> Attempt<Self> {
        let durability = &writing.batch.durability;
        if durability.life().is_some_and(|left| Some(left) != life) {
            let lost = io::Error::other("the server crashed before earlier cards were durable");
            return Err(Stop::Failed(failure::unavailable(session.place(), lost)));
        }
        Ok(match (durability, life) {
            (Durability::Now | Durability::Ends(_), _) => Self::Durable,
            // The numbers of contents are remembered from here on.
            (Durability::Later(_), Some(_)) if has_new_contents => Self::Durable,
            (Durability::Later(_), None) => Self::Naming,
            (Durability::Later(series), Some(life)) => {
                series.leave(life);
                Self::Left
            }
        })
    }

    pub(super) async fn run(self, session: &Session) -> Attempt<()> {
        let last = match self {
            Self::Durable => "",
            Self::Naming => "INSERT INTO server_life DEFAULT VALUES ON CONFLICT DO NOTHING",
            Self::Left => "SET LOCAL synchronous_commit = off",
        };
        Ok(session.commit_after(last).await?)
    }
}

/// Whether the batch must leave a record in the log: a commit without one waits for nothing, and so
/// flushes nothing that is outstanding.
pub(super) fn must_write(durability: &Durability) -> bool {
    matches!(durability, Durability::Ends(_)) && durability.life().is_some()
}
