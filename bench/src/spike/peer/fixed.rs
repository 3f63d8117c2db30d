//! nginx returning fixed bytes from its memory: the practical limit.

use crate::Setting;
use crate::failure::{Result, While as _};
use crate::nginx::Nginx;
use crate::node::free_port;
use crate::spike::SERVER_CPU;

/// One nginx with two listeners: an offer's bytes, and a feed's.
#[derive(Debug)]
pub(crate) struct Fixed {
    nginx: Nginx,
    feed_port: u16,
}

impl Fixed {
    pub(crate) async fn start(setting: &Setting, value: &[u8], feed: &[u8]) -> Result<Self> {
        let folder = setting.scratch.join("nginx-fixed");
        std::fs::create_dir(&folder).at(&folder)?;
        let (value_port, feed_port) = (free_port()?, free_port()?);
        let servers = server(value_port, value) + &server(feed_port, feed);
        let text = super::nginx(&folder, "", &servers);
        let probes = [(value_port, "/", value), (feed_port, "/", feed)];
        Ok(Self {
            nginx: Nginx::run(&folder, &text, &probes, SERVER_CPU).await?,
            feed_port,
        })
    }

    pub(crate) fn value_base(&self) -> String {
        self.nginx.base()
    }

    pub(crate) fn feed_base(&self) -> String {
        format!("http://127.0.0.1:{}", self.feed_port)
    }

    pub(crate) fn worker(&self) -> u32 {
        self.nginx.worker()
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.nginx.stop().await
    }
}

fn server(port: u16, body: &[u8]) -> String {
    let body = quoted(&String::from_utf8_lossy(body));
    format!(
        "  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 '{body}'; }} }}\n"
    )
}

/// As it stands between single quotes in nginx's configuration. A `$` cannot be written there; none
/// of our bodies has one, and nginx would refuse to start or answer something else, which is noticed.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_do_not_end_the_text() {
        assert_eq!(quoted(r#"{"a":"it's \n"}"#), r#"{"a":"it\'s \\n"}"#);
    }
}
