//! The suite over SQLite, and what only files can show.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use corkboard_store::CardStore;
use corkboard_store::sqlite::{SqliteCardStore, SqliteOptions};

use super::sample::{DAY, HOUR, Sending, noon, user, users};
use super::{Harness, suite};

struct Sqlite {
    folder: tempfile::TempDir,
    /// Copies of the folder as a killed process would have left it.
    copies: Mutex<Vec<tempfile::TempDir>>,
}

impl Sqlite {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            copies: Mutex::default(),
        }
    }
}

fn open(folder: &Path) -> SqliteCardStore {
    SqliteCardStore::open(folder, &SqliteOptions::default()).expect("the store opens")
}

#[async_trait]
impl Harness for Sqlite {
    async fn open(&self) -> Arc<dyn CardStore> {
        Arc::new(open(self.folder.path()))
    }

    /// Opens a copy of the files while the first store has them open: nothing was closed, no log
    /// was written back.
    async fn after_crash(&self) -> Arc<dyn CardStore> {
        let copy = tempfile::tempdir().expect("a folder");
        for entry in std::fs::read_dir(self.folder.path()).expect("the folder is there") {
            let entry = entry.expect("an entry");
            let name = entry.file_name();
            // Shared memory does not survive a machine, and is made anew after a crash.
            if !name.to_string_lossy().ends_with("-shm") {
                std::fs::copy(entry.path(), copy.path().join(name)).expect("a copy");
            }
        }
        let store = open(copy.path());
        self.copies.lock().unwrap().push(copy);
        Arc::new(store)
    }
}

mod suite {
    super::suite!(crate::cards::sqlite::Sqlite::new());
}

fn card_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("cards-")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn single_card_writers_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(folder.path()));
    let sending = Sending::new(1);
    sending.give(&*store, &user("first")).await;
    let before = store.commits();
    let mut tasks = tokio::task::JoinSet::new();
    for user in users(0..256) {
        let (store, sending) = (Arc::clone(&store), sending.clone());
        tasks.spawn(async move { sending.give(&*store, &user).await });
    }
    while let Some(card) = tasks.join_next().await {
        card.unwrap();
    }
    // Each card takes a write in two files: alone they would be 512 commits.
    let commits = store.commits() - before;
    assert!(commits <= 128, "{commits} commits");
}

#[tokio::test]
async fn retiring_unlinks_every_file_of_the_cohort() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let sending = Sending::new(1);
    sending.write(&store, &users(0..3)).await.unwrap();
    assert!(card_files(folder.path()) >= 1);
    let over = sending.cohort().ends_at();
    store
        .retire_cohorts(over, Duration::ZERO, false)
        .await
        .unwrap();
    assert_eq!(card_files(folder.path()), 0);
    store.close().await;
}

/// A crash may fall between any two steps of retiring; the second call heals each.
#[tokio::test]
async fn an_interrupted_retirement_is_finished_by_the_next_open() {
    let folder = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    let sending = Sending::new(1);
    let name = format!("cards-{}.db", sending.cohort());
    let (file, copy) = (folder.path().join(&name), kept.path().join(&name));
    {
        let store = open(folder.path());
        sending.write(&store, &users(0..3)).await.unwrap();
        store.close().await;
        std::fs::copy(&file, &copy).unwrap();
    }
    let over = sending.cohort().ends_at();
    {
        let store = open(folder.path());
        store
            .retire_cohorts(over, Duration::ZERO, false)
            .await
            .unwrap();
    }
    // The counts are kept, but the process died before the file was gone.
    std::fs::copy(&copy, &file).unwrap();
    let store = open(folder.path());
    assert_eq!(card_files(folder.path()), 0);
    assert_eq!(sending.counts(&store).await.sent, 3);
    let again = store.retire_cohorts(over, Duration::ZERO, false).await;
    assert_eq!(again.unwrap(), []);
}

#[tokio::test]
async fn a_second_process_is_told_that_the_folder_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let refused = SqliteCardStore::open(folder.path(), &SqliteOptions::default()).unwrap_err();
    assert!(refused.to_string().contains("users.lock"), "{refused}");
    drop(store);
    open(folder.path());
}

#[tokio::test]
async fn the_number_of_cohort_files_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut refused = None;
    for day in 0..100 {
        let planned_at = noon().plus(day * DAY);
        let sending = Sending {
            planned_at,
            expires_at: planned_at.plus(HOUR),
            ..Sending::new(1)
        };
        if let Err(error) = store.ensure_cohort(sending.cohort()).await {
            refused = Some(error.to_string());
            break;
        }
    }
    assert!(refused.is_some_and(|error| error.contains("64 cohorts")));
}
