//! An answer's head, as far as the generator needs it.

/// What a connection has sent so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not all of it.
    Part,
    Whole {
        bytes: usize,
        /// Of the body, which is the rest.
        body_from: usize,
        kind: Kind,
        /// The server will close the connection.
        closes: bool,
    },
    /// Not an answer of known length.
    Broken,
}

/// What an answer means to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 200.
    Ok,
    /// 200 with a body that is not this request's.
    Foreign,
    /// 503 that says when to come again.
    Refused,
    Other(u16),
}

/// More headers than any server here sends.
const HEADERS: usize = 32;

pub(super) fn read(bytes: &[u8]) -> Seen {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let head_bytes = match head.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
        Ok(httparse::Status::Partial) => return Seen::Part,
        Err(_) => return Seen::Broken,
    };
    let status = head.code.unwrap_or_default();
    let (mut length, mut retry_after, mut closes) = (None, false, false);
    for header in head.headers.iter() {
        match header.name.len() {
            14 if header.name.eq_ignore_ascii_case("content-length") => {
                length = std::str::from_utf8(header.value)
                    .ok()
                    .and_then(|text| text.parse::<usize>().ok());
            }
            11 if header.name.eq_ignore_ascii_case("retry-after") => retry_after = true,
            10 if header.name.eq_ignore_ascii_case("connection") => {
                closes = header.value.eq_ignore_ascii_case(b"close");
            }
            _ => {}
        }
    }
    let body = match (status, length) {
        (204 | 304, _) => 0,
        (_, Some(length)) => length,
        _ => return Seen::Broken,
    };
    let Some(whole) = head_bytes.checked_add(body) else {
        return Seen::Broken;
    };
    if bytes.len() < whole {
        return Seen::Part;
    }
    let kind = match status {
        200 => Kind::Ok,
        503 if retry_after => Kind::Refused,
        other => Kind::Other(other),
    };
    Seen::Whole {
        bytes: whole,
        body_from: head_bytes,
        kind,
        closes,
    }
}

/// What a 200 is whose body must have this in it.
pub(super) fn marked(kind: Kind, body: &[u8], mark: &str) -> Kind {
    let has_it = || std::str::from_utf8(body).is_ok_and(|body| body.contains(mark));
    match kind {
        Kind::Ok if !has_it() => Kind::Foreign,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(text: &str) -> (Kind, bool) {
        match read(text.as_bytes()) {
            Seen::Whole {
                bytes,
                kind,
                closes,
                ..
            } if bytes == text.len() => (kind, closes),
            other => panic!("{other:?} of {text}"),
        }
    }

    #[test]
    fn only_a_503_with_retry_after_is_a_refusal() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(whole(ok), (Kind::Ok, false));
        let refused =
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 4\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(whole(refused), (Kind::Refused, false));
        let bare =
            "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(whole(bare), (Kind::Other(503), true));
        assert_eq!(
            whole("HTTP/1.1 304 Not Modified\r\n\r\n").0,
            Kind::Other(304)
        );
    }

    #[test]
    fn a_part_is_a_part_and_an_answer_without_a_length_is_broken() {
        let text = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        for end in 0..text.len() {
            assert_eq!(read(&text.as_bytes()[..end]), Seen::Part, "{end}");
        }
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n"), Seen::Broken);
        assert_eq!(read(b"SSH-2.0-OpenSSH\r\n\r\n"), Seen::Broken);
    }

    #[test]
    fn a_200_with_another_body_is_foreign_and_a_refusal_has_none() {
        let ada = b"{\"member\":\"ada\"}";
        assert_eq!(marked(Kind::Ok, ada, "ada"), Kind::Ok);
        assert_eq!(marked(Kind::Ok, ada, "bob"), Kind::Foreign);
        assert_eq!(marked(Kind::Refused, ada, "bob"), Kind::Refused);
        assert_eq!(marked(Kind::Ok, b"\xff ada", "ada"), Kind::Foreign);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let huge = [b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n", &bytes[..]].concat();
            prop_assert_eq!(read(&huge), Seen::Broken);
        }
    }
}
