//! Who is measured.

use serde::{Deserialize, Serialize};

use crate::spike::peer::Ladder;

/// A server with what it serves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Server {
    GunicornPostgres,
    WaitressPostgres,
    WaitressRedis,
    LuaRedis,
    /// As many bytes as an origin's answer.
    FixedValue,
    /// As many bytes as a feed.
    FixedFeed,
    OriginMemory,
    OriginRedis,
    OriginCold,
    /// Tokens that were seen before.
    FeedMemory,
    /// Every token as if for the first time.
    FeedFirstSeen,
    FeedRedis,
    FeedCold,
}

impl Server {
    pub(crate) const ALL: [Self; 13] = [
        Self::GunicornPostgres,
        Self::WaitressPostgres,
        Self::WaitressRedis,
        Self::LuaRedis,
        Self::FixedValue,
        Self::OriginMemory,
        Self::OriginRedis,
        Self::OriginCold,
        Self::FixedFeed,
        Self::FeedMemory,
        Self::FeedFirstSeen,
        Self::FeedRedis,
        Self::FeedCold,
    ];
    /// The ladder's steps in Django.
    pub(crate) const LADDER: [Self; 3] = [
        Self::GunicornPostgres,
        Self::WaitressPostgres,
        Self::WaitressRedis,
    ];

    /// As people read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::GunicornPostgres => "Django, gunicorn, PostgreSQL",
            Self::WaitressPostgres => "Django, waitress, PostgreSQL",
            Self::WaitressRedis => "Django, waitress, Redis",
            Self::LuaRedis => "nginx, Lua, Redis",
            Self::FixedValue => "nginx, fixed value",
            Self::FixedFeed => "nginx, fixed feed",
            Self::OriginMemory => "origin, memory",
            Self::OriginRedis => "origin, Redis",
            Self::OriginCold => "origin, PostgreSQL cold",
            Self::FeedMemory => "feed, memory",
            Self::FeedFirstSeen => "feed, memory, new tokens",
            Self::FeedRedis => "feed, Redis",
            Self::FeedCold => "feed, PostgreSQL cold",
        }
    }

    pub(crate) fn is_ours(self) -> bool {
        matches!(
            self,
            Self::OriginMemory
                | Self::OriginRedis
                | Self::OriginCold
                | Self::FeedMemory
                | Self::FeedFirstSeen
                | Self::FeedRedis
                | Self::FeedCold
        )
    }
}

impl From<Ladder> for Server {
    fn from(ladder: Ladder) -> Self {
        match ladder {
            Ladder::GunicornPostgres => Self::GunicornPostgres,
            Ladder::WaitressPostgres => Self::WaitressPostgres,
            Ladder::WaitressRedis => Self::WaitressRedis,
        }
    }
}
