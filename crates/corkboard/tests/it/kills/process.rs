//! A node as a process of its own, on a folder that survives it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use corkboard_testkit::{TestClient, wait_until};

/// A node that can be killed and started again.
pub(crate) struct Node {
    folder: tempfile::TempDir,
    config: PathBuf,
    pub(crate) base: String,
    child: Option<Child>,
    pub(crate) key: String,
    pub(crate) app: String,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

pub(crate) const SECRET: &str = "the secret of an app that only the kill test knows";

impl Node {
    /// A folder with a configuration, a workspace, an app and a key; nothing runs yet.
    pub(crate) async fn create() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("corkboard.toml");
        let port = free_port();
        let data = folder.path().join("data");
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{}\"\n\
             [store]\nkind = \"sqlite\"\npath = \"{}\"\n[limits]\nserver_api_per_second = 100000\nserver_api_burst = 100000\n\
             [send]\nlease = \"3s\"\n",
            free_port(),
            data.display()
        );
        std::fs::write(&config, text).expect("a configuration");
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).expect("a secret");
        let mut node = Self {
            folder,
            config,
            base: format!("http://127.0.0.1:{port}"),
            child: None,
            key: String::new(),
            app: String::new(),
        };
        node.command(&["migrate"]);
        node.command(&["workspace", "create", "kills"]);
        let secret = secret.display().to_string();
        let app = node.command(&[
            "app",
            "create",
            "--workspace",
            "kills",
            "app",
            "--jwt-secret-file",
            &secret,
        ]);
        node.app = value(&app, "app");
        let key = node.command(&["key", "create", "--workspace", "kills"]);
        node.key = value(&key, "api_key");
        node
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

    /// Starts the node and waits until it answers.
    pub(crate) async fn start(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .expect("a log");
        let child = Command::new(env!("CARGO_BIN_EXE_corkboard"))
            .args(["serve", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the node starts");
        self.child = Some(child);
        let client = TestClient::new(&self.base);
        wait_until(Duration::from_secs(30), "the node answers", || async {
            let reply = client
                .get("/openapi.json")
                .deadline(Duration::from_secs(5))
                .try_send()
                .await;
            reply
                .map(drop)
                .map_err(|error| format!("{error}; log: {}", self.log_end()))
        })
        .await;
    }

    /// The last lines that the node wrote.
    pub(crate) fn log_end(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join("\n")
    }

    /// SIGKILL: no destructor, no flush, nothing.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().expect("the node runs");
        child.kill().expect("the node can be killed");
        child.wait().expect("the node is gone");
    }

    /// SIGTERM; whether the node ended with status 0.
    pub(crate) async fn stop(&mut self) -> bool {
        let mut child = self.child.take().expect("the node runs");
        let term = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        assert!(term.is_ok_and(|status| status.success()), "SIGTERM is sent");
        let status = wait_until(Duration::from_secs(40), "the node ends", || {
            let status = child.try_wait().expect("the node can be asked");
            std::future::ready(status.ok_or_else(|| "still running".to_owned()))
        })
        .await;
        status.success()
    }

    pub(crate) fn server(&self) -> TestClient {
        TestClient::new(&self.base).with_bearer(&self.key)
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
