//! The data of a render, parsed once into one arena and shared from then on.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::arena::{Arena, ArenaFull, Entry};
use crate::value::{Seq, Store, Value};

/// Parsed render data: one JSON value. Cloning shares it.
///
/// Maps keep the order of the text they were parsed from. Integers beyond 64 bits keep their digits.
#[derive(Clone)]
pub struct Data {
    pub(crate) arena: Arc<Arena>,
    pub(crate) root: Value,
}

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.arena.bytes())
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            arena: Arc::default(),
            root: Value::Map(Seq::EMPTY),
        }
    }
}

/// The bytes are not JSON, or nest deeper than 128 levels.
#[derive(Debug, thiserror::Error)]
#[error("the data is not valid JSON")]
pub struct DataError(#[from] serde_json::Error);

impl Data {
    /// Parses JSON text. Refuses what nests deeper than 128 levels.
    ///
    /// # Errors
    /// When the text is not one JSON value.
    pub fn from_slice(json: &[u8]) -> Result<Self, DataError> {
        Ok(serde_json::from_slice(json)?)
    }

    /// Copies a value that is parsed already.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Self {
        Self::from_json_with(value, &[])
    }

    /// Like [`Self::from_json`], with members added to the top object unless they are there.
    pub(crate) fn from_json_with(value: &serde_json::Value, extra: &[(&str, i64)]) -> Self {
        let mut arena = Arena::default();
        let root = copy(value, extra, &mut arena).unwrap_or(Value::Nil);
        Self {
            arena: Arc::new(arena),
            root,
        }
    }

    pub(crate) fn from_text(text: &str) -> Self {
        let mut arena = Arena::default();
        let root = arena
            .add_text(Store::DATA, text)
            .map_or(Value::Nil, Value::Text);
        Self {
            arena: Arc::new(arena),
            root,
        }
    }
}

/// A list or an object whose members are being copied.
struct Open<'a> {
    rest: Rest<'a>,
    key: Option<&'a str>,
    items: Vec<Value>,
    entries: Vec<Entry>,
}

enum Rest<'a> {
    List(std::slice::Iter<'a, serde_json::Value>),
    Map(serde_json::map::Iter<'a>),
}

/// Without recursion, so that data built by hand may nest as deep as it likes.
fn copy(
    value: &serde_json::Value,
    extra: &[(&str, i64)],
    arena: &mut Arena,
) -> Result<Value, ArenaFull> {
    use serde_json::Value as Json;
    let mut open: Vec<Open<'_>> = Vec::new();
    let mut next = value;
    loop {
        let mut done = match next {
            Json::Null => Value::Nil,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.as_u64()) {
                (Some(n), _) => Value::Int(n),
                (None, Some(n)) => big_integer(arena, n)?,
                (None, None) => Value::Float(n.as_f64().unwrap_or_default()),
            },
            Json::String(s) => Value::Text(arena.add_text(Store::DATA, s)?),
            Json::Array(items) => {
                open.push(Open {
                    rest: Rest::List(items.iter()),
                    key: None,
                    items: Vec::with_capacity(items.len()),
                    entries: Vec::new(),
                });
                Value::Nil
            }
            Json::Object(members) => {
                open.push(Open {
                    rest: Rest::Map(members.iter()),
                    key: None,
                    items: Vec::new(),
                    entries: Vec::with_capacity(members.len()),
                });
                Value::Nil
            }
        };
        let mut has_value = !matches!(next, Json::Array(_) | Json::Object(_));
        loop {
            let Some(top) = open.last_mut() else {
                return Ok(done);
            };
            if has_value {
                match top.key.take() {
                    Some(key) => {
                        let key = arena.add_text(Store::DATA, key)?;
                        top.entries.push(Entry { key, value: done });
                    }
                    None => top.items.push(done),
                }
            }
            let following = match &mut top.rest {
                Rest::List(items) => items.next(),
                Rest::Map(members) => members.next().map(|(key, value)| {
                    top.key = Some(key);
                    value
                }),
            };
            if let Some(following) = following {
                next = following;
                break;
            }
            let outermost = open.len() == 1;
            let Some(mut closed) = open.pop() else {
                return Ok(done);
            };
            done = match closed.rest {
                Rest::List(_) => Value::List(arena.add_list(Store::DATA, &closed.items)?),
                Rest::Map(_) => {
                    for (name, value) in extra.iter().filter(|_| outermost) {
                        let absent = !closed.entries.iter().any(|e| arena.str(e.key) == *name);
                        if absent {
                            let key = arena.add_text(Store::DATA, name)?;
                            closed.entries.push(Entry {
                                key,
                                value: Value::Int(*value),
                            });
                        }
                    }
                    Value::Map(arena.add_map(Store::DATA, &mut closed.entries)?)
                }
            };
            has_value = true;
        }
    }
}

/// Keeps the digits: as text it prints exactly, and arithmetic reads numbers out of text.
fn big_integer(arena: &mut Arena, n: u64) -> Result<Value, ArenaFull> {
    arena.add_text(Store::DATA, &n.to_string()).map(Value::Text)
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut arena = Arena::default();
        let root = Seed(&mut arena).deserialize(deserializer)?;
        Ok(Self {
            arena: Arc::new(arena),
            root,
        })
    }
}

/// Parses one value straight into the arena. Depth is bounded by the JSON parser.
struct Seed<'a>(&'a mut Arena);

fn full<E: serde::de::Error>(_: ArenaFull) -> E {
    E::custom("larger than 4 GiB")
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E: serde::de::Error>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Value, E> {
        i64::try_from(n)
            .map(Value::Int)
            .or_else(|_| big_integer(self.0, n))
            .map_err(full)
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Value, E> {
        Ok(Value::Float(n))
    }

    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<Value, E> {
        self.0
            .add_text(Store::DATA, s)
            .map(Value::Text)
            .map_err(full)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(Seed(self.0))? {
            items.push(item);
        }
        self.0
            .add_list(Store::DATA, &items)
            .map(Value::List)
            .map_err(full)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let key = self.0.add_text(Store::DATA, &key).map_err(full)?;
            let value = map.next_value_seed(Seed(self.0))?;
            entries.push(Entry { key, value });
        }
        self.0
            .add_map(Store::DATA, &mut entries)
            .map(Value::Map)
            .map_err(full)
    }
}
