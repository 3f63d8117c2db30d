//! Counting rows from outside: every row of every table of every file, as `sqlite3` dumps them.
//!
//! This asks nobody's bookkeeping but the files themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::child;
use crate::failure::{Failure, Result, While as _};
use crate::pages;

/// Every SQLite file begins with this.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// How a dump writes a row; a row is always one line.
const ROW: &str = "INSERT INTO ";

/// Rows by table; tables of the same name in several files are added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows(BTreeMap<String, u64>);

impl Rows {
    /// Counts the rows of all files in a store's folder, while a node may be running on it.
    pub(crate) async fn count(folder: &Path) -> Result<Self> {
        let mut rows = Self::default();
        for path in pages::files(folder).iter().filter(|path| is_sqlite(path)) {
            let mut command = child::command(Path::new("sqlite3"), None);
            command
                .arg("-readonly")
                .arg(path)
                .arg(".dump --data-only")
                .stdout(Stdio::piped());
            let mut child = command.spawn().while_doing("sqlite3 (Debian: sqlite3)")?;
            if let Some(output) = child.stdout.take() {
                let mut lines = BufReader::new(output).split(b'\n');
                while let Some(line) = lines.next_segment().await.at(path)? {
                    rows.take(&line);
                }
            }
            let status = child.wait().await.at(path)?;
            if !status.success() {
                let what = format!("sqlite3 ended with {status} on {}", path.display());
                return Err(Failure::Unexpected(what));
            }
        }
        Ok(rows)
    }

    fn take(&mut self, line: &[u8]) {
        if let Some(rest) = line.strip_prefix(ROW.as_bytes()) {
            let end = rest
                .iter()
                .position(|byte| *byte == b' ')
                .unwrap_or(rest.len());
            let table = String::from_utf8_lossy(&rest[..end]);
            *self
                .0
                .entry(table.trim_matches('"').to_owned())
                .or_default() += 1;
        }
    }

    /// What came on top of `earlier`, by table, tables without change left out.
    pub(crate) fn since(&self, earlier: &Self) -> BTreeMap<String, i64> {
        let names = self.0.keys().chain(earlier.0.keys());
        let difference = |name: &String| {
            let count = |rows: &Self| rows.0.get(name).copied().unwrap_or_default().cast_signed();
            count(self) - count(earlier)
        };
        names
            .map(|name| (name.clone(), difference(name)))
            .filter(|(_, change)| *change != 0)
            .collect()
    }
}

fn is_sqlite(path: &Path) -> bool {
    use std::io::Read as _;
    let mut head = [0; 16];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head == MAGIC
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_dump_counts_for_its_table() {
        let mut rows = Rows::default();
        for line in [
            "PRAGMA foreign_keys=OFF;",
            "INSERT INTO card VALUES(1,'INSERT INTO broadcast');",
            "INSERT INTO card VALUES(2,'');",
            "INSERT INTO \"odd\" VALUES(1);",
            "COMMIT;",
        ] {
            rows.take(line.as_bytes());
        }
        assert_eq!(
            rows.0,
            BTreeMap::from([("card".to_owned(), 2), ("odd".to_owned(), 1)])
        );
        let mut more = rows.clone();
        more.take(b"INSERT INTO campaign VALUES(1);");
        assert_eq!(
            more.since(&rows),
            BTreeMap::from([("campaign".to_owned(), 1)])
        );
        assert_eq!(
            rows.since(&more),
            BTreeMap::from([("campaign".to_owned(), -1)])
        );
    }
}
