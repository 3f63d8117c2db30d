//! Endpoints of the origin that cannot stand beside each other: a mistake of the configuration, found before
//! anything is asked.

use corkboard_config::Config;
use corkboard_origin::conflicts;

use crate::node::endpoints;

/// What is wrong, each with its key.
pub(super) fn problems(config: &Config) -> Vec<String> {
    conflicts(&endpoints(&config.origin))
}
