//! What holds several values: lists, tables, lists of tables.

use std::collections::BTreeMap;

use super::Section;
use super::shown::shown;
use crate::problem::{Problem, Source};
use crate::tree::{Node, Table, Value};

impl Section<'_> {
    /// A list, each item read by `item`, which says what is wrong with it.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        item: impl Fn(&Value) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = self.take(key) else {
            self.missing(key);
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.expected(key, &format!("a list of {wanted}"), node);
            return Vec::new();
        };
        let mut read = Vec::with_capacity(items.len());
        for (number, node) in items.iter().enumerate() {
            match item(&node.value) {
                Some(value) => read.push(value),
                None => {
                    let shown = match &node.value {
                        Value::Text(text) => shown(text),
                        Value::Integer(number) => number.to_string(),
                        other => other.kind().to_owned(),
                    };
                    self.problems.push(Problem {
                        key: format!("{}[{number}]", self.key_of(key)),
                        message: format!("{shown} does not fit a list of {wanted}"),
                        source: node.source.clone(),
                    });
                }
            }
        }
        read
    }

    /// A table below this one; an absent one reads as empty.
    pub(crate) fn section<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> T {
        static EMPTY: Table = BTreeMap::new();
        let path = self.key_of(key);
        let node = self.take(key);
        if let Some(Node {
            value: Value::Table(table),
            source,
            ..
        }) = node
        {
            return Section::root(table, self.problems).run(path, source.clone(), read);
        }
        let Some(node) = node else {
            let source = self.source.clone();
            return Section::root(&EMPTY, self.problems).run(path, source, read);
        };
        self.expected(key, "a table", node);
        // Its keys cannot be judged; they would only be reported as missing.
        Section::root(&EMPTY, &mut Vec::new()).run(path, Source::Default, read)
    }

    /// A list of tables, `[[section.key]]`; absent means none.
    pub(crate) fn sections<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Section<'_>) -> T,
    ) -> Vec<T> {
        let Some(node) = self.take(key) else {
            return Vec::new();
        };
        let path = self.key_of(key);
        let Value::List(items) = &node.value else {
            self.expected(key, &format!("tables written as [[{path}]]"), node);
            return Vec::new();
        };
        let mut all = Vec::with_capacity(items.len());
        for (number, node) in items.iter().enumerate() {
            let Value::Table(table) = &node.value else {
                self.expected(key, &format!("tables written as [[{path}]]"), node);
                continue;
            };
            let section = Section::root(table, self.problems);
            all.push(section.run(format!("{path}[{number}]"), node.source.clone(), &mut read));
        }
        all
    }
}
