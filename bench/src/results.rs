//! The files that a run leaves: what was measured, where, of which commit, with which settings.

use std::collections::BTreeMap;
use std::path::Path;

use corkboard_core::time::{Clock as _, SystemClock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Setting;
use crate::console::say;
use crate::failure::{Failure, Result, While as _};
use crate::machine::Machine;

/// What a bench hands over.
#[derive(Debug)]
pub(crate) struct Measured<R> {
    /// What was set, in words, by name.
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) rows: R,
}

/// A results file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Results<R> {
    pub(crate) bench: String,
    pub(crate) command: String,
    pub(crate) commit: String,
    pub(crate) measured_at: String,
    pub(crate) machine: Machine,
    pub(crate) settings: BTreeMap<String, String>,
    pub(crate) rows: R,
}

/// Writes `NAME.json`.
pub(crate) fn write<R: Serialize>(
    setting: &Setting,
    name: &str,
    measured: &Measured<R>,
) -> Result<()> {
    std::fs::create_dir_all(&setting.results).at(&setting.results)?;
    let quick = if setting.is_quick { " --quick" } else { "" };
    let results = Results {
        bench: name.to_owned(),
        command: format!("cargo xtask bench {name}{quick}"),
        commit: setting.commit.clone(),
        measured_at: SystemClock.now().to_string(),
        machine: Machine::this(),
        settings: measured.settings.clone(),
        rows: &measured.rows,
    };
    let path = setting.results.join(format!("{name}.json"));
    let mut text = serde_json::to_string_pretty(&results).map_err(Failure::unexpected)?;
    text.push('\n');
    std::fs::write(&path, text).at(&path)
}

/// Reads `NAME.json`; `None` when that bench has not run yet, or wrote another version of it.
pub(crate) fn read<R: DeserializeOwned>(folder: &Path, name: &str) -> Result<Option<Results<R>>> {
    let path = folder.join(format!("{name}.json"));
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).at(&path)?;
    let results = serde_json::from_str(&text);
    if let Err(error) = &results {
        // A new bench must not lose its run over what an older one left.
        say(&format!(
            "{} is left out of the report: {error}",
            path.display()
        ));
    }
    Ok(results.ok())
}

/// Settings in words.
pub(crate) fn settings<const N: usize>(pairs: [(&str, String); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
