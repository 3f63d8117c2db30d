//! `corkboard version`.

use crate::exit::Outcome;
use crate::output;

pub(crate) fn run() -> Outcome {
    Ok(output::line(concat!(
        "corkboard ",
        env!("CARGO_PKG_VERSION")
    ))?)
}
