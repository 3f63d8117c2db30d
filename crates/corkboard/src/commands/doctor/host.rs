//! Checks of the machine: clock, open files, free disk space.

use std::path::Path;

use corkboard_config::Config;
use corkboard_core::time::Timestamp;
use rustix::fs::statvfs;
use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::{output, stores};

/// Files a node has open beside its connections: the store, logs, listeners, libraries.
const OTHER_FILES: u64 = 256;
/// Below this the store soon cannot write.
const LEAST_FREE: u64 = 64 << 20;
/// Below this somebody should look.
const LITTLE_FREE: u64 = 1 << 30;

/// Expiry and tokens depend on the clock; one that was never set is years off.
pub(super) fn clock(now: Timestamp) -> Finding {
    const CHECK: &str = "clock";
    // 2025-01-01 and 2100-01-01: this program did not run before the one and will not after the other.
    let sane = Timestamp::from_seconds(1_735_689_600)..Timestamp::from_seconds(4_102_444_800);
    if sane.contains(&now) {
        return Finding::ok(CHECK, now.to_string());
    }
    Finding::fail(
        CHECK,
        format!("the host believes it is {now}"),
        "set the clock and keep it set (NTP): cards expire and tokens are checked by it",
    )
}

/// Whether every connection that is allowed can also be had.
pub(super) fn open_files(config: &Config) -> Finding {
    const CHECK: &str = "open files";
    let connections = config.limits.max_connections + config.fetch.max_in_flight;
    let wanted = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_add(OTHER_FILES);
    // A node raises the soft limit up to the hard one by itself.
    match getrlimit(Resource::Nofile).maximum {
        Some(limit) if limit < wanted => Finding::warn(
            CHECK,
            format!("limit {limit}, up to {wanted} wanted"),
            format!(
                "raise it (ulimit -Hn {wanted}, LimitNOFILE=) or lower limits.max_connections and \
                 fetch.max_in_flight"
            ),
        ),
        Some(limit) => Finding::ok(CHECK, format!("limit {limit}, up to {wanted} wanted")),
        None => Finding::ok(CHECK, "no limit"),
    }
}

/// Room for the embedded store.
pub(super) fn disk(config: &Config) -> Finding {
    const CHECK: &str = "disk";
    let Some(folder) = stores::embedded_folder(&config.store) else {
        return Finding::ok(CHECK, "the store is elsewhere");
    };
    // A folder that is made later will be where its nearest parent is.
    let existing = folder.ancestors().find(|folder| folder.exists());
    let existing = existing.unwrap_or(Path::new("."));
    let place = folder.display();
    match statvfs(existing) {
        Ok(system) => {
            let free = system.f_bavail.saturating_mul(system.f_frsize);
            let found = format!("{} free for {place}", output::bytes(free));
            let remedy = "free some space or move store.path";
            match free {
                ..LEAST_FREE => Finding::fail(CHECK, found, remedy),
                LEAST_FREE..LITTLE_FREE => Finding::warn(CHECK, found, remedy),
                _ => Finding::ok(CHECK, found),
            }
        }
        Err(error) => {
            let found = format!("{place} cannot be looked at: {error}");
            Finding::fail(
                CHECK,
                found,
                "make store.path a folder on a disk that is there",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::Verdict;

    #[test]
    fn a_clock_that_was_never_set_is_a_failure() {
        assert_eq!(clock(Timestamp::EPOCH).verdict, Verdict::Fail);
        assert_eq!(
            clock(Timestamp::from_seconds(1_795_255_200)).verdict,
            Verdict::Ok
        );
    }
}
