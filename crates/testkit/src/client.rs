//! A plain HTTP client for tests of our own servers: real sockets, keep-alive, a deadline on every
//! request, nothing clever. It sends what it is told, so that it can also test refusals.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use corkboard_core::story::story;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioTimer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);

/// Runs the client's connections on a tracker and ends them with the client.
#[derive(Debug, Clone)]
struct Owned {
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl<F> hyper::rt::Executor<F> for Owned
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        self.tasks
            .spawn(self.stop.clone().run_until_cancelled_owned(future));
    }
}

/// A client of one server. Several requests may run at once; connections are reused.
pub struct TestClient {
    base: String,
    headers: HeaderMap,
    inner: Client<HttpConnector, Full<Bytes>>,
    _stop: DropGuard,
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestClient({})", self.base)
    }
}

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestClientError(pub String);

impl fmt::Display for TestClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for TestClientError {}

impl TestClient {
    /// A client for paths below `base`, for example `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        let stop = CancellationToken::new();
        let owned = Owned {
            tasks: TaskTracker::new(),
            stop: stop.clone(),
        };
        let inner = Client::builder(owned)
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build_http();
        let base = base.into().trim_end_matches('/').to_owned();
        Self {
            base,
            headers: HeaderMap::new(),
            inner,
            _stop: stop.drop_guard(),
        }
    }

    /// Sends this header with every request.
    ///
    /// # Panics
    ///
    /// When name or value is not a valid header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(header_name(name), header_value(value));
        self
    }

    /// Sends this bearer token with every request.
    #[must_use]
    pub fn with_bearer(self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    /// Begins a GET.
    pub fn get(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::GET, path)
    }

    /// Begins a POST.
    pub fn post(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::POST, path)
    }

    /// Begins a PUT.
    pub fn put(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::PUT, path)
    }

    /// Begins a DELETE.
    pub fn delete(&self, path: &str) -> TestRequest<'_> {
        self.request(Method::DELETE, path)
    }

    /// Begins a request of any method. `path` starts with a slash.
    pub fn request(&self, method: Method, path: &str) -> TestRequest<'_> {
        TestRequest {
            client: self,
            method,
            url: format!("{}{path}", self.base),
            headers: self.headers.clone(),
            body: Bytes::new(),
            deadline: DEFAULT_DEADLINE,
        }
    }
}

fn header_name(name: &str) -> header::HeaderName {
    name.parse()
        .unwrap_or_else(|_| panic!("'{name}' is not a header name"))
}

fn header_value(value: &str) -> header::HeaderValue {
    value
        .parse()
        .unwrap_or_else(|_| panic!("{value:?} is not a header value"))
}

/// A request being put together.
#[derive(Debug)]
#[must_use = "a request does nothing until it is sent"]
pub struct TestRequest<'a> {
    client: &'a TestClient,
    method: Method,
    url: String,
    headers: HeaderMap,
    body: Bytes,
    deadline: Duration,
}

impl TestRequest<'_> {
    /// Sets a header, in place of the client's own of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(header_name(name), header_value(value));
        self
    }

    /// Leaves out a header that the client would send.
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sends this body as it is.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends JSON with its content type.
    ///
    /// # Panics
    ///
    /// When the value has no JSON form.
    pub fn json(self, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).expect("a test's value has a JSON form");
        self.header("content-type", "application/json").body(body)
    }

    /// Ten seconds unless said otherwise.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sends, and reads the whole response.
    ///
    /// # Panics
    ///
    /// When there is no complete response within the deadline.
    pub async fn send(self) -> TestResponse {
        self.try_send()
            .await
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Sends, and reads the whole response, where none at all may be right, too.
    pub async fn try_send(self) -> Result<TestResponse, TestClientError> {
        let what = format!("{} {}", self.method, self.url);
        let failed = |why: String| TestClientError(format!("{what}: {why}"));
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self
            .url
            .parse()
            .map_err(|error| failed(format!("not a URL: {error}")))?;
        *request.headers_mut() = self.headers;
        let exchange = async {
            let response = self
                .client
                .inner
                .request(request)
                .await
                .map_err(|error| story(&error))?;
            let (head, body) = response.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| story(&error))?
                .to_bytes();
            Ok(TestResponse {
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            })
        };
        timeout(self.deadline, exchange)
            .await
            .map_err(|_| failed(format!("no complete response within {:?}", self.deadline)))?
            .map_err(failed)
    }
}

/// A complete response.
#[derive(Debug, Clone)]
pub struct TestResponse {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl TestResponse {
    /// The first header of this name, as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as text, invalid UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON of any shape.
    ///
    /// # Panics
    ///
    /// When it is none; the message shows it.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        self.parse()
    }

    /// The body as JSON of a known shape.
    ///
    /// # Panics
    ///
    /// When it has another shape; the message shows it.
    #[must_use]
    pub fn parse<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "status {}, body is not as wanted ({error}): {}",
                self.status,
                self.text()
            )
        })
    }

    /// This response, after a check of its status that shows the body when it fails.
    ///
    /// # Panics
    ///
    /// When the status differs.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "unexpected status, body: {}",
            self.text()
        );
        self
    }
}
