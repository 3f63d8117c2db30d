//! The edge with nothing behind it: one fixed answer, for measuring and for trying time-outs by hand.
//!
//! `cargo run --release -p corkboard-edge --example fixed_answer -- 127.0.0.1:8080 [BYTES]`

#![expect(clippy::print_stderr, reason = "a program for people at a terminal")]

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use corkboard_edge::{EdgeOptions, RequestBody, listen, serve, termination};
use http::{Request, Response};
use http_body_util::Full;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments
        .next()
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let bytes = arguments.next().map_or(Ok(140), |text| text.parse())?;
    let answer = Bytes::from(vec![b'x'; bytes]);
    let service = tower::service_fn(move |_: Request<RequestBody>| {
        let response = Response::new(Full::new(answer.clone()));
        async move { Ok::<_, Infallible>(response) }
    });

    let listener = listen(address.parse()?)?;
    let shutdown = CancellationToken::new();
    let stop = termination()?;
    let options = EdgeOptions {
        max_connections: 18_000,
        ..EdgeOptions::default()
    };
    let serving = serve(listener, service, options, shutdown.clone());
    let stopping = async {
        stop.await;
        shutdown.cancel();
    };
    let (report, ()) = tokio::join!(serving, stopping);
    eprintln!("{report:?}");
    Ok(())
}
