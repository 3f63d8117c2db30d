//! What an answer comes in on, whichever protocol it is.

use bytes::Bytes;
use corkboard_core::story::story;
use http::Response;
use http::header::CONTENT_LENGTH;
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::connect::Sender;
use crate::http2::Seat;

/// The head of an answer, its body to come, and the connection that it comes on.
pub(super) type Answered = (Response<Arriving>, Line);

/// The use of a connection.
#[derive(Debug)]
pub(super) enum Line {
    /// All of one.
    Own(Sender),
    /// A place on one.
    Seat(Seat),
}

/// A body on its way.
#[derive(Debug)]
pub(super) enum Arriving {
    One(Incoming),
    Two(h2::RecvStream),
}

impl Arriving {
    /// The next piece, `None` at its end, or what went wrong. Trailers are skipped.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, String>> {
        match self {
            Self::One(body) => loop {
                let frame = match body.frame().await? {
                    Ok(frame) => frame,
                    Err(error) => return Some(Err(story(&error))),
                };
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            },
            Self::Two(stream) => match stream.data().await? {
                Ok(data) => {
                    // Room for as much again. Failing to make it ends the stream, which is seen.
                    let _ = stream.flow_control().release_capacity(data.len());
                    Some(Ok(data))
                }
                Err(error) => Some(Err(error.to_string())),
            },
        }
    }
}

/// How long a body says it is, if it says so.
pub(super) fn declared(response: &Response<Arriving>) -> u64 {
    match response.body() {
        Arriving::One(body) => body.size_hint().lower(),
        Arriving::Two(_) => {
            let length = response.headers().get(CONTENT_LENGTH);
            let length = length.and_then(|it| it.to_str().ok()?.parse().ok());
            length.unwrap_or_default()
        }
    }
}
