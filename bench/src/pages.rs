//! Making a store cold: its pages leave the system's cache, so that reads reach the disk.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{Advice, fadvise};

use crate::child;
use crate::failure::{Result, While as _};

/// Writes back and drops the cached pages of all files in a folder. Only those: other programs of
/// the machine keep theirs, and no privilege is needed. The host of a virtual machine keeps its own
/// cache, which nobody here can drop.
pub(crate) fn evict(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        if path.is_dir() {
            evict(&path)?;
            continue;
        }
        let file = File::open(&path).at(&path)?;
        file.sync_all().at(&path)?;
        fadvise(&file, 0, None, Advice::DontNeed).at(&path)?;
    }
    Ok(())
}

/// Bytes of a folder's files that are still cached, as `fincore` tells; `None` where it is missing.
pub(crate) async fn cached(folder: &Path) -> Option<u64> {
    let mut command = child::command(Path::new("fincore"), None);
    command
        .args(["--bytes", "--noheadings", "--output", "RES"])
        .args(files(folder));
    let printed = child::output(command).await.ok()?;
    Some(
        printed
            .lines()
            .filter_map(|line| line.trim().parse::<u64>().ok())
            .sum(),
    )
}

/// Bytes of all files in a folder and the folders in it.
pub(crate) fn size(folder: &Path) -> u64 {
    let lengths = files(folder)
        .into_iter()
        .filter_map(|path| fs::metadata(path).ok());
    lengths.map(|metadata| metadata.len()).sum()
}

/// All files below a folder; what vanishes meanwhile is left out.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_and_measured_in_all_folders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        fs::write(folder.path().join("a"), "12345").unwrap();
        fs::write(folder.path().join("in/b"), "123").unwrap();
        assert_eq!(files(folder.path()).len(), 2);
        assert_eq!(size(folder.path()), 8);
        evict(folder.path()).unwrap();
    }
}
