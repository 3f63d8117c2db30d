//! The yardstick: nginx with one worker, serving the same bytes from a file it keeps open.

use std::path::Path;
use std::time::Duration;

use corkboard_testkit::TestClient;
use tokio::time::{Instant, sleep};

use crate::child::{self, Child};
use crate::failure::{Failure, Result, While as _};
use crate::node::{free_port, write};
use crate::procfs;

const READY_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running nginx.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    port: u16,
    worker: u32,
}

impl Nginx {
    /// Serves `body` as the feed, on the given CPUs.
    pub(crate) async fn start(scratch: &Path, body: &[u8], cpus: &str) -> Result<Self> {
        let folder = scratch.join("nginx");
        std::fs::create_dir(&folder).at(&folder)?;
        let file = folder.join("feed.json");
        std::fs::write(&file, body).at(&file)?;
        let port = free_port()?;
        let text = configuration(&folder, port);
        let probes = [(port, "/v1/feed", body)];
        Self::run(&folder, &text, &probes, cpus).await
    }

    /// Runs nginx on a configuration of one worker, and waits until each probe (a port, a path)
    /// answers with its body. The first port is its [base](Self::base).
    pub(crate) async fn run(
        folder: &Path,
        text: &str,
        probes: &[(u16, &str, &[u8])],
        cpus: &str,
    ) -> Result<Self> {
        let config = folder.join("nginx.conf");
        write(&config, text)?;
        let mut command = child::command(Path::new("nginx"), Some(cpus));
        command.arg("-p").arg(folder).arg("-c").arg(&config);
        command.arg("-e").arg(folder.join("error.log"));
        let mut child = Child::start(command, folder.join("nginx.log"))?;

        for (port, path, body) in probes {
            answers(&mut child, *port, path, body).await?;
        }
        let workers = procfs::children(child.pid())?;
        let [worker] = workers[..] else {
            return Err(Failure::unexpected(format!(
                "nginx has {} workers, wanted 1",
                workers.len()
            )));
        };
        Ok(Self {
            child,
            port: probes.first().map_or(0, |probe| probe.0),
            worker,
        })
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The process that does the work.
    pub(crate) fn worker(&self) -> u32 {
        self.worker
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.child.stop().await
    }
}

/// Waits for an answer, which must be this one.
async fn answers(child: &mut Child, port: u16, path: &str, body: &[u8]) -> Result<()> {
    let client = TestClient::new(format!("http://127.0.0.1:{port}"));
    let end = Instant::now() + READY_WITHIN;
    loop {
        child.check()?;
        if let Ok(reply) = client.get(path).try_send().await {
            if reply.status == 200 && reply.body == body {
                return Ok(());
            }
            return Err(Failure::Answer {
                what: "nginx".to_owned(),
                status: reply.status,
                body: reply.text(),
            });
        }
        if Instant::now() > end {
            return Err(Failure::Late("an nginx that answers".to_owned()));
        }
        sleep(LOOK_EVERY).await;
    }
}

/// As one would set it up for a small hot file: sendfile, an open-file cache, long keep-alive, no
/// access log, a backlog that takes the whole burst of connections. `ETag` is nginx's own, of the
/// same length; the other headers are those of the feed.
fn configuration(folder: &Path, port: u16) -> String {
    // As root the worker would change to a user who may not read our folder.
    let user = if rustix::process::getuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let folder = folder.display();
    format!(
        "{user}daemon off;\nworker_processes 1;\nworker_rlimit_nofile 12000;\npid {folder}/nginx.pid;\n\
         error_log {folder}/error.log warn;\n\
         events {{ worker_connections 11000; multi_accept on; }}\n\
         http {{\n  access_log off; server_tokens off;\n\
         \x20 sendfile on; tcp_nopush on; tcp_nodelay on;\n\
         \x20 keepalive_timeout 75s; keepalive_requests 1000000000;\n\
         \x20 open_file_cache max=16 inactive=60s; open_file_cache_valid 60s;\n\
         \x20 client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;\n\
         \x20 fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;\n\
         \x20 server {{\n    listen 127.0.0.1:{port} backlog=4096;\n\
         \x20   location = /v1/feed {{\n      alias {folder}/feed.json;\n\
         \x20     types {{ }} default_type application/json;\n\
         \x20     add_header Cache-Control \"private, no-cache\"; add_header Vary authorization;\n\
         \x20   }}\n  }}\n}}\n"
    )
}
