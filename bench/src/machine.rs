//! Where a run took place: numbers without their machine are no numbers.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};

/// Below this the steps with thousands of connections would measure the limit.
const OPEN_FILES_NEEDED: u64 = 12_000;

/// The machine and the code that were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) cpu: String,
    pub(crate) kernel: String,
    pub(crate) memory_mib: u64,
    /// Limit of open files of every process of the run.
    pub(crate) open_files: u64,
    /// Processes that wanted a CPU in the minute before the results were written: of a quiet machine
    /// it is about the number of cores that the bench itself keeps busy.
    pub(crate) load_average: f64,
}

impl Machine {
    /// Whether others used the machine so much that rates say little: the bench itself keeps the
    /// server's and the generator's CPU busy.
    pub(crate) fn was_busy(&self) -> bool {
        const OWN: f64 = 2.0;
        self.load_average > OWN + 1.0
    }

    pub(crate) fn this() -> Self {
        let cpus = read("/proc/cpuinfo");
        let load = read("/proc/loadavg");
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: field(&cpus, "model name").unwrap_or("unknown").to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: total_kib(&read("/proc/meminfo")) / 1024,
            open_files: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            load_average: load
                .split(' ')
                .next()
                .and_then(|first| first.parse().ok())
                .unwrap_or(0.0),
        }
    }
}

/// The commit of the checkout that `folder` is in, with a mark when what is built differs from it.
pub(crate) fn commit(folder: &Path) -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(arguments)
            .output()
            .ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // The product is made of these; notes, tests' snapshots and results change no number.
    match git(&[
        "status",
        "--porcelain",
        "--",
        ":/crates/*/src",
        ":/Cargo.toml",
        ":/Cargo.lock",
    ]) {
        Some(changes) if changes.is_empty() => commit,
        _ => format!("{commit} with changes"),
    }
}

/// Lets this process and its children open as many files as the host permits.
pub(crate) fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).map_err(|error| Failure::Io {
        what: "the limit of open files cannot be raised".to_owned(),
        source: error.into(),
    })?;
    match limit.maximum {
        Some(most) if most < OPEN_FILES_NEEDED => Err(Failure::unexpected(format!(
            "the host lets a process open {most} files only; the steps with 5,000 connections need \
             {OPEN_FILES_NEEDED}: raise it with `ulimit -Hn`"
        ))),
        _ => Ok(()),
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first value of `name : value` lines.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn total_kib(meminfo: &str) -> u64 {
    let value = field(meminfo, "MemTotal").and_then(|value| value.split(' ').next());
    value
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_by_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\nmodel name\t: Other\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2 GHz"));
        assert_eq!(field(text, "model"), None);
        assert_eq!(total_kib("MemTotal:       2048 kB\nMemFree: 1 kB\n"), 2048);
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && machine.memory_mib > 0, "{machine:?}");
    }
}
