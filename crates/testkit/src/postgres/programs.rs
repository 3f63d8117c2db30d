//! Where PostgreSQL's programs are, and as whom they run.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where Debian and its relatives keep one folder per major version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// A server refuses to run as root; this user comes with Debian's package.
const UNPRIVILEGED: &str = "postgres";

/// The folder of `postgres`, `initdb` and `psql`: of the newest version, or on the path.
pub(super) fn folder() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(VERSIONS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| has_all(folder))
        .collect();
    found.sort();
    if let Some((_, folder)) = found.pop() {
        return folder;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|folder| has_all(folder))
        .unwrap_or_else(|| {
            panic!(
                "PostgreSQL's server programs are neither in {VERSIONS} nor on the path; on \
                 Debian or Ubuntu: apt-get install postgresql-15"
            )
        })
}

fn has_all(folder: &Path) -> bool {
    ["postgres", "initdb", "psql"]
        .iter()
        .all(|name| folder.join(name).is_file())
}

/// A program to be run without root's rights, and without the caller's PostgreSQL settings.
pub(super) fn command(name: &str) -> Command {
    let mut command = Command::new(folder().join(name));
    command.current_dir("/").stdin(Stdio::null());
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("PG") {
            command.env_remove(variable);
        }
    }
    if let Some((user, group)) = unprivileged() {
        command.uid(user).gid(group);
    }
    command
}

/// Whom to be instead of root; `None` when we are not root.
pub(super) fn unprivileged() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("a Unix has /etc/passwd");
    let ids = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [UNPRIVILEGED, _, user, group, ..] => Some((user.parse().ok()?, group.parse().ok()?)),
            _ => None,
        }
    });
    Some(ids.unwrap_or_else(|| panic!("there is no user {UNPRIVILEGED} to run a server as")))
}

/// The standard output of a program that succeeded.
pub(super) fn output(mut command: Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        status.success(),
        "{command:?}: {status}: {}",
        String::from_utf8_lossy(&stderr)
    );
    String::from_utf8_lossy(&stdout).trim_end().to_owned()
}
