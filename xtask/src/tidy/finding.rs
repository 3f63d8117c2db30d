//! What a check has to say: where, which rule, and what to do about it.

use std::fmt;

/// One broken rule. Sorts by place, so that a report reads like a walk through the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the workspace root, with forward slashes.
    pub(crate) path: String,
    /// Counted from 1; absent when the finding is about the whole file.
    pub(crate) line: Option<usize>,
    /// The rule's short name.
    pub(crate) rule: &'static str,
    /// What is wrong and what to do.
    pub(crate) remedy: String,
}

impl Finding {
    /// A finding about a whole file.
    pub(crate) fn file(path: &str, rule: &'static str, remedy: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            rule,
            remedy: remedy.into(),
        }
    }

    /// A finding about one line, counted from 1.
    pub(crate) fn line(
        path: &str,
        line: usize,
        rule: &'static str,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            line: Some(line),
            ..Self::file(path, rule, remedy)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": [{}] {}", self.rule, self.remedy)
    }
}
