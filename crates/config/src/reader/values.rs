//! Single values: texts, words, numbers, times, sizes, addresses.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::Section;
use super::shown::shown;
use crate::tree::Value;
use crate::url::ServiceUrl;
use crate::{duration, size};

impl Section<'_> {
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
}
