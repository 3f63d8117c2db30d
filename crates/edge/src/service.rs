//! What the edge asks of the service behind it, under one name.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::connection::BoxError;
use crate::request::RequestBody;

/// A service that [`crate::serve()`] takes. Never implemented by hand.
pub(crate) trait HttpService:
    tower::Service<
        Request<RequestBody>,
        Response = Response<Self::Body>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
    type Body: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> HttpService for S
where
    S: tower::Service<Request<RequestBody>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Body = B;
}
