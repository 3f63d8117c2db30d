//! Commands that the contract names and this version has not got: a clear answer, not a riddle.

use crate::exit::{Failure, Outcome};

/// `corkboard topology`.
pub(crate) fn topology() -> Outcome {
    Err(Failure::usage(format!(
        "this version ({}) has no topology to show or change yet: users are divided evenly among \
         the card databases of the configuration, and stay there",
        env!("CARGO_PKG_VERSION")
    )))
}
