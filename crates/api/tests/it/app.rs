//! A node in the test's own process, with one workspace to begin with.

use std::sync::Arc;
use std::time::Duration;

use corkboard_api::auth::{ApiKeySecret, sign_hs256};
use corkboard_api::{ApiDeps, ApiOptions};
use corkboard_cache::TierOptions;
use corkboard_core::hint::FeedChanges;
use corkboard_core::id::{ApiKeyId, AppId, WorkspaceId};
use corkboard_core::tenancy::{ApiKey, App, Scope, TokenAlgorithm, TokenKey, Workspace};
use corkboard_core::time::{SharedClock, Timestamp};
use corkboard_core::user::UserId;
use corkboard_edge::EdgeOptions;
use corkboard_feed::{FeedOptions, FeedTier, Feeds, LiveHub, VoidingCardStore};
use corkboard_fetch::Vault;
use corkboard_send::{SendOptions, Sender};
use corkboard_store::sqlite::{SqliteCardStore, SqliteControlStore, SqliteOptions};
use corkboard_store::{CardStore, ControlStore};
use corkboard_testkit::{HeldClock, TestClient, TestResponse, wait_until};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const SECRET: &[u8] = b"a secret of more than 32 bytes, only for tests";

/// Where the tests' clock stands at first.
pub(crate) fn start_time() -> Timestamp {
    "2026-11-21T10:00:00Z".parse().expect("a time")
}

pub(crate) struct TestApp {
    pub(crate) base: String,
    /// The same node without the short way.
    pub(crate) long_way: String,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) workspace: WorkspaceId,
    pub(crate) app: AppId,
    pub(crate) key: String,
    pub(crate) control: Arc<dyn ControlStore>,
    pub(crate) clock: Arc<HeldClock>,
    shutdown: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::start_with(ApiOptions::default()).await
    }

    pub(crate) async fn start_with(options: ApiOptions) -> Self {
        let key = Vault::generate("test").expect("random numbers");
        let vault = Vault::new(&[key]).expect("a key");
        Self::start_with_vault(options, Some(vault)).await
    }

    pub(crate) async fn start_with_vault(options: ApiOptions, vault: Option<Vault>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = SqliteOptions::default();
        let cards: Arc<dyn CardStore> =
            Arc::new(SqliteCardStore::open(folder.path(), &sqlite).expect("card store"));
        let control: Arc<dyn ControlStore> =
            Arc::new(SqliteControlStore::open(folder.path(), &sqlite).expect("control store"));
        let clock = Arc::new(HeldClock::at(start_time()));
        let shared: SharedClock = clock.clone();
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let hub = LiveHub::new();
        let tier = FeedTier::new(hub.clone(), TierOptions::default(), tasks.clone());
        let cards: Arc<dyn CardStore> = Arc::new(VoidingCardStore::new(cards, tier.clone()));
        let changes: Arc<dyn FeedChanges> = Arc::new(tier.clone());
        let fetcher = Arc::new(Unreachable);
        let sender = Sender::new(
            corkboard_send::Deps {
                cards: cards.clone(),
                control: control.clone(),
                fetcher: fetcher.clone(),
                changes,
                clock: shared.clone(),
            },
            SendOptions::default(),
        );
        let feeds = Feeds::with_tier(
            corkboard_feed::Deps {
                cards: cards.clone(),
                control: control.clone(),
                fetcher,
                hub,
                clock: shared.clone(),
            },
            FeedOptions::default(),
            tier,
        );
        sender.run(&tasks, shutdown.clone());
        feeds.run(&tasks, shutdown.clone());
        let deps = ApiDeps {
            cards,
            control: control.clone(),
            sender,
            feeds,
            vault: vault.map(Arc::new),
            clock: shared,
            tasks: tasks.clone(),
        };
        let surface = corkboard_api::surface(deps, options);
        let serve = |lane| {
            let listener = corkboard_edge::listen("127.0.0.1:0".parse().expect("an address"))
                .expect("a free port");
            let address = listener.local_addr().expect("bound");
            let edge = EdgeOptions {
                drain_timeout: Duration::from_secs(1),
                lane,
                ..EdgeOptions::default()
            };
            let (router, stop) = (surface.router.clone(), shutdown.clone());
            tasks.spawn(async move {
                corkboard_edge::serve(listener, router, edge, stop).await;
            });
            address
        };
        let address = serve(Some(Arc::clone(&surface.lane)));
        let long_way = serve(None);
        let (workspace, app, key) = tenant(&*control, "first").await;
        Self {
            base: format!("http://{address}"),
            long_way: format!("http://{long_way}"),
            address,
            workspace,
            app,
            key,
            control,
            clock,
            shutdown,
            _folder: folder,
        }
    }

    /// A client without credentials.
    pub(crate) fn anonymous(&self) -> TestClient {
        TestClient::new(&self.base)
    }

    /// A client with the first workspace's key.
    pub(crate) fn server(&self) -> TestClient {
        self.anonymous().with_bearer(&self.key)
    }

    /// A client with a token for `user`.
    pub(crate) fn client(&self, user: &str) -> TestClient {
        self.anonymous().with_bearer(&self.token(self.app, user))
    }

    pub(crate) fn token(&self, app: AppId, user: &str) -> String {
        let expires_at = start_time().plus(Duration::from_secs(86_400 * 60));
        sign_hs256(
            SECRET,
            app,
            &UserId::parse(user).expect("a user id"),
            expires_at,
        )
        .expect("signed")
    }

    /// Another workspace with its app and key.
    pub(crate) async fn second_tenant(&self) -> (WorkspaceId, AppId, String) {
        tenant(&*self.control, "second").await
    }

    pub(crate) async fn key_with(&self, scopes: &[Scope]) -> String {
        api_key(&*self.control, self.workspace, scopes).await
    }

    pub(crate) async fn track(&self, attributes: Value) {
        let body = json!({ "attributes": attributes });
        self.server()
            .post("/v1/users/track")
            .json(&body)
            .send()
            .await
            .expect_status(200);
    }

    /// Creates a campaign; answers its id.
    pub(crate) async fn campaign(&self, definition: &Value) -> String {
        let reply = self
            .server()
            .post("/v1/campaigns")
            .json(definition)
            .send()
            .await;
        id_of(&reply.expect_status(201), "id")
    }

    /// Launches a campaign and waits until its dispatch is done.
    pub(crate) async fn launch(&self, campaign: &str) -> Value {
        let path = format!("/v1/campaigns/{campaign}/launch");
        let reply = self.server().post(&path).send().await.expect_status(202);
        self.done(&id_of(&reply, "dispatch_id")).await
    }

    /// Waits until a dispatch is done; answers it.
    pub(crate) async fn done(&self, dispatch: &str) -> Value {
        let path = format!("/v1/dispatches/{dispatch}");
        let client = self.server();
        wait_until(Duration::from_secs(20), "the dispatch is done", || async {
            let dispatch = client.get(&path).send().await.expect_status(200).json();
            if dispatch["state"] == "done" {
                Ok(dispatch)
            } else {
                Err(dispatch.to_string())
            }
        })
        .await
    }

    pub(crate) async fn feed(&self, user: &str) -> Value {
        self.client(user)
            .get("/v1/feed")
            .send()
            .await
            .expect_status(200)
            .json()
    }
}

pub(crate) fn id_of(reply: &TestResponse, field: &str) -> String {
    reply.json()[field].as_str().expect("an id").to_owned()
}

/// The smallest campaign: a broadcast.
pub(crate) fn broadcast(title: &str) -> Value {
    json!({"name": title, "expiry": {"ttl_seconds": 3600},
        "variants": [{"name": "A", "card": {"type": "classic", "title": title}}]})
}

/// A campaign for an API trigger with a property in its title.
pub(crate) fn triggered() -> Value {
    json!({"name": "Order", "delivery": {"kind": "api"}, "expiry": {"ttl_seconds": 3600},
        "variants": [{"name": "A", "card": {"title": "Order {{ api_trigger_properties.${order} }} for {{ user.user_id }}"}}]})
}

async fn tenant(control: &dyn ControlStore, name: &str) -> (WorkspaceId, AppId, String) {
    let now = start_time();
    let id = WorkspaceId::generate(now);
    let workspace = Workspace {
        id,
        name: name.to_owned(),
        created_at: now,
    };
    control
        .insert_workspace(&workspace)
        .await
        .expect("a workspace");
    let keys = vec![TokenKey {
        algorithm: TokenAlgorithm::Hs256,
        material: SECRET.to_vec(),
    }];
    let app = App {
        id: AppId::generate(now),
        workspace: id,
        name: "app".to_owned(),
        keys,
        created_at: now,
    };
    control.insert_app(&app).await.expect("an app");
    (id, app.id, api_key(control, id, Scope::ALL).await)
}

async fn api_key(control: &dyn ControlStore, workspace: WorkspaceId, scopes: &[Scope]) -> String {
    let secret = ApiKeySecret::generate(ApiKeyId::generate(start_time()));
    let key = ApiKey {
        id: secret.id(),
        workspace,
        secret_hash: secret.hash(),
        scopes: scopes.to_vec(),
        created_at: start_time(),
        revoked_at: None,
    };
    control.insert_api_key(&key).await.expect("a key");
    secret.reveal()
}

/// Every fetch fails, as if the endpoint were down.
#[derive(Debug)]
struct Unreachable;

#[async_trait::async_trait]
impl corkboard_core::connected::ConnectedContent for Unreachable {
    async fn fetch(
        &self,
        _: corkboard_core::connected::FetchScope,
        _: corkboard_core::connected::FetchRequest,
    ) -> corkboard_core::connected::FetchResponse {
        corkboard_core::connected::FetchResponse {
            status: 599,
            ..Default::default()
        }
    }
}
