//! Processes by number: who is alive, whose child, and signals.

use rustix::process::{Pid, Signal, kill_process};

/// When a process started, in the kernel's ticks since it booted; `None` when there is none.
/// Together with its number it names one process for good.
pub(super) fn started(pid: u32) -> Option<u64> {
    // The 22nd field; the second is in parentheses and may hold anything.
    stat(pid)?.get(19)?.parse().ok()
}

/// The direct children of a process.
pub(super) fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|fields| fields.get(1) == Some(&parent.to_string())))
        .collect()
}

/// Whether a process runs with this text among its arguments.
pub(super) fn has_argument(pid: u32, text: &str) -> bool {
    let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments
        .split(|byte| *byte == 0)
        .any(|argument| argument == text.as_bytes())
}

/// Sends a signal. A process that is gone is no mistake.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}

/// The fields of `/proc/pid/stat` after the name: state, parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_started_and_is_somebodys_child() {
        let us = std::process::id();
        assert!(started(us).is_some());
        let parent: u32 = stat(us).unwrap()[1].parse().unwrap();
        assert!(children(parent).contains(&us));
        assert_eq!(started(u32::MAX), None);
    }
}
