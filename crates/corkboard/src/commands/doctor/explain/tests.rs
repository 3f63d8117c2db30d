//! The hot reads of real databases, explained.

use corkboard_config::{Config, Layers};
use corkboard_core::time::{Clock as _, SystemClock};
use corkboard_testkit::PgServer;

use super::*;
use crate::commands::doctor::Verdict;

fn now() -> Timestamp {
    SystemClock.now()
}

fn configured(control: &str, cards: &[&str]) -> StoreConfig {
    let mut file = format!("[store]\nkind = \"postgres\"\ncontrol = \"{control}\"\n");
    for (number, url) in cards.iter().enumerate() {
        file += &format!("[[store.database]]\nname = \"cards-{number}\"\nurl = \"{url}\"\n");
    }
    Config::load(&Layers::new().file("c.toml", file))
        .unwrap()
        .0
        .store
}

#[tokio::test]
async fn explaining_names_every_database_and_the_reads_that_cannot_be_run() {
    let server = PgServer::shared().await;
    let (control, cards) = (server.database().await, server.database().await);
    let options = PgOptions::default();
    let store = PgControlStore::connect(control.url(), &options)
        .await
        .unwrap();
    store.migrate().await.unwrap();
    store.close();
    let store = PgCardStore::connect("cards-0", cards.url(), CardLayout::Cohorts, &options);
    let store = store.await.unwrap();
    store.migrate().await.unwrap();
    store.close();
    let nobody = reads(&configured(control.url(), &[cards.url()]), now()).await;
    assert!(
        nobody
            .iter()
            .any(|one| one.found.starts_with("there is no user")),
        "{nobody:#?}"
    );
    cards
        .sql(
            "INSERT INTO workspace_number (workspace) VALUES (gen_random_uuid());
             INSERT INTO tracked_user SELECT now(), now(), workspace_no, 7, 'ada', '{}'
             FROM workspace_number",
        )
        .await;
    let nowhere = control.server().url("nowhere");
    let store = configured(control.url(), &[cards.url(), &nowhere]);
    let findings = reads(&store, now()).await;
    let of = |database: &str, verdict| {
        let findings = findings.iter();
        let of = findings.filter(|one| one.database.as_deref() == Some(database));
        of.filter(|one| one.verdict == verdict).count()
    };
    assert!(of("control", Verdict::Ok) >= 10, "{findings:#?}");
    assert!(of("cards-0", Verdict::Ok) >= 4, "{findings:#?}");
    assert_eq!(of("cards-1", Verdict::Fail), 1, "{findings:#?}");
    assert!(
        findings.iter().all(|one| one.verdict != Verdict::Warn),
        "{findings:#?}"
    );
}
