//! The head of a request, where it was read.
//!
//! The parser is the one that hyper uses. Whatever is unusual is left to hyper: other methods and
//! versions, bodies, upgrades, expectations, too many headers, and everything malformed.

use std::mem::MaybeUninit;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use crate::admission::Bearer;

/// Header lines that are looked at here; browsers send about fifteen.
const MOST_HEADERS: usize = 48;
const METHOD: &[u8] = b"GET ";

/// A request without a body, borrowed from the buffer it was read into.
#[derive(Debug)]
pub struct Asked<'b> {
    target: &'b str,
    headers: &'b [httparse::Header<'b>],
}

/// What a buffer begins with.
#[derive(Debug)]
pub(super) enum Head<'b> {
    /// The beginning of a head.
    Partial,
    /// Something for hyper.
    Elsewhere,
    Whole {
        asked: Asked<'b>,
        /// How much of the buffer it takes.
        bytes: usize,
        /// The client wants the connection closed after the answer.
        closes: bool,
    },
}

/// Reads the first head in `buffer`.
pub(super) fn read<R>(buffer: &[u8], then: impl FnOnce(Head<'_>) -> R) -> R {
    let told = buffer.len().min(METHOD.len());
    if buffer[..told] != METHOD[..told] {
        return then(Head::Elsewhere);
    }
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let bytes = match request.parse_with_uninit_headers(buffer, &mut headers) {
        Ok(httparse::Status::Complete(bytes)) => bytes,
        Ok(httparse::Status::Partial) => return then(Head::Partial),
        Err(_) => return then(Head::Elsewhere),
    };
    let (Some(target), Some(1)) = (request.path, request.version) else {
        return then(Head::Elsewhere);
    };
    let headers = &*request.headers;
    match manners(headers) {
        Some(closes) if target.starts_with('/') => then(Head::Whole {
            asked: Asked { target, headers },
            bytes,
            closes,
        }),
        _ => then(Head::Elsewhere),
    }
}

/// Whether the connection ends with the answer; `None` when a header asks for more than an answer.
fn manners(headers: &[httparse::Header<'_>]) -> Option<bool> {
    let (mut closes, mut hosts) = (false, 0);
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        // By length first: it tells nearly all of them apart.
        match header.name.len() {
            4 if is("host") => hosts += 1,
            6 if is("expect") => return None,
            7 if is("upgrade") => return None,
            14 if is("content-length") => return None,
            17 if is("transfer-encoding") => return None,
            10 if is("connection") => {
                if header.value.eq_ignore_ascii_case(b"close") {
                    closes = true;
                } else if !header.value.eq_ignore_ascii_case(b"keep-alive") {
                    return None;
                }
            }
            _ => {}
        }
    }
    // Without one, or with two, it is refused, which hyper's way does.
    (hosts == 1).then_some(closes)
}

impl<'b> Asked<'b> {
    /// Without the query.
    #[must_use]
    pub fn path(&self) -> &'b str {
        self.target
            .split_once('?')
            .map_or(self.target, |(path, _)| path)
    }

    /// What comes after the question mark, as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&'b str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    /// The values of a header in the order of its lines. `name` in lower case.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &'b [u8]> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    }

    /// What the door looks at.
    pub(super) fn bearer(&self) -> Bearer<'b> {
        Bearer {
            method: &Method::GET,
            path: self.path(),
            authorization: self.all(header::AUTHORIZATION.as_str()).next(),
        }
    }

    /// Header lines.
    pub(super) fn lines(&self) -> usize {
        self.headers.len()
    }

    /// The same request for the service; `None` if it is none to hyper's types.
    pub(super) fn to_request(&self) -> Option<Request<()>> {
        let mut map = HeaderMap::with_capacity(self.headers.len());
        for header in self.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
            map.append(name, HeaderValue::from_bytes(header.value).ok()?);
        }
        let mut request = Request::new(());
        *request.uri_mut() = self.target.parse::<Uri>().ok()?;
        *request.version_mut() = Version::HTTP_11;
        *request.headers_mut() = map;
        Some(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> &'static str {
        read(text.as_bytes(), |head| match head {
            Head::Partial => "partial",
            Head::Elsewhere => "elsewhere",
            Head::Whole { closes: true, .. } => "closes",
            Head::Whole { .. } => "whole",
        })
    }

    #[test]
    fn a_plain_get_is_read_where_it_lies() {
        let text = "GET /v1/feed?feed=news HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"a\"\r\nif-none-match: \"b\"\r\n\r\nGET /";
        read(text.as_bytes(), |head| {
            let Head::Whole { asked, bytes, .. } = head else {
                panic!("{head:?}");
            };
            assert_eq!(
                (asked.path(), asked.query()),
                ("/v1/feed", Some("feed=news"))
            );
            let tags: Vec<_> = asked.all("if-none-match").collect();
            assert_eq!(tags, [b"\"a\"", b"\"b\""]);
            assert_eq!(&text[bytes..], "GET /");
            let request = asked.to_request().unwrap();
            assert_eq!(request.uri(), "/v1/feed?feed=news");
            assert_eq!(request.headers().get_all("if-none-match").iter().count(), 2);
        });
    }

    #[test]
    fn every_beginning_of_a_head_is_partial() {
        let text = "GET /a HTTP/1.1\r\nhost: x\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(verdict(&text[..end]), "partial", "{end}");
        }
        assert_eq!(verdict(text), "whole");
    }

    #[test]
    fn the_unusual_goes_elsewhere() {
        for head in [
            "POST /a HTTP/1.1\r\nhost: t\r\n\r\n",
            "HEAD /a HTTP/1.1\r\nhost: t\r\n\r\n",
            "GET /a HTTP/1.0\r\n\r\n",
            "GET http://x/a HTTP/1.1\r\nhost: t\r\n\r\n",
            "GET * HTTP/1.1\r\nhost: t\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\nconnection: keep-alive, te\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\nno colon\r\n\r\n",
            "GET  /a HTTP/1.1\r\nhost: t\r\n\r\n",
            "GET /a HTTP/1.1\r\n\r\n",
            "GET /a HTTP/1.1\r\nhost: t\r\nHost: t\r\n\r\n",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "\r\nGET /a HTTP/1.1\r\nhost: t\r\n\r\n",
        ] {
            assert_eq!(verdict(head), "elsewhere", "{head:?}");
        }
        let many = "a: b\r\n".repeat(MOST_HEADERS + 1);
        assert_eq!(
            verdict(&format!("GET / HTTP/1.1\r\nhost: t\r\n{many}\r\n")),
            "elsewhere"
        );
    }

    #[test]
    fn the_client_says_whether_the_connection_ends() {
        assert_eq!(
            verdict("GET / HTTP/1.1\r\nhost: t\r\nConnection: Close\r\n\r\n"),
            "closes"
        );
        assert_eq!(
            verdict("GET / HTTP/1.1\r\nhost: t\r\nConnection: Keep-Alive\r\n\r\n"),
            "whole"
        );
    }
}
