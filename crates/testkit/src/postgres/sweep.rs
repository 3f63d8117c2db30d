//! Folders of clusters: made with a note of who owns them, swept when the owner is gone.
//!
//! A test run that is killed drops nothing. Its servers would run for ever, so whoever makes the
//! next cluster looks for such leftovers first. `.ci/postgres` keeps to the same layout.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use super::processes::{children, has_argument, signal, started};
use super::programs;

/// Below the system's folder for temporary files, because socket paths must be short.
const ROOT: &str = "corkboard-postgres";
/// In a cluster's folder: number and start of the process that it belongs to.
const OWNER: &str = "owner";

static MADE: AtomicU32 = AtomicU32::new(0);

/// A new empty folder, owned by this process.
pub(super) fn make() -> PathBuf {
    let root = std::env::temp_dir().join(ROOT);
    fs::create_dir_all(&root).expect("the folder for temporary files can be written to");
    let us = std::process::id();
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let folder = root.join(format!("{us}-{number}"));
    // Left by a process of the same number, long ago.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).expect("a folder");
    let owner = format!("{us} {}", started(us).unwrap_or(0));
    fs::write(folder.join(OWNER), owner).expect("a file");
    if let Some((user, group)) = programs::unprivileged() {
        std::os::unix::fs::chown(&folder, Some(user), Some(group)).expect("root may do this");
    }
    folder
}

/// Ends the servers of clusters whose owner is gone, and removes their folders.
pub(super) fn sweep() {
    sweep_below(&std::env::temp_dir().join(ROOT));
}

fn sweep_below(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let folder = entry.path();
        // A folder without a note is being made or removed at this moment.
        if fs::read_to_string(folder.join(OWNER)).is_ok_and(|owner| !is_alive(&owner)) {
            remove(&folder);
        }
    }
}

fn is_alive(owner: &str) -> bool {
    let mut numbers = owner.split_whitespace();
    let pid = numbers.next().and_then(|pid| pid.parse().ok());
    let start = numbers.next().and_then(|start| start.parse().ok());
    start.is_some_and(|start: u64| pid.and_then(started) == Some(start))
}

/// Kills what runs on a cluster's folder and removes the folder.
pub(super) fn remove(folder: &Path) {
    let data = folder.join("data");
    let noted = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let postmaster: Option<u32> = noted.lines().next().and_then(|pid| pid.parse().ok());
    if let Some(postmaster) = postmaster
        && has_argument(postmaster, &data.to_string_lossy())
    {
        let backends = children(postmaster);
        signal(postmaster, Signal::KILL);
        for backend in backends {
            signal(backend, Signal::KILL);
        }
    }
    // The note goes last: what cannot be removed yet is found again by the next sweep.
    let _ = fs::remove_dir_all(&data);
    let _ = fs::remove_dir_all(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_folders_without_a_living_owner_are_swept() {
        let root = std::env::temp_dir().join(format!("{ROOT}-sweep-{}", std::process::id()));
        let us = std::process::id();
        let ours = format!("{us} {}", started(us).unwrap());
        let successor = format!("{us} 1");
        let gone = format!("{} 1", u32::MAX);
        for (name, owner) in [("ours", &ours), ("reused", &successor), ("gone", &gone)] {
            fs::create_dir_all(root.join(name).join("data")).unwrap();
            fs::write(root.join(name).join(OWNER), owner).unwrap();
        }
        fs::create_dir_all(root.join("being-made")).unwrap();
        sweep_below(&root);
        let mut left: Vec<_> = fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["being-made", "ours"]);
        fs::remove_dir_all(root).unwrap();
    }
}
