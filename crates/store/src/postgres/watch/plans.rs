//! What the statements of the hot paths really cost on this database, with its data, now.
//!
//! `EXPLAIN (ANALYZE, BUFFERS)` runs the statement, so only reads are looked at, in a transaction
//! that cannot write. A scan of a whole table is fine while the table is small; what counts is how
//! many rows were looked at.

use std::fmt;

use serde_json::Value;
use tokio_postgres::types::ToSql;

use super::finding::Finding;
use super::only_row;
use crate::error::{Result, StoreError};
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::Json;

/// Rows that a scan of a whole table may look at.
const SCANNED_ROWS: f64 = 1_000.0;

/// A value that can be bound to a parameter.
pub(in crate::postgres) type Parameter = Box<dyn ToSql + Send + Sync>;

/// A read of a hot path, ready to be explained.
pub(in crate::postgres) struct HotRead {
    /// The statement's name, as errors have it.
    pub(in crate::postgres) name: &'static str,
    /// Its text, as it is prepared.
    pub(in crate::postgres) sql: String,
    /// What it is bound to: a user who exists, if there is one.
    pub(in crate::postgres) params: Vec<Parameter>,
    /// Pages of 8 KiB that it may touch.
    pub(in crate::postgres) budget: u64,
}

impl HotRead {
    pub(in crate::postgres) fn of(
        statement: &Statement,
        params: Vec<Parameter>,
        budget: u64,
    ) -> Self {
        Self {
            name: statement.name,
            sql: statement.sql.to_owned(),
            params,
            budget,
        }
    }
}

impl fmt::Debug for HotRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HotRead({})", self.name)
    }
}

/// What a run of a statement cost.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Cost {
    /// Pages touched, in memory or not.
    pub(super) buffers: u64,
    pub(super) rows: f64,
    pub(super) planning_ms: f64,
    pub(super) execution_ms: f64,
    /// Tables that were read from end to end, with the rows looked at.
    pub(super) scans: Vec<(String, f64)>,
}

/// Runs each of the reads and says what it cost.
pub(in crate::postgres) async fn explain_all(
    session: &Session,
    reads: &[HotRead],
) -> Result<Vec<Finding>> {
    let mut findings = Vec::with_capacity(reads.len());
    for read in reads {
        findings.push(explain(session, read).await?);
    }
    Ok(findings)
}

async fn explain(session: &Session, read: &HotRead) -> Result<Finding> {
    session.begin().await?;
    let cost = cost(session, read).await;
    session.roll_back().await?;
    Ok(judge(read, &cost?))
}

async fn cost(session: &Session, read: &HotRead) -> Result<Cost> {
    session.run("explain", "SET TRANSACTION READ ONLY").await?;
    // Planned for these parameters, as ours are; typed by the statement as it is in use.
    let sql = format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {}", read.sql);
    let params: Vec<&(dyn ToSql + Sync)> = read
        .params
        .iter()
        .map(|param| -> &(dyn ToSql + Sync) { param.as_ref() })
        .collect();
    let answer = session.client().query(&sql, &params);
    let rows = session.answer(read.name, answer).await?;
    let row = only_row(rows)?;
    let Json(text) = row
        .try_get::<_, Json<&str>>(0)
        .map_err(crate::postgres::failure::column)?;
    let plan: Value = serde_json::from_str(text).map_err(|error| StoreError::Corrupt {
        what: "plan",
        source: error.into(),
    })?;
    Ok(Cost::of(&plan[0]))
}

impl Cost {
    /// Of what `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)` prints for one statement.
    fn of(explained: &Value) -> Self {
        let top = &explained["Plan"];
        let pages = |kind: &str| top[kind].as_u64().unwrap_or(0);
        let mut cost = Self {
            buffers: pages("Shared Hit Blocks") + pages("Shared Read Blocks"),
            rows: number(top, "Actual Rows"),
            planning_ms: number(explained, "Planning Time"),
            execution_ms: number(explained, "Execution Time"),
            scans: Vec::new(),
        };
        let mut nodes = vec![top];
        while let Some(node) = nodes.pop() {
            nodes.extend(node["Plans"].as_array().into_iter().flatten());
            if node["Node Type"].as_str() != Some("Seq Scan") {
                continue;
            }
            let seen = number(node, "Actual Rows") + number(node, "Rows Removed by Filter");
            let table = node["Relation Name"]
                .as_str()
                .unwrap_or("a table")
                .to_owned();
            cost.scans
                .push((table, seen * number(node, "Actual Loops")));
        }
        cost
    }
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(0.0)
}

fn judge(read: &HotRead, cost: &Cost) -> Finding {
    const NAME: &str = "plans";
    let (name, buffers, budget) = (read.name, cost.buffers, read.budget);
    let what = format!(
        "{name}: {buffers} of {budget} buffers, {} rows, planned in {:.1} ms, run in {:.1} ms",
        cost.rows, cost.planning_ms, cost.execution_ms
    );
    let scanned: Vec<String> = cost
        .scans
        .iter()
        .filter(|(_, rows)| *rows > SCANNED_ROWS)
        .map(|(table, rows)| format!("{table} ({rows} rows)"))
        .collect();
    if !scanned.is_empty() {
        return Finding::warn(
            NAME,
            format!("{what}; reads all of {}", scanned.join(", ")),
            "ANALYZE the table; if that does not help, an index is missing: compare with a new \
             installation",
        );
    }
    if buffers > budget {
        return Finding::warn(
            NAME,
            what,
            "VACUUM (ANALYZE) the tables; retire ended cohorts; see 'horizon' for what keeps dead rows",
        );
    }
    Finding::ok(NAME, what)
}

#[cfg(test)]
mod tests;
