//! Headers that every answer of a kind has.

use http::HeaderName;

use super::reply::{is_sound, line};

/// Headers that are always the same, put into words once.
#[derive(Debug)]
pub struct FixedHeaders(Box<[u8]>);

impl FixedHeaders {
    /// In this order. `None` when one could not stand in an answer.
    #[must_use]
    pub fn new(headers: &[(&str, &str)]) -> Option<Self> {
        let mut lines = Vec::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            if !is_sound(value) {
                return None;
            }
            line(&mut lines, name.as_str(), value.as_bytes());
        }
        Some(Self(lines.into()))
    }

    pub(super) fn lines(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::StatusCode;

    use super::*;
    use crate::lane::reply::{Reply, ReplyHead};

    fn written(headers: impl FnOnce(&mut ReplyHead<'_>)) -> Vec<u8> {
        let (mut out, mut body) = (Vec::new(), Bytes::new());
        let reply = Reply {
            out: &mut out,
            body: &mut body,
            closes: false,
        };
        headers(&mut reply.begin(StatusCode::OK));
        out
    }

    #[test]
    fn they_are_the_lines_that_single_ones_would_be() {
        let all = [("etag", "\"a\""), ("vary", "authorization")];
        let fixed = FixedHeaders::new(&all).unwrap();
        let together = written(|head| {
            head.fixed(&fixed);
        });
        let singly = written(|head| {
            for (name, value) in all {
                head.header(name, value);
            }
        });
        assert_eq!(together, singly);
    }

    #[test]
    fn none_can_add_another() {
        for (name, value) in [("a b", "c"), ("a", "b\r\nc: d"), ("", "a")] {
            assert!(FixedHeaders::new(&[(name, value)]).is_none(), "{name:?}");
        }
    }
}
