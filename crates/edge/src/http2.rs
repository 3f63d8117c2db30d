//! HTTP/2 under strict bounds, and where its requests run.

use std::time::Duration;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::TokioTimer;
use tokio_util::task::TaskTracker;

use crate::delivery::InTime;
use crate::options::EdgeOptions;

/// Requests at once on one connection; more are refused by the protocol.
const STREAMS: u32 = 100;
/// What one request's body, and all of a connection's, may have in flight unread.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Of one response, what waits in memory for its client.
const SEND_BUFFER: usize = 64 * 1024;
/// Streams that a client may reset before we have seen them, and that may be reset for its
/// mistakes, before the connection is ended: the floods known as rapid reset and its kin.
const PENDING_RESETS: usize = 20;
const MISTAKES: usize = 64;
/// A peer that is gone without a word is noticed by a ping.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// What every HTTP/2 connection begins with, as far as it cannot be HTTP/1.1.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Runs each request in a task of its own, so that one connection from a balancer can keep all
/// cores busy. The tasks are the listener's; they end with their connection.
#[derive(Debug, Clone)]
pub(crate) struct StreamTasks {
    tasks: TaskTracker,
    write_timeout: Duration,
}

impl<F> Executor<F> for StreamTasks
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        self.tasks.spawn(InTime::new(stream, self.write_timeout));
    }
}

pub(crate) fn builder(options: &EdgeOptions, tasks: TaskTracker) -> http2::Builder<StreamTasks> {
    let mut builder = http2::Builder::new(StreamTasks {
        tasks,
        write_timeout: options.write_timeout,
    });
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .max_header_list_size(u32::try_from(options.max_header_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .max_local_error_reset_streams(MISTAKES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}
