//! An installation: a configuration file, databases, and what a newcomer creates in them.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use corkboard_api::auth::sign_hs256;
use corkboard_core::time::{Clock, SystemClock};
use corkboard_core::user::UserId;
use corkboard_testkit::{PgDatabase, PgServer, TestClient, wait_until};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Finished, PATIENCE, Served, command, run};
use crate::tenants::{field, table};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Three databases and a folder with the configuration that names them.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    pub(crate) control: PgDatabase,
    /// `cards-0`, of the layout `cohorts`, and `cards-1`, `flat`.
    pub(crate) cards: [PgDatabase; 2],
}

impl Installation {
    /// Empty databases on the server that tests share.
    pub(crate) async fn empty() -> Self {
        let server = PgServer::shared().await;
        Self::on([&server, &server, &server]).await
    }

    /// Empty databases: control, `cards-0`, `cards-1`.
    pub(crate) async fn on([control, first, second]: [&Arc<PgServer>; 3]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = control.database().await;
        let cards = [first.database().await, second.database().await];
        let one = Self {
            folder,
            control,
            cards,
        };
        one.configure([one.control.url(), one.cards[0].url(), one.cards[1].url()]);
        fs::write(one.folder.path().join("secret"), SECRET).unwrap();
        one
    }

    /// With schemas.
    pub(crate) async fn migrated() -> Self {
        let one = Self::empty().await;
        one.run("migrate").expect(0);
        one
    }

    /// Writes the configuration, with these URLs.
    pub(crate) fn configure(&self, [control, first, second]: [&str; 3]) {
        let text = format!(
            r#"
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
[store]
kind = "postgres"
control = "{control}"
[[store.database]]
name = "cards-0"
url = "{first}"
[[store.database]]
name = "cards-1"
url = "{second}"
layout = "flat"
[send]
poll = "50ms"
[log]
format = "json"
"#
        );
        fs::write(self.folder.path().join("c.toml"), text).unwrap();
    }

    /// A command with the configuration, run to its end.
    pub(crate) fn run(&self, arguments: &str) -> Finished {
        let arguments = format!("{arguments} --config c.toml");
        run(self.folder.path(), &arguments)
    }

    /// What a command prints with `--json`.
    #[track_caller]
    pub(crate) fn table(&self, arguments: &str) -> Vec<Value> {
        let arguments = format!("{arguments} --json --config c.toml");
        let printed = table(self.folder.path(), &arguments);
        printed.as_array().unwrap().clone()
    }

    /// The only line that a command prints.
    #[track_caller]
    pub(crate) fn create(&self, arguments: &str, name: &str) -> String {
        let arguments = format!("{arguments} --config c.toml");
        field(self.folder.path(), &arguments, name)
    }

    /// A node with these roles, serving.
    pub(crate) fn serve(&self, roles: &str) -> Node {
        self.serve_with(roles, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn serve_with(&self, roles: &str, variables: &[(&str, &str)]) -> Node {
        let arguments = format!("serve --config c.toml --roles {roles}");
        let mut command = command(self.folder.path(), &arguments);
        command.envs(variables.iter().copied());
        Node::start(command)
    }
}

/// A workspace, its app and its key.
pub(crate) struct Tenant {
    pub(crate) workspace: String,
    app: String,
    key: String,
}

impl Tenant {
    pub(crate) fn create(installation: &Installation) -> Self {
        let workspace = installation.create("workspace create acme", "workspace");
        let app = "app create --workspace acme shop --jwt-secret-file secret";
        Self {
            workspace,
            app: installation.create(app, "app"),
            key: installation.create("key create --workspace acme", "api_key"),
        }
    }

    /// The server API of a node.
    pub(crate) fn server(&self, node: &Node) -> Server {
        Server(TestClient::new(&node.api).with_bearer(&self.key))
    }

    /// The client API of a node, for one user.
    pub(crate) fn user(&self, node: &Node, user: &str) -> TestClient {
        TestClient::new(&node.api).with_bearer(&self.token(user))
    }

    /// A user's token, for a day.
    pub(crate) fn token(&self, user: &str) -> String {
        let expires_at = SystemClock.now().plus(Duration::from_secs(86_400));
        let (app, user) = (self.app.parse().unwrap(), UserId::parse(user).unwrap());
        sign_hs256(SECRET.as_bytes(), app, &user, expires_at).unwrap()
    }
}

/// A process that serves.
pub(crate) struct Node {
    pub(crate) process: Served,
    /// What it has said about itself: `node`, `roles`, `listen`, `admin`.
    pub(crate) serving: Value,
    pub(crate) api: String,
    pub(crate) admin: TestClient,
}

impl Node {
    fn start(command: std::process::Command) -> Self {
        let process = Served::start(command);
        let serving: Value = serde_json::from_str(&process.log("\"serving\"")).unwrap();
        let address = |name: &str| format!("http://{}", serving[name].as_str().unwrap());
        Self {
            api: address("listen"),
            admin: TestClient::new(address("admin")),
            process,
            serving,
        }
    }

    /// Asks it to end, and expects that it does so in order.
    pub(crate) async fn end(mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        assert_eq!(self.process.ended().await.code(), Some(0));
    }
}

/// The server API, with the calls that tests make often.
pub(crate) struct Server(pub(crate) TestClient);

impl Server {
    pub(crate) async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        let sent = self.0.post(path).json(body).send().await;
        sent.expect_status(status).json()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.0.get(path).send().await.expect_status(200).json()
    }

    /// Users `u-0` and on, with a name and their number.
    pub(crate) async fn users(&self, count: u32) {
        let users: Vec<Value> = (0..count)
            .map(|n| json!({"user_id": format!("u-{n}"), "name": format!("N{n}"), "n": n}))
            .collect();
        for part in users.chunks(1_000) {
            let body = json!({"attributes": part});
            let _ = self.post("/v1/users/track", &body, 200).await;
        }
    }

    /// A campaign with one variant; returns its id.
    pub(crate) async fn campaign(&self, title: &str, audience: Value) -> String {
        let body = json!({
            "name": title, "audience": audience, "expiry": {"ttl_seconds": 86_400},
            "variants": [{"name": "A", "card": {"title": title}}],
        });
        let created = self.post("/v1/campaigns", &body, 201).await;
        created["id"].as_str().unwrap().to_owned()
    }

    /// Launches a campaign; returns its dispatch.
    pub(crate) async fn launch(&self, campaign: &str) -> String {
        let path = format!("/v1/campaigns/{campaign}/launch");
        let launched = self.post(&path, &json!({}), 202).await;
        launched["dispatch_id"].as_str().unwrap().to_owned()
    }

    /// The dispatch, once it is in this state.
    pub(crate) async fn until(&self, dispatch: &str, state: &str) -> Value {
        let path = format!("/v1/dispatches/{dispatch}");
        wait_until(PATIENCE, state, || async {
            let found = self.get(&path).await;
            if found["state"] == state {
                Ok(found)
            } else {
                Err(found.to_string())
            }
        })
        .await
    }
}
