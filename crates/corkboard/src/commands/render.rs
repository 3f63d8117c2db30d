//! `corkboard render`: one template with a user and data, or many from a stream.
//!
//! Both go through the same engine and the same fetch client as a send: address guard, limits,
//! cache and all.

mod batch;
mod single;

use std::sync::Arc;

use corkboard_config::Config;
use corkboard_core::connected::FetchScope;
use corkboard_core::id::{Id as _, WorkspaceId};
use corkboard_core::story::story;
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_fetch::{DiscardCallLog, FetchClient, SystemResolver};
use corkboard_template::RenderOptions;

use crate::cli::Render;
use crate::exit::{Failure, Outcome};
use crate::runtime;
use crate::settings::{self, Settings};
use crate::telemetry::{self, Verbosity};

pub(crate) fn run(arguments: &Render) -> Outcome {
    let settings = match &arguments.config {
        Some(file) => Settings::from_file(file)?,
        None => Settings::from_environment()?,
    };
    telemetry::install_logs(&settings.config.log, Verbosity::Command);
    match &arguments.template {
        Some(template) => {
            let inputs = single::Inputs::read(template, arguments)?;
            with_fetcher(&settings.config, async |config, fetcher| {
                single::render(&inputs, config, fetcher).await
            })
        }
        None => with_fetcher(&settings.config, batch::render),
    }
}

/// Runs `work` with a fetch client of its own.
fn with_fetcher<F>(config: &Config, work: F) -> Outcome
where
    F: AsyncFnOnce(&Config, &FetchClient) -> Outcome,
{
    runtime::block_on(async {
        let fetcher = FetchClient::new(
            settings::fetch_options(config),
            Arc::new(SystemClock),
            Arc::new(DiscardCallLog),
            Arc::new(SystemResolver::default()),
        );
        let fetcher = fetcher.map_err(|error| Failure::usage(story(&error)))?;
        let outcome = work(config, &fetcher).await;
        fetcher.shutdown().await;
        outcome
    })
}

/// Limits as configured, on behalf of no workspace.
fn options(config: &Config) -> RenderOptions {
    RenderOptions {
        now: SystemClock.now(),
        limits: settings::template_limits(config),
        fetch_scope: FetchScope {
            workspace: WorkspaceId::from_bytes([0; 16]),
            campaign: None,
        },
    }
}
