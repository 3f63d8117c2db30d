//! Renders templates for programs that compare engines: a JSON object with `template`, `data` and
//! `templates` a line in, one with `output` or `error` a line out.

#![expect(
    clippy::print_stdout,
    reason = "a program of its own, which answers on stdout"
)]

use std::collections::BTreeMap;
use std::io::BufRead as _;

use corkboard_core::time::Timestamp;
use corkboard_template::{Data, Limits, Machine, Partials, Scope, Step, Template, TemplateError};
use serde::Deserialize;

/// 2026-11-21T10:00:00Z, so that every run says the same.
const NOW: i64 = 1_795_255_200;

#[derive(Deserialize)]
struct Input {
    template: String,
    #[serde(default)]
    data: Data,
    #[serde(default)]
    templates: BTreeMap<String, String>,
}

fn render(input: &Input) -> Result<String, TemplateError> {
    let limits = Limits::default();
    let partials = Partials {
        templates: input.templates.clone(),
        ..Partials::default()
    };
    let template = Template::compile_with(&input.template, &partials, &limits)?;
    let scope = Scope::new()
        .with_globals(input.data.clone())
        .at(Timestamp::from_seconds(NOW));
    let mut machine = Machine::start(&template, scope, &limits);
    Ok(match machine.run()? {
        Step::Done => machine.take_output(),
        other => format!("{other:?}"),
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for line in std::io::stdin().lock().lines() {
        let input: Input = serde_json::from_str(&line?)?;
        let answer = match render(&input) {
            Ok(output) => serde_json::json!({ "output": output }),
            Err(error) => serde_json::json!({ "error": error.code, "message": error.message }),
        };
        println!("{answer}");
    }
    Ok(())
}
