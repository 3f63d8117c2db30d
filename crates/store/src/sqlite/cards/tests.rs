//! Races that need the writer held at one point, and bounds that take many rows to see.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::card::{CardContent, Presentation};
use corkboard_core::cohort::Cohort;
use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
use corkboard_core::slot::SlotRange;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_testkit::wait_until;
use rusqlite::params;

use super::SqliteCardStore;
use crate::card_store::{CardBatch, CardStore, ChunkFence, Durability, NewCard, SharedContent};
use crate::error::StoreError;
use crate::sqlite::SqliteOptions;

const DEADLINE: Duration = Duration::from_secs(20);

fn batch(token: u64) -> CardBatch {
    let expires_at = Timestamp::EPOCH.plus(Duration::from_secs(3_600));
    CardBatch {
        workspace: WorkspaceId::from_bytes([1; 16]),
        campaign: CampaignId::from_bytes([2; 16]),
        dispatch: DispatchId::from_bytes([3; 16]),
        cohort: Cohort::of(Timestamp::EPOCH, expires_at),
        planned_at: Timestamp::EPOCH,
        eligibility: crate::card_store::Eligibility::Once,
        fence: Some(ChunkFence {
            chunk: 0,
            token,
            slots: SlotRange::ALL,
        }),
        durability: Durability::Now,
        shared: vec![SharedContent {
            variant: 0,
            presentation: Presentation {
                feed: "main".to_owned(),
                priority: 0,
                pinned: false,
                dismissible: true,
            },
            content: Some(CardContent::default()),
        }],
        cards: vec![NewCard {
            user: UserId::parse("ann").unwrap(),
            variant: 0,
            expires_at,
            content: None,
        }],
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_passes_on_after_the_first_look_is_still_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::default();
    let store = Arc::new(SqliteCardStore::open(folder.path(), &options).unwrap());
    let old = batch(5);
    let (workspace, campaign, user) = (old.workspace, old.campaign, old.cards[0].user.clone());
    let dispatch = old.dispatch.to_bytes();
    let file = store.cohorts.for_writing(old.cohort).await.unwrap();

    // The newer holder's transaction is under way in the cohort's file…
    let (release, released) = std::sync::mpsc::channel::<()>();
    let (running, runs) = tokio::sync::oneshot::channel();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let newer = move |connection: &rusqlite::Connection| {
            running.send(()).unwrap();
            released.recv().unwrap();
            connection.execute(
                "INSERT INTO chunk_fence VALUES (?1, 0, 6)",
                params![dispatch],
            )?;
            Ok(())
        };
        file.write("newer holder", newer).await
    });
    runs.await.unwrap();
    // … while the older one has looked at the fence and claimed its receipt.
    let late = {
        let store = Arc::clone(&store);
        async move { store.write_cards(old, Timestamp::EPOCH).await }
    };
    let mut late_task = tokio::task::JoinSet::new();
    late_task.spawn(late);
    wait_until(DEADLINE, "the older holder's claim", || async {
        let receipts = store.receipts(workspace, &user, &[campaign]).await.unwrap();
        if receipts.is_empty() {
            Err("nothing claimed".to_owned())
        } else {
            Ok(())
        }
    })
    .await;
    release.send(()).unwrap();
    tasks.join_next().await.unwrap().unwrap().unwrap();

    let refused = late_task.join_next().await.unwrap().unwrap();
    assert!(
        matches!(refused, Err(StoreError::Fenced { chunk: 0 })),
        "{refused:?}"
    );
    let cards = store
        .user_cards(workspace, &user, Timestamp::EPOCH, 10)
        .await;
    assert_eq!(cards.unwrap().cards, []);
    // The newer holder finds the receipt claimed by its own dispatch, and gives the card.
    let given = store.write_cards(batch(6), Timestamp::EPOCH).await.unwrap();
    assert!(
        matches!(given[0], crate::card_store::RowOutcome::Inserted(_)),
        "{given:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_round_forgets_a_bounded_number_of_tombstones() {
    const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000) \
         INSERT INTO tombstone SELECT x'01', 0, 'user-' || i, 0 FROM n";
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteCardStore::open(folder.path(), &SqliteOptions::default()).unwrap();
    let fill = |connection: &rusqlite::Connection| Ok(connection.execute(FILL, [])?);
    assert_eq!(store.users.write("fill", fill).await.unwrap(), 60_000);
    let later = Timestamp::EPOCH.plus(Duration::from_secs(365 * 86_400));
    for left in [10_000_i64, 0] {
        store.prune(later).await.unwrap();
        let count = |connection: &rusqlite::Connection| {
            let mut count = connection.prepare("SELECT count(*) FROM tombstone")?;
            Ok(count.query_row([], |row| row.get::<_, i64>(0))?)
        };
        assert_eq!(store.users.read("count", count).await.unwrap(), left);
    }
}
