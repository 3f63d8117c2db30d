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
    /// Reads rows: many by an array for a table, one for a query.
    pub(crate) read: String,
}

pub(super) async fn describe(
    connection: &Connection,
    endpoint: &EndpointSpec,
) -> Result<Description, SourceError> {
    let problem = |problem: String| SourceError::Endpoint {
        path: endpoint.path.clone(),
        problem,
    };
    let shape = sql::shape(&endpoint.content);
    let prepared = connection
        .answer(&endpoint.path, connection.client().prepare(&shape))
        .await
        .map_err(|error| match error {
            SourceError::Refused { cause, .. } => {
                problem(format!("the source says: {}", said(&cause)))
            }
            other => other,
        })?;
    let columns = Columns::new(
        prepared
            .columns()
            .iter()
            .map(|column| (column.name(), column.type_())),
    );
    let (key_type, read) = match &endpoint.content {
        Content::Table { name, .. } => {
            let key = &endpoint.key;
            let select = format!("SELECT {} FROM {}", sql::identifier(key), sql::table(name));
            let keyed = connection
                .answer(&endpoint.path, connection.client().prepare(&select))
                .await
                .map_err(|error| match error {
                    SourceError::Refused { cause, .. } => {
                        problem(format!("no key column {key}: {}", said(&cause)))
                    }
                    other => other,
                })?;
            let column = keyed.columns().first().map(|column| column.type_().clone());
            (column, sql::read_many(name, key, &columns))
        }
        Content::Query(query) => match prepared.params() {
            [parameter] => (Some(parameter.clone()), sql::read_one(query, &columns)),
            others => {
                let count = others.len();
                return Err(problem(format!(
                    "the query has {count} parameters; it takes the key as $1 and nothing else"
                )));
            }
        },
    };
    let key_type = key_type.map_or(Type::UNKNOWN, base);
    let key = KeyKind::of(&key_type).ok_or_else(|| {
        problem(format!(
            "its key is of type {key_type}; a key can be an integer, a uuid or a text"
        ))
    })?;
    Ok(Description { key, columns, read })
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
