//! `install-hooks`: the journal and the triggers on the source's tables.
//!
//! First every table is looked at, then all is installed in one transaction: with a problem, nothing is.

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
/// When the database cannot be reached, does not let us, or has something else under a table's name;
/// and when no endpoint is over a table.
pub async fn install(
    url: &str,
    endpoints: &[EndpointSpec],
    options: &SourceOptions,
) -> Result<Vec<Hooked>, SourceError> {
    let (mut hooked, mut problems, mut sql) = (Vec::new(), Vec::new(), JOURNAL.to_owned());
    let is_query = |endpoint: &EndpointSpec| matches!(endpoint.content, Content::Query(_));
    if endpoints.iter().all(is_query) {
        problems.push(
            "no endpoint is over a table: nobody knows which tables change the rows of a query, so \
             they live for their ttl and there is nothing to install"
                .to_owned(),
        );
        return Err(SourceError::Endpoints { problems });
    }
    let connection = Connector::new(url, options)?.open().await?;
    for endpoint in endpoints {
        let path = endpoint.path.clone();
        let Content::Table { name, .. } = &endpoint.content else {
            hooked.push(Hooked::Query { path });
            continue;
        };
        let found = look_at(&connection, name, &endpoint.key).await?;
        match found.problem(name, &endpoint.key) {
            Some(problem) => problems.push(format!("endpoint {path}: {problem}")),
            None => {
                for part in &found.parts {
                    sql.push_str(&triggers(part, &found.name, &endpoint.key));
                }
                let table = name.clone();
                hooked.push(Hooked::Table { path, table });
            }
        }
    }
    if !problems.is_empty() {
        return Err(SourceError::Endpoints { problems });
    }
    let sql = format!("BEGIN;\n{sql}\nCOMMIT;");
    let running = connection.client().batch_execute(&sql);
    connection.answer("the hooks", running).await?;
    Ok(hooked)
}

/// What lies under a table's name.
#[derive(Debug, Default)]
struct Found {
    /// With its schema.
    name: String,
    /// As in `pg_class.relkind`.
    kind: String,
    has_key: bool,
    /// What triggers belong on, as SQL: the table, and its partitions, which can be written to
    /// directly.
    parts: Vec<String>,
}

impl Found {
    /// Why it cannot be hooked.
    fn problem(&self, name: &str, key: &str) -> Option<String> {
        match self.kind.as_str() {
            "" => Some(format!("there is no table {name}")),
            "r" | "p" if self.has_key => None,
            "r" | "p" => Some(format!("{name} has no column {key}")),
            "f" => Some(format!(
                "{name} is a foreign table: its changes happen where no trigger sees them"
            )),
            _ => Some(format!(
                "{name} is a view: no trigger sees what changes its rows. Serve the table below it, \
                 or use a query and let its rows live for their ttl"
            )),
        }
    }
}

async fn look_at(connection: &Connection, name: &str, key: &str) -> Result<Found, SourceError> {
    const SQL: &str = "SELECT format('%I.%I', n.nspname, c.relname), c.relkind::text, \
             EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = $2), \
             ARRAY(SELECT format('%I.%I', pn.nspname, p.relname) \
                 FROM pg_partition_tree(c.oid) AS tree \
                 JOIN pg_class AS p ON p.oid = tree.relid \
                 JOIN pg_namespace AS pn ON pn.oid = p.relnamespace \
                 WHERE p.oid <> c.oid AND p.relkind IN ('r', 'p')) \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass($1)";
    let quoted = table(name);
    let looking = async { connection.client().query_opt(SQL, &[&quoted, &key]).await };
    let Some(row) = connection.answer(name, looking).await? else {
        return Ok(Found::default());
    };
    let full: String = row.get(0);
    let mut parts = vec![full.clone()];
    parts.extend(row.get::<_, Vec<String>>(3));
    Ok(Found {
        name: full,
        kind: row.get(1),
        has_key: row.get(2),
        parts,
    })
}

/// One trigger for each kind of statement, because the rows before and after have other names in
/// each. Named after the key, so that two endpoints over one table do not replace each other's.
fn triggers(on: &str, name: &str, key: &str) -> String {
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
        let sql = triggers(r#"shop."o'ffers""#, r#"shop."o'ffers""#, r#"k"ey"#);
        assert!(sql.contains(r#"ON shop."o'ffers" REFERENCING"#), "{sql}");
        assert!(
            sql.contains(r#"record_change('shop."o''ffers"', 'k"ey')"#),
            "{sql}"
        );
    }
}
