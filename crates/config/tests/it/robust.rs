//! No input panics, and whatever loads can be printed and loaded again.

use corkboard_config::{Config, Layers, StoreKind};
use proptest::prelude::*;

/// Lines that look like configuration, so that more than the parser is reached.
fn line() -> impl Strategy<Value = String> {
    let sections = [
        "store", "cache", "fetch", "send", "limits", "feed", "log", "origin", "x",
    ];
    let key = prop::sample::select(vec![
        "listen",
        "kind",
        "path",
        "database",
        "url",
        "allow_ports",
        "total_timeout",
        "max_body",
        "workers",
        "lease",
        "grace",
        "level",
        "endpoint",
        "store.control",
        "fetch.cache_bytes",
        "\"\"",
    ]);
    let value = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        "\"[0-9a-zA-Z:/.@]{0,20}\"",
        prop::sample::select(vec![
            "true",
            "1.5",
            "[]",
            "[80, 443]",
            "[[1]]",
            "{}",
            "{a = 1}",
            "1979-05-27",
            "\"30s\"",
            "\"1MiB\"",
            "\"sqlite\"",
            "\"postgres://a:b@c/d\"",
            "inf",
            "0xff",
            "[{path = \"/{id}\", table = \"t\", key = \"id\"}]",
        ])
        .prop_map(str::to_owned),
    ];
    prop_oneof![
        (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        prop::sample::select(sections.to_vec()).prop_map(|name| format!("[{name}]")),
        prop::sample::select(sections.to_vec()).prop_map(|name| format!("[[{name}.database]]")),
        ".*",
    ]
}

fn loads_or_reports(layers: &Layers) -> Result<(), TestCaseError> {
    match Config::load(layers) {
        Err(problems) => prop_assert!(!problems.is_empty()),
        Ok((config, _)) => {
            let text = config.effective_toml();
            let again = Config::load(&Layers::new().file("again.toml", text));
            let (again, _) =
                again.map_err(|problems| TestCaseError::fail(format!("{problems:?}")))?;
            // Redacted passwords differ, so only what has none can be compared.
            if matches!(config.store.kind, StoreKind::Sqlite { .. }) && config.cache.url.is_none() {
                prop_assert_eq!(again.send, config.send);
                prop_assert_eq!(again.store, config.store);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_loads_or_is_reported(text in any::<String>()) {
        loads_or_reports(&Layers::new().file("any.toml", text))?;
    }

    #[test]
    fn any_lines_load_or_are_reported(lines in prop::collection::vec(line(), 0..12)) {
        loads_or_reports(&Layers::new().file("any.toml", lines.join("\n")))?;
    }

    #[test]
    fn any_variable_loads_or_is_reported(name in "[A-Z_]{0,20}|SEND__WORKERS|FETCH__ALLOW_PORTS", value in any::<String>()) {
        let name = format!("CORKBOARD__{name}");
        loads_or_reports(&Layers::new().environment([(name, value)]))?;
    }
}

#[test]
fn deep_nesting_is_refused_not_followed() {
    let deep = "[".repeat(100_000);
    let file = Layers::new().file("deep.toml", format!("listen = {deep}"));
    assert!(Config::load(&file).is_err());
    let variable = Layers::new().environment([("CORKBOARD__LISTEN", deep)]);
    assert!(Config::load(&variable).is_err());
    let name = format!("CORKBOARD__{}", "A__".repeat(10_000));
    assert!(Config::load(&Layers::new().environment([(name, "1")])).is_err());
}
