//! A disk that is full, or fails, when a test says so.
//!
//! A small library stands between the server and the C library and is told by files what to refuse.
//! That takes no right to mount or to trace, so it works wherever servers can be started, and what
//! fails is exactly what the test means: the growing of tables, or one sync of the log.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::programs::output;

const SOURCE: &str = include_str!("disk.c");
const FULL: &str = "full";
const BAD_SYNC: &str = "bad-sync";

/// What a server's environment needs for its disk to obey.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Builds the library in a cluster's folder.
    ///
    /// # Panics
    ///
    /// Without a C compiler.
    pub(super) fn create(folder: &Path) -> Self {
        let source = folder.join("disk.c");
        fs::write(&source, SOURCE).expect("the folder is ours");
        let mut compile = Command::new("cc");
        compile
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(folder.join("disk.so"))
            .arg(source)
            .arg("-ldl")
            .stdin(Stdio::null());
        output(compile);
        Self {
            folder: folder.to_owned(),
        }
    }

    /// Puts the library between a server that is about to start and its disk.
    pub(super) fn stand_before(&self, server: &mut Command) {
        server
            .env("LD_PRELOAD", self.folder.join("disk.so"))
            .env("CORKBOARD_TEST_DISK", &self.folder);
    }

    pub(super) fn set_full(&self, full: bool) {
        let file = self.folder.join(FULL);
        let done = if full {
            fs::write(file, "")
        } else {
            fs::remove_file(file)
        };
        done.expect("the folder is ours");
    }

    pub(super) fn fail_next_sync(&self) {
        fs::write(self.folder.join(BAD_SYNC), "").expect("the folder is ours");
    }
}
