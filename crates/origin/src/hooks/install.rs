//! `install-hooks`: the journal and the triggers on the source's tables.

use super::CHANNEL;
use crate::endpoint::{Content, EndpointSpec};
use crate::source::{Connection, Connector, SourceError, SourceOptions, identifier, table};

const JOURNAL: &str = include_str!("install.sql");

/// What became of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hooked {
    /// Changes of this table are recorded.
    Table { path: String, table: String },
    /// An endpoint over a query: nobody knows which tables change its rows, so they live for their
    /// `ttl`.
    Query { path: String },
}

/// Puts triggers on the tables of `endpoints`; those that are there already are replaced.
///
/// # Errors
/// When the database cannot be reached, or does not let us: rights, or something that is no table.
pub async fn install(
    url: &str,
    endpoints: &[EndpointSpec],
    options: &SourceOptions,
) -> Result<Vec<Hooked>, SourceError> {
    let connection = Connector::new(url, options)?.open().await?;
    run(&connection, "the journal", JOURNAL).await?;
    let mut hooked = Vec::with_capacity(endpoints.len());
    for endpoint in endpoints {
        let path = endpoint.path.clone();
        hooked.push(match &endpoint.content {
            Content::Table { name, .. } => {
                run(&connection, name, &triggers(name, &endpoint.key)).await?;
                Hooked::Table {
                    path,
                    table: name.clone(),
                }
            }
            Content::Query(_) => Hooked::Query { path },
        });
    }
    Ok(hooked)
}

async fn run(connection: &Connection, what: &str, sql: &str) -> Result<(), SourceError> {
    let sql = format!("BEGIN;\n{sql}\nCOMMIT;");
    let running = connection.client().batch_execute(&sql);
    connection.answer(what, running).await
}

/// One trigger for each kind of statement, because the rows before and after have other names in
/// each. Named after the key, so that two endpoints over one table do not replace each other's.
fn triggers(name: &str, key: &str) -> String {
    let on = table(name);
    let arguments = format!("{}, {}", literal(name), literal(key));
    let kinds = [
        ("insert", "INSERT", "REFERENCING NEW TABLE AS corkboard_new"),
        ("delete", "DELETE", "REFERENCING OLD TABLE AS corkboard_old"),
        (
            "update",
            "UPDATE",
            "REFERENCING OLD TABLE AS corkboard_old NEW TABLE AS corkboard_new",
        ),
        ("truncate", "TRUNCATE", ""),
    ];
    let triggers = kinds.iter().map(|(kind, event, referencing)| {
        let trigger = identifier(&format!("{CHANNEL}_{kind}_{key}"));
        format!(
            "CREATE OR REPLACE TRIGGER {trigger} AFTER {event} ON {on} {referencing}\n\
             FOR EACH STATEMENT EXECUTE FUNCTION corkboard_origin.record_change({arguments});\n"
        )
    });
    triggers.collect()
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_name_stays_in_the_name() {
        let sql = triggers("o'ffers", r#"k"ey"#);
        assert!(sql.contains(r#"ON "o'ffers" REFERENCING"#), "{sql}");
        assert!(
            sql.contains(r#"record_change('o''ffers', 'k"ey')"#),
            "{sql}"
        );
    }
}
