//! Runs the built binary in a folder of its own, with nothing of the environment but what a test
//! sets.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use corkboard_testkit::wait_until;
use rustix::process::{Pid, Signal, kill_process};

/// Long enough for a debug build on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Lines that nobody has taken yet; what comes beyond them is let go.
const LINES: usize = 4_096;

/// The binary with arguments separated by blanks.
pub(crate) fn command(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_corkboard"));
    command
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .env_clear();
    command
}

/// What a command that is over has left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(
            self.status, status,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }
}

/// Runs to the end.
pub(crate) fn run(folder: &Path, arguments: &str) -> Finished {
    run_with(command(folder, arguments), "")
}

/// Runs to the end with this on stdin.
pub(crate) fn run_with(mut command: Command, input: &str) -> Finished {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that reads nothing closes its end, which is its right.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Finished {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A command that serves; killed when dropped.
pub(crate) struct Served {
    child: Child,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

impl Served {
    pub(crate) fn start(mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self {
            child,
            stdout,
            stderr,
        }
    }

    /// The value of the next line on stdout, which is `name: value`.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> String {
        let line = self.stdout.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            let log: Vec<String> = self.stderr.try_iter().collect();
            panic!("no '{name}:' ({error}); stderr:\n{}", log.join("\n"))
        });
        let value = line
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(": "));
        value
            .unwrap_or_else(|| panic!("expected '{name}: …', got '{line}'"))
            .to_owned()
    }

    /// The next line on stderr that holds `part`.
    #[track_caller]
    pub(crate) fn log(&self, part: &str) -> String {
        loop {
            let line = self.stderr.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("no log line with '{part}' ({error})"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// All lines on stderr that nobody has taken, after its end.
    pub(crate) fn rest_of_log(&self) -> String {
        let lines: Vec<String> = self.stderr.iter().collect();
        lines.join("\n")
    }

    /// Asks it to end.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_until(PATIENCE, "the end of the process", || {
            let answer = match child.try_wait().unwrap() {
                Some(status) => Ok(status),
                None => Err("still running".to_owned()),
            };
            std::future::ready(answer)
        })
        .await
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, read by a thread that ends with it, so that the process never waits for us.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if let Err(TrySendError::Disconnected(_)) = sender.try_send(line) {
                return;
            }
        }
    });
    receiver
}
