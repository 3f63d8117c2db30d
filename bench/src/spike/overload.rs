//! Offered load beyond what can be done.

use serde::{Deserialize, Serialize};

use super::site::Ground;
use crate::Setting;
use crate::failure::{Failure, Result};

/// What was measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Overload {}

#[expect(
    clippy::unused_async,
    reason = "the measurement will wait for its load"
)]
pub(super) async fn run(_setting: &Setting, _ground: &Ground) -> Result<Overload> {
    Err(Failure::unexpected("not measured in this version"))
}
