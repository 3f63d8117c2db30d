//! The plans of statements as SQLite would run them.

use rusqlite::Connection;

use crate::error::Result;

/// A statement's name and the steps of its plan.
pub(super) type Plan = (&'static str, Vec<String>);

/// The plans of named statements.
pub(super) fn explain(
    connection: &Connection,
    statements: &[(&'static str, &str)],
) -> Result<Vec<Plan>> {
    let mut plans = Vec::with_capacity(statements.len());
    for (name, sql) in statements {
        // Parameters stay unbound: plans do not depend on them.
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let mut rows = statement.raw_query();
        let mut steps = Vec::new();
        while let Some(row) = rows.next()? {
            steps.push(row.get("detail")?);
        }
        plans.push((*name, steps));
    }
    Ok(plans)
}
