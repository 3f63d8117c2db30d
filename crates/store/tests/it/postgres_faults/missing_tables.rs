//! Cards for a cohort whose tables are not there, though they should be.

use corkboard_core::slot::SlotRange;
use corkboard_core::state::Mark;
use corkboard_store::card_store::{ChunkFence, RowOutcome};
use corkboard_store::{CardStore, StoreError};
use corkboard_testkit::PgServer;

use super::{number, open};
use crate::cards::sample::{
    DAY, Sending, cards_of, dispatch, inserted, noon, user, users, workspace,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cohort_that_nobody_made_is_made_when_cards_come() {
    let database = PgServer::shared().await.database().await;
    let store = open(&database).await;
    let sending = Sending::new(1);
    assert_eq!(number(&database, "SELECT count(*) FROM cohort").await, 0);
    assert_eq!(
        inserted(&sending.write(&store, &users(0..10)).await.unwrap()),
        10
    );
    let sql = format!("SELECT count(*) FROM card_{}", sending.cohort());
    assert_eq!(number(&database, &sql).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_for_a_cohort_that_is_over_are_refused_with_its_name() {
    let database = PgServer::shared().await.database().await;
    let store = open(&database).await;
    let other = open(&database).await;
    let sending = Sending::new(1);
    for store in [&store, &other] {
        sending.write(store, &users(0..10)).await.unwrap();
    }
    let over = sending.cohort().ends_at().plus(DAY);
    store.retire_cohorts(over, DAY, false).await.unwrap();
    // The other process does not know yet.
    for store in [&other, &store] {
        let refused = sending.write(store, &users(10..20)).await.unwrap_err();
        let name = sending.cohort().to_string();
        assert!(refused.to_string().contains(&name), "{refused}");
        assert!(
            matches!(refused, StoreError::NoSuchCohort(_)),
            "{refused:?}"
        );
    }
    assert_eq!(sending.counts(&store).await.sent, 10);
}

fn number_for(part: usize) -> Sending {
    let part = u8::try_from(part).unwrap();
    Sending {
        expires_at: noon().plus(u32::from(part + 1) * DAY),
        fence: Some(ChunkFence {
            chunk: 0,
            token: 1,
            slots: SlotRange::ALL,
        }),
        ..Sending::new(part + 1)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_somebody_dropped_is_made_again_and_cards_complete() {
    let database = PgServer::shared().await.database().await;
    let store = open(&database).await;
    let other = open(&database).await;
    for (part, table) in ["card", "card_state", "card_event"].into_iter().enumerate() {
        let sending = number_for(part);
        for store in [&store, &other] {
            sending.write(store, &users(0..10)).await.unwrap();
        }
        let name = format!("{table}_{}", sending.cohort());
        database.sql(&format!("DROP TABLE {name}")).await;
        if table != "card" {
            // No writer of cards needs it: the keeper notices.
            store.premake_cohorts(noon()).await.unwrap();
        }
        // Its chunks go on, in whichever process; cards that were there are written again.
        for store in [&store, &other, &store] {
            let written = sending.write(store, &users(0..30)).await.unwrap();
            let refused = |outcome: &&RowOutcome| {
                !matches!(outcome, RowOutcome::Inserted(_) | RowOutcome::Repeated(_))
            };
            assert_eq!(written.iter().filter(refused).count(), 0, "{written:?}");
        }
        let sql = format!("SELECT count(*) FROM card_{}", sending.cohort());
        assert_eq!(number(&database, &sql).await, 30, "{name}");
        for reader in [&store, &other] {
            for number in 0..30 {
                let user = user(number);
                let cards = cards_of(reader, &user, noon()).await;
                assert_eq!(cards.len(), part + 1, "{name} {number}");
                let seen = sending.event(cards[0], Mark::Seen, noon());
                let recorded = reader.record_card_events(workspace(), &user, vec![seen], noon());
                recorded.await.unwrap();
            }
        }
    }
    let attached = "SELECT count(*) FROM pg_inherits WHERE inhparent = ANY
                    ('{card,card_state,card_event}'::regclass[])";
    let cohorts = number(&database, "SELECT count(*) FROM cohort").await;
    assert_eq!(number(&database, attached).await, 3 * cohorts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cohort_without_its_contents_takes_no_cards_and_is_named() {
    let database = PgServer::shared().await.database().await;
    let store = open(&database).await;
    for (part, table) in ["card_content", "card_count", "card_written", "card_fence"]
        .into_iter()
        .enumerate()
    {
        let sending = number_for(part);
        sending.write(&store, &users(0..10)).await.unwrap();
        let name = sending.cohort().to_string();
        database.sql(&format!("DROP TABLE {table}_{name}")).await;
        let sending = Sending {
            fence: Some(ChunkFence {
                chunk: 1,
                token: 1,
                slots: SlotRange::ALL,
            }),
            dispatch: dispatch(100),
            ..sending
        };
        let refused = sending.write(&store, &users(10..20)).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::NoSuchCohort(_)),
            "{table}: {refused:?}"
        );
        assert!(refused.to_string().contains(&name), "{refused}");
        let sql = format!("SELECT count(*) FROM card_{name}");
        assert_eq!(number(&database, &sql).await, 10, "{table}");
    }
}
