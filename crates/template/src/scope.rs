//! What names mean at the start of a render: named roots over one object of globals.

use std::borrow::Cow;
use std::sync::Arc;

use corkboard_core::time::Timestamp;

use crate::arena::Arena;
use crate::data::Data;
use crate::value::{Store, Value};

/// The names a template can read, and the time it believes in. Layers are shared, not copied.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    roots: Vec<(Cow<'static, str>, Data)>,
    globals: Vec<Data>,
    pub(crate) now: Timestamp,
}

impl Scope {
    /// No names; the time is the epoch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a root name. A later root of the same name hides the earlier one.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, data: Data) -> Self {
        self.roots.push((name.into(), data));
        self
    }

    /// Makes every member of an object a root name, below the named roots. Of several such objects
    /// the last one wins. Anything but an object adds no name.
    #[must_use]
    pub fn with_globals(mut self, data: Data) -> Self {
        self.globals.push(data);
        self
    }

    /// Sets what `now` means to the `date` filter. The engine never reads a clock.
    #[must_use]
    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The layers in store order: [`Store::DATA`] and up.
    pub(crate) fn arenas(&self) -> impl Iterator<Item = &Arc<Arena>> {
        self.roots
            .iter()
            .map(|(_, data)| &data.arena)
            .chain(self.globals.iter().map(|d| &d.arena))
    }

    /// Resolves a root name.
    pub(crate) fn lookup(&self, name: &str) -> Option<Value> {
        let store = |index: usize| {
            Store(
                Store::DATA
                    .0
                    .saturating_add(u32::try_from(index).unwrap_or(u32::MAX)),
            )
        };
        if let Some(index) = self.roots.iter().rposition(|(root, _)| root == name) {
            return Some(self.roots[index].1.root.seen_from(store(index)));
        }
        self.globals
            .iter()
            .enumerate()
            .rev()
            .find_map(|(index, data)| match data.root {
                Value::Map(seq) => data
                    .arena
                    .get(seq, name)
                    .map(|value| value.seen_from(store(self.roots.len() + index))),
                _ => None,
            })
    }
}
