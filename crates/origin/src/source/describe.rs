//! What an endpoint's rows consist of, as the source itself says.

use tokio_postgres::types::{Kind, Type};

use super::SourceError;
use super::connection::Connection;
use super::sql;
use crate::endpoint::{Content, EndpointSpec};
use crate::key::KeyKind;
use crate::row::Columns;

/// An endpoint as the source knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// What its key can hold.
    pub key: KeyKind,
    /// What its rows consist of.
    pub columns: Columns,
    /// What an operator should know about the table.
    pub advice: Option<String>,
    /// The table with its schema; none for a query.
    pub(crate) table: Option<String>,
    /// Reads rows: many by an array for a table, one for a query.
    pub(crate) read: String,
}

/// Why an endpoint cannot be described.
pub(super) enum Misfit {
    /// It does not fit what the database has.
    Endpoint(String),
    /// The database has no say.
    Source(SourceError),
}

impl From<SourceError> for Misfit {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Refused { cause, .. } => {
                Self::Endpoint(format!("the source says: {}", said(&cause)))
            }
            other => Self::Source(other),
        }
    }
}

pub(super) async fn describe(
    connection: &Connection,
    endpoint: &EndpointSpec,
) -> Result<Description, Misfit> {
    let prepare = async |sql: &str| {
        let preparing = connection.client().prepare(sql);
        connection.answer(&endpoint.path, preparing).await
    };
    let prepared = prepare(&sql::shape(&endpoint.content)).await?;
    let columns = prepared.columns().iter();
    let columns = Columns::new(columns.map(|column| (column.name(), column.type_())));
    if let Some(name) = columns.repeated() {
        return Err(Misfit::Endpoint(format!(
            "two of its columns are called {name}: tell them apart with AS"
        )));
    }
    let mut table = None;
    let (key_type, read) = match &endpoint.content {
        Content::Table { name, .. } => {
            let key = &endpoint.key;
            let select = format!("SELECT {} FROM {}", sql::identifier(key), sql::table(name));
            let keyed = prepare(&select).await?;
            let column = keyed.columns().first().map(|column| column.type_().clone());
            table = Some(look_at(connection, name, key).await?);
            (column, sql::read_many(name, key, &columns))
        }
        Content::Query(query) => match prepared.params() {
            [parameter] => (Some(parameter.clone()), sql::read_one(query, &columns)),
            others => {
                let count = others.len();
                return Err(Misfit::Endpoint(format!(
                    "the query has {count} parameters; it takes the key as $1 and nothing else"
                )));
            }
        },
    };
    let key_type = key_type.map_or(Type::UNKNOWN, base);
    let key = KeyKind::of(&key_type).ok_or_else(|| {
        Misfit::Endpoint(format!(
            "its key is of type {key_type}; a key can be an integer, a uuid or a text"
        ))
    })?;
    let (table, advice) = table.map_or((None, None), |(table, advice)| (Some(table), advice));
    Ok(Description {
        key,
        columns,
        advice,
        table,
        read,
    })
}

/// A table's name with its schema, and what speaks against reading it by this key.
async fn look_at(
    connection: &Connection,
    name: &str,
    key: &str,
) -> Result<(String, Option<String>), Misfit> {
    const SQL: &str = "SELECT format('%I.%I', n.nspname, c.relname), c.relkind IN ('r', 'p') \
             AND NOT EXISTS ( \
                 SELECT FROM pg_index AS i JOIN pg_attribute AS a \
                     ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
                 WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid \
                     AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = $2) \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.oid = to_regclass($1)";
    let quoted = sql::table(name);
    let looking = async { connection.client().query_one(SQL, &[&quoted, &key]).await };
    let row = connection.answer(name, looking).await?;
    let advice = row.get::<_, bool>(1).then(|| {
        format!(
            "column {key} of {name} has no unique index of its own: of several rows with one key \
             any is served, and without any index every read looks through the table"
        )
    });
    Ok((row.get(0), advice))
}

/// What a domain is made of.
fn base(column: Type) -> Type {
    match column.kind() {
        Kind::Domain(inner) => base(inner.clone()),
        _ => column,
    }
}

fn said(cause: &tokio_postgres::Error) -> String {
    cause
        .as_db_error()
        .map_or_else(|| cause.to_string(), |error| error.message().to_owned())
}
