//! Sample tenants, campaigns and dispatches, told apart by a number.

use corkboard_core::campaign::{Campaign, CampaignDefinition, CampaignState};
use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Cause, Dispatch, DispatchState, Recipient, Shape};
use corkboard_core::id::{CampaignId, Id, WorkspaceId};
use corkboard_core::slot::SlotRange;
use corkboard_core::tenancy::Workspace;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_store::ControlStore;
use corkboard_store::control_store::{ChunkWork, ClaimRequest, ClaimedChunk, NewDispatch};
use serde_json::{Map, Value, json};
use std::time::Duration;

pub(crate) const LEASE: Duration = Duration::from_secs(30);
const LIFETIME: Duration = Duration::from_secs(86_400);

/// `seconds` after the time at which every test begins, 2026-11-21T10:00:00Z.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(1_795_255_200).plus(Duration::from_secs(seconds))
}

/// The `number`-th id of its kind.
pub(crate) fn id<T: Id>(number: u64) -> T {
    let mut bytes = *b"sample..........";
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    T::from_bytes(bytes)
}

pub(crate) fn workspace(number: u64) -> Workspace {
    Workspace {
        id: id(number),
        name: format!("workspace {number}"),
        created_at: at(number),
    }
}

/// A definition with these fields beside (or instead of) the usual ones.
pub(crate) fn definition(fields: Value) -> CampaignDefinition {
    let mut document = json!({
        "name": "Winter offer",
        "expiry": {"ttl_seconds": 86_400},
        "variants": [{"name": "A", "card": {"type": "classic", "title": "Hi {{ user.first_name }}"}}],
    });
    if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
        document.extend(fields);
    }
    serde_json::from_value(document).expect("a definition")
}

/// A draft of workspace 1, created `number` seconds after the beginning.
pub(crate) fn campaign(number: u64) -> Campaign {
    campaign_with(number, json!({}))
}

pub(crate) fn campaign_with(number: u64, fields: Value) -> Campaign {
    Campaign {
        id: id(number),
        workspace: id(1),
        state: CampaignState::Draft,
        version: 1,
        definition: definition(fields),
        created_at: at(number),
        updated_at: at(number),
        cancelled_at: None,
    }
}

/// A running launch of a campaign, created `number` seconds after the beginning.
pub(crate) fn dispatch(campaign: &Campaign, number: u64) -> Dispatch {
    let created_at = at(number);
    Dispatch {
        id: id(number),
        workspace: campaign.workspace,
        campaign: campaign.id,
        campaign_version: campaign.version,
        definition: campaign.definition.clone(),
        cause: Cause::Launch,
        shape: Shape::Personal,
        state: DispatchState::Running,
        planned_at: created_at,
        expires_at: created_at.plus(LIFETIME),
        cohort: Cohort::of(created_at, created_at.plus(LIFETIME)),
        occurrence: 0,
        audience_estimate: 7,
        properties: Map::from_iter([("code".to_owned(), json!("W-1"))]),
        created_at,
        started_at: Some(created_at),
        finished_at: None,
    }
}

/// The same, waiting for its time `seconds` after the beginning.
pub(crate) fn planned(campaign: &Campaign, number: u64, seconds: u64) -> Dispatch {
    Dispatch {
        state: DispatchState::Planned,
        planned_at: at(seconds),
        started_at: None,
        ..dispatch(campaign, number)
    }
}

/// The same as a broadcast, which is done as soon as it exists.
pub(crate) fn broadcast(campaign: &Campaign, number: u64) -> Dispatch {
    let dispatch = dispatch(campaign, number);
    Dispatch {
        shape: Shape::Broadcast,
        state: DispatchState::Done,
        finished_at: dispatch.started_at,
        ..dispatch
    }
}

pub(crate) fn scans(parts: u16) -> Vec<ChunkWork> {
    SlotRange::split(parts)
        .map(|slots| ChunkWork::Scan { slots })
        .collect()
}

pub(crate) fn recipients(users: &[&str]) -> ChunkWork {
    let recipient = |user: &&str| Recipient {
        user_id: UserId::parse(*user).expect("a user id"),
        properties: Map::from_iter([("seat".to_owned(), json!(user))]),
    };
    ChunkWork::Recipients {
        recipients: users.iter().map(recipient).collect(),
    }
}

pub(crate) const ANY: &[CampaignState] = &[CampaignState::Draft, CampaignState::Active];

/// Stores a dispatch that must be new.
pub(crate) async fn begin(store: &dyn ControlStore, dispatch: &Dispatch, chunks: Vec<ChunkWork>) {
    let new = NewDispatch {
        dispatch: dispatch.clone(),
        chunks,
    };
    let (stored, is_new) = store.insert_dispatch(new, ANY).await.unwrap();
    assert_eq!((&stored, is_new), (dispatch, true));
}

/// Stores campaign `number` and one running dispatch of it with the same number.
pub(crate) async fn begin_campaign(
    store: &dyn ControlStore,
    number: u64,
    chunks: Vec<ChunkWork>,
) -> Dispatch {
    let campaign = campaign(number);
    store.insert_campaign(&campaign).await.unwrap();
    let dispatch = dispatch(&campaign, number);
    begin(store, &dispatch, chunks).await;
    dispatch
}

/// Claims a chunk `seconds` after the beginning, for [`LEASE`].
pub(crate) async fn claim(store: &dyn ControlStore, seconds: u64) -> Option<ClaimedChunk> {
    let request = ClaimRequest {
        worker: "worker".to_owned(),
        now: at(seconds),
        lease: LEASE,
        except: Vec::new(),
    };
    store.claim_chunk(&request).await.unwrap()
}

/// The state of a campaign of workspace 1.
pub(crate) async fn campaign_state(
    store: &dyn ControlStore,
    campaign: CampaignId,
) -> CampaignState {
    let found = store.find_campaign(id::<WorkspaceId>(1), campaign).await;
    found.unwrap().expect("a campaign").state
}

/// The state of a dispatch.
pub(crate) async fn dispatch_state(store: &dyn ControlStore, dispatch: &Dispatch) -> DispatchState {
    let found = store.find_dispatch(dispatch.workspace, dispatch.id).await;
    found.unwrap().expect("a dispatch").state
}
