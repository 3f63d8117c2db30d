//! The statements that read rows: the only SQL about an operator's tables.

use crate::endpoint::Content;
use crate::row::{Columns, Form};

/// A name as SQL, whatever is in it.
pub(crate) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `offers` or `shop.offers` as SQL.
pub(crate) fn table(name: &str) -> String {
    name.split('.')
        .map(identifier)
        .collect::<Vec<_>>()
        .join(".")
}

/// What an endpoint selects from, without values; `$1` stands for the key in a query.
pub(crate) fn shape(content: &Content) -> String {
    match content {
        Content::Table { name, columns } if columns.is_empty() => {
            format!("SELECT * FROM {}", table(name))
        }
        Content::Table { name, columns } => {
            let columns: Vec<_> = columns.iter().map(|column| identifier(column)).collect();
            format!("SELECT {} FROM {}", columns.join(", "), table(name))
        }
        // In parentheses of its own, so that an ORDER BY or LIMIT stays where it was meant. The
        // line break ends a comment at its end.
        Content::Query(query) => {
            format!(
                "SELECT * FROM ({}\n) AS corkboard_row LIMIT 1",
                query.trim_end_matches([';', ' ', '\n'])
            )
        }
    }
}

/// Reads one key (`$1`) of a query.
pub(crate) fn read_one(query: &str, columns: &Columns) -> String {
    let query = query.trim_end_matches([';', ' ', '\n']);
    format!(
        "SELECT {} FROM ({query}\n) AS corkboard_row LIMIT 1",
        values(columns)
    )
}

/// Reads many keys (`$1`, an array) of a table: the key as it is printed, then the values.
pub(crate) fn read_many(name: &str, key: &str, columns: &Columns) -> String {
    let (table, key) = (table(name), identifier(key));
    format!(
        "SELECT corkboard_row.{key}::text, {} FROM {table} AS corkboard_row \
         WHERE corkboard_row.{key} = ANY($1)",
        values(columns)
    )
}

/// The keys after `$1` in order, `$2` at most, as they are printed.
pub(crate) fn read_after(name: &str, key: &str) -> String {
    let (table, key) = (table(name), identifier(key));
    format!("SELECT {key}::text FROM {table} WHERE {key} > $1 ORDER BY {table}.{key} LIMIT $2")
}

/// The first keys in order, `$1` at most.
pub(crate) fn read_first(name: &str, key: &str) -> String {
    let (table, key) = (table(name), identifier(key));
    format!(
        "SELECT {key}::text FROM {table} WHERE {key} IS NOT NULL ORDER BY {table}.{key} LIMIT $1"
    )
}

/// Rows of a table (`$1`), as the server guesses; -1 if it was never analysed.
pub(crate) const ESTIMATE: &str =
    "SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass($1)";

/// Every column as text: JSON for what JSON has a form for, else what stands between the quotes
/// (so that times are written as in JSON).
fn values(columns: &Columns) -> String {
    let values = columns.iter().map(|column| {
        let name = identifier(&column.name);
        match column.form {
            Form::Json => format!("to_json(corkboard_row.{name})::text"),
            Form::String => format!("to_json(corkboard_row.{name}) #>> '{{}}'"),
        }
    });
    values.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_postgres::types::Type;

    #[test]
    fn names_are_quoted_whatever_is_in_them() {
        assert_eq!(table("shop.offers"), r#""shop"."offers""#);
        assert_eq!(
            identifier(r#"a"; DROP TABLE x; --"#),
            r#""a""; DROP TABLE x; --""#
        );
    }

    #[test]
    fn a_query_may_end_in_a_semicolon_or_a_comment() {
        let query = "select body from pages where slug = $1 -- the page";
        let columns = Columns::new([("body", &Type::TEXT)]);
        let sql = read_one(query, &columns);
        assert!(sql.contains("-- the page\n) AS corkboard_row"), "{sql}");
        let shape = shape(&Content::Query("select 1; \n".to_owned()));
        assert!(shape.contains("(select 1\n)"), "{shape}");
    }
}
