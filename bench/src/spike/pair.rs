//! Two origins behind a balancer.

use serde::{Deserialize, Serialize};

use super::site::Ground;
use crate::Setting;
use crate::failure::{Failure, Result};

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Pair {}

#[expect(
    clippy::unused_async,
    reason = "the measurement will wait for its load"
)]
pub(super) async fn run(_setting: &Setting, _ground: &Ground) -> Result<Pair> {
    Err(Failure::unexpected("not measured in this version"))
}
