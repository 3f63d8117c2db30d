//! What a peer answers: a reply with its body, and the ways in which to deliver it badly.

use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

/// Holds replies back until the test opens it. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(CancellationToken);

impl Gate {
    /// A gate that is shut.
    #[must_use]
    pub fn shut() -> Self {
        Self::default()
    }

    /// Lets every reply pass, now and later.
    pub fn open(&self) {
        self.0.cancel();
    }

    pub(super) async fn passed(&self) {
        self.0.cancelled().await;
    }
}

/// How a reply's bytes reach the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Head and body at once.
    Whole,
    /// The head at once, then `piece` bytes of the body every `every`.
    Trickle { piece: usize, every: Duration },
    /// A chunked body that never ends, in pieces of 16 KiB.
    Endless,
    /// Head and the first bytes of the body, then a reset.
    CutAfter(usize),
    /// A reset instead of an answer.
    Reset,
    /// An orderly close instead of an answer.
    Close,
    /// HTTP/2's way to say that the request was not looked at; a reset in HTTP/1.1.
    Refuse,
    /// Nothing at all until the client leaves.
    Hang,
    /// The body is written as it is, head and all; then the connection stays open.
    Verbatim,
}

/// One scripted answer. Built up from [`Reply::status`], [`Reply::json`] or [`Reply::text`].
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
    pub(super) delay: Duration,
    pub(super) gate: Option<Gate>,
    pub(super) delivery: Delivery,
    pub(super) declared_length: Option<u64>,
}

/// `{"packed":true}` behind one layer of gzip.
const GZIPPED_JSON: &[u8] = &[
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xff, 0xab, 0x56, 0x2a, 0x48, 0x4c, 0xce,
    0x4e, 0x4d, 0x51, 0xb2, 0x2a, 0x29, 0x2a, 0x4d, 0xad, 0x05, 0x00, 0x89, 0xe0, 0xb5, 0xdc, 0x0f,
    0x00, 0x00, 0x00,
];

impl Reply {
    /// A status and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
            delay: Duration::ZERO,
            gate: None,
            delivery: Delivery::Whole,
            declared_length: None,
        }
    }

    /// 200 with a JSON body.
    #[must_use]
    pub fn json(value: &serde_json::Value) -> Self {
        Self::status(200)
            .header("content-type", "application/json")
            .body(value.to_string())
    }

    /// 200 with a text body.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::status(200)
            .header("content-type", "text/plain; charset=utf-8")
            .body(text.into())
    }

    /// 200 with a gzip-encoded JSON body, whether or not the client asked for one.
    #[must_use]
    pub fn gzipped_json() -> Self {
        Self::status(200)
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(GZIPPED_JSON)
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::status(status).header("location", location)
    }

    /// A reset instead of an answer.
    #[must_use]
    pub fn reset() -> Self {
        Self {
            delivery: Delivery::Reset,
            ..Self::status(200)
        }
    }

    /// An orderly close instead of an answer, as by a server whose idle time-out just fired.
    #[must_use]
    pub fn close() -> Self {
        Self {
            delivery: Delivery::Close,
            ..Self::status(200)
        }
    }

    /// The request was not looked at: `REFUSED_STREAM` in HTTP/2, a reset in HTTP/1.1.
    #[must_use]
    pub fn refused() -> Self {
        Self {
            delivery: Delivery::Refuse,
            ..Self::status(200)
        }
    }

    /// No answer at all: the request is read, then silence until the client leaves.
    #[must_use]
    pub fn hang() -> Self {
        Self {
            delivery: Delivery::Hang,
            ..Self::status(200)
        }
    }

    /// 200 with a chunked body that never ends.
    #[must_use]
    pub fn endless() -> Self {
        Self {
            delivery: Delivery::Endless,
            ..Self::status(200)
        }
    }

    /// These bytes as they are, instead of a well-formed response.
    #[must_use]
    pub fn verbatim(bytes: impl Into<Bytes>) -> Self {
        Self {
            delivery: Delivery::Verbatim,
            ..Self::status(200).body(bytes)
        }
    }

    /// Replaces the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Replaces the status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits before the first byte of the answer.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Waits for a gate before the first byte of the answer.
    #[must_use]
    pub fn behind(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Sends the body `piece` bytes at a time, with a pause before each.
    #[must_use]
    pub fn trickle(mut self, piece: usize, every: Duration) -> Self {
        self.delivery = Delivery::Trickle {
            piece: piece.max(1),
            every,
        };
        self
    }

    /// Resets the connection after this many bytes of the body.
    #[must_use]
    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.delivery = Delivery::CutAfter(bytes);
        self
    }

    /// Declares another `Content-Length` than the body has.
    #[must_use]
    pub fn declared_length(mut self, length: u64) -> Self {
        self.declared_length = Some(length);
        self
    }
}
