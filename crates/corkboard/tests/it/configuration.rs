//! `config default`, `config check`, and the environment over the file.

use std::fs;

use crate::process::{command, run, run_with};
use tempfile::tempdir;

#[test]
fn the_default_configuration_passes_its_own_check() {
    let folder = tempdir().unwrap();
    let default = run(folder.path(), "config default").expect(0).stdout;
    fs::write(folder.path().join("corkboard.toml"), default).unwrap();
    let checked = run(folder.path(), "config check corkboard.toml").expect(0);
    assert_eq!(checked.stdout, "corkboard.toml: ok\n");
}

#[test]
fn every_problem_of_a_file_is_listed_and_nothing_is_started() {
    let folder = tempdir().unwrap();
    let file = "lisen = 1\nlisten = \"nowhere\"\n[send]\nworkers = 0\n[log]\nlevel = \"loud\"\n";
    fs::write(folder.path().join("bad.toml"), file).unwrap();
    for arguments in [
        "config check bad.toml",
        "serve --config bad.toml",
        "migrate --config bad.toml",
    ] {
        let finished = run(folder.path(), arguments).expect(64);
        let problems: Vec<&str> = finished.stderr.lines().collect();
        assert_eq!(problems.len(), 4, "{}", finished.stderr);
        for (problem, part) in problems
            .iter()
            .zip(["lisen", "listen", "send.workers", "log.level"])
        {
            assert!(problem.starts_with("corkboard: bad.toml:"), "{problem}");
            assert!(problem.contains(part), "{problem}");
        }
    }
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "nothing but the file itself");
}

#[test]
fn an_unknown_variable_of_ours_is_wrong_configuration() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("c.toml"), "").unwrap();
    let mut command = command(folder.path(), "config check c.toml");
    command.env("CORKBOARD__FETCH__ALOW_PORTS", "[1]");
    let finished = run_with(command, "").expect(64);
    assert!(
        finished.stderr.contains("CORKBOARD__FETCH__ALOW_PORTS"),
        "{}",
        finished.stderr
    );
}

#[test]
fn the_configuration_in_force_shows_the_environment_and_no_password() {
    let folder = tempdir().unwrap();
    fs::write(
        folder.path().join("c.toml"),
        "[cache]\nurl = \"redis://:hunter2@cache\"\n",
    )
    .unwrap();
    let mut command = command(folder.path(), "config check c.toml --show");
    command.env("CORKBOARD__SEND__WORKERS", "7");
    let shown = run_with(command, "").expect(0).stdout;
    assert!(shown.contains("workers = 7"), "{shown}");
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn databases_that_are_not_named_are_wrong_configuration() {
    let folder = tempdir().unwrap();
    let file = "[store]\nkind = \"postgres\"\n";
    fs::write(folder.path().join("c.toml"), file).unwrap();
    for command in ["serve", "migrate", "workspace list", "doctor"] {
        let finished = run(folder.path(), &format!("{command} --config c.toml")).expect(64);
        for part in ["store.control: is required", "[[store.database]]"] {
            assert!(finished.stderr.contains(part), "{}", finished.stderr);
        }
    }
}
