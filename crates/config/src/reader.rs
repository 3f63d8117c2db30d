//! Typed reading of a table: every value that does not fit becomes a problem and reading goes on.
//!
//! A method that finds a problem returns some value of the right type, which nobody will see: with
//! a problem there is no configuration. What is asked for is noted, so that the rest is unknown.

mod nested;
mod shown;
mod values;

use crate::problem::{Problem, Source};
use crate::tree::{Node, Table};
use shown::shown_bare;

/// One table being read.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    path: String,
    table: &'a Table,
    source: Source,
    known: Vec<&'static str>,
    problems: &'a mut Vec<Problem>,
}

/// Names nearer than this are suggested (Jaro-Winkler).
const NEAR: f64 = 0.84;

impl<'a> Section<'a> {
    pub(crate) fn root(table: &'a Table, problems: &'a mut Vec<Problem>) -> Self {
        Self {
            path: String::new(),
            table,
            source: Source::Default,
            known: Vec::new(),
            problems,
        }
    }

    fn key_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        self.table.get(key)
    }

    /// A problem with what was written for `key`.
    pub(crate) fn problem(&mut self, key: &str, message: impl Into<String>) {
        let source = self
            .table
            .get(key)
            .map_or(&self.source, |node| &node.source)
            .clone();
        self.problems.push(Problem {
            key: self.key_of(key),
            message: message.into(),
            source,
        });
    }

    fn expected(&mut self, key: &str, wanted: &str, node: &Node) {
        self.problem(key, format!("expected {wanted}, got {}", node.value.kind()));
    }

    fn missing(&mut self, key: &str) {
        self.problem(key, "is required");
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn run<T>(mut self, path: String, source: Source, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path = path;
        self.source = source;
        let value = read(&mut self);
        self.finish();
        value
    }

    /// Everything that was not asked for is unknown.
    pub(crate) fn finish(&mut self) {
        for (key, node) in self.table {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let near = |name: &&&str| strsim::jaro_winkler(name, key);
            let nearest = self.known.iter().max_by(|a, b| near(a).total_cmp(&near(b)));
            let message = match nearest {
                Some(name) if near(&name) >= NEAR => {
                    format!("unknown key; did you mean \"{name}\"?")
                }
                _ => "unknown key; see 'corkboard config default' for all keys".to_owned(),
            };
            let key = self.key_of(&shown_bare(key));
            self.problems.push(Problem {
                key,
                message,
                source: node.source.clone(),
            });
        }
    }
}
