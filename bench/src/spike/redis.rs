//! A Redis of the run's own, on the servers' CPU, which keeps nothing on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::SERVER_CPU;
use crate::Setting;
use crate::child::{self, Child};
use crate::failure::{Failure, Result, While as _};
use crate::node::free_port;

const READY_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Far above any answer to a single command.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// A running server.
#[derive(Debug)]
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: PathBuf,
    log: PathBuf,
}

impl Redis {
    pub(crate) async fn start(setting: &Setting, name: &str) -> Result<Self> {
        let (port, folder) = (free_port()?, setting.scratch.clone());
        let log = folder.join(format!("{name}.log"));
        let mut redis = Self {
            child: spawn(port, &folder, &log)?,
            port,
            folder,
            log,
        };
        redis.ready().await?;
        Ok(redis)
    }

    async fn ready(&mut self) -> Result<()> {
        let end = Instant::now() + READY_WITHIN;
        while self.ask(&[&["PING"]]).await.is_err() {
            self.child.check()?;
            if Instant::now() > end {
                return Err(Failure::Late("a Redis that answers".to_owned()));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Ends it where it stands, with all it knows.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        self.child.signal(Signal::KILL)?;
        self.child.gone().await
    }

    /// An empty one at the same port, after [`Redis::kill`]; back when it answers.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child = spawn(self.port, &self.folder, &self.log)?;
        self.ready().await
    }

    /// Stops it where it stands: it accepts connections and answers nothing.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.child.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) -> Result<()> {
        self.child.signal(Signal::CONT)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Forgets everything.
    pub(crate) async fn flush(&self) -> Result<()> {
        self.ask(&[&["FLUSHALL"]]).await
    }

    /// Sends commands that answer with a single line, and reads those.
    pub(crate) async fn ask<W: AsRef<str>>(&self, commands: &[&[W]]) -> Result<()> {
        let (what, answers) = (format!("redis on port {}", self.port), commands.len());
        let text = spoken(commands);
        let talk = async {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
            let (reader, mut writer) = stream.split();
            let mut reader = BufReader::new(reader);
            let read = async {
                let mut seen = 0;
                let mut first = None;
                while seen < answers {
                    match reader.read_u8().await? {
                        b'\n' => {
                            seen += 1;
                            first = None;
                        }
                        byte => {
                            if *first.get_or_insert(byte) == b'-' {
                                return Err(std::io::Error::other("a command was refused"));
                            }
                        }
                    }
                }
                Ok(())
            };
            let (written, answered) = tokio::join!(writer.write_all(text.as_bytes()), read);
            written.and(answered)
        };
        tokio::time::timeout(LONGEST_ANSWER, talk)
            .await
            .map_err(|_| Failure::Late(format!("an answer of {what}")))?
            .while_doing(what)
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.child.stop().await
    }
}

fn spawn(port: u16, folder: &Path, log: &Path) -> Result<Child> {
    let mut command = child::command(Path::new("redis-server"), Some(SERVER_CPU));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.args(["--save", "", "--appendonly", "no", "--logfile", ""]);
    command.args(["--maxclients", "15000", "--dir"]);
    command.arg(folder);
    Child::start(command, log.to_owned())
}

/// Commands as Redis's protocol has them.
fn spoken<W: AsRef<str>>(commands: &[&[W]]) -> String {
    let mut text = String::new();
    for words in commands {
        text.push_str(&format!("*{}\r\n", words.len()));
        for word in words.iter().map(AsRef::as_ref) {
            text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_arrays_of_words_with_their_lengths_in_bytes() {
        let commands: [&[&str]; 2] = [&["SET", "ü", "1"], &["PING"]];
        assert_eq!(
            spoken(&commands),
            "*3\r\n$3\r\nSET\r\n$2\r\nü\r\n$1\r\n1\r\n*1\r\n$4\r\nPING\r\n"
        );
    }
}
