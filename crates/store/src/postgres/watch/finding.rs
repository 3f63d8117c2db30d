//! What was found out about a database: how bad it is, and what to do about it.

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Works, and is probably not meant or will not last: look at it this week.
    Warn,
    /// Does not work, or soon will not: look at it now.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at; one of a small fixed set, so that it can label a metric.
    pub name: &'static str,
    pub severity: Severity,
    /// What was found, with its figures.
    pub what: String,
    /// What to do; empty when there is nothing to do.
    pub remedy: String,
}

impl Finding {
    pub(super) fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self::new(name, Severity::Ok, what, "")
    }

    pub(super) fn warn(
        name: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(name, Severity::Warn, what, remedy)
    }

    pub(super) fn fail(
        name: &'static str,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(name, Severity::Fail, what, remedy)
    }

    fn new(
        name: &'static str,
        severity: Severity,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            name,
            severity,
            what: what.into(),
            remedy: remedy.into(),
        }
    }
}

/// What is wrong, or else that nothing is.
pub(super) fn or_ok(wrong: Vec<Finding>, ok: impl FnOnce() -> Finding) -> Vec<Finding> {
    if wrong.is_empty() {
        return vec![ok()];
    }
    wrong
}

/// As people read a number of ids: `1.4 M`.
pub(super) fn short(count: u64) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{} k", count / 1_000),
        1_000_000..1_000_000_000 => {
            format!("{}.{} M", count / 1_000_000, count / 100_000 % 10)
        }
        _ => format!("{}.{} G", count / 1_000_000_000, count / 100_000_000 % 10),
    }
}

/// The first names of a list, and how many more there are.
pub(super) fn some_of<T: AsRef<str>>(names: &[T]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<&str> = names.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let shown = shown.join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_in_the_unit_that_people_think_in() {
        let shown: Vec<String> = [0, 9_999, 123_456, 200_000_000, 2_147_483_648]
            .into_iter()
            .map(short)
            .collect();
        assert_eq!(shown, ["0", "9999", "123 k", "200.0 M", "2.1 G"]);
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let names: Vec<String> = (1..=7).map(|n| format!("t{n}")).collect();
        assert_eq!(some_of(&names), "t1, t2, t3, t4, t5 and 2 more");
        assert_eq!(some_of(&["t1"]), "t1");
    }
}
