//! `corkboard migrate`: creates or upgrades the schemas, and says what they are now.

use super::with_stores;
use crate::cli::ConfigFile;
use crate::exit::Outcome;
use crate::output;

/// Opening an embedded store brings its schema up to date; there is nothing else to do.
pub(crate) fn run(config: &ConfigFile) -> Outcome {
    with_stores(config, async |_, stores| {
        for (name, value) in stores.control.describe().await? {
            output::field(&name, &value)?;
        }
        Ok(())
    })
}
