//! A program of engines: a line in, a line out.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::failure::{Failure, Result, While as _};

/// For one answer. The slowest is asked for all outputs, or for one slice of time.
const LONGEST_ANSWER: Duration = Duration::from_mins(1);

/// Ends when dropped: its standard input does.
#[derive(Debug)]
pub(super) struct Process {
    what: String,
    _child: Child,
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    /// Starts it on the inputs in a folder.
    pub(super) fn start(mut command: Command, folder: &Path) -> Result<Self> {
        command
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let what = format!("{:?}", command.as_std());
        let mut child = command.spawn().while_doing(&what)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Failure::unexpected(format!("{what} cannot be talked to")));
        };
        Ok(Self {
            what,
            _child: child,
            input,
            answers: BufReader::new(output).lines(),
        })
    }

    pub(super) async fn ask(&mut self, line: &str) -> Result<String> {
        let what = &self.what;
        let answer = async {
            self.input.write_all(format!("{line}\n").as_bytes()).await?;
            self.input.flush().await?;
            self.answers.next_line().await
        };
        let answer = timeout(LONGEST_ANSWER, answer)
            .await
            .map_err(|_| Failure::Late(format!("an answer to '{line}'")))?
            .while_doing(what)?
            .ok_or_else(|| Failure::unexpected(format!("{what} ended")))?;
        match answer.strip_prefix("error: ") {
            Some(why) => Err(Failure::unexpected(format!(
                "{what}, asked for '{line}': {why}"
            ))),
            None => Ok(answer),
        }
    }

    /// The number it answers; none when there is none to be had.
    pub(super) async fn number(&mut self, line: &str) -> Result<Option<f64>> {
        let answer = self.ask(line).await?;
        if answer == "-" {
            return Ok(None);
        }
        let number = answer
            .parse()
            .map_err(|_| Failure::unexpected(format!("{}: '{answer}' is no number", self.what)))?;
        Ok(Some(number))
    }
}
