//! The ways in which Redis goes, and how it comes back.

use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::spike::redis::Redis;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// It ends, and comes back empty at the same port.
    Killed,
    /// It accepts connections and answers nothing; then it goes on with what it had.
    Hung,
    /// It has lost everything and is there.
    Flushed,
    /// It follows a server that is not there: reads are answered, writes refused.
    ReadOnly,
    /// It has no room for writes; reads are answered.
    OutOfMemory,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Hung => "hung",
            Self::Flushed => "flushed",
            Self::ReadOnly => "read-only",
            Self::OutOfMemory => "out of memory",
        }
    }

    pub(super) async fn strike(self, redis: &mut Redis) -> Result<()> {
        match self {
            Self::Killed => redis.kill().await,
            Self::Hung => redis.freeze(),
            Self::Flushed => redis.flush().await,
            // Nobody listens at port 1.
            Self::ReadOnly => redis.ask(&[&["REPLICAOF", "127.0.0.1", "1"]]).await,
            Self::OutOfMemory => {
                let policy = ["CONFIG", "SET", "maxmemory-policy", "noeviction"];
                let room = ["CONFIG", "SET", "maxmemory", "1mb"];
                redis.ask(&[&policy, &room]).await
            }
        }
    }

    /// Ends when Redis is what it was, but for what it has lost.
    pub(super) async fn mend(self, redis: &mut Redis) -> Result<()> {
        match self {
            Self::Killed => redis.restart().await,
            Self::Hung => redis.thaw(),
            // It fills by itself.
            Self::Flushed => Ok(()),
            Self::ReadOnly => redis.ask(&[&["REPLICAOF", "NO", "ONE"]]).await,
            Self::OutOfMemory => redis.ask(&[&["CONFIG", "SET", "maxmemory", "0"]]).await,
        }
    }
}
