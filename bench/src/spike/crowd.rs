//! Connections that only hold on, beside the rest.

use serde::{Deserialize, Serialize};

use super::site::Ground;
use crate::Setting;
use crate::failure::{Failure, Result};

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Crowd {}

#[expect(
    clippy::unused_async,
    reason = "the measurement will wait for its load"
)]
pub(super) async fn run(_setting: &Setting, _ground: &Ground) -> Result<Crowd> {
    Err(Failure::unexpected("not measured in this version"))
}
