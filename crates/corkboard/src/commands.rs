//! What each command does, one file each. A command's results go to stdout, all else to stderr.

mod app;
mod cohorts;
mod config;
mod doctor;
mod key;
mod migrate;
mod not_yet;
mod openapi;
mod origin;
mod render;
mod secrets;
mod serve;
mod version;
mod workspace;

use std::sync::Arc;

use corkboard_store::ControlStore;

use crate::cli::{Command, ConfigFile};
use crate::exit::Outcome;
use crate::settings::Settings;
use crate::stores::{Control, Stores};
use crate::telemetry::{self, Verbosity};
use crate::{demo, runtime};

/// Runs a command to its end.
pub(crate) fn run(command: Command) -> Outcome {
    match command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Origin { config, command } => origin::run(&config, command.as_ref()),
        Command::Migrate(config) => migrate::run(&config),
        Command::Workspace { config, command } => workspace::run(&config, command),
        Command::App { config, command } => app::run(&config, command),
        Command::Key { config, command } => key::run(&config, command),
        Command::Secrets { config, command } => secrets::run(&config, &command),
        Command::Cohorts { config, command } => cohorts::run(&config, &command),
        Command::Topology(_) => not_yet::topology(),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Render(arguments) => render::run(&arguments),
        Command::Openapi => openapi::run(),
        Command::Config { command } => config::run(&command),
        Command::Version => version::run(),
    }
}

/// Reads the configuration of a command that is over soon.
fn settings(config: &ConfigFile) -> Outcome<Settings> {
    let settings = Settings::from_file(config.path()?)?;
    telemetry::install_logs(&settings.config.log, Verbosity::Command);
    settings.warn();
    Ok(settings)
}

/// Reads the configuration, opens the stores, runs `work` with them and closes them again: the
/// frame of every command that needs cards and is over soon.
fn with_stores<F, Fut, T>(config: &ConfigFile, work: F) -> Outcome<T>
where
    F: FnOnce(Settings, Stores) -> Fut,
    Fut: Future<Output = Outcome<T>>,
{
    let settings = settings(config)?;
    runtime::block_on(async {
        let stores = Stores::open(&settings.config.store).await?;
        let closing = stores.clone();
        let outcome = work(settings, stores).await;
        closing.close().await;
        outcome
    })
}

/// The same for commands that need no card: a card database may be away.
fn with_control<F, Fut, T>(config: &ConfigFile, work: F) -> Outcome<T>
where
    F: FnOnce(Arc<dyn ControlStore>) -> Fut,
    Fut: Future<Output = Outcome<T>>,
{
    let settings = settings(config)?;
    runtime::block_on(async {
        let opened = Control::open(&settings.config.store).await?;
        let outcome = work(Arc::clone(&opened.store)).await;
        opened.close().await;
        outcome
    })
}
