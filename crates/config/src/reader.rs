//! Typed reading of a table: every value that does not fit becomes a problem and reading goes on.
//!
//! A method that finds a problem returns some value of the right type, which nobody will see: with
//! a problem there is no configuration.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::problem::{Problem, Source};
use crate::tree::{Node, Table, Value};
use crate::url::ServiceUrl;
use crate::{duration, size};

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
/// Longer values are cut in messages.
const SHOWN_CHARS: usize = 60;

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

    pub(crate) fn optional_text(&mut self, key: &'static str) -> Option<String> {
        let node = self.take(key)?;
        match (&node.value, &node.raw) {
            (Value::Text(text), _) => return Some(text.clone()),
            // From a variable or flag: whoever wants text gets it as it was written.
            (Value::Integer(_) | Value::Boolean | Value::Other(_), Some(raw)) => {
                return Some(raw.to_string());
            }
            _ => self.expected(key, "text", node),
        }
        None
    }

    /// Text that must be there and not empty.
    pub(crate) fn text(&mut self, key: &'static str) -> String {
        let problems = self.problems.len();
        let text = self.optional_text(key);
        if text.as_deref().is_none_or(str::is_empty) && problems == self.problems.len() {
            if text.is_none() {
                self.missing(key);
            } else {
                self.problem(key, "must not be empty");
            }
        }
        text.unwrap_or_default()
    }

    /// One of a few words.
    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let text = self.optional_text(key)?;
        let found = choices
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let names: Vec<_> = choices
                .iter()
                .map(|(name, _)| format!("\"{name}\""))
                .collect();
            let shown = shown(&text);
            self.problem(key, format!("{shown} is not one of {}", names.join(", ")));
        }
        found
    }

    /// A whole number within `range`.
    pub(crate) fn number<N>(&mut self, key: &'static str, range: RangeInclusive<N>) -> N
    where
        N: TryFrom<i64> + PartialOrd + Display + Copy,
    {
        let Some(node) = self.take(key) else {
            self.missing(key);
            return *range.start();
        };
        let Value::Integer(written) = node.value else {
            self.expected(key, "a whole number", node);
            return *range.start();
        };
        match N::try_from(written) {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.problem(key, format!("{written} is not between {low} and {high}"));
                *range.start()
            }
        }
    }

    /// A time such as `"30s"` within `range`.
    pub(crate) fn duration(&mut self, key: &'static str, range: [&str; 2]) -> Duration {
        let read = |text: &str| {
            duration::parse(text).ok_or_else(|| "is not a time such as \"30s\" or \"250ms\"".into())
        };
        self.measure(key, "a time such as \"30s\"", range, |_| None, read)
    }

    /// A size such as `"1MiB"`, or a number of bytes, within `range`.
    pub(crate) fn size(&mut self, key: &'static str, range: [&str; 2]) -> u64 {
        let read = |text: &str| {
            size::parse(text).ok_or_else(|| "is not a size such as \"1MiB\" or \"64KiB\"".into())
        };
        let bytes = |number: i64| u64::try_from(number).ok();
        self.measure(key, "a size such as \"1MiB\"", range, bytes, read)
    }

    fn measure<T: PartialOrd + Copy + Default>(
        &mut self,
        key: &'static str,
        wanted: &str,
        [low, high]: [&str; 2],
        from_number: impl Fn(i64) -> Option<T>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        let Some(node) = self.take(key) else {
            self.missing(key);
            return T::default();
        };
        let (value, shown) = match &node.value {
            Value::Text(text) => (read(text), shown(text)),
            Value::Integer(number) => {
                let value = from_number(*number)
                    .ok_or_else(|| format!("needs a unit: write {wanted} in quotes"));
                (value, number.to_string())
            }
            _ => {
                self.expected(key, wanted, node);
                return T::default();
            }
        };
        let value = match value {
            Ok(value) => value,
            Err(why) => {
                self.problem(key, format!("{shown} {why}"));
                return T::default();
            }
        };
        let (Ok(least), Ok(most)) = (read(low), read(high)) else {
            return value;
        };
        if !(least..=most).contains(&value) {
            self.problem(
                key,
                format!("{shown} is not between \"{low}\" and \"{high}\""),
            );
        }
        value
    }

    /// Text that parses, such as an address; `wanted` says what it should look like.
    pub(crate) fn parsed<T: FromStr>(&mut self, key: &'static str, wanted: &str) -> Option<T> {
        let text = self.text(key);
        let value = text.parse().ok();
        if value.is_none() && !text.is_empty() {
            let shown = shown(&text);
            self.problem(key, format!("{shown} is not {wanted}"));
        }
        value
    }

    /// The URL of a service. What was written is not repeated: it may hold a password.
    pub(crate) fn url(&mut self, key: &'static str, schemes: &[&str]) -> Option<ServiceUrl> {
        let text = self.optional_text(key)?;
        let url = ServiceUrl::parse(&text, schemes);
        if url.is_none() {
            let forms: Vec<_> = schemes
                .iter()
                .map(|scheme| format!("{scheme}://…"))
                .collect();
            self.problem(
                key,
                format!("is not a URL of the form {}", forms.join(" or ")),
            );
        }
        url
    }

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

fn shown(text: &str) -> String {
    // A URL under the wrong key may hold a password as well.
    if text.contains("://") {
        return "what is written (a URL)".to_owned();
    }
    format!("\"{}\"", shown_bare(text))
}

fn shown_bare(text: &str) -> String {
    let mut chars = text.chars();
    let mut shown: String = chars
        .by_ref()
        .take(SHOWN_CHARS)
        .flat_map(char::escape_debug)
        .collect();
    if chars.next().is_some() {
        shown.push('…');
    }
    shown
}
