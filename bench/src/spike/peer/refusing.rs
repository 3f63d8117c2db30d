//! nginx refusing everything out of its configuration: the least that a refusal costs here.

use std::net::{Ipv4Addr, SocketAddr};

use crate::Setting;
use crate::failure::{Result, While as _};
use crate::nginx::Nginx;
use crate::node::free_port;
use crate::spike::SERVER_CPU;

/// About as long as ours.
const BODY: &str = r#"{"type":"urn:example:problem:overloaded","title":"There is more to do than can be done","status":503,"detail":"the request was not looked at; send it again after the time in Retry-After","code":"overloaded"}"#;
const PROBE: &str = "/probe";

#[derive(Debug)]
pub(crate) struct Refusing {
    nginx: Nginx,
    port: u16,
}

impl Refusing {
    pub(crate) async fn start(setting: &Setting) -> Result<Self> {
        let folder = setting.scratch.join("nginx-refusing");
        std::fs::create_dir(&folder).at(&folder)?;
        let port = free_port()?;
        let server = format!(
            "  server {{ listen 127.0.0.1:{port} backlog=4096;\n\
             \x20   location = {PROBE} {{ return 200 'here'; }}\n\
             \x20   location / {{ add_header Retry-After 1 always; return 503 '{BODY}'; }} }}\n"
        );
        let text = super::nginx(&folder, "", &server);
        let probes: [(u16, &str, &[u8]); 1] = [(port, PROBE, b"here")];
        let nginx = Nginx::run(&folder, &text, &probes, SERVER_CPU).await?;
        Ok(Self { nginx, port })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn worker(&self) -> u32 {
        self.nginx.worker()
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.nginx.stop().await
    }
}
