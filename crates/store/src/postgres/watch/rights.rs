//! Whether our role may do what the keeper and the migrations do, and sees what this watch needs.

use super::finding::{Finding, or_ok, some_of};
use super::only;
use crate::error::Result;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

/// What our role may do in the schema that its tables are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    pub role: String,
    /// `None` when no schema of the search path exists or may be used.
    pub schema: Option<String>,
    pub may_create: bool,
    /// Whether transactions of other roles are visible.
    pub sees_all: bool,
    /// Tables of ours that another role owns: they can be neither altered nor dropped by us.
    pub not_owned: Vec<String>,
}

const RIGHTS: Statement = Statement::new(
    "read our rights",
    "SELECT current_user::text AS role, current_schema()::text AS schema,
            coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
            pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') AS sees_all,
            ARRAY(SELECT relname::text FROM pg_class
                  WHERE relnamespace = to_regnamespace(quote_ident(current_schema()))
                    AND (relkind = 'p' OR relispartition OR relname = 'schema_version')
                    AND relkind IN ('r', 'p')
                    AND NOT pg_has_role(relowner, 'USAGE')
                  ORDER BY relname LIMIT 50) AS not_owned",
);

impl Rights {
    pub(super) async fn read(session: &Session) -> Result<Self> {
        let row = only(session, &RIGHTS).await?;
        Ok(Self {
            role: get(&row, "role")?,
            schema: get(&row, "schema")?,
            may_create: get(&row, "may_create")?,
            sees_all: get(&row, "sees_all")?,
            not_owned: get(&row, "not_owned")?,
        })
    }

    pub(super) fn judge(&self) -> Vec<Finding> {
        const NAME: &str = "rights";
        let role = &self.role;
        let mut wrong = Vec::new();
        match &self.schema {
            None => wrong.push(Finding::fail(
                NAME,
                format!("role {role} may use no schema of its search_path"),
                format!("GRANT USAGE, CREATE ON SCHEMA … TO {role}, or set its search_path"),
            )),
            Some(schema) if !self.may_create => wrong.push(Finding::fail(
                NAME,
                format!("role {role} may not create tables in schema {schema}"),
                format!("GRANT CREATE ON SCHEMA {schema} TO {role}: cohorts are tables"),
            )),
            Some(_) => {}
        }
        if !self.not_owned.is_empty() {
            wrong.push(Finding::fail(
                NAME,
                format!("role {role} does not own {}", some_of(&self.not_owned)),
                format!("ALTER TABLE … OWNER TO {role}, or GRANT the owner's role to it"),
            ));
        }
        if !self.sees_all {
            wrong.push(Finding::warn(
                NAME,
                format!("role {role} does not see how long transactions of other roles are open"),
                format!("GRANT pg_monitor TO {role}"),
            ));
        }
        or_ok(wrong, || {
            Finding::ok(
                NAME,
                format!("role {role} may create, alter and drop its tables"),
            )
        })
    }
}
