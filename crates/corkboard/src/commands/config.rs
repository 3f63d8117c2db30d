//! `corkboard config`: the commented defaults, and everything that is wrong with a file.

use std::io::{self, Write as _};

use crate::cli::ConfigCommand;
use crate::exit::Outcome;
use crate::output;
use crate::settings::Settings;

pub(crate) fn run(command: &ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Default => {
            let mut out = io::stdout().lock();
            out.write_all(corkboard_config::default_toml().as_bytes())?;
            Ok(out.flush()?)
        }
        ConfigCommand::Check { file, show } => {
            let settings = Settings::from_file(file)?;
            for warning in &settings.warnings {
                // Also for a reader that only looks at stdout: the file can be used all the same.
                output::field("warning", &warning.to_string())?;
            }
            if *show {
                output::line(settings.config.effective_toml().trim_end())?;
            } else {
                output::line(&format!("{}: ok", file.display()))?;
            }
            Ok(())
        }
    }
}
