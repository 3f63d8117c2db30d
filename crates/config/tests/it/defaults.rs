//! The embedded file is the documentation and the defaults at once; these tests keep it complete.

use std::collections::BTreeSet;

use corkboard_config::{Config, Layers, StoreKind, default_toml};

/// The default file with its commented examples switched on.
fn with_examples() -> String {
    let is_key = |word: &str| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let is_example = |line: &&str| {
        line.starts_with("[[") || line.split_once(" = ").is_some_and(|(key, _)| is_key(key))
    };
    default_toml()
        .lines()
        .map(|line| line.strip_prefix("# ").filter(is_example).unwrap_or(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `section.key` of every key in a TOML text.
fn keys(text: &str) -> BTreeSet<String> {
    let mut section = String::new();
    let mut keys = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned() + ".";
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.insert(format!("{section}{}", key.trim()));
        }
    }
    keys
}

#[test]
fn the_default_file_is_valid_and_is_the_default() {
    let layers = Layers::new().file("default.toml", default_toml());
    let (config, warnings) = Config::load(&layers).unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(warnings, []);
}

#[test]
fn the_default_file_mentions_every_key() {
    let documented = keys(&with_examples());
    let mut known = keys(&Config::default().effective_toml());
    let all = with_examples().replace("kind = \"sqlite\"", "kind = \"postgres\"");
    let (config, _) = Config::load(&Layers::new().file("all.toml", all)).unwrap();
    known.extend(keys(&config.effective_toml()));
    assert_eq!(documented, known);
    assert!(known.len() > 50, "{known:?}");
}

#[test]
fn the_comment_above_every_key_states_its_default() {
    let mut comment = String::new();
    for line in default_toml().lines() {
        if let Some(text) = line.strip_prefix("# ") {
            comment = comment + " " + text;
        } else if let Some((key, value)) = line.split_once(" = ") {
            let stated = format!("Default: {value}");
            assert!(
                comment.contains(&stated),
                "{key}: no '{stated}' in '{comment}'"
            );
            comment.clear();
        } else {
            comment.clear();
        }
    }
}

#[test]
fn the_effective_configuration_can_be_loaded_again() {
    let text = Config::default().effective_toml();
    let (config, _) = Config::load(&Layers::new().file("effective.toml", text)).unwrap();
    assert_eq!(config, Config::default());
}

#[test]
fn the_effective_configuration_shows_no_password() {
    let file = r#"
        [store]
        kind = "postgres"
        control = "postgres://anna:hunter2@db/control"
        [[store.database]]
        name = "cards-0"
        url = "postgres://anna:hunter2@db-0/cards?sslpassword=hunter2"
        [cache]
        url = "redis://:hunter2@redis:6379"
    "#;
    let (config, _) = Config::load(&Layers::new().file("corkboard.toml", file)).unwrap();
    let text = config.effective_toml();
    assert!(
        text.contains("postgres://anna:redacted@db/control"),
        "{text}"
    );
    for shown in [text, format!("{config:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let StoreKind::Postgres { control, databases } = config.store.kind else {
        panic!("sqlite")
    };
    assert_eq!(control.expose(), "postgres://anna:hunter2@db/control");
    assert_eq!(databases.len(), 1);
}
