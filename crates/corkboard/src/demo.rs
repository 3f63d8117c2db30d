//! `corkboard demo`: everything in one process, with something to look at.
//!
//! A node like any other, over an embedded store in a folder, plus what a newcomer would have to
//! bring: a workspace, an app, a key, ten thousand users, three running campaigns, and a "customer
//! endpoint" that one of them fetches from. What has to stay the same from start to start is
//! remembered in [`files`]; a first start that was interrupted is completed by the next one.

mod campaigns;
mod endpoint;
mod files;
mod seed;
mod users;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use corkboard_api::auth::sign_hs256;
use corkboard_config::{Config, Layers};
use corkboard_core::story::story;
use corkboard_core::time::{Clock as _, SystemClock};
use ipnet::Ipv4Net;

use crate::cli::{Demo, Role};
use crate::exit::{Failure, Outcome};
use crate::node::{Node, Process};
use crate::settings::{self, Settings};
use crate::telemetry::{self, Verbosity};
use crate::{output, runtime};
use endpoint::Endpoint;
use files::Remembered;

/// For how long the printed user token is good.
const TOKEN_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

pub(crate) fn run(arguments: &Demo) -> Outcome {
    let settings = settings(arguments)?;
    let logs = telemetry::install_logs(&settings.config.log, Verbosity::Node);
    settings.warn();
    let metrics = telemetry::recorder::install()?;
    let process = Process {
        clock: Arc::new(SystemClock),
        logs,
        metrics,
    };
    runtime::block_on(serve(arguments.dir.clone(), settings.config, process))
}

async fn serve(dir: std::path::PathBuf, mut config: Config, process: Process) -> Outcome {
    let end = corkboard_edge::termination()
        .map_err(|error| Failure::Internal(format!("signals cannot be heard: {error}")))?;
    let mut remembered = Remembered::open(&dir)?;
    let endpoint = Endpoint::bind(remembered.endpoint_port)?;
    allow(&mut config, endpoint.port());
    free_admin_port(&mut config);
    // Behind those that the environment gives.
    config.secrets.keys.extend(remembered.secret_key());
    let node = Node::build(config, Role::ALL.to_vec(), process).await?;

    if remembered.endpoint_port == 0 {
        remembered.endpoint_port = endpoint.port();
        remembered.save(&dir)?;
    } else if remembered.endpoint_port != endpoint.port() {
        tracing::warn!(
            wanted = remembered.endpoint_port,
            port = endpoint.port(),
            "another process holds the port of the sample endpoint, which the offer campaign's \
             template names: its new cards will be aborted until that port is free at a start, or \
             start with a new --dir"
        );
    }
    seed::complete(&node, &mut remembered, &dir).await?;
    let endpoint = endpoint.serve();
    tell(&node, &remembered)?;
    let outcome = node.serve(end).await;
    endpoint.stop().await;
    outcome
}

/// The defaults, the environment, and over both what the command line says.
fn settings(arguments: &Demo) -> Outcome<Settings> {
    let store = arguments.dir.join("store");
    let mut layers = Layers::new()
        .flag("--dir", "store.kind", quoted("sqlite")?)
        .flag("--dir", "store.path", quoted(&store.display().to_string())?);
    if let Some(listen) = arguments.listen {
        layers = layers.flag("--listen", "listen", quoted(&listen.to_string())?);
    }
    Settings::load(layers)
}

/// As a TOML text: a JSON string is one, too.
fn quoted(text: &str) -> Outcome<String> {
    serde_json::to_string(text).map_err(|error| Failure::Internal(error.to_string()))
}

/// Lets templates call the sample endpoint: this host, that one port. Ports that the environment
/// allows stay allowed.
fn allow(config: &mut Config, port: u16) {
    let loopback = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
    config.fetch.allow_networks.push(loopback.into());
    if !settings::environment_sets("CORKBOARD__FETCH__ALLOW_PORTS") {
        config.fetch.allow_ports = vec![port];
    } else if !config.fetch.allow_ports.is_empty() {
        config.fetch.allow_ports.push(port);
    }
}

/// Nobody asked for the default admin port by name: when it is taken, any other will do.
fn free_admin_port(config: &mut Config) {
    let asked = settings::environment_sets("CORKBOARD__ADMIN_LISTEN");
    if !asked && TcpListener::bind(config.admin_listen).is_err() {
        config.admin_listen.set_port(0);
    }
}

/// What scripts read, on stdout; what people may want to try, on stderr.
fn tell(node: &Node, remembered: &Remembered) -> Outcome {
    let address = node
        .address()
        .ok_or_else(|| Failure::Internal("the demo has no public listener".to_owned()))?;
    let base = format!("http://{}", reachable(address));
    let expires = SystemClock.now().plus(TOKEN_LIFETIME);
    let secret = remembered.secret()?;
    let token = sign_hs256(&secret, remembered.app, &users::sample()?, expires)
        .map_err(|error| Failure::Internal(story(&error)))?;
    output::field("console", &format!("{base}/docs"))?;
    output::field("api", &base)?;
    output::field("workspace", &remembered.workspace.to_string())?;
    output::field("app", &remembered.app.to_string())?;
    output::field("api_key", &remembered.api_key)?;
    output::field("user_token", &token)?;
    if !telemetry::logs_are_json() {
        hint(&base, node.admin_address(), remembered);
    }
    Ok(())
}

/// An address that a browser on this host can open.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(std::net::Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn hint(base: &str, admin: SocketAddr, remembered: &Remembered) {
    use std::io::Write as _;
    let order = remembered.campaigns.order;
    let text = format!(
        r#"
Try it, with USER_TOKEN and API_KEY set to the values above:

  # what the sample user sees
  curl -s {base}/v1/feed -H "Authorization: Bearer $USER_TOKEN"

  # tell the sample user that an order is on its way, then look again
  curl -s {base}/v1/campaigns/{order}/trigger -H "Authorization: Bearer $API_KEY" \
    -H "Content-Type: application/json" \
    -d '{{"recipients":[{{"user_id":"{user}","properties":{{"order_id":"A-1042","carrier":"DHL"}}}}]}}'

  # every call of the API, to try in a browser: {base}/docs
  # metrics: http://{admin}/metrics

Ids and keys are kept in the demo's folder: started again, it goes on. Ctrl-C ends it.

"#,
        user = users::SAMPLE,
    );
    // Advice only: without a stderr the demo serves all the same.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Where the remembered things of a demo are.
fn memory(dir: &Path) -> std::path::PathBuf {
    dir.join("demo.json")
}
