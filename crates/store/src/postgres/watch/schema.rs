//! Whether the database has the schema that this program was made for, in the version that it knows.

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// Versions of the schemas that a database has, by their names.
pub(super) type Versions = BTreeMap<String, u32>;

const READABLE: Statement = Statement::new(
    "look for schema versions",
    "SELECT 1 WHERE has_table_privilege(to_regclass('schema_version'), 'SELECT')",
);
const VERSIONS: Statement = Statement::new(
    "read schema versions",
    "SELECT schema, version FROM schema_version",
);

/// None when there are none, or when our role may not read them.
pub(super) async fn read(session: &Session) -> Result<Versions> {
    if session.first(&READABLE, &[]).await?.is_none() {
        return Ok(Versions::new());
    }
    let rows = session.all(&VERSIONS, &[]).await?;
    rows.iter()
        .map(|row| {
            let version: i32 = get(row, "version")?;
            Ok((get(row, "schema")?, u32::try_from(version).unwrap_or(0)))
        })
        .collect()
}

/// `wanted` is the schema that belongs here, in the version that this program knows.
pub(super) fn judge(found: &Versions, wanted: (&str, u32)) -> Finding {
    const NAME: &str = "schema";
    let (schema, known) = wanted;
    let migrate = "run 'corkboard migrate'";
    match found.get(schema) {
        Some(version) if *version == known => Finding::ok(NAME, format!("{schema} {version}")),
        Some(version) if *version < known => Finding::fail(
            NAME,
            format!("{schema} has version {version}, this program needs {known}"),
            migrate,
        ),
        Some(version) => Finding::fail(
            NAME,
            format!("{schema} has version {version}, this program knows {known} only"),
            "use the newer program that migrated it",
        ),
        None if found.is_empty() => {
            Finding::fail(NAME, format!("there is no schema {schema}"), migrate)
        }
        None => {
            let others: Vec<&str> = found.keys().map(String::as_str).collect();
            Finding::fail(
                NAME,
                format!("no schema {schema}, but {}", others.join(", ")),
                "check the URL: is it that of another of our databases? Otherwise run 'corkboard \
                 migrate'",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::watch::Severity;

    #[test]
    fn another_database_of_ours_is_named_as_such() {
        let found = Versions::from([("cards".to_owned(), 1)]);
        let finding = judge(&found, ("control", 1));
        assert_eq!(finding.severity, Severity::Fail);
        assert!(finding.what.contains("but cards"), "{finding:?}");
        assert!(finding.remedy.starts_with("check the URL"), "{finding:?}");
    }

    #[test]
    fn older_and_newer_schemas_need_different_things() {
        let found = Versions::from([("cards".to_owned(), 2)]);
        assert_eq!(judge(&found, ("cards", 2)).severity, Severity::Ok);
        assert!(judge(&found, ("cards", 3)).remedy.contains("migrate"));
        assert!(judge(&found, ("cards", 1)).remedy.contains("newer program"));
        assert!(
            judge(&Versions::new(), ("cards", 1))
                .remedy
                .contains("migrate")
        );
    }
}
