//! Help, versions, exit status.

use crate::process::run;
use tempfile::tempdir;

const COMMANDS: [&str; 24] = [
    "",
    "demo",
    "serve",
    "origin",
    "migrate",
    "workspace",
    "workspace create",
    "workspace list",
    "app",
    "app create",
    "app list",
    "app rotate",
    "key",
    "key create",
    "key list",
    "key revoke",
    "cohorts",
    "cohorts list",
    "cohorts retire",
    "topology",
    "doctor",
    "render",
    "openapi",
    "config",
];

#[test]
fn every_command_explains_itself() {
    let folder = tempdir().unwrap();
    let mut pages = String::new();
    for command in COMMANDS
        .into_iter()
        .chain(["config default", "config check", "version"])
    {
        let page = run(folder.path(), &format!("{command} --help")).expect(0);
        assert_eq!(page.stderr, "");
        pages.push_str(&format!("$ corkboard {command} --help\n{}\n", page.stdout));
    }
    insta::assert_snapshot!("help", pages);
}

#[test]
fn wrong_usage_ends_with_64_and_says_what_is_wrong() {
    let folder = tempdir().unwrap();
    for (arguments, part) in [
        ("", "Usage"),
        ("sevre", "serve"),
        ("serve --config x --roles api,painter", "painter"),
        (
            "key create --config x --workspace w --scopes users:reed",
            "users:reed",
        ),
        ("key revoke --config x key_1", "key_1"),
        ("workspace list", "--config FILE"),
        ("workspace list --config absent.toml", "absent.toml"),
        ("render", "--template"),
        ("render --batch --user u.json", "--user"),
        ("origin", "--config FILE"),
        ("origin --config absent.toml", "absent.toml"),
        ("topology plan x", "no topology"),
    ] {
        let finished = run(folder.path(), arguments).expect(64);
        assert!(
            finished.stderr.contains(part),
            "{arguments}: {}",
            finished.stderr
        );
        assert_eq!(finished.stdout, "", "{arguments}");
    }
}

#[test]
fn the_version_is_a_result() {
    let folder = tempdir().unwrap();
    let expected = format!("corkboard {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(folder.path(), "version").expect(0).stdout, expected);
    assert_eq!(run(folder.path(), "--version").expect(0).stdout, expected);
}

#[test]
fn the_openapi_document_is_json_and_names_every_path_of_the_contract() {
    let folder = tempdir().unwrap();
    let printed = run(folder.path(), "openapi").expect(0).stdout;
    let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
    for path in [
        "/v1/feed",
        "/v1/users/track",
        "/v1/campaigns/{id}/launch",
        "/v1/fetches",
    ] {
        assert!(document["paths"][path].is_object(), "{path}");
    }
}
