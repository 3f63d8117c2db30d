//! One workspace with its stores, and everything that a test wants to know about it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corkboard_core::campaign::{Campaign, CampaignDefinition, CampaignState, Delivery};
use corkboard_core::dispatch::{DispatchState, Recipient, SkipReason};
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{CampaignId, DispatchId, WorkspaceId};
use corkboard_core::tenancy::Workspace;
use corkboard_core::time::{Clock, Timestamp};
use corkboard_core::user::{AttributeChange, UserId};
use corkboard_send::{Deps, DispatchReport, SendOptions, Sender};
use corkboard_store::card_store::StoredCard;
use corkboard_store::sqlite::{SqliteCardStore, SqliteControlStore, SqliteOptions};
use corkboard_store::{CardStore, ControlStore};
use corkboard_testkit::{HeldClock, wait_until};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::fetcher::Fetcher;

/// 2026-11-21T10:00:00Z.
const START_SECONDS: i64 = 1_795_255_200;
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) users: Mutex<BTreeSet<UserId>>,
    pub(crate) workspace: Mutex<u32>,
}

impl FeedChanges for Heard {
    fn users_changed(&self, _: WorkspaceId, users: &[UserId]) {
        self.users.lock().unwrap().extend(users.iter().cloned());
    }

    fn workspace_changed(&self, _: WorkspaceId) {
        *self.workspace.lock().unwrap() += 1;
    }
}

pub(crate) struct World {
    pub(crate) cards: Arc<dyn CardStore>,
    pub(crate) control: Arc<dyn ControlStore>,
    pub(crate) clock: HeldClock,
    pub(crate) heard: Arc<Heard>,
    pub(crate) workspace: WorkspaceId,
    _folder: tempfile::TempDir,
}

/// A sender at work. Dropping it leaves its tasks to the runtime, which ends with the test.
pub(crate) struct Running {
    pub(crate) sender: Sender,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Running {
    /// Shuts down and waits for it.
    pub(crate) async fn end(&self) {
        self.shutdown.cancel();
        self.tasks.close();
        tokio::time::timeout(DEADLINE, self.tasks.wait())
            .await
            .expect("the workers end");
    }
}

pub(crate) fn user(name: impl Into<String>) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is not an object"),
    }
}

pub(crate) fn recipient(name: &str, properties: Value) -> Recipient {
    Recipient {
        user_id: user(name),
        properties: object(properties),
    }
}

/// Options that make small tests see many pages, and a position saved after each.
pub(crate) fn options() -> SendOptions {
    SendOptions {
        workers: 2,
        batch: 10,
        poll: Duration::from_millis(10),
        sweep: Duration::from_millis(10),
        flush: Duration::from_millis(20),
        save: Duration::ZERO,
        backoff: Duration::from_millis(1),
        ..SendOptions::default()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = SqliteOptions::default();
        let clock = HeldClock::at(Timestamp::from_seconds(START_SECONDS));
        let control = SqliteControlStore::open(folder.path(), &sqlite).unwrap();
        let cards = SqliteCardStore::open(folder.path(), &sqlite).unwrap();
        let now = clock.now();
        let workspace = WorkspaceId::generate(now);
        let row = Workspace {
            id: workspace,
            name: "acme".to_owned(),
            created_at: now,
        };
        control.insert_workspace(&row).await.unwrap();
        Self {
            cards: Arc::new(cards),
            control: Arc::new(control),
            clock,
            heard: Arc::default(),
            workspace,
            _folder: folder,
        }
    }

    pub(crate) fn deps(&self, fetcher: Arc<Fetcher>) -> Deps {
        Deps {
            cards: Arc::clone(&self.cards),
            control: Arc::clone(&self.control),
            fetcher,
            changes: self.heard.clone(),
            clock: Arc::new(self.clock.clone()),
        }
    }

    /// A sender with its own workers.
    pub(crate) fn run(&self) -> Running {
        self.run_with(self.deps(Arc::default()), options())
    }

    pub(crate) fn run_with(&self, deps: Deps, options: SendOptions) -> Running {
        let sender = Sender::new(deps, options);
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        sender.run(&tasks, shutdown.clone());
        Running {
            sender,
            shutdown,
            tasks,
        }
    }

    /// A sender that only stores dispatches.
    pub(crate) fn idle(&self) -> Sender {
        Sender::new(self.deps(Arc::default()), options())
    }

    pub(crate) async fn user(&self, name: &str, attributes: Value) {
        let attributes = object(attributes);
        let change = AttributeChange {
            user: user(name),
            attributes,
        };
        self.cards
            .change_attributes(self.workspace, vec![change], self.clock.now())
            .await
            .unwrap();
    }

    /// Users `u0`, `u1`, …, each with its number as attribute `n`.
    pub(crate) async fn users(&self, count: usize) {
        let numbers: Vec<usize> = (0..count).collect();
        for part in numbers.chunks(1_000) {
            let change = |n: &usize| AttributeChange {
                user: user(format!("u{n}")),
                attributes: object(json!({ "n": n })),
            };
            let changes = part.iter().map(change).collect();
            self.cards
                .change_attributes(self.workspace, changes, self.clock.now())
                .await
                .unwrap();
        }
    }

    /// Stores a campaign; fields given here replace those of a plain one.
    pub(crate) async fn campaign(&self, fields: Value) -> CampaignId {
        let now = self.clock.now();
        let mut definition = json!({"name": "Winter", "expiry": {"ttl_seconds": 86_400},
            "variants": [{"name": "A", "card": {"title": "Hi {{ user.n }}"}}]});
        definition.as_object_mut().unwrap().extend(object(fields));
        let definition: CampaignDefinition = serde_json::from_value(definition).unwrap();
        assert_eq!(self.idle().check(&definition), []);
        let state = match definition.delivery {
            Delivery::Launch { .. } => CampaignState::Draft,
            Delivery::Api | Delivery::Event { .. } => CampaignState::Active,
        };
        let campaign = Campaign {
            id: CampaignId::generate(now),
            workspace: self.workspace,
            state,
            version: 1,
            definition,
            created_at: now,
            updated_at: now,
            cancelled_at: None,
        };
        self.control.insert_campaign(&campaign).await.unwrap();
        campaign.id
    }

    pub(crate) fn new_dispatch(&self) -> DispatchId {
        DispatchId::generate(self.clock.now())
    }

    /// Launches and waits until the dispatch is over.
    pub(crate) async fn launched(&self, sender: &Sender, campaign: CampaignId) -> DispatchReport {
        let dispatch = self.new_dispatch();
        sender
            .launch(self.workspace, campaign, dispatch)
            .await
            .unwrap();
        self.over(dispatch).await
    }

    /// Waits until a dispatch is neither planned nor running.
    pub(crate) async fn over(&self, dispatch: DispatchId) -> DispatchReport {
        let report = self
            .reaches(dispatch, "its end", |report| {
                let state = report.dispatch.state;
                !matches!(state, DispatchState::Planned | DispatchState::Running)
            })
            .await;
        let skipped: u64 = report.tally.skipped.values().sum();
        if report.dispatch.state == DispatchState::Done {
            assert_eq!(
                report.tally.targeted,
                report.written + skipped,
                "{report:?}"
            );
        }
        report
    }

    pub(crate) async fn reaches(
        &self,
        dispatch: DispatchId,
        what: &str,
        is_there: impl Fn(&DispatchReport) -> bool,
    ) -> DispatchReport {
        let sender = &self.idle();
        let is_there = &is_there;
        wait_until(DEADLINE, what, || async move {
            let report = sender.report(self.workspace, dispatch).await.unwrap();
            if is_there(&report) {
                Ok(report)
            } else {
                Err(format!("{report:?}"))
            }
        })
        .await
    }

    /// The user's cards of a campaign, newest first, removed ones included.
    pub(crate) async fn cards_of(&self, name: &str, campaign: CampaignId) -> Vec<StoredCard> {
        let (user, now) = (user(name), self.clock.now());
        let found = self
            .cards
            .user_cards(self.workspace, &user, now, 250)
            .await
            .unwrap();
        found
            .cards
            .into_iter()
            .filter(|card| card.campaign == campaign)
            .collect()
    }

    /// The title of the only card that the user has of a campaign.
    pub(crate) async fn title(&self, name: &str, campaign: CampaignId) -> String {
        let cards = self.cards_of(name, campaign).await;
        assert_eq!(cards.len(), 1, "{name}: {cards:?}");
        cards[0].content.title.clone().unwrap_or_default()
    }
}

pub(crate) fn skipped(report: &DispatchReport, reason: SkipReason) -> u64 {
    report
        .tally
        .skipped
        .get(&reason)
        .copied()
        .unwrap_or_default()
}
