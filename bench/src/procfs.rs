//! What the kernel says of another process: memory, CPU time, bytes from disk.

use std::fs;

use crate::failure::{Failure, Result, While as _};

/// The unit of times in `/proc/PID/stat`, fixed for programs on Linux whatever the kernel's own is.
const TICKS_PER_SECOND: f64 = 100.0;

/// Memory of a process, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// Most there ever was of `resident` since the process began.
    pub(crate) peak: u64,
    /// The part of `resident` that is not backed by files.
    pub(crate) anonymous: u64,
}

pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let path = format!("/proc/{pid}/status");
    parse_memory(&read(&path)?).ok_or_else(|| strange(&path))
}

/// User and system time so far, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    parse_cpu(&read(&path)?).ok_or_else(|| strange(&path))
}

/// The same of a process with all its children, also those that have ended.
pub(crate) fn cpu_seconds_with_children(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/stat");
    let ended = parse_cpu_of_ended(&read(&path)?).ok_or_else(|| strange(&path))?;
    let mut sum = cpu_seconds(pid)? + ended;
    for child in children(pid)? {
        // One that ends meanwhile is missed this once.
        sum += cpu_seconds(child).unwrap_or_default();
    }
    Ok(sum)
}

/// Bytes that really came from the disk.
pub(crate) fn disk_bytes_read(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/io");
    number(&read(&path)?, "read_bytes:").ok_or_else(|| strange(&path))
}

/// Processes that this one started and that are still there.
pub(crate) fn children(pid: u32) -> Result<Vec<u32>> {
    let text = read(&format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect())
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).while_doing(path)
}

fn strange(path: &str) -> Failure {
    Failure::unexpected(format!("{path} is not as Linux writes it"))
}

fn number(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn parse_memory(status: &str) -> Option<Memory> {
    Some(Memory {
        resident: number(status, "VmRSS:")?,
        peak: number(status, "VmHWM:")?,
        anonymous: number(status, "RssAnon:")?,
    })
}

fn parse_cpu(stat: &str) -> Option<f64> {
    two_times(stat, 11)
}

/// Of children that have ended and were waited for.
fn parse_cpu_of_ended(stat: &str) -> Option<f64> {
    two_times(stat, 13)
}

/// The sum of two times that follow each other, in seconds.
fn two_times(stat: &str, skipped: usize) -> Option<f64> {
    // The name in parentheses may hold anything, so counting begins behind it, at field 3.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(skipped);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_from_the_status_page() {
        let status = "VmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nRssAnon:\t     512 kB\n";
        let expected = Memory {
            resident: 1024,
            peak: 2048,
            anonymous: 512,
        };
        assert_eq!(parse_memory(status), Some(expected));
        assert_eq!(parse_memory("VmRSS:\t1 kB\n"), None);
    }

    #[test]
    fn cpu_time_is_found_behind_a_hostile_name() {
        let stat = "7 (a) b (c) R 1 7 7 0 -1 4194304 100 0 0 0 150 50 30 20 20 0 1 0 9 1 1";
        assert_eq!(parse_cpu(stat), Some(2.0));
        assert_eq!(parse_cpu_of_ended(stat), Some(0.5));
        assert_eq!(parse_cpu("7 (x) R 1"), None);
    }

    #[test]
    fn this_process_can_be_read() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap().resident > 0);
        assert!(cpu_seconds(pid).unwrap() >= 0.0);
        assert!(children(pid).is_ok());
    }
}
