//! An answer as bytes: version, status, time, bytes that arrived, what the body is, the body.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use corkboard_core::connected::FetchBody;
use corkboard_core::time::Timestamp;

use crate::body::{self, BodyLimits};
use crate::call::Answer;
use crate::problem::Problem;

const VERSION: u8 = 1;
/// Bytes in front of the body.
pub(super) const HEAD: usize = 1 + 2 + 8 + 8 + 1;

const EMPTY: u8 = 0;
const TEXT: u8 = 1;
const JSON: u8 = 2;

pub(super) fn write(answer: &Answer, now: Timestamp) -> Bytes {
    let json;
    let (kind, body): (u8, &[u8]) = match &answer.body {
        FetchBody::Empty => (EMPTY, &[]),
        FetchBody::Text(text) => (TEXT, text.as_bytes()),
        FetchBody::Json(value) => {
            json = value.to_string();
            (JSON, json.as_bytes())
        }
    };
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.push(VERSION);
    bytes.extend(answer.status.to_be_bytes());
    bytes.extend(now.as_millis().to_be_bytes());
    bytes.extend(answer.bytes.to_be_bytes());
    bytes.push(kind);
    bytes.extend_from_slice(body);
    bytes.into()
}

/// `None` for what is not, or not any more, an answer that a node would have put there.
pub(super) fn read(bytes: &[u8], limits: &BodyLimits, now: Timestamp) -> Option<Answer> {
    let (head, content) = bytes.split_first_chunk::<HEAD>()?;
    if head[0] != VERSION || content.len() > limits.max_body {
        return None;
    }
    let status = u16::from_be_bytes([head[1], head[2]]);
    let fetched = i64::from_be_bytes(head[3..11].try_into().ok()?);
    let arrived = u64::from_be_bytes(head[11..19].try_into().ok()?);
    let mut answer = match (head[19], status) {
        (TEXT, 200..300) => {
            let text: Arc<str> = std::str::from_utf8(content).ok()?.into();
            Answer::good(status, FetchBody::Text(text), arrived)
        }
        (JSON, 200..300) => {
            let body = body::interpret(status, content, limits).ok()?;
            matches!(body, FetchBody::Json(_)).then(|| Answer::good(status, body, arrived))?
        }
        (EMPTY, 200..300) => Answer::failed(Problem::NoBody(status), arrived),
        (EMPTY, 404 | 410) => Answer::failed(Problem::NotSuccess(status), arrived),
        _ => return None,
    };
    // By this node's clock; that of the other may be a little ahead.
    let age = now.as_millis().saturating_sub(fetched).max(0);
    answer.age = Some(Duration::from_millis(age.unsigned_abs()));
    Some(answer)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        max_body: 1_000,
        max_json_values: 100,
    };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn what_is_written_is_read() {
        let json = FetchBody::Json(Arc::new(json!({"a": [1, 2.5, "é"]})));
        let text = FetchBody::Text("\u{feff}plain".into());
        for (status, body) in [(200, json), (201, text), (204, FetchBody::Empty)] {
            let mut answer = Answer::good(status, body, 7);
            if status == 204 {
                answer = Answer::failed(Problem::NoBody(204), 7);
            }
            let read = read(&write(&answer, at(5_000)), &LIMITS, at(9_000)).unwrap();
            assert_eq!((read.status, read.bytes), (status, 7));
            assert_eq!((read.body, read.problem), (answer.body, answer.problem));
            assert_eq!(read.age, Some(Duration::from_secs(4)));
        }
        let missing = Answer::failed(Problem::NotSuccess(404), 3);
        let read = read(&write(&missing, at(9_000)), &LIMITS, at(5_000)).unwrap();
        assert_eq!((read.status, read.age), (404, Some(Duration::ZERO)));
    }

    #[test]
    fn what_no_node_would_have_written_is_not_read() {
        let good = write(&Answer::good(200, FetchBody::Text("x".into()), 1), at(0));
        let with = |place: usize, byte: u8| {
            let mut bytes = good.to_vec();
            bytes[place] = byte;
            bytes
        };
        let long = [&good[..HEAD], &[b'x'; 1_001]].concat();
        let many = [&with(19, JSON)[..HEAD], b"[", &b"1,".repeat(200), b"1]"].concat();
        let deep = [&with(19, JSON)[..HEAD], &b"[".repeat(500)].concat();
        for wrong in [
            Vec::new(),
            good[..HEAD - 1].to_vec(),
            with(0, 2),
            with(1, 1),
            with(19, 3),
            with(19, JSON),
            with(HEAD, 0xff),
            long,
            many,
            deep,
        ] {
            assert!(read(&wrong, &LIMITS, at(0)).is_none(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind in 0_u8..4) {
            let _ = read(&bytes, &LIMITS, at(0));
            let good = write(&Answer::good(200, FetchBody::Text("x".into()), 1), at(0));
            let mut framed = good[..HEAD].to_vec();
            framed[19] = kind;
            framed.extend(bytes);
            let _ = read(&framed, &LIMITS, at(i64::MAX));
        }
    }
}
