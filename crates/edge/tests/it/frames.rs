//! HTTP/2 by hand: frames as an attacker would write them, over TCP or TLS.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Duration, Instant, timeout, timeout_at};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const ACK: u8 = 1;

pub(crate) const INITIAL_WINDOW: u16 = 4;

/// Reached only by a test that fails.
const NEVER: Duration = Duration::from_secs(3_600);

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, a, b, c] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![a, b, c, kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn setting(name: u16, value: u32) -> Vec<u8> {
    let payload = [&name.to_be_bytes()[..], &value.to_be_bytes()].concat();
    frame(SETTINGS, 0, 0, &payload)
}

/// A header block in HPACK without compression: `method` is the index of GET (2) or POST (3).
pub(crate) fn block(method: u8, path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let mut block = vec![0x80 | method, 0x86, 0x04, length];
    block.extend(path.as_bytes());
    block.extend(b"\x01\x04test");
    block
}

pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &block(2, path))
}

pub(crate) fn post(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &block(3, path))
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())
}

pub(crate) fn room(stream: u32, bytes: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes())
}

#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Transport for T {}

/// A client that says and does only what it is told to, but for the answers to pings and settings.
pub(crate) struct Raw {
    transport: Box<dyn Transport>,
    read: Vec<u8>,
    silent: bool,
    /// What came, in bytes of DATA.
    pub(crate) data: usize,
    /// The streams that the server has reset.
    pub(crate) resets: Vec<u32>,
}

impl Raw {
    pub(crate) async fn greet(transport: impl Transport + 'static, window: u32) -> Self {
        let mut raw = Self {
            transport: Box::new(transport),
            read: Vec::new(),
            silent: false,
            data: 0,
            resets: Vec::new(),
        };
        let greeting = [PREFACE, &setting(INITIAL_WINDOW, window)].concat();
        raw.send(&greeting).await;
        raw
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.transport.write_all(bytes).await.unwrap();
        self.transport.flush().await.unwrap();
    }

    /// From now on not even what the protocol asks for.
    pub(crate) fn says_no_more(&mut self) {
        self.silent = true;
    }

    /// Sends again and again, reading what comes, until the server ends the connection. How many
    /// times, and how long that took.
    pub(crate) async fn flood(&mut self, mut next: impl FnMut(u32) -> Vec<u8>) -> (u32, Duration) {
        let start = Instant::now();
        let mut buffer = [0; 4096];
        for count in 0..1_000_000 {
            if self.transport.write_all(&next(count)).await.is_err() {
                return (count, start.elapsed());
            }
            let reading = self.transport.read(&mut buffer);
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::ZERO, reading).await {
                return (count, start.elapsed());
            }
        }
        panic!("the flood goes on");
    }

    /// Sends the same again and again with pauses, answering what comes, until the server ends the
    /// connection.
    pub(crate) async fn paced_flood(&mut self, bytes: &[u8], pause: Duration) {
        loop {
            if self.transport.write_all(bytes).await.is_err() {
                return;
            }
            let end = Instant::now() + pause;
            while let Ok(frame) = timeout_at(end, self.next()).await {
                if frame.is_none() {
                    return;
                }
            }
        }
    }

    /// The next frame; none at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let reading = async {
            while self.read.len() < 9 || self.read.len() < 9 + length(&self.read) {
                match self.transport.read_buf(&mut self.read).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
            let length = length(&self.read);
            let rest = self.read.split_off(9 + length);
            let bytes = std::mem::replace(&mut self.read, rest);
            Some(Frame {
                kind: bytes[3],
                flags: bytes[4],
                stream: u32::from_be_bytes(bytes[5..9].try_into().unwrap()),
                payload: bytes[9..].to_vec(),
            })
        };
        let frame = timeout(NEVER, reading)
            .await
            .expect("no frame and no end")?;
        match frame.kind {
            PING | SETTINGS if frame.flags & ACK == 0 && !self.silent => {
                let payload = if frame.kind == PING {
                    frame.payload.as_slice()
                } else {
                    &[]
                };
                let answer = self::frame(frame.kind, ACK, 0, payload);
                // The server may be leaving.
                let _gone = self.transport.write_all(&answer).await;
            }
            DATA => self.data += frame.payload.len(),
            RST_STREAM => self.resets.push(frame.stream),
            _ => {}
        }
        Some(frame)
    }

    /// The next frame that is wanted.
    pub(crate) async fn until(&mut self, wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection has ended");
            if wanted(&frame) {
                return frame;
            }
        }
    }

    /// Until the server ends the connection; how long that took.
    pub(crate) async fn ended(&mut self) -> Duration {
        let start = Instant::now();
        while self.next().await.is_some() {}
        start.elapsed()
    }
}

fn length(head: &[u8]) -> usize {
    usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])
}
