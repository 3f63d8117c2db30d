//! What filters and operations may touch while rendering: values, memory, fuel and the time.

use std::sync::Arc;

use corkboard_core::time::Timestamp;

use crate::arena::{Arena, ArenaFull};
use crate::error::{TemplateError, codes};
use crate::limits::Limits;
use crate::machine::Values;
use crate::meter::Meter;
use crate::value::{Seq, Store, Text, Value};

#[derive(Debug)]
pub(crate) struct Runtime {
    /// Indexed by [`Store`]; what stands in the heap's place means nothing.
    stores: Vec<Arc<Arena>>,
    heap: Arena,
    /// Reused by every text that is built.
    scratch: String,
    value_bytes: usize,
    /// Bytes kept for the callers of running partials.
    kept: usize,
    pub(crate) meter: Meter,
    pub(crate) now: Timestamp,
}

fn out_of_memory() -> TemplateError {
    TemplateError::new(
        codes::MEMORY_LIMIT,
        "the template computes too much text or too many lists",
    )
}

impl From<ArenaFull> for TemplateError {
    fn from(_: ArenaFull) -> Self {
        out_of_memory()
    }
}

impl Runtime {
    pub(crate) fn new(
        values: Values,
        constants: &Arc<Arena>,
        data: impl Iterator<Item = Arc<Arena>>,
        limits: &Limits,
        now: Timestamp,
    ) -> Self {
        let Values {
            mut stores,
            heap,
            scratch,
        } = values;
        stores.push(Arc::clone(constants));
        // The heap's place is never looked at.
        stores.push(Arc::clone(constants));
        stores.extend(data);
        Self {
            stores,
            heap,
            scratch,
            value_bytes: limits.value_bytes,
            kept: 0,
            meter: Meter::new(limits),
            now,
        }
    }

    /// What the next render can work in.
    pub(crate) fn into_values(self) -> Values {
        Values {
            stores: self.stores,
            heap: self.heap,
            scratch: self.scratch,
        }
    }

    /// Adds a finished arena, such as a fetched document.
    pub(crate) fn add_store(&mut self, arena: Arc<Arena>) -> Result<Store, TemplateError> {
        let store = Store(u32::try_from(self.stores.len()).map_err(|_| out_of_memory())?);
        self.stores.push(arena);
        Ok(store)
    }

    #[inline]
    pub(crate) fn arena(&self, store: Store) -> &Arena {
        if store == Store::HEAP {
            &self.heap
        } else {
            // Stores are only ever added, so a coordinate made by this runtime is in range.
            self.stores
                .get(store.0 as usize)
                .map_or(&self.heap, |arena| arena)
        }
    }

    #[inline]
    pub(crate) fn str(&self, text: Text) -> &str {
        self.arena(text.store).str(text)
    }

    /// Item `index` of a list.
    pub(crate) fn item(&self, seq: Seq, index: usize) -> Option<Value> {
        let value = self.arena(seq.store).list(seq).get(index)?;
        Some(seen(value, seq.store))
    }

    /// Key and value number `index` of a map.
    pub(crate) fn entry(&self, seq: Seq, index: usize) -> Option<(Text, Value)> {
        let entry = self.arena(seq.store).map(seq).get(index)?;
        Some((
            Text {
                store: seq.store,
                ..entry.key
            },
            seen(&entry.value, seq.store),
        ))
    }

    /// The value under `key` of a map.
    pub(crate) fn get(&self, seq: Seq, key: &str) -> Option<Value> {
        let value = self.arena(seq.store).get(seq, key)?;
        Some(seen(&value, seq.store))
    }

    /// The value under a key whose hash is known.
    #[inline]
    pub(crate) fn get_hashed(&self, seq: Seq, key: Text, hash: u32) -> Option<Value> {
        let value = self.arena(seq.store).find(seq, self.str(key), hash)?;
        Some(seen(value, seq.store))
    }

    /// First and last number of a range.
    pub(crate) fn range(&self, index: u32) -> (i64, i64) {
        self.heap
            .ranges
            .get(index as usize)
            .copied()
            .unwrap_or((1, 0))
    }

    /// How many numbers a range has.
    pub(crate) fn range_len(&self, index: u32) -> u64 {
        let (from, to) = self.range(index);
        if to < from {
            0
        } else {
            to.abs_diff(from).saturating_add(1)
        }
    }

    fn in_use(&self) -> usize {
        self.heap.bytes().saturating_add(self.kept)
    }

    /// Counts memory beside the heap against the limit, until it is released.
    pub(crate) fn keep(&mut self, bytes: usize) -> Result<(), TemplateError> {
        self.reserve(bytes)?;
        self.kept += bytes;
        Ok(())
    }

    pub(crate) fn release(&mut self, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
    }

    fn reserve(&self, more: usize) -> Result<(), TemplateError> {
        if self.in_use().saturating_add(more) > self.value_bytes {
            return Err(out_of_memory());
        }
        Ok(())
    }

    /// Stores a text on the heap.
    pub(crate) fn new_text(&mut self, text: &str) -> Result<Value, TemplateError> {
        self.reserve(text.len())?;
        Ok(Value::Text(self.heap.add_text(Store::HEAP, text)?))
    }

    pub(crate) fn new_list(&mut self, items: &[Value]) -> Result<Value, TemplateError> {
        self.reserve(size_of_val(items))?;
        self.meter.charge(items.len() as u64)?;
        Ok(Value::List(self.heap.add_list(Store::HEAP, items)?))
    }

    /// Bytes of values that may still be computed.
    pub(crate) fn room(&self) -> usize {
        self.value_bytes.saturating_sub(self.in_use())
    }

    /// How many items a new list may have.
    pub(crate) fn room_for_items(&self) -> usize {
        self.room() / size_of::<Value>()
    }

    /// Stores the two-item list that a map yields when it is iterated.
    pub(crate) fn new_pair(&mut self, key: Text, value: Value) -> Result<Value, TemplateError> {
        self.new_list(&[Value::Text(key), value])
    }

    pub(crate) fn new_range(&mut self, from: i64, to: i64) -> Result<Value, TemplateError> {
        self.reserve(size_of::<(i64, i64)>())?;
        Ok(self.heap.add_range(from, to)?)
    }

    /// Builds a text out of readable values and stores it. What is written is bounded while it is
    /// being written, so that no filter can outgrow the limit in one go.
    pub(crate) fn build(
        &mut self,
        write: impl FnOnce(&Self, &mut Sink<'_>) -> Result<(), TemplateError>,
    ) -> Result<Value, TemplateError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let room = self.value_bytes.saturating_sub(self.in_use());
        let mut sink = Sink {
            out: &mut scratch,
            room,
        };
        let outcome = write(self, &mut sink);
        let value = outcome.and_then(|()| {
            self.meter.charge_bytes(scratch.len())?;
            self.new_text(&scratch)
        });
        self.scratch = scratch;
        value
    }
}

#[inline]
fn seen(value: &Value, store: Store) -> Value {
    if store.is_absolute() {
        *value
    } else {
        value.seen_from(store)
    }
}

/// Text being built, with a bound.
#[derive(Debug)]
pub(crate) struct Sink<'a> {
    out: &'a mut String,
    room: usize,
}

impl Sink<'_> {
    pub(crate) fn push_str(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.out.len().saturating_add(text.len()) > self.room {
            return Err(out_of_memory());
        }
        self.out.push_str(text);
        Ok(())
    }

    /// Adds a text that is changed in place.
    pub(crate) fn push_changed(
        &mut self,
        text: &str,
        change: fn(&mut str),
    ) -> Result<(), TemplateError> {
        let start = self.out.len();
        self.push_str(text)?;
        if let Some(added) = self.out.get_mut(start..) {
            change(added);
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, c: char) -> Result<(), TemplateError> {
        self.push_str(c.encode_utf8(&mut [0; 4]))
    }
}

/// Anything that values are printed to: a text being built, or the output.
pub(crate) trait Print {
    fn print(&mut self, text: &str) -> Result<(), TemplateError>;
}

impl Print for Sink<'_> {
    fn print(&mut self, text: &str) -> Result<(), TemplateError> {
        self.push_str(text)
    }
}

/// Rendered output with its bound.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) text: String,
    pub(crate) limit: usize,
}

impl Print for Output {
    #[inline]
    fn print(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.text.len().saturating_add(text.len()) > self.limit {
            return Err(TemplateError::new(
                codes::OUTPUT_TOO_LARGE,
                format!("the output is longer than {} bytes", self.limit),
            ));
        }
        self.text.push_str(text);
        Ok(())
    }
}
