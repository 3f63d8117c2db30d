//! Writing a scripted reply, well or badly.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

use super::script::{Delivery, Reply};

/// What becomes of the connection after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Another request may follow.
    KeepAlive,
    /// Close in an orderly way.
    Close,
    /// Send a reset.
    Reset,
}

pub(super) async fn write_reply<S>(stream: &mut S, method: &str, reply: &Reply) -> io::Result<Next>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(gate) = &reply.gate {
        gate.passed().await;
    }
    if !reply.delay.is_zero() {
        sleep(reply.delay).await;
    }
    match &reply.delivery {
        Delivery::Reset | Delivery::Refuse => return Ok(Next::Reset),
        Delivery::Close => return Ok(Next::Close),
        Delivery::Hang => {
            until_client_leaves(stream).await;
            return Ok(Next::Close);
        }
        Delivery::Verbatim => {
            stream.write_all(&reply.body).await?;
            stream.flush().await?;
            return Ok(Next::KeepAlive);
        }
        Delivery::Endless => return endless(stream, reply).await,
        Delivery::Whole | Delivery::Trickle { .. } | Delivery::CutAfter(_) => {}
    }
    let mut bytes = head(reply).into_bytes();
    let body: &[u8] = if method == "HEAD" { &[] } else { &reply.body };
    match reply.delivery {
        Delivery::Trickle { piece, every } => {
            stream.write_all(&bytes).await?;
            for part in body.chunks(piece) {
                stream.flush().await?;
                sleep(every).await;
                stream.write_all(part).await?;
            }
        }
        Delivery::CutAfter(kept) => {
            bytes.extend_from_slice(&body[..kept.min(body.len())]);
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            return Ok(Next::Reset);
        }
        _ => {
            bytes.extend_from_slice(body);
            stream.write_all(&bytes).await?;
        }
    }
    stream.flush().await?;
    // A body shorter than declared ends by closing, or the client would wait for the rest.
    let short = reply
        .declared_length
        .is_some_and(|length| length > body.len() as u64);
    let asked_to_close = reply
        .headers
        .iter()
        .any(|(name, value)| name == "connection" && value.eq_ignore_ascii_case("close"));
    Ok(if short || asked_to_close {
        Next::Close
    } else {
        Next::KeepAlive
    })
}

fn head(reply: &Reply) -> String {
    let mut head = status_line(reply);
    let bodiless = matches!(reply.status, 100..=199 | 204 | 304);
    if !bodiless {
        let length = reply.declared_length.unwrap_or(reply.body.len() as u64);
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    head.push_str("\r\n");
    head
}

fn status_line(reply: &Reply) -> String {
    let mut line = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        line.push_str(&format!("{name}: {value}\r\n"));
    }
    line
}

async fn endless<S: AsyncWrite + Unpin>(stream: &mut S, reply: &Reply) -> io::Result<Next> {
    let head = format!("{}transfer-encoding: chunked\r\n\r\n", status_line(reply));
    stream.write_all(head.as_bytes()).await?;
    let mut chunk = b"4000\r\n".to_vec();
    chunk.resize(chunk.len() + 0x4000, b'x');
    chunk.extend_from_slice(b"\r\n");
    loop {
        // Ends with an error once the client has gone.
        stream.write_all(&chunk).await?;
    }
}

async fn until_client_leaves<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut ignored = [0_u8; 1024];
    while matches!(stream.read(&mut ignored).await, Ok(read) if read > 0) {}
}
