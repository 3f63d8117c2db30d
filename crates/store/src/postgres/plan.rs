//! The plan of a statement as the server would run it for any values.

use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::Type;

use super::session::Session;
use super::statement::Statement;
use crate::error::Result;

/// Prepares a statement against the schema as it is, and returns the lines of its generic plan
/// without costs. Fails when the server does not accept the statement. `value` gives a literal for
/// each type of parameter: partitions that the values rule out are not in the plan.
pub(super) async fn generic(
    session: &Session,
    statement: &Statement,
    value: impl Fn(&Type) -> String,
) -> Result<Vec<String>> {
    explain(session, statement.name, statement.sql, value).await
}

/// The same for a statement whose text is made up at run time, and for any values.
pub(super) async fn generic_of(
    session: &Session,
    name: &'static str,
    sql: &str,
) -> Result<Vec<String>> {
    explain(session, name, sql, |_| "NULL".to_owned()).await
}

async fn explain(
    session: &Session,
    name: &'static str,
    sql: &str,
    value: impl Fn(&Type) -> String,
) -> Result<Vec<String>> {
    let prepared = session.client().prepare_cached(sql);
    let prepared = session.answer(name, prepared).await?;
    let values: Vec<String> = prepared.params().iter().map(value).collect();
    let arguments = if values.is_empty() {
        String::new()
    } else {
        format!("({})", values.join(", "))
    };
    let explain = format!(
        "SET plan_cache_mode = force_generic_plan;
         PREPARE explained AS {sql};
         EXPLAIN (COSTS OFF) EXECUTE explained{arguments};
         DEALLOCATE explained;
         RESET plan_cache_mode"
    );
    let messages = session.answer("explain", session.client().simple_query(&explain));
    let lines = messages
        .await?
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
    Ok(lines.collect())
}
