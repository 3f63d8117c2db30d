//! The node under test: a folder, a configuration, a tenant made on the command line, a process.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use corkboard_testkit::TestClient;
use tokio::time::{Instant, sleep};

use crate::Setting;
use crate::child::{self, Child};
use crate::failure::{Failure, Result, While as _};
use crate::http::Api;
use crate::token::Signer;

/// Signs the users' tokens; 32 bytes are the least that HS256 may have.
const SECRET: &str = "not-a-secret-but-32-bytes-or-more";
const WORKSPACE: &str = "bench";
/// The embedded store's folder in a site's.
const STORE: &str = "store";
/// What a node does by default.
const ALL_ROLES: &str = "api,worker,keeper";
const READY_WITHIN: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A store with its tenant, and how to start a node on it. Starting again keeps the address.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    folder: PathBuf,
    binary: PathBuf,
    /// Of the node: more than one may share the folder.
    name: String,
    roles: &'static str,
    port: u16,
    admin_port: u16,
    api_key: String,
    app: String,
    workspace: String,
}

/// A running node.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    admin: TestClient,
    pub(crate) api: Api,
}

impl Site {
    /// Makes an embedded store with one workspace, one app and one API key. `extra` is added to the
    /// configuration, which is otherwise the default but for paths, ports and the log level.
    pub(crate) async fn create(setting: &Setting, name: &str, extra: &str) -> Result<Self> {
        let store = setting.scratch.join(name).join(STORE);
        let config = format!(
            "[store]\nkind = \"sqlite\"\npath = \"{}\"\n{extra}",
            store.display()
        );
        Self::create_on(setting, name, &config).await
    }

    /// The same on the store that the configuration names.
    pub(crate) async fn create_on(setting: &Setting, name: &str, config: &str) -> Result<Self> {
        let folder = setting.scratch.join(name);
        std::fs::create_dir(&folder).at(&folder)?;
        let mut site = Self {
            binary: setting.binary.clone(),
            name: "node".to_owned(),
            roles: ALL_ROLES,
            port: free_port()?,
            admin_port: free_port()?,
            api_key: String::new(),
            app: String::new(),
            workspace: String::new(),
            folder,
        };
        site.configure(config)?;
        let secret = site.folder.join("secret");
        write(&secret, SECRET)?;
        let secret = secret.display().to_string();
        site.run(&["migrate"]).await?;
        let workspace = site.run(&["workspace", "create", WORKSPACE]).await?;
        site.workspace = named(&workspace, "workspace")?;
        let in_workspace = ["--workspace", WORKSPACE];
        let app = [
            "app",
            "create",
            in_workspace[0],
            in_workspace[1],
            "web",
            "--jwt-secret-file",
            &secret,
        ];
        site.app = named(&site.run(&app).await?, "app")?;
        let key = ["key", "create", in_workspace[0], in_workspace[1]];
        site.api_key = named(&site.run(&key).await?, "api_key")?;
        Ok(site)
    }

    /// Another node of the same installation, with ports of its own.
    pub(crate) fn beside(&self, name: &str, roles: &'static str, config: &str) -> Result<Self> {
        let site = Self {
            name: name.to_owned(),
            roles,
            port: free_port()?,
            admin_port: free_port()?,
            ..self.clone()
        };
        site.configure(config)?;
        Ok(site)
    }

    /// The same node, configured otherwise.
    pub(crate) fn again(&self, config: &str) -> Result<Self> {
        self.configure(config)?;
        Ok(self.clone())
    }

    fn configure(&self, config: &str) -> Result<()> {
        let Self {
            port, admin_port, ..
        } = self;
        // Clients that ask again as soon as they are answered ask for more than can be done, always;
        // unless a bench is about refusals, their waiting is what it measures.
        let edge = if config.contains("[edge]") {
            ""
        } else {
            "[edge]\nadmission = \"off\"\n"
        };
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\nadmin_listen = \"127.0.0.1:{admin_port}\"\n\
             [log]\nlevel = \"warn\"\n{edge}{config}"
        );
        write(&self.config(), &text)
    }

    fn config(&self) -> PathBuf {
        self.folder.join(format!("{}.toml", self.name))
    }

    /// The id of the one workspace.
    pub(crate) fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Where the embedded store keeps its files.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.join(STORE)
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn signer(&self) -> Signer {
        Signer::new(SECRET.as_bytes(), &self.app)
    }

    /// A command that needs the store for itself.
    async fn run(&self, words: &[&str]) -> Result<String> {
        let mut command = child::command(&self.binary, None);
        command.args(words).arg("--config").arg(self.config());
        child::output(command).await
    }

    /// Starts a node, on the given CPUs only, and waits until it answers.
    pub(crate) async fn start(&self, cpus: Option<&str>) -> Result<Node> {
        let mut command = child::command(&self.binary, cpus);
        command.arg("serve").arg("--config").arg(self.config());
        command.arg("--roles").arg(self.roles);
        let log = self.folder.join(format!("{}.log", self.name));
        let mut child = Child::start(command, log)?;
        let admin = TestClient::new(format!("http://127.0.0.1:{}", self.admin_port));
        let end = Instant::now() + READY_WITHIN;
        while !admin
            .get("/readyz")
            .try_send()
            .await
            .is_ok_and(|reply| reply.status == 200)
        {
            child.check()?;
            if Instant::now() > end {
                return Err(Failure::Late("a ready node".to_owned()));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(Node {
            child,
            admin,
            api: Api::new(&self.base(), &self.api_key),
        })
    }
}

impl Node {
    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        self.child.last_words()
    }

    /// A counter's values by its one label.
    pub(crate) async fn counter(&self, name: &str, label: &str) -> Result<BTreeMap<String, u64>> {
        let page = self.admin.get("/metrics").try_send().await?.text();
        Ok(counted(&page, name, label))
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.child.stop().await
    }
}

/// A port that was free a moment ago, and is given out once: servers need theirs before they start.
/// Below the ports that the kernel gives to the thousands of outgoing connections of a run, any of
/// which could be taken until then.
pub(crate) fn free_port() -> Result<u16> {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 20_000;
    const LAST: u16 = 32_000;
    // Two runs at a time begin at different places.
    let own = u16::try_from(std::process::id() % 100).unwrap_or_default() * 100;
    for _ in FIRST..LAST {
        let place = own.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % (LAST - FIRST);
        if TcpListener::bind(("127.0.0.1", FIRST + place)).is_ok() {
            return Ok(FIRST + place);
        }
    }
    Err(Failure::unexpected(format!(
        "no port from {FIRST} to {LAST} is free"
    )))
}

pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).at(path)
}

/// Samples of one counter on a metrics page, by the value of a label.
fn counted(page: &str, name: &str, label: &str) -> BTreeMap<String, u64> {
    let before = format!("{name}{{{label}=\"");
    let samples = page
        .lines()
        .filter_map(|line| line.strip_prefix(before.as_str()));
    let pairs = samples.filter_map(|rest| rest.split_once("\"} "));
    pairs
        .filter_map(|(value, count)| Some((value.to_owned(), count.parse().ok()?)))
        .collect()
}

/// The value of a `name: value` line.
fn named(output: &str, name: &str) -> Result<String> {
    let mut lines = output.lines().filter_map(|line| line.split_once(": "));
    let found = lines
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value.trim().to_owned());
    found.ok_or_else(|| Failure::unexpected(format!("no '{name}:' in what was printed: {output}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_values_are_found_by_name() {
        assert_eq!(
            named("workspace: ws_1\napp: app_2\n", "app").unwrap(),
            "app_2"
        );
        assert!(named("workspace: ws_1\n", "app").is_err());
    }

    #[test]
    fn counters_are_read_from_a_metrics_page() {
        let page = "# HELP calls_total how many\ncalls_total{outcome=\"ok\"} 7\n\
                    calls_total{outcome=\"failed\"} 2\ncalls_totally{outcome=\"ok\"} 9\n";
        let expected = [("failed".to_owned(), 2), ("ok".to_owned(), 7)];
        assert_eq!(
            counted(page, "calls_total", "outcome"),
            BTreeMap::from(expected)
        );
    }

    #[test]
    fn a_port_is_given_out_once_and_never_one_of_outgoing_connections() {
        let ports: std::collections::BTreeSet<u16> =
            (0..200).map(|_| free_port().unwrap()).collect();
        assert_eq!(ports.len(), 200);
        assert!(ports.iter().all(|port| (20_000..32_000).contains(port)));
    }

    #[test]
    fn the_secret_is_long_enough() {
        assert!(SECRET.len() >= 32);
    }
}
