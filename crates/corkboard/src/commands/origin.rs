//! `corkboard origin`: serving content from a relational database, and looking after it.

use std::sync::Arc;

use corkboard_core::story::story;
use corkboard_core::time::SystemClock;
use corkboard_origin::{Hooked, UpkeepError, Verified, Warmed, install};
use serde_json::json;

use super::settings as of_command;
use crate::cli::{ConfigFile, OriginCommand};
use crate::exit::{Failure, Outcome};
use crate::node::{Process, endpoints, open_origin, refused, source_options};
use crate::output::{self, Table};
use crate::settings::Settings;
use crate::telemetry::{self, Verbosity};
use crate::{progress, runtime};

pub(crate) fn run(config: &ConfigFile, command: Option<&OriginCommand>) -> Outcome {
    match command {
        None => serve(config),
        Some(OriginCommand::InstallHooks) => install_hooks(config),
        Some(OriginCommand::Warm) => warm(config),
        Some(OriginCommand::Verify { json }) => verify(config, *json),
    }
}

fn serve(config: &ConfigFile) -> Outcome {
    let settings = Settings::from_file(config.path()?)?;
    let logs = telemetry::install_logs(&settings.config.log, Verbosity::Node);
    settings.warn();
    let process = Process {
        clock: Arc::new(SystemClock),
        logs,
        metrics: telemetry::recorder::install()?,
    };
    runtime::block_on(async {
        let end = corkboard_edge::termination()
            .map_err(|error| Failure::Internal(format!("signals cannot be heard: {error}")))?;
        let clock = Arc::clone(&process.clock);
        let node = open_origin(&settings.config, clock, false).await?;
        node.serve(&settings.config, process, end).await
    })
}

fn install_hooks(config: &ConfigFile) -> Outcome {
    let settings = of_command(config)?;
    let origin = &settings.config.origin;
    runtime::block_on(async {
        let Some(database) = &origin.database else {
            return Err(Failure::usage("origin.database is missing"));
        };
        let (endpoints, options) = (endpoints(origin), source_options(origin));
        let hooked = install(database.expose(), &endpoints, &options).await;
        for hooked in hooked.map_err(|error| refused(&error))? {
            match hooked {
                Hooked::Table { path, table } => {
                    output::field(&path, &format!("changes of {table} are recorded"))?;
                }
                Hooked::Query { path } => {
                    output::field(&path, "a query: its rows live for their ttl")?;
                }
            }
        }
        Ok(())
    })
}

fn warm(config: &ConfigFile) -> Outcome {
    let settings = of_command(config)?;
    runtime::block_on(async {
        let node = open_origin(&settings.config, Arc::new(SystemClock), true).await?;
        let mut outcome = Outcome::Ok(());
        for (endpoint, path) in node.origin.paths().into_iter().enumerate() {
            let estimate = node
                .origin
                .estimate(endpoint)
                .await
                .map_err(|error| refused(&error))?;
            let Some(estimate) = estimate else {
                output::field(
                    path,
                    "a query: its keys are not known, so it fills as it is asked",
                )?;
                continue;
            };
            let bar = progress::bar("warming", estimate);
            let warmed = node.origin.warm(endpoint, |count| {
                bar.set_length(count.max(estimate));
                bar.set_position(count);
            });
            match warmed.await {
                Ok(warmed) => bar.suspend(|| output::field(path, &summary(warmed)))?,
                Err(error) => {
                    outcome = Err(failed(&error));
                    break;
                }
            }
            bar.finish_and_clear();
        }
        node.close().await?;
        outcome
    })
}

fn summary(warmed: Warmed) -> String {
    match warmed {
        Warmed { rows, retried: 0 } => format!("{rows} rows"),
        Warmed { rows, retried } => format!("{rows} rows; pages asked for again: {retried}"),
    }
}

fn verify(config: &ConfigFile, as_json: bool) -> Outcome {
    let settings = of_command(config)?;
    runtime::block_on(async {
        let node = open_origin(&settings.config, Arc::new(SystemClock), true).await?;
        let (mut found, mut outcome) = (Vec::new(), Outcome::Ok(()));
        for (endpoint, path) in node.origin.paths().into_iter().enumerate() {
            let bar = progress::bar("comparing", 0);
            let verified = node.origin.verify(endpoint, |count| {
                bar.set_length(count);
                bar.set_position(count);
            });
            match verified.await {
                Ok(verified) => found.push((path.to_owned(), verified)),
                Err(error) => {
                    outcome = Err(failed(&error));
                    break;
                }
            }
            bar.finish_and_clear();
        }
        report(&found, as_json)?;
        node.close().await?;
        outcome
    })
}

fn report(found: &[(String, Verified)], as_json: bool) -> Outcome {
    if as_json {
        let rows = found.iter().map(|(path, found)| {
            json!({"endpoint": path, "rows": found.rows, "different": found.different,
                "overlong": found.overlong, "gone": found.gone,
                "retried": found.retried, "begun_again": found.begun_again})
        });
        output::json(&rows.collect::<Vec<_>>())?;
        return Ok(());
    }
    let mut table = Table::new(&[
        "endpoint",
        "rows",
        "different",
        "overlong",
        "gone",
        "retried",
        "begun again",
    ]);
    for (path, found) in found {
        let counts = [
            found.rows,
            found.different,
            found.overlong,
            found.gone,
            found.retried,
            found.begun_again,
        ];
        let mut row = vec![path.clone()];
        row.extend(counts.iter().map(u64::to_string));
        table.row(row);
    }
    table.print()?;
    Ok(())
}

fn failed(error: &UpkeepError) -> Failure {
    match error {
        UpkeepError::Source(error) => refused(error),
        UpkeepError::Redis(_) => Failure::Unavailable(story(error)),
        _ => Failure::usage(story(error)),
    }
}
