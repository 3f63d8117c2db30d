//! The data of a render, parsed once into one arena and shared from then on.

use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::arena::{Arena, ArenaFull, Entry};
use crate::value::{Seq, Store, Text, Value};

/// Room is made for so many members of a fetched object before they are there.
const MEMBERS_EXPECTED: usize = 64;
/// Bytes of a key with a short value.
const TEXT_OF_A_MEMBER: usize = 32;

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
        // Checked as a whole, texts need not be checked one by one.
        match std::str::from_utf8(json) {
            Ok(text) => whole(serde_json::Deserializer::from_str(text), json.len()),
            Err(_) => whole(serde_json::Deserializer::from_slice(json), json.len()),
        }
    }

    /// Copies a value that is parsed already.
    #[must_use]
    pub fn from_json(value: &serde_json::Value) -> Self {
        Self::from_json_with(value, &[])
    }

    /// Like [`Self::from_json`], with members added to the top object unless they are there.
    pub(crate) fn from_json_with(value: &serde_json::Value, extra: &[(&str, i64)]) -> Self {
        let mut arena = Arena::default();
        // Most of what is fetched is small and flat: room for that is made at once, for more as it comes.
        let members = value.as_object().map_or(0, serde_json::Map::len);
        let members = extra.len() + members.min(MEMBERS_EXPECTED);
        arena.expect(members);
        arena.text.reserve(members.saturating_mul(TEXT_OF_A_MEMBER));
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
    /// Where its members begin among those pending.
    from: usize,
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
    let (mut items, mut entries) = (Vec::new(), Vec::with_capacity(arena.entries.capacity()));
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
            Json::Array(list) => {
                open.push(Open {
                    rest: Rest::List(list.iter()),
                    key: None,
                    from: items.len(),
                });
                Value::Nil
            }
            Json::Object(members) => {
                open.push(Open {
                    rest: Rest::Map(members.iter()),
                    key: None,
                    from: entries.len(),
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
                        entries.push(Entry { key, value: done });
                    }
                    None => items.push(done),
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
            let Some(closed) = open.pop() else {
                return Ok(done);
            };
            done = match closed.rest {
                Rest::List(_) => {
                    let list = items.get(closed.from..).unwrap_or_default();
                    let list = arena.add_list(Store::DATA, list)?;
                    items.truncate(closed.from);
                    Value::List(list)
                }
                Rest::Map(_) => {
                    for (name, value) in extra.iter().filter(|_| outermost) {
                        let members = entries.get(closed.from..).unwrap_or_default();
                        let absent = !members.iter().any(|e| arena.str(e.key) == *name);
                        if absent {
                            let key = arena.add_text(Store::DATA, name)?;
                            entries.push(Entry {
                                key,
                                value: Value::Int(*value),
                            });
                        }
                    }
                    Value::Map(arena.add_map(Store::DATA, &mut entries, closed.from)?)
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
        parse(deserializer, 0)
    }
}

/// Parses one value with nothing behind it.
fn whole<'de, R: serde_json::de::Read<'de>>(
    mut parser: serde_json::Deserializer<R>,
    length: usize,
) -> Result<Data, DataError> {
    let data = parse(&mut parser, length)?;
    parser.end()?;
    Ok(data)
}

/// Parses one value, with room for the texts of a source of that length.
fn parse<'de, D: Deserializer<'de>>(deserializer: D, length: usize) -> Result<Data, D::Error> {
    let mut builder = Builder::default();
    // Texts are at most as long as the source; of members there is about one in sixteen bytes.
    builder.arena.text.reserve_exact(length);
    builder.arena.expect(length / 16);
    builder.entries.reserve((length / 16).min(64));
    builder.items.reserve((length / 50).min(64));
    let root = Seed(&mut builder).deserialize(deserializer)?;
    Ok(Data {
        arena: Arc::new(builder.arena),
        root,
    })
}

/// An arena being filled. Members of lists and objects that are still open wait on two stacks.
#[derive(Default)]
struct Builder {
    arena: Arena,
    items: Vec<Value>,
    entries: Vec<Entry>,
}

/// Parses one value straight into the arena. Depth is bounded by the JSON parser.
struct Seed<'a>(&'a mut Builder);

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
            .or_else(|_| big_integer(&mut self.0.arena, n))
            .map_err(full)
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Value, E> {
        Ok(Value::Float(n))
    }

    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<Value, E> {
        self.0
            .arena
            .add_text(Store::DATA, s)
            .map(Value::Text)
            .map_err(full)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let from = self.0.items.len();
        while let Some(item) = list.next_element_seed(Seed(self.0))? {
            self.0.items.push(item);
        }
        let items = self.0.items.get(from..).unwrap_or_default();
        let list = self.0.arena.add_list(Store::DATA, items).map_err(full)?;
        self.0.items.truncate(from);
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let from = self.0.entries.len();
        while let Some(key) = map.next_key_seed(Key(&mut self.0.arena))? {
            let value = map.next_value_seed(Seed(self.0))?;
            self.0.entries.push(Entry { key, value });
        }
        let builder = self.0;
        builder
            .arena
            .add_map(Store::DATA, &mut builder.entries, from)
            .map(Value::Map)
            .map_err(full)
    }
}

/// A key of an object, put straight into the arena.
struct Key<'a>(&'a mut Arena);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Text;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Text, E> {
        self.0.add_text(Store::DATA, key).map_err(full)
    }
}
