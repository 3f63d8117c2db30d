//! Nodes as processes of their own, on an installation that survives them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use corkboard_testkit::{TestClient, wait_until};
use rustix::process::{Pid, Signal, kill_process};

pub(crate) const SECRET: &str = "the secret of an app that only the kill test knows";

/// A configuration, and what was created in its store.
pub(crate) struct Installation {
    folder: tempfile::TempDir,
    config: PathBuf,
    /// Where the API will be.
    pub(crate) base: String,
    pub(crate) key: String,
    pub(crate) app: String,
}

impl Installation {
    /// A workspace, an app and a key in the embedded store; nothing runs yet.
    pub(crate) fn embedded() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let store = format!("kind = \"sqlite\"\npath = \"{}\"", data.display());
        Self::create(folder, &store)
    }

    /// The same in the store that these lines of a configuration name.
    pub(crate) fn on(store: &str) -> Self {
        Self::create(tempfile::tempdir().expect("a folder"), store)
    }

    fn create(folder: tempfile::TempDir, store: &str) -> Self {
        let config = folder.path().join("corkboard.toml");
        let port = free_port();
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\n[store]\n{store}\n\
             [limits]\nserver_api_per_second = 100000\nserver_api_burst = 100000\n\
             idempotency_takeover = \"2s\"\n\
             [send]\nlease = \"3s\"\npoll = \"50ms\"\n",
        );
        std::fs::write(&config, text).expect("a configuration");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).expect("a secret");
        let mut one = Self {
            folder,
            config,
            base: format!("http://127.0.0.1:{port}"),
            key: String::new(),
            app: String::new(),
        };
        one.command(&["migrate"]);
        one.command(&["workspace", "create", "kills"]);
        let secret = secret.display().to_string();
        let app = one.command(&[
            "app",
            "create",
            "--workspace",
            "kills",
            "app",
            "--jwt-secret-file",
            &secret,
        ]);
        one.app = value(&app, "app");
        let key = one.command(&["key", "create", "--workspace", "kills"]);
        one.key = value(&key, "api_key");
        one
    }

    fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_corkboard"))
            .args(arguments)
            .arg("--config")
            .arg(&self.config)
            .output()
            .expect("the command runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// A process with these roles, which does not run yet.
    pub(crate) fn node(&self, roles: &'static str) -> Node {
        Node {
            roles,
            config: self.config.clone(),
            log: self.folder.path().join(roles),
            admin: format!("127.0.0.1:{}", free_port()),
            child: None,
        }
    }

    pub(crate) fn server(&self) -> TestClient {
        TestClient::new(&self.base).with_bearer(&self.key)
    }
}

/// A process that can be killed and started again.
pub(crate) struct Node {
    roles: &'static str,
    config: PathBuf,
    log: PathBuf,
    admin: String,
    child: Option<Child>,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Node {
    /// Starts it and waits until it answers: its listeners are bound together.
    pub(crate) async fn start(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_corkboard"))
            .args(["serve", "--roles", self.roles, "--config"])
            .arg(&self.config)
            .env("CORKBOARD__ADMIN_LISTEN", &self.admin)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the node starts");
        self.child = Some(child);
        let client = TestClient::new(format!("http://{}", self.admin));
        wait_until(Duration::from_secs(30), "the node answers", || async {
            let reply = client
                .get("/healthz")
                .deadline(Duration::from_secs(5))
                .try_send()
                .await;
            reply
                .map(drop)
                .map_err(|error| format!("{error}; log: {}", self.log_end()))
        })
        .await;
    }

    /// The last lines that it wrote.
    fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// SIGKILL: no destructor, no flush, nothing.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().expect("the node can be killed");
        child.wait().expect("the node is gone");
    }

    /// SIGTERM; whether it ended with status 0.
    pub(crate) async fn stop(&mut self) -> bool {
        let mut child = self.child.take().expect("the node runs");
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::TERM).expect("the node can be asked");
        let status = wait_until(Duration::from_secs(40), "the node ends", || {
            let status = child.try_wait().expect("the node can be asked");
            std::future::ready(status.ok_or_else(|| "still running".to_owned()))
        })
        .await;
        status.success()
    }
}

/// A port that was free a moment ago. The node needs the same one after every kill.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

fn value(output: &str, name: &str) -> String {
    let prefix = format!("{name}: ");
    let line = output.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("no '{name}:' in {output}"))
        .to_owned()
}
