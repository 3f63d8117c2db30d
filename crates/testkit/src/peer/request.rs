//! Reading one HTTP/1.1 request off a connection: as little parsing as a scripted peer needs.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// A longer head than this is nobody's honest request.
const HEAD_LIMIT: usize = 256 * 1024;
const BODY_LIMIT: usize = 64 * 1024 * 1024;

/// A request as the peer received it.
#[derive(Debug, Clone)]
pub struct RecordedRequest {
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Names in lower case, in the order sent.
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// Whether it came in HTTP/2; then `host` is the authority of its URL.
    pub http2: bool,
}

impl RecordedRequest {
    /// The target up to its query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first header of this name (in lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The next request, or `None` when the client closed between requests. `buffer` keeps what was
/// read beyond it.
pub(super) async fn read_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    buffer: &mut BytesMut,
) -> io::Result<Option<RecordedRequest>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.len() > HEAD_LIMIT {
            return Err(malformed("the request head is too long"));
        }
        if stream.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() {
                Ok(None)
            } else {
                Err(malformed("half a request"))
            };
        }
    };
    let head = buffer.split_to(head_end);
    let mut request = parse_head(&String::from_utf8_lossy(&head))?;
    if request.header("transfer-encoding").is_some() {
        return Err(malformed("this peer reads no chunked requests"));
    }
    let length = match request.header("content-length") {
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| malformed("bad content-length"))?,
        None => 0,
    };
    if length > BODY_LIMIT {
        return Err(malformed("the request body is too long"));
    }
    while buffer.len() < length {
        if stream.read_buf(buffer).await? == 0 {
            return Err(malformed("half a body"));
        }
    }
    request.body = buffer.split_to(length).freeze();
    Ok(Some(request))
}

fn parse_head(head: &str) -> io::Result<RecordedRequest> {
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some("HTTP/1.1")) = (first.next(), first.next(), first.next())
    else {
        return Err(malformed("not an HTTP/1.1 request line"));
    };
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(RecordedRequest {
        method: method.to_owned(),
        target: target.to_owned(),
        headers,
        body: Bytes::new(),
        http2: false,
    })
}
