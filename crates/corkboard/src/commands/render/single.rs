//! One template: the output on stdout exactly as rendered, the trace on stderr.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use corkboard_config::Config;
use corkboard_fetch::FetchClient;
use corkboard_template::lint::Warning;
use corkboard_template::{
    Data, FetchTrace, RenderError, Scope, Template, TemplateError, render_text,
};
use serde_json::{Map, Value};

use crate::cli::Render;
use crate::exit::{Failure, Outcome};
use crate::settings;

/// What the command line names, read and checked.
pub(super) struct Inputs {
    name: String,
    source: String,
    user: Map<String, Value>,
    data: Map<String, Value>,
}

impl Inputs {
    pub(super) fn read(template: &Path, arguments: &Render) -> Outcome<Self> {
        Ok(Self {
            name: template.display().to_string(),
            source: settings::read(template)?,
            user: arguments
                .user
                .as_deref()
                .map(user)
                .transpose()?
                .unwrap_or_default(),
            data: arguments
                .data
                .as_deref()
                .map(object)
                .transpose()?
                .unwrap_or_default(),
        })
    }

    fn problem(&self, error: &TemplateError) -> Failure {
        let TemplateError {
            code,
            message,
            line,
            column,
        } = error;
        let place = format!("{}:{line}:{column}", self.name);
        let excerpt = error.excerpt(&self.source);
        Failure::usage(format!("{place}: {message} ({code})\n{excerpt}"))
    }
}

fn object(file: &Path) -> Outcome<Map<String, Value>> {
    serde_json::from_str(&settings::read(file)?).map_err(|error| {
        Failure::usage(format!("{} is not a JSON object: {error}", file.display()))
    })
}

/// A user as the API shows one (`user_id`, `attributes`), or simply their attributes.
fn user(file: &Path) -> Outcome<Map<String, Value>> {
    let mut user = object(file)?;
    if let Some(Value::Object(attributes)) = user.remove("attributes") {
        for (name, value) in attributes {
            user.entry(name).or_insert(value);
        }
    }
    Ok(user)
}

/// Renders, prints, and tells what was fetched on the way.
pub(super) async fn render(inputs: &Inputs, config: &Config, fetcher: &FetchClient) -> Outcome {
    let options = super::options(config);
    let template = Template::compile(&inputs.source, &options.limits)
        .map_err(|error| inputs.problem(&error))?;
    for warning in template.warnings() {
        let Warning {
            code,
            message,
            line,
            column,
        } = &warning;
        note(&format!(
            "{}:{line}:{column}: warning: {message} ({code})",
            inputs.name
        ));
    }
    let scope = Scope::new()
        .with("user", Data::from_json(&Value::Object(inputs.user.clone())))
        .with_globals(Data::from_json(&Value::Object(inputs.data.clone())));
    match render_text(&template, scope, &options, fetcher).await {
        Ok((output, trace)) => {
            tell(&trace);
            print(&output)
        }
        Err(RenderError::Aborted { reason, trace }) => {
            tell(&trace);
            note(&format!(
                "aborted: {}",
                reason.as_deref().unwrap_or("no reason given")
            ));
            Ok(())
        }
        Err(RenderError::GaveUp { problem, trace }) => {
            tell(&trace);
            note(&format!("aborted: a fetch was given up: {problem}"));
            Ok(())
        }
        Err(RenderError::Waits { trace, .. }) => {
            tell(&trace);
            note("aborted: a fetch has to wait");
            Ok(())
        }
        Err(RenderError::Template { error, trace, .. }) => {
            tell(&trace);
            Err(inputs.problem(&error))
        }
    }
}

fn print(output: &str) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(output.as_bytes())?;
    if out.is_terminal() && !output.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    Ok(out.flush()?)
}

fn tell(trace: &[FetchTrace]) {
    for fetch in trace {
        let problem = fetch
            .problem
            .as_deref()
            .map(|why| format!("; {why}"))
            .unwrap_or_default();
        note(&format!(
            "{} {} -> {} ({}, {} bytes, {:?}){problem}",
            fetch.method.as_str(),
            fetch.url,
            fetch.status,
            fetch.source.as_str(),
            fetch.bytes,
            fetch.elapsed,
        ));
    }
}

fn note(text: &str) {
    // The trace is a courtesy: a closed stderr must not cost the result.
    let _ = writeln!(io::stderr().lock(), "{text}");
}
