//! The working tree as the checks see it: texts of the kinds we write, names of everything else.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// Folders that hold what tools made, not what we wrote.
const SKIPPED_FOLDERS: &[&str] = &["target", "node_modules", ".git", ".work"];
/// Endings of the files that are read; others only count as link targets.
const TEXT_ENDINGS: &[&str] = &[".rs", ".toml", ".md", ".sh", ".yml", ".yaml", "Makefile"];
/// Scripts without an ending live here.
const SCRIPT_FOLDER: &str = ".ci/";

/// One file that we wrote.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Relative to the workspace root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Everything under the workspace root that is ours.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<TextFile>,
    names: BTreeSet<String>,
}

impl Tree {
    /// Walks the tree below `root`. Files that are no UTF-8 are an error: ours all are.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = if folder.is_empty() {
                    name.clone()
                } else {
                    format!("{folder}/{name}")
                };
                let kind = entry.file_type()?;
                if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                    folders.push(path.clone());
                } else if kind.is_file() && is_text(&path) {
                    let text = fs::read_to_string(entry.path())?;
                    tree.files.push(TextFile {
                        path: path.clone(),
                        text,
                    });
                }
                tree.names.insert(path);
            }
        }
        tree.files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(tree)
    }

    /// All texts, by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter()
    }

    /// The text of one file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.text.as_str())
    }

    /// Whether a file or folder of this path exists. The root itself is the empty path.
    pub(crate) fn has(&self, path: &str) -> bool {
        path.is_empty() || self.names.contains(path)
    }
}

fn is_text(path: &str) -> bool {
    path.starts_with(SCRIPT_FOLDER) || TEXT_ENDINGS.iter().any(|ending| path.ends_with(ending))
}
