//! The published conformance suite of the language, when it lies beside the checkout.

use std::collections::BTreeMap;
use std::path::PathBuf;

use corkboard_template::{Data, Limits, Machine, Partials, Scope, Step, Template};
use serde::Deserialize;

/// Passing cases only ever become more.
const FLOOR: usize = 1_053;

#[derive(Deserialize)]
struct Suite {
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    template: String,
    #[serde(default)]
    data: Data,
    result: Option<String>,
    #[serde(default)]
    results: Vec<String>,
    #[serde(default)]
    invalid: bool,
    #[serde(default)]
    templates: BTreeMap<String, String>,
}

fn suite() -> Option<Suite> {
    let beside = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/golden_liquid.json"
    );
    let path = std::env::var_os("CORKBOARD_GOLDEN").map_or_else(|| beside.into(), PathBuf::from);
    let bytes = std::fs::read(path).ok()?;
    Some(serde_json::from_slice(&bytes).expect("the suite has the expected shape"))
}

/// None when the case passes; otherwise a class of failure and the details.
fn failure(case: &Case) -> Option<(&'static str, String)> {
    let limits = Limits::default();
    let partials = Partials {
        templates: case.templates.clone(),
        ..Partials::default()
    };
    let compiled = Template::compile_with(&case.template, &partials, &limits);
    let outcome = compiled.and_then(|template| {
        let scope = Scope::new().with_globals(case.data.clone());
        let mut machine = Machine::start(&template, scope, &limits);
        match machine.run()? {
            Step::Done => Ok(machine.take_output()),
            other => panic!("{}: {other:?}", case.name),
        }
    });
    match outcome {
        Ok(_) if case.invalid => Some(("should be an error", String::new())),
        Err(_) if case.invalid => None,
        Ok(output) if case.result.as_ref() == Some(&output) || case.results.contains(&output) => {
            None
        }
        Ok(output) => Some(("wrong output", format!("{output:?}, not {:?}", case.result))),
        Err(error) => Some((error.code, error.message)),
    }
}

#[test]
fn the_conformance_suite_passes_up_to_the_floor() {
    let Some(suite) = suite() else {
        println!("the suite is not beside the checkout; set CORKBOARD_GOLDEN to its path");
        return;
    };
    let mut classes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let total = suite.tests.len();
    for case in &suite.tests {
        if let Some((class, details)) = failure(case) {
            classes
                .entry(class)
                .or_default()
                .push(format!("{}: {details}", case.name));
        }
    }
    let failed: usize = classes.values().map(Vec::len).sum();
    println!("{} of {total} cases pass", total - failed);
    for (class, cases) in &classes {
        println!("{class}: {}", cases.len());
        for case in cases {
            println!("    {case}");
        }
    }
    assert!(
        total - failed >= FLOOR,
        "only {} of {total} cases pass",
        total - failed
    );
}
