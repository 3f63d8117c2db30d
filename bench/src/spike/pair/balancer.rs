//! A TCP balancer before the origins: nginx with its stream module, as one would install it.

use std::path::Path;
use std::time::Duration;

use corkboard_testkit::TestClient;
use tokio::time::{Instant, sleep};

use crate::child::{self, Child};
use crate::failure::{Failure, Result, While as _};
use crate::node::{free_port, write};

/// Debian's `libnginx-mod-stream` puts it there.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";
const READY_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A running balancer.
#[derive(Debug)]
pub(super) struct Balancer {
    child: Child,
    port: u16,
}

impl Balancer {
    /// Before the servers at these places (`host:port`), on the given CPUs; ready when `path` is answered.
    pub(super) async fn start(
        scratch: &Path,
        places: &[String],
        path: &str,
        cpus: &str,
    ) -> Result<Self> {
        if !Path::new(MODULE).exists() {
            return Err(Failure::unexpected(format!(
                "{MODULE} is not there: on Debian, apt-get install libnginx-mod-stream"
            )));
        }
        let port = free_port()?;
        let folder = scratch.join(format!("balancer-{port}"));
        std::fs::create_dir(&folder).at(&folder)?;
        let config = folder.join("nginx.conf");
        write(&config, &configuration(&folder, port, places))?;
        let mut command = child::command(Path::new("nginx"), Some(cpus));
        command.arg("-p").arg(&folder).arg("-c").arg(&config);
        command.arg("-e").arg(folder.join("error.log"));
        let mut child = Child::start(command, folder.join("nginx.log"))?;
        let client = TestClient::new(format!("http://127.0.0.1:{port}"));
        let end = Instant::now() + READY_WITHIN;
        loop {
            child.check()?;
            let reply = client.get(path).try_send().await;
            if reply.is_ok_and(|reply| reply.status == 200) {
                return Ok(Self { child, port });
            }
            if Instant::now() > end {
                return Err(Failure::Late("a balancer that answers".to_owned()));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) async fn stop(self) -> Result<()> {
        self.child.stop().await
    }
}

/// A server that cannot be reached is left out at once and for a second; connections are spread evenly.
fn configuration(folder: &Path, port: u16, places: &[String]) -> String {
    let user = if rustix::process::getuid().is_root() {
        "user root;\n"
    } else {
        ""
    };
    let servers: String = places
        .iter()
        .map(|place| format!("    server {place} max_fails=1 fail_timeout=1s;\n"))
        .collect();
    let folder = folder.display();
    format!(
        "load_module {MODULE};\n{user}daemon off;\nworker_processes 1;\nworker_rlimit_nofile 12000;\n\
         pid {folder}/nginx.pid;\nerror_log {folder}/error.log crit;\n\
         events {{ worker_connections 11000; }}\n\
         stream {{\n  upstream origins {{\n    least_conn;\n{servers}  }}\n\
         \x20 server {{\n    listen 127.0.0.1:{port} backlog=4096;\n    tcp_nodelay on;\n\
         \x20   proxy_connect_timeout 1s;\n    proxy_next_upstream on;\n    proxy_pass origins;\n  }}\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_origin_is_named() {
        let places = ["127.0.0.1:1".to_owned(), "127.0.0.1:2".to_owned()];
        let text = configuration(Path::new("/x"), 80, &places);
        assert_eq!(text.matches("max_fails=1").count(), 2);
        assert!(text.contains("server 127.0.0.1:2 "));
    }
}
