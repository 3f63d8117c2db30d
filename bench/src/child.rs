//! A process of ours: started with its output in a file, ended by its own id, never left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child as TokioChild, Command};
use tokio::time::timeout;

use crate::failure::{Failure, Result, While as _};

/// For an orderly end, before the process is killed.
const GRACE: Duration = Duration::from_secs(30);
/// How much of its output is shown when a process fails.
const SHOWN_BYTES: usize = 2_000;

/// A running server. Asked to end when dropped: nginx takes its worker with it, which it cannot when
/// it is killed.
#[derive(Debug)]
pub(crate) struct Child {
    inner: TokioChild,
    pid: u32,
    log: PathBuf,
}

/// A command on the given CPUs (as `taskset -c` takes them), or on all.
pub(crate) fn command(program: &Path, cpus: Option<&str>) -> Command {
    let mut command = match cpus {
        Some(cpus) => {
            let mut command = Command::new("taskset");
            command.args(["-c", cpus]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

impl Child {
    /// Starts a server whose output goes to `log`.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Result<Self> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .at(&log)?;
        let copy = file.try_clone().at(&log)?;
        let what = format!("{:?}", command.as_std().get_program());
        command.kill_on_drop(false);
        let inner = command
            .stdout(file)
            .stderr(copy)
            .spawn()
            .while_doing(what)?;
        let pid = inner
            .id()
            .ok_or_else(|| Failure::unexpected("a child ended at once"))?;
        Ok(Self { inner, pid, log })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Fails with the process's last words when it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.inner.try_wait().at(&self.log)? {
            None => Ok(()),
            Some(status) => Err(Failure::Command {
                command: self.log.display().to_string(),
                status: status.to_string(),
                output: self.last_words(),
            }),
        }
    }

    /// The end of its log.
    pub(crate) fn last_words(&self) -> String {
        tail(&fs::read(&self.log).unwrap_or_default())
    }

    /// Sends a signal, unless the process has been waited for.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        match self.own_pid() {
            Some(pid) => kill_process(pid, signal).at(&self.log),
            None => Ok(()),
        }
    }

    /// Waits until a process that was told to end is gone.
    pub(crate) async fn gone(&mut self) -> Result<()> {
        self.inner.wait().await.at(&self.log).map(drop)
    }

    /// Asks the process to end and waits until it has.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.ask_to_end();
        if timeout(GRACE, self.inner.wait()).await.is_err() {
            self.inner.kill().await.at(&self.log)?;
            return Err(Failure::Late(format!("the end of {}", self.log.display())));
        }
        Ok(())
    }
}

impl Child {
    /// Sends SIGTERM, and SIGCONT after it: a process that stands still hears nothing before.
    fn ask_to_end(&self) {
        // They fail only when the process has just ended by itself.
        let _ = self.signal(Signal::TERM);
        let _ = self.signal(Signal::CONT);
    }

    /// None after the process has been waited for: then its id may be another's.
    fn own_pid(&self) -> Option<Pid> {
        let pid = self.inner.id()?;
        Pid::from_raw(i32::try_from(pid).ok()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.ask_to_end();
    }
}

/// Runs a command to its end and gives its standard output.
pub(crate) async fn output(mut command: Command) -> Result<String> {
    let what = format!("{:?}", command.as_std());
    let output = command.output().await.while_doing(&what)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let output_text = tail(if output.stderr.is_empty() {
        &output.stdout
    } else {
        &output.stderr
    });
    Err(Failure::Command {
        command: what,
        status: output.status.to_string(),
        output: output_text,
    })
}

/// The end of what was printed.
pub(crate) fn tail(output: &[u8]) -> String {
    let from = output.len().saturating_sub(SHOWN_BYTES);
    String::from_utf8_lossy(&output[from..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_testkit::wait_until;

    fn sleeper(log: &Path) -> Child {
        let mut command = command(Path::new("sleep"), None);
        command.arg("600");
        Child::start(command, log.to_owned()).unwrap()
    }

    #[tokio::test]
    async fn a_dropped_server_ends() {
        let folder = tempfile::tempdir().unwrap();
        let child = sleeper(&folder.path().join("log"));
        let status = format!("/proc/{}/status", child.pid());
        drop(child);
        wait_until(GRACE, "the end of a dropped process", || {
            let state = fs::read_to_string(&status).unwrap_or_default();
            let is_gone = state.is_empty() || state.contains("State:\tZ");
            std::future::ready(if is_gone { Ok(()) } else { Err(state) })
        })
        .await;
    }

    #[tokio::test]
    async fn a_server_that_stands_still_ends_like_any_other() {
        let folder = tempfile::tempdir().unwrap();
        let child = sleeper(&folder.path().join("log"));
        child.signal(Signal::STOP).unwrap();
        child.stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_stopped_server_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let child = sleeper(&folder.path().join("log"));
        let pid = child.pid();
        child.stop().await.unwrap();
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[tokio::test]
    async fn a_failing_command_says_what_it_printed() {
        let mut command = command(Path::new("cat"), None);
        command.arg("/no/such/file");
        let failure = output(command).await.unwrap_err().to_string();
        assert!(failure.contains("No such file"), "{failure}");
    }
}
