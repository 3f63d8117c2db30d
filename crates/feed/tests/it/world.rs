//! One workspace with everything around it: stores in a folder that goes away, a held clock.

use std::sync::Arc;
use std::time::Duration;

use corkboard_core::campaign::{Campaign, CampaignDefinition, CampaignState};
use corkboard_core::card::CardContent;
use corkboard_core::cohort::Cohort;
use corkboard_core::dispatch::{Cause, Dispatch, DispatchState, Shape};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{CampaignId, CardId, DispatchId, WorkspaceId};
use corkboard_core::tenancy::Workspace;
use corkboard_core::time::{Clock, Timestamp};
use corkboard_core::user::{AttributeChange, UserId};
use corkboard_feed::{Deps, FeedOptions, FeedQuery, Feeds, LiveHub, Recorded, ReportedEvent};
use corkboard_store::card_store::{
    CardBatch, Durability, Eligibility, NewCard, RowOutcome, SharedContent,
};
use corkboard_store::control_store::{ChunkWork, NewDispatch};
use corkboard_store::sqlite::{SqliteCardStore, SqliteControlStore, SqliteOptions};
use corkboard_store::{CardStore, ControlStore};
use corkboard_testkit::HeldClock;
use serde_json::{Map, Value, json};

use crate::endpoint::Endpoint;

pub(crate) const NOON: &str = "2026-11-21T10:00:00Z";

pub(crate) struct World {
    pub(crate) feeds: Feeds,
    pub(crate) cards: Arc<SqliteCardStore>,
    pub(crate) control: Arc<SqliteControlStore>,
    pub(crate) clock: HeldClock,
    pub(crate) hub: LiveHub,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) workspace: WorkspaceId,
    deps: Deps,
    _folder: tempfile::TempDir,
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A definition with `changes` laid over a plain one.
pub(crate) fn definition(changes: Value) -> CampaignDefinition {
    let mut plain = json!({
        "name": "Winter offer", "expiry": {"ttl_seconds": 86_400},
        "variants": [{"name": "A", "card": {"title": "Hello"}}],
    });
    let (Value::Object(members), Value::Object(changes)) = (&mut plain, changes) else {
        panic!("not an object");
    };
    members.extend(changes);
    serde_json::from_value(plain).unwrap()
}

pub(crate) fn titled(title: &str) -> CardContent {
    CardContent {
        title: Some(title.to_owned()),
        ..CardContent::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(FeedOptions::default()).await
    }

    pub(crate) async fn with(options: FeedOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteOptions::default();
        let cards = Arc::new(SqliteCardStore::open(folder.path(), &store).unwrap());
        let control = Arc::new(SqliteControlStore::open(folder.path(), &store).unwrap());
        let clock = HeldClock::at(time(NOON));
        let endpoint = Arc::new(Endpoint::default());
        let deps = Deps {
            cards: cards.clone(),
            control: control.clone(),
            fetcher: endpoint.clone(),
            hub: LiveHub::new(),
            clock: Arc::new(clock.clone()),
        };
        let workspace = WorkspaceId::generate(clock.now());
        let row = Workspace {
            id: workspace,
            name: "Acme".to_owned(),
            created_at: clock.now(),
        };
        control.insert_workspace(&row).await.unwrap();
        let (hub, feeds) = (deps.hub.clone(), Feeds::new(deps.clone(), options));
        Self {
            feeds,
            cards,
            control,
            clock,
            hub,
            endpoint,
            workspace,
            deps,
            _folder: folder,
        }
    }

    /// What another composition over the same stores starts from.
    pub(crate) fn deps(&self) -> Deps {
        self.deps.clone()
    }

    /// Feeds over the same stores that hear of nothing that happens here.
    pub(crate) fn another_node(&self) -> Feeds {
        let deps = Deps {
            hub: LiveHub::new(),
            ..self.deps.clone()
        };
        Feeds::new(deps, FeedOptions::default())
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn campaign(&self, definition: CampaignDefinition) -> Campaign {
        let now = self.clock.now();
        let campaign = Campaign {
            id: CampaignId::generate(now),
            workspace: self.workspace,
            state: CampaignState::Draft,
            version: 1,
            definition,
            created_at: now,
            updated_at: now,
            cancelled_at: None,
        };
        self.control.insert_campaign(&campaign).await.unwrap().0
    }

    /// Sends a campaign as far as the control store is concerned, and says so.
    pub(crate) async fn dispatch(&self, campaign: &Campaign, shape: Shape) -> Dispatch {
        self.dispatch_as(campaign, shape, DispatchState::Done, Vec::new(), 0)
            .await
    }

    pub(crate) async fn dispatch_as(
        &self,
        campaign: &Campaign,
        shape: Shape,
        state: DispatchState,
        chunks: Vec<ChunkWork>,
        occurrence: u32,
    ) -> Dispatch {
        let now = self.clock.now();
        let expires_at = campaign.definition.expiry.latest(now);
        let planned = state == DispatchState::Planned;
        let dispatch = Dispatch {
            id: DispatchId::generate(now),
            workspace: self.workspace,
            campaign: campaign.id,
            campaign_version: campaign.version,
            definition: campaign.definition.clone(),
            cause: Cause::Launch,
            shape,
            state,
            planned_at: if planned {
                now.plus(Duration::from_secs(3_600))
            } else {
                now
            },
            expires_at,
            cohort: Cohort::of(now, expires_at),
            occurrence,
            audience_estimate: 42,
            properties: Map::new(),
            created_at: now,
            started_at: (!planned).then_some(now),
            finished_at: (state == DispatchState::Done).then_some(now),
        };
        let new = NewDispatch { dispatch, chunks };
        let from = [CampaignState::Draft, CampaignState::Active];
        let (dispatch, _) = self.control.insert_dispatch(new, &from).await.unwrap();
        self.hub.workspace_changed(self.workspace);
        dispatch
    }

    /// A broadcast to everybody; its campaign.
    pub(crate) async fn broadcast(&self, changes: Value) -> Campaign {
        let campaign = self.campaign(definition(changes)).await;
        self.dispatch(&campaign, Shape::Broadcast).await;
        campaign
    }

    /// Writes a card for one user, as the pipeline would.
    pub(crate) async fn give(&self, dispatch: &Dispatch, to: &str, content: CardContent) -> CardId {
        self.give_variant(dispatch, to, 0, content).await
    }

    pub(crate) async fn give_variant(
        &self,
        dispatch: &Dispatch,
        to: &str,
        variant: u8,
        content: CardContent,
    ) -> CardId {
        let batch = CardBatch {
            workspace: self.workspace,
            campaign: dispatch.campaign,
            dispatch: dispatch.id,
            cohort: dispatch.cohort,
            planned_at: dispatch.planned_at,
            eligibility: Eligibility::of(dispatch),
            fence: None,
            durability: Durability::Now,
            shared: vec![SharedContent {
                variant,
                presentation: dispatch.definition.presentation(),
                content: None,
            }],
            cards: vec![NewCard {
                user: user(to),
                variant,
                expires_at: dispatch.expires_at,
                content: Some(content),
            }],
        };
        self.cards.ensure_cohort(dispatch.cohort).await.unwrap();
        let outcomes = self
            .cards
            .write_cards(batch, self.clock.now())
            .await
            .unwrap();
        self.hub.users_changed(self.workspace, &[user(to)]);
        match outcomes[0] {
            RowOutcome::Inserted(id) => id,
            other => panic!("the card was not inserted: {other:?}"),
        }
    }

    /// A campaign of its own with one card for one user.
    pub(crate) async fn card(&self, to: &str, changes: Value) -> (Dispatch, CardId) {
        let campaign = self.campaign(definition(changes)).await;
        let dispatch = self.dispatch(&campaign, Shape::Personal).await;
        let content = campaign.definition.variants[0].card.clone().unwrap();
        let card = self.give(&dispatch, to, content).await;
        (dispatch, card)
    }

    pub(crate) async fn stop(&self, campaign: CampaignId, remove_cards: bool) {
        let now = self.clock.now();
        self.control
            .stop_campaign(self.workspace, campaign, remove_cards, now)
            .await
            .unwrap();
        self.hub.workspace_changed(self.workspace);
    }

    pub(crate) async fn track(&self, name: &str, attributes: Value) {
        let Value::Object(attributes) = attributes else {
            panic!("not an object")
        };
        let change = AttributeChange {
            user: user(name),
            attributes,
        };
        let now = self.clock.now();
        self.cards
            .change_attributes(self.workspace, vec![change], now)
            .await
            .unwrap();
    }

    pub(crate) async fn feed(&self, of: &str) -> Value {
        self.ask(of, FeedQuery::default()).await
    }

    pub(crate) async fn since(&self, of: &str, cursor: &str) -> Value {
        self.ask(
            of,
            FeedQuery {
                feed: None,
                since: Some(cursor.to_owned()),
            },
        )
        .await
    }

    pub(crate) async fn ask(&self, of: &str, query: FeedQuery) -> Value {
        let reply = self
            .feeds
            .read(self.workspace, &user(of), &query)
            .await
            .unwrap();
        serde_json::from_slice(&reply.body).unwrap()
    }

    pub(crate) async fn titles(&self, of: &str) -> Vec<String> {
        titles(&self.feed(of).await)
    }

    pub(crate) async fn report(&self, of: &str, card: impl ToString, kind: &str) -> Recorded {
        let event = json!({"card_id": card.to_string(), "kind": kind});
        self.report_all(of, json!([event])).await
    }

    pub(crate) async fn report_all(&self, of: &str, events: Value) -> Recorded {
        let events: Vec<ReportedEvent> = serde_json::from_value(events).unwrap();
        self.feeds
            .record(self.workspace, &user(of), events)
            .await
            .unwrap()
    }
}

pub(crate) fn titles(feed: &Value) -> Vec<String> {
    let title = |card: &Value| card["title"].as_str().unwrap_or_default().to_owned();
    feed["cards"]
        .as_array()
        .unwrap()
        .iter()
        .map(title)
        .collect()
}
