//! The layers over the defaults: file, environment, flags.

use std::sync::Arc;

use crate::problem::{Problem, Source};
use crate::tree::{self, Node, Table, Value};

/// What every environment variable of ours begins with.
pub const VARIABLE_PREFIX: &str = "CORKBOARD__";

/// No key lies deeper than `section.key`.
const DEEPEST: usize = 2;

/// What the operator gave, from the weakest to the strongest: file < environment < flags.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    file: Option<(String, String)>,
    variables: Vec<(String, String)>,
    flags: Vec<(String, String, String)>,
}

impl Layers {
    /// Nothing but the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A file's text; `name` is only printed.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.file = Some((name.into(), text.into()));
        self
    }

    /// The process's environment as (name, value). Names without [`VARIABLE_PREFIX`] are somebody
    /// else's; an empty value counts as not set.
    #[must_use]
    pub fn environment<N, V>(mut self, variables: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<String>,
        V: Into<String>,
    {
        let ours = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .filter(|(name, value)| name.starts_with(VARIABLE_PREFIX) && !value.is_empty());
        self.variables.extend(ours);
        self
    }

    /// A flag as the user knows it (`--listen`), the key it sets (`listen`, `store.path`), its value.
    #[must_use]
    pub fn flag(
        mut self,
        name: impl Into<String>,
        key: impl Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.flags.push((name.into(), key.into(), value.into()));
        self
    }

    /// All layers over `defaults`.
    pub(crate) fn over(&self, defaults: Table, problems: &mut Vec<Problem>) -> Table {
        let mut tree = defaults;
        if let Some((name, text)) = &self.file {
            tree::merge(&mut tree, tree::from_file(name, text, problems));
        }
        // In the order of names, so that a report does not depend on the process's environment.
        let mut variables: Vec<_> = self.variables.iter().collect();
        variables.sort();
        for (variable, value) in variables {
            let key = variable[VARIABLE_PREFIX.len()..].to_ascii_lowercase();
            let path: Vec<&str> = key.split("__").collect();
            let source = Source::Environment {
                variable: Arc::from(variable.as_str()),
            };
            set(&mut tree, &path, value, &source, problems);
        }
        for (name, key, value) in &self.flags {
            let path: Vec<&str> = key.split('.').collect();
            set(
                &mut tree,
                &path,
                value,
                &Source::Flag {
                    name: name.as_str().into(),
                },
                problems,
            );
        }
        tree
    }
}

fn set(tree: &mut Table, path: &[&str], value: &str, source: &Source, problems: &mut Vec<Problem>) {
    if path.len() > DEEPEST || path.iter().any(|key| key.is_empty()) {
        problems.push(Problem {
            key: String::new(),
            message: format!(
                "not of the form {VARIABLE_PREFIX}KEY or {VARIABLE_PREFIX}SECTION__KEY"
            ),
            source: source.clone(),
        });
        return;
    }
    let mut node = tree::from_text(value, source);
    for (depth, key) in path.iter().enumerate().rev() {
        let table = Table::from([((*key).to_owned(), node)]);
        if depth == 0 {
            tree::merge(tree, table);
            return;
        }
        node = Node {
            value: Value::Table(table),
            source: source.clone(),
            raw: None,
        };
    }
}
