//! Commands that the contract names and this version has not got: a clear answer, not a riddle.

use crate::exit::{Failure, Outcome};

/// `corkboard origin`.
pub(crate) fn origin() -> Outcome {
    Err(Failure::usage(format!(
        "this version ({}) has no origin role yet; nothing was started",
        env!("CARGO_PKG_VERSION")
    )))
}

/// `corkboard topology`.
pub(crate) fn topology() -> Outcome {
    Err(Failure::usage(format!(
        "this version ({}) has the embedded store only, which is one database: there is no topology \
         to show or change yet",
        env!("CARGO_PKG_VERSION")
    )))
}
