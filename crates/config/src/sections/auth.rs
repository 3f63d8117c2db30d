//! `[auth]`: user tokens.

use std::time::Duration;

use serde::Serialize;

use crate::duration;
use crate::reader::Section;

/// How user tokens are judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthConfig {
    /// How far the clocks of token issuers may differ from ours.
    #[serde(serialize_with = "duration::serialize")]
    pub leeway: Duration,
}

impl AuthConfig {
    pub(crate) fn read(section: &mut Section<'_>) -> Self {
        Self {
            leeway: section.duration("leeway", ["0s", "5m"]),
        }
    }
}
