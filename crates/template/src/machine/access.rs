//! Reading variables: roots, path segments, and the rules of the marketing dialect.

use super::Machine;
use crate::error::TemplateError;
use crate::op::{Root, Segment, Special};
use crate::program::Program;
use crate::runtime::Runtime;
use crate::value::{Text, Value};

impl Machine {
    /// The commonest case of [`Self::load`]: members of objects, by name, of a variable that is known
    /// already. None: something else.
    #[inline]
    pub(super) fn load_plain(&self, program: &Program, path: u32) -> Option<Value> {
        let path = program.paths.get(path as usize)?;
        let Root::Slot(slot) = path.root else {
            return None;
        };
        let place = self.slots.get(slot as usize)?;
        // A reference goes from member to member; only what is found at the end is copied.
        let mut found = place.value()?;
        let mut inside = None;
        for segment in program.segments.get(path.from as usize..path.to as usize)? {
            let (Segment::Name { name, hash, .. }, Value::Map(seq)) = (segment, found) else {
                return None;
            };
            let store = inside.unwrap_or(seq.store);
            let arena = self.rt.arena(store);
            found = arena.find(*seq, self.rt.str(*name), *hash)?;
            inside = (!store.is_absolute()).then_some(store);
        }
        Some(inside.map_or(*found, |store| found.seen_from(store)))
    }

    pub(super) fn load(&mut self, program: &Program, path: u32) -> Result<Value, TemplateError> {
        let Some(path) = program.paths.get(path as usize) else {
            return Ok(Value::Nil);
        };
        let segments = program.segments.get(path.from as usize..path.to as usize);
        let segments = segments.unwrap_or_default();
        let start = match path.root {
            Root::Slot(slot) => {
                if let Some(Segment::Name {
                    special: Special::Status,
                    ..
                }) = segments.first()
                    && let Some((_, status)) = self.statuses.iter().find(|(s, _)| *s == slot)
                {
                    return Ok(Value::Int((*status).into()));
                }
                self.variable(slot)
            }
            Root::Bare {
                user,
                slot,
                name,
                hash,
            } => match self.variable(user) {
                Value::Map(seq) => match self.rt.get_hashed(seq, name, hash) {
                    Some(value) => value,
                    None => self.variable(slot),
                },
                _ => self.variable(slot),
            },
            Root::CustomAttribute { slot, user } => match self.variable(slot) {
                Value::Nil => self.variable(user),
                value => value,
            },
        };
        if segments.is_empty() {
            Ok(start)
        } else {
            self.follow(start, segments)
        }
    }

    pub(super) fn variable(&mut self, slot: u32) -> Value {
        match self.slots.get(slot as usize) {
            Some(place) => match place.value() {
                Some(value) => *value,
                None => self.global(slot),
            },
            None => Value::Nil,
        }
    }

    /// Computed keys may be long, and are compared with many.
    pub(super) fn charge_key(&self, key: Value) -> Result<(), TemplateError> {
        match key {
            Value::Text(text) => self.rt.meter.charge_bytes(16 * text.len as usize),
            _ => Ok(()),
        }
    }

    /// `{{ [name] }}`: a variable whose name is computed.
    pub(super) fn load_named(&mut self, name: Value) -> Value {
        let Value::Text(name) = name else {
            return Value::Nil;
        };
        // Every name is looked at.
        let names = self.program.names.len() as u64;
        if self.rt.meter.charge(names / 16).is_err() {
            return Value::Nil;
        }
        let name = self.rt.str(name);
        let slot = self
            .program
            .names
            .iter()
            .position(|n| self.program.arena.str(*n) == name);
        match slot.and_then(|slot| u32::try_from(slot).ok()) {
            Some(slot) => self.variable(slot),
            None => self.scope.lookup(name).unwrap_or(Value::Nil),
        }
    }

    /// Walks constant path segments.
    pub(super) fn follow(
        &mut self,
        start: Value,
        segments: &[Segment],
    ) -> Result<Value, TemplateError> {
        let mut value = start;
        for segment in segments {
            value = match *segment {
                Segment::Key { name, hash } => {
                    let member = self.rt.hashed_member(value, name, hash);
                    member.unwrap_or(Value::Nil)
                }
                Segment::Index(index) => self.rt.member(value, Value::Int(index)),
                Segment::Name {
                    name,
                    hash,
                    special,
                } => match value {
                    Value::Loop(running) => self.loop_property(running, name),
                    _ => match self.rt.hashed_member(value, name, hash) {
                        Some(value) => value,
                        None => self.rt.special(value, special)?,
                    },
                },
            };
        }
        Ok(value)
    }
}

impl Runtime {
    #[inline]
    fn hashed_member(&self, container: Value, name: Text, hash: u32) -> Option<Value> {
        match container {
            Value::Map(seq) => self.get_hashed(seq, name, hash),
            _ => None,
        }
    }

    fn named_member(&self, container: Value, name: Text) -> Option<Value> {
        match container {
            Value::Map(seq) => self.get(seq, self.str(name)),
            _ => None,
        }
    }

    /// `container[key]`.
    pub(crate) fn member(&self, container: Value, key: Value) -> Value {
        match (container, key) {
            (Value::Map(_), Value::Text(name)) => {
                self.named_member(container, name).unwrap_or(Value::Nil)
            }
            (Value::List(seq), Value::Int(index)) => {
                let place = if index < 0 {
                    index.saturating_add(seq.len.into())
                } else {
                    index
                };
                usize::try_from(place)
                    .ok()
                    .and_then(|at| self.item(seq, at))
                    .unwrap_or(Value::Nil)
            }
            _ => Value::Nil,
        }
    }

    /// `size`, `first` and `last` of what has them.
    pub(crate) fn special(
        &mut self,
        value: Value,
        special: Special,
    ) -> Result<Value, TemplateError> {
        match special {
            // An integer has the size of its representation, as Liquid has it.
            Special::Size if matches!(value, Value::Int(_)) => Ok(Value::Int(8)),
            Special::Size => Ok(self.size(value)?.map_or(Value::Nil, Value::Int)),
            Special::First => self.first(value),
            Special::Last => Ok(self.last(value)),
            Special::None | Special::Status => Ok(Value::Nil),
        }
    }

    /// Characters of a text, items of a list, entries of a map.
    pub(crate) fn size(&self, value: Value) -> Result<Option<i64>, TemplateError> {
        Ok(match value {
            Value::Text(text) => {
                self.meter.charge_bytes(text.len as usize)?;
                i64::try_from(self.str(text).chars().count()).ok()
            }
            Value::List(seq) | Value::Map(seq) => Some(seq.len.into()),
            Value::Range(index) => i64::try_from(self.range_len(index)).ok(),
            _ => None,
        })
    }

    pub(crate) fn first(&mut self, value: Value) -> Result<Value, TemplateError> {
        match value {
            Value::List(seq) => Ok(self.item(seq, 0).unwrap_or(Value::Nil)),
            Value::Map(seq) => match self.entry(seq, 0) {
                Some((key, value)) => self.new_pair(key, value),
                None => Ok(Value::Nil),
            },
            Value::Range(index) => Ok(Value::Int(self.range(index).0)),
            Value::Text(text) if text.len > 0 => {
                let len = self.str(text).chars().next().map_or(0, char::len_utf8);
                Ok(Value::Text(Text {
                    len: u32::try_from(len).unwrap_or(0),
                    ..text
                }))
            }
            _ => Ok(Value::Nil),
        }
    }

    pub(crate) fn last(&self, value: Value) -> Value {
        match value {
            Value::List(seq) => (seq.len as usize)
                .checked_sub(1)
                .and_then(|at| self.item(seq, at))
                .unwrap_or(Value::Nil),
            Value::Range(index) => Value::Int(self.range(index).1),
            Value::Text(text) if text.len > 0 => {
                let len = self.str(text).chars().next_back().map_or(0, char::len_utf8);
                let len = u32::try_from(len).unwrap_or(0);
                Value::Text(Text {
                    start: text.start + text.len - len,
                    len,
                    ..text
                })
            }
            _ => Value::Nil,
        }
    }
}
