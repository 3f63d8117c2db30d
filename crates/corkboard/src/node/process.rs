//! The process as the system sees it: its name among others, memory, CPU time, open files and their
//! limit. What is read from `/proc` is absent elsewhere than on Linux.

use std::fs;

use corkboard_core::time::{Clock as _, SystemClock};
use metrics::gauge;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::uname;
use tokio::runtime::Handle;

/// A name that no other process has or will have: leases are held under it. Host and process number
/// are for people; containers share both, so a random number follows.
pub(super) fn name() -> String {
    let mut random = [0; 4];
    if getrandom::fill(&mut random).is_err() {
        // Without randomness the time of the start has to do.
        let started = SystemClock.now().as_micros().to_be_bytes();
        random.copy_from_slice(&started[4..]);
    }
    let random = u32::from_be_bytes(random);
    let uname = uname();
    let host = uname.nodename().to_string_lossy();
    format!("{host}-{}-{random:08x}", std::process::id())
}

/// Raises the soft limit of open files to the hard one: the soft one is low for programs that use
/// `select`, which this one does not.
pub(super) fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        Ok(()) => tracing::debug!(?current, ?maximum, "limit of open files raised"),
        Err(error) => tracing::warn!(?current, ?maximum, %error, "the limit of open files stays"),
    }
}

/// Reads the numbers anew; called when somebody looks at the metrics.
pub(super) fn measure() {
    let tasks = u32::try_from(Handle::current().metrics().num_alive_tasks()).unwrap_or(u32::MAX);
    gauge!("corkboard_process_tasks").set(f64::from(tasks));
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (field, name) in [
        ("VmRSS:", "corkboard_process_resident_memory_bytes"),
        ("VmHWM:", "corkboard_process_resident_memory_peak_bytes"),
    ] {
        if let Some(kib) = number_after(&status, field) {
            gauge!(name).set(kib * 1024.0);
        }
    }
    if let Some(threads) = number_after(&status, "Threads:") {
        gauge!("corkboard_process_threads").set(threads);
    }
    if let Some(seconds) = cpu_seconds() {
        gauge!("corkboard_process_cpu_seconds").set(seconds);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        let open = u32::try_from(files.count()).unwrap_or(u32::MAX);
        gauge!("corkboard_process_open_files").set(f64::from(open));
    }
}

fn number_after(text: &str, field: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

/// User and system time. The first field of `/proc/self/schedstat` would be one thread's only, so
/// this counts the ticks of `/proc/self/stat`, of which Linux has 100 a second everywhere.
fn cpu_seconds() -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_of_this_process_is_read_from_the_system() {
        let seconds = cpu_seconds().unwrap();
        assert!((0.0..86_400.0).contains(&seconds), "{seconds}");
    }
}
