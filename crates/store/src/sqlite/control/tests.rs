//! What can only be provoked from inside: bounds too large to fill, rows that make no sense.

use std::time::Duration;

use corkboard_core::campaign::{Campaign, CampaignState};
use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Cause, Dispatch, DispatchState, Shape, Tally};
use corkboard_core::id::{CampaignId, DispatchId, Id, WorkspaceId};
use corkboard_core::slot::SlotRange;
use corkboard_core::time::Timestamp;
use serde_json::{Map, json};

use super::*;
use crate::control_store::{
    CallFilter, CallRow, ChunkWork, ClaimRequest, ControlStore, Idempotent, NewDispatch,
};
use crate::error::StoreError;
use crate::page::PageRequest;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_795_255_200 + seconds)
}

fn call(seconds: i64) -> CallRow {
    CallRow {
        at: at(seconds),
        workspace: WorkspaceId::from_bytes([1; 16]),
        campaign: None,
        method: "GET".to_owned(),
        url: "https://a.example/".to_owned(),
        host: "a.example".to_owned(),
        status: 200,
        elapsed_ms: 1,
        bytes: 1,
        waited_ms: 1,
        outcome: "network".to_owned(),
        attempt: 1,
        problem: None,
    }
}

fn open(folder: &tempfile::TempDir) -> SqliteControlStore {
    SqliteControlStore::open(folder.path(), &SqliteOptions::default()).unwrap()
}

/// A running dispatch of one chunk, with its campaign; both have the same number.
async fn begin(store: &SqliteControlStore, number: u8) -> Dispatch {
    let definition = json!({"name": "x", "expiry": {"ttl_seconds": 60}, "variants": []});
    let now = at(number.into());
    let campaign = Campaign {
        id: CampaignId::from_bytes([number; 16]),
        workspace: WorkspaceId::from_bytes([1; 16]),
        state: CampaignState::Draft,
        version: 1,
        definition: serde_json::from_value(definition).unwrap(),
        created_at: now,
        updated_at: now,
        cancelled_at: None,
    };
    store.insert_campaign(&campaign).await.unwrap();
    let dispatch = Dispatch {
        id: DispatchId::from_bytes([number; 16]),
        workspace: campaign.workspace,
        campaign: campaign.id,
        campaign_version: 1,
        definition: campaign.definition,
        cause: Cause::Launch,
        shape: Shape::Personal,
        state: DispatchState::Running,
        planned_at: now,
        expires_at: at(60),
        cohort: Cohort::of(now, at(60)),
        occurrence: 0,
        audience_estimate: 0,
        properties: Map::new(),
        created_at: now,
        started_at: Some(now),
        finished_at: None,
    };
    let new = NewDispatch {
        dispatch: dispatch.clone(),
        chunks: vec![ChunkWork::Scan {
            slots: SlotRange::ALL,
        }],
    };
    let from = [CampaignState::Draft];
    store.insert_dispatch(new, &from).await.unwrap();
    dispatch
}

#[tokio::test]
async fn the_call_log_never_outgrows_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    for batch in 0..5 {
        let batch: Vec<CallRow> = (batch * 7..batch * 7 + 7).map(call).collect();
        let append = move |db: &_| calls::append(db, &batch, 10);
        store.database.write("append", append).await.unwrap();
    }
    let workspace = WorkspaceId::from_bytes([1; 16]);
    let page = PageRequest::default();
    let listed = store
        .list_calls(workspace, &CallFilter::default(), &page)
        .await;
    let kept: Vec<Timestamp> = listed.unwrap().items.iter().map(|call| call.at).collect();
    assert_eq!(kept, (25..35).rev().map(at).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_unreadable_chunk_fails_its_dispatch_and_nobody_elses() {
    for damage in [
        "UPDATE chunk SET work = '{\"kind\": \"unheard of\"}' WHERE dispatch = ?1",
        "UPDATE dispatch SET cause = 'unheard of' WHERE id = ?1",
        "DELETE FROM frozen_definition WHERE campaign = ?1",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let broken = begin(&store, 1).await;
        let sound = begin(&store, 2).await;
        let key = broken.id.to_bytes();
        let break_it = move |db: &rusqlite::Connection| Ok(db.execute(damage, [key])?);
        assert_eq!(store.database.write("damage", break_it).await.unwrap(), 1);

        let request = ClaimRequest {
            worker: "worker".to_owned(),
            now: at(10),
            lease: Duration::from_secs(30),
            except: Vec::new(),
        };
        let claimed = store.claim_chunk(&request).await.unwrap();
        assert_eq!(claimed.expect("the sound one").dispatch.id, sound.id);
        assert_eq!(store.claim_chunk(&request).await.unwrap(), None);
        let state = move |db: &_| dispatches::state(db, broken.id);
        let state = store.database.read("state", state).await.unwrap();
        assert_eq!(state, Some(DispatchState::Failed), "{damage}");
    }
}

#[tokio::test]
async fn an_error_about_a_stored_row_names_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let dispatch = begin(&store, 1).await;
    let damage =
        |db: &rusqlite::Connection| Ok(db.execute("UPDATE campaign SET definition = '{}'", [])?);
    store.database.write("damage", damage).await.unwrap();
    let found = store
        .find_campaign(dispatch.workspace, dispatch.campaign)
        .await;
    let error = found.expect_err("unreadable");
    assert!(
        matches!(
            error,
            StoreError::Corrupt {
                what: "campaign",
                ..
            }
        ),
        "{error:?}"
    );
    let source = std::error::Error::source(&error)
        .expect("a source")
        .to_string();
    assert_eq!(source, format!("row {}", dispatch.campaign));
}

#[tokio::test]
async fn looking_for_work_in_vain_commits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let before = store.database.commits();
    for seconds in 0..10 {
        let request = ClaimRequest {
            worker: "worker".to_owned(),
            now: at(seconds),
            lease: Duration::from_secs(30),
            except: Vec::new(),
        };
        assert_eq!(store.claim_chunk(&request).await.unwrap(), None);
    }
    assert_eq!(store.database.commits(), before);
}

#[tokio::test]
async fn what_a_process_held_when_it_ended_is_free_when_the_next_one_opens() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    begin(&store, 1).await;
    let request = ClaimRequest {
        worker: "first".to_owned(),
        now: at(10),
        lease: Duration::from_secs(3_600),
        except: Vec::new(),
    };
    let held = store.claim_chunk(&request).await.unwrap().expect("a chunk");
    let workspace = WorkspaceId::from_bytes([1; 16]);
    let long = Duration::from_secs(3_600);
    let begun = store
        .begin_idempotent(workspace, "key", [1; 32], at(10), long)
        .await;
    assert_eq!(begun.unwrap(), Idempotent::Begun);
    drop(store);

    let store = open(&folder);
    let again = store
        .begin_idempotent(workspace, "key", [1; 32], at(11), long)
        .await;
    assert_eq!(again.unwrap(), Idempotent::Begun);
    let next = ClaimRequest {
        now: at(11),
        ..request
    };
    let next = store.claim_chunk(&next).await.unwrap().expect("the chunk");
    assert!(next.token > held.token);
    let late = store.finish_chunk(&held, &Tally::default(), at(12)).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
}
