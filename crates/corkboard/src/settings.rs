//! Reading the configuration, and saying it in each room's own words.

mod endpoints;
mod rooms;
mod secrets;
mod urls;

use std::fs;
use std::path::Path;

use corkboard_config::{Config, Layers, Warning};

use crate::exit::{Failure, Outcome};

pub(crate) use rooms::{
    api_options, edge_options, feed_options, fetch_options, most_at_once, send_options,
    template_limits,
};

pub(crate) use secrets::vault;

/// A configuration that may be used, and what is dubious about it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) warnings: Vec<Warning>,
}

impl Settings {
    /// The file with the environment over it.
    pub(crate) fn from_file(path: &Path) -> Outcome<Self> {
        Self::load(Layers::new().file(path.display().to_string(), read(path)?))
    }

    /// The defaults with the environment over them.
    pub(crate) fn from_environment() -> Outcome<Self> {
        Self::load(Layers::new())
    }

    /// `layers` with the environment over the file.
    pub(crate) fn load(layers: Layers) -> Outcome<Self> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            // Ours are UTF-8; what is not cannot be a valid value and is shown as it can be.
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        match Config::load(&layers.environment(environment)) {
            Ok((config, warnings)) => {
                let mut problems = urls::problems(&config);
                problems.extend(endpoints::problems(&config));
                if problems.is_empty() {
                    Ok(Self { config, warnings })
                } else {
                    Err(Failure::Usage(problems))
                }
            }
            Err(problems) => Err(Failure::Usage(
                problems.iter().map(ToString::to_string).collect(),
            )),
        }
    }

    /// Logs what is dubious.
    pub(crate) fn warn(&self) {
        for warning in &self.warnings {
            tracing::warn!("configuration: {warning}");
        }
    }
}

/// A file that the command line names; not being able to read it is wrong usage.
pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{} cannot be read: {error}", path.display())))
}

/// Whether the environment sets this key of the configuration.
pub(crate) fn environment_sets(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty())
}
