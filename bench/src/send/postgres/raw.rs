//! The yardstick: psql's binary `\copy` of the very rows that a launch has written, into empty tables
//! with the same columns and indexes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::cluster::Cluster;
use crate::child;
use crate::failure::{Failure, Result, While as _};
use crate::postgres::Database;
use crate::send::launch::rounded;
use crate::send::per_second;

/// Slots below this are one half of the users.
const HALF: u16 = 2_048;

/// How fast `\copy` was.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Raw {
    /// Rows, in the tables of a launch: cards, and receipts when it keeps any.
    pub(crate) rows_by_table: Vec<(String, u64)>,
    pub(crate) file_bytes_each: f64,
    /// Cards a second with everything that belongs to them.
    pub(crate) one_client_per_second: f64,
    pub(crate) two_clients_per_second: f64,
    /// CPU time of the server for each card, with one client.
    #[serde(default)]
    pub(crate) server_micros_each: f64,
}

/// One table's rows in files: all of them, and each half.
#[derive(Debug)]
struct Exported {
    table: String,
    whole: PathBuf,
    halves: [PathBuf; 2],
}

/// Copies what the launch wrote to this cohort.
pub(super) async fn copy(cluster: &Cluster, cohort: &str, cards: u64) -> Result<Raw> {
    let database = &cluster.cards;
    let (mut exported, mut rows_by_table, mut bytes) = (Vec::new(), Vec::new(), 0);
    for table in [format!("card_{cohort}"), "receipt".to_owned()] {
        let rows = database
            .count(&format!("SELECT count(*) FROM {table}"))
            .await?;
        if rows == 0 {
            continue;
        }
        let file = |part: &str| cluster.folder.join(format!("{table}{part}.copy"));
        let one = Exported {
            whole: file(""),
            halves: [file("-0"), file("-1")],
            table: table.clone(),
        };
        export(database, &table, "true", &one.whole).await?;
        export(database, &table, &format!("slot < {HALF}"), &one.halves[0]).await?;
        export(database, &table, &format!("slot >= {HALF}"), &one.halves[1]).await?;
        bytes += std::fs::metadata(&one.whole).at(&one.whole)?.len();
        rows_by_table.push((table, rows));
        exported.push(one);
    }
    if rows_by_table.first().map(|(_, rows)| *rows) != Some(cards) {
        let what = format!("{cards} cards were written, there are {rows_by_table:?}");
        return Err(Failure::unexpected(what));
    }
    let before = database.server_cpu_seconds()?;
    let one = timed(database, &exported, |one| vec![one.whole.clone()]).await?;
    let server = database.server_cpu_seconds()? - before;
    let two = timed(database, &exported, |one| one.halves.to_vec()).await?;
    for file in exported
        .iter()
        .flat_map(|one| one.halves.iter().chain([&one.whole]))
    {
        std::fs::remove_file(file).at(file)?;
    }
    Ok(Raw {
        rows_by_table,
        file_bytes_each: rounded(per_second(bytes, per_second(cards, 1.0))),
        one_client_per_second: rounded(per_second(cards, one)),
        two_clients_per_second: rounded(per_second(cards, two)),
        server_micros_each: rounded(per_second(cards, server).recip() * 1e6),
    })
}

/// Seconds for all tables, each into an empty one, a client for each file of a table.
async fn timed(
    database: &Database,
    exported: &[Exported],
    files: impl Fn(&Exported) -> Vec<PathBuf>,
) -> Result<f64> {
    let mut seconds = 0.0;
    for one in exported {
        let fresh = "raw_copy";
        let make = format!("CREATE TABLE {fresh} (LIKE {} INCLUDING ALL)", one.table);
        database.run(&make).await?;
        database.run("CHECKPOINT").await?;
        let clients = files(one).into_iter().map(|file| {
            let command = format!("\\copy {fresh} FROM '{}' BINARY", file.display());
            async move { psql(database, &command).await }
        });
        let begun = Instant::now();
        futures_util::future::try_join_all(clients).await?;
        seconds += begun.elapsed().as_secs_f64();
        let copied = database
            .count(&format!("SELECT count(*) FROM {fresh}"))
            .await?;
        let wanted = database
            .count(&format!("SELECT count(*) FROM {}", one.table))
            .await?;
        database.run(&format!("DROP TABLE {fresh}")).await?;
        if copied != wanted {
            let what = format!("{copied} of {wanted} rows of {} were copied", one.table);
            return Err(Failure::unexpected(what));
        }
    }
    Ok(seconds)
}

async fn export(database: &Database, table: &str, only: &str, file: &Path) -> Result<()> {
    let rows = format!("SELECT * FROM {table} WHERE {only}");
    psql(
        database,
        &format!("\\copy ({rows}) TO '{}' BINARY", file.display()),
    )
    .await
}

async fn psql(database: &Database, command: &str) -> Result<()> {
    let mut psql = child::command(Path::new("psql"), None);
    psql.args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1"])
        .args(["--dbname", database.url(), "--command", command]);
    child::output(psql).await.map(drop)
}
