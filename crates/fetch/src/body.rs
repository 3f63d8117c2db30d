//! Bytes to what a template can use: JSON where it is JSON, text otherwise.

use std::sync::Arc;

use corkboard_core::connected::FetchBody;
use serde_json::Value;

use crate::problem::Problem;

/// `serde_json` refuses what is nested deeper; its limit is never switched off.
const MAX_JSON_DEPTH: usize = 127;

#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    pub(crate) max_body: usize,
    pub(crate) max_json_values: usize,
}

/// The body of a 2xx as templates see it. The endpoint's `Content-Type` is not asked: endpoints say
/// `text/html` about JSON, and the other way round.
pub(crate) fn interpret(
    status: u16,
    content: &[u8],
    limits: &BodyLimits,
) -> Result<FetchBody, Problem> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    if content.is_empty() {
        return Ok(FetchBody::Empty);
    }
    let shape = Shape::of(content);
    if shape.values > limits.max_json_values {
        return Err(Problem::JsonTooLarge {
            status,
            limit: limits.max_json_values,
        });
    }
    if shape.depth > MAX_JSON_DEPTH {
        return Err(Problem::JsonTooDeep {
            status,
            limit: MAX_JSON_DEPTH,
        });
    }
    Ok(match serde_json::from_slice::<Value>(content) {
        Ok(value) => FetchBody::Json(Arc::new(value)),
        Err(_) => FetchBody::Text(String::from_utf8_lossy(content).into()),
    })
}

/// How large the tree of a JSON text would be, known before any of it is built: a megabyte of
/// `{"":0},` would become a hundred megabytes of tree.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shape {
    /// Upper bound of the number of values.
    values: usize,
    depth: usize,
}

impl Shape {
    fn of(content: &[u8]) -> Self {
        let mut shape = Self::default();
        // Only an object or an array can be large; other texts may have any number of commas.
        if !matches!(content.trim_ascii_start().first(), Some(b'{' | b'[')) {
            return shape;
        }
        shape.values = 1;
        let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
        for byte in content {
            if in_string {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => in_string = true,
                b',' => shape.values += 1,
                b'{' | b'[' => {
                    shape.values += 1;
                    depth += 1;
                    shape.depth = shape.depth.max(depth);
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        shape
    }
}

/// About how much memory a body holds, for the bound of the cache. Counts what is allocated per
/// value, so that an answer of many tiny values is not mistaken for a small one.
pub(crate) fn weight(body: &FetchBody) -> usize {
    /// A node of a `BTreeMap` from `String` to `Value`, shared by at least five entries unless the
    /// map is smaller than that.
    const MAP_NODE: usize = 640;
    const MAP_ENTRY: usize = MAP_NODE / 5;
    match body {
        FetchBody::Empty => 0,
        FetchBody::Text(text) => text.len(),
        FetchBody::Json(root) => {
            let mut total = 0;
            let mut open: Vec<&Value> = vec![root];
            while let Some(value) = open.pop() {
                total += size_of::<Value>();
                match value {
                    Value::String(text) => total += text.capacity(),
                    Value::Array(items) => {
                        total += (items.capacity() - items.len()) * size_of::<Value>();
                        open.extend(items);
                    }
                    Value::Object(map) => {
                        total += MAP_NODE + map.len() * MAP_ENTRY;
                        total += map.keys().map(String::capacity).sum::<usize>();
                        open.extend(map.values());
                    }
                    Value::Null | Value::Bool(_) | Value::Number(_) => {}
                }
            }
            total
        }
    }
}

#[cfg(test)]
mod tests;
