//! `corkboard openapi`: the document that `GET /openapi.json` serves.

use crate::exit::Outcome;
use crate::output;

pub(crate) fn run() -> Outcome {
    Ok(output::json(&corkboard_api::openapi::document())?)
}
