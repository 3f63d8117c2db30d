//! A statement and its name.

/// One SQL statement. Errors, `EXPLAIN` and the plan guard know it by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Statement {
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

impl Statement {
    pub(super) const fn new(name: &'static str, sql: &'static str) -> Self {
        Self { name, sql }
    }
}
