//! An answer, written straight into the buffer that is sent.

use std::fmt;
use std::io::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode, header};

use super::fixed::FixedHeaders;
use super::{Later, date};

/// Longer bodies are sent from where they lie.
const COPIED: usize = 16 * 1024;

/// Where a [`super::Lane`] writes its answer.
#[derive(Debug)]
pub struct Reply<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) body: &'o mut Bytes,
    /// Whether the connection ends with it.
    pub(super) closes: bool,
}

/// An answer whose status is written.
#[derive(Debug)]
pub struct ReplyHead<'o> {
    reply: Reply<'o>,
    sound: bool,
}

/// What becomes of a request.
pub struct Verdict(pub(super) Next);

pub(super) enum Next {
    Answered,
    Later(Later),
    Service,
    Elsewhere,
}

impl Verdict {
    /// The service must answer it: something has to be waited for, or something is wrong with it.
    pub const SERVICE: Self = Self(Next::Service);
    /// The service must answer it, and hyper the rest of the connection too: the answer may have no
    /// known length.
    pub const ELSEWHERE: Self = Self(Next::Elsewhere);

    /// The answer is not far: see [`Later`].
    #[must_use]
    pub fn later(later: Later) -> Self {
        Self(Next::Later(later))
    }

    /// Whether an answer was written.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        matches!(self.0, Next::Answered)
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Next::Answered => "answered",
            Next::Later(_) => "later",
            Next::Service => "for the service",
            Next::Elsewhere => "for elsewhere",
        })
    }
}

impl<'o> Reply<'o> {
    /// Begins the answer.
    #[must_use]
    pub fn begin(self, status: StatusCode) -> ReplyHead<'o> {
        let out = &mut *self.out;
        match status {
            StatusCode::OK => out.extend_from_slice(b"HTTP/1.1 200 OK\r\n"),
            StatusCode::NOT_MODIFIED => out.extend_from_slice(b"HTTP/1.1 304 Not Modified\r\n"),
            other => status_line(out, other),
        }
        ReplyHead {
            reply: self,
            sound: true,
        }
    }
}

impl Reply<'_> {
    /// A whole answer that was made elsewhere.
    #[must_use]
    pub fn whole(self, response: &Response<Bytes>) -> Verdict {
        let (status, headers, body) = (response.status(), response.headers(), response.body());
        let length = Some(body.len() as u64);
        write_head(self.out, status, headers, length, self.closes);
        if body.len() <= COPIED {
            self.out.extend_from_slice(body);
        } else {
            *self.body = body.clone();
        }
        Verdict(Next::Answered)
    }
}

impl ReplyHead<'_> {
    /// Adds a header. A value that could not stand in one sends the request to the service.
    pub fn header(&mut self, name: &'static str, value: &str) -> &mut Self {
        self.sound &= is_sound(value);
        line(self.reply.out, name, value.as_bytes());
        self
    }

    /// Adds headers that are always the same.
    pub fn fixed(&mut self, headers: &FixedHeaders) -> &mut Self {
        self.reply.out.extend_from_slice(headers.lines());
        self
    }

    /// Adds a header whose value is a number.
    pub fn number(&mut self, name: &'static str, value: u64) -> &mut Self {
        let out = &mut *self.reply.out;
        let _ = write!(out, "{name}: {value}\r\n");
        self
    }

    /// Adds a header whose value is a number behind a word.
    pub fn worded(&mut self, name: &'static str, before: &'static str, value: u64) -> &mut Self {
        let out = &mut *self.reply.out;
        let _ = write!(out, "{name}: {before}{value}\r\n");
        self
    }

    /// Ends the answer with a body.
    pub fn body(&mut self, body: &Bytes) -> Verdict {
        self.number(header::CONTENT_LENGTH.as_str(), body.len() as u64);
        self.end();
        if body.len() <= COPIED {
            self.reply.out.extend_from_slice(body);
        } else {
            *self.reply.body = body.clone();
        }
        self.verdict()
    }

    /// Ends an answer that has no body by its status.
    pub fn nothing(&mut self) -> Verdict {
        self.end();
        self.verdict()
    }

    fn end(&mut self) {
        if self.reply.closes {
            line(self.reply.out, header::CONNECTION.as_str(), b"close");
        }
        let out = &mut *self.reply.out;
        out.extend_from_slice(b"date: ");
        date::write(out);
        out.extend_from_slice(b"\r\n\r\n");
    }

    fn verdict(&self) -> Verdict {
        Verdict(if self.sound {
            Next::Answered
        } else {
            Next::Service
        })
    }
}

/// Whether a value can stand in a header as it is.
pub(super) fn is_sound(value: &str) -> bool {
    let fits = |byte| (b' '..=b'~').contains(&byte) || byte == b'\t';
    value.bytes().all(fits)
}

pub(super) fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn status_line(out: &mut Vec<u8>, status: StatusCode) {
    let reason = status.canonical_reason().unwrap_or_default();
    let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", status.as_u16());
}

/// The head of a service's answer; true when the connection ends with it. `length`: of its body,
/// if it is known.
pub(super) fn write_head(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &HeaderMap,
    length: Option<u64>,
    closes: bool,
) -> bool {
    status_line(out, status);
    // A length here would be that of the body which is not sent.
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    for (name, value) in headers {
        let ours = name == header::CONNECTION || (bodiless && name == header::CONTENT_LENGTH);
        if !ours {
            line(out, name.as_str(), value.as_bytes());
        }
    }
    if !bodiless
        && !headers.contains_key(header::CONTENT_LENGTH)
        && let Some(length) = length
    {
        let _ = write!(out, "content-length: {length}\r\n");
    }
    let says_close = headers
        .get(header::CONNECTION)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    // Without a length only the end of the connection tells the end of the body.
    let closes = closes || says_close || (length.is_none() && !bodiless);
    if closes {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if !headers.contains_key(header::DATE) {
        out.extend_from_slice(b"date: ");
        date::write(out);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    closes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(closes: bool, write: impl FnOnce(Reply<'_>) -> Verdict) -> (Verdict, String, Bytes) {
        let (mut out, mut body) = (Vec::new(), Bytes::new());
        let verdict = write(Reply {
            out: &mut out,
            body: &mut body,
            closes,
        });
        (verdict, String::from_utf8(out).unwrap(), body)
    }

    #[test]
    fn an_answer_has_its_length_and_a_date() {
        let (verdict, text, _) = written(false, |reply| {
            let mut head = reply.begin(StatusCode::OK);
            head.header("etag", "\"a\"")
                .body(&Bytes::from_static(b"hello"))
        });
        assert!(verdict.is_answered());
        assert!(text.starts_with("HTTP/1.1 200 OK\r\netag: \"a\"\r\ncontent-length: 5\r\ndate: "));
        assert!(text.ends_with(" GMT\r\n\r\nhello"));
        assert!(!text.contains("connection"));
    }

    #[test]
    fn the_last_answer_says_so() {
        let (_, text, _) = written(true, |reply| {
            reply.begin(StatusCode::NOT_MODIFIED).nothing()
        });
        assert!(text.starts_with("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n"));
        assert!(!text.contains("content-length"));
    }

    #[test]
    fn no_value_can_add_a_header() {
        for value in ["a\r\nset-cookie: b", "a\nb", "a\0", "\u{e9}"] {
            let (verdict, ..) = written(false, |reply| {
                reply.begin(StatusCode::OK).header("etag", value).nothing()
            });
            assert!(matches!(verdict.0, Next::Service), "{value:?}");
        }
    }

    #[test]
    fn a_long_body_is_not_copied() {
        let long = Bytes::from(vec![b'x'; COPIED + 1]);
        let (_, text, body) = written(false, |reply| reply.begin(StatusCode::OK).body(&long));
        assert!(text.ends_with("\r\n\r\n"));
        assert_eq!(body.as_ptr(), long.as_ptr());
    }

    #[test]
    fn a_service_answer_that_has_no_body_has_no_length() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, http::HeaderValue::from(0));
        let mut out = Vec::new();
        assert!(!write_head(
            &mut out,
            StatusCode::NOT_MODIFIED,
            &headers,
            Some(0),
            false
        ));
        assert!(!String::from_utf8(out).unwrap().contains("content-length"));
    }

    #[test]
    fn a_service_answer_without_a_length_ends_with_its_connection() {
        let mut out = Vec::new();
        assert!(write_head(
            &mut out,
            StatusCode::OK,
            &HeaderMap::new(),
            None,
            false
        ));
        let mut out = Vec::new();
        assert!(!write_head(
            &mut out,
            StatusCode::OK,
            &HeaderMap::new(),
            Some(3),
            false
        ));
        assert!(
            String::from_utf8(out)
                .unwrap()
                .contains("content-length: 3\r\n")
        );
    }
}
