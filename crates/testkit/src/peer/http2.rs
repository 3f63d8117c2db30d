//! The same script in HTTP/2, where the library lets it be told: what breaks off, breaks off the stream.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Shared;
use super::request::RecordedRequest;
use super::script::{Delivery, Reply};

pub(super) async fn converse<S>(stream: S, shared: &Arc<Shared>, streams: u32)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = Builder::new();
    builder.max_concurrent_streams(streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else {
        return;
    };
    let mut answering = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        answering.spawn(answer(request, respond, Arc::clone(shared)));
        while answering.try_join_next().is_some() {}
    }
}

/// Goes wrong only when the client has gone.
async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    shared: Arc<Shared>,
) -> Option<()> {
    let request = record(request).await?;
    let reply = shared.answer(&request);
    if let Some(gate) = &reply.gate {
        gate.passed().await;
    }
    if !reply.delay.is_zero() {
        sleep(reply.delay).await;
    }
    match reply.delivery {
        Delivery::Reset | Delivery::Close => respond.send_reset(Reason::INTERNAL_ERROR),
        Delivery::Refuse => respond.send_reset(Reason::REFUSED_STREAM),
        Delivery::Hang => drop(std::future::poll_fn(|it| respond.poll_reset(it)).await),
        Delivery::Endless => {
            let mut sending = respond.send_response(head(&reply, None), false).ok()?;
            loop {
                send(&mut sending, Bytes::from_static(&[b'x'; 0x4000]), false).await?;
            }
        }
        Delivery::Trickle { piece, every } => {
            let mut sending = respond.send_response(head(&reply, None), false).ok()?;
            for part in reply.body.chunks(piece) {
                sleep(every).await;
                send(&mut sending, Bytes::copy_from_slice(part), false).await?;
            }
            send(&mut sending, Bytes::new(), true).await?;
        }
        Delivery::CutAfter(kept) => {
            let mut sending = respond.send_response(head(&reply, None), false).ok()?;
            let kept = reply.body.slice(..kept.min(reply.body.len()));
            send(&mut sending, kept, false).await?;
            sending.send_reset(Reason::INTERNAL_ERROR);
        }
        Delivery::Whole | Delivery::Verbatim => {
            let head = head(&reply, reply.declared_length);
            let mut sending = respond.send_response(head, reply.body.is_empty()).ok()?;
            if !reply.body.is_empty() {
                send(&mut sending, reply.body, true).await?;
            }
        }
    }
    Some(())
}

async fn record(request: Request<RecvStream>) -> Option<RecordedRequest> {
    let (head, mut stream) = request.into_parts();
    let mut body = BytesMut::new();
    while let Some(piece) = stream.data().await {
        let piece = piece.ok()?;
        stream.flow_control().release_capacity(piece.len()).ok()?;
        body.extend_from_slice(&piece);
    }
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let host = head.uri.authority().map(ToString::to_string);
    let host = host.map(|host| ("host".to_owned(), host));
    let headers = head.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
    let target = head.uri.path_and_query().map(ToString::to_string);
    Some(RecordedRequest {
        method: head.method.to_string(),
        target: target.unwrap_or_default(),
        headers: host.into_iter().chain(headers).collect(),
        body: body.freeze(),
        http2: true,
    })
}

fn head(reply: &Reply, declared: Option<u64>) -> Response<()> {
    let mut head = Response::new(());
    *head.status_mut() = reply.status.try_into().expect("scripts hold HTTP statuses");
    for (name, value) in &reply.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("scripts hold header names");
        let value = HeaderValue::from_str(value).expect("scripts hold header values");
        head.headers_mut().append(name, value);
    }
    if let Some(length) = declared {
        head.headers_mut().insert("content-length", length.into());
    }
    // Belongs to a connection of one's own.
    head.headers_mut().remove("connection");
    head
}

/// Waits for room, so that an endless body is not an endless buffer.
async fn send(stream: &mut SendStream<Bytes>, mut data: Bytes, end: bool) -> Option<()> {
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = std::future::poll_fn(|context| stream.poll_capacity(context)).await?;
        let piece = data.split_to(room.ok()?.min(data.len()));
        stream.send_data(piece, end && data.is_empty()).ok()?;
        if data.is_empty() {
            return Some(());
        }
    }
    stream.send_data(Bytes::new(), end).ok()
}
