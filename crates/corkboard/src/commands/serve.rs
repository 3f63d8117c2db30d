//! `corkboard serve`: a node.

use std::sync::Arc;

use corkboard_core::time::SystemClock;

use crate::cli::{Role, Serve};
use crate::exit::{Failure, Outcome};
use crate::node::{Node, Process};
use crate::runtime;
use crate::settings::Settings;
use crate::telemetry::{self, Verbosity};

pub(crate) fn run(arguments: &Serve) -> Outcome {
    let settings = Settings::from_file(arguments.config.path()?)?;
    let logs = telemetry::install_logs(&settings.config.log, Verbosity::Node);
    settings.warn();
    let process = Process {
        clock: Arc::new(SystemClock),
        logs,
        metrics: telemetry::recorder::install()?,
    };
    let roles: Vec<Role> = Role::ALL
        .into_iter()
        .filter(|role| arguments.roles.contains(role))
        .collect();
    runtime::block_on(async {
        let end = corkboard_edge::termination()
            .map_err(|error| Failure::Internal(format!("signals cannot be heard: {error}")))?;
        Node::build(settings.config, roles, process)
            .await?
            .serve(end)
            .await
    })
}
