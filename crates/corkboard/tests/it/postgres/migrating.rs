//! `corkboard migrate`, and what becomes of nodes on databases that were not migrated.

use std::thread;

use super::installation::Installation;

#[tokio::test]
async fn every_database_is_created_once_however_often_and_by_however_many() {
    let installation = Installation::empty().await;
    let runs: Vec<String> = thread::scope(|scope| {
        let runs = [(); 3].map(|()| scope.spawn(|| installation.run("migrate").expect(0).stdout));
        runs.map(|run| run.join().unwrap()).into()
    });
    for database in ["control", "cards-0", "cards-1"] {
        let created = format!("{database}: created, schema version");
        let by = runs.iter().filter(|printed| printed.contains(&created));
        assert_eq!(by.count(), 1, "{database}: {runs:?}");
    }
    let again = installation.run("migrate").expect(0).stdout;
    let lines: Vec<&str> = again.lines().collect();
    assert_eq!(lines.len(), 3, "{again}");
    for line in lines {
        assert!(line.contains(": up to date, schema version "), "{again}");
        assert!(!line.contains(" made"), "everything was made: {again}");
    }
    let made: usize = runs
        .iter()
        .flat_map(|printed| printed.lines())
        .filter_map(|line| line.strip_suffix(" partitions made")?.rsplit(' ').next())
        .map(|made| made.parse::<usize>().unwrap())
        .sum();
    let leaves = "SELECT count(*) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid
                  WHERE c.relkind = 'r'";
    let leaves = installation.control.sql(leaves).await;
    assert_eq!(made.to_string(), leaves.trim(), "{runs:?}");
    assert!(made > 20, "{runs:?}");
    // What the keeper makes ahead is there: the doctor misses nothing.
    let doctor = installation.run("doctor --json").stdout;
    assert!(!doctor.contains("not made ahead"), "{doctor}");
}

#[tokio::test]
async fn a_node_names_every_database_without_a_schema_and_what_to_do() {
    let installation = Installation::empty().await;
    let refused = installation.run("serve").expect(69);
    for database in ["control", "cards-0", "cards-1"] {
        assert!(refused.stderr.contains(database), "{}", refused.stderr);
    }
    assert!(
        refused
            .stderr
            .contains("has no schema yet: run corkboard migrate")
    );
    installation.run("workspace list").expect(69);
}

#[tokio::test]
async fn older_and_newer_schemas_are_refused_with_both_versions() {
    let installation = Installation::migrated().await;
    for (change, part) in [
        ("version = version + 1", "use a newer program"),
        ("version = version - 2", "run corkboard migrate"),
    ] {
        let change = format!("UPDATE schema_version SET {change}");
        let _ = installation.cards[0].sql(&change).await;
        let refused = installation.run("serve").expect(69);
        assert!(refused.stderr.contains("cards-0: "), "{}", refused.stderr);
        assert!(refused.stderr.contains(part), "{}", refused.stderr);
        installation.run("workspace list").expect(0);
    }
}

#[tokio::test]
async fn a_layout_that_is_not_the_databases_is_wrong_configuration() {
    let installation = Installation::migrated().await;
    let [first, second] = &installation.cards;
    installation.configure([installation.control.url(), second.url(), first.url()]);
    for command in ["migrate", "serve"] {
        let refused = installation.run(command).expect(64);
        for part in ["cards-0", "'cards, flat', not 'cards'", "layout"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
}

#[tokio::test]
async fn a_list_of_databases_that_divides_users_otherwise_is_refused() {
    let installation = Installation::migrated().await;
    let file = installation.folder.path().join("c.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let second = text.rfind("[[store.database]]").unwrap();
    let rest = text.find("[send]").unwrap();
    std::fs::write(&file, format!("{}{}", &text[..second], &text[rest..])).unwrap();
    for command in ["serve", "migrate", "cohorts list"] {
        let refused = installation.run(command).expect(64);
        for part in ["cards-0", "slots 0-2047", "configured for 0-4095"] {
            assert!(refused.stderr.contains(part), "{}", refused.stderr);
        }
    }
    installation.run("workspace list").expect(0);
    std::fs::write(&file, text).unwrap();
    installation.run("migrate").expect(0);
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_named_and_the_status_is_69() {
    let installation = Installation::empty().await;
    let nowhere = "postgres://nobody:secret@127.0.0.1:1/nothing";
    let absent = installation.cards[1].url().replace("test_", "absent_");
    installation.configure([installation.control.url(), nowhere, &absent]);
    for command in ["migrate", "serve", "cohorts list"] {
        let refused = installation.run(command).expect(69);
        for part in [
            "cards-0",
            "127.0.0.1:1/nothing",
            "cards-1",
            "does not exist",
        ] {
            assert!(
                refused.stderr.contains(part),
                "{command}: {}",
                refused.stderr
            );
        }
        assert!(!refused.stderr.contains("secret"), "{}", refused.stderr);
    }
}
