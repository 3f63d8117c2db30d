//! The plan of a statement as the server would run it for any values.

use tokio_postgres::SimpleQueryMessage;

use super::session::Session;
use super::statement::Statement;
use crate::error::Result;

/// Prepares a statement against the schema as it is, and returns the lines of its generic plan
/// without costs. Fails when the server does not accept the statement.
pub(super) async fn generic(session: &Session, statement: &Statement) -> Result<Vec<String>> {
    generic_of(session, statement.name, statement.sql).await
}

/// The same for a statement whose text is made up at run time.
pub(super) async fn generic_of(
    session: &Session,
    name: &'static str,
    sql: &str,
) -> Result<Vec<String>> {
    let prepared = session.client().prepare_cached(sql);
    let prepared = session.answer(name, prepared).await?;
    let nulls = vec!["NULL"; prepared.params().len()].join(", ");
    let arguments = if nulls.is_empty() {
        String::new()
    } else {
        format!("({nulls})")
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
